use super::*;

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
    let rows: [(FakeImage, &[&str], Option<ImageFormat>, &str); 6] = [
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
        (docker(), &[], Some(ImageFormat::Oci), media_type::OCI_MANIFEST),
        (oci(), &[], Some(ImageFormat::Docker), media_type::DOCKER_MANIFEST),
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
