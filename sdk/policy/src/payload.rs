//! What a signature says (SG-01 to SG-06, SS-10).

use longshore_types::Digest;
use longshore_types::json::Object;

use crate::identity::SignedIdentity;
use crate::members::Members;

/// The kind of signature that a payload is made for. A payload of one kind never counts as one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// Simple signing, whose signatures are OpenPGP messages.
    Simple,
    /// Sigstore; cosign writes null where it has nothing to say beside what is critical.
    Sigstore,
}

impl PayloadKind {
    fn critical_type(self) -> &'static str {
        match self {
            Self::Simple => "atomic container signature",
            Self::Sigstore => "cosign container image signature",
        }
    }

    fn nullable(self) -> &'static [&'static str] {
        match self {
            Self::Simple => &[],
            Self::Sigstore => &["optional"],
        }
    }
}

/// The part of a payload that counts: the rest is for people (SG-05).
#[derive(Debug, PartialEq, Eq)]
pub struct Payload {
    /// The digest of the signed manifest.
    pub manifest_digest: Digest,
    /// The name under which it was signed, as it stands there.
    pub docker_reference: String,
}

impl Payload {
    /// Reads a payload strictly: what two readers could see differently is refused.
    ///
    /// # Errors
    ///
    /// Says what is wrong, in the words of other container tools.
    pub fn parse(json: &[u8], kind: PayloadKind) -> Result<Self, String> {
        let mut top = Members::parse_with_nullable(json, kind.nullable())?;
        let mut critical = top.required_object("critical")?;
        let optional: Option<Object> = match kind {
            PayloadKind::Simple => Some(top.required("optional")?),
            PayloadKind::Sigstore => top.optional("optional")?,
        };
        top.finish()?;

        let said: String = critical.required("type")?;
        if said != kind.critical_type() {
            return Err(format!("Unrecognized signature type {said:?}"));
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

        optional.map(check_optional).transpose()?;
        Ok(Self {
            manifest_digest,
            docker_reference,
        })
    }

    /// Whether it speaks for an image that has this manifest and that the user calls `docker_reference` (PE-05, PE-06).
    ///
    /// # Errors
    ///
    /// Says what it speaks for instead.
    pub fn speaks_for(
        &self,
        manifest_digest: &str,
        docker_reference: Option<&str>,
        identity: &SignedIdentity,
    ) -> Result<(), String> {
        let Self {
            manifest_digest: signed_digest,
            docker_reference: signed_reference,
        } = self;
        if signed_digest.as_str() != manifest_digest {
            return Err(format!("Signature for digest {signed_digest} does not match"));
        }
        if !identity.accepts(docker_reference, signed_reference) {
            return Err(format!("Signature for identity {signed_reference:?} is not accepted"));
        }
        Ok(())
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

    use super::{Payload, PayloadKind};

    const KINDS: [PayloadKind; 2] = [PayloadKind::Simple, PayloadKind::Sigstore];
    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn payload(kind: PayloadKind, template: &str) -> Result<Payload, String> {
        let [one, other] = match kind {
            PayloadKind::Simple => ["atomic container signature", "cosign container image signature"],
            PayloadKind::Sigstore => ["cosign container image signature", "atomic container signature"],
        };
        let text = template.replace("DIGEST", DIGEST).replace("KIND", one);
        Payload::parse(text.replace("OTHER", other).as_bytes(), kind)
    }

    #[test]
    fn accepted() {
        let critical = r#""critical":{"type":"KIND","image":{"docker-manifest-digest":"DIGEST"},"identity":{"docker-reference":"x"}}"#;
        for optional in [
            "{}",
            r#"{"creator":"atomic 5.22","timestamp":1700000000}"#,
            r#"{"timestamp":1.7e9}"#,
            r#"{"timestamp":-1}"#,
            r#"{"creator":null,"timestamp":null}"#,
            r#"{"other":[{"a":1}]}"#,
        ] {
            for kind in KINDS {
                let parsed = payload(kind, &format!(r#" {{ {critical}, "optional":{optional}}} "#));
                let parsed = parsed.map(|parsed| (parsed.manifest_digest.to_string(), parsed.docker_reference));
                assert_eq!(parsed, Ok((DIGEST.to_owned(), "x".to_owned())), "{kind:?} {optional}");
            }
        }
        let null = format!(r#"{{{critical},"optional":null}}"#);
        let parsed = KINDS.map(|kind| payload(kind, &null).map(|parsed| parsed.docker_reference));
        assert_eq!(parsed, [Err("Key \"optional\" is null".to_owned()), Ok("x".to_owned())]);
    }

    #[test]
    fn refused() {
        let image = r#""image":{"docker-manifest-digest":"DIGEST"}"#;
        let identity = r#""identity":{"docker-reference":"x"}"#;
        let kind = r#""type":"KIND""#;
        let critical = |text: &str| format!(r#"{{"critical":{{{text}}},"optional":{{}}}}"#);
        let optional = |text: &str| format!(r#"{{"critical":{{{kind},{image},{identity}}},"optional":{text}}}"#);
        let rows = [
            (String::new(), "invalid JSON"),
            ("[]".to_owned(), "invalid JSON"),
            ("{\"optional\":{}}".to_owned(), "Key \"critical\" missing"),
            (format!("{} x", optional("{}")), "trailing"),
            (
                optional("{}").replace("optional", "Optional"),
                "Key \"optional\" missing",
            ),
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
                critical(&format!(r#""type":"OTHER",{image},{identity}"#)),
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
            for kind in KINDS {
                let error = payload(kind, &json).expect_err(&json);
                assert!(error.contains(fragment), "{kind:?} {json}: {error}");
            }
        }
    }
}
