use super::*;

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
async fn layers_in_the_place_of_others_are_those_of_the_config() {
    let (packed, other) = (gzip(b"layer"), gzip(b"stranger"));
    let plain = [Digest::sha256(b"layer")];
    let rows: [(&[Digest], &[u8], &str, bool); 4] = [
        (&plain, b"layer", TAR, true),
        // Compressed, it would pass without a look into it.
        (&plain, &other, GZIP, false),
        (&plain, b"stranger", TAR, false),
        (&[], b"layer", TAR, false),
    ];
    for (diff_ids, layer, media_type, accepted) in rows {
        let mut image = FakeImage::oci(&[(&packed, GZIP)], diff_ids).and_blob(layer);
        image.other_layers = Some(vec![BlobInfo {
            digest: Some(Digest::sha256(layer)),
            size: Some(layer.len() as u64),
            media_type: media_type.to_owned(),
            ..BlobInfo::default()
        }]);
        let store = Arc::new(FakeStore::default());
        let (copied, _) = copy(image, &store, Options::default()).await;
        assert_eq!(copied.is_ok(), accepted, "{media_type}: {copied:?}");
        if let Err(error) = copied {
            assert!(chain(&error).contains("which the config does not name"), "{error:?}");
            assert_eq!(store.happened.lock().unwrap().opened, 0);
        }
    }
}
