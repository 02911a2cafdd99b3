use longshore_guest::Error;
use longshore_types::{Digest, Reference};

/// Fewest digits that may stand for an image ID (CS-02).
const SHORTEST_ID: usize = 3;
const ID_LENGTH: usize = 64;

/// A store and the text that names an image in it (CS-01).
#[derive(Debug, PartialEq)]
pub(crate) struct StorageReference {
    pub(crate) store: StoreSpec,
    pub(crate) image: String,
}

/// What a reference says about the store; the rest is configured.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct StoreSpec {
    pub(crate) driver: Option<String>,
    pub(crate) root: Option<String>,
    pub(crate) run_root: Option<String>,
    pub(crate) options: Vec<String>,
}

impl StorageReference {
    /// Reads `[[DRIVER@]GRAPHROOT[+RUNROOT][:OPTIONS]]IMAGE`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let Some(rest) = text.strip_prefix('[') else {
            return Ok(Self {
                store: StoreSpec::default(),
                image: text.to_owned(),
            });
        };
        let Some((store, image)) = rest.split_once(']') else {
            return Err(Error::invalid_reference(format_args!(
                "store specifier in \"{text}\" did not end: invalid reference"
            )));
        };
        Ok(Self {
            store: StoreSpec::parse(store)?,
            image: image.to_owned(),
        })
    }
}

impl StoreSpec {
    fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || Error::invalid_reference(format_args!("store specifier [{text}]: invalid reference"));
        let (driver, rest) = match text.split_once('@') {
            Some((driver, rest)) => (Some(driver), rest),
            None => (None, text),
        };
        if driver == Some("") || rest.is_empty() {
            return Err(invalid());
        }
        let (roots, options) = match rest.split_once(':') {
            Some((roots, options)) => (roots, options.split(',').map(str::to_owned).collect()),
            None => (rest, Vec::new()),
        };
        let (root, run_root) = match roots.split_once('+') {
            Some((root, run_root)) => (root, Some(run_root)),
            None => (roots, None),
        };
        let given = |path: &str| -> Result<Option<String>, Error> {
            match path {
                "" => Ok(None),
                path if path.starts_with('/') => Ok(Some(path.to_owned())),
                path => Err(Error::invalid_reference(format_args!(
                    "store specifier [{text}]: path name is not absolute: {path}"
                ))),
            }
        };
        Ok(Self {
            driver: driver.map(str::to_owned),
            root: given(root)?,
            run_root: given(run_root.unwrap_or_default())?,
            options,
        })
    }
}

/// What names an image, as far as that can be told without the store (CS-02).
#[derive(Debug, PartialEq)]
pub(crate) struct ImageText {
    /// With a tag, a digest, or both.
    pub(crate) name: Option<Reference>,
    /// The ID behind the `@`, or the beginning of one.
    pub(crate) id: Option<String>,
    /// All of the text, if it could be the beginning of an ID. It is one if there is such an image.
    pub(crate) bare: Option<String>,
}

impl ImageText {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |what: &str| Err(Error::invalid_reference(what));
        let (rest, id) = match text.rsplit_once('@') {
            Some((_, "")) => return invalid(&format!("empty trailing digest or ID in \"{text}\"")),
            Some((_, digest)) if Digest::parse(digest).is_ok() => (text, None),
            Some((rest, id)) if could_be_id(id) => (rest, Some(id.to_owned())),
            Some((_, id)) => return invalid(&format!("\"{id}\" does not look like an image ID or digest")),
            None => (text, None),
        };
        let bare = (id.is_none() && could_be_id(rest)).then(|| rest.to_owned());
        let name = match Reference::parse_normalized(rest) {
            Ok(name) => Some(name.with_default_tag()),
            Err(_) if bare.is_some() || (rest.is_empty() && id.is_some()) => None,
            Err(_) if text.is_empty() => return invalid("\"\" is an empty reference"),
            Err(error) => return invalid(&format!("parsing named reference \"{rest}\": {error}")),
        };
        Ok(Self { name, id, bare })
    }
}

