//! `oci-archive:`: tar archives of image layouts, beside Debian's skopeo and podman.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use longshore_tests::{
    Fault, Finished, Gate, ImageSpec, Kind, Layer, Packing, Scratch, TestRegistry, When, check_dir, sha256,
};
use serde_json::Value;

fn ours(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.longshore().args(arguments).run()
}

fn theirs(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.peer("skopeo").args(arguments).run()
}

/// With a storage of its own.
fn podman(scratch: &Scratch, arguments: &[&str]) -> Finished {
    let podman = scratch.peer("podman").args(["--storage-driver", "vfs"]);
    let podman = podman.arg("--root").arg(scratch.path("root"));
    let podman = podman.arg("--runroot").arg(scratch.path("run"));
    podman.args(arguments).run().success()
}

fn spec() -> ImageSpec {
    ImageSpec::new([Layer::new(1, 700_000), Layer::new(2, 20)])
}

/// The members of an archive, none of them twice.
fn members(archive: impl std::io::Read) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let mut members = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        assert!(members.insert(name, data).is_none());
    }
    members
}

fn file_members(path: &Path) -> BTreeMap<String, Vec<u8>> {
    members(File::open(path).unwrap())
}

/// An archive with the given members.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A layout as an archive.
fn tar_folder(folder: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", folder).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn each_reads_what_the_other_writes() {
    for kind in [Kind::Oci, Kind::Docker] {
        let scratch = Scratch::new().unwrap();
        let made = spec().kind(kind).make().unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        let from = scratch.name("dir", "made");
        let our_archive = scratch.name("oci-archive", "ours.tar:foo:1.0");
        let their_archive = scratch.name("oci-archive", "theirs.tar:foo:1.0");
        ours(&scratch, &["copy", &from, &our_archive]).success();
        theirs(&scratch, &["copy", &from, &their_archive]).success();
        let (mut our_members, mut their_members) = (
            file_members(&scratch.path("ours.tar")),
            file_members(&scratch.path("theirs.tar")),
        );
        // skopeo has another white space here, and gives the index no type before 1.10.
        for members in [&mut our_members, &mut their_members] {
            let marker: Value = serde_json::from_slice(&members.remove("oci-layout").unwrap()).unwrap();
            assert_eq!(marker["imageLayoutVersion"], "1.0.0");
            let index: Value = serde_json::from_slice(&members.remove("index.json").unwrap()).unwrap();
            let entry = &index["manifests"][0];
            assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "foo:1.0");
        }
        if kind == Kind::Oci {
            assert!(our_members == their_members);
        }
        for (run, from, to) in [
            (theirs as fn(&Scratch, &[&str]) -> Finished, &our_archive, "a"),
            (ours, &their_archive, "b"),
            (ours, &our_archive, "c"),
        ] {
            run(&scratch, &["copy", from, &scratch.name("dir", to)]).success();
            assert_eq!(check_dir(&scratch.path(to)).unwrap().layers, made.layers(0), "{kind:?}");
        }
        for options in [&["--raw"][..], &["--config"]] {
            let inspect = [&["inspect"], options, &[&our_archive]].concat();
            let seen = ours(&scratch, &inspect).success().stdout();
            assert_eq!(seen, theirs(&scratch, &inspect).success().stdout());
        }
    }
}

#[test]
fn podman_loads_what_we_write() {
    let scratch = Scratch::new().unwrap();
    let made = spec().make().unwrap();
    made.write_dir(&scratch.path("made")).unwrap();
    let archive = scratch.path("image.tar").display().to_string();
    let to = format!("oci-archive:{archive}:example.com/foo:1.0");
    ours(&scratch, &["copy", &scratch.name("dir", "made"), &to]).success();
    podman(&scratch, &["load", "--input", &archive]).prints("example.com/foo:1.0");
    let id = ["image", "inspect", "--format", "{{.Id}}", "example.com/foo:1.0"];
    podman(&scratch, &id).prints(made.config(0).strip_prefix("sha256:").unwrap());
}

