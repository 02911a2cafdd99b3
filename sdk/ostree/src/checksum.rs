use std::fmt;

use sha2::{Digest as _, Sha256};

/// The sha256 that an object is named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checksum(pub [u8; 32]);

impl Checksum {
    /// Of these pieces, one behind the other.
    pub fn of(pieces: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for piece in pieces {
            hasher.update(piece);
        }
        Self(hasher.finalize().into())
    }

    /// Reads 64 lower-case digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// None unless there are 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Where an object lies in a repository.
    pub fn path(&self, extension: &str) -> Vec<u8> {
        let digits = hex::encode(self.0);
        let (folder, name) = digits.split_at(2);
        format!("objects/{folder}/{name}.{extension}").into_bytes()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    #[test]
    fn checksums_are_sixty_four_lower_case_digits() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let checksum = Checksum::of(&[b"", b""]);
        assert_eq!(checksum.to_string(), empty);
        assert_eq!(
            String::from_utf8_lossy(&checksum.path("filez")),
            format!("objects/e3/{}.filez", &empty[2..])
        );
        for (text, good) in [
            (empty.to_owned(), true),
            (empty.to_uppercase(), false),
            (empty[1..].to_owned(), false),
            (format!("{empty}0"), false),
            (format!("{}/", &empty[1..]), false),
            (String::new(), false),
        ] {
            assert_eq!(Checksum::from_hex(&text), good.then_some(checksum), "{text}");
        }
    }
}
