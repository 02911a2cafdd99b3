#![allow(clippy::unwrap_used)]

mod choosing;
mod converting;
mod hostile;
mod schema_one;

use super::vectors::{DOCKER, INDEX, OCI, descriptor, digest};
use super::{ImageManifest, Kind, ManifestList, Parsed, RawManifest};
use crate::media_type::{
    DOCKER_LAYER_GZIP, DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST,
};
use crate::{Algorithm, BlobInfo, Compression, Descriptor, Digest};

fn image(text: &str) -> ImageManifest {
    match RawManifest::new(text, None).unwrap().parse().unwrap() {
        Parsed::Image(image) => image,
        Parsed::List(_) => panic!("a list: {text}"),
    }
}

fn list(text: &str) -> ManifestList {
    match RawManifest::new(text, None).unwrap().parse().unwrap() {
        Parsed::List(list) => list,
        Parsed::Image(_) => panic!("an image: {text}"),
    }
}

#[test]
fn what_other_tools_wrote_is_written_alike() {
    for (text, media_type) in [(OCI, OCI_MANIFEST), (DOCKER, DOCKER_MANIFEST)] {
        let raw = image(text).to_raw().unwrap();
        assert_eq!((raw.bytes(), raw.media_type()), (text.as_bytes(), media_type));
    }
    let raw = list(INDEX).to_raw().unwrap();
    assert_eq!(
        (raw.bytes(), raw.media_type(), raw.is_list()),
        (INDEX.as_bytes(), OCI_INDEX, true)
    );
    // In the layout the manifest ends with a newline, which its name covers.
    let stored = RawManifest::new(format!("{OCI}\n"), None).unwrap();
    assert_eq!(
        (&list(INDEX).manifests[0].digest, list(INDEX).manifests[0].size),
        (&stored.digest(Algorithm::Sha256), stored.size())
    );
}

