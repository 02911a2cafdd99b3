//! A layer's archive, unpacked into a staged tree while it passes, and recorded so that it can be put together again.

mod archive;
mod place;
mod replay;

use std::collections::BTreeSet;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use longshore_guest::posix::Tree;
use longshore_guest::{Error, File, Reader, decompress, observe};
use longshore_tar_split::Recorder;
use longshore_types::Digest;
use tar::Archive;

use archive::{Data, Passing};
use place::Place;
use replay::Replay;

use crate::records::LayerRecord;
use crate::store::Store;

/// Most that one `read-at` call answers with.
const MAX_READ: u32 = 1 << 20;

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
        record: recorder.finish().finish().map_err(not_tar)?,
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
        record: whole(&record)?,
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

fn whole(file: &File) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        match file.read_at(bytes.len() as u64, MAX_READ)? {
            piece if piece.is_empty() => return Ok(bytes),
            piece => bytes.extend(piece),
        }
    }
}

/// Fills an empty tree, and answers with the owners of what is in it.
fn fill<W: Write>(
    tree: &Tree,
    data: &dyn Data,
    recorder: &mut Recorder<W>,
) -> Result<(BTreeSet<u32>, BTreeSet<u32>), Error> {
    let passing = Passing::new(data);
    let mut place = Place::new(tree);
    let mut archive = Archive::new(&passing);
    for entry in archive.entries().map_err(not_tar)? {
        let mut entry = entry.map_err(not_tar)?;
        let member = archive::member(&mut entry)?;
        recorder.segment(&passing.take()).map_err(not_tar)?;
        let checksum = place.put(&member, &passing)?;
        let contents = checksum.map(|checksum| (member.size, checksum));
        recorder.file(&member.recorded_name, contents).map_err(not_tar)?;
    }
    recorder.segment(&passing.take()).map_err(not_tar)?;
    while let Some(rest) = passing.rest()? {
        recorder.segment(&rest).map_err(not_tar)?;
    }
    place.finish()
}

fn not_tar(error: io::Error) -> Error {
    Error::invalid_data(format_args!("not a readable tar archive: {error}"))
}
