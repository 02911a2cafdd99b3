//! `copy --all` and `--multi-arch`: lists with their images, whole, in every place and to and from skopeo.

use std::fs;

use base64::Engine as _;
use longshore_tests::{
    DockerRegistry, ImageSpec, Kind, Layer, MadeImage, Scratch, check_dir, check_layout, files_below,
    running_architecture,
};
use serde_json::Value;

const OTHER: &str = "s390x";

fn list(kind: Kind) -> MadeImage {
    let spec = ImageSpec::new([Layer::new(1, 1_500_000), Layer::new(2, 20)]).kind(kind);
    spec.and_platform("linux", OTHER).make().unwrap()
}

fn scratch_with(made: &MadeImage) -> Scratch {
    let scratch = Scratch::new().unwrap();
    made.write_dir(&scratch.path("made")).unwrap();
    scratch
}

/// The options that every stop of a tour may need.
const PLAIN_HTTP: [&str; 2] = ["--src-tls-verify=false", "--dest-tls-verify=false"];

#[test]
fn lists_travel_whole_and_skopeo_reads_and_writes_them_too() {
    for kind in [Kind::Oci, Kind::Docker] {
        let made = list(kind);
        let scratch = scratch_with(&made);
        let registry = DockerRegistry::start().unwrap();
        let stops = [
            (false, registry.name("some/list:v1")),
            (true, scratch.name("dir", "theirs")),
            (false, scratch.name("dir", "ours")),
            (true, registry.name("other/list:v1")),
            (false, scratch.name("dir", "last")),
        ];
        let mut from = scratch.name("dir", "made");
        for (by_skopeo, to) in stops {
            let tool = if by_skopeo {
                scratch.peer("skopeo")
            } else {
                scratch.longshore()
            };
            let tool = tool.args(["copy", "--all"]).args(PLAIN_HTTP);
            tool.args([&from, &to]).run().success();
            from = to;
        }
        for folder in ["theirs", "ours", "last"] {
            let checked = check_dir(&scratch.path(folder)).unwrap();
            assert_eq!(checked.digest, made.top.digest, "{kind:?} {folder}");
            assert_eq!(checked.configs.len(), 2, "{kind:?} {folder}");
        }
    }
}

#[test]
fn the_report_names_each_image_and_shared_layers_travel_once() {
    let made = list(Kind::Oci);
    let scratch = scratch_with(&made);
    let [first, second] = [&made.instances[0].digest, &made.instances[1].digest];
    let tool = scratch.longshore().args(["copy", "--all", "--digestfile"]);
    let tool = tool.arg(scratch.path("digest")).arg(scratch.name("dir", "made"));
    let done = tool.arg(scratch.name("oci", "layout:x")).run().success();
    let shown = done.stdout();
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("Copying blob")).collect();
    let config = |instance| format!("Copying config {}", made.config(instance));
    let expected = [
        "Getting image list signatures".to_owned(),
        "Copying 2 images generated from 2 images in list".to_owned(),
        format!("Copying image {first} (1/2)"),
        "Getting image source signatures".to_owned(),
        config(0),
        "Writing manifest to image destination".to_owned(),
        format!("Copying image {second} (2/2)"),
        "Getting image source signatures".to_owned(),
        config(1),
        "Writing manifest to image destination".to_owned(),
        "Writing manifest list to image destination".to_owned(),
    ];
    assert_eq!(lines, expected);
    assert_eq!(fs::read_to_string(scratch.path("digest")).unwrap(), made.top.digest);
    let checked = check_layout(&scratch.path("layout"), "x").unwrap();
    assert_eq!(checked.digest, made.top.digest);
    // Two images of three layers that share two, two configs, two manifests and the index.
    let blobs = files_below(&scratch.path("layout/blobs")).unwrap();
    assert_eq!(blobs.len(), 4 + 2 + 3);
}

