use super::*;

const CONFIG: &str =
    r#"{"architecture":"amd64","os":"linux","history":[{"created_by":"x"},{"created_by":"ENV","empty_layer":true}]}"#;

/// A schema 1 image of one layer and one step that changes no file.
fn image(layer: &[u8]) -> FakeImage {
    let docker = FakeImage::docker(&[(layer, DOCKER_GZIP)]);
    let Parsed::Image(manifest) = docker.top.as_ref().unwrap().parse().unwrap() else {
        panic!("not an image")
    };
    let image = SchemaOne::from_image(&manifest, CONFIG.as_bytes(), None).unwrap();
    let top = RawManifest::new(image.to_unsigned().unwrap(), Some(media_type::DOCKER_V1)).unwrap();
    let image = FakeImage {
        top: Some(top),
        ..docker
    };
    image.and_blob(&EMPTY_LAYER)
}

#[tokio::test]
async fn diff_ids_are_those_of_the_layers_moved_or_held() {
    let layers = [
        (gzip(b"layer"), Digest::sha256(b"layer"), GZIP),
        (b"plain".to_vec(), Digest::sha256(b"plain"), TAR),
    ];
    for (layer, diff_id, layer_type) in layers {
        for held in [&[][..], &[layer.as_slice()]] {
            let store = Arc::new(FakeStore::accepting(&[media_type::OCI_MANIFEST]).holding(held));
            let report = copy(image(&layer), &store, Options::default()).await.0.unwrap();
            // The empty layer, the config, and the layer unless it is there.
            assert_eq!(report.blobs_copied, 3 - held.len());
            let expected = (layer_type.to_owned(), Digest::sha256(&layer), layer.len() as u64);
            assert_eq!(written_layers(&store), [expected]);
            let Parsed::Image(manifest) = written(&store).parse().unwrap() else {
                panic!("not an image")
            };
            let happened = store.happened.lock().unwrap();
            let config = ImageConfig::parse(happened.blobs[&manifest.config.digest].to_vec()).unwrap();
            assert_eq!(config.diff_ids().unwrap(), std::slice::from_ref(&diff_id));
            assert_eq!(config.history().len(), 2);
        }
    }
}

#[tokio::test]
async fn a_layer_that_is_no_archive_has_no_diff_id() {
    let mut layer = gzip(&b"layer".repeat(1000));
    layer.truncate(layer.len() - 9);
    let store = Arc::new(FakeStore::accepting(&[media_type::OCI_MANIFEST]));
    let error = copy(image(&layer), &store, Options::default()).await.0.unwrap_err();
    assert!(matches!(error, CopyError::Blob { .. }), "{error:?}");
    assert!(error.to_string().contains(Digest::sha256(&layer).as_str()), "{error}");
    assert_untouched(&store);
}

#[tokio::test]
async fn the_name_follows_the_destination_unless_the_manifest_must_stay() {
    let store = || {
        Arc::new(FakeStore {
            reference: Some(Reference::parse_normalized("h.example/a/b:v1").unwrap()),
            ..FakeStore::default()
        })
    };
    let renamed = store();
    copy(image(&gzip(b"layer")), &renamed, Options::default())
        .await
        .0
        .unwrap();
    let image_written = written(&renamed).parse_schema_one().unwrap();
    assert_eq!((image_written.name.as_str(), image_written.tag.as_str()), ("a/b", "v1"));
    assert_eq!(written(&renamed).media_type(), media_type::DOCKER_V1_SIGNED);

    let refused = store();
    let keep = Options {
        preserve_digests: true,
        ..Options::default()
    };
    let error = copy(image(&gzip(b"layer")), &refused, keep.clone())
        .await
        .0
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Copying a schema1 image with an embedded Docker reference to fake:destination (Docker reference h.example/a/b:v1) would change the manifest, which we cannot do: \"Instructed to preserve digests\""
    );
    assert_untouched(&refused);

    let unnamed = Arc::new(FakeStore::default());
    copy(image(&gzip(b"layer")), &unnamed, keep).await.0.unwrap();
    assert_eq!(written(&unnamed), image(&gzip(b"layer")).top.unwrap());
}
