//! An independent check of stored images: every digest and size recomputed from the stored bytes.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::registry::TestRegistry;
use crate::store::hex_of;
use crate::{entries, sha256};

/// What a check saw: an image that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The digest of the top manifest or list, recomputed.
    pub digest: String,
    /// Its `mediaType` field; empty if it has none.
    pub media_type: String,
    /// The digests of every config, recomputed.
    pub configs: Vec<String>,
    /// The digests of every layer, recomputed, in order.
    pub layers: Vec<String>,
    /// The digests of every layer's tar, recomputed and equal to what the configs say.
    pub diff_ids: Vec<String>,
}

/// Checks the image of an OCI layout that has a name.
///
/// # Errors
/// What is missing or does not match, by its digest.
pub fn check_layout(layout: &Path, name: &str) -> Result<Checked> {
    let found = entries(layout)?;
    let (_, digest) = found
        .iter()
        .find(|(entry, _)| entry.as_deref() == Some(name))
        .with_context(|| format!("{} has no entry {name}, only {found:?}", layout.display()))?;
    let marker = fs::read(layout.join("oci-layout")).context("no oci-layout file")?;
    let marker: Value = serde_json::from_slice(&marker).context("oci-layout is no JSON")?;
    ensure!(marker["imageLayoutVersion"] == "1.0.0", "oci-layout says {marker}");
    let read = |digest: &str| read_file(&layout.join("blobs/sha256").join(hex_of(digest)));
    check_image(&read(digest)?, Some(digest), &read, &read)
}

/// Checks the image of a `dir:` folder.
///
/// # Errors
/// What is missing or does not match, by its digest.
pub fn check_dir(folder: &Path) -> Result<Checked> {
    let version = fs::read_to_string(folder.join("version")).context("no version file")?;
    ensure!(
        version.starts_with("Directory Transport Version: 1."),
        "version says {version:?}"
    );
    let top = read_file(&folder.join("manifest.json"))?;
    let manifest = |digest: &str| read_file(&folder.join(format!("{}.manifest.json", hex_of(digest))));
    let blob = |digest: &str| read_file(&folder.join(hex_of(digest)));
    check_image(&top, None, &manifest, &blob)
}

/// Checks an image of a test registry by tag or digest, without a request.
///
/// # Errors
/// What is missing or does not match, by its digest.
pub fn check_repository(registry: &TestRegistry, repository: &str, tag: &str) -> Result<Checked> {
    let missing = |what: &str| format!("{repository} has no {what}");
    let manifest = |wanted: &str| {
        let stored = registry.manifest(repository, wanted);
        Ok(stored.with_context(|| missing(wanted))?.bytes.to_vec())
    };
    let blob = |wanted: &str| {
        Ok(registry
            .blob(repository, wanted)
            .with_context(|| missing(wanted))?
            .to_vec())
    };
    check_image(&manifest(tag)?, None, &manifest, &blob)
}

/// Checks an image through two readers of stored bytes by digest.
///
/// # Errors
/// What is missing or does not match, by its digest.
pub fn check_image(
    top: &[u8],
    expected: Option<&str>,
    manifest: &dyn Fn(&str) -> Result<Vec<u8>>,
    blob: &dyn Fn(&str) -> Result<Vec<u8>>,
) -> Result<Checked> {
    let digest = sha256(top);
    if let Some(expected) = expected {
        ensure!(digest == expected, "{expected} holds bytes of {digest}");
    }
    let json: Value = serde_json::from_slice(top).context("the manifest is no JSON")?;
    let media_type = json["mediaType"].as_str().unwrap_or_default().to_owned();
    let mut checked = Checked {
        digest,
        media_type,
        configs: vec![],
        layers: vec![],
        diff_ids: vec![],
    };
    match json["manifests"].as_array() {
        None => check_instance(&json, blob, &mut checked)?,
        Some(instances) => {
            for instance in instances {
                let bytes = described(instance, manifest)?;
                let json = serde_json::from_slice(&bytes).context("an instance is no JSON")?;
                check_instance(&json, blob, &mut checked)?;
            }
        }
    }
    Ok(checked)
}

fn check_instance(manifest: &Value, blob: &dyn Fn(&str) -> Result<Vec<u8>>, checked: &mut Checked) -> Result<()> {
    let config = described(&manifest["config"], blob)?;
    checked.configs.push(sha256(&config));
    let config: Value = serde_json::from_slice(&config).context("the config is no JSON")?;
    let diff_ids = config["rootfs"]["diff_ids"]
        .as_array()
        .context("the config has no diff_ids")?;
    let layers = manifest["layers"].as_array().context("the manifest has no layers")?;
    ensure!(
        diff_ids.len() == layers.len(),
        "{} layers, {} diff_ids",
        layers.len(),
        diff_ids.len()
    );
    for (layer, diff_id) in layers.iter().zip(diff_ids) {
        let bytes = described(layer, blob)?;
        let media_type = layer["mediaType"].as_str().unwrap_or_default();
        let tar = unpack(&bytes)?;
        ensure!(
            (tar.len() == bytes.len()) == media_type.ends_with("tar"),
            "a layer of type {media_type} is packed otherwise"
        );
        ensure!(
            sha256(&tar) == *diff_id,
            "a layer unpacks to {}, not {diff_id}",
            sha256(&tar)
        );
        checked.layers.push(sha256(&bytes));
        checked.diff_ids.push(sha256(&tar));
    }
    Ok(())
}

/// The bytes a descriptor names, if digest and size are theirs.
fn described(descriptor: &Value, read: &dyn Fn(&str) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let digest = descriptor["digest"].as_str().context("a descriptor has no digest")?;
    let bytes = read(digest)?;
    ensure!(sha256(&bytes) == digest, "{digest} holds bytes of {}", sha256(&bytes));
    let size = descriptor["size"].as_u64().context("a descriptor has no size")?;
    ensure!(
        size == bytes.len() as u64,
        "{digest} has {} bytes, not {size}",
        bytes.len()
    );
    Ok(bytes)
}

/// Unpacks by the first bytes; anything unknown is returned as it is.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut tar = Vec::new();
    match bytes {
        [0x1f, 0x8b, ..] => {
            flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut tar)?;
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => tar = zstd::decode_all(bytes)?,
        plain => tar.extend_from_slice(plain),
    }
    Ok(tar)
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) => bail!("cannot read {}: {error}", path.display()),
    }
}
