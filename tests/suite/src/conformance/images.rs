//! Images that are unusual in one respect.

use std::io::Write as _;

use anyhow::Result;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::image::{Document, ImageSpec, MadeImage, running_architecture};
use crate::layer::Layer;
use crate::sha256;

/// An ordinary image; another one for each seed.
pub(super) fn ordinary(seed: u64) -> Result<MadeImage> {
    let layers = [(0, 300_000), (1, 40_000), (2, 10)];
    ImageSpec::new(layers.map(|(number, size)| Layer::new(seed + number, size))).make()
}

/// An image whose layers are these bytes.
pub(super) fn of_tars(tars: &[&[u8]]) -> Result<MadeImage> {
    let digests: Vec<String> = tars.iter().map(|tar| sha256(tar)).collect();
    let mut layers = Vec::new();
    for tar in tars {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(tar)?;
        layers.push(Bytes::from(packed.finish()?));
    }
    let config = json!({
        "architecture": running_architecture(),
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": digests },
    });
    let config = Bytes::from(config.to_string());
    let described = layers.iter().map(|layer| {
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        json!({ "mediaType": media_type, "digest": sha256(layer), "size": layer.len() })
    });
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let config_type = "application/vnd.oci.image.config.v1+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": { "mediaType": config_type, "digest": sha256(&config), "size": config.len() },
        "layers": described.collect::<Vec<_>>(),
    });
    let document = Document::new(media_type, &manifest);
    let blobs = layers.iter().chain([&config]);
    Ok(MadeImage {
        top: document.clone(),
        instances: vec![document],
        blobs: blobs.map(|blob| (sha256(blob), blob.clone())).collect(),
    })
}
