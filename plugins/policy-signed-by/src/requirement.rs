//! The grammar of both requirement types (PG-05, RQ-03 to RQ-05, RQ-09, RQ-10).

use longshore_policy::{Members, SignedIdentity, decode_base64};

pub(crate) const SIGNED_BY: &str = "signedBy";
pub(crate) const SIGNED_BASE_LAYER: &str = "signedBaseLayer";

/// A requirement that is well-formed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Requirement {
    SignedBy(SignedBy),
    SignedBaseLayer,
}

/// A signature by one of some keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SignedBy {
    pub(crate) key_type: KeyType,
    pub(crate) keys: Keys,
    pub(crate) identity: SignedIdentity,
}

/// `keyType` (RQ-04).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    GpgKeys,
    /// Part of the grammar, but nobody implements it.
    Unimplemented(String),
}

/// Where the keys are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    Files(Vec<String>),
    Inline(Vec<u8>),
}

impl Requirement {
    /// The files to read for an evaluation.
    pub(crate) fn into_files(self) -> Vec<String> {
        match self {
            Self::SignedBy(SignedBy {
                keys: Keys::Files(paths),
                ..
            }) => paths,
            _ => Vec::new(),
        }
    }
}

/// Reads a requirement.
///
/// # Errors
///
/// Says what is wrong, in the words of other container tools.
pub(crate) fn parse(json: &str) -> Result<Requirement, String> {
    let mut members = Members::parse(json.as_bytes())?;
    let kind: String = members.required("type")?;
    let requirement = match kind.as_str() {
        SIGNED_BY => Requirement::SignedBy(signed_by(&mut members)?),
        SIGNED_BASE_LAYER => {
            SignedIdentity::parse(members.required_object("baseLayerIdentity")?)?;
            Requirement::SignedBaseLayer
        }
        other => return Err(format!("Unknown policy requirement type {other:?}")),
    };
    members.finish()?;
    Ok(requirement)
}

