//! Conversion, MC-08 to MC-10 and MC-15.

use super::super::vectors::{DOCKER, OCI, descriptor, digest};
use super::super::{ImageManifest, Kind, ManifestError, ManifestList};
use super::image;
use crate::media_type::{
    DOCKER_CONFIG, DOCKER_FOREIGN_LAYER_GZIP, DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_LAYER_ZSTD, DOCKER_MANIFEST,
    OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST, OCI_NONDISTRIBUTABLE_LAYER_GZIP,
};
use crate::{Descriptor, ErrorKind, Platform};

fn bytes(image: &ImageManifest) -> String {
    String::from_utf8(image.to_raw().unwrap().bytes().to_vec()).unwrap()
}

#[test]
fn the_same_image_as_skopeo_converts_it() {
    let docker = image(OCI).convert(Kind::Docker).unwrap();
    assert_eq!(bytes(&docker), DOCKER);
    // What is converted names its type; umoci's original does not.
    let named = OCI.replace(
        r#"{"schemaVersion":2,"#,
        &format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","#),
    );
    assert_eq!(bytes(&image(DOCKER).convert(Kind::Oci).unwrap()), named);
    let mut back = docker.convert(Kind::Oci).unwrap();
    back.names_its_type = false;
    assert_eq!(bytes(&back), OCI);
}

#[test]
fn the_same_kind_is_a_copy() {
    let text = OCI.replace(r#""layers""#, r#""x-new":1,"layers""#);
    assert_eq!(image(&text).convert(Kind::Oci).unwrap(), image(&text));
}

#[test]
fn layer_types() {
    let rows: [(Kind, &str, Result<&str, &str>); 15] = [
        (Kind::Docker, DOCKER_LAYER, Ok(OCI_LAYER)),
        (Kind::Docker, DOCKER_LAYER_ZSTD, Ok(OCI_LAYER_ZSTD)),
        (
            Kind::Docker,
            DOCKER_FOREIGN_LAYER_GZIP,
            Ok(OCI_NONDISTRIBUTABLE_LAYER_GZIP),
        ),
        (Kind::Docker, OCI_LAYER_GZIP, Ok(OCI_LAYER_GZIP)),
        (
            Kind::Docker,
            "application/x-layer",
            Err("unknown media type \"application/x-layer\""),
        ),
        (Kind::Docker, "", Err("unknown media type \"\"")),
        (Kind::Oci, OCI_LAYER, Ok(DOCKER_LAYER)),
        (
            Kind::Oci,
            OCI_NONDISTRIBUTABLE_LAYER_GZIP,
            Ok(DOCKER_FOREIGN_LAYER_GZIP),
        ),
        (Kind::Oci, DOCKER_LAYER_GZIP, Ok(DOCKER_LAYER_GZIP)),
        (
            Kind::Oci,
            OCI_LAYER_ZSTD,
            Err("zstd compression is not officially supported for docker images"),
        ),
        (
            Kind::Oci,
            DOCKER_LAYER_ZSTD,
            Err("zstd compression is not officially supported for docker images"),
        ),
        (
            Kind::Oci,
            "application/vnd.oci.image.layer.v1.tar+encrypted",
            Err("encrypted layers"),
        ),
        (Kind::Oci, "application/x-layer", Err("unknown media type")),
        // A config's type has a counterpart, but not as a layer.
        (Kind::Oci, OCI_CONFIG, Err("unknown media type")),
        (Kind::Docker, DOCKER_CONFIG, Err("unknown media type")),
    ];
    for (from, media_type, expected) in rows {
        let (to, config) = match from {
            Kind::Docker => (Kind::Oci, DOCKER_CONFIG),
            Kind::Oci => (Kind::Docker, OCI_CONFIG),
        };
        let mut layer = Descriptor::new(media_type, digest("l"), 7);
        layer.urls.push("https://elsewhere/".into());
        let converted = ImageManifest::new(from, Descriptor::new(config, digest("c"), 1), vec![layer]).convert(to);
        match (converted, expected) {
            (Ok(converted), Ok(expected)) => {
                assert_eq!(converted.layers[0].media_type, expected);
                assert_eq!((converted.layers[0].size, converted.layers[0].urls.len()), (7, 1));
            }
            (Err(error), Err(expected)) => {
                assert!(
                    error.to_string().starts_with("during manifest conversion: ")
                        && error.to_string().contains(expected),
                    "{error}"
                );
                assert_eq!(error.kind(), ErrorKind::Unsupported);
            }
            (converted, _) => panic!("{media_type}: {converted:?}"),
        }
    }
}

#[test]
fn docker_has_no_place_for_some_members() {
    let layer = descriptor(
        OCI_LAYER_GZIP,
        "l",
        r#","annotations":{"a":"b"},"data":"e30=","artifactType":"t","new":1"#,
    );
    let config = descriptor(OCI_CONFIG, "c", "");
    let subject = descriptor(OCI_MANIFEST, "s", "");
    let text = format!(
        r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}],"subject":{subject},"annotations":{{"k":"v"}},"x":1}}"#
    );
    let converted = bytes(&image(&text).convert(Kind::Docker).unwrap());
    let expected = format!(
        r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}","config":{{"mediaType":"{DOCKER_CONFIG}","size":7,"digest":"{}"}},"layers":[{{"mediaType":"{DOCKER_LAYER_GZIP}","size":7,"digest":"{}"}}]}}"#,
        digest("c"),
        digest("l")
    );
    assert_eq!(converted, expected);
}

