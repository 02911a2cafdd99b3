//! How a signature is stored: what kind it is (BL-01, BL-02).

/// A signature blob, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub enum Stored<'a> {
    /// Simple signing: the bytes of an OpenPGP message.
    Simple(&'a [u8]),
    /// The JSON of a sigstore signature (BL-03).
    Sigstore(&'a [u8]),
}

const NAMED: u8 = 0x00;
const SIMPLE_SIGNING: &[u8] = b"simple-signing";
const SIGSTORE: &[u8] = b"sigstore-json";

/// Recognises a stored signature.
///
/// # Errors
///
/// The blob is of no known format; then nobody can say what it was meant to prove.
pub fn recognise(blob: &[u8]) -> Result<Stored<'_>, String> {
    match blob {
        [] => Err("empty signature blob".to_owned()),
        [NAMED, named @ ..] => {
            let Some(end) = named.iter().position(|&byte| byte == b'\n') else {
                return Err("invalid signature format, missing newline".to_owned());
            };
            match &named[..end] {
                SIMPLE_SIGNING => Ok(Stored::Simple(&named[end + 1..])),
                SIGSTORE => Ok(Stored::Sigstore(&named[end + 1..])),
                name if name.iter().all(|byte| matches!(byte, 0x20..=0x7e)) => Err(format!(
                    "unrecognized signature format {:?}",
                    String::from_utf8_lossy(name)
                )),
                _ => Err("invalid signature format, non-ASCII byte in its name".to_owned()),
            }
        }
        // The tags of a signature, of a one-pass signature (0x3d is what others compare with instead of 0x93) and of
        // compressed data, in the old and the new form of packet headers.
        [0x88..=0x8b | 0x90..=0x92 | 0x3d | 0xa0..=0xa3 | 0xc2 | 0xc4 | 0xc8, ..] => Ok(Stored::Simple(blob)),
        [first, ..] => Err(format!(
            "unrecognized signature format, starting with binary 0x{first:02x}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Stored, recognise};

    #[test]
    fn formats() {
        let rows: [(&[u8], Option<Stored<'_>>); 14] = [
            (b"", None),
            (b"\0", None),
            (b"\0simple-signing", None),
            (b"\0simple-signing\n", Some(Stored::Simple(b""))),
            (b"\0simple-signing\n\x90\n", Some(Stored::Simple(b"\x90\n"))),
            (b"\0sigstore-json\n{}", Some(Stored::Sigstore(b"{}"))),
            (b"\0other\n{}", None),
            (b"\0simple\x80\n{}", None),
            (b"\0\n{}", None),
            (b"\x90\x0d", Some(Stored::Simple(b"\x90\x0d"))),
            (b"\xa3\x01", Some(Stored::Simple(b"\xa3\x01"))),
            (b"\x93\x01", None),
            (b"{}", None),
            (b"-----BEGIN PGP MESSAGE-----", None),
        ];
        for (blob, expected) in rows {
            assert_eq!(recognise(blob).ok(), expected, "{blob:?}");
        }
    }

    #[test]
    fn first_bytes() {
        let known: Vec<u8> = (1..=u8::MAX).filter(|&byte| recognise(&[byte]).is_ok()).collect();
        let expected = [
            0x3d, 0x88, 0x89, 0x8a, 0x8b, 0x90, 0x91, 0x92, 0xa0, 0xa1, 0xa2, 0xa3, 0xc2, 0xc4, 0xc8,
        ];
        assert_eq!(known, expected);
    }
}
