//! Image names as users type them: `TRANSPORT:REFERENCE`.

use std::fmt;

use crate::ErrorKind;

/// A transport and the text that it alone understands (T-01).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageName {
    /// The name before the first colon.
    pub transport: String,
    /// Everything behind it; may be empty and may hold colons.
    pub reference: String,
}

/// Why a text is not an image name. The words are those of skopeo, which scripts match on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageNameError {
    /// There is no colon.
    #[error("Invalid image name \"{0}\", expected colon-separated transport:reference")]
    NoTransport(String),
    /// The part before the first colon is none of the known transports.
    #[error("Invalid image name \"{name}\", unknown transport \"{transport}\"")]
    UnknownTransport {
        /// The whole text.
        name: String,
        /// The part before the first colon.
        transport: String,
    },
}

impl ImageNameError {
    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidReference
    }
}

impl ImageName {
    /// Splits a text at its first colon. `transports` are the names that are known, compared exactly.
    pub fn parse<I>(text: &str, transports: I) -> Result<Self, ImageNameError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let (transport, reference) = text
            .split_once(':')
            .ok_or_else(|| ImageNameError::NoTransport(text.to_owned()))?;
        if !transports.into_iter().any(|known| known.as_ref() == transport) {
            return Err(ImageNameError::UnknownTransport {
                name: text.to_owned(),
                transport: transport.to_owned(),
            });
        }
        Ok(Self {
            transport: transport.to_owned(),
            reference: reference.to_owned(),
        })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.transport, self.reference)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::ImageName;

    const KNOWN: [&str; 4] = ["dir", "docker", "oci", "oci-archive"];

    #[test]
    fn the_first_colon_splits() {
        let rows = [
            ("dir:/a/b", "dir", "/a/b"),
            ("docker://a:b@c", "docker", "//a:b@c"),
            ("oci:", "oci", ""),
            ("oci-archive:a:b:c", "oci-archive", "a:b:c"),
        ];
        for (text, transport, reference) in rows {
            let name = ImageName::parse(text, KNOWN).unwrap();
            assert_eq!(
                (name.transport.as_str(), name.reference.as_str()),
                (transport, reference)
            );
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn messages_are_those_of_skopeo() {
        let rows = [
            (
                "busybox",
                "Invalid image name \"busybox\", expected colon-separated transport:reference",
            ),
            (
                "",
                "Invalid image name \"\", expected colon-separated transport:reference",
            ),
            (":x", "Invalid image name \":x\", unknown transport \"\""),
            (
                "Docker://x",
                "Invalid image name \"Docker://x\", unknown transport \"Docker\"",
            ),
            (" oci:x", "Invalid image name \" oci:x\", unknown transport \" oci\""),
            ("ocı:x", "Invalid image name \"ocı:x\", unknown transport \"ocı\""),
        ];
        for (text, message) in rows {
            assert_eq!(ImageName::parse(text, KNOWN).unwrap_err().to_string(), message);
        }
    }
}