fn could_be_id(text: &str) -> bool {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    digits && (SHORTEST_ID..=ID_LENGTH).contains(&text.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ID: &str = "942921bfe6dbc5f9ff0b1a5c95a3f1d0a4f4f1c5a2b8d6d1e3a4b5c6d7e8f328";

    #[test]
    fn stores() {
        type Row<'a> = (
            &'a str,
            Option<(
                Option<&'a str>,
                Option<&'a str>,
                Option<&'a str>,
                &'a [&'a str],
                &'a str,
            )>,
        );
        let rows: [Row<'_>; 15] = [
            ("busybox", Some((None, None, None, &[], "busybox"))),
            ("[/a]busybox:1", Some((None, Some("/a"), None, &[], "busybox:1"))),
            ("[vfs@/a]x", Some((Some("vfs"), Some("/a"), None, &[], "x"))),
            ("[vfs@/a+/r]x", Some((Some("vfs"), Some("/a"), Some("/r"), &[], "x"))),
            (
                "[/a+/r:o=1,p=/q]x",
                Some((None, Some("/a"), Some("/r"), &["o=1", "p=/q"], "x")),
            ),
            ("[/a:o=b+c]x", Some((None, Some("/a"), None, &["o=b+c"], "x"))),
            ("[vfs@:o]x", Some((Some("vfs"), None, None, &["o"], "x"))),
            ("[/a]", Some((None, Some("/a"), None, &[], ""))),
            ("[/a]x]y", Some((None, Some("/a"), None, &[], "x]y"))),
            ("[]x", None),
            ("[/a", None),
            ("[@/a]x", None),
            ("[vfs@]x", None),
            ("[a]x", None),
            ("[/a+r]x", None),
        ];
        for (text, expected) in rows {
            let expected = expected.map(|(driver, root, run_root, options, image)| StorageReference {
                store: StoreSpec {
                    driver: driver.map(str::to_owned),
                    root: root.map(str::to_owned),
                    run_root: run_root.map(str::to_owned),
                    options: options.iter().map(ToString::to_string).collect(),
                },
                image: image.to_owned(),
            });
            assert_eq!(StorageReference::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn images() {
        let digest = format!("sha256:{ID}");
        let (name_and_id, by_digest) = (format!("a:1@{ID}"), format!("a@{digest}"));
        let (all, only_id, id_of_digest) = (format!("a:1@{digest}@{ID}"), format!("@{ID}"), format!("@{digest}"));
        let (named_digest, tagged_digest) = (
            format!("docker.io/library/a@{digest}"),
            format!("docker.io/library/a:1@{digest}"),
        );
        type Row<'a> = (&'a str, Option<(Option<&'a str>, Option<&'a str>, bool)>);
        let rows: [Row<'_>; 16] = [
            ("busybox", Some((Some("docker.io/library/busybox:latest"), None, false))),
            ("quay.io/a/b:1", Some((Some("quay.io/a/b:1"), None, false))),
            ("abc", Some((Some("docker.io/library/abc:latest"), None, true))),
            ("ab", Some((Some("docker.io/library/ab:latest"), None, false))),
            (ID, Some((None, None, true))),
            (&only_id, Some((None, Some(ID), false))),
            ("@abc", Some((None, Some("abc"), false))),
            (&name_and_id, Some((Some("docker.io/library/a:1"), Some(ID), false))),
            (&by_digest, Some((Some(&named_digest), None, false))),
            (&all, Some((Some(&tagged_digest), Some(ID), false))),
            ("", None),
            ("a@", None),
            ("a@ab", None),
            ("a@xyz", None),
            ("Upper", None),
            (&id_of_digest, None),
        ];
        for (text, expected) in rows {
            let found = ImageText::parse(text).ok().map(|image| {
                (
                    image.name.map(|name| name.to_string()),
                    image.id,
                    image.bare.is_some_and(|bare| bare == text),
                )
            });
            let expected = expected.map(|(name, id, bare)| (name.map(str::to_owned), id.map(str::to_owned), bare));
            assert_eq!(found, expected, "{text}");
        }
    }
}