#[test]
fn lists_and_layers_that_change_their_form() {
    let scratch = Scratch::new().unwrap();
    let layers = [1, 2, 3].map(|seed| Layer::new(seed, 300_000).packed(Packing::Plain));
    let list = ImageSpec::new(layers).and_platform("linux", "s390x").make().unwrap();
    list.write_dir(&scratch.path("list")).unwrap();
    let temporary = scratch.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let archive = scratch.name("oci-archive", "list.tar:all");
    let tool = scratch.longshore().arg("--tmpdir").arg(&temporary);
    let copy = ["copy", "--all", &scratch.name("dir", "list"), &archive];
    tool.args(copy).run().success();
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    // Two manifests, two configs, three common layers and one of each, and the list.
    let blobs = file_members(&scratch.path("list.tar")).into_iter();
    let blobs = blobs.filter(|(name, _)| name.len() > "blobs/sha256/".len());
    let mut number = 0;
    for (name, data) in blobs {
        if let Some(hex) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(sha256(&data), format!("sha256:{hex}"));
            number += 1;
        }
    }
    assert_eq!(number, 10);
    for (run, to) in [(theirs as fn(&Scratch, &[&str]) -> Finished, "a"), (ours, "b")] {
        let to = scratch.name("dir", to);
        run(&scratch, &["copy", "--all", &archive, &to]).success();
    }
    let (a, b) = (check_dir(&scratch.path("a")), check_dir(&scratch.path("b")));
    assert_eq!(a.unwrap(), b.unwrap());
}

#[test]
fn whole_archives_may_be_compressed_or_come_through_a_pipe() {
    let scratch = Scratch::new().unwrap();
    let made = spec().make().unwrap();
    made.write_layout(&scratch.path("made"), "foo").unwrap();
    let plain = tar_folder(&scratch.path("made"));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&plain).unwrap();
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    xz.write_all(&plain).unwrap();
    for (name, data) in [
        ("plain", plain.clone()),
        ("gz", gzip.finish().unwrap()),
        ("xz", xz.finish().unwrap()),
        ("zst", zstd::encode_all(&plain[..], 1).unwrap()),
    ] {
        fs::write(scratch.path(name), &data).unwrap();
        let to = format!("from-{name}");
        ours(
            &scratch,
            &[
                "copy",
                &scratch.name("oci-archive", &format!("{name}:foo")),
                &scratch.name("dir", &to),
            ],
        )
        .success();
        let piped = format!("piped-{name}");
        let arguments = ["copy", "oci-archive:-", &scratch.name("dir", &piped)];
        let mut child = scratch.longshore().args(arguments).piped_stdin().start();
        child.stdin.take().unwrap().write_all(&data).unwrap();
        assert!(child.wait().unwrap().success());
        for to in [to, piped] {
            let found = check_dir(&scratch.path(&to)).unwrap();
            assert_eq!((found.digest, found.layers), (made.top.digest.clone(), made.layers(0)));
        }
    }
}

#[test]
fn an_archive_on_standard_output_is_nothing_but_the_archive() {
    let scratch = Scratch::new().unwrap();
    let layers = [Layer::new(1, 700_000), Layer::new(2, 20).packed(Packing::Plain)];
    let made = ImageSpec::new(layers).make().unwrap();
    made.write_dir(&scratch.path("made")).unwrap();
    let from = scratch.name("dir", "made");
    ours(&scratch, &["copy", &from, &scratch.name("oci-archive", "file.tar:foo")]).success();
    for to in ["oci-archive:-:foo", "oci-archive:/dev/stdout:foo"] {
        let copied = ours(&scratch, &["copy", &from, to]).success();
        assert!(
            members(copied.stdout_bytes()) == file_members(&scratch.path("file.tar")),
            "{to}"
        );
    }
}

