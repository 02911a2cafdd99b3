//! Views of images whose configs are odd, as skopeo 1.9.3 prints them.
//!
//! Only `LayersData` is of skopeo 1.22: 1.9.3 does not have it.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use longshore_types::{Descriptor, Digest, ImageConfig, ImageManifest, Kind, json};

use super::output::Output;

const FULL: &str = r#"{
    "created": "2020-02-03T04:05:06.120000000+02:00", "author": "me", "architecture": "arm64",
    "os": "linux", "os.version": "1", "os.features": ["f"], "variant": "v8", "docker_version": "20.1",
    "id": "q", "extra": 1,
    "config": {
        "User": "u", "ExposedPorts": {"90/udp": {}, "80/tcp": {}}, "Env": ["A=<b>"],
        "Entrypoint": ["e"], "Cmd": ["c", "d"], "Volumes": {"/v": {}}, "WorkingDir": "/w",
        "Labels": {"b": "1", "a": "2"}, "StopSignal": "TERM", "ArgsEscaped": true,
        "Hostname": "h", "Healthcheck": {"Test": ["x"]}, "OnBuild": null, "Shell": ["s"]
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:00"]},
    "history": [
        {"created": "2020-02-03T04:05:06.500Z", "created_by": "x", "author": "me", "comment": "co", "empty_layer": true},
        {"created_by": "z"}, {}
    ]
}"#;

fn config(text: &str) -> ImageConfig {
    ImageConfig::parse(text).expect("a config")
}

fn image(kind: Kind, layers: Vec<Descriptor>) -> ImageManifest {
    ImageManifest::new(kind, Descriptor::new("c", Digest::sha256(b"c"), 2), layers)
}

fn view(text: &str, kind: Kind) -> String {
    let plain = Descriptor::new("application/x", Digest::sha256(b"1"), 10);
    let mut annotated = plain.clone();
    annotated.annotations = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let (image, config) = (image(kind, vec![plain, annotated]), config(text));
    let output = Output::new(None, Digest::sha256(b"0"), Vec::new(), &image, &config);
    json::to_string(&output).expect("JSON")
}

/// The member `key` of a view, as compact JSON.
fn member(view: &str, key: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(view).expect("JSON");
    value.get(key).map_or_else(|| "absent".to_owned(), ToString::to_string)
}

#[test]
fn the_default_view_has_skopeos_keys_in_order() {
    let one = Digest::sha256(b"1");
    let expected = format!(
        concat!(
            r#"{{"Digest":"{zero}","RepoTags":[],"Created":"2020-02-03T04:05:06.12+02:00","#,
            r#""DockerVersion":"20.1","Labels":{{"a":"2","b":"1"}},"Architecture":"arm64","Os":"linux","#,
            r#""Layers":["{one}","{one}"],"LayersData":["#,
            r#"{{"MIMEType":"application/x","Digest":"{one}","Size":10,"Annotations":null}},"#,
            r#"{{"MIMEType":"application/x","Digest":"{one}","Size":10,"Annotations":{{"k":"v"}}}}],"#,
            r#""Env":["A=\u003cb\u003e"]}}"#
        ),
        zero = Digest::sha256(b"0"),
        one = one
    );
    assert_eq!(view(FULL, Kind::Oci), expected);
    assert_eq!(view(FULL, Kind::Docker), expected);
}

#[test]
fn a_name_and_tags_come_first() {
    let (image, config) = (image(Kind::Oci, Vec::new()), config("{}"));
    let name = Some("docker.io/library/busybox".to_owned());
    let tags = vec!["1".to_owned(), "latest".to_owned()];
    let output = Output::new(name, Digest::sha256(b"0"), tags, &image, &config);
    let text = json::to_string(&output).expect("JSON");
    let start = format!(
        r#"{{"Name":"docker.io/library/busybox","Digest":"{}","RepoTags":["1","latest"],"Created":null,"#,
        Digest::sha256(b"0")
    );
    assert!(text.starts_with(&start), "{text}");
    assert!(text.ends_with(r#""Layers":[],"LayersData":[],"Env":null}"#), "{text}");
}

#[test]
fn odd_configs_in_the_default_view() {
    let null_lists = r#"{"config":{"Labels":null,"Env":null}}"#;
    let empty_lists = r#"{"created":"2020-02-03T04:05:06-00:00","config":{"Labels":{},"Env":[]}}"#;
    for (text, kind, key, expected) in [
        ("{}", Kind::Oci, "Created", "null"),
        ("{}", Kind::Docker, "Created", r#""0001-01-01T00:00:00Z""#),
        ("{}", Kind::Oci, "Architecture", r#""""#),
        ("{}", Kind::Oci, "DockerVersion", r#""""#),
        ("{}", Kind::Oci, "Labels", "null"),
        ("{}", Kind::Oci, "Env", "null"),
        ("{}", Kind::Oci, "Name", "absent"),
        (null_lists, Kind::Oci, "Labels", "null"),
        (null_lists, Kind::Docker, "Env", "null"),
        (empty_lists, Kind::Oci, "Labels", "{}"),
        (empty_lists, Kind::Docker, "Env", "[]"),
        (empty_lists, Kind::Docker, "Created", r#""2020-02-03T04:05:06Z""#),
    ] {
        assert_eq!(member(&view(text, kind), key), expected, "{key} of {text}");
    }
}
