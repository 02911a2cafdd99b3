use longshore_archive::{Index, ReadAt};
use longshore_guest::{Error, File, code};
use longshore_types::{Reference, json};
use serde::{Deserialize, Serialize};

/// Largest `manifest.json` that is read (DA-05).
const MAX_MANIFEST: u64 = 1 << 20;

/// Where the images are listed.
pub(crate) const MANIFEST: &str = "manifest.json";

/// An image of `manifest.json`. What else is there is of no use to a reader.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Item {
    /// Name of the member with the config.
    pub config: String,
    #[serde(default, deserialize_with = "null_is_empty")]
    /// Names with tags.
    pub repo_tags: Vec<String>,
    /// Names of the members with the layers, base first.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub layers: Vec<String>,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// How an image is picked from `manifest.json`.
#[derive(Debug, PartialEq)]
pub enum Selector {
    /// The only one.
    Only,
    /// The one that has this name, which has a tag.
    Named(Reference),
    /// The one at this position, counted from 0.
    Index(usize),
}

/// An archive to read.
#[derive(Debug)]
pub struct Archive {
    pub(crate) file: File,
    pub(crate) index: Index,
    /// The images, in archive order.
    pub items: Vec<Item>,
}

impl Archive {
    /// Reads what an uncompressed archive holds.
    ///
    /// # Errors
    ///
    /// `invalid-data` if it is malformed, `not-found` if no images are listed.
    pub fn open(file: File) -> Result<Self, Error> {
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
pub(crate) fn choose<'a>(items: &'a [Item], selector: &Selector) -> Result<&'a Item, Error> {
    match selector {
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

    fn chosen(manifest: &str, selector: &Selector) -> Result<String, String> {
        let items: Vec<Item> = json::from_slice(manifest.as_bytes()).unwrap();
        choose(&items, selector)
            .map(|item| item.config.clone())
            .map_err(|error| error.message)
    }

    #[test]
    fn the_image_that_is_meant() {
        let named = |name| Selector::Named(Reference::parse_normalized(name).unwrap().with_default_tag());
        let two = r#"[{"Config":"a","RepoTags":["x:1","docker.io/library/y:2"],"Layers":[]},
                      {"Config":"b","RepoTags":null,"Layers":null}]"#;
        let one = r#"[{"Config":"a"}]"#;
        let bad = r#"[{"Config":"a","RepoTags":["X"]}]"#;
        for (manifest, selector, expected) in [
            (two, named("x:1"), Ok("a")),
            (two, named("docker.io/library/x:1"), Ok("a")),
            (two, named("y:2"), Ok("a")),
            (two, Selector::Index(0), Ok("a")),
            (two, Selector::Index(1), Ok("b")),
            (one, Selector::Only, Ok("a")),
            (
                two,
                Selector::Only,
                Err("Unexpected tar manifest.json: expected 1 item, got 2"),
            ),
            (
                "[]",
                Selector::Only,
                Err("Unexpected tar manifest.json: expected 1 item, got 0"),
            ),
            (
                two,
                Selector::Index(2),
                Err("Invalid source index @2, only 2 manifest items available"),
            ),
            (two, named("x"), Err("Tag \"docker.io/library/x:latest\" not found")),
            (bad, named("x"), Err("Invalid tag \"X\" in manifest.json: ")),
        ] {
            match (chosen(manifest, &selector), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{selector:?}"),
                (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{found}"),
                (found, _) => panic!("{selector:?} in {manifest}: {found:?}"),
            }
        }
    }
}
