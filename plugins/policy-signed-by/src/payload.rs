//! What a simple signature says (SG-01 to SG-06).

use longshore_types::Digest;
use longshore_types::json::Object;

use crate::members::Members;

const TYPE: &str = "atomic container signature";

/// The part of a payload that counts: the rest is for people (SG-05).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// The digest of the signed manifest.
    pub(crate) manifest_digest: Digest,
    /// The name under which it was signed, as it stands there.
    pub(crate) docker_reference: String,
}

impl Payload {
    /// Reads a payload strictly: what two readers could see differently is refused.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let mut top = Members::parse(json)?;
        let mut critical = top.required_object("critical")?;
        let optional: Object = top.required("optional")?;
        top.finish()?;

        let kind: String = critical.required("type")?;
        if kind != TYPE {
            return Err(format!("Unrecognized signature type {kind:?}"));
        }
        let mut image = critical.required_object("image")?;
        let mut identity = critical.required_object("identity")?;
        critical.finish()?;

        let digest: String = image.required("docker-manifest-digest")?;
        let manifest_digest = Digest::parse(&digest)
            .map_err(|error| format!("invalid docker-manifest-digest value {digest:?}: {error}"))?;
        image.finish()?;
        let docker_reference = identity.required("docker-reference")?;
        identity.finish()?;

        check_optional(optional)?;
        Ok(Self {
            manifest_digest,
            docker_reference,
        })
    }
}

/// SG-03: unknown members are ignored, known ones must have the right type.
fn check_optional(mut optional: Object) -> Result<(), String> {
    let creator: Result<Option<String>, _> = optional.take("creator");
    creator.map_err(|error| error.to_string())?;
    let timestamp: Option<f64> = optional.take("timestamp").map_err(|error| error.to_string())?;
    match timestamp {
        Some(seconds) if seconds.fract() != 0.0 || seconds.abs() >= TWO_TO_63 => {
            Err("Field optional.timestamp is not is not an integer".to_owned())
        }
        _ => Ok(()),
    }
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test may fail at any line")]

    use super::Payload;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn payload(template: &str) -> Result<Payload, String> {
        Payload::parse(template.replace("DIGEST", DIGEST).as_bytes())
    }

    #[test]
    fn accepted() {
        let critical = r#""critical":{"type":"atomic container signature","image":{"docker-manifest-digest":"DIGEST"},"identity":{"docker-reference":"x"}}"#;
        for optional in [
            "{}",
            r#"{"creator":"atomic 5.22","timestamp":1700000000}"#,
            r#"{"timestamp":1.7e9}"#,
            r#"{"timestamp":-1}"#,
            r#"{"creator":null,"timestamp":null}"#,
            r#"{"other":[{"a":1}]}"#,
        ] {
            let parsed = payload(&format!(r#" {{ {critical}, "optional":{optional}}} "#));
            let parsed = parsed.map(|parsed| (parsed.manifest_digest.to_string(), parsed.docker_reference));
            assert_eq!(parsed, Ok((DIGEST.to_owned(), "x".to_owned())), "{optional}");
        }
    }

    #[test]
    fn refused() {
        let image = r#""image":{"docker-manifest-digest":"DIGEST"}"#;
        let identity = r#""identity":{"docker-reference":"x"}"#;
        let kind = r#""type":"atomic container signature""#;
        let critical = |text: &str| format!(r#"{{"critical":{{{text}}},"optional":{{}}}}"#);
        let optional = |text: &str| format!(r#"{{"critical":{{{kind},{image},{identity}}},"optional":{text}}}"#);
        let rows = [
            (String::new(), "invalid JSON"),
            ("[]".to_owned(), "invalid JSON"),
            ("{}".to_owned(), "Key \"critical\" missing"),
            (format!("{} x", optional("{}")), "trailing"),
            (
                optional("{}").replace("optional", "Optional"),
                "Key \"optional\" missing",
            ),
            (optional("null"), "Key \"optional\" is null"),
            (optional("[]"), "optional"),
            (optional(r#"{},"more":1"#), "Unknown key \"more\""),
            (optional(r#"{},"optional":{}"#), "\"optional\""),
            (optional(r#"{"creator":1}"#), "creator"),
            (optional(r#"{"timestamp":"1"}"#), "timestamp"),
            (optional(r#"{"timestamp":1.5}"#), "timestamp"),
            (optional(r#"{"timestamp":1e300}"#), "timestamp"),
            (optional(r#"{"a":1,"a":1}"#), "\"a\""),
            (optional(r#"{"a":}"#), "invalid JSON"),
            (critical(&format!("{kind},{image}")), "Key \"identity\" missing"),
            (critical(&format!("{kind},{identity}")), "Key \"image\" missing"),
            (critical(&format!("{image},{identity}")), "Key \"type\" missing"),
            (
                critical(&format!("{kind},{image},{identity},\"more\":1")),
                "Unknown key \"more\"",
            ),
            (critical(&format!("{kind},{kind},{image},{identity}")), "\"type\""),
            (
                critical(&format!(
                    r#""type":"cosign container image signature",{image},{identity}"#
                )),
                "Unrecognized",
            ),
            (critical(&format!(r#""type":1,{image},{identity}"#)), "type"),
            (
                critical(&format!(r#"{kind},"image":{{}},{identity}"#)),
                "docker-manifest-digest",
            ),
            (
                critical(&format!(r#"{kind},"image":{{"docker-manifest-digest":1}},{identity}"#)),
                "docker-manifest-digest",
            ),
            (
                critical(&format!(
                    r#"{kind},"image":{{"docker-manifest-digest":"sha256:00"}},{identity}"#
                )),
                "sha256:00",
            ),
            (
                critical(&format!(
                    r#"{kind},"image":{{"docker-manifest-digest":"DIGEST","x":1}},{identity}"#
                )),
                "Unknown key \"x\"",
            ),
            (
                critical(&format!(r#"{kind},{image},"identity":{{}}"#)),
                "docker-reference",
            ),
            (
                critical(&format!(r#"{kind},{image},"identity":{{"docker-reference":null}}"#)),
                "docker-reference",
            ),
            (
                critical(&format!(
                    r#"{kind},{image},"identity":{{"docker-reference":"x","Docker-reference":"y"}}"#
                )),
                "Unknown key",
            ),
        ];
        for (json, fragment) in rows {
            let error = payload(&json).expect_err(&json);
            assert!(error.contains(fragment), "{json}: {error}");
        }
    }
}