#[test]
fn several_images_in_one_file() {
    let scratch = Scratch::new().unwrap();
    let made = [1, 2].map(|seed| ImageSpec::new([Layer::new(seed, 100)]).make().unwrap());
    made[0].write_layout(&scratch.path("made"), "one").unwrap();
    made[1].write_layout(&scratch.path("made"), "two").unwrap();
    fs::write(scratch.path("two.tar"), tar_folder(&scratch.path("made"))).unwrap();
    for (reference, expected) in [("one", 0), ("two", 1), ("@0", 0), ("@1", 1)] {
        let from = scratch.name("oci-archive", &format!("two.tar:{reference}"));
        let raw = ours(&scratch, &["inspect", "--raw", &from]).success();
        assert_eq!(sha256(raw.stdout_bytes()), made[expected].top.digest, "{reference}");
    }
    for (reference, status, message) in [
        ("two.tar", 1, "more than one image in oci, choose an image"),
        ("two.tar:three", 2, "no descriptor found for reference \"three\""),
        ("two.tar:@2", 1, "index 2 is too large, only 2 entries available"),
        ("two.tar:@x", 1, "invalid source index @x"),
        ("none.tar:one", 1, "archive file not found"),
    ] {
        let from = scratch.name("oci-archive", reference);
        ours(&scratch, &["inspect", &from]).with_status(status).says(&[message]);
    }
    let two = scratch.name("oci-archive", "two.tar:one");
    ours(&scratch, &["delete", &two]).fails_with(&["Deleting images not implemented for oci: images"]);
    ours(&scratch, &["list-tags", &two]).fails_with(&["Unsupported transport 'oci-archive' for tag listing"]);
    assert!(scratch.path("two.tar").exists());
}

/// Blobs that are named by a longer digest have names that have no room in a plain header.
#[test]
fn layers_that_become_one_blob_are_in_the_archive_once() {
    let scratch = Scratch::new().unwrap();
    let mut made = ImageSpec::new([Layer::new(1, 900_000), Layer::new(2, 900_000)])
        .make()
        .unwrap();
    // The second layer is the first one's tar, packed otherwise.
    let digests = made.layers(0);
    let mut tar = Vec::new();
    MultiGzDecoder::new(made.blobs[&digests[0]].as_ref())
        .read_to_end(&mut tar)
        .unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    packed.write_all(&tar).unwrap();
    let packed = packed.finish().unwrap();
    let mut config: Value = serde_json::from_slice(&made.blobs[&made.config(0)]).unwrap();
    config["rootfs"]["diff_ids"][1] = config["rootfs"]["diff_ids"][0].clone();
    let config = config.to_string().into_bytes();
    made.blobs.insert(sha256(&config), config.clone().into());
    made.blobs.insert(sha256(&packed), packed.clone().into());
    let made = made.with_manifest(|manifest| {
        manifest["config"]["digest"] = sha256(&config).into();
        manifest["config"]["size"] = config.len().into();
        manifest["layers"][1]["digest"] = sha256(&packed).into();
        manifest["layers"][1]["size"] = packed.len().into();
    });
    made.write_dir(&scratch.path("made")).unwrap();
    let archive = scratch.name("oci-archive", "a.tar:x");
    let zstd = [
        "copy",
        "--dest-compress-format=zstd",
        &scratch.name("dir", "made"),
        &archive,
    ];
    ours(&scratch, &zstd).success();
    ours(&scratch, &["copy", &archive, &scratch.name("dir", "back")]).success();
    let layers = check_dir(&scratch.path("back")).unwrap().layers;
    assert_eq!(layers[0], layers[1]);
}

#[test]
fn blobs_of_other_algorithms() {
    let scratch = Scratch::new().unwrap();
    let made = spec().make().unwrap();
    let layer = made.blobs[&made.layers(0)[0]].clone();
    let long = hex::encode(<sha2::Sha512 as sha2::Digest>::digest(&layer));
    let name = format!("sha512:{long}");
    let made = made.with_manifest(|manifest| manifest["layers"][0]["digest"] = name.clone().into());
    made.write_layout(&scratch.path("made"), "x").unwrap();
    fs::create_dir(scratch.path("made/blobs/sha512")).unwrap();
    fs::write(scratch.path("made/blobs/sha512").join(&long), &layer).unwrap();
    let archive = scratch.name("oci-archive", "long.tar:x");
    ours(&scratch, &["copy", &scratch.name("oci", "made:x"), &archive]).success();
    let members = file_members(&scratch.path("long.tar"));
    assert!(members[&format!("blobs/sha512/{long}")] == layer);
    ours(&scratch, &["copy", &archive, &scratch.name("oci", "back:x")]).success();
    assert!(fs::read(scratch.path("back/blobs/sha512").join(&long)).unwrap() == layer);
    // skopeo 1.9.3 reads such a blob, and stores it by its sha256 only.
    let file = scratch.path("long.tar").display().to_string();
    podman(&scratch, &["load", "--input", &file]).prints("localhost/x:latest");
}

