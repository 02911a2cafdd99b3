//! Single blobs of an image, as they are.

use std::sync::Arc;

use longshore_blob::LayerWish;
use longshore_types::{BlobInfo, Descriptor, Digest};
use tokio_util::sync::CancellationToken;

use crate::blob::{BlobJob, MovedBlobs, Shared, Turns};
use crate::blob_info_cache::{BlobInfoCache, MemoryCache};
use crate::compression::CompressionOptions;
use crate::error::{CopyError, Side};
use crate::event::{BlobKind, Reporter};
use crate::image::SelectedImage;
use crate::open::destination_failed;
use crate::schema_one;
use crate::single::commit;
use crate::source::ImageSource;
use crate::transport::Location;

/// Brings `wanted` blobs of an image, or its config and all of its layers if none are named, and its manifest to a place,
/// one after the other and unchanged. Digests and sizes are verified (LY-01); the trust policy is not asked (PO-06).
///
/// # Errors
///
/// Nothing becomes visible at the place unless all went well. A digest that the manifest does not name is an error.
pub async fn fetch_blobs(
    source: &dyn ImageSource,
    image: &SelectedImage,
    wanted: &[Digest],
    place: Box<dyn Location>,
) -> Result<(), CopyError> {
    let source_name = source.identity().display();
    let blobs = blobs(source, image, &source_name).await?;
    let blobs = chosen(blobs, wanted, &source_name)?;
    let name = place.display();
    let opened = place.open_destination(source.identity()).await;
    let destination = opened.map_err(|error| destination_failed(name.clone(), error))?;

    // Whoever drops this future ends the transfer that is under way.
    let cancel = CancellationToken::new();
    let _guard = cancel.clone().drop_guard();
    let cache: Arc<dyn BlobInfoCache> = Arc::new(MemoryCache::default());
    let (reporter, _) = Reporter::new();
    let shared = Shared {
        source,
        destination: destination.as_ref(),
        source_name: &source_name,
        destination_name: &name,
        reporter: &reporter,
        compression: &CompressionOptions::default(),
        cache: &cache,
        cancel,
        moved: &MovedBlobs::default(),
        turns: Turns::default(),
    };
    for (number, (descriptor, info)) in blobs.iter().enumerate() {
        let job = BlobJob {
            number,
            // A foreign layer that is asked for is fetched.
            kind: BlobKind::Config,
            descriptor,
            info: info.clone(),
            wish: LayerWish::Preserve,
            zstd: false,
            bytes: None,
        };
        shared.copy_blob(&job).await?;
    }
    let put = destination.put_manifest(&image.manifest, None).await;
    put.map_err(|source| CopyError::Transport {
        side: Side::Destination,
        name,
        doing: "writing manifest".into(),
        source,
    })?;
    commit(destination, &image.manifest).await
}

/// The config, if there is one, and the layers.
async fn blobs(
    source: &dyn ImageSource,
    image: &SelectedImage,
    name: &str,
) -> Result<Vec<(Descriptor, BlobInfo)>, CopyError> {
    if image.manifest.is_schema_one() {
        let parsed = image
            .manifest
            .parse_schema_one()
            .map_err(|source| CopyError::Manifest {
                name: name.to_owned(),
                source,
            })?;
        let layers = schema_one::layers(source, &parsed, name).await?;
        return Ok(layers.into_iter().map(|layer| with_info(layer, "layer")).collect());
    }
    let manifest = image.parse(name)?;
    let config = (manifest.config.clone(), manifest.config_info());
    let layers = manifest.layers.into_iter().map(|layer| with_info(layer, "layer"));
    Ok(std::iter::once(config).chain(layers).collect())
}

fn with_info(blob: Descriptor, role: &str) -> (Descriptor, BlobInfo) {
    let info = blob.to_blob_info(role);
    (blob, info)
}

/// Each wanted blob once; all of them if none is named.
fn chosen(
    mut blobs: Vec<(Descriptor, BlobInfo)>,
    wanted: &[Digest],
    name: &str,
) -> Result<Vec<(Descriptor, BlobInfo)>, CopyError> {
    let names = |digest: &Digest| blobs.iter().any(|(blob, _)| blob.digest == *digest);
    if let Some(unknown) = wanted.iter().find(|digest| !names(digest)) {
        return Err(CopyError::Mismatch {
            what: format!("blob {unknown}"),
            name: name.to_owned(),
            detail: "the manifest does not name it".into(),
        });
    }
    let mut seen = std::collections::HashSet::new();
    blobs.retain(|(blob, _)| (wanted.is_empty() || wanted.contains(&blob.digest)) && seen.insert(blob.digest.clone()));
    Ok(blobs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use longshore_types::{Digest, PlatformWish};

    use super::fetch_blobs;
    use crate::error::chain;
    use crate::fakes::{FakeImage, FakeStore, Fault, transports};
    use crate::image::{read_manifest, select_instance};
    use crate::transport::Purpose;

    const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

    async fn fetch(image: FakeImage, store: &Arc<FakeStore>, wanted: &[Digest]) -> Result<(), String> {
        let (transports, source, destination) = transports(image, store);
        let source = transports.open_source(&source).await.unwrap();
        let top = read_manifest(source.as_ref()).await.unwrap();
        let selected = select_instance(source.as_ref(), top, &PlatformWish::running())
            .await
            .unwrap();
        let place = transports.locate(&destination, Purpose::Destination).await.unwrap();
        let fetched = fetch_blobs(source.as_ref(), &selected, wanted, place).await;
        fetched.map_err(|error| chain(&error))
    }

    fn image() -> FakeImage {
        FakeImage::oci(&[(b"base", TAR), (b"top", TAR), (b"base", TAR)], &[])
    }

    #[tokio::test]
    async fn each_blob_comes_once_and_unchanged() {
        let base = Digest::sha256(b"base");
        for (wanted, expected) in [(vec![], 3), (vec![base.clone()], 1), (vec![base.clone(), base], 1)] {
            let store = Arc::new(FakeStore::default());
            fetch(image(), &store, &wanted).await.unwrap();
            let happened = store.happened.lock().unwrap();
            assert_eq!(happened.blobs.len(), expected, "{wanted:?}");
            assert!(happened.committed.is_some());
        }
    }

    #[tokio::test]
    async fn what_is_not_named_or_not_true_leaves_nothing() {
        let store = Arc::new(FakeStore::default());
        let stranger = Digest::sha256(b"stranger");
        let error = fetch(image(), &store, std::slice::from_ref(&stranger))
            .await
            .unwrap_err();
        assert!(error.contains(&format!("blob {stranger}")), "{error}");
        assert_eq!(store.happened.lock().unwrap().opened, 0);

        let mut altered = image();
        altered.faults.insert(Digest::sha256(b"top"), Fault::Altered);
        let error = fetch(altered, &store, &[]).await.unwrap_err();
        assert!(error.contains("Digest did not match"), "{error}");
        assert!(store.happened.lock().unwrap().committed.is_none());
    }
}
