use std::io::Read as _;

use flate2::read::{DeflateDecoder, ZlibDecoder};
use longshore_types::Digest;
use longshore_types::json::Object;

/// Most bytes that a compressed message may expand to. A payload has some hundred.
const MAX_EXPANDED: u64 = 1 << 20;

/// What a simple signing signature says of itself. Nothing of it is verified: anybody can have written it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedSignature {
    /// The digest of the manifest that it claims to sign.
    pub manifest_digest: Digest,
    /// The name that it claims for the image.
    pub docker_reference: String,
    /// What claims to have made it.
    pub creator: Option<String>,
    /// When it claims to have been made, in seconds since 1970.
    pub timestamp: Option<i64>,
    /// The key that it claims to be made with: 16 upper-case hexadecimal digits.
    pub short_key_id: String,
}

/// Why a signature cannot be shown.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UntrustedSignatureError(String);

impl UntrustedSignature {
    /// Reads an OpenPGP message: a one-pass signature and literal data, compressed as a whole or not (GP-01). What comes
    /// after the data, such as the signature itself, is not looked at.
    ///
    /// # Errors
    ///
    /// It is none, or its payload is not that of a simple signing signature (SG-01 to SG-03, SG-06).
    pub fn read(message: &[u8]) -> Result<Self, UntrustedSignatureError> {
        let (payload, short_key_id) = signed(message)?;
        let mut top = Object::parse(&payload).map_err(error)?;
        let (mut critical, mut optional): (Object, Object) =
            (required(&mut top, "critical")?, required(&mut top, "optional")?);
        let kind: String = required(&mut critical, "type")?;
        if kind != crate::payload::TYPE {
            return Err(error(format_args!("Unrecognized signature type {kind:?}")));
        }
        let mut image: Object = required(&mut critical, "image")?;
        let mut identity: Object = required(&mut critical, "identity")?;
        let manifest_digest: String = required(&mut image, "docker-manifest-digest")?;
        let docker_reference = required(&mut identity, "docker-reference")?;
        for object in [&top, &critical, &image, &identity] {
            if let Some(key) = object.keys().next() {
                return Err(error(format_args!("Unknown key {key:?}")));
            }
        }
        let timestamp: Option<f64> = optional.take("timestamp").map_err(error)?;
        Ok(Self {
            manifest_digest: Digest::parse(&manifest_digest).map_err(error)?,
            docker_reference,
            creator: optional.take("creator").map_err(error)?,
            timestamp: timestamp.map(seconds).transpose()?,
            short_key_id,
        })
    }
}

fn error(what: impl ToString) -> UntrustedSignatureError {
    UntrustedSignatureError(what.to_string())
}

fn required<T: serde::de::DeserializeOwned>(object: &mut Object, key: &str) -> Result<T, UntrustedSignatureError> {
    let taken = object.take(key).map_err(error)?;
    taken.ok_or_else(|| error(format_args!("Key {key:?} missing in a JSON object")))
}

/// A time that a payload writes as a number.
fn seconds(number: f64) -> Result<i64, UntrustedSignatureError> {
    /// Beyond it a number cannot tell one second from the next.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || number.abs() > EXACT {
        return Err(error("Field optional.timestamp is not is not an integer"));
    }
    // Exact, as was just checked.
    Ok(number as i64)
}

/// Tags of the packets that count (RFC 4880, section 4.3).
const ONE_PASS_SIGNATURE: u8 = 4;
const COMPRESSED_DATA: u8 = 8;
const LITERAL_DATA: u8 = 11;

