#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longshore_blob::{BlobError, LayerWish};
use longshore_types::{Algorithm, Digest, ErrorKind, Kind, Parsed, RawManifest, Reference, media_type};

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
        let image = FakeImage::oci(&[(layer, media_type)], &[wrong.clone()]);
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

#[tokio::test]
async fn hostile_blobs_are_not_published() {
    type Expected = fn(&CopyError) -> bool;
    let rows: [(Fault, Expected); 6] = [
        (Fault::Missing, |error| {
            matches!(error, CopyError::Transport { side: Side::Source, .. }) && error.kind() == ErrorKind::BlobNotFound
        }),
        (Fault::Cut, |error| {
            matches!(
                error,
                CopyError::Blob {
                    side: Side::Source,
                    source: BlobError::TooShort { .. },
                    ..
                }
            )
        }),
        (Fault::Longer, |error| {
            matches!(
                error,
                CopyError::Blob {
                    side: Side::Source,
                    source: BlobError::TooLong { .. },
                    ..
                }
            )
        }),
        (Fault::Endless, |error| {
            matches!(
                error,
                CopyError::Blob {
                    side: Side::Source,
                    source: BlobError::TooLong { .. },
                    ..
                }
            )
        }),
        (Fault::Altered, |error| {
            matches!(
                error,
                CopyError::Blob {
                    side: Side::Source,
                    source: BlobError::DigestMismatch { .. },
                    ..
                }
            )
        }),
        (Fault::ClaimsOtherSize, |error| {
            matches!(error, CopyError::Mismatch { .. })
        }),
    ];
    for (fault, expected) in rows {
        let image = FakeImage::oci(&[(b"good", TAR), (b"hostile layer", TAR)], &[]).with_fault(b"hostile layer", fault);
        let store = Arc::new(FakeStore::default());
        let error = copy(image, &store, Options::default()).await.0.unwrap_err();
        assert!(expected(&error), "{fault:?}: {error:?}");
        assert!(chain(&error).contains("fake:source"), "{fault:?}: {}", chain(&error));
        assert!(
            !store
                .happened
                .lock()
                .unwrap()
                .blobs
                .contains_key(&Digest::sha256(b"hostile layer"))
        );
        assert_untouched(&store);
    }
}

#[tokio::test]
async fn a_hostile_config_never_opens_the_destination() {
    for fault in [
        Fault::Missing,
        Fault::Cut,
        Fault::Longer,
        Fault::Altered,
        Fault::Endless,
    ] {
        let mut image = FakeImage::oci(&[(b"layer", TAR)], &[]);
        let config = image
            .blobs
            .keys()
            .find(|digest| **digest != Digest::sha256(b"layer"))
            .unwrap()
            .clone();
        image.faults.insert(config, fault);
        let store = Arc::new(FakeStore::default());
        let error = copy(image, &store, Options::default()).await.0.unwrap_err();
        assert!(chain(&error).contains("reading config"), "{fault:?}: {}", chain(&error));
        assert_eq!(store.happened.lock().unwrap().opened, 0);
    }
}

#[tokio::test]
async fn a_config_beyond_the_limit_is_not_read() {
    let mut image = FakeImage::oci(&[], &[]);
    let text = String::from_utf8(image.top.unwrap().bytes().to_vec()).unwrap();
    let start = text.find("\"size\":").unwrap();
    let end = start + text[start..].find('}').unwrap();
    let text = format!("{}\"size\":4194305{}", &text[..start], &text[end..]);
    image.top = Some(RawManifest::new(text, Some(media_type::OCI_MANIFEST)).unwrap());
    let store = Arc::new(FakeStore::default());
    let error = copy(image, &store, Options::default()).await.0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!(store.happened.lock().unwrap().opened, 0);
}

