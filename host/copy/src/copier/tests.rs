#![allow(clippy::unwrap_used, clippy::expect_used)]

mod hostile;
mod manifest;
mod schema_one;

use std::error::Error;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longshore_blob::{BlobError, LayerWish};
use longshore_types::{
    Algorithm, BlobInfo, Digest, EMPTY_LAYER, ErrorKind, ImageConfig, ImageFormat, Parsed, RawManifest, Reference,
    SchemaOne, media_type,
};

use crate::copier::Copier;
use crate::error::{CopyError, Side, chain};
use crate::event::{BlobKind, Event, SkipReason};
use crate::fakes::{FakeImage, FakeStore, Fault, anything, transports};
use crate::options::{CopyReport, Options};

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const DOCKER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

async fn copy(
    image: FakeImage,
    store: &Arc<FakeStore>,
    options: Options,
) -> (Result<CopyReport, CopyError>, Vec<Event>) {
    let (transports, source, destination) = transports(image, store);
    let (copy, mut events) = Copier::new(transports, source, destination, anything())
        .options(options)
        .start();
    let report = copy.await;
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event);
    }
    (report, seen)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn written(store: &FakeStore) -> RawManifest {
    store.happened.lock().unwrap().committed.clone().unwrap()
}

/// Media types, digests and sizes of the layers of what was written.
fn written_layers(store: &FakeStore) -> Vec<(String, Digest, u64)> {
    let Parsed::Image(image) = written(store).parse().unwrap() else {
        panic!("not an image")
    };
    image
        .layers
        .into_iter()
        .map(|layer| (layer.media_type, layer.digest, layer.size))
        .collect()
}

/// A failed copy: nothing is visible, nothing is left open.
fn assert_untouched(store: &FakeStore) {
    let happened = store.happened.lock().unwrap();
    assert_eq!(
        (
            happened.manifests.len(),
            happened.committed.as_ref(),
            happened.open_blobs
        ),
        (0, None, 0)
    );
}

#[tokio::test]
async fn an_image_is_copied_as_it_is() {
    let image = FakeImage::oci(&[(b"base layer", TAR), (b"top layer", TAR)], &[]);
    let digest = image.manifest_digest();
    let store = Arc::new(FakeStore::default());
    let (report, events) = copy(image.clone(), &store, Options::default()).await;
    let report = report.unwrap();
    let config: usize = image.blobs.values().map(|blob| blob.len()).sum::<usize>() - 19;
    assert_eq!(
        (report.source.as_str(), report.destination.as_str()),
        ("fake:source", "fake:destination")
    );
    assert_eq!(
        (report.manifest_digest, report.manifest_type.as_str()),
        (digest, media_type::OCI_MANIFEST)
    );
    assert_eq!((report.blobs_copied, report.bytes_copied), (3, 19 + config as u64));
    assert_eq!((report.blobs_reused, report.bytes_reused), (0, 0));
    assert_eq!(written(&store), *image.top.as_ref().unwrap());
    assert_eq!(store.happened.lock().unwrap().blobs, image.blobs);

    let steps: Vec<&Event> = events
        .iter()
        .filter(|event| {
            !matches!(
                event,
                Event::BlobProgress { .. } | Event::BlobStarted { .. } | Event::BlobDone { .. }
            )
        })
        .collect();
    assert_eq!(steps, [&Event::SourceSignatures, &Event::WritingManifest]);
    let kinds = |wanted| {
        events
            .iter()
            .filter(|event| matches!(event, Event::BlobStarted { kind, .. } if *kind == wanted))
            .count()
    };
    assert_eq!((kinds(BlobKind::Layer), kinds(BlobKind::Config)), (2, 1));
    let last = events.iter().rev().find_map(|event| match event {
        Event::BlobDone { blob, .. } => Some(*blob),
        _ => None,
    });
    assert_eq!(last, Some(2), "the config comes last");
}

#[tokio::test]
async fn what_is_there_is_not_moved() {
    let image = FakeImage::oci(&[(b"base layer", TAR), (b"top layer", TAR), (b"base layer", TAR)], &[]);
    let store = Arc::new(FakeStore::default().holding(&[b"top layer"]));
    let (report, events) = copy(image, &store, Options::default()).await;
    let report = report.unwrap();
    assert_eq!(
        (report.blobs_copied, report.blobs_reused, report.bytes_reused),
        (2, 2, 19)
    );
    let skipped: Vec<usize> = events
        .iter()
        .filter_map(|event| match event {
            Event::BlobSkipped {
                blob,
                reason: SkipReason::AlreadyExists,
            } => Some(*blob),
            _ => None,
        })
        .collect();
    assert_eq!(skipped, [1, 2]);
    assert_eq!(store.happened.lock().unwrap().begun.len(), 2);
}

#[tokio::test]
async fn a_blob_of_another_size_is_not_reused() {
    let image = FakeImage::oci(&[(b"layer", TAR)], &[]);
    let mut store = FakeStore::default().holding(&[b"layer"]);
    store.lies_about_size = true;
    let store = Arc::new(store);
    let report = copy(image, &store, Options::default()).await.0.unwrap();
    assert_eq!((report.blobs_copied, report.blobs_reused), (2, 0));
}

