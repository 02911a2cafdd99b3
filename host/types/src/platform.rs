//! Platforms, and the order in which an image for one is looked for.

use std::fmt;
use std::str::FromStr;

use crate::ErrorKind;
use crate::json::Object;

/// What an image of a list is made for (image-spec, index; Docker's list adds `features`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// As Go names it: `amd64`, `arm64`.
    pub architecture: String,
    /// As Go names it: `linux`, `windows`.
    pub os: String,
    /// Empty if not given.
    pub os_version: String,
    /// Empty if not given.
    pub os_features: Vec<String>,
    /// Such as `v7`; empty if not given.
    pub variant: String,
    /// Processor features; the image-spec reserves the name. Empty if not given.
    pub features: Vec<String>,
    /// Members that are not known here; they are written again as long as the document keeps its format.
    pub extra: Object,
}

impl Platform {
    /// A platform of which nothing else is said.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
            ..Self::default()
        }
    }

    /// Whether architecture, OS and variant are the same. OS version and features are ignored (PS-02).
    pub fn matches(&self, wanted: &Self) -> bool {
        self.architecture == wanted.architecture && self.os == wanted.os && self.variant == wanted.variant
    }
}

impl fmt::Display for Platform {
    /// `OS/ARCHITECTURE[/VARIANT]`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() {
            Ok(())
        } else {
            write!(formatter, "/{}", self.variant)
        }
    }
}

/// Why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid platform {0:?}, expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT")]
pub struct PlatformError(String);

impl PlatformError {
    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidData
    }
}

/// The platform that an image is wanted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformWish {
    /// As Go names it.
    pub os: String,
    /// As Go names it.
    pub architecture: String,
    /// `None` if any will do, the plain one first.
    pub variant: Option<String>,
}

/// Variants per architecture, the most demanding first; a machine that runs one runs all behind it (PS-02).
const VARIANTS: [(&str, &[&str]); 2] = [("arm", &["v8", "v7", "v6", "v5"]), ("arm64", &["v8"])];

impl PlatformWish {
    /// A wish for exactly this OS and architecture, in any variant.
    pub fn new(os: &str, architecture: &str) -> Self {
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }

    /// The platform this program was compiled for (PS-01).
    ///
    /// On ARM the variant is the one compiled for, which every machine that runs the program has.
    pub fn running() -> Self {
        Self {
            variant: running_variant().map(str::to_owned),
            ..Self::new(go_os(std::env::consts::OS), go_architecture())
        }
    }

    /// The same with what a user asked for. Naming an architecture drops a variant that was not named with it (G-07 to
    /// G-09).
    #[must_use]
    pub fn overridden(self, os: Option<&str>, architecture: Option<&str>, variant: Option<&str>) -> Self {
        let detected = if architecture.is_some() { None } else { self.variant };
        Self {
            os: os.map_or(self.os, str::to_owned),
            architecture: architecture.map_or(self.architecture, str::to_owned),
            variant: variant.map(str::to_owned).or(detected),
        }
    }

    /// The platforms that satisfy the wish, best first (PS-02). Never empty.
    pub fn candidates(&self) -> Vec<Platform> {
        let known = VARIANTS
            .iter()
            .find(|(architecture, _)| *architecture == self.architecture)
            .map_or(&[][..], |(_, variants)| variants);
        let variants: Vec<&str> = match self.variant.as_deref().filter(|variant| !variant.is_empty()) {
            Some(wanted) => match known.iter().position(|variant| *variant == wanted) {
                Some(position) => known[position..].iter().copied().chain([""]).collect(),
                None => vec![wanted, ""],
            },
            None => [""].into_iter().chain(known.iter().copied()).collect(),
        };
        variants
            .into_iter()
            .map(|variant| Platform::new(&self.os, &self.architecture, variant))
            .collect()
    }

    /// The best candidate, which messages name.
    pub(crate) fn first(&self) -> (&str, &str, &str) {
        (
            &self.architecture,
            self.variant.as_deref().unwrap_or_default(),
            &self.os,
        )
    }
}

impl FromStr for PlatformWish {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let clean = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        };
        match parts.as_slice() {
            [os, architecture] if parts.iter().all(clean) => Ok(Self::new(os, architecture)),
            [os, architecture, variant] if parts.iter().all(clean) => Ok(Self {
                variant: Some((*variant).to_owned()),
                ..Self::new(os, architecture)
            }),
            _ => Err(PlatformError(text.chars().take(80).collect())),
        }
    }
}

