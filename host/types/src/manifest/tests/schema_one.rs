//! Schema 1: what skopeo made of an image, the same made here, and manifests that are none.

use super::super::{EMPTY_LAYER, ManifestError, RawManifest, SchemaOne, SchemaOneDraft};
use super::{DOCKER, OCI, image};
use crate::media_type::{DOCKER_V1, DOCKER_V1_SIGNED};
use crate::{Algorithm, Digest, ErrorKind, ImageFormat, Kind, Reference};

/// By umoci: the config of [`DOCKER`] and [`OCI`].
const CONFIG: &str = r#"{"created":"2026-11-23T21:15:46.394928523Z","architecture":"amd64","os":"linux","config":{"Labels":{"made":"vectors"}},"rootfs":{"type":"layers","diff_ids":["sha256:7a49058bb53bed226b8a120ba0d91d7493a4118f035ed9f262fefa760c16e842","sha256:30ef13ad0311dc5f25ee31315cf0959786a83633a2665082986430480078adc8"]},"history":[{"created":"2026-11-23T21:15:46.432580569Z","created_by":"umoci repack"},{"created":"2026-11-23T21:15:46.455576361Z","created_by":"umoci repack"},{"created":"2026-11-23T21:15:46.474822393Z","created_by":"umoci config","empty_layer":true}]}"#;

/// By skopeo: that image after `copy --format v2s1` to a folder.
const SIGNED: &str = r#"{"name":"","tag":"","architecture":"amd64","fsLayers":[{"blobSum":"sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"},{"blobSum":"sha256:da7ff653f1d3985fadeec113d08cb65f2094e870beabc428e7829f778f0ac3ee"},{"blobSum":"sha256:8d78fd0df4cee3610c82c3101617f52653d4d239fbb9a923865965b4c37890a4"}],"history":[{"v1Compatibility":"{\"architecture\":\"amd64\",\"config\":{\"Labels\":{\"made\":\"vectors\"}},\"created\":\"2026-11-23T21:15:46.394928523Z\",\"id\":\"e39abbc59c81f572e41a0eb7d755f1b16aa937f7e40165ba45bf4f6df9c61780\",\"os\":\"linux\",\"parent\":\"c66c6519fec955acec6114c14dcd9690ae4044890652c62d81ad2c5afd0999ff\",\"throwaway\":true}"},{"v1Compatibility":"{\"id\":\"c66c6519fec955acec6114c14dcd9690ae4044890652c62d81ad2c5afd0999ff\",\"parent\":\"fa706e9eec44e29b3d67fdedee29df9a957b7d935d21487f78462ea79f7b0d49\",\"created\":\"2026-11-23T21:15:46.455576361Z\",\"container_config\":{\"Cmd\":[\"umoci repack\"]}}"},{"v1Compatibility":"{\"id\":\"fa706e9eec44e29b3d67fdedee29df9a957b7d935d21487f78462ea79f7b0d49\",\"created\":\"2026-11-23T21:15:46.432580569Z\",\"container_config\":{\"Cmd\":[\"umoci repack\"]}}"}],"schemaVersion":1,"signatures":[{"header":{"jwk":{"crv":"P-256","kid":"AYU5:2K4C:GVDQ:SHQW:TTI6:SHRU:2WKB:IP5Y:H6UT:V5JY:FOZT:UXVP","kty":"EC","x":"HYEBQelGsdV5SIHdxlRmr9hRP6HWhOsIL8MFubZyQXw","y":"UO8L7AJ3Egmvgwuw8uL7GaBRpFO5et_lpiq35Ej9o_c"},"alg":"ES256"},"signature":"A0y1g6xVV1KA5gNDtVW1OrHWX6ZkOWoSD1LWkKtUvyK2kwwSvvjEbkKW7Tf-zRBMKoARimjVbuzACgjZnLY1lw","protected":"eyJmb3JtYXRMZW5ndGgiOjExNTQsImZvcm1hdFRhaWwiOiJmUSIsInRpbWUiOiIyMDI2LTExLTI1VDEzOjIyOjA0WiJ9"}]}"#;

/// By skopeo: the config of that manifest after `copy --format v2s2`.
const CONFIG_AGAIN: &str = r#"{"architecture":"amd64","config":{"Labels":{"made":"vectors"}},"created":"2026-11-23T21:15:46.394928523Z","history":[{"created":"2026-11-23T21:15:46.432580569Z","created_by":"umoci repack"},{"created":"2026-11-23T21:15:46.455576361Z","created_by":"umoci repack"},{"created":"2026-11-23T21:15:46.394928523Z","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:7a49058bb53bed226b8a120ba0d91d7493a4118f035ed9f262fefa760c16e842","sha256:30ef13ad0311dc5f25ee31315cf0959786a83633a2665082986430480078adc8"]}}"#;

fn diff_ids() -> Vec<Digest> {
    crate::ImageConfig::parse(CONFIG).unwrap().diff_ids().unwrap()
}

