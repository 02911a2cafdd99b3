use crc::{CRC_64_GO_ISO, Crc, Digest, Table};
use longshore_types::{Algorithm, Hasher};

use crate::files::{GuestResult, guest_error};

static CRC_64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_GO_ISO);

/// Checksums that a guest asked for by name, over bytes that the host moves.
pub(crate) struct Checksums(Vec<(String, Checksum)>);

enum Checksum {
    Sha256(Box<Hasher>),
    Crc64(Digest<'static, u64, Table<16>>),
}

impl Checksums {
    /// An unknown name is an error.
    pub(crate) fn new(names: &[String]) -> GuestResult<Self> {
        let mut checksums = Vec::new();
        for name in names {
            let checksum = match name.as_str() {
                "sha256" => Checksum::Sha256(Box::new(Hasher::new(Algorithm::Sha256))),
                "crc64-go-iso" => Checksum::Crc64(CRC_64.digest()),
                other => {
                    let shown = crate::error::presentable(other);
                    return Err(guest_error("unsupported", format!("checksum \"{shown}\" is not known")));
                }
            };
            if checksums.iter().all(|(known, _)| known != name) {
                checksums.push((name.clone(), checksum));
            }
        }
        Ok(Self(checksums))
    }

    /// Checksums over bytes of their own and then those that are moved.
    pub(crate) fn with_prefixes(prefixed: &[(String, Vec<u8>)]) -> GuestResult<Self> {
        let mut checksums = Vec::new();
        for (name, prefix) in prefixed {
            let mut checksum = Self::new(std::slice::from_ref(name))?;
            checksum.update(prefix);
            checksums.append(&mut checksum.0);
        }
        Ok(Self(checksums))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for (_, checksum) in &mut self.0 {
            match checksum {
                Checksum::Sha256(hasher) => hasher.update(bytes),
                Checksum::Crc64(digest) => digest.update(bytes),
            }
        }
    }

    /// Each in hexadecimal digits, by its name.
    pub(crate) fn finish(self) -> Vec<(String, String)> {
        let finished = self.0.into_iter().map(|(name, checksum)| {
            let digits = match checksum {
                Checksum::Sha256(hasher) => hasher.finish().hex().to_owned(),
                Checksum::Crc64(digest) => format!("{:016x}", digest.finalize()),
            };
            (name, digits)
        });
        finished.collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Checksums;

    #[test]
    fn checksums_are_those_of_go() {
        for (bytes, crc) in [
            (&b""[..], "0000000000000000"),
            (b"hello\n", "614c3eeee2d81000"),
            (b"x", "2310000000000000"),
            (b"bye\n", "6142c296f0000000"),
            (b"123456789", "b90956c775a41001"),
        ] {
            let mut checksums = Checksums::new(&["crc64-go-iso".to_owned()]).unwrap();
            for byte in bytes.chunks(1) {
                checksums.update(byte);
            }
            assert_eq!(checksums.finish(), [("crc64-go-iso".to_owned(), crc.to_owned())]);
        }
    }

    #[test]
    fn checksums_go_on_behind_their_prefixes() {
        let names = [("crc64-go-iso", "12345"), ("crc64-go-iso", "1234567")];
        let names = names.map(|(name, prefix)| (name.to_owned(), prefix.as_bytes().to_vec()));
        let mut checksums = Checksums::with_prefixes(&names).unwrap();
        checksums.update(b"6789");
        assert_eq!(checksums.finish()[0].1, "b90956c775a41001");
        assert!(Checksums::with_prefixes(&[("md5".to_owned(), Vec::new())]).is_err());
    }

    #[test]
    fn checksums_have_names() {
        assert!(Checksums::new(&["md5".to_owned()]).is_err());
        assert!(Checksums::new(&[]).unwrap().finish().is_empty());
        let twice = Checksums::new(&["sha256".to_owned(), "sha256".to_owned()]).unwrap();
        assert_eq!(
            twice.finish(),
            [(
                "sha256".to_owned(),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned()
            )]
        );
    }
}
