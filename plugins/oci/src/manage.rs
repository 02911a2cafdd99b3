use std::collections::BTreeSet;

use longshore_guest::{Context as _, Error, Manage, Session, code};
use longshore_layout::{INDEX_FILE, Index};
use longshore_types::{Digest, Parsed, RawManifest, media_type};

use crate::layout::Layout;

/// Deepest nesting of indexes that is followed; the field knows of two.
const MAX_DEPTH: usize = 8;
/// Most blobs that a layout's index may lead to before the walk gives up.
const MAX_BLOBS: usize = 1_000_000;

/// Deleting and listing.
pub(crate) struct OciManage;

impl Manage for OciManage {
    /// DL-07: the index entry goes, and every blob that no other entry leads to.
    /// The entry goes first: after a crash there are blobs too many, never an
    /// image that lacks one.
    fn delete(session: Session) -> Result<(), Error> {
        let reference = longshore_layout::reference(&session.reference())?;
        let layout = Layout::open_to_remove(&session)?;
        let Some(mut index) = layout.index()? else {
            return Err(Error::new(
                code::NOT_FOUND,
                format_args!("{}: no index.json: not an OCI layout", reference.path),
            ));
        };
        let (position, entry) = index.select(&reference)?;
        if ![media_type::OCI_MANIFEST, media_type::OCI_INDEX].contains(&entry.media_type.as_str()) {
            return Err(Error::unsupported(format_args!(
                "deleting an image of type {:?} is not supported",
                entry.media_type
            )));
        }
        index.remove(position);
        let unneeded = if layout.blobs_are_shared() {
            Vec::new()
        } else {
            let mut removed = Reached::default();
            count(&layout, &entry.digest, &entry.media_type, 0, &mut removed)?;
            let kept = used(&layout, &index)?;
            removed.blobs.difference(&kept).cloned().collect()
        };
        let mut content = index.to_bytes()?;
        content.push(b'\n');
        layout.directory.replace(INDEX_FILE.as_bytes(), &content)?;
        for digest in unneeded {
            let digest = longshore_layout::digest(&digest)?;
            let (directory, path) = layout.blob(&digest);
            directory.remove(&path).optional()?;
        }
        Ok(())
    }

    fn images(session: Session) -> Result<Vec<String>, Error> {
        let layout = Layout::open_to_read(&session)?;
        let Some(index) = layout.index()? else {
            return Err(Error::new(code::NOT_FOUND, "no index.json: not an OCI layout"));
        };
        index.names()
    }
}

/// Digests of all blobs that the entries of an index lead to.
fn used(layout: &Layout, index: &Index) -> Result<BTreeSet<String>, Error> {
    let mut reached = Reached::default();
    for entry in index.entries()? {
        count(layout, &entry.digest, &entry.media_type, 0, &mut reached)?;
    }
    Ok(reached.blobs)
}

/// Where a walk through a layout has been.
#[derive(Default)]
struct Reached {
    /// Digests of everything that is led to.
    blobs: BTreeSet<String>,
    /// Those that were walked as manifests. One that an image lists as its layer is not: its own layers count as soon as
    /// something names it as a manifest.
    manifests: BTreeSet<String>,
}

/// Adds a manifest, its config and layers, or an index and all it leads to.
fn count(
    layout: &Layout,
    digest: &Digest,
    declared_type: &str,
    depth: usize,
    reached: &mut Reached,
) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::invalid_data(format_args!(
            "{digest}: indexes are nested more than {MAX_DEPTH} deep"
        )));
    }
    if reached.blobs.len() > MAX_BLOBS {
        return Err(Error::invalid_data(format_args!(
            "the index leads to more than {MAX_BLOBS} blobs"
        )));
    }
    reached.blobs.insert(digest.to_string());
    if !reached.manifests.insert(digest.to_string()) {
        return Ok(());
    }
    let malformed = |error: &dyn std::fmt::Display| Error::invalid_data(format_args!("{digest}: {error}"));
    // What is not there needs nothing; a pull of some platforms leaves such gaps.
    let Some(bytes) = layout.document(digest).map(Some).or_else(|error| {
        if error.code == code::BLOB_NOT_FOUND {
            Ok(None)
        } else {
            Err(error)
        }
    })?
    else {
        return Ok(());
    };
    let declared = Some(declared_type).filter(|name| !name.is_empty());
    let manifest = RawManifest::new(bytes, declared).map_err(|error| malformed(&error))?;
    match manifest.parse().map_err(|error| malformed(&error))? {
        Parsed::Image(image) => {
            reached.blobs.insert(image.config.digest.to_string());
            for layer in &image.layers {
                reached.blobs.insert(layer.digest.to_string());
            }
        }
        Parsed::List(list) => {
            for descriptor in &list.manifests {
                count(layout, &descriptor.digest, &descriptor.media_type, depth + 1, reached)?;
            }
        }
    }
    Ok(())
}
