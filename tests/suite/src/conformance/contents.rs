//! What an image in a `dir:` is, however its layers are packed and whatever its manifest says of that.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::sha256;

/// The configs of all images, and the uncompressed layers of each, after a check of every blob.
pub(super) fn contents(folder: &Path) -> Result<(Vec<String>, Vec<String>)> {
    let (mut configs, mut diff_ids) = (Vec::new(), Vec::new());
    let top = json(&fs::read(folder.join("manifest.json")).context("no manifest.json")?)?;
    let manifests = match top["manifests"].as_array() {
        None => vec![top],
        Some(instances) => {
            let instance = |entry: &Value| json(&described(folder, entry, ".manifest.json")?);
            instances.iter().map(instance).collect::<Result<_>>()?
        }
    };
    for manifest in manifests {
        let config = described(folder, &manifest["config"], "")?;
        configs.push(sha256(&config));
        let named = json(&config)?["rootfs"]["diff_ids"].clone();
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        let tars = layers.iter().map(|layer| unpacked(described(folder, layer, "")?));
        let digests = tars.map(|tar| Ok(sha256(&tar?))).collect::<Result<Vec<_>>>()?;
        let named = named.as_array().cloned().unwrap_or_default();
        ensure!(named == digests, "the config names {named:?}, there are {digests:?}");
        diff_ids.extend(digests);
    }
    Ok((configs, diff_ids))
}

fn json(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).context("no JSON")
}

/// The file that a descriptor describes.
fn described(folder: &Path, descriptor: &Value, ending: &str) -> Result<Vec<u8>> {
    let digest = descriptor["digest"].as_str().context("a descriptor without a digest")?;
    let name = digest.trim_start_matches("sha256:");
    let bytes = fs::read(folder.join(format!("{name}{ending}"))).with_context(|| format!("no blob {digest}"))?;
    ensure!(sha256(&bytes) == digest, "{digest} is the name of other bytes");
    ensure!(descriptor["size"] == bytes.len(), "{digest} has another size");
    Ok(bytes)
}

fn unpacked(blob: Vec<u8>) -> Result<Vec<u8>> {
    if !blob.starts_with(&[0x1f, 0x8b]) {
        return Ok(blob);
    }
    let mut tar = Vec::new();
    MultiGzDecoder::new(blob.as_slice()).read_to_end(&mut tar)?;
    Ok(tar)
}
