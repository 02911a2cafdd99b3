//! Reading key files: binary or armoured, any number of keys.

use pgp::composed::{Deserializable as _, SignedPublicKey};
use pgp::types::KeyDetails as _;

use super::Keyring;

const ARMOUR: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";

impl Keyring {
    /// Reads the keys of some files. What stands beside usable keys is passed over, as GnuPG does; a signature by such
    /// a key is then one by an unknown key.
    ///
    /// # Errors
    ///
    /// There is no key in them (RQ-10).
    pub(crate) fn import<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, String> {
        let mut certificates = Vec::new();
        for file in files {
            for key in read(file) {
                add(&mut certificates, key);
            }
        }
        if certificates.is_empty() {
            return Err("No public keys imported".to_owned());
        }
        Ok(Self { certificates })
    }
}

fn read(file: &[u8]) -> Vec<SignedPublicKey> {
    let is_binary = file.first().is_some_and(|first| first & 0x80 != 0);
    if is_binary {
        return match SignedPublicKey::from_bytes_many(file) {
            Ok(keys) => keys.flatten().collect(),
            Err(_) => Vec::new(),
        };
    }
    // The reader of armour stops behind the first block, and files are joined by `cat`.
    let starts = file
        .windows(ARMOUR.len())
        .enumerate()
        .filter(|(_, window)| *window == ARMOUR);
    starts
        .filter_map(|(start, _)| SignedPublicKey::from_armor_many(&file[start..]).ok())
        .flat_map(|(keys, _)| keys.flatten().collect::<Vec<_>>())
        .collect()
}

/// Adds a key. Two copies of one become one with the signatures of both: a revocation counts wherever it stands.
fn add(certificates: &mut Vec<SignedPublicKey>, key: SignedPublicKey) {
    let known = certificates
        .iter_mut()
        .find(|known| known.primary_key.fingerprint() == key.primary_key.fingerprint());
    let Some(known) = known else {
        certificates.push(key);
        return;
    };
    let (details, more) = (&mut known.details, key.details);
    details.revocation_signatures.extend(more.revocation_signatures);
    details.direct_signatures.extend(more.direct_signatures);
    for user in more.users {
        match details.users.iter_mut().find(|known| known.id.id() == user.id.id()) {
            Some(known) => known.signatures.extend(user.signatures),
            None => details.users.push(user),
        }
    }
    for subkey in key.public_subkeys {
        let fingerprint = subkey.key.fingerprint();
        match known
            .public_subkeys
            .iter_mut()
            .find(|known| known.key.fingerprint() == fingerprint)
        {
            Some(known) => known.signatures.extend(subkey.signatures),
            None => known.public_subkeys.push(subkey),
        }
    }
}