#[tokio::test]
async fn a_missing_or_unreadable_image_never_opens_the_destination() {
    let raw = |text: &str, media_type| FakeImage {
        top: Some(RawManifest::new(text, Some(media_type)).unwrap()),
        ..FakeImage::default()
    };
    let rows = [
        (FakeImage::default(), ErrorKind::ImageNotFound),
        (raw("{", media_type::OCI_MANIFEST), ErrorKind::InvalidData),
        (raw("[]", media_type::OCI_INDEX), ErrorKind::InvalidData),
        (raw("{}", "application/x-thing"), ErrorKind::Unsupported),
        (
            raw(r#"{"schemaVersion":2,"manifests":[]}"#, media_type::OCI_INDEX),
            ErrorKind::Other,
        ),
    ];
    for (image, kind) in rows {
        let store = Arc::new(FakeStore::default());
        let error = copy(image, &store, Options::default()).await.0.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", chain(&error));
        assert_eq!(store.happened.lock().unwrap().opened, 0);
    }
}

#[tokio::test]
async fn the_instance_of_a_list_is_copied() {
    let image = FakeImage::oci(&[(b"layer", TAR)], &[]);
    let digest = image.manifest_digest();
    let store = Arc::new(FakeStore::default());
    let report = copy(image.listed(|index| index), &store, Options::default())
        .await
        .0
        .unwrap();
    assert_eq!(report.manifest_digest, digest);
}

#[tokio::test]
async fn a_lying_list_never_opens_the_destination() {
    let image = FakeImage::oci(&[(b"layer", TAR)], &[]);
    let digest = image.manifest_digest().to_string();
    let size = format!("\"size\":{}", image.top.as_ref().unwrap().size());
    let other = Digest::sha256(b"other").to_string();
    let rows = [
        (digest.as_str(), other.as_str()),
        (size.as_str(), "\"size\":1"),
        (media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST),
    ];
    for (truth, lie) in rows {
        let store = Arc::new(FakeStore::default());
        let lying = image.clone().listed(|index| index.replace(truth, lie));
        let error = copy(lying, &store, Options::default()).await.0.unwrap_err();
        assert!(
            matches!(error, CopyError::Mismatch { .. }),
            "{truth}: {}",
            chain(&error)
        );
        assert_eq!(store.happened.lock().unwrap().opened, 0);
    }
}

#[tokio::test]
async fn a_destination_that_fails_in_mid_blob() {
    for (cause, text) in [
        (None, "writing blob"),
        (Some("the quota is used up"), "the quota is used up"),
    ] {
        let image = FakeImage::oci(&[(b"a layer that does not fit", TAR)], &[]);
        let store = Arc::new(FakeStore {
            fails: AtomicUsize::new(1),
            cause,
            ..FakeStore::default()
        });
        let error = copy(image, &store, Options::default()).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        let shown = chain(&error);
        assert!(
            shown.contains(text) && shown.contains("destination fake:destination"),
            "{shown}"
        );
        assert_untouched(&store);
        assert_eq!(store.happened.lock().unwrap().aborted, 1);
    }
}

#[tokio::test]
async fn one_failing_blob_stops_the_others() {
    let image = FakeImage::endless()
        .and_layer(b"missing")
        .with_fault(b"missing", Fault::Missing);
    let store = Arc::new(FakeStore::default());
    let error = copy(image, &store, Options::default()).await.0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BlobNotFound);
    assert_untouched(&store);
}

#[tokio::test]
async fn a_cancelled_copy_leaves_nothing() {
    let store = Arc::new(FakeStore::default());
    let (transports, source, destination) = transports(FakeImage::endless(), &store);
    let (copy, mut events) = Copier::new(transports, source, destination, anything()).start();
    let cancel = copy.cancel_handle();
    let cancelling = async {
        while let Some(event) = events.next().await {
            if matches!(event, Event::BlobProgress { .. }) {
                cancel.cancel();
            }
        }
    };
    let (report, ()) = tokio::join!(copy, cancelling);
    assert!(matches!(report, Err(CopyError::Interrupted)));
    assert_untouched(&store);
    assert_eq!(store.happened.lock().unwrap().aborted, 1);
}