#[test]
fn every_member_survives_an_edit() {
    let layer = descriptor(
        OCI_LAYER_GZIP,
        "l",
        r#","urls":["https://e/\u0026"],"annotations":{"a":"\u003cb","z":""},"data":"e30=","platform":{"architecture":"a","os":"o","os.version":"1","os.features":["f"],"variant":"v","features":["x"],"new":1},"artifactType":"t/t","x-new":{"q": [1e400, 123456789012345678901234567890]}"#,
    );
    let config = descriptor("application/vnd.oci.image.config.v1+json", "c", "");
    let subject = descriptor(OCI_MANIFEST, "s", "");
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","artifactType":"a/b","config":{config},"layers":[{layer}],"subject":{subject},"annotations":{{"k":"v"}},"x-top":null}}"#
    );
    let parsed = image(&text);
    assert_eq!(String::from_utf8_lossy(parsed.to_raw().unwrap().bytes()), text);
    assert_eq!(parsed.layers[0].platform.as_ref().unwrap().os_version, "1");

    let entry = descriptor(
        DOCKER_MANIFEST,
        "e",
        r#","platform":{"architecture":"amd64","os":"windows","os.version":"10","features":["sse4"]},"more":true"#,
    );
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{DOCKER_LIST}","manifests":[{entry}],"x":[]}}"#);
    // Docker has the size before the digest.
    let reordered = text.replace(
        &format!(r#""digest":"{}","size":7"#, digest("e")),
        &format!(r#""size":7,"digest":"{}""#, digest("e")),
    );
    assert_eq!(
        String::from_utf8_lossy(list(&text).to_raw().unwrap().bytes()),
        reordered
    );
}

#[test]
fn types_are_guessed() {
    let rows: [(&str, &str); 25] = [
        (OCI, OCI_MANIFEST),
        (DOCKER, DOCKER_MANIFEST),
        (INDEX, OCI_INDEX),
        (
            r#"{"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json"}"#,
            DOCKER_LIST,
        ),
        (
            r#"{"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":7}"#,
            OCI_INDEX,
        ),
        (
            r#"{"schemaVersion":1,"signatures":null}"#,
            "application/vnd.docker.distribution.manifest.v1+json",
        ),
        (
            r#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#,
            "application/vnd.docker.distribution.manifest.v1+json",
        ),
        (
            r#"{"schemaVersion":1,"mediaType":"x"}"#,
            "application/vnd.docker.distribution.manifest.v1+json",
        ),
        (
            r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.docker.container.image.v1+json"}}"#,
            DOCKER_MANIFEST,
        ),
        (
            r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.wasm.config.v0+json"}}"#,
            OCI_MANIFEST,
        ),
        (r#"{"schemaVersion":2,"config":{}}"#, OCI_MANIFEST),
        (r#"{"schemaVersion":2}"#, OCI_MANIFEST),
        (r#"{"schemaVersion":2,"manifests":[]}"#, OCI_INDEX),
        (r#"{"schemaVersion":2,"manifests":null,"layers":[]}"#, OCI_MANIFEST),
        (
            r#"{"schemaVersion":2,"mediaType":"application/json","manifests":[{}]}"#,
            OCI_INDEX,
        ),
        (r#"{"schemaVersion":3}"#, ""),
        (r#"{"schemaVersion":"2"}"#, ""),
        (r#"{"schemaVersion":2,"config":7}"#, ""),
        (r#"{"mediaType":7,"schemaVersion":2}"#, ""),
        (r#"{"schemaVersion":2,"config":{"mediaType":7}}"#, ""),
        ("{}", ""),
        ("[]", ""),
        ("", ""),
        ("{\"schemaVersion\":2", ""),
        ("\u{1f8b}\u{8}", ""),
    ];
    for (text, expected) in rows {
        assert_eq!(RawManifest::new(text, None).unwrap().media_type(), expected, "{text}");
    }
}

#[test]
fn a_declared_type_counts_before_the_content() {
    let raw = RawManifest::new(OCI, Some("Application/vnd.oci.image.manifest.v1+json; charset=utf-8")).unwrap();
    assert_eq!(raw.media_type(), OCI_MANIFEST);
    assert_eq!(RawManifest::new(OCI, Some(" ")).unwrap().media_type(), OCI_MANIFEST);
    let odd = RawManifest::new(OCI, Some("application/x-odd")).unwrap();
    assert_eq!(odd.media_type(), "application/x-odd");
    assert_eq!(
        odd.parse().unwrap_err().to_string(),
        "unsupported manifest type \"application/x-odd\""
    );
}

#[test]
fn any_bytes_have_a_digest() {
    for bytes in [&b""[..], b"\0\xff", b"not json"] {
        let raw = RawManifest::new(bytes, None).unwrap();
        assert_eq!(
            (raw.digest(Algorithm::Sha256), raw.size()),
            (Digest::sha256(bytes), bytes.len() as u64)
        );
        assert_eq!(raw.digest(Algorithm::Sha512), Digest::of(Algorithm::Sha512, bytes));
    }
}

#[test]
fn a_signed_schema_1_manifest_is_digested_without_its_signatures() {
    // {"formatLength":22,"formatTail":"fQ"}: the tail is "}".
    let signed = r#"{"schemaVersion": 1, "x":1, "signatures": [{"protected":"eyJmb3JtYXRMZW5ndGgiOjI2LCJmb3JtYXRUYWlsIjoiZlEifQ"}]}"#;
    let unsigned = r#"{"schemaVersion": 1, "x":1}"#;
    // The digest depends on the content alone, not on what the source called it.
    for declared in [
        None,
        Some("application/vnd.docker.distribution.manifest.v1+json"),
        Some("text/plain"),
    ] {
        let raw = RawManifest::new(signed, declared).unwrap();
        assert_eq!(
            raw.digest(Algorithm::Sha256),
            Digest::sha256(unsigned.as_bytes()),
            "{declared:?}"
        );
        assert_eq!(raw.bytes(), signed.as_bytes());
    }
    let error = RawManifest::new(signed, None).unwrap().parse().unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Unsupported);
    assert!(error.to_string().contains("schema 1"), "{error}");
}

#[test]
fn layers_as_blobs() {
    let image = image(DOCKER);
    let infos = image.layer_infos();
    assert_eq!(infos.len(), 2);
    assert_eq!(
        (infos[1].size, infos[1].role(), infos[1].media_type.as_str()),
        (Some(70740), Some("layer"), DOCKER_LAYER_GZIP)
    );
    assert_eq!(infos[1].extras[BlobInfo::LAYER_INDEX], "1");
    assert_eq!(
        (image.config_info().role(), image.config_info().digest),
        (Some("config"), Some(image.config.digest.clone()))
    );
}

#[test]
fn layers_change_when_they_are_stored_otherwise() {
    let chunked = "io.github.containers.zstd-chunked.manifest-checksum";
    let mut layer = Descriptor::new(OCI_LAYER_ZSTD, digest("zstd"), 10);
    layer.urls.push("https://elsewhere/".into());
    layer.data = Some("e30=".into());
    layer.annotations.extend([
        (chunked.to_owned(), "x".to_owned()),
        ("keep".to_owned(), "y".to_owned()),
    ]);

    assert_eq!(layer.stored_as(digest("zstd"), 10, Compression::Zstd).unwrap(), layer);
    let stored = layer.stored_as(digest("gzip"), 20, Compression::Gzip).unwrap();
    assert_eq!(
        (stored.media_type.as_str(), stored.size, stored.digest),
        (OCI_LAYER_GZIP, 20, digest("gzip"))
    );
    assert_eq!(
        (
            stored.urls.len(),
            stored.data,
            stored.annotations.into_keys().collect::<Vec<_>>()
        ),
        (0, None, vec!["keep".to_owned()])
    );
    assert!(layer.stored_as(digest("xz"), 20, Compression::Xz).is_err());

    for untouched in [
        "application/wasm",
        "",
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
    ] {
        let stored = Descriptor::new(untouched, digest("a"), 1)
            .stored_as(digest("b"), 2, Compression::None)
            .unwrap();
        assert_eq!(stored.media_type, untouched);
    }
    let image = image(OCI);
    let edited = image
        .with_layers(vec![layer.clone()])
        .with_config(Descriptor::new("c", digest("c"), 1));
    assert_eq!(
        (edited.layers, edited.config.size, edited.kind),
        (vec![layer], 1, Kind::Oci)
    );
}
