//! References into an OCI layout or its archive: `PATH[:IMAGE]` or `PATH:@INDEX` (formats 2.2).

use std::fmt;

use crate::ErrorKind;

/// A layout's path and the image in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LayoutReference {
    /// The directory or file; without a colon but for a drive letter's. May be empty.
    pub path: String,
    /// Which image.
    pub selector: Selector,
}

/// How an image is picked from `index.json`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The only one.
    Only,
    /// The one whose annotation `org.opencontainers.image.ref.name` is this; never empty.
    Named(String),
    /// The one at this position, counted from 0; for sources only.
    Index(usize),
}

/// Why a text is not a layout reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutReferenceError {
    /// The image's name does not follow its grammar.
    #[error("Invalid image {0}")]
    Image(String),
    /// What follows `@` is not a position.
    #[error("invalid source index @{0}, expected a number from 0 upwards")]
    Index(String),
}

impl LayoutReferenceError {
    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidReference
    }
}

impl LayoutReference {
    /// Splits a text at its first colon and checks what follows. With `drive_letters`, for hosts that have them, the
    /// colon of `C:` is part of the path.
    pub fn parse(text: &str, drive_letters: bool) -> Result<Self, LayoutReferenceError> {
        let drive = if drive_letters && starts_with_drive(text) { 2 } else { 0 };
        let Some(colon) = text[drive..].find(':').map(|position| drive + position) else {
            return Ok(Self {
                path: text.to_owned(),
                selector: Selector::Only,
            });
        };
        Ok(Self {
            path: text[..colon].to_owned(),
            selector: Selector::parse(&text[colon + 1..])?,
        })
    }
}

impl Selector {
    /// Reads what follows the path's colon; nothing there picks the only image.
    pub fn parse(text: &str) -> Result<Self, LayoutReferenceError> {
        if text.is_empty() {
            return Ok(Self::Only);
        }
        if let Some(index) = text.strip_prefix('@') {
            let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
            let position = index.parse().ok().filter(|_| digits);
            return position
                .map(Self::Index)
                .ok_or_else(|| LayoutReferenceError::Index(index.to_owned()));
        }
        if is_image_name(text) {
            Ok(Self::Named(text.to_owned()))
        } else {
            Err(LayoutReferenceError::Image(text.to_owned()))
        }
    }
}

fn starts_with_drive(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic())
}

/// Components joined by `/`, each of alphanumeric runs joined by one of `-._:@+` or by `--`.
fn is_image_name(text: &str) -> bool {
    text.split('/').all(|component| {
        let bytes = component.as_bytes();
        let ends_well =
            bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.last().is_some_and(u8::is_ascii_alphanumeric);
        ends_well
            && component
                .split(|character: char| character.is_ascii_alphanumeric())
                .all(|separator| matches!(separator, "" | "-" | "." | "_" | ":" | "@" | "+" | "--"))
    })
}

impl fmt::Display for LayoutReference {
    /// `PATH:IMAGE`; the colon is there even without an image, as in skopeo's messages.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Selector::Only => write!(formatter, "{}:", self.path),
            Selector::Named(image) => write!(formatter, "{}:{image}", self.path),
            Selector::Index(index) => write!(formatter, "{}:@{index}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{LayoutReference, LayoutReferenceError, Selector};

    fn parse(text: &str) -> Result<LayoutReference, LayoutReferenceError> {
        LayoutReference::parse(text, false)
    }

    #[test]
    fn paths_and_images() {
        let named = |image: &str| Selector::Named(image.to_owned());
        let digest = format!("docker.io/library/busybox@sha256:{}", "0".repeat(64));
        let rows = [
            ("/a/b", "/a/b", Selector::Only),
            ("/a/b:", "/a/b", Selector::Only),
            ("a:latest", "a", named("latest")),
            (
                "a:docker.io/library/busybox:1.36",
                "a",
                named("docker.io/library/busybox:1.36"),
            ),
            ("a:x--y-z.w_v+u", "a", named("x--y-z.w_v+u")),
            ("a:@0", "a", Selector::Index(0)),
            ("a:@17", "a", Selector::Index(17)),
            ("", "", Selector::Only),
            ("C:\\x", "C", named("")),
        ];
        for (text, path, selector) in rows {
            if text == "C:\\x" {
                assert_eq!(parse(text), Err(LayoutReferenceError::Image("\\x".into())));
                assert_eq!(LayoutReference::parse(text, true).unwrap().path, text);
                assert_eq!(LayoutReference::parse("C:\\x:y", true).unwrap().selector, named("y"));
                continue;
            }
            assert_eq!(
                parse(text).unwrap(),
                LayoutReference {
                    path: path.into(),
                    selector
                }
            );
        }
        assert_eq!(parse(&format!("a:{digest}")).unwrap().selector, named(&digest));
    }

    #[test]
    fn hostile_images() {
        for image in [
            "/", "a/", "/a", "a//b", "-a", "a-", "a---b", "a..b", "a b", "a\n", "ä", "a:", ":a", "a@@b", "a~b", "../x",
        ] {
            assert_eq!(
                parse(&format!("p:{image}")),
                Err(LayoutReferenceError::Image(image.into()))
            );
        }
        for index in ["", "-1", "+1", "1x", "0x1", " 1", "99999999999999999999999", "١"] {
            assert_eq!(
                parse(&format!("p:@{index}")),
                Err(LayoutReferenceError::Index(index.into()))
            );
        }
    }

    #[test]
    fn the_text_form_always_has_the_colon() {
        for (text, expected) in [("p", "p:"), ("p:", "p:"), ("p:x", "p:x"), ("p:@3", "p:@3")] {
            assert_eq!(parse(text).unwrap().to_string(), expected);
        }
    }
}
