//! NaCl's `crypto_secretbox`: XSalsa20 with Poly1305, the tag before the text.

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) const KEY: usize = 32;

/// Bytes of a nonce.
pub(super) const NONCE: usize = 24;

/// Bytes of the tag.
const TAG: usize = 16;

/// Locks a text. A nonce must never be used twice with the same key.
pub(super) fn seal(key: &[u8; KEY], nonce: &[u8; NONCE], text: &[u8]) -> Vec<u8> {
    let (mut cipher, mac) = start(key, nonce);
    let mut sealed = vec![0; TAG];
    sealed.extend_from_slice(text);
    let (tag, text) = sealed.split_at_mut(TAG);
    cipher.apply_keystream(text);
    tag.copy_from_slice(&mac.compute_unpadded(text));
    sealed
}

/// Unlocks a text; none if it, the nonce or the key is another one.
pub(super) fn open(key: &[u8; KEY], nonce: &[u8; NONCE], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (tag, text) = sealed.split_at_checked(TAG)?;
    let (mut cipher, mac) = start(key, nonce);
    if !bool::from(mac.compute_unpadded(text).as_slice().ct_eq(tag)) {
        return None;
    }
    let mut text = Zeroizing::new(text.to_vec());
    cipher.apply_keystream(&mut text);
    Some(text)
}

/// The cipher, and the one-time authenticator whose key is the beginning of its stream.
fn start(key: &[u8; KEY], nonce: &[u8; NONCE]) -> (XSalsa20, Poly1305) {
    let mut cipher = XSalsa20::new(key.into(), nonce.into());
    let mut mac_key = Zeroizing::new([0; 32]);
    cipher.apply_keystream(&mut *mac_key);
    let mac = Poly1305::new((&*mac_key).into());
    (cipher, mac)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// `secretbox.c` and `secretbox2.c` of NaCl's tests.
    const FIRST_KEY: &str = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389";
    const NACL_NONCE: &str = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
    const TEXT: &str = "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61\
        296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f5\
        9ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705";
    const SEALED: &str = "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a118\
        6ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517a\
        cfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5";

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_vector_of_nacl() {
        let (key, nonce) = (bytes(FIRST_KEY), bytes(NACL_NONCE));
        let (text, sealed) = (hex::decode(TEXT).unwrap(), hex::decode(SEALED).unwrap());
        assert_eq!(hex::encode(seal(&key, &nonce, &text)), SEALED);
        assert_eq!(open(&key, &nonce, &sealed).unwrap().as_slice(), text);
    }

    #[test]
    fn whatever_is_altered_is_refused() {
        let (key, nonce) = ([1; KEY], [2; NONCE]);
        for text in [&b""[..], b"a", &[7; 100]] {
            let sealed = seal(&key, &nonce, text);
            assert_eq!(open(&key, &nonce, &sealed).unwrap().as_slice(), text);
            assert!(open(&[0; KEY], &nonce, &sealed).is_none());
            assert!(open(&key, &[0; NONCE], &sealed).is_none());
            for index in 0..sealed.len() {
                let mut altered = sealed.clone();
                altered[index] ^= 1;
                assert!(open(&key, &nonce, &altered).is_none(), "{index}");
                assert!(open(&key, &nonce, &sealed[..index]).is_none(), "{index}");
            }
        }
    }
}