fn signed_by(members: &mut Members) -> Result<SignedBy, String> {
    let key_type: String = members.required("keyType")?;
    let key_type = match key_type.as_str() {
        "GPGKeys" => KeyType::GpgKeys,
        "signedByGPGKeys" | "X509Certificates" | "signedByX509CAs" => KeyType::Unimplemented(key_type),
        other => return Err(format!("invalid keyType {other:?}")),
    };
    let path: Option<String> = members.optional("keyPath")?;
    let paths: Option<Vec<String>> = members.optional("keyPaths")?;
    let data: Option<String> = members.optional("keyData")?;
    let keys = match (path, paths, data) {
        (Some(path), None, None) => Keys::Files(vec![path]),
        (None, Some(paths), None) if paths.is_empty() => return Err("keyPaths contains no entries".to_owned()),
        (None, Some(paths), None) => Keys::Files(paths),
        (None, None, Some(data)) => Keys::Inline(decode(&data)?),
        _ => return Err(r#"Exactly one of "keyPath", "keyPaths" and "keyData" must be specified"#.to_owned()),
    };
    let identity = match members.optional_object("signedIdentity")? {
        Some(identity) => SignedIdentity::parse(identity)?,
        None => SignedIdentity::MatchRepoDigestOrExact,
    };
    Ok(SignedBy {
        key_type,
        keys,
        identity,
    })
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    decode_base64(text).map_err(|error| format!("keyData is not valid base64: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test may fail at any line")]

    use longshore_policy::SignedIdentity;

    use super::{KeyType, Keys, Requirement, SignedBy, parse};

    fn signed_by(keys: Keys) -> Requirement {
        Requirement::SignedBy(SignedBy {
            key_type: KeyType::GpgKeys,
            keys,
            identity: SignedIdentity::MatchRepoDigestOrExact,
        })
    }

    #[test]
    fn accepted() {
        let rows = [
            (r#""keyPath":"/k""#, Keys::Files(vec!["/k".to_owned()])),
            (r#""keyPath":"""#, Keys::Files(vec![String::new()])),
            (
                r#""keyPaths":["/a","/b"]"#,
                Keys::Files(vec!["/a".to_owned(), "/b".to_owned()]),
            ),
            (r#""keyData":"AQID""#, Keys::Inline(vec![1, 2, 3])),
            (r#""keyData":"AQ\nI=\r\n""#, Keys::Inline(vec![1, 2])),
            (r#""keyData":"""#, Keys::Inline(Vec::new())),
        ];
        for (keys, expected) in rows {
            let json = format!(r#"{{"type":"signedBy","keyType":"GPGKeys",{keys}}}"#);
            assert_eq!(parse(&json), Ok(signed_by(expected)), "{json}");
        }
        for key_type in ["signedByGPGKeys", "X509Certificates", "signedByX509CAs"] {
            let json = format!(r#"{{"type":"signedBy","keyType":"{key_type}","keyPath":"/k"}}"#);
            let read = parse(&json);
            assert!(
                matches!(&read, Ok(Requirement::SignedBy(read)) if read.key_type == KeyType::Unimplemented(key_type.to_owned())),
                "{read:?}"
            );
        }
        let json = r#"{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}"#;
        assert_eq!(parse(json), Ok(Requirement::SignedBaseLayer));
    }

    #[test]
    fn refused() {
        let one = r#"Exactly one of "keyPath", "keyPaths" and "keyData" must be specified"#;
        let signed_by = [
            (r#""keyPath":"/k""#, "Key \"keyType\" missing in a JSON object"),
            (r#""keyType":"gpgkeys","keyPath":"/k""#, "invalid keyType \"gpgkeys\""),
            (r#""keyType":1,"keyPath":"/k""#, "keyType"),
            (r#""keyType":"GPGKeys""#, one),
            (r#""keyType":"GPGKeys","keyPath":"/k","keyData":"AQID""#, one),
            (r#""keyType":"GPGKeys","keyPath":"/k","keyPaths":["/k"]"#, one),
            (
                r#""keyType":"GPGKeys","keyPath":"/k","keyPath":"/k""#,
                "duplicate key \"keyPath\"",
            ),
            (r#""keyType":"GPGKeys","keypath":"/k""#, one),
            (r#""keyType":"GPGKeys","keyPath":null"#, "Key \"keyPath\" is null"),
            (r#""keyType":"GPGKeys","keyPath":["/k"]"#, "keyPath"),
            (r#""keyType":"GPGKeys","keyPaths":[]"#, "keyPaths contains no entries"),
            (r#""keyType":"GPGKeys","keyPaths":"/k""#, "keyPaths"),
            (r#""keyType":"GPGKeys","keyPaths":[null]"#, "keyPaths"),
            (r#""keyType":"GPGKeys","keyData":"AQI""#, "base64"),
            (r#""keyType":"GPGKeys","keyData":"A Q I D""#, "base64"),
            (r#""keyType":"GPGKeys","keyDatas":["AQID"]"#, one),
            (r#""keyType":"GPGKeys","keyPath":"/k","more":1"#, "Unknown key \"more\""),
            (
                r#""keyType":"GPGKeys","keyPath":"/k","signedIdentity":null"#,
                "Key \"signedIdentity\" is null",
            ),
            (
                r#""keyType":"GPGKeys","keyPath":"/k","signedIdentity":"matchExact""#,
                "signedIdentity",
            ),
            (
                r#""keyType":"GPGKeys","keyPath":"/k","signedIdentity":{}"#,
                "Key \"type\" missing",
            ),
        ];
        for (members, fragment) in signed_by {
            let json = format!(r#"{{"type":"signedBy",{members}}}"#);
            let error = parse(&json).expect_err(&json);
            assert!(error.contains(fragment), "{json}: {error}");
        }
        let others = [
            ("", "invalid JSON"),
            ("[]", "invalid JSON"),
            (r#"{"keyType":"GPGKeys","keyPath":"/k"}"#, "Key \"type\" missing"),
            (r#"{"type":"reject"}"#, "Unknown policy requirement type \"reject\""),
            (r#"{"type":"signedBaseLayer"}"#, "Key \"baseLayerIdentity\" missing"),
            (
                r#"{"type":"signedBaseLayer","baseLayerIdentity":{"type":"x"}}"#,
                "match type \"x\"",
            ),
            (
                r#"{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"},"a":1}"#,
                "Unknown key \"a\"",
            ),
            (
                r#"{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}} x"#,
                "trailing",
            ),
        ];
        for (json, fragment) in others {
            let error = parse(json).expect_err(json);
            assert!(error.contains(fragment), "{json}: {error}");
        }
    }
}