/// The image in schema 1, made here. The config's file ends with a newline, which takes part in an id.
fn made_of(manifest: &str) -> SchemaOne {
    SchemaOne::from_image(&image(manifest), format!("{CONFIG}\n").as_bytes(), None).unwrap()
}

fn parse(text: &str) -> Result<SchemaOne, ManifestError> {
    RawManifest::new(text, Some(DOCKER_V1))?.parse_schema_one()
}

#[test]
fn what_skopeo_wrote_is_read_and_written_alike() {
    let raw = RawManifest::new(SIGNED, None).unwrap();
    assert!(raw.is_schema_one() && raw.media_type() == DOCKER_V1_SIGNED);
    let read = raw.parse_schema_one().unwrap();
    let unsigned = read.to_unsigned().unwrap();
    assert_eq!(raw.digest(Algorithm::Sha256), Digest::sha256(&unsigned));
    for manifest in [DOCKER, OCI] {
        let made = made_of(manifest);
        assert_eq!(
            String::from_utf8_lossy(&made.to_unsigned().unwrap()),
            String::from_utf8_lossy(&unsigned)
        );
        assert_eq!(made.layers().len(), read.layers().len());
    }
}

#[test]
fn layers_stand_base_first() {
    let read = parse(SIGNED).unwrap();
    let layers: Vec<_> = read
        .layers()
        .iter()
        .map(|layer| (layer.blob().clone(), layer.is_empty()))
        .collect();
    let named = image(DOCKER).layers;
    let expected = [
        (named[0].digest.clone(), false),
        (named[1].digest.clone(), false),
        (Digest::sha256(&EMPTY_LAYER), true),
    ];
    assert_eq!(layers, expected);
}