#[test]
fn some_platforms_or_the_list_alone() {
    let made = list(Kind::Oci);
    let scratch = scratch_with(&made);
    let copy = |which: &str, to: &str| {
        let tool = scratch.longshore().args(["copy", "--multi-arch", which]);
        tool.args([scratch.name("dir", "made"), scratch.name("dir", to)]).run()
    };
    copy(&format!("linux/{OTHER}"), "sparse").success();
    copy("index-only", "bare").success();
    copy("system", "one").success();
    let manifests = |folder: &str| {
        let mut names: Vec<String> = fs::read_dir(scratch.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".manifest.json"))
            .collect();
        names.sort();
        names
    };
    let named = |instance: usize| format!("{}.manifest.json", &made.instances[instance].digest["sha256:".len()..]);
    assert_eq!(manifests("sparse"), [named(1)]);
    assert_eq!(manifests("bare"), [""; 0]);
    assert_eq!(manifests("one"), [""; 0]);
    let top = |folder: &str| fs::read(scratch.path(folder).join("manifest.json")).unwrap();
    assert_eq!(top("sparse"), top("made"));
    assert_eq!(top("bare"), top("made"));
    assert_eq!(
        check_dir(&scratch.path("one")).unwrap().digest,
        made.instances[0].digest
    );

    copy("linux/riscv64", "none").fails_with(&["no instances found for platform linux/riscv64"]);
    assert!(!scratch.path("none").exists());
    let both = scratch.longshore().args(["copy", "--all", "--multi-arch=all"]);
    let both = both.args([scratch.name("dir", "made"), scratch.name("dir", "none")]);
    both.run()
        .fails_with(&["Cannot use --all and --multi-arch flags together"]);
}

