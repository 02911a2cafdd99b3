//! Error answers of a registry: reading, classing and showing them (RC-05).

use std::fmt::{self, Write as _};

use longshore_types::ErrorKind;
use reqwest::StatusCode;
use serde::Deserialize;

use crate::error::Subject;
use crate::limits::{MAX_ERRORS, MAX_QUOTED};

/// An answer that is no success: its status and what the registry said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The entries of the error document, at most eight; empty if the body was none.
    pub errors: Vec<RegistryCode>,
    /// What an API server of Kubernetes' kind said instead of an error document. Control characters are escaped.
    pub message: Option<String>,
    /// The beginning of a body that was nothing of all this.
    pub body: String,
}

/// One entry of a registry's error document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryCode {
    /// The code as sent, such as `MANIFEST_UNKNOWN`.
    pub code: String,
    /// The message for people, possibly empty. Control characters are escaped.
    pub message: String,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    errors: Option<Vec<Entry>>,
    #[serde(default)]
    details: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Kubernetes' `Status` object.
#[derive(Deserialize)]
struct ApiStatus {
    status: String,
    #[serde(default)]
    message: String,
}

impl Refusal {
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Self {
        let errors = serde_json::from_slice::<Document>(body)
            .map(|document| entries(status, document))
            .unwrap_or_default();
        let message = serde_json::from_slice::<ApiStatus>(body).ok();
        let message = message.filter(|said| errors.is_empty() && !said.status.is_empty());
        let message = message.map(|said| printable(&said.message, MAX_QUOTED));
        let body = if errors.is_empty() && message.is_none() {
            String::from_utf8_lossy(body).into_owned()
        } else {
            String::new()
        };
        Self {
            status: status.as_u16(),
            errors,
            message,
            body,
        }
    }

    /// Whether an entry has this code.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.errors.iter().any(|entry| entry.code == code)
    }

    /// Whether the registry says that a manifest does not exist (formats, section 10.2).
    fn is_manifest_unknown(&self) -> bool {
        if self.errors.is_empty() {
            return self.status == 404;
        }
        self.errors.iter().any(|entry| {
            entry.code == "MANIFEST_UNKNOWN"
                || (spoken(&entry.code) == "unknown" && entry.message.to_ascii_lowercase().contains("not found"))
        })
    }

    /// Whether another manifest type may be accepted where this one was not (OP-07).
    fn is_type_rejected(&self) -> bool {
        self.status == 415
            || self.has_code("MANIFEST_INVALID")
            || self.has_code("TAG_INVALID")
            || self
                .errors
                .iter()
                .any(|entry| entry.code == "UNSUPPORTED" && entry.message.contains("Invalid JSON syntax"))
    }

    pub(crate) fn kind(&self, subject: Subject) -> ErrorKind {
        match subject {
            Subject::Manifest if self.is_manifest_unknown() => return ErrorKind::ImageNotFound,
            Subject::NewManifest if self.is_type_rejected() => {
                return ErrorKind::ManifestTypeRejected;
            }
            Subject::Blob if self.status == 404 || self.has_code("BLOB_UNKNOWN") => {
                return ErrorKind::BlobNotFound;
            }
            _ => {}
        }
        match self.status {
            401 | 403 => ErrorKind::AccessDenied,
            405 | 501 => ErrorKind::Unsupported,
            507 => ErrorKind::NoSpace,
            _ => ErrorKind::Other,
        }
    }

    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504)
    }
}

fn entries(status: StatusCode, document: Document) -> Vec<RegistryCode> {
    if let Some(errors) = document.errors.filter(|errors| !errors.is_empty()) {
        return errors
            .into_iter()
            .take(MAX_ERRORS)
            .map(|entry| RegistryCode {
                code: printable(&entry.code.unwrap_or_default(), 64),
                message: printable(&entry.message.unwrap_or_default(), MAX_QUOTED),
            })
            .collect();
    }
    let code = match status.as_u16() {
        401 => "UNAUTHORIZED",
        429 => "TOOMANYREQUESTS",
        _ => "UNKNOWN",
    };
    document
        .details
        .filter(|details| !details.is_empty())
        .map(|details| RegistryCode {
            code: code.to_owned(),
            message: printable(&details, MAX_QUOTED),
        })
        .into_iter()
        .collect()
}

/// The codes of the distribution specification; any other one is shown as "unknown", as skopeo
/// does.
const CODES: &[&str] = &[
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "MANIFEST_UNVERIFIED",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "PAGINATION_NUMBER_INVALID",
    "RANGE_INVALID",
    "SIZE_INVALID",
    "TAG_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNAVAILABLE",
    "UNSUPPORTED",
];

fn spoken(code: &str) -> String {
    if CODES.contains(&code) {
        code.to_ascii_lowercase().replace('_', " ")
    } else {
        "unknown".to_owned()
    }
}