/// Go's name of an OS that Rust names otherwise.
fn go_os(name: &'static str) -> &'static str {
    match name {
        "macos" => "darwin",
        other => other,
    }
}

/// Go's name of the architecture compiled for. Rust has one name for both byte orders.
fn go_architecture() -> &'static str {
    let little = cfg!(target_endian = "little");
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        "powerpc64" if little => "ppc64le",
        "powerpc64" => "ppc64",
        "mips" if little => "mipsle",
        "mips64" if little => "mips64le",
        "wasm32" => "wasm",
        other => other,
    }
}

fn running_variant() -> Option<&'static str> {
    match std::env::consts::ARCH {
        "aarch64" => Some("v8"),
        "arm" if cfg!(target_feature = "v8") => Some("v8"),
        "arm" if cfg!(target_feature = "v7") => Some("v7"),
        "arm" => Some("v6"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Platform, PlatformWish};

    #[test]
    fn candidates_in_order() {
        let rows: [(&str, &str, &[&str]); 10] = [
            ("amd64", "", &[""]),
            ("amd64", "v2", &["v2", ""]),
            ("arm", "", &["", "v8", "v7", "v6", "v5"]),
            ("arm", "v8", &["v8", "v7", "v6", "v5", ""]),
            ("arm", "v6", &["v6", "v5", ""]),
            ("arm", "v5", &["v5", ""]),
            ("arm", "v9", &["v9", ""]),
            ("arm64", "", &["", "v8"]),
            ("arm64", "v8", &["v8", ""]),
            ("s390x", "", &[""]),
        ];
        for (architecture, variant, expected) in rows {
            let wish = PlatformWish::new("linux", architecture).overridden(None, None, Some(variant));
            let candidates = wish.candidates();
            let variants: Vec<&str> = candidates.iter().map(|platform| platform.variant.as_str()).collect();
            assert_eq!(variants, expected, "{architecture} {variant}");
            assert!(
                candidates
                    .iter()
                    .all(|platform| platform.os == "linux" && platform.architecture == architecture)
            );
        }
    }

    #[test]
    fn naming_an_architecture_drops_a_detected_variant() {
        let running = PlatformWish {
            variant: Some("v7".into()),
            ..PlatformWish::new("linux", "arm")
        };
        let rows = [
            ((None, None, None), ("linux", "arm", "v7")),
            ((Some("windows"), None, None), ("windows", "arm", "v7")),
            ((None, Some("arm"), None), ("linux", "arm", "")),
            ((None, Some("arm64"), Some("v8")), ("linux", "arm64", "v8")),
            ((None, None, Some("v6")), ("linux", "arm", "v6")),
        ];
        for ((os, architecture, variant), expected) in rows {
            let wish = running.clone().overridden(os, architecture, variant);
            let variant = wish.variant.as_deref().unwrap_or_default();
            assert_eq!((wish.os.as_str(), wish.architecture.as_str(), variant), expected);
        }
    }

    #[test]
    fn texts() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64"] {
            assert_eq!(
                text.parse::<PlatformWish>()
                    .map(|wish| wish.candidates()[0].to_string())
                    .as_deref(),
                Ok(text)
            );
        }
        for text in [
            "",
            "linux",
            "/",
            "linux/",
            "/amd64",
            "linux/arm/",
            "linux/arm/v7/x",
            "linux/am d64",
            "linux/\u{e4}",
            "linux/arm/\n",
        ] {
            assert!(text.parse::<PlatformWish>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn matching_ignores_version_and_features() {
        let image = Platform {
            os_version: "10".into(),
            features: vec!["sse4".into()],
            ..Platform::new("windows", "amd64", "")
        };
        assert!(image.matches(&Platform::new("windows", "amd64", "")));
        assert!(!image.matches(&Platform::new("windows", "amd64", "v2")));
        assert!(!image.matches(&Platform::new("linux", "amd64", "")));
    }

    #[test]
    fn the_running_platform_has_names_of_go() {
        let wish = PlatformWish::running();
        assert!(!["x86_64", "aarch64", "x86", ""].contains(&wish.architecture.as_str()));
        assert!(!["macos", ""].contains(&wish.os.as_str()));
    }
}
