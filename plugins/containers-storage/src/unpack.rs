//! A layer's archive, unpacked into a staged tree while it passes, and recorded so that it can be put together again.

mod place;

use std::collections::BTreeSet;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use longshore_guest::posix::Tree;
use longshore_guest::{Error, Reader, decompress, observe};
use longshore_layer::{Data, Replay};
use longshore_tar_split::Recorder;
use longshore_types::Digest;

use place::Place;

use crate::records::LayerRecord;
use crate::store::Store;

/// Largest compressed record of a layer.
const MAX_RECORD: u64 = 256 << 20;

/// A layer that was unpacked and that nobody sees yet.
pub(crate) struct Unpacked {
    /// Its files.
    pub(crate) tree: Tree,
    /// The compressed tar-split record.
    pub(crate) record: Vec<u8>,
    /// Digest and size of the archive without compression.
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// How it was compressed, by the numbers of `layers.json`.
    pub(crate) compression: u8,
    pub(crate) users: BTreeSet<u32>,
    pub(crate) groups: BTreeSet<u32>,
}

/// Unpacks an archive into an empty tree of `parent`.
///
/// # Errors
///
/// `invalid-data` for what is no archive, or one that leads outside of itself.
pub(crate) fn unpack(parent: &Tree, data: Reader) -> Result<Unpacked, Error> {
    let tree = parent.stage()?;
    let (plain, kind) = decompress(data)?;
    let (plain, tally) = observe(plain, &["sha256".to_owned()])?;
    let mut recorder = Recorder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let (users, groups) = fill(&tree, &plain, &mut recorder)?;
    let total = tally.total()?;
    let digest = total.checksums.into_iter().find(|(name, _)| name == "sha256");
    let digest = Digest::parse(&format!("sha256:{}", digest.unwrap_or_default().1)).map_err(Error::invalid_data)?;
    Ok(Unpacked {
        record: recorder.finish().finish().map_err(Error::invalid_data)?,
        tree,
        digest,
        size: total.size,
        compression: match kind.as_str() {
            "bzip2" => 1,
            "gzip" => 2,
            "xz" => 3,
            "zstd" => 4,
            _ => 0,
        },
        users,
        groups,
    })
}

/// Unpacks a layer of the store once more.
///
/// # Errors
///
/// `invalid-data` if the layer is not what its record says.
pub(crate) fn again(parent: &Tree, store: &Store, layer: &LayerRecord) -> Result<Unpacked, Error> {
    let failed = |error: Error| Error {
        message: format!("layer \"{}\": {}", layer.id, error.message),
        ..error
    };
    let record = store.tar_split(&layer.id)?;
    let record = record.ok_or_else(|| failed(Error::invalid_data("it has no tar-split record")))?;
    let (plain, _) = decompress(record.reader(0, None)?)?;
    let files = store.directory.subdirectory(store.driver.files(&layer.id).as_bytes())?;
    let tree = parent.stage()?;
    // What is recorded once more is what is there.
    let mut recorder = Recorder::new(io::sink());
    let (users, groups) = fill(&tree, &Replay::new(&plain, files), &mut recorder).map_err(failed)?;
    Ok(Unpacked {
        record: record.whole(MAX_RECORD)?,
        tree,
        digest: Digest::parse(&layer.diff_digest).map_err(Error::invalid_data)?,
        size: layer
            .diff_size
            .and_then(|size| u64::try_from(size).ok())
            .unwrap_or_default(),
        compression: layer.compression,
        users,
        groups,
    })
}

/// Fills an empty tree, and answers with the owners of what is in it.
fn fill<W: Write>(
    tree: &Tree,
    data: &dyn Data,
    recorder: &mut Recorder<W>,
) -> Result<(BTreeSet<u32>, BTreeSet<u32>), Error> {
    let mut place = Place::new(tree);
    longshore_layer::unpack(data, &mut place, recorder)?;
    place.finish()
}
