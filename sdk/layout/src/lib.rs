//! OCI image layouts (image-spec, image-layout.md) for plugins, with the conventions of containers/image (OC-*),
//! wherever their files lie: in a folder or in an archive.

mod files;
mod index;

pub use files::{
    BLOBS_DIRECTORY, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, MAX_DOCUMENT, MAX_LAYOUT_FILE, blob_path, check_version,
    digest, reference,
};
pub use index::{Entry, Index};
