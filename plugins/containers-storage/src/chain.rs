//! The layers of an image.

use std::collections::HashMap;

use longshore_guest::Error;
use longshore_types::Digest;

use crate::lookup::Found;
use crate::records::LayerRecord;
use crate::store::Stores;

/// A layer of an image.
#[derive(Debug)]
pub(crate) struct Layer {
    /// Position of its store.
    pub(crate) store: usize,
    pub(crate) id: String,
    /// Digest and size of its archive without compression.
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl Stores {
    /// All layers of an image, the topmost first.
    pub(crate) fn layers_of(&self, found: &Found) -> Result<Vec<Layer>, Error> {
        let mut known: HashMap<String, (usize, LayerRecord)> = HashMap::new();
        for (index, store) in self.all.iter().enumerate() {
            let _lock = store.lock_to_read("layers")?;
            for layer in store.layers()?.iter().filter(|layer| !layer.is_incomplete()) {
                known.entry(layer.id.clone()).or_insert_with(|| (index, layer.clone()));
            }
        }
        walk(&mut known, &found.image.layer)
            .map_err(|(code, message)| Error::new(code, format_args!("image \"{}\": {message}", found.image.id)))
    }
}

type Failure = (&'static str, String);

/// Follows the parents. Each layer is taken once, so that a circle ends.
fn walk(known: &mut HashMap<String, (usize, LayerRecord)>, top: &str) -> Result<Vec<Layer>, Failure> {
    use longshore_guest::code::{BLOB_NOT_FOUND, INVALID_DATA};
    let mut layers: Vec<Layer> = Vec::new();
    let mut next = top.to_owned();
    while !next.is_empty() {
        let Some((store, record)) = known.remove(&next) else {
            let what = if layers.iter().any(|layer| layer.id == next) {
                (INVALID_DATA, format!("layer \"{next}\" is its own parent"))
            } else {
                (BLOB_NOT_FOUND, format!("layer \"{next}\" is not known"))
            };
            return Err(what);
        };
        let unknown = |what: &str| {
            (
                INVALID_DATA,
                format!("uncompressed {what} for layer \"{next}\" is unknown"),
            )
        };
        if record.diff_digest.is_empty() {
            return Err(unknown("digest"));
        }
        let digest = Digest::parse(&record.diff_digest).map_err(|error| {
            (
                INVALID_DATA,
                format!("uncompressed digest for layer \"{next}\": {error}"),
            )
        })?;
        let size = match record.diff_size {
            Some(size) => u64::try_from(size).ok(),
            // What is 0 is not written.
            None => (digest == Digest::sha256(b"")).then_some(0),
        };
        let size = size.ok_or_else(|| unknown("size"))?;
        layers.push(Layer {
            store,
            id: std::mem::replace(&mut next, record.parent),
            digest,
            size,
        });
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(id: &str, parent: &str, digest: &str, size: Option<i64>) -> (String, (usize, LayerRecord)) {
        let record = LayerRecord {
            id: id.to_owned(),
            parent: parent.to_owned(),
            diff_digest: digest.to_owned(),
            diff_size: size,
            ..LayerRecord::default()
        };
        (id.to_owned(), (0, record))
    }

    #[test]
    fn chains() {
        let some = format!("sha256:{}", "a".repeat(64));
        let empty = Digest::sha256(b"").to_string();
        let all = [
            layer("base", "", &some, Some(1)),
            layer("next", "base", &empty, None),
            layer("orphan", "gone", &some, Some(1)),
            layer("loop", "pool", &some, Some(1)),
            layer("pool", "loop", &some, Some(1)),
            layer("nameless", "", "", Some(1)),
            layer("false", "", "sha256:x", Some(1)),
            layer("sizeless", "", &some, None),
            layer("negative", "", &some, Some(-1)),
        ];
        for (top, expected) in [
            ("", Ok(&[][..])),
            ("base", Ok(&["base"])),
            ("next", Ok(&["next", "base"])),
            ("orphan", Err("layer \"gone\" is not known")),
            ("loop", Err("layer \"loop\" is its own parent")),
            ("nameless", Err("uncompressed digest for layer \"nameless\" is unknown")),
            ("false", Err("uncompressed digest for layer \"false\": ")),
            ("sizeless", Err("uncompressed size for layer \"sizeless\" is unknown")),
            ("negative", Err("uncompressed size for layer \"negative\" is unknown")),
        ] {
            match (walk(&mut all.clone().into(), top), expected) {
                (Ok(layers), Ok(ids)) => {
                    assert_eq!(layers.iter().map(|layer| layer.id.as_str()).collect::<Vec<_>>(), ids);
                }
                (Err((_, message)), Err(fragment)) => assert!(message.starts_with(fragment), "{message}"),
                (found, _) => panic!("{top}: {found:?}"),
            }
        }
    }
}