#[test]
fn artifacts_are_never_converted() {
    let config = descriptor("application/vnd.wasm.config.v0+json", "c", "");
    let rows = [
        ("", "application/vnd.wasm.config.v0+json"),
        (r#""artifactType":"a/b","#, "a/b"),
        (r#""artifactType":"","#, "application/vnd.wasm.config.v0+json"),
    ];
    for (member, expected) in rows {
        let artifact = image(&format!(
            r#"{{"schemaVersion":2,{member}"config":{config},"layers":[]}}"#
        ));
        assert!(artifact.is_artifact());
        let error = artifact.convert(Kind::Docker).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("unsupported image-specific operation on artifact with type \"{expected}\"")
        );
        assert!(artifact.convert(Kind::Oci).is_ok());
    }
    assert!(image(OCI).require_image().is_ok() && image(DOCKER).require_image().is_ok());
}

#[test]
fn lists_keep_their_platforms() {
    let platform = Platform {
        os_version: "10".into(),
        features: vec!["sse4".into()],
        ..Platform::new("windows", "amd64", "v2")
    };
    let mut entry = Descriptor::new(DOCKER_MANIFEST, digest("a"), 5);
    entry.platform = Some(platform.clone());
    entry.annotations.insert("k".into(), "v".into());
    let unknown = Platform::new("unknown", "unknown", "");

    let index = ManifestList::new(Kind::Docker, vec![entry.clone()])
        .convert(Kind::Oci, &unknown)
        .unwrap();
    assert_eq!(
        index.manifests[0].platform,
        Some(Platform {
            features: Vec::new(),
            ..platform.clone()
        })
    );
    assert_eq!(
        (index.kind, index.manifests[0].media_type.as_str()),
        (Kind::Oci, DOCKER_MANIFEST)
    );

    let mut oci = ManifestList::new(
        Kind::Oci,
        vec![
            entry.clone(),
            Descriptor {
                platform: None,
                ..entry
            },
        ],
    );
    oci.annotations.insert("k".into(), "v".into());
    oci.artifact_type = Some("a/b".into());
    let docker = oci.convert(Kind::Docker, &unknown).unwrap();
    assert_eq!(
        (
            docker.annotations.len(),
            docker.artifact_type.as_deref(),
            docker.manifests[0].annotations.len()
        ),
        (0, None, 0)
    );
    let platforms: Vec<_> = docker
        .manifests
        .iter()
        .map(|entry| entry.platform.as_ref().unwrap())
        .collect();
    assert_eq!(platforms, [&platform, &unknown]);
}

#[test]
fn nested_lists_are_refused() {
    let nested = ManifestList::new(
        Kind::Oci,
        vec![
            Descriptor::new(OCI_MANIFEST, digest("a"), 1),
            Descriptor::new(OCI_INDEX, digest("b"), 1),
        ],
    );
    let error = nested.convert(Kind::Docker, &Platform::default()).unwrap_err();
    assert!(
        matches!(&error, ManifestError::NestedList { digest: found, .. } if *found == digest("b")),
        "{error}"
    );
    assert!(nested.refuse_nested().is_err() && nested.convert(Kind::Oci, &Platform::default()).is_ok());
    assert_eq!(
        (
            nested.entry(&digest("a")).map(|entry| entry.size),
            nested.entry(&digest("c"))
        ),
        (Some(1), None)
    );
}