#[tokio::test]
async fn a_dropped_copy_leaves_nothing() {
    let store = Arc::new(FakeStore::default());
    let (transports, source, destination) = transports(FakeImage::endless(), &store);
    let (copy, mut events) = Copier::new(transports, source, destination, anything()).start();
    let mut copy = Box::pin(copy);
    loop {
        tokio::select! {
            _ = &mut copy => panic!("the copy cannot end"),
            event = events.next() => if matches!(event, Some(Event::BlobProgress { .. })) { break },
        }
    }
    drop(copy);
    // The thread holds the last sender of events and lets go of it when it has noticed.
    while events.next().await.is_some() {}
    assert_untouched(&store);
    assert_eq!(store.happened.lock().unwrap().aborted, 1);
}

#[tokio::test]
async fn a_foreign_layer_stays_where_it_is() {
    let image = FakeImage::oci(&[(b"layer", TAR)], &[]);
    let text = String::from_utf8(image.top.as_ref().unwrap().bytes().to_vec()).unwrap();
    let foreign = text.replace("\"size\":5}", "\"size\":5,\"urls\":[\"https://h/layer\"]}");
    assert_ne!(text, foreign);
    for (ability, begun) in [("foreign-layers", 1), ("lists", 2)] {
        let image = FakeImage {
            top: Some(RawManifest::new(foreign.clone(), None).unwrap()),
            ..image.clone()
        };
        let store = Arc::new(FakeStore::able(ability));
        copy(image, &store, Options::default()).await.0.unwrap();
        assert_eq!(store.happened.lock().unwrap().begun.len(), begun, "{ability}");
        assert_eq!(written(&store).bytes(), foreign.as_bytes());
    }
}

#[tokio::test]
async fn types_are_converted_for_the_destination() {
    let docker = || FakeImage::docker(&[(b"layer", DOCKER_GZIP)]);
    let oci = || FakeImage::oci(&[(b"layer", GZIP)], &[]);
    let rows: [(FakeImage, &[&str], Option<Kind>, &str); 6] = [
        (docker(), &[], None, media_type::DOCKER_MANIFEST),
        (
            docker(),
            &[media_type::OCI_MANIFEST, media_type::OCI_INDEX],
            None,
            media_type::OCI_MANIFEST,
        ),
        (
            docker(),
            &[media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST],
            None,
            media_type::DOCKER_MANIFEST,
        ),
        (docker(), &[], Some(Kind::Oci), media_type::OCI_MANIFEST),
        (oci(), &[], Some(Kind::Docker), media_type::DOCKER_MANIFEST),
        (oci(), &[media_type::DOCKER_MANIFEST], None, media_type::DOCKER_MANIFEST),
    ];
    for (image, accepted, format, expected) in rows {
        let kept = image.top.clone().unwrap();
        let store = Arc::new(FakeStore::accepting(accepted));
        let report = copy(
            image,
            &store,
            Options {
                format,
                ..Options::default()
            },
        )
        .await
        .0
        .unwrap();
        assert_eq!(report.manifest_type, expected);
        assert_eq!(written(&store) == kept, kept.media_type() == expected);
    }
}

#[tokio::test]
async fn a_rejected_type_is_followed_by_the_next_without_moving_blobs_again() {
    let store = FakeStore {
        rejects: vec![media_type::OCI_MANIFEST],
        ..FakeStore::accepting(&[media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST])
    };
    let store = Arc::new(store);
    let report = copy(FakeImage::oci(&[(b"layer", GZIP)], &[]), &store, Options::default())
        .await
        .0
        .unwrap();
    assert_eq!(report.manifest_type, media_type::DOCKER_MANIFEST);
    assert_eq!(store.happened.lock().unwrap().begun.len(), 2);
}

#[tokio::test]
async fn when_all_types_are_rejected_all_are_named() {
    let both = vec![media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST];
    let store = Arc::new(FakeStore {
        rejects: both,
        ..FakeStore::default()
    });
    let error = copy(FakeImage::oci(&[(b"layer", GZIP)], &[]), &store, Options::default())
        .await
        .0
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ManifestTypeRejected);
    let shown = error.to_string();
    assert!(
        shown.starts_with(
            "Uploading manifest failed, attempted the following formats: application/vnd.oci.image.manifest.v1+json("
        ),
        "{shown}"
    );
    assert!(
        shown.contains("), application/vnd.docker.distribution.manifest.v2+json("),
        "{shown}"
    );
    assert_untouched(&store);
}

