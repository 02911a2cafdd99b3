//! The two registries of the table, filled and read through their storage folders.
//!
//! Going through the folder and not through the protocol puts every image there byte for byte, and
//! shows what landed without trusting a client.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use longshore_tests::{DockerRegistry, Document, MadeImage, files_below};

/// The user of the registry that asks for one.
pub(super) const USER: &str = "user";
/// That user's password.
pub(super) const PASSWORD: &str = "secret";

/// An open registry and one with a password.
pub(super) struct Registries {
    pub(super) open: DockerRegistry,
    pub(super) closed: DockerRegistry,
}

impl Registries {
    pub(super) fn start() -> anyhow::Result<Self> {
        Ok(Self {
            open: DockerRegistry::start()?,
            closed: DockerRegistry::start_with_password(USER, PASSWORD)?,
        })
    }
}

/// Puts an image into a repository under a tag.
pub(super) fn put(registry: &DockerRegistry, repository: &str, tag: &str, image: &MadeImage) -> io::Result<()> {
    let root = registry.storage().join("docker/registry/v2");
    let repository = root.join("repositories").join(repository);
    for (digest, bytes) in &image.blobs {
        store(&root, digest, bytes)?;
        link(&repository.join("_layers").join(digest.replace(':', "/")), digest)?;
    }
    for Document { digest, bytes, .. } in image.instances.iter().chain([&image.top]) {
        store(&root, digest, bytes)?;
        link(
            &repository.join("_manifests/revisions").join(digest.replace(':', "/")),
            digest,
        )?;
    }
    let digest = &image.top.digest;
    let tag = repository.join("_manifests/tags").join(tag);
    link(&tag.join("current"), digest)?;
    link(&tag.join("index").join(digest.replace(':', "/")), digest)
}

fn store(root: &Path, digest: &str, bytes: &[u8]) -> io::Result<()> {
    let hex = digest.trim_start_matches("sha256:");
    let folder = root.join("blobs/sha256").join(&hex[..2]).join(hex);
    if folder.join("data").exists() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    // Another case may store the same blob at the same time.
    let part = folder.join(format!("{:?}", std::thread::current().id()));
    fs::write(&part, bytes)?;
    fs::rename(part, folder.join("data"))
}

fn link(folder: &Path, digest: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("link"), digest)
}

/// The tags, manifests and blobs of every repository below `prefix`: links with the digest they
/// hold, manifests with their bytes. Left out are uploads that were given up and the history of tags.
pub(super) fn landed(registry: &DockerRegistry, prefix: &str) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let root = registry.storage().join("docker/registry/v2");
    let mut landed = BTreeMap::new();
    for (path, digest) in files_below(&root.join("repositories").join(prefix))? {
        let path = path.display().to_string();
        if path.contains("/_uploads/") || path.contains("/index/") {
            continue;
        }
        if path.contains("/_manifests/revisions/") {
            let digest = String::from_utf8_lossy(&digest);
            let hex = digest.trim_start_matches("sha256:");
            let bytes = fs::read(root.join("blobs/sha256").join(&hex[..2]).join(hex).join("data"))?;
            landed.insert(path, bytes);
        } else {
            landed.insert(path, digest);
        }
    }
    Ok(landed)
}
