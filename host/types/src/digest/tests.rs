use proptest::prelude::*;

use super::{Algorithm, Digest, DigestError, Hasher};
use crate::ErrorKind;

const EMPTY_256: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const EMPTY_384: &str =
    "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b";
const EMPTY_512: &str = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";

#[test]
fn known_values() {
    for (algorithm, expected) in [
        (Algorithm::Sha256, EMPTY_256),
        (Algorithm::Sha384, EMPTY_384),
        (Algorithm::Sha512, EMPTY_512),
    ] {
        assert_eq!(Digest::of(algorithm, b"").as_str(), expected);
        assert_eq!(Digest::parse(expected).map(|digest| digest.algorithm()), Ok(algorithm));
    }
    // image-spec, the empty descriptor.
    assert_eq!(
        Digest::sha256(b"{}").hex(),
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    );
}

#[test]
fn hostile_texts() {
    let hex = &EMPTY_256[7..];
    let rows: [(String, DigestError); 20] = [
        (String::new(), DigestError::Format),
        (":".into(), DigestError::Format),
        ("sha256".into(), DigestError::Format),
        ("sha256:".into(), DigestError::Format),
        (format!(":{hex}"), DigestError::Format),
        (hex.into(), DigestError::Format),
        (format!("sha256:{}", &hex[1..]), DigestError::Length),
        (format!("sha256:{hex}0"), DigestError::Length),
        (format!("sha512:{hex}"), DigestError::Length),
        (format!("sha256:{}", hex.to_uppercase()), DigestError::Format),
        (format!("sha256:g{}", &hex[1..]), DigestError::Format),
        (format!("sha256:../{}", &hex[3..]), DigestError::Format),
        // Two bytes each, so the length in bytes is right.
        (format!("sha256:{}", "é".repeat(32)), DigestError::Format),
        (format!("SHA256:{hex}"), DigestError::UnsupportedAlgorithm),
        (format!("sha1:{}", &hex[..40]), DigestError::UnsupportedAlgorithm),
        (format!("md5+x:{hex}"), DigestError::UnsupportedAlgorithm),
        (format!("sha256+:{hex}"), DigestError::Format),
        (format!("2sha:{hex}"), DigestError::Format),
        (format!("../sha256:{hex}"), DigestError::Format),
        (format!(" sha256:{hex}"), DigestError::Format),
    ];
    for (text, expected) in rows {
        assert_eq!(Digest::parse(&text), Err(expected), "{text:?}");
    }
    assert_eq!(DigestError::UnsupportedAlgorithm.kind(), ErrorKind::Unsupported);
    assert_eq!(DigestError::Length.kind(), ErrorKind::InvalidData);
}

#[test]
fn json_is_a_checked_string() {
    let digest = Digest::sha256(b"");
    assert_eq!(serde_json::to_string(&digest).ok(), Some(format!("\"{EMPTY_256}\"")));
    assert_eq!(
        serde_json::from_str::<Digest>(&format!("\"{EMPTY_256}\"")).ok(),
        Some(digest.clone())
    );
    assert_eq!(
        serde_json::from_str::<Digest>(&format!("\"\\u0073{}\"", &EMPTY_256[1..])).ok(),
        Some(digest)
    );
    for text in ["\"sha256:00\"", "null", "7", "[]", "\"\""] {
        assert!(serde_json::from_str::<Digest>(text).is_err(), "{text}");
    }
}

#[test]
fn display_honours_width() {
    assert_eq!(format!("{:.14}", Digest::sha256(b"")), "sha256:e3b0c44");
}

proptest! {
    #[test]
    fn parse_is_the_inverse_of_display(data in proptest::collection::vec(any::<u8>(), 0..200), which in 0..3usize) {
        let digest = Digest::of(Algorithm::ALL[which], &data);
        prop_assert_eq!(Digest::parse(&digest.to_string()), Ok(digest.clone()));
        prop_assert_eq!(format!("{}:{}", digest.algorithm(), digest.hex()), digest.as_str());
        prop_assert!(digest.matches(&data));
    }

    #[test]
    fn pieces_do_not_matter(data in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..200usize) {
        let (front, back) = data.split_at(cut.min(data.len()));
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(front);
        hasher.update(back);
        prop_assert_eq!(hasher.finish(), Digest::of(Algorithm::Sha512, &data));
    }

    #[test]
    fn anything_accepted_is_canonical(text in "\\PC{0,140}") {
        if let Ok(digest) = Digest::parse(&text) {
            prop_assert_eq!(digest.as_str(), text);
        }
    }
}