#[tokio::test]
async fn a_zstd_layer_has_no_docker_type() {
    let store = Arc::new(FakeStore::accepting(&[media_type::DOCKER_MANIFEST]));
    let error = copy(FakeImage::oci(&[(b"layer", ZSTD)], &[]), &store, Options::default())
        .await
        .0
        .unwrap_err();
    assert!(matches!(error, CopyError::Convert { .. }), "{error:?}");
    assert_untouched(&store);
}

#[tokio::test]
async fn signatures_go_along_or_stay() {
    let signed = || FakeImage {
        signatures: vec![b"signature".to_vec()],
        ..FakeImage::oci(&[(b"layer", TAR)], &[])
    };

    let store = Arc::new(FakeStore::able("signatures"));
    let (report, events) = copy(signed(), &store, Options::default()).await;
    report.unwrap();
    assert_eq!(store.happened.lock().unwrap().signatures, [b"signature"]);
    assert!(events.contains(&Event::CheckingSignatureSupport) && events.contains(&Event::StoringSignatures));

    let store = Arc::new(FakeStore::default());
    let error = copy(signed(), &store, Options::default()).await.0.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Can not copy signatures to fake:destination: transport fake does not support signatures"
    );
    assert_untouched(&store);

    let store = Arc::new(FakeStore::able("signatures"));
    let options = Options {
        remove_signatures: true,
        ..Options::default()
    };
    let (report, events) = copy(signed(), &store, options).await;
    report.unwrap();
    assert!(store.happened.lock().unwrap().signatures.is_empty());
    assert!(!events.contains(&Event::SourceSignatures));
}

#[tokio::test]
async fn what_must_not_change_does_not() {
    let image = || FakeImage {
        signatures: vec![b"signature".to_vec()],
        ..FakeImage::oci(&[(b"layer", TAR)], &[])
    };
    let signed = |store: FakeStore| {
        let mut store = store;
        store.traits.abilities.insert("signatures".into());
        store.traits.layer_compression = LayerWish::Compress;
        Arc::new(store)
    };
    let store = signed(FakeStore::default());
    copy(image(), &store, Options::default()).await.0.unwrap();
    assert_eq!(written(&store), image().top.unwrap());

    let keep = Options {
        preserve_digests: true,
        ..Options::default()
    };
    let rows = [
        (Options::default(), "Would invalidate signatures"),
        (
            Options {
                remove_signatures: true,
                ..keep
            },
            "Instructed to preserve digests",
        ),
    ];
    for (options, reason) in rows {
        let store = signed(FakeStore::accepting(&[media_type::DOCKER_MANIFEST]));
        let error = copy(image(), &store, options).await.0.unwrap_err();
        let expected = format!(
            "Manifest must be converted to type \"{}\" to be written to fake:destination, but we cannot modify it: \"{reason}\"",
            media_type::DOCKER_MANIFEST
        );
        assert_eq!(error.to_string(), expected);
        assert_untouched(&store);
    }
}

#[tokio::test]
async fn a_destination_by_digest_takes_only_that_image() {
    let image = FakeImage::oci(&[(b"layer", TAR)], &[]);
    let at = |digest: &Digest| {
        let reference = Reference::parse_normalized(&format!("h/a@{digest}")).unwrap();
        let mut store = FakeStore {
            reference: Some(reference),
            ..FakeStore::default()
        };
        store.traits.layer_compression = LayerWish::Compress;
        Arc::new(store)
    };
    let store = at(&image.manifest_digest());
    copy(image.clone(), &store, Options::default()).await.0.unwrap();
    assert_eq!(written(&store), image.top.clone().unwrap());

    let store = at(&Digest::sha256(b"other"));
    let error = copy(image, &store, Options::default()).await.0.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Digest of source image's manifest would not match destination reference"
    );
    assert!(error.source().is_none());
    assert_untouched(&store);
}
