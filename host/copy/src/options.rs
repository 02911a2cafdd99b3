use std::num::NonZeroUsize;
use std::sync::Arc;

use longshore_blob::LayerWish;
use longshore_types::{Digest, ImageFormat, Platform, PlatformWish, Reference};

use crate::compression::CompressionOptions;
use crate::signing::Signer;

/// Layers in flight at a time if nobody says otherwise (PI-01).
pub const DEFAULT_PARALLEL: NonZeroUsize = NonZeroUsize::new(6).unwrap();

/// Which images of a list are copied; without effect on a source that is no list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Instances {
    /// The one for [`Options::platform`], without its list.
    #[default]
    System,
    /// Every one, and the list (CP-02).
    All,
    /// Only the list itself (CP-03).
    ListOnly,
    /// Those for these platforms, and the list with all of its entries (CP-04). A platform without a variant means every
    /// variant.
    Platforms(Vec<Platform>),
}

/// How an image is copied.
#[derive(Clone, Debug)]
pub struct Options {
    /// The platform whose instance is taken from a list.
    pub platform: PlatformWish,
    /// Which images of a list are taken.
    pub instances: Instances,
    /// The only manifest type to write (CP-09); none: the source's, or what the destination needs.
    pub format: Option<ImageFormat>,
    /// Leave the source's signatures behind (CP-11).
    pub remove_signatures: bool,
    /// Who signs what is written, the list of several images included (SN-03).
    pub signers: Vec<Arc<dyn Signer>>,
    /// The name that is signed; none: that of the destination (CP-17).
    pub sign_identity: Option<Reference>,
    /// Fail rather than change a byte of the manifest (CP-10).
    pub preserve_digests: bool,
    /// Layers in flight at a time (CP-21).
    pub parallel: NonZeroUsize,
    /// What to do with the compression of layers; none: the destination's wish.
    pub layers: Option<LayerWish>,
    /// How layers are compressed.
    pub compression: CompressionOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            platform: PlatformWish::running(),
            instances: Instances::System,
            format: None,
            remove_signatures: false,
            signers: Vec::new(),
            sign_identity: None,
            preserve_digests: false,
            parallel: DEFAULT_PARALLEL,
            layers: None,
            compression: CompressionOptions::default(),
        }
    }
}

/// What a finished copy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    /// `transport:reference` that was read.
    pub source: String,
    /// `transport:reference` that was written.
    pub destination: String,
    /// Images whose manifests were written; 0 if only a list was.
    pub images: usize,
    /// Digest of the manifest or list as written (`--digestfile`).
    pub manifest_digest: Digest,
    /// Media type of the manifest or list as written.
    pub manifest_type: String,
    /// Blobs whose bytes were moved, the config included.
    pub blobs_copied: usize,
    /// Bytes taken from the source for them.
    pub bytes_copied: u64,
    /// Blobs that needed no transfer.
    pub blobs_reused: usize,
    /// Their bytes, as the source's manifest says.
    pub bytes_reused: u64,
}

impl CopyReport {
    /// Adds what the copy of one image of the same list did.
    pub(crate) fn add(&mut self, one: &Self) {
        self.images += one.images;
        self.blobs_copied += one.blobs_copied;
        self.bytes_copied += one.bytes_copied;
        self.blobs_reused += one.blobs_reused;
        self.bytes_reused += one.bytes_reused;
    }
}
