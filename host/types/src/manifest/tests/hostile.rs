//! Manifests that somebody made to confuse or exhaust a reader.

use proptest::prelude::*;

use super::super::vectors::{DOCKER, INDEX, OCI, digest};
use super::super::{MAX_MANIFEST_SIZE, ManifestError, Parsed, RawManifest};
use crate::ErrorKind;
use crate::media_type::{
    ALL_MANIFESTS, DOCKER_LIST, DOCKER_MANIFEST, DOCKER_V1, DOCKER_V1_SIGNED, OCI_INDEX, OCI_MANIFEST,
};

/// The first error of taking the bytes as that type and reading them.
fn refused(text: impl Into<Vec<u8>>, media_type: &str) -> ManifestError {
    match RawManifest::new(text, Some(media_type)).and_then(|raw| raw.parse()) {
        Ok(parsed) => panic!("accepted as {media_type}: {parsed:?}"),
        Err(error) => error,
    }
}

#[test]
fn two_kinds_at_once() {
    let rows = [
        (
            r#"{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}"#,
            OCI_MANIFEST,
            r#"["manifests"]"#,
        ),
        (
            r#"{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}"#,
            DOCKER_MANIFEST,
            r#"["manifests"]"#,
        ),
        (
            r#"{"schemaVersion":2,"manifests":[],"layers":[{}]}"#,
            OCI_INDEX,
            r#"["layers"]"#,
        ),
        (
            r#"{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}"#,
            DOCKER_LIST,
            r#"["config", "layers"]"#,
        ),
        (
            r#"{"schemaVersion":2,"config":{},"layers":[],"fsLayers":[],"history":[]}"#,
            DOCKER_MANIFEST,
            r#"["fsLayers", "history"]"#,
        ),
        (
            r#"{"schemaVersion":1,"fsLayers":[],"history":[],"config":{}}"#,
            DOCKER_V1,
            r#"["config"]"#,
        ),
        (
            r#"{"schemaVersion":1,"fsLayers":[],"layers":[]}"#,
            DOCKER_V1_SIGNED,
            r#"["layers"]"#,
        ),
        // Go's reader would take these for the members it knows.
        (
            r#"{"schemaVersion":2,"config":{},"layers":[],"Manifests":[]}"#,
            OCI_MANIFEST,
            r#"["Manifests"]"#,
        ),
        (
            r#"{"schemaVersion":2,"config":{},"layers":[],"LAYERS":[]}"#,
            OCI_MANIFEST,
            r#"["LAYERS"]"#,
        ),
        (
            r#"{"schemaVersion":2,"config":{},"layers":[],"layer\u017f":[]}"#,
            OCI_MANIFEST,
            "[\"layerſ\"]",
        ),
        (
            r#"{"schemaVersion":2,"manifests":[],"MediaType":"x"}"#,
            OCI_INDEX,
            r#"["MediaType"]"#,
        ),
    ];
    for (text, media_type, fields) in rows {
        let error = refused(text, media_type);
        assert_eq!(
            error.to_string(),
            format!("rejecting ambiguous manifest, unexpected fields {fields} in supposedly {media_type}")
        );
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
    // Null says nothing.
    let text = OCI.replace(r#""layers""#, r#""manifests":null,"layers""#);
    assert!(RawManifest::new(text, None).unwrap().parse().is_ok());
}

#[test]
fn another_type_than_declared() {
    for (text, media_type) in [(DOCKER, OCI_MANIFEST), (DOCKER, DOCKER_LIST)] {
        assert_eq!(refused(text, media_type).kind(), ErrorKind::InvalidData, "{media_type}");
    }
    let index = INDEX.replace(
        r#"{"schemaVersion":2,"#,
        &format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","#),
    );
    assert!(matches!(
        refused(index, DOCKER_LIST),
        ManifestError::TypeMismatch { .. }
    ));
    // A registry without a usable content type: the fault is the type, not the document.
    assert!(matches!(
        refused(r#"{"schemaVersion":1}"#, DOCKER_V1_SIGNED),
        ManifestError::SchemaOne { .. }
    ));
}

#[test]
fn every_truncation() {
    for text in [OCI, DOCKER, INDEX] {
        let media_type = RawManifest::new(text, None).unwrap().media_type().to_owned();
        for end in 0..text.len() {
            assert_eq!(
                refused(&text.as_bytes()[..end], &media_type).kind(),
                ErrorKind::InvalidData,
                "{end}"
            );
        }
    }
}

#[test]
fn malformed_members() {
    let digest = digest("x");
    let size = r#""size":558"#;
    let edits = [
        (size, r#""size":-1"#),
        (size, r#""size":9223372036854775808"#),
        (size, r#""size":99999999999999999999999999"#),
        (size, r#""size":1e3"#),
        (size, r#""size":1.5"#),
        (size, r#""size":"558""#),
        (size, r#""size":null"#),
        (size, r#""size":558,"size":558"#),
        (size, r#""size":558,"urls":"x""#),
        (size, r#""size":558,"urls":[1]"#),
        (size, r#""size":558,"annotations":[]"#),
        (size, r#""size":558,"annotations":{"a":1}"#),
        (size, r#""size":558,"annotations":{"a":"1","a":"2"}"#),
        (size, r#""size":558,"platform":"linux""#),
        (size, r#""size":558,"platform":{"os":1}"#),
        (size, r#""size":558,"platform":{"os":"a","os":"b"}"#),
        (size, r#""size":558,"data":{}"#),
        (r#""schemaVersion":2"#, r#""schemaVersion":1"#),
        (r#""schemaVersion":2"#, r#""schemaVersion":2,"schemaVersion":2"#),
        (r#""schemaVersion":2"#, r#""schemaVersion":"2""#),
        (r#""schemaVersion":2"#, r#""schemaVersion":null"#),
        (r#""schemaVersion":2,"#, ""),
        (r#""config":{"#, r#""config":[{"#),
        (r#""config":{"mediaType""#, r#""config":null,"x":{"mediaType""#),
        (r#""layers":["#, r#""layers":[null,"#),
        (r#""layers":["#, r#""layers":[{},"#),
        (r#""layers":["#, r#""layers":[[],"#),
        (r#""layers":["#, r#""annotations":{"k":null},"layers":["#),
        (r#""layers":["#, r#""artifactType":1,"layers":["#),
        (r#""layers":["#, r#""mediaType":1,"layers":["#),
        (r#""layers":["#, r#""subject":{},"layers":["#),
        ("sha256:61e25036", "sha256:61E25036"),
        ("sha256:61e25036", "sha512:61e25036"),
        ("sha256:61e25036", "sha256:../../61"),
        ("sha256:61e25036", "md5:61e25036"),
        ("sha256:61e25036", ""),
    ];
    assert!(OCI.contains(size) && !OCI.contains(digest.as_str()));
    for (from, to) in edits {
        let text = OCI.replacen(from, to, 1);
        assert_ne!(text, OCI, "{from}");
        assert_eq!(refused(text, OCI_MANIFEST).kind(), ErrorKind::InvalidData, "{to}");
    }
}

#[test]
fn not_a_manifest_at_all() {
    let deep = format!(r#"{{"schemaVersion":2,"config":{}"#, r#"{"a":"#.repeat(200_000));
    for media_type in ALL_MANIFESTS {
        for bytes in [
            &b""[..],
            b"[]",
            b"null",
            b"7",
            b"\"x\"",
            b"{}",
            b"\xff\xfe{}",
            b"\xef\xbb\xbf{}",
            b"{}{}",
            deep.as_bytes(),
        ] {
            let kind = refused(bytes, media_type).kind();
            assert!(
                matches!(kind, ErrorKind::InvalidData | ErrorKind::Unsupported),
                "{media_type}: {kind:?}"
            );
        }
    }
}

#[test]
fn missing_layers_are_none() {
    for member in [r#""layers":null"#, r#""x":0"#] {
        let start = OCI.find(r#","layers""#).unwrap();
        let text = format!("{},{member}}}", &OCI[..start]);
        let Parsed::Image(image) = RawManifest::new(text, None).unwrap().parse().unwrap() else {
            panic!("a list")
        };
        assert_eq!(image.layers, []);
    }
}

#[test]
fn the_size_limit() {
    let padded = |length: usize| format!("{OCI}{}", " ".repeat(length - OCI.len()));
    assert!(
        RawManifest::new(padded(MAX_MANIFEST_SIZE), None)
            .unwrap()
            .parse()
            .is_ok()
    );
    assert!(matches!(
        RawManifest::new(padded(MAX_MANIFEST_SIZE + 1), None),
        Err(ManifestError::TooLarge { .. })
    ));
    // An edit may not grow beyond it either.
    let Parsed::Image(mut image) = RawManifest::new(OCI, None).unwrap().parse().unwrap() else {
        panic!("a list")
    };
    image.annotations.insert("k".into(), "v".repeat(MAX_MANIFEST_SIZE));
    assert!(matches!(image.to_raw(), Err(ManifestError::TooLarge { .. })));
}

#[test]
fn a_broken_signature_block_has_no_digest() {
    for text in [
        r#"{"schemaVersion":1,"signatures":[]}"#,
        r#"{"schemaVersion":1,"signatures":{}}"#,
        r#"{"schemaVersion":1,"signatures":[{"protected":"e30"}]}"#,
    ] {
        assert!(
            matches!(RawManifest::new(text, None), Err(ManifestError::SignedPayload { .. })),
            "{text}"
        );
    }
}

#[test]
fn any_number_of_unknown_members_survives() {
    let members: Vec<String> = (0..20_000).map(|index| format!("\"{index}\":0")).collect();
    let text = OCI.replacen(r#""config""#, &format!("{},\"config\"", members.join(",")), 1);
    let Parsed::Image(image) = RawManifest::new(text.clone(), None).unwrap().parse().unwrap() else {
        panic!("a list")
    };
    assert_eq!(image.extra.keys().count(), members.len());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), which in 0..ALL_MANIFESTS.len()) {
        for declared in [None, Some(ALL_MANIFESTS[which])] {
            let _ = RawManifest::new(bytes.clone(), declared).and_then(|raw| raw.parse());
        }
    }

    #[test]
    fn a_changed_byte_never_panics_and_what_is_accepted_writes_and_reads_alike(position in 0..OCI.len(), byte in any::<u8>()) {
        let mut bytes = OCI.as_bytes().to_vec();
        bytes[position] = byte;
        if let Ok(Parsed::Image(image)) = RawManifest::new(bytes, None).and_then(|raw| raw.parse()) {
            let again = image.to_raw().and_then(|raw| raw.parse()).unwrap();
            prop_assert_eq!(again, Parsed::Image(image));
        }
    }
}
