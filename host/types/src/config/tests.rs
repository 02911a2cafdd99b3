#![allow(clippy::unwrap_used)]

use super::{ConfigError, ImageConfig};
use crate::{Digest, ErrorKind, MAX_MANIFEST_SIZE};

/// A config as `docker build` writes it, with members that OCI does not have.
const DOCKER: &str = r#"{"architecture":"arm","config":{"Hostname":"","User":"app","ExposedPorts":{"80/tcp":{},"443/tcp":null},"Env":["PATH=/bin","A=<b>"],"Cmd":["sh"],"Healthcheck":{"Test":["NONE"]},"ArgsEscaped":true,"Image":"x","Volumes":null,"WorkingDir":"/w","Entrypoint":null,"OnBuild":[],"Labels":{"z":"1","a":"2"}},"container":"0","created":"2020-01-02T03:04:05.120000000Z","docker_version":"20.10.7","history":[{"created":"2020-01-02T03:04:05Z","created_by":"/bin/sh -c #(nop) ADD","empty_layer":false},{"created":null,"comment":"c","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]},"variant":"v7"}"#;

#[test]
fn a_config_of_docker() {
    let config = ImageConfig::parse(DOCKER).unwrap();
    assert_eq!(
        (config.os(), config.architecture(), config.variant()),
        ("linux", "arm", "v7")
    );
    assert_eq!(config.platform().to_string(), "linux/arm/v7");
    assert_eq!(config.created(), Some("2020-01-02T03:04:05.12Z"));
    assert_eq!((config.docker_version(), config.author()), ("20.10.7", ""));
    assert_eq!(
        config.labels().unwrap().into_iter().collect::<Vec<_>>(),
        [("a", "2"), ("z", "1")]
    );
    assert_eq!(config.env().unwrap(), ["PATH=/bin", "A=<b>"]);
    assert_eq!(config.diff_ids().unwrap(), [Digest::sha256(b"")]);
    assert_eq!(config.history().len(), 2);
    assert_eq!(
        (config.raw(), config.digest()),
        (DOCKER.as_bytes(), Digest::sha256(DOCKER.as_bytes()))
    );
}

#[test]
fn the_printed_form_is_that_of_oci() {
    let expected = r#"{
    "created": "2020-01-02T03:04:05.12Z",
    "architecture": "arm",
    "os": "linux",
    "variant": "v7",
    "config": {
        "User": "app",
        "ExposedPorts": {
            "443/tcp": {},
            "80/tcp": {}
        },
        "Env": [
            "PATH=/bin",
            "A=\u003cb\u003e"
        ],
        "Cmd": [
            "sh"
        ],
        "WorkingDir": "/w",
        "Labels": {
            "a": "2",
            "z": "1"
        },
        "ArgsEscaped": true
    },
    "rootfs": {
        "type": "layers",
        "diff_ids": [
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ]
    },
    "history": [
        {
            "created": "2020-01-02T03:04:05Z",
            "created_by": "/bin/sh -c #(nop) ADD"
        },
        {
            "comment": "c",
            "empty_layer": true
        }
    ]
}"#;
    assert_eq!(ImageConfig::parse(DOCKER).unwrap().to_oci_pretty().unwrap(), expected);
}

#[test]
fn missing_and_null_members_are_empty() {
    let empty = "{\n    \"architecture\": \"\",\n    \"os\": \"\",\n    \"config\": {},\n    \"rootfs\": {\n        \"type\": \"\",\n        \"diff_ids\": null\n    }\n}";
    for text in [
        "{}",
        r#"{"config":null,"rootfs":null,"history":null,"os":null}"#,
        r#"{"rootfs":{"type":null,"diff_ids":null},"created":null}"#,
    ] {
        let config = ImageConfig::parse(text).unwrap();
        assert_eq!(config.to_oci_pretty().unwrap(), empty, "{text}");
        assert_eq!((config.created(), config.labels(), config.env()), (None, None, None));
    }
    assert_eq!(
        ImageConfig::parse(r#"{"config":{"Labels":{}}}"#)
            .unwrap()
            .labels()
            .map(|labels| labels.len()),
        Some(0)
    );
}

#[test]
fn names_stay_as_they_are_in_the_document() {
    for name in ["armbe", "wasm", "386", "my-cpu"] {
        let config = ImageConfig::parse(format!(r#"{{"architecture":"{name}","os":"my-os"}}"#)).unwrap();
        assert_eq!((config.architecture(), config.os()), (name, "my-os"));
    }
}

#[test]
fn hostile_configs() {
    for text in [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}{}",
        "\"x\"",
        r#"{"os":7}"#,
        r#"{"architecture":[]}"#,
        r#"{"config":[]}"#,
        r#"{"config":{"Env":"x"}}"#,
        r#"{"config":{"Labels":{"a":1}}}"#,
        r#"{"rootfs":[]}"#,
        r#"{"rootfs":{"diff_ids":"x"}}"#,
        r#"{"history":{}}"#,
        r#"{"history":[1]}"#,
        r#"{"created":"yesterday"}"#,
        r#"{"created":7}"#,
        r#"{"history":[{"created":"2020-13-01T00:00:00Z"}]}"#,
    ] {
        let error = ImageConfig::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{text}");
    }
    assert!(matches!(
        ImageConfig::parse(vec![b' '; MAX_MANIFEST_SIZE + 1]),
        Err(ConfigError::TooLarge { .. })
    ));
    assert!(ImageConfig::parse("[".repeat(100_000)).is_err());
    let config = ImageConfig::parse(r#"{"rootfs":{"diff_ids":["sha256:../../etc"]}}"#).unwrap();
    assert!(matches!(config.diff_ids(), Err(ConfigError::DiffId { .. })));
}