#[test]
fn a_list_of_lists_is_copied_alone_or_not_at_all() {
    let made = list(Kind::Oci);
    let scratch = scratch_with(&made);
    let file = scratch.path("made/manifest.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    index["manifests"][0]["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
    fs::write(&file, serde_json::to_vec(&index).unwrap()).unwrap();
    let copy = |which: &str, to: &str| {
        let tool = scratch.longshore().args(["copy", "--multi-arch", which]);
        tool.args([scratch.name("dir", "made"), scratch.name("dir", to)]).run()
    };
    copy("all", "whole").fails_with(&[&made.instances[0].digest]);
    assert!(!scratch.path("whole").exists());
    copy("index-only", "alone").success();
    assert_eq!(
        fs::read(scratch.path("alone/manifest.json")).unwrap(),
        fs::read(file).unwrap()
    );
}

#[test]
fn a_list_in_another_format_names_its_images_as_they_were_written() {
    let made = list(Kind::Oci);
    let scratch = scratch_with(&made);
    let copy = |options: &[&str], from: &str, to: &str| {
        let tool = scratch.longshore().args(["copy", "--all"]).args(options);
        tool.args([scratch.name("dir", from), scratch.name("dir", to)]).run()
    };
    copy(&["--format=v2s2"], "made", "docker").success();
    let checked = check_dir(&scratch.path("docker")).unwrap();
    assert!(checked.media_type.ends_with("manifest.list.v2+json"), "{checked:?}");
    assert_eq!(checked.layers.len(), 6);
    // What was written is a list like any other, for skopeo too.
    let skopeo = scratch.peer("skopeo").args(["copy", "--all", "--format=oci"]);
    let skopeo = skopeo.args([scratch.name("dir", "docker"), scratch.name("dir", "theirs")]);
    skopeo.run().success();
    assert_eq!(check_dir(&scratch.path("theirs")).unwrap().layers, checked.layers);

    copy(&["--format=v2s2", "--preserve-digests"], "made", "kept").fails_with(&[
        "Manifest list must be converted to type",
        "but we cannot modify it: \"Instructed to preserve digests\"",
    ]);
    assert!(!scratch.path("kept").exists());
}

#[test]
fn an_index_says_which_images_are_all_zstd() {
    let made = list(Kind::Docker);
    let scratch = scratch_with(&made);
    let copy = |options: &[&str], from: &str, to: &str| {
        let tool = scratch.longshore().args(["copy", "--all"]).args(options);
        let tool = tool.args([scratch.name("dir", from), scratch.name("dir", to)]);
        tool.run().success();
        let index: Value = serde_json::from_slice(&fs::read(scratch.path(to).join("manifest.json")).unwrap()).unwrap();
        let entries = index["manifests"].as_array().unwrap().clone();
        let says = entries
            .iter()
            .map(|entry| entry["annotations"]["io.github.containers.compression.zstd"].clone());
        says.collect::<Vec<_>>()
    };
    let zstd = [
        "--dest-compress",
        "--format=oci",
        "--dest-compress-format=zstd",
        "--dest-force-compress-format",
    ];
    assert_eq!(copy(&zstd, "made", "zstd"), ["true", "true"]);
    check_dir(&scratch.path("zstd")).unwrap();
    assert_eq!(copy(&["--format=oci"], "made", "gzip"), [Value::Null, Value::Null]);

    // What may not change is not told either.
    let file = scratch.path("zstd/manifest.json");
    let silent = fs::read_to_string(&file)
        .unwrap()
        .replace("compression.zstd", "compression.none");
    fs::write(&file, &silent).unwrap();
    assert_eq!(
        copy(&["--preserve-digests"], "zstd", "kept"),
        [Value::Null, Value::Null]
    );
    assert_eq!(copy(&[], "zstd", "told"), ["true", "true"]);
}

#[test]
fn an_image_written_anew_is_not_embedded_as_it_was() {
    let made = list(Kind::Oci);
    let scratch = scratch_with(&made);
    let mut list = made.top.json();
    for (entry, instance) in list["manifests"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(&made.instances)
    {
        entry["data"] = base64::engine::general_purpose::STANDARD.encode(&instance.bytes).into();
    }
    fs::write(scratch.path("made/manifest.json"), list.to_string()).unwrap();
    for (options, embedded) in [(&[][..], true), (&["--dest-compress-format=zstd"], false)] {
        let to = if embedded { "same" } else { "anew" };
        let tool = scratch.longshore().args(["copy", "--all"]).args(options);
        let to_name = scratch.name("oci", &format!("{to}:x"));
        tool.args([&scratch.name("dir", "made"), &to_name]).run().success();
        let checked = check_layout(&scratch.path(to), "x").unwrap();
        let written = scratch
            .path(to)
            .join("blobs/sha256")
            .join(&checked.digest["sha256:".len()..]);
        let written: Value = serde_json::from_slice(&fs::read(written).unwrap()).unwrap();
        let entries = written["manifests"].as_array().unwrap();
        assert_eq!(entries.len(), 2);
        for (entry, instance) in entries.iter().zip(&made.instances) {
            assert_eq!(entry["digest"] == *instance.digest, embedded, "{entry}");
            assert_eq!(entry.get("data").is_some(), embedded, "{entry}");
        }
    }
}

#[test]
fn an_image_that_is_not_whole_leaves_no_list_behind() {
    let made = list(Kind::Oci);
    let scratch = scratch_with(&made);
    let second = &made.layers(1)[2]["sha256:".len()..];
    let layer = scratch.path("made").join(second);
    let whole = fs::read(&layer).unwrap();
    fs::write(&layer, &whole[..whole.len() - 1]).unwrap();
    let registry = DockerRegistry::start().unwrap();
    for to in [
        scratch.name("oci", "layout:x"),
        scratch.name("dir", "folder"),
        registry.name("some/list:v1"),
    ] {
        let tool = scratch.longshore().args(["copy", "--all"]).args(PLAIN_HTTP);
        let ended = tool.args([&scratch.name("dir", "made"), &to]).run();
        ended.fails_with(&[second]);
    }
    assert!(!scratch.path("layout/index.json").exists());
    assert!(!scratch.path("folder").exists());
    let tool = scratch.longshore().args(["inspect", "--raw", "--tls-verify=false"]);
    tool.arg(registry.name("some/list:v1")).run().with_status(2);
}

#[test]
fn one_machines_image_is_taken_from_a_list_by_default() {
    let made = list(Kind::Oci);
    let scratch = scratch_with(&made);
    let tool = scratch.longshore().args(["copy", "--override-arch"]);
    let tool = tool.args([OTHER, &scratch.name("dir", "made"), &scratch.name("dir", "one")]);
    tool.run().success();
    let checked = check_dir(&scratch.path("one")).unwrap();
    assert_eq!(checked.digest, made.instances[1].digest);
    assert_ne!(OTHER, running_architecture());
}