/// The payload of a message and the id of the key that its first packet names.
fn signed(message: &[u8]) -> Result<(Vec<u8>, String), UntrustedSignatureError> {
    let mut bytes = message;
    let (mut tag, mut body) = packet(&mut bytes)?;
    let expanded;
    if tag == COMPRESSED_DATA {
        expanded = decompress(&body)?;
        bytes = &expanded;
        (tag, body) = packet(&mut bytes)?;
    }
    let key_id = match (tag, body.as_slice()) {
        // Version, type, hash, algorithm, key, and whether another signature follows.
        (ONE_PASS_SIGNATURE, [3, _, _, _, key_id @ .., _]) if key_id.len() == 8 => key_id,
        (ONE_PASS_SIGNATURE, _) => return Err(error("its one-pass signature packet is of no known form")),
        _ => return Err(error("The input is not a signature")),
    };
    let key_id: String = key_id.iter().map(|byte| format!("{byte:02X}")).collect();
    let (tag, body) = packet(&mut bytes)?;
    let payload = match (tag, body.as_slice()) {
        // Format, length of a name, the name and a date.
        (LITERAL_DATA, [_, length, rest @ ..]) => rest.get(usize::from(*length) + 4..),
        _ => None,
    };
    let payload = payload.ok_or_else(|| error("it has no literal data"))?;
    Ok((payload.to_vec(), key_id))
}

