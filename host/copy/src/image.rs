use longshore_blob::{BlobError, ChunkSource};
use longshore_types::{Descriptor, Digest, ImageManifest, Parsed, PlatformWish, RawManifest};

use crate::error::{CopyError, Side, TransportError};
use crate::source::ImageSource;

/// Largest config, in bytes (PI-06): it is held in memory.
pub const MAX_CONFIG_SIZE: u64 = 4 << 20;

/// A manifest of a single image, and how it was found.
#[derive(Clone, Debug)]
pub struct SelectedImage {
    /// What the reference names; the same as `manifest` unless that is a list.
    pub top: RawManifest,
    /// The digest by which the list names the image, if there is a list.
    pub instance: Option<Digest>,
    /// The single image's manifest.
    pub manifest: RawManifest,
}

impl SelectedImage {
    /// The list that the image was chosen from, if any.
    pub fn list(&self) -> Option<&RawManifest> {
        self.instance.as_ref().map(|_| &self.top)
    }

    /// The manifest's content. `name` is what errors call the image.
    pub fn parse(&self, name: &str) -> Result<ImageManifest, CopyError> {
        let failed = |source| CopyError::Manifest {
            name: name.to_owned(),
            source,
        };
        match self.manifest.parse().map_err(failed)? {
            Parsed::Image(image) => Ok(image),
            Parsed::List(_) => Err(CopyError::Mismatch {
                what: "manifest".into(),
                name: name.to_owned(),
                detail: "a list is named where a single image belongs".into(),
            }),
        }
    }
}

/// Reads the manifest that the reference names.
pub async fn read_manifest(source: &dyn ImageSource) -> Result<RawManifest, CopyError> {
    let name = || source.identity().display();
    let failed = |error| CopyError::Open {
        side: Side::Source,
        name: name(),
        source: error,
    };
    source.manifest(None).await.map_err(failed)
}

/// Finds the single image in what the reference names: itself, or the instance of a list that fits `wish` (PS-01 to PS-05).
///
/// An instance is checked against the digest, size and media type by which the list names it.
pub async fn select_instance(
    source: &dyn ImageSource,
    top: RawManifest,
    wish: &PlatformWish,
) -> Result<SelectedImage, CopyError> {
    if !top.is_list() {
        return Ok(SelectedImage {
            manifest: top.clone(),
            top,
            instance: None,
        });
    }
    let Parsed::List(list) = top.parse().map_err(CopyError::Instance)? else {
        return Ok(SelectedImage {
            manifest: top.clone(),
            top,
            instance: None,
        });
    };
    let descriptor = list.choose(wish).map_err(CopyError::Instance)?;
    read_instance(source, &top, descriptor).await
}

/// Reads the image that an entry of the list `top` names, and checks it against that entry's digest, size and media type.
pub(crate) async fn read_instance(
    source: &dyn ImageSource,
    top: &RawManifest,
    descriptor: &Descriptor,
) -> Result<SelectedImage, CopyError> {
    let doing = format!("reading manifest {}", descriptor.digest);
    let manifest = source
        .manifest(Some(&descriptor.digest))
        .await
        .map_err(|error| on_source(source, &doing, error))?;
    check_instance(&manifest, descriptor, &source.identity().display())?;
    Ok(SelectedImage {
        top: top.clone(),
        instance: Some(descriptor.digest.clone()),
        manifest,
    })
}

fn check_instance(manifest: &RawManifest, named: &Descriptor, name: &str) -> Result<(), CopyError> {
    let differs = |detail| {
        Err(CopyError::Mismatch {
            what: format!("manifest {}", named.digest),
            name: name.to_owned(),
            detail,
        })
    };
    let found = manifest.digest(named.digest.algorithm());
    if found != named.digest {
        return differs(format!("its digest is {found}"));
    }
    let size = manifest.size();
    if size != named.size {
        return differs(format!("the list says {} bytes, it has {size}", named.size));
    }
    if !named.media_type.is_empty() && manifest.media_type() != named.media_type {
        return differs(format!(
            "the list says media type {:?}, it is {:?}",
            named.media_type,
            manifest.media_type()
        ));
    }
    Ok(())
}

/// Reads the config of an image and checks it against the manifest.
pub async fn read_config(source: &dyn ImageSource, image: &ImageManifest) -> Result<Vec<u8>, CopyError> {
    let config = &image.config;
    let name = source.identity().display();
    if config.size > MAX_CONFIG_SIZE {
        return Err(CopyError::Mismatch {
            what: format!("config {}", config.digest),
            name,
            detail: format!("{} bytes are more than the {MAX_CONFIG_SIZE} allowed", config.size),
        });
    }
    let doing = format!("reading config {}", config.digest);
    let body = source
        .blob(&image.config_info())
        .await
        .map_err(|error| on_source(source, &doing, error))?;
    let (digest, size) = (config.digest.clone(), config.size);
    let read = tokio::task::spawn_blocking(move || read_verified(body.source, &digest, size)).await;
    match read {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(source)) => Err(CopyError::Blob {
            side: Side::Source,
            name,
            doing,
            source,
        }),
        Err(error) => Err(CopyError::Internal(error.to_string())),
    }
}

/// Reads a small blob whole; never more than one chunk beyond `size`.
fn read_verified(mut source: Box<dyn ChunkSource>, digest: &Digest, size: u64) -> Result<Vec<u8>, BlobError> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    while let Some(chunk) = source.next_chunk().map_err(BlobError::Read)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > size {
            return Err(BlobError::TooLong {
                blob: digest.to_string(),
                expected: size,
                seen: bytes.len() as u64,
            });
        }
    }
    if (bytes.len() as u64) < size {
        return Err(BlobError::TooShort {
            blob: digest.to_string(),
            expected: size,
            actual: bytes.len() as u64,
        });
    }
    let actual = Digest::of(digest.algorithm(), &bytes);
    if actual != *digest {
        return Err(BlobError::DigestMismatch {
            expected: digest.clone(),
            actual,
        });
    }
    Ok(bytes)
}

/// An error of an opened source.
pub(crate) fn on_source(source: &dyn ImageSource, doing: &str, error: TransportError) -> CopyError {
    CopyError::Transport {
        side: Side::Source,
        name: source.identity().display(),
        doing: doing.to_owned(),
        source: error,
    }
}
