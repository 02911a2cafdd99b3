//! The images of the table, by name.

use bytes::Bytes;
use longshore_tests::{Document, ImageSpec, Kind, Layer, MadeImage, Packing, sha256};
use serde_json::{Value, json};

const EMPTY_GZIP: [u8; 32] = [
    31, 139, 8, 0, 0, 9, 110, 136, 0, 255, 98, 24, 5, 163, 96, 20, 140, 88, 0, 8, 0, 0, 255, 255, 46, 175, 181, 239, 0,
    4, 0, 0,
];

/// The image of a name.
///
/// # Panics
/// There is none.
pub(super) fn image(name: &str) -> MadeImage {
    let two = || ImageSpec::new([Layer::new(1, 9_000), Layer::new(2, 20)]);
    let list = || two().and_platform("linux", "s390x").and_platform("windows", "amd64");
    let packed = |packing| ImageSpec::new([Layer::new(1, 9_000).packed(packing), Layer::new(2, 20)]);
    match name {
        "plain" => two().make().unwrap(),
        "other" => ImageSpec::new([Layer::new(7, 500)]).make().unwrap(),
        "v2s2" => two().kind(Kind::Docker).make().unwrap(),
        "index" => list().make().unwrap(),
        "list" => list().kind(Kind::Docker).make().unwrap(),
        "foreign-list" => ImageSpec::new([Layer::new(1, 50)])
            .and_platform("linux", "s390x")
            .make()
            .map(without_first)
            .unwrap(),
        "zstd" => packed(Packing::Zstd).make().unwrap(),
        "tar" => packed(Packing::Plain).make().unwrap(),
        "v2s2-tar" => packed(Packing::Plain).kind(Kind::Docker).make().unwrap(),
        "many" => ImageSpec::new((0..40).map(|seed| Layer::new(seed, 100)))
            .make()
            .unwrap(),
        "none" => ImageSpec::new([]).make().unwrap(),
        "twice" => ImageSpec::new([Layer::new(1, 90), Layer::new(1, 90)]).make().unwrap(),
        "annotated" => two().make().unwrap().with_manifest(annotate),
        "strange" => two().make().unwrap().with_manifest(|manifest| {
            manifest["newField"] = json!({"b": [1, 2.5, null], "a": "<&>"});
            manifest["layers"][0]["unknown"] = json!(true);
        }),
        "v2s2-strange" => two()
            .kind(Kind::Docker)
            .make()
            .unwrap()
            .with_manifest(|manifest| manifest["newField"] = json!("kept?")),
        "untyped" => two().make().unwrap().with_manifest(|manifest| {
            manifest.as_object_mut().unwrap().remove("mediaType");
        }),
        "bare-config" => with_config(two().make().unwrap(), |config| {
            config.as_object_mut().unwrap().remove("config");
            config.as_object_mut().unwrap().remove("history");
        }),
        "rich-config" => with_config(two().make().unwrap(), |config| {
            config["author"] = json!("Somebody <some@body>");
            config["docker_version"] = json!("20.10");
            config["variant"] = json!("v8");
            config["os.version"] = json!("1.2.3");
            config["extra"] = json!({"z": 1, "a": 2});
            config["config"]["ExposedPorts"] = json!({"80/tcp": {}});
            config["config"]["Entrypoint"] = json!(["/bin/sh", "-c"]);
        }),
        "empty-layer" => with_empty_layer(two().kind(Kind::Docker).make().unwrap()),
        "artifact" => two().make().unwrap().with_manifest(|manifest| {
            manifest["config"]["mediaType"] = json!("application/vnd.example.config+json");
        }),
        other => panic!("no image {other}"),
    }
}

fn annotate(manifest: &mut Value) {
    manifest["annotations"] = json!({"org.example.b": "2", "org.example.a": "ä < ö", "empty": ""});
    manifest["layers"][1]["annotations"] = json!({"org.example.layer": "second"});
    manifest["config"]["annotations"] = json!({"org.example.config": "yes"});
}

/// A list without the instance of this machine.
fn without_first(mut made: MadeImage) -> MadeImage {
    made.instances.remove(0);
    let mut list = made.top.json();
    list["manifests"].as_array_mut().unwrap().remove(0);
    made.top = Document::new(&made.top.media_type, &list);
    made
}

/// The same image with an edited config.
fn with_config(mut made: MadeImage, edit: impl FnOnce(&mut Value)) -> MadeImage {
    let bytes = made.blobs.remove(&made.config(0)).unwrap();
    let mut config: Value = serde_json::from_slice(&bytes).unwrap();
    edit(&mut config);
    let bytes = Bytes::from(config.to_string());
    let digest = sha256(&bytes);
    let size = bytes.len();
    made.blobs.insert(digest.clone(), bytes);
    made.with_manifest(|manifest| {
        manifest["config"]["digest"] = json!(digest);
        manifest["config"]["size"] = json!(size);
    })
}

/// The same image with Docker's layer without files on top.
fn with_empty_layer(mut made: MadeImage) -> MadeImage {
    let blob = Bytes::from_static(&EMPTY_GZIP);
    let digest = sha256(&blob);
    let size = blob.len();
    made.blobs.insert(digest.clone(), blob);
    let tar = sha256(&[0; 1024]);
    let made = with_config(made, |config| {
        config["rootfs"]["diff_ids"].as_array_mut().unwrap().push(json!(tar));
        let history = json!({"created_by": "nothing", "comment": "a layer without files"});
        config["history"].as_array_mut().unwrap().push(history);
    });
    made.with_manifest(|manifest| {
        let mut layer = manifest["layers"][0].clone();
        layer["digest"] = json!(digest);
        layer["size"] = json!(size);
        manifest["layers"].as_array_mut().unwrap().push(layer);
    })
}
