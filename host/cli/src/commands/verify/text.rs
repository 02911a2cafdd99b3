//! `verify`: the explanation for people.

use std::fmt::Write as _;

use longshore_copy::{Explanation, JudgedRequirement, Outcome, Verification};

use super::refusal;
use crate::quote::quoted;

/// Most characters of a requirement that are shown; it may hold keys.
const MAX_REQUIREMENT: usize = 300;

/// The whole explanation.
pub(super) fn explain(verification: &Verification) -> String {
    let mut lines = Lines::default();
    lines.add(0, printable(&verification.name));
    if verification.is_list {
        let described = described(&verification.digest.to_string(), &verification.media_type);
        lines.add(1, format!("list {described}, which is not judged itself"));
    }
    for explanation in &verification.images {
        image(&mut lines, explanation);
    }
    match refusal(verification.result()) {
        None => lines.add(0, "accepted"),
        Some(reason) => lines.add(0, format!("not accepted: {}", printable(&reason))),
    }
    lines.0
}

fn image(lines: &mut Lines, explanation: &Explanation) {
    let digest = explanation.manifest_digest.to_string();
    lines.add(1, format!("image {}", described(&digest, &explanation.manifest_type)));
    let transport = quoted(&explanation.transport);
    lines.add(
        2,
        match explanation.scope.as_deref() {
            Some("") => format!("policy: the default of transport {transport}"),
            Some(scope) => format!("policy: scope {} of transport {transport}", quoted(scope)),
            None => "policy: the default".to_owned(),
        },
    );
    let before = explanation
        .scopes
        .iter()
        .take_while(|scope| Some(*scope) != explanation.scope.as_ref());
    let missing: Vec<String> = before.map(|scope| quoted(scope)).collect();
    if !missing.is_empty() {
        lines.add(3, format!("transport {transport} has no {}", missing.join(", ")));
    }
    if explanation.signatures.is_empty() {
        lines.add(2, "no signatures");
    }
    for (index, signature) in explanation.signatures.iter().enumerate() {
        let format = signature.format.as_deref().unwrap_or("of no known form");
        lines.add(
            2,
            format!("signature {}: {format}, {} bytes", index + 1, signature.size),
        );
    }
    let of = explanation.requirements.len();
    for (index, judged) in explanation.requirements.iter().enumerate() {
        lines.add(
            2,
            format!("requirement {} of {of}: {}", index + 1, shortened(&judged.json)),
        );
        requirement(lines, judged);
    }
    if explanation.require_signed {
        lines.add(2, "one of them must be met by a verified signature");
    }
}

fn requirement(lines: &mut Lines, judged: &JudgedRequirement) {
    for path in &judged.files {
        lines.add(3, format!("file {}", quoted(&path.to_string_lossy())));
    }
    match &judged.verdict {
        Ok(verdict) => {
            for finding in &verdict.findings {
                let about = finding
                    .signature
                    .map_or_else(String::new, |index| format!("signature {}: ", index + 1));
                let sign = if finding.accepted { "yes" } else { "no" };
                lines.add(3, format!("{about}{sign}: {}", printable(&finding.reason)));
            }
            let outcome = match verdict.outcome {
                Outcome::Rejected => "not met",
                Outcome::AcceptedUnsigned => "met, not by a signature",
                Outcome::AcceptedSigned => "met by a verified signature",
            };
            lines.add(3, outcome);
        }
        Err(error) => {
            lines.add(3, printable(error));
            lines.add(3, "not met: it cannot be applied");
        }
    }
}

/// A digest and the media type, which is whatever the image says.
fn described(digest: &str, media_type: &str) -> String {
    format!("{digest} ({})", printable(media_type))
}

/// A requirement on one line.
fn shortened(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let line = value.to_string();
    match line.char_indices().nth(MAX_REQUIREMENT) {
        Some((end, _)) => format!("{}...", printable(&line[..end])),
        None => printable(&line),
    }
}

/// Text from a stranger on one line, without what moves a terminal's cursor.
fn printable(text: &str) -> String {
    let quoted = quoted(text);
    let inside = &quoted[1..quoted.len() - 1];
    inside.replace("\\\"", "\"").replace("\\\\", "\\")
}

/// Lines, each indented by its level.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, level: usize, line: impl AsRef<str>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{:width$}{}", "", line.as_ref(), width = 2 * level);
    }
}

#[cfg(test)]
mod tests {
    use longshore_copy::{Explanation, Finding, FoundSignature, JudgedRequirement, Outcome, Verdict, Verification};
    use longshore_types::{Digest, media_type};

    use super::{explain, printable};

    fn judged(json: &str, verdict: Result<(Outcome, Option<Finding>), &str>) -> JudgedRequirement {
        JudgedRequirement {
            kind: "any".to_owned(),
            json: json.to_owned(),
            files: Vec::new(),
            verdict: match verdict {
                Ok((outcome, finding)) => Ok(Verdict {
                    outcome,
                    findings: finding.into_iter().collect(),
                }),
                Err(error) => Err(error.to_owned()),
            },
        }
    }

    #[test]
    fn a_whole_explanation() {
        let finding = Finding {
            signature: Some(1),
            accepted: true,
            reason: "signed by key \u{1b}[2J".to_owned(),
        };
        let broken = JudgedRequirement {
            files: vec!["/k".into()],
            ..judged("{\n \"type\": \"b\"}", Err("out of order"))
        };
        let digest = Digest::sha256(b"");
        let explanation = Explanation {
            name: "docker://a/b:c".to_owned(),
            transport: "docker".to_owned(),
            manifest_digest: digest.clone(),
            manifest_type: "x/\n".to_owned(),
            scopes: vec!["a/b:c".to_owned(), "a/b".to_owned(), "a".to_owned(), String::new()],
            scope: Some("a".to_owned()),
            signatures: vec![
                FoundSignature { format: None, size: 3 },
                FoundSignature {
                    format: Some("simple-signing".to_owned()),
                    size: 400,
                },
            ],
            requirements: vec![
                judged(r#"{"type":"a"}"#, Ok((Outcome::AcceptedSigned, Some(finding)))),
                broken,
            ],
            require_signed: true,
        };
        let verification = Verification {
            name: explanation.name.clone(),
            digest: digest.clone(),
            media_type: media_type::OCI_INDEX.to_owned(),
            is_list: true,
            images: vec![explanation],
        };
        let expected = format!(
            "\
docker://a/b:c
  list {digest} (application/vnd.oci.image.index.v1+json), which is not judged itself
  image {digest} (x/\\n)
    policy: scope \"a\" of transport \"docker\"
      transport \"docker\" has no \"a/b:c\", \"a/b\"
    signature 1: of no known form, 3 bytes
    signature 2: simple-signing, 400 bytes
    requirement 1 of 2: {{\"type\":\"a\"}}
      signature 2: yes: signed by key \\x1b[2J
      met by a verified signature
    requirement 2 of 2: {{\"type\":\"b\"}}
      file \"/k\"
      out of order
      not met: it cannot be applied
    one of them must be met by a verified signature
not accepted: Source image rejected: evaluating the signature policy for docker://a/b:c: out of order
"
        );
        assert_eq!(explain(&verification), expected);
    }

    #[test]
    fn text_of_strangers() {
        for (text, expected) in [
            ("plain \"text\" \\", "plain \"text\" \\"),
            ("two\nlines", "two\\nlines"),
            ("\u{1b}[2J", "\\x1b[2J"),
            ("\u{202e}", "\\u202e"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }
}