#[test]
fn an_old_archive_gives_way_as_a_whole() {
    let scratch = Scratch::new().unwrap();
    for name in ["one", "two"] {
        let made = ImageSpec::new([Layer::new(name.len() as u64 + u64::from(name.as_bytes()[0]), 100)]);
        made.make().unwrap().write_dir(&scratch.path(name)).unwrap();
    }
    for run in [ours as fn(&Scratch, &[&str]) -> Finished, theirs] {
        for (from, tag) in [("one", "x"), ("two", "y")] {
            let to = scratch.name("oci-archive", &format!("a.tar:{tag}"));
            run(&scratch, &["copy", &scratch.name("dir", from), &to]).success();
        }
        let index: Value = serde_json::from_slice(&file_members(&scratch.path("a.tar"))["index.json"]).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
        assert_eq!(
            index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"],
            "y"
        );
    }
    // A copy onto its own source reads the old file to its end.
    let before = file_members(&scratch.path("a.tar"));
    let both = scratch.name("oci-archive", "a.tar:y");
    ours(&scratch, &["copy", &both, &both]).success();
    let after = file_members(&scratch.path("a.tar"));
    assert!(
        before
            .iter()
            .filter(|(name, _)| name.starts_with("blobs"))
            .all(|(name, data)| after[name] == *data)
    );
    ours(&scratch, &["copy", &both, &scratch.name("oci-archive", "a.tar:@0")]).fails_with(&["position"]);
}

/// Several layers are under way at once, and a copy that is killed meanwhile leaves what was there.
#[test]
fn a_killed_copy_leaves_the_old_file() {
    let made = ImageSpec::new([1, 2, 3].map(|seed| Layer::new(seed, 900_000)))
        .make()
        .unwrap();
    let registry = TestRegistry::start().unwrap();
    made.put_into(&registry, "app", "v1");
    let gate = Gate::new();
    let layers = made.layers(0);
    for layer in &layers {
        let stall = Fault::Stall {
            after: 200_000,
            gate: gate.clone(),
        };
        registry.script(When::every("GET", layer), stall);
    }
    let scratch = Scratch::new().unwrap();
    fs::create_dir(scratch.path("out")).unwrap();
    fs::write(scratch.path("out/image.tar"), b"old").unwrap();
    let to = scratch.name("oci-archive", "out/image.tar:foo");
    let arguments = ["copy", "--src-tls-verify=false", &registry.name("app:v1"), &to];
    let mut child = scratch.longshore().args(arguments).start();
    for layer in &layers {
        registry.wait_for("GET", layer);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read_dir(scratch.path("out")).unwrap().count(), 1);
    assert_eq!(fs::read(scratch.path("out/image.tar")).unwrap(), b"old");
    gate.open();
    ours(&scratch, &arguments).success();
    assert_eq!(fs::read_dir(scratch.path("out")).unwrap().count(), 1);
    ours(&scratch, &["copy", &to, &scratch.name("dir", "back")]).success();
    assert_eq!(check_dir(&scratch.path("back")).unwrap().layers, layers);
}

