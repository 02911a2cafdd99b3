//! Images written to disk in the two plain forms, and looking at folders.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::image::MadeImage;
use crate::registry::TestRegistry;

impl MadeImage {
    /// Adds the image to an OCI layout under a name; makes the layout if it is not there.
    ///
    /// # Errors
    /// Any failed write, or an `index.json` that is not one.
    pub fn write_layout(&self, layout: &Path, name: &str) -> Result<()> {
        let blobs = layout.join("blobs/sha256");
        make_folder(&blobs)?;
        for (digest, bytes) in &self.blobs {
            write(&blobs.join(hex_of(digest)), bytes)?;
        }
        for document in self.instances.iter().chain([&self.top]) {
            write(&blobs.join(hex_of(&document.digest)), &document.bytes)?;
        }
        write(&layout.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let index_file = layout.join("index.json");
        let mut index: Value = match fs::read(&index_file) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", index_file.display()))?
            }
            Err(_) => json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [],
            }),
        };
        let entry = json!({
            "mediaType": self.top.media_type,
            "digest": self.top.digest,
            "size": self.top.bytes.len(),
            "annotations": { "org.opencontainers.image.ref.name": name },
        });
        index["manifests"]
            .as_array_mut()
            .with_context(|| format!("{} has no manifests", index_file.display()))?
            .push(entry);
        write(&index_file, index.to_string().as_bytes())
    }

    /// Writes the image in the `dir:` form.
    ///
    /// # Errors
    /// Any failed write.
    pub fn write_dir(&self, folder: &Path) -> Result<()> {
        make_folder(folder)?;
        write(&folder.join("version"), b"Directory Transport Version: 1.1\n")?;
        for (digest, bytes) in &self.blobs {
            write(&folder.join(hex_of(digest)), bytes)?;
        }
        if self.instances.len() > 1 {
            for instance in &self.instances {
                let name = format!("{}.manifest.json", hex_of(&instance.digest));
                write(&folder.join(name), &instance.bytes)?;
            }
        }
        write(&folder.join("manifest.json"), &self.top.bytes)
    }

    /// Puts the image into a registry under a tag, without a request.
    pub fn put_into(&self, registry: &TestRegistry, repository: &str, tag: &str) {
        for bytes in self.blobs.values() {
            registry.put_blob(repository, bytes.clone());
        }
        for instance in &self.instances {
            registry.put_manifest(repository, None, &instance.media_type, instance.bytes.clone());
        }
        registry.put_manifest(repository, Some(tag), &self.top.media_type, self.top.bytes.clone());
    }
}

/// The part of a digest after its colon.
pub(crate) fn hex_of(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, hex)| hex)
}

/// The entries of a layout's `index.json` as `(name, digest)`; an entry without a name has none.
///
/// # Errors
/// The file cannot be read or is no index.
pub fn entries(layout: &Path) -> Result<Vec<(Option<String>, String)>> {
    let file = layout.join("index.json");
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let index: Value = serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", file.display()))?;
    let manifests = index["manifests"]
        .as_array()
        .with_context(|| format!("{} has no manifests", file.display()))?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(manifests
        .iter()
        .map(|entry| {
            let name = text(&entry["annotations"]["org.opencontainers.image.ref.name"]);
            (name, text(&entry["digest"]).unwrap_or_default())
        })
        .collect())
}

/// Every file below a folder with its bytes, by its path relative to the folder; an empty map if
/// the folder is not there.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn files_below(folder: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(next) = waiting.pop() {
        let list = match fs::read_dir(&next) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            list => list?,
        };
        for entry in list {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() {
                waiting.push(path);
            } else if path.is_file() {
                let below = path.strip_prefix(folder).map_err(io::Error::other)?.to_path_buf();
                files.insert(below, fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
