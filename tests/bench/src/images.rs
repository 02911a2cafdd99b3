//! The images: OCI layouts whose layers are tar files of this machine's own programs and
//! libraries, made once and kept below the work folder.
//!
//! A process of its own makes them: the peak memory of a child counts what its parent held when it
//! was started, so the process that measures stays small.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What an image is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Its name, in the layout's folder name and in the registry.
    pub(crate) name: &'static str,
    layers: usize,
    /// The size at which a layer's gzip stream is closed.
    layer_size: u64,
    /// Larger files are left out, so that the layers come out even.
    largest_file: u64,
}

/// 220 MB in 8 layers.
pub(crate) const EIGHT: Shape = Shape {
    name: "eight",
    layers: 8,
    layer_size: 27_500_000,
    largest_file: 8_000_000,
};

/// 60 layers of 1 MB.
pub(crate) const SIXTY: Shape = Shape {
    name: "sixty",
    layers: 60,
    layer_size: 1_000_000,
    largest_file: 200_000,
};

/// 1.5 GB in 4 layers.
pub(crate) const HUGE: Shape = Shape {
    name: "huge",
    layers: 4,
    layer_size: 375_000_000,
    largest_file: 64_000_000,
};

const ALL: [Shape; 3] = [EIGHT, SIXTY, HUGE];

/// Where files are taken from.
const SOURCES: [&str; 3] = ["/usr/lib", "/usr/bin", "/usr/share"];

/// Makes those of the images that are missing below a folder, in another process.
pub(crate) fn prepare(folder: &Path, shapes: &[Shape]) -> Result<()> {
    let program = std::env::current_exe().context("this program has no path")?;
    let names = shapes.iter().map(|shape| shape.name);
    let mut maker = Command::new(program);
    let status = maker.arg(crate::MAKE_IMAGES).arg(folder).args(names).status();
    let status = status.context("cannot start the process that makes the images")?;
    ensure!(status.success(), "the images cannot be made: {status}");
    Ok(())
}

/// Makes those of the named images that are missing below a folder, in this process.
pub(crate) fn make_missing(folder: &Path, names: &[String]) -> Result<()> {
    for shape in ALL.iter().filter(|shape| names.iter().any(|name| name == shape.name)) {
        let layout = shape.layout(folder);
        if !layout.join("index.json").is_file() {
            crate::report::line(&format!("making the image `{}` ...", shape.name));
            shape
                .make(&layout)
                .with_context(|| format!("cannot make {}", layout.display()))?;
        }
    }
    Ok(())
}

impl Shape {
    /// The image's layout below a folder.
    pub(crate) fn layout(&self, folder: &Path) -> PathBuf {
        folder.join(self.name)
    }

    fn make(&self, layout: &Path) -> Result<()> {
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        let mut files = Vec::new();
        for source in SOURCES {
            collect(Path::new(source), self.largest_file, &mut files)?;
        }
        files.sort();
        ensure!(!files.is_empty(), "this machine has no files below {SOURCES:?}");
        let mut next = files.iter().cycle();
        let mut layers = Vec::new();
        let mut diff_ids = Vec::new();
        for _ in 0..self.layers {
            let (descriptor, diff_id) = self.layer(&blobs, &mut next)?;
            layers.push(descriptor);
            diff_ids.push(diff_id);
        }
        let config = json!({
            "architecture": longshore_tests::running_architecture(),
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = document(&blobs, "application/vnd.oci.image.config.v1+json", &config)?;
        let manifest_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": layers,
        });
        let mut entry = document(&blobs, manifest_type, &manifest)?;
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "x" });
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        });
        fs::write(layout.join("index.json"), index.to_string())?;
        Ok(())
    }

    /// Writes one layer and returns its descriptor and the digest of its tar.
    fn layer<'a>(&self, blobs: &Path, files: &mut impl Iterator<Item = &'a PathBuf>) -> Result<(Value, String)> {
        let unfinished = blobs.join("unfinished");
        let file = Hashing::new(BufWriter::new(File::create(&unfinished)?));
        let packed = GzEncoder::new(file, flate2::Compression::new(6));
        let mut archive = tar::Builder::new(Hashing::new(packed));
        while archive.get_ref().inner.get_ref().length < self.layer_size {
            let path = files.next().context("no file is left")?;
            // A file may be unreadable or gone since it was listed; any other one does as well.
            let Ok(mut file) = File::open(path) else { continue };
            archive.append_file(path.strip_prefix("/")?, &mut file)?;
        }
        let (packed, diff_id, _) = archive.into_inner()?.finish();
        let (mut file, digest, size) = packed.finish()?.finish();
        file.flush()?;
        fs::rename(&unfinished, blobs.join(&digest))?;
        let descriptor = json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": format!("sha256:{digest}"),
            "size": size,
        });
        Ok((descriptor, format!("sha256:{diff_id}")))
    }
}

/// Writes a JSON document as a blob and returns its descriptor.
fn document(blobs: &Path, media_type: &str, json: &Value) -> Result<Value> {
    let bytes = json.to_string();
    let digest = longshore_tests::sha256(bytes.as_bytes());
    fs::write(blobs.join(digest.trim_start_matches("sha256:")), &bytes)?;
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
}

/// Adds every regular file below a folder that is not too large.
fn collect(folder: &Path, largest: u64, files: &mut Vec<PathBuf>) -> Result<()> {
    // A folder that cannot be read has no files for us.
    let Ok(list) = fs::read_dir(folder) else { return Ok(()) };
    for entry in list {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), largest, files)?;
        } else if kind.is_file() && entry.metadata()?.len() <= largest {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// A writer that hashes and counts what passes.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    length: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            length: 0,
        }
    }

    /// The writer, the hexadecimal digest and the number of bytes.
    fn finish(self) -> (W, String, u64) {
        (self.inner, hex::encode(self.hash.finalize()), self.length)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