#[test]
fn archives_that_lie_are_refused() {
    let made = spec().make().unwrap();
    let scratch = Scratch::new().unwrap();
    made.write_layout(&scratch.path("made"), "x").unwrap();
    let read = |name: &str| fs::read(scratch.path("made").join(name)).unwrap();
    let blob = |digest: &str| format!("blobs/sha256/{}", digest.strip_prefix("sha256:").unwrap());
    let (index, manifest, config) = (read("index.json"), blob(&made.top.digest), blob(&made.config(0)));
    let (first, second) = (blob(&made.layers(0)[0]), blob(&made.layers(0)[1]));
    let (manifest_data, config_data) = (read(&manifest), read(&config));
    let (first_data, second_data) = (read(&first), read(&second));
    let mut wrong = first_data.clone();
    wrong[20] ^= 1;
    let longer = [&manifest_data[..], b" "].concat();
    let honest: Vec<(&str, &[u8])> = vec![
        ("index.json", &index),
        (&manifest, &manifest_data),
        (&config, &config_data),
        (&second, &second_data),
        (&first, &first_data),
    ];
    let with = |name: &str, data: &'_ [u8]| -> Vec<u8> {
        let changed = honest
            .iter()
            .map(|(other, old)| if *other == name { (*other, data) } else { (*other, *old) });
        tar(&changed.collect::<Vec<_>>())
    };
    let without = |name: &str| {
        tar(&honest
            .iter()
            .copied()
            .filter(|(other, _)| *other != name)
            .collect::<Vec<_>>())
    };
    let twice = tar(&[&honest[..], &[(&first, &first_data)]].concat());
    let mut cut = tar(&honest);
    cut.truncate(cut.len() - 1024 - first_data.len() / 2);
    for (archive, message) in [
        (tar(&honest), ""),
        (tar(&[]), "no index.json in the archive"),
        (b"no archive at all".repeat(100), "not a readable tar archive"),
        (with("index.json", b"{}"), "schemaVersion is not 2"),
        (with(&manifest, &longer), "manifest digest did not match"),
        (with(&config, &manifest_data), &made.config(0)),
        (with(&first, &wrong), "did not match"),
        (with(&first, &first_data[1..]), "bytes"),
        (without(&manifest), "is not in the archive"),
        (without(&first), "is not in the archive"),
        (twice, "more than once"),
        (cut, "ends beyond the end of the archive"),
    ] {
        let scratch = Scratch::new().unwrap();
        fs::write(scratch.path("a.tar"), archive).unwrap();
        let copy = [
            "copy",
            &scratch.name("oci-archive", "a.tar"),
            &scratch.name("oci", "to:x"),
        ];
        if message.is_empty() {
            ours(&scratch, &copy).success();
            continue;
        }
        ours(&scratch, &copy).with_status(1).says(&[message]);
        assert!(!scratch.path("to/index.json").exists(), "{message}");
    }
}

#[test]
fn policy_knows_archives_by_their_paths() {
    let scratch = Scratch::new().unwrap();
    spec().make().unwrap().write_dir(&scratch.path("made")).unwrap();
    let archive = scratch.name("oci-archive", "a.tar:x");
    ours(&scratch, &["copy", &scratch.name("dir", "made"), &archive]).success();
    std::os::unix::fs::symlink("a.tar", scratch.path("link.tar")).unwrap();
    let folder = scratch.path("").canonicalize().unwrap();
    for (scope, accepts) in [
        (folder.join("a.tar"), true),
        (folder.clone(), true),
        (folder.join("link.tar"), false),
        (folder.join("a.tar:x"), false),
    ] {
        let policy = format!(
            r#"{{"default":[{{"type":"reject"}}],
                "transports":{{"oci-archive":{{"{}":[{{"type":"insecureAcceptAnything"}}]}}}}}}"#,
            scope.display()
        );
        scratch.write_policy(&policy).unwrap();
        for (name, to) in [("a.tar:x", "a"), ("link.tar:x", "b")] {
            let _ = fs::remove_dir_all(scratch.path(to));
            let copied = ours(
                &scratch,
                &["copy", &scratch.name("oci-archive", name), &scratch.name("dir", to)],
            );
            copied.with_status(if accepts { 0 } else { 1 });
        }
    }
    let scoped = r#"{"default":[{"type":"reject"}],"transports":{"oci-archive":{"a.tar":[{"type":"reject"}]}}}"#;
    scratch.write_policy(scoped).unwrap();
    ours(&scratch, &["copy", &archive, "dir:never"])
        .with_status(1)
        .says(&["Unknown key \"a.tar\""]);
}

#[test]
fn what_the_plugin_would_be_granted() {
    let scratch = Scratch::new().unwrap();
    let described = ours(&scratch, &["plugin", "inspect", "oci-archive", "/x/a.tar:foo"]);
    described.success().prints("\"File\": \"/x/a.tar\"");
}