/// Takes a packet off the front: its tag and body (RFC 4880, section 4.2).
fn packet(bytes: &mut &[u8]) -> Result<(u8, Vec<u8>), UntrustedSignatureError> {
    let header = *take(bytes, 1)?.first().unwrap_or(&0);
    if header & 0x80 == 0 {
        return Err(error("invalid data: tag byte does not have MSB set"));
    }
    if header & 0x40 == 0 {
        let length = match header & 3 {
            3 => bytes.len(),
            size => number(take(bytes, 1 << size)?),
        };
        return Ok(((header >> 2) & 0x0f, take(bytes, length)?.to_vec()));
    }
    let mut body = Vec::new();
    loop {
        let first = number(take(bytes, 1)?);
        let (length, goes_on) = match first {
            0..=191 => (first, false),
            192..=223 => (((first - 192) << 8) + number(take(bytes, 1)?) + 192, false),
            255 => (number(take(bytes, 4)?), false),
            _ => (1 << (first & 0x1f), true),
        };
        body.extend_from_slice(take(bytes, length)?);
        if !goes_on {
            return Ok((header & 0x3f, body));
        }
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], UntrustedSignatureError> {
    let split = bytes.split_at_checked(length);
    let (taken, rest) = split.ok_or_else(|| error("it is cut short"))?;
    *bytes = rest;
    Ok(taken)
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, UntrustedSignatureError> {
    let mut expanded = Vec::new();
    let read = match body {
        [0, data @ ..] => data.take(MAX_EXPANDED + 1).read_to_end(&mut expanded),
        [1, data @ ..] => DeflateDecoder::new(data)
            .take(MAX_EXPANDED + 1)
            .read_to_end(&mut expanded),
        [2, data @ ..] => ZlibDecoder::new(data).take(MAX_EXPANDED + 1).read_to_end(&mut expanded),
        _ => return Err(error("its compression is not supported")),
    };
    read.map_err(|failure| error(format_args!("compressed data: {failure}")))?;
    if expanded.len() as u64 > MAX_EXPANDED {
        return Err(error(format_args!(
            "compressed data expands to more than {MAX_EXPANDED} bytes"
        )));
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};

    use super::{MAX_EXPANDED, UntrustedSignature};
    use crate::Payload;

    const KEY: [u8; 8] = [1, 2, 3, 4, 0xa, 0xb, 0xc, 0xd];

    fn one_pass() -> Vec<u8> {
        [&[0x90, 13, 3, 0, 8, 22][..], &KEY, &[1]].concat()
    }

    /// A literal data packet with a one-byte length in the old form.
    fn literal(payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len() + 9).unwrap();
        let head = [0xac | 1, (length >> 8) as u8, length as u8, b'b', 3];
        [&head[..], b"abc\0\0\0\0", payload].concat()
    }

    fn message(payload: &[u8]) -> Vec<u8> {
        [one_pass(), literal(payload)].concat()
    }

    fn json() -> String {
        let digest = longshore_types::Digest::sha256(b"");
        String::from_utf8(Payload::new("example.com/a:b", digest).to_json().unwrap()).unwrap()
    }

    fn read(message: &[u8]) -> Result<UntrustedSignature, String> {
        UntrustedSignature::read(message).map_err(|error| error.to_string())
    }

    /// Body of a compressed data packet of indeterminate length.
    fn compressed(algorithm: u8, data: &[u8]) -> Vec<u8> {
        [&[0xa3, algorithm][..], data].concat()
    }

    #[test]
    fn messages() {
        let plain = message(json().as_bytes());
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
        deflated.write_all(&plain).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&plain).unwrap();
        // The new form, in pieces of 256 bytes but for the last.
        let body = &literal(json().as_bytes())[3..];
        let (first, rest) = body.split_at(256);
        let pieces = [&one_pass(), &[0xcb, 0xe8][..], first, &[rest.len() as u8], rest].concat();
        for message in [
            plain.clone(),
            [&plain[..], b"\x88\x01\x00"].concat(),
            compressed(0, &plain),
            compressed(1, &deflated.finish().unwrap()),
            compressed(2, &zlib.finish().unwrap()),
            pieces,
        ] {
            let read = read(&message).unwrap();
            assert_eq!(read.docker_reference, "example.com/a:b");
            assert_eq!(read.manifest_digest, longshore_types::Digest::sha256(b""));
            assert_eq!(read.short_key_id, "010203040A0B0C0D");
            assert!(read.creator.unwrap().starts_with("longshore "));
            assert!(read.timestamp.unwrap() > 1_700_000_000);
        }
    }

    #[test]
    fn payloads() {
        let edit = |from: &str, to: &str| {
            let json = json();
            assert!(json.contains(from), "{from}");
            message(json.replacen(from, to, 1).as_bytes())
        };
        let (_, optional) = json()
            .split_once("\"optional\":")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let optional = optional.trim_end_matches('}').to_owned() + "}";
        let bare = read(&edit(&optional, "{\"other\":1}")).unwrap();
        assert_eq!((bare.creator, bare.timestamp), (None, None));
        for (message, expected) in [
            (message(b"{}"), "Key \"critical\" missing in a JSON object"),
            (message(b""), "invalid JSON"),
            (edit("\"optional\"", "\"more\":1,\"optional\""), "Unknown key \"more\""),
            (edit("atomic container", "other"), "Unrecognized signature type"),
            (edit("sha256:", "sha256;"), "invalid checksum digest format"),
            (edit(&optional, "null"), "Key \"optional\" missing"),
            (edit(&optional, "{\"timestamp\":1.5}"), "optional.timestamp"),
            (edit(&optional, "{\"timestamp\":1e300}"), "optional.timestamp"),
            (edit(&optional, "{\"creator\":1}"), "creator"),
            (
                edit(
                    "\"docker-reference\"",
                    "\"docker-reference\":\"x\",\"docker-reference\"",
                ),
                "docker-reference",
            ),
        ] {
            let error = read(&message).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn what_is_no_message() {
        let whole = message(json().as_bytes());
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        let mut bomb = ZlibEncoder::new(Vec::new(), Compression::default());
        bomb.write_all(&vec![0; MAX_EXPANDED as usize + 1]).unwrap();
        for (message, expected) in [
            (b"{}".to_vec(), "tag byte does not have MSB set"),
            (literal(b"x"), "The input is not a signature"),
            (one_pass(), "it is cut short"),
            ([&[0x90, 2, 3, 0][..], &literal(b"x")].concat(), "no known form"),
            ([one_pass(), one_pass()].concat(), "no literal data"),
            ([&one_pass()[..], &[0xac, 2, b'b', 200]].concat(), "no literal data"),
            (compressed(2, &bomb.finish().unwrap()), "more than 1048576 bytes"),
            (compressed(2, b"not zlib"), "compressed data: "),
            (compressed(3, b""), "compression is not supported"),
            (compressed(0, &compressed(0, b"")), "The input is not a signature"),
            (vec![0xc4, 0xff, 0xff, 0xff, 0xff, 0xff], "it is cut short"),
            (vec![0xc4, 0xfe], "it is cut short"),
        ] {
            let error = read(&message).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
