//! The policy requirements that look at no signature: `insecureAcceptAnything`
//! (RQ-01) and `reject` (RQ-02).

use longshore_guest::{Evaluator, Image, Requirement, Verdict};
use longshore_types::json::Object;

const ACCEPT: &str = "insecureAcceptAnything";
const REJECT: &str = "reject";

struct Basic;

impl Evaluator for Basic {
    const REQUIREMENT_TYPES: &'static [&'static str] = &[ACCEPT, REJECT];

    fn check(json: &str) -> Result<Vec<String>, String> {
        kind(json).map(|_| Vec::new())
    }

    fn evaluate(requirement: Requirement, image: &Image) -> Result<Verdict, String> {
        Ok(match kind(&requirement.json)? {
            Kind::Accept => Verdict::accepted_unsigned("anything is accepted"),
            Kind::Reject => Verdict::rejected(format!("Running image {} is rejected by policy.", image.name())),
        })
    }
}

longshore_guest::export_evaluator!(Basic);

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Accept,
    Reject,
}

/// Reads a requirement; it has a `type` and nothing else (PG-05, PG-06).
fn kind(json: &str) -> Result<Kind, String> {
    let mut object = Object::parse(json.as_bytes()).map_err(|error| error.to_string())?;
    let kind: String = object.take_required("type").map_err(|error| error.to_string())?;
    if let Some(key) = object.keys().next() {
        return Err(format!("Unknown key \"{key}\""));
    }
    match kind.as_str() {
        ACCEPT => Ok(Kind::Accept),
        REJECT => Ok(Kind::Reject),
        other => Err(format!("Unknown policy requirement type \"{other}\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind};

    #[test]
    fn requirements() {
        for (json, expected) in [
            (r#"{"type":"insecureAcceptAnything"}"#, Some(Kind::Accept)),
            (r#" { "type" : "reject" } "#, Some(Kind::Reject)),
            (r#"{"type":"Reject"}"#, None),
            (r#"{"Type":"reject"}"#, None),
            (r#"{"type":"reject","type":"reject"}"#, None),
            (r#"{"type":"reject","a":1}"#, None),
            (r#"{"type":1}"#, None),
            (r#"{"type":null}"#, None),
            (r#"{}"#, None),
            (r#"[]"#, None),
            (r#"{"type":"reject"} x"#, None),
            ("", None),
        ] {
            assert_eq!(kind(json).ok(), expected, "{json}");
        }
    }
}