impl fmt::Display for RegistryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&spoken(&self.code))?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = &self.message {
            return f.write_str(message);
        }
        let Some((first, others)) = self.errors.split_first() else {
            let mut excerpt: String = self.body.chars().take(50).collect();
            if excerpt.len() < self.body.len() {
                excerpt.push_str("...");
            }
            return write!(f, "StatusCode: {}, {excerpt:?}", self.status);
        };
        write!(f, "{first}")?;
        others.iter().try_for_each(|other| write!(f, "; {other}"))
    }
}

/// A peer's text made safe for a terminal: cut after `limit` characters, control characters
/// escaped.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == limit {
            out.push_str("...");
            break;
        }
        if character.is_control() {
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Refusal, printable};
    use crate::error::Subject;
    use longshore_types::ErrorKind;
    use reqwest::StatusCode;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::read(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn shown_as_skopeo_does() {
        let long = "x".repeat(60);
        let cases = [
            (
                404,
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"t"}}]}"#,
                "manifest unknown: manifest unknown",
            ),
            (403, r#"{"errors":[{"code":"DENIED"}]}"#, "denied"),
            (400, r#"{"errors":[{"code":"NEW","message":"m"}]}"#, "unknown: m"),
            (
                400,
                r#"{"errors":[{"code":"DENIED","message":"a"},{"code":"UNSUPPORTED","message":"b"}]}"#,
                "denied: a; unsupported: b",
            ),
            (429, r#"{"details":"slow down"}"#, "toomanyrequests: slow down"),
            (401, r#"{"details":"who?"}"#, "unauthorized: who?"),
            (404, "", r#"StatusCode: 404, """#),
            (
                404,
                r#"{"kind":"Status","status":"Failure","message":"imagestreams \"s\" not found\u001b","code":404}"#,
                r#"imagestreams "s" not found\u{1b}"#,
            ),
            (
                404,
                r#"{"status":"","message":"m"}"#,
                r#"StatusCode: 404, "{\"status\":\"\",\"message\":\"m\"}""#,
            ),
            (
                404,
                r#"{"status":404,"message":"m"}"#,
                r#"StatusCode: 404, "{\"status\":404,\"message\":\"m\"}""#,
            ),
            (500, "<html>\n", r#"StatusCode: 500, "<html>\n""#),
            (500, r#"{"errors":[]}"#, r#"StatusCode: 500, "{\"errors\":[]}""#),
            (500, r#"{"errors":7}"#, r#"StatusCode: 500, "{\"errors\":7}""#),
        ];
        for (status, body, expected) in cases {
            assert_eq!(refusal(status, body).to_string(), expected, "{body}");
        }
        let cut = refusal(502, &long).to_string();
        assert_eq!(cut, format!("StatusCode: 502, \"{}...\"", "x".repeat(50)));
    }

    #[test]
    fn classes() {
        let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#;
        let no_name = r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#;
        let harbor = r#"{"errors":[{"code":"NOT_FOUND","message":"artifact x Not Found"}]}"#;
        let ecr = r#"{"errors":[{"code":"UNSUPPORTED","message":"Invalid JSON syntax"}]}"#;
        let cases = [
            (Subject::Manifest, 404, unknown, ErrorKind::ImageNotFound),
            (Subject::Manifest, 404, harbor, ErrorKind::ImageNotFound),
            (Subject::Manifest, 404, "gone", ErrorKind::ImageNotFound),
            (Subject::Manifest, 404, "", ErrorKind::ImageNotFound),
            (Subject::Manifest, 404, no_name, ErrorKind::Other),
            (Subject::Manifest, 500, "", ErrorKind::Other),
            (Subject::Manifest, 401, "", ErrorKind::AccessDenied),
            (Subject::Manifest, 405, "", ErrorKind::Unsupported),
            (Subject::Other, 404, unknown, ErrorKind::Other),
            (Subject::NewManifest, 400, ecr, ErrorKind::ManifestTypeRejected),
            (Subject::NewManifest, 415, "", ErrorKind::ManifestTypeRejected),
            (Subject::NewManifest, 404, "", ErrorKind::Other),
            (Subject::Blob, 404, "", ErrorKind::BlobNotFound),
            (Subject::Blob, 403, "", ErrorKind::AccessDenied),
            (Subject::Other, 507, "", ErrorKind::NoSpace),
        ];
        for (subject, status, body, kind) in cases {
            let got = refusal(status, body).kind(subject);
            assert_eq!(got, kind, "{subject:?} {status} {body}");
        }
    }

    #[test]
    fn hostile_documents_stay_small_and_harmless() {
        let entry = format!(r#"{{"code":"DENIED","message":"{}"}}"#, "y".repeat(5000));
        let many = format!(r#"{{"errors":[{}]}}"#, vec![entry; 100].join(","));
        assert!(refusal(400, &many).to_string().len() < 10_000);

        let colour = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\\u001b[2J\\r\\n\"}]}";
        assert_eq!(refusal(403, colour).to_string(), r"denied: \u{1b}[2J\r\n");
        assert_eq!(printable("a\u{7}b", 9), r"a\u{7}b");
        assert_eq!(printable("abc", 2), "ab...");
    }
}
