use longshore_archive::{Index, ReadAt};
use longshore_guest::{Error, File, Session, code};
use longshore_types::{Reference, json};
use serde::{Deserialize, Serialize};

use crate::ARCHIVE;
use crate::reference::{ArchiveReference, Selector};

/// Largest `manifest.json` that is read (DA-05).
const MAX_MANIFEST: u64 = 1 << 20;

/// Where the images are listed.
pub(crate) const MANIFEST: &str = "manifest.json";

/// An image of `manifest.json`. What else is there is of no use to a reader.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Item {
    /// Name of the member with the config.
    pub(crate) config: String,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) repo_tags: Vec<String>,
    /// Names of the members with the layers, base first.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) layers: Vec<String>,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An archive to read.
pub(crate) struct Archive {
    pub(crate) file: File,
    pub(crate) index: Index,
    pub(crate) items: Vec<Item>,
}

impl Archive {
    pub(crate) fn open(session: &Session) -> Result<Self, Error> {
        let file = session.file(ARCHIVE)?;
        let index = Index::read(&file)?;
        let items = items(&index, &file)?;
        Ok(Self { file, index, items })
    }
}

fn items(index: &Index, file: &impl ReadAt) -> Result<Vec<Item>, Error> {
    let Some(member) = index.find(MANIFEST)? else {
        return Err(Error::new(
            code::NOT_FOUND,
            format_args!("file \"{MANIFEST}\" not found in tar"),
        ));
    };
    let bytes = member.read(file, MANIFEST, MAX_MANIFEST)?;
    let items: Option<Vec<Item>> = json::from_slice(&bytes)
        .map_err(|error| Error::invalid_data(format_args!("decoding tar {MANIFEST}: {error}")))?;
    Ok(items.unwrap_or_default())
}

/// The image that a reference means (DA-03).
pub(crate) fn choose<'a>(items: &'a [Item], reference: &ArchiveReference) -> Result<&'a Item, Error> {
    match &reference.selector {
        Selector::Only => match items {
            [item] => Ok(item),
            _ => Err(Error::invalid_data(format_args!(
                "Unexpected tar {MANIFEST}: expected 1 item, got {}",
                items.len()
            ))),
        },
        Selector::Index(index) => items.get(*index).ok_or_else(|| {
            Error::new(
                code::NOT_FOUND,
                format_args!(
                    "Invalid source index @{index}, only {} manifest items available",
                    items.len()
                ),
            )
        }),
        Selector::Named(name) => {
            for item in items {
                for tag in &item.repo_tags {
                    let parsed = Reference::parse_normalized(tag).map_err(|error| {
                        Error::invalid_data(format_args!("Invalid tag {tag:?} in {MANIFEST}: {error}"))
                    })?;
                    if parsed == *name {
                        return Ok(item);
                    }
                }
            }
            Err(Error::new(code::NOT_FOUND, format_args!("Tag \"{name}\" not found")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn chosen(manifest: &str, reference: &str) -> Result<String, String> {
        let items: Vec<Item> = json::from_slice(manifest.as_bytes()).unwrap();
        choose(&items, &ArchiveReference::parse(reference).unwrap())
            .map(|item| item.config.clone())
            .map_err(|error| error.message)
    }

    #[test]
    fn the_image_that_is_meant() {
        let two = r#"[{"Config":"a","RepoTags":["x:1","docker.io/library/y:2"],"Layers":[]},
                      {"Config":"b","RepoTags":null,"Layers":null}]"#;
        let one = r#"[{"Config":"a"}]"#;
        let bad = r#"[{"Config":"a","RepoTags":["X"]}]"#;
        for (manifest, reference, expected) in [
            (two, "f:x:1", Ok("a")),
            (two, "f:docker.io/library/x:1", Ok("a")),
            (two, "f:y:2", Ok("a")),
            (two, "f:@0", Ok("a")),
            (two, "f:@1", Ok("b")),
            (one, "f", Ok("a")),
            (two, "f", Err("Unexpected tar manifest.json: expected 1 item, got 2")),
            ("[]", "f", Err("Unexpected tar manifest.json: expected 1 item, got 0")),
            (
                two,
                "f:@2",
                Err("Invalid source index @2, only 2 manifest items available"),
            ),
            (two, "f:x", Err("Tag \"docker.io/library/x:latest\" not found")),
            (bad, "f:x", Err("Invalid tag \"X\" in manifest.json: ")),
        ] {
            match (chosen(manifest, reference), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{reference}"),
                (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{found}"),
                (found, _) => panic!("{reference} in {manifest}: {found:?}"),
            }
        }
    }
}