#[test]
fn a_config_is_made_of_the_history() {
    let read = parse(SIGNED).unwrap();
    let config = read.config(Some(&diff_ids())).unwrap();
    assert_eq!(String::from_utf8_lossy(&config), CONFIG_AGAIN);
    let unknown = String::from_utf8(read.config(None).unwrap()).unwrap();
    assert!(unknown.contains(r#""diff_ids":["",""]"#), "{unknown}");
    let error = read.config(Some(&diff_ids()[..1])).unwrap_err();
    assert_eq!(error.to_string(), "invalid schema 1 manifest: 1 DiffIDs for 2 layers");
}

#[test]
fn names_follow_the_destination() {
    let bare = parse(SIGNED).unwrap();
    let reference = Reference::parse_normalized("registry.example/a/b:v1").unwrap();
    assert!(bare.conflicts_with(&reference));
    let named = bare.with_reference(Some(&reference));
    assert_eq!((named.name.as_str(), named.tag.as_str()), ("a/b", "v1"));
    assert!(!named.conflicts_with(&reference));
    assert!(named.conflicts_with(&Reference::parse_normalized("registry.example/a/b:v2").unwrap()));
    assert_eq!(named.with_reference(None), bare);
}

#[test]
fn blobs_are_replaced_in_their_order() {
    let blobs = ["a", "b", "c"].map(super::digest);
    let changed = parse(SIGNED).unwrap().with_blobs(blobs.clone());
    let written = String::from_utf8(changed.to_unsigned().unwrap()).unwrap();
    let places = blobs.map(|blob| written.find(blob.as_str()).unwrap());
    assert!(places[2] < places[1] && places[1] < places[0]);
}

#[test]
fn a_signed_draft_keeps_its_digest() {
    let read = parse(SIGNED).unwrap();
    let draft = SchemaOneDraft::new(&read).unwrap();
    let message = String::from_utf8(draft.message()).unwrap();
    let raw = draft.signed(&[1; 64], &[2; 32], &[3; 32]).unwrap();
    let text = String::from_utf8_lossy(raw.bytes());
    assert!(text.contains(&format!(r#""protected":"{}""#, message.split('.').next().unwrap())));
    assert!(text.contains(r#""alg":"ES256""#));
    assert_eq!(
        raw.digest(Algorithm::Sha256),
        Digest::sha256(&read.to_unsigned().unwrap())
    );
    assert_eq!(raw.parse_schema_one().unwrap(), read);
}

#[test]
fn formats_and_their_types() {
    for format in [ImageFormat::SchemaOne, ImageFormat::Docker, ImageFormat::Oci] {
        assert_eq!(ImageFormat::of(format.image_type()), Some(format));
        assert_eq!(ImageFormat::of(format.list_kind().list_type()), None);
    }
    assert_eq!(ImageFormat::of(DOCKER_V1), Some(ImageFormat::SchemaOne));
    assert_eq!(ImageFormat::SchemaOne.list_kind(), Kind::Docker);
}

#[test]
fn images_that_schema_one_cannot_hold() {
    let no_history = CONFIG.replace("history", "story");
    let three = CONFIG.replace(r#","empty_layer":true"#, "");
    let one = CONFIG.replace(
        r#"{"created":"2026-11-23T21:15:46.455576361Z","created_by":"umoci repack"},"#,
        "",
    );
    let artifact = OCI.replace("image.config.v1", "thing.v1");
    let zstd = OCI.replace("tar+gzip", "tar+zstd");
    // Few bytes a step here, many there.
    let steps = vec![r#"{"empty_layer":true}"#; 30_000].join(",");
    let long = format!(r#"{{"history":[{steps}]}}"#);
    let rows = [
        (
            DOCKER,
            no_history.as_str(),
            "Cannot convert an image with 0 history entries to application/vnd.docker.distribution.manifest.v1+prettyjws",
        ),
        (DOCKER, "{}", "0 history entries"),
        (DOCKER, three.as_str(), "needs more than the 2 distributed layers"),
        (DOCKER, one.as_str(), "needs only 1 of the 2 distributed layers"),
        (DOCKER, "[]", "not an object"),
        (DOCKER, long.as_str(), "more than the limit"),
        (
            artifact.as_str(),
            CONFIG,
            "unsupported image-specific operation on artifact",
        ),
        (zstd.as_str(), CONFIG, "zstd compression is not officially supported"),
    ];
    for (manifest, config, expected) in rows {
        let error = SchemaOne::from_image(&image(manifest), config.as_bytes(), None).unwrap_err();
        assert!(
            error.to_string().contains(expected),
            "{error} does not contain {expected}"
        );
    }
}

/// A manifest of these documents, newest first.
fn manifest(history: &[String]) -> String {
    let blob = super::digest("layer");
    let layers = vec![format!(r#"{{"blobSum":"{blob}"}}"#); history.len()].join(",");
    let history: Vec<String> = history
        .iter()
        .map(|step| serde_json::json!({ "v1Compatibility": step }).to_string())
        .collect();
    format!(
        r#"{{"schemaVersion":1,"name":"n","tag":"t","fsLayers":[{layers}],"history":[{}]}}"#,
        history.join(",")
    )
}

fn step(id: char, parent: &str) -> String {
    let id = id.to_string().repeat(64);
    let parent = parent.repeat(64);
    format!(r#"{{"id":"{id}","parent":"{parent}"}}"#)
}

#[test]
fn repeated_steps_count_once() {
    let read = parse(&manifest(&[step('b', "a"), step('b', "a"), step('a', "")])).unwrap();
    assert_eq!(read.layers().len(), 2);
}

#[test]
fn hostile_manifests() {
    let good = manifest(&[step('b', "a"), step('a', "")]);
    assert!(parse(&good).is_ok());
    let rows: [(String, &str); 15] = [
        ("{}".into(), "schemaVersion"),
        (
            good.replace(r#""schemaVersion":1"#, r#""schemaVersion":3"#),
            "unsupported schema version 3",
        ),
        (manifest(&[]), "no FSLayers"),
        (r#"{"schemaVersion":1}"#.into(), "no FSLayers"),
        (
            good.replace("\"fsLayers\":[", "\"fsLayers\":[{\"blobSum\":\"sha256:x\"},"),
            "blobSum",
        ),
        (
            good.replace("\"history\":[", "\"history\":[{\"v1Compatibility\":\"{}\"},"),
            "length of history not equal to number of layers",
        ),
        (good.replace("\"history\":[", "\"history\":[{},"), "v1Compatibility"),
        (good.replace("\"fsLayers\":[", "\"fsLayers\":[7,"), "fsLayers"),
        (manifest(&["[]".into()]), "history entry 0"),
        (manifest(&["{\"id\":7}".into()]), "history entry 0"),
        (manifest(&["{\"id\":\"../x\"}".into()]), "is invalid"),
        (manifest(&[step('b', "a")]), "Invalid parent ID in the base layer"),
        (
            manifest(&[step('c', "a"), step('b', "a"), step('a', "")]),
            "Invalid parent ID. Expected bbb",
        ),
        (
            manifest(&[step('a', "b"), step('b', "a"), step('a', "")]),
            "appears multiple times",
        ),
        (
            manifest(&[format!("{{\"id\":\"{}\",\"created\":\"soon\"}}", "a".repeat(64))]),
            "not an RFC 3339 time",
        ),
    ];
    for (text, expected) in rows {
        let error = parse(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{text}");
        assert!(
            error.to_string().contains(expected),
            "{error} does not contain {expected}"
        );
    }
}

#[test]
fn a_long_history_is_read() {
    let id = |number: usize| format!("{number:064x}");
    let steps: Vec<String> = (1..=10_000)
        .rev()
        .map(|number| match number {
            1 => format!(r#"{{"id":"{}"}}"#, id(1)),
            _ => format!(r#"{{"id":"{}","parent":"{}"}}"#, id(number), id(number - 1)),
        })
        .collect();
    assert_eq!(parse(&manifest(&steps)).unwrap().layers().len(), 10_000);
}

#[test]
fn every_truncation_is_refused() {
    for end in 0..SIGNED.len() {
        assert!(
            RawManifest::new(&SIGNED.as_bytes()[..end], Some(DOCKER_V1))
                .and_then(|raw| raw.parse_schema_one())
                .is_err()
        );
    }
}
