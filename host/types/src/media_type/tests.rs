#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn layers_correspond_one_to_one() {
    let rows = [
        (DOCKER_LAYER, OCI_LAYER),
        (DOCKER_LAYER_GZIP, OCI_LAYER_GZIP),
        (DOCKER_FOREIGN_LAYER, OCI_NONDISTRIBUTABLE_LAYER),
        (DOCKER_FOREIGN_LAYER_GZIP, OCI_NONDISTRIBUTABLE_LAYER_GZIP),
        (DOCKER_CONFIG, OCI_CONFIG),
    ];
    for (docker, oci) in rows {
        assert_eq!(to_oci(docker).as_deref(), Ok(oci));
        assert_eq!(to_docker(oci).as_deref(), Ok(docker));
        assert_eq!(to_oci(oci).as_deref(), Ok(oci));
        assert_eq!(to_docker(docker).as_deref(), Ok(docker));
    }
}

#[test]
fn zstd_goes_one_way_only() {
    assert_eq!(to_oci(DOCKER_LAYER_ZSTD).as_deref(), Ok(OCI_LAYER_ZSTD));
    for media_type in [OCI_LAYER_ZSTD, OCI_NONDISTRIBUTABLE_LAYER_ZSTD, DOCKER_LAYER_ZSTD] {
        let message = to_docker(media_type).unwrap_err().to_string();
        assert!(
            message.ends_with("zstd compression is not officially supported for docker images"),
            "{message}"
        );
    }
}

#[test]
fn encrypted_layers_stay_with_oci() {
    for media_type in [
        OCI_LAYER,
        OCI_LAYER_GZIP,
        OCI_LAYER_ZSTD,
        OCI_NONDISTRIBUTABLE_LAYER_GZIP,
    ] {
        let encrypted = format!("{media_type}{ENCRYPTED_SUFFIX}");
        assert!(layer(&encrypted).unwrap().encrypted);
        assert_eq!(to_oci(&encrypted).as_deref(), Ok(encrypted.as_str()));
        assert_eq!(to_docker(&encrypted), Err(MediaTypeError::EncryptedInDocker(encrypted)));
    }
    assert_eq!(layer(&format!("{DOCKER_LAYER_GZIP}{ENCRYPTED_SUFFIX}")), None);
}

#[test]
fn others_have_no_counterpart() {
    for media_type in [
        "",
        "application/wasm",
        "application/octet-stream",
        OCI_MANIFEST,
        OCI_EMPTY,
        "APPLICATION/VND.OCI.IMAGE.LAYER.V1.TAR",
        "+encrypted",
    ] {
        assert_eq!(to_oci(media_type), Err(MediaTypeError::Unknown(media_type.to_owned())));
        assert_eq!(
            to_docker(media_type),
            Err(MediaTypeError::Unknown(media_type.to_owned()))
        );
        assert_eq!(layer(media_type), None);
    }
}

#[test]
fn compression_changes_the_suffix_only() {
    let rows: [(&str, Compression, Option<&str>); 11] = [
        (OCI_LAYER, Compression::Gzip, Some(OCI_LAYER_GZIP)),
        (OCI_LAYER_GZIP, Compression::Zstd, Some(OCI_LAYER_ZSTD)),
        (OCI_LAYER_ZSTD, Compression::None, Some(OCI_LAYER)),
        (
            OCI_NONDISTRIBUTABLE_LAYER,
            Compression::Gzip,
            Some(OCI_NONDISTRIBUTABLE_LAYER_GZIP),
        ),
        (DOCKER_LAYER_GZIP, Compression::None, Some(DOCKER_LAYER)),
        (DOCKER_LAYER_ZSTD, Compression::Gzip, Some(DOCKER_LAYER_GZIP)),
        (DOCKER_FOREIGN_LAYER, Compression::Gzip, Some(DOCKER_FOREIGN_LAYER_GZIP)),
        (DOCKER_LAYER_GZIP, Compression::Zstd, None),
        (OCI_LAYER_GZIP, Compression::Xz, None),
        (OCI_LAYER_GZIP, Compression::Bzip2, None),
        (OCI_CONFIG, Compression::Gzip, None),
    ];
    for (from, compression, expected) in rows {
        assert_eq!(
            with_compression(from, compression).ok().as_deref(),
            expected,
            "{from} {compression}"
        );
    }
}

#[test]
fn registries_types_are_normalised() {
    let rows: [(Option<&str>, &str); 9] = [
        (None, DOCKER_V1_SIGNED),
        (Some(""), DOCKER_V1_SIGNED),
        (Some("text/plain"), DOCKER_V1_SIGNED),
        (Some("application/json"), DOCKER_V1_SIGNED),
        (Some("application/x-unheard-of"), DOCKER_V1_SIGNED),
        (Some(DOCKER_V1), DOCKER_V1),
        (
            Some("application/vnd.oci.image.index.v1+json; charset=utf-8"),
            OCI_INDEX,
        ),
        (
            Some(" Application/Vnd.Docker.Distribution.Manifest.v2+JSON ;a=b;c"),
            DOCKER_MANIFEST,
        ),
        (Some(";"), DOCKER_V1_SIGNED),
    ];
    for (header, expected) in rows {
        assert_eq!(of_registry_manifest(header), expected, "{header:?}");
    }
}

#[test]
fn kinds_of_types() {
    for media_type in ALL_MANIFESTS {
        assert!(is_manifest(media_type) && is_list(media_type) != is_image_manifest(media_type));
    }
    for media_type in ["", OCI_CONFIG, OCI_LAYER] {
        assert!(!is_manifest(media_type) && !is_list(media_type) && !is_image_manifest(media_type));
    }
    assert!(is_image_config(DOCKER_CONFIG) && is_image_config(OCI_CONFIG) && !is_image_config(OCI_EMPTY));
}
