//! Docker schema 1: we read what skopeo writes, skopeo and a registry read what we write, and conversions say the same.

use std::fs;
use std::path::Path;

use longshore_tests::{
    DockerRegistry, Finished, ImageSpec, Kind, Layer, MadeImage, Scratch, check_dir, check_layout, files_below, sha256,
};
use serde_json::{Value, json};

/// The layer of steps that change no file.
const EMPTY: &str = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";

fn ours(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.longshore().args(arguments).run()
}

fn theirs(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.peer("skopeo").args(arguments).run()
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn read(file: &Path) -> Value {
    json_of(&fs::read(file).unwrap())
}

/// Writes an image with steps that change no file, between the layers and after them.
fn make(scratch: &Scratch, kind: Kind, name: &str) -> MadeImage {
    let made = ImageSpec::new([Layer::new(1, 700_000), Layer::new(2, 20)])
        .kind(kind)
        .make()
        .unwrap();
    made.write_dir(&scratch.path(name)).unwrap();
    change_config(&scratch.path(name), |config| {
        let created = "2020-02-03T04:05:06.5Z";
        config["created"] = json!(created);
        config["config"] = json!({"Env": ["A=<b> & c"], "Labels": {"made": "by hand"}, "Cmd": ["sh"]});
        let step = |by: &str, empty: bool| match empty {
            true => json!({"created": created, "created_by": by, "comment": "c", "empty_layer": true}),
            false => json!({"created": created, "created_by": by, "author": "a"}),
        };
        config["history"] = json!([
            step("one", false),
            step("ENV", true),
            step("two", false),
            step("CMD", true)
        ]);
    });
    made
}

fn change_config(folder: &Path, change: impl Fn(&mut Value)) {
    let mut manifest = read(&folder.join("manifest.json"));
    let old = manifest["config"]["digest"].as_str().unwrap().replace("sha256:", "");
    let mut config = read(&folder.join(old));
    change(&mut config);
    let bytes = config.to_string();
    let digest = sha256(bytes.as_bytes());
    fs::write(folder.join(digest.replace("sha256:", "")), &bytes).unwrap();
    manifest["config"]["digest"] = json!(digest);
    manifest["config"]["size"] = json!(bytes.len());
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}

#[test]
fn what_skopeo_wrote_becomes_what_skopeo_makes_of_it() {
    let scratch = Scratch::new().unwrap();
    let made = make(&scratch, Kind::Docker, "made");
    let from = scratch.name("dir", "v1");
    theirs(
        &scratch,
        &["copy", "--format=v2s1", &scratch.name("dir", "made"), &from],
    )
    .success();
    for (run, name) in [(ours as fn(&Scratch, &[&str]) -> Finished, "ours"), (theirs, "theirs")] {
        let docker = scratch.name("dir", &format!("{name}-v2s2"));
        run(&scratch, &["copy", "--format=v2s2", &from, &docker]).success();
        let oci = scratch.name("oci", &format!("{name}-oci:x"));
        run(&scratch, &["copy", &from, &oci]).success();
    }
    let docker = check_dir(&scratch.path("ours-v2s2")).unwrap();
    assert_eq!(docker, check_dir(&scratch.path("theirs-v2s2")).unwrap());
    assert_eq!(docker.layers, made.layers(0));

    let mut oci = check_layout(&scratch.path("ours-oci"), "x").unwrap();
    let expected = check_layout(&scratch.path("theirs-oci"), "x").unwrap();
    // skopeo writes the config anew when it makes an OCI image of a Docker one; we keep its bytes.
    assert_eq!(oci.configs, docker.configs);
    oci.configs.clone_from(&expected.configs);
    oci.digest.clone_from(&expected.digest);
    assert_eq!(oci, expected);
    let config = |name: &str| {
        ours(&scratch, &["inspect", "--config", &scratch.name("oci", name)])
            .success()
            .stdout()
    };
    assert_eq!(config("ours-oci:x"), config("theirs-oci:x"));
}

#[test]
fn what_we_write_skopeo_reads_and_would_write_alike() {
    for kind in [Kind::Oci, Kind::Docker] {
        let scratch = Scratch::new().unwrap();
        let made = make(&scratch, kind, "made");
        let from = scratch.name("dir", "made");
        ours(&scratch, &["copy", "-f", "v2s1", &from, &scratch.name("dir", "ours")]).success();
        theirs(&scratch, &["copy", "-f", "v2s1", &from, &scratch.name("dir", "theirs")]).success();
        // The digest covers all but the signature, whose key nobody has twice.
        let mut digests = Vec::new();
        for name in ["ours", "theirs"] {
            let file = scratch.path(format!("{name}/manifest.json")).display().to_string();
            digests.push(ours(&scratch, &["manifest-digest", &file]).success().stdout());
            digests.push(theirs(&scratch, &["manifest-digest", &file]).success().stdout());
        }
        digests.dedup();
        assert_eq!(digests.len(), 1, "{digests:?}");
        let names = |name: &str| -> Vec<String> {
            let files = files_below(&scratch.path(name)).unwrap();
            files.keys().map(|path| format!("{path:?}")).collect()
        };
        assert_eq!(names("ours"), names("theirs"));

        let back = scratch.name("oci", "back:x");
        theirs(&scratch, &["copy", &scratch.name("dir", "ours"), &back]).success();
        assert_eq!(check_layout(&scratch.path("back"), "x").unwrap().layers, made.layers(0));
    }
}

#[test]
fn a_registry_accepts_the_signature_and_the_name() {
    let scratch = Scratch::new().unwrap();
    let registry = DockerRegistry::start_with_schema_one().unwrap();
    let made = make(&scratch, Kind::Oci, "made");
    let (first, second) = (registry.name("a/b:v1"), registry.name("c:v2"));
    let digestfile = scratch.path("digest").display().to_string();
    let written = ["--digestfile", &digestfile, "--dest-tls-verify=false"];
    let from = scratch.name("dir", "made");
    let arguments = [&["copy", "--format=v2s1"][..], &written, &[&from, &first]].concat();
    ours(&scratch, &arguments).success();
    let digest = fs::read_to_string(&digestfile).unwrap();
    let pinned = registry.name(&format!("a/b@{digest}"));
    for (from, to, run) in [
        (&pinned, &second, ours as fn(&Scratch, &[&str]) -> Finished),
        (&second, &first, theirs),
    ] {
        let tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        run(&scratch, &[&["copy"][..], &tls, &[from, to]].concat()).success();
    }
    for (name, expected) in [(&first, ("a/b", "v1")), (&second, ("c", "v2"))] {
        let raw = ours(&scratch, &["inspect", "--raw", "--tls-verify=false", name]).success();
        let manifest = json_of(raw.stdout_bytes());
        assert_eq!(
            (&manifest["name"], &manifest["tag"]),
            (&json!(expected.0), &json!(expected.1))
        );
        assert_eq!(manifest["schemaVersion"], 1);
    }
    let to = scratch.name("oci", "back:x");
    ours(&scratch, &["copy", "--src-tls-verify=false", &second, &to]).success();
    assert_eq!(check_layout(&scratch.path("back"), "x").unwrap().layers, made.layers(0));
}

#[test]
fn a_registry_that_refuses_schema_one_takes_the_image_in_another_form() {
    let scratch = Scratch::new().unwrap();
    let registry = DockerRegistry::start().unwrap();
    let made = make(&scratch, Kind::Docker, "made");
    let (from, to) = (scratch.name("dir", "v1"), registry.name("a:x"));
    theirs(&scratch, &["copy", "-f", "v2s1", &scratch.name("dir", "made"), &from]).success();
    // It says only that it failed, which is no reason to try another form unasked.
    ours(&scratch, &["copy", "--dest-tls-verify=false", &from, &to]).fails_with(&["uploading manifest x"]);
    ours(&scratch, &["copy", "-f", "v2s2", "--dest-tls-verify=false", &from, &to]).success();
    let back = scratch.name("dir", "back");
    theirs(&scratch, &["copy", "--src-tls-verify=false", &to, &back]).success();
    assert_eq!(check_dir(&scratch.path("back")).unwrap().layers, made.layers(0));
}

#[test]
fn layers_that_are_there_already_are_read_for_the_config() {
    let scratch = Scratch::new().unwrap();
    let made = make(&scratch, Kind::Oci, "made");
    ours(
        &scratch,
        &["copy", &scratch.name("dir", "made"), &scratch.name("oci", "to:x")],
    )
    .success();
    let v1 = scratch.name("dir", "v1");
    ours(&scratch, &["copy", "-f", "v2s1", &scratch.name("dir", "made"), &v1]).success();
    ours(&scratch, &["copy", &v1, &scratch.name("oci", "to:y")]).success();
    let checked = check_layout(&scratch.path("to"), "y").unwrap();
    assert_eq!(checked.layers, made.layers(0));
}

#[test]
fn both_say_the_same_of_an_image() {
    let scratch = Scratch::new().unwrap();
    let made = make(&scratch, Kind::Docker, "made");
    let name = scratch.name("dir", "v1");
    theirs(&scratch, &["copy", "-f", "v2s1", &scratch.name("dir", "made"), &name]).success();
    for options in [&["--raw"][..], &["--config"], &["--raw", "--config"]] {
        let arguments = [&["inspect"][..], options, &[&name]].concat();
        let (left, right) = (
            ours(&scratch, &arguments).success(),
            theirs(&scratch, &arguments).success(),
        );
        assert_eq!(left.stdout(), right.stdout(), "{options:?}");
    }
    let view = |finished: Finished| json_of(finished.success().stdout_bytes());
    let mut left = view(ours(&scratch, &["inspect", &name]));
    let mut right = view(theirs(&scratch, &["inspect", &name]));
    // LayersData came after 1.9.3, as did leaving out the layers that change nothing.
    let data = left.as_object_mut().unwrap().remove("LayersData").unwrap();
    assert_eq!(
        data[0],
        json!({"MIMEType": "", "Digest": made.layers(0)[0], "Size": -1, "Annotations": null})
    );
    let layers = right["Layers"].as_array_mut().unwrap();
    layers.retain(|layer| layer != EMPTY);
    assert_eq!(left, right);
}

#[test]
fn images_that_cannot_be_written_or_read() {
    let scratch = Scratch::new().unwrap();
    make(&scratch, Kind::Oci, "made");
    let (made, v1) = (scratch.name("dir", "made"), scratch.name("dir", "v1"));
    ours(&scratch, &["copy", "-f", "v2s1", &made, &v1]).success();
    ours(&scratch, &["copy", "-f", "v2s1", &made, &scratch.name("oci", "no:x")])
        .fails_with(&["does not accept manifests of type application/vnd.docker.distribution.manifest.v1+prettyjws"]);

    make(&scratch, Kind::Oci, "bare");
    change_config(&scratch.path("bare"), |config| config["history"] = json!([]));
    let arguments = [
        "copy",
        "-f",
        "v2s1",
        &scratch.name("dir", "bare"),
        &scratch.name("dir", "to"),
    ];
    ours(&scratch, &arguments).fails_with(&["Cannot convert an image with 0 history entries to"]);
    assert!(!scratch.path("to/manifest.json").exists());

    let file = scratch.path("v1/manifest.json");
    let good = fs::read_to_string(&file).unwrap();
    let layer = scratch.path("v1").join(EMPTY.replace("sha256:", ""));
    let tampered = [
        (
            good.replacen("{\"blobSum\"", "{\"blobSum\":\"sha256:00\"},{\"blobSum\"", 1),
            "blobSum",
        ),
        (
            good.replacen("\\\"parent\\\":\\\"", "\\\"parent\\\":\\\"0", 1),
            "Invalid parent ID",
        ),
        (good.replacen("\"protected\":\"", "\"protected\":\"!", 1), "not base64"),
    ];
    for (text, expected) in tampered {
        assert_ne!(text, good);
        fs::write(&file, text).unwrap();
        ours(&scratch, &["copy", &v1, &scratch.name("oci", "no:x")]).fails_with(&[expected]);
    }
    fs::write(&file, good).unwrap();
    fs::write(layer, b"no layer").unwrap();
    ours(&scratch, &["copy", &v1, &scratch.name("oci", "no:x")]).fails_with(&[EMPTY]);
    assert!(!scratch.path("no/index.json").exists());
}