#[tokio::test]
async fn layers_travel_together_up_to_the_limit() {
    let contents: Vec<String> = (0..12).map(|number| format!("layer {number}")).collect();
    let layers: Vec<(&[u8], &str)> = contents.iter().map(|content| (content.as_bytes(), TAR)).collect();
    for (parallel, ability, most) in [(1, "lists", 1), (4, "lists", 4), (4, "one-at-a-time", 1)] {
        let store = Arc::new(FakeStore::able(ability));
        let options = Options {
            parallel: NonZeroUsize::new(parallel).unwrap(),
            ..Options::default()
        };
        // The layers wait for each other: with fewer at a time the copy would never end.
        let meeting = Some(Arc::new(tokio::sync::Barrier::new(most)));
        let image = FakeImage {
            meeting,
            ..FakeImage::oci(&layers, &[])
        };
        copy(image, &store, options).await.0.unwrap();
        let open = store.happened.lock().unwrap().most_open_blobs;
        assert!(open <= most, "{open} at a time with {parallel}, {ability}");
    }
}

#[tokio::test]
async fn a_blob_is_sent_once_more_if_that_will_do() {
    for (repeats, succeeds) in [(0, false), (1, true), (2, false)] {
        let image = FakeImage::oci(&[(b"refused at first", TAR)], &[]);
        let store = FakeStore {
            fails: AtomicUsize::new(repeats.max(1)),
            cause: Some("in pieces, please"),
            ..FakeStore::default()
        };
        store.wants_repeats.store(repeats, Ordering::Relaxed);
        let store = Arc::new(store);
        let copied = copy(image, &store, Options::default()).await.0;
        assert_eq!(copied.is_ok(), succeeds, "{repeats}");
        assert_eq!(store.happened.lock().unwrap().aborted, repeats.max(1));
    }
}

#[tokio::test]
async fn a_destination_that_compresses() {
    let squeezed = gzip(b"was gzip before");
    let image = FakeImage::oci(
        &[
            (b"plain layer", TAR),
            (&squeezed, GZIP),
            (b"unknown", "application/x-thing"),
        ],
        &[],
    );
    let store = Arc::new(FakeStore::wishing(LayerWish::Compress));
    let report = copy(image, &store, Options::default()).await.0.unwrap();
    assert_eq!(report.manifest_digest, written(&store).digest(Algorithm::Sha256));
    let layers = written_layers(&store);
    let types: Vec<&str> = layers.iter().map(|(media_type, ..)| media_type.as_str()).collect();
    assert_eq!(types, [GZIP, GZIP, "application/x-thing"]);
    assert_eq!(layers[1].1, Digest::sha256(&squeezed));
    assert_eq!(layers[2].1, Digest::sha256(b"unknown"));
    let happened = store.happened.lock().unwrap();
    let stored = happened.blobs[&layers[0].1].clone();
    assert_eq!(stored.len() as u64, layers[0].2);
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&stored[..])
        .read_to_end(&mut plain)
        .unwrap();
    assert_eq!(plain, b"plain layer");
    let announced: Vec<bool> = happened.begun.iter().map(|info| info.digest.is_some()).collect();
    assert_eq!(
        announced.iter().filter(|known| !**known).count(),
        1,
        "only the digest of the compressed layer is not known"
    );
}

#[tokio::test]
async fn a_destination_that_decompresses() {
    let squeezed = gzip(b"layer");
    let image = FakeImage::oci(&[(&squeezed, GZIP)], &[Digest::sha256(b"layer")]);
    let store = Arc::new(FakeStore::wishing(LayerWish::Decompress));
    copy(image, &store, Options::default()).await.0.unwrap();
    assert_eq!(written_layers(&store), [(TAR.to_owned(), Digest::sha256(b"layer"), 5)]);
}

#[tokio::test]
async fn options_overrule_the_wish() {
    let image = FakeImage::oci(&[(b"layer", TAR)], &[]);
    let store = Arc::new(FakeStore::wishing(LayerWish::Compress));
    let options = Options {
        layers: Some(LayerWish::Preserve),
        ..Options::default()
    };
    copy(image.clone(), &store, options).await.0.unwrap();
    assert_eq!(written(&store), image.top.unwrap());
}

#[tokio::test]
async fn diff_ids_are_compared_with_what_passed() {
    let squeezed = gzip(b"layer");
    let wrong = Digest::sha256(b"other");
    let rows: [(&[u8], &str, LayerWish); 3] = [
        (b"layer", TAR, LayerWish::Preserve),
        (b"layer", TAR, LayerWish::Compress),
        (&squeezed, GZIP, LayerWish::Decompress),
    ];
    for (layer, media_type, wish) in rows {
        let image = FakeImage::oci(&[(layer, media_type)], std::slice::from_ref(&wrong));
        let store = Arc::new(FakeStore::wishing(wish));
        let error = copy(image, &store, Options::default()).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let CopyError::DiffId {
            index: 0,
            expected,
            found,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((expected, found), (wrong.clone(), Digest::sha256(b"layer")));
        assert_untouched(&store);
    }
}
