//! `docker-archive:`: files as of `docker save`, beside Debian's skopeo.

use std::fs::{self, File};
use std::io::Write as _;

use longshore_tests::{Fault, Finished, Gate, ImageSpec, Kind, Layer, Packing, Scratch, TestRegistry, When, sha256};
use serde_json::Value;

fn ours(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.longshore().args(arguments).run()
}

fn theirs(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.peer("skopeo").args(arguments).run()
}

fn spec() -> ImageSpec {
    ImageSpec::new([Layer::new(1, 700_000), Layer::new(2, 20)])
}

/// The layers of an image in a `dir:`, which are there under their names. (Their type says `gzip`, whatever they are:
/// DA-04.)
fn layers(scratch: &Scratch, folder: &str) -> Vec<String> {
    let read = |name: &str| fs::read(scratch.path(folder).join(name)).unwrap();
    let manifest: Value = serde_json::from_slice(&read("manifest.json")).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let digests = layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned());
    digests
        .inspect(|digest| assert_eq!(sha256(&read(&digest["sha256:".len()..])), *digest))
        .collect()
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

/// The config of an image with one layer of these uncompressed bytes.
fn config(layer: &[u8]) -> Vec<u8> {
    format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        sha256(layer)
    )
    .into_bytes()
}

#[test]
fn each_reads_what_the_other_writes() {
    for kind in [Kind::Oci, Kind::Docker] {
        let scratch = Scratch::new().unwrap();
        spec()
            .kind(kind)
            .make()
            .unwrap()
            .write_dir(&scratch.path("made"))
            .unwrap();
        let made = scratch.name("dir", "made");
        let our_archive = scratch.name("docker-archive", "ours.tar:foo:1.0");
        let their_archive = scratch.name("docker-archive", "theirs.tar:foo:1.0");
        ours(&scratch, &["copy", &made, &our_archive]).success();
        theirs(&scratch, &["copy", &made, &their_archive]).success();
        // The same members with the same bytes, in another order at most.
        let members = |name: &str| {
            let mut archive = tar::Archive::new(File::open(scratch.path(name)).unwrap());
            let entries = archive.entries().unwrap().map(|entry| {
                let mut entry = entry.unwrap();
                let mut data = Vec::new();
                std::io::Read::read_to_end(&mut entry, &mut data).unwrap();
                let header = entry.header().clone();
                (
                    entry.path().unwrap().into_owned(),
                    entry.link_name().unwrap().map(std::borrow::Cow::into_owned),
                    (header.mode().unwrap(), header.mtime().unwrap(), header.uid().unwrap()),
                    data,
                )
            });
            let mut entries: Vec<_> = entries.collect();
            entries.sort();
            entries
        };
        assert!(members("ours.tar") == members("theirs.tar"), "{kind:?}");
        for (run, from, to) in [
            (theirs as fn(&Scratch, &[&str]) -> Finished, &our_archive, "a"),
            (ours, &their_archive, "b"),
            (ours, &our_archive, "c"),
        ] {
            run(&scratch, &["copy", from, &scratch.name("dir", to)]).success();
        }
        assert_eq!(layers(&scratch, "a"), layers(&scratch, "b"), "{kind:?}");
        assert_eq!(layers(&scratch, "a"), layers(&scratch, "c"), "{kind:?}");
    }
}

#[test]
fn whole_archives_may_be_compressed_or_come_through_a_pipe() {
    let scratch = Scratch::new().unwrap();
    spec().make().unwrap().write_dir(&scratch.path("made")).unwrap();
    let made = scratch.name("dir", "made");
    theirs(
        &scratch,
        &["copy", &made, &scratch.name("docker-archive", "plain.tar:foo:1")],
    )
    .success();
    let plain = fs::read(scratch.path("plain.tar")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    fs::write(scratch.path("gz"), gzip.finish().unwrap()).unwrap();
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    xz.write_all(&plain).unwrap();
    fs::write(scratch.path("xz"), xz.finish().unwrap()).unwrap();
    fs::write(scratch.path("zst"), zstd::encode_all(&plain[..], 1).unwrap()).unwrap();
    ours(
        &scratch,
        &["copy", &scratch.name("docker-archive", "plain.tar"), "dir:expected"],
    )
    .success();
    let expected = layers(&scratch, "expected");
    for name in ["gz", "xz", "zst"] {
        let to = format!("dir:from-{name}");
        ours(
            &scratch,
            &["copy", &scratch.name("docker-archive", &format!("{name}:foo:1")), &to],
        )
        .success();
        assert_eq!(layers(&scratch, &format!("from-{name}")), expected);
    }
    for (reference, file) in [("-", "plain.tar"), ("/dev/stdin", "gz"), ("-:foo:1", "xz")] {
        let to = format!("piped-{file}");
        let source = format!("docker-archive:{reference}");
        let child = scratch.longshore().args(["copy", &source, &format!("dir:{to}")]);
        let mut child = child.piped_stdin().start();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&fs::read(scratch.path(file)).unwrap()).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success());
        assert_eq!(layers(&scratch, &to), expected, "{reference}");
    }
}

#[test]
fn an_archive_on_standard_output_is_nothing_but_the_archive() {
    let scratch = Scratch::new().unwrap();
    spec().make().unwrap().write_dir(&scratch.path("made")).unwrap();
    let made = scratch.name("dir", "made");
    ours(
        &scratch,
        &["copy", &made, &scratch.name("docker-archive", "file.tar:foo:1")],
    )
    .success();
    for to in ["docker-archive:-:foo:1", "docker-archive:/dev/stdout:foo:1"] {
        let copied = ours(&scratch, &["copy", &made, to]).success();
        assert!(
            copied.stdout_bytes() == fs::read(scratch.path("file.tar")).unwrap(),
            "{to}"
        );
    }
}

#[test]
fn several_images_in_one_file() {
    let scratch = Scratch::new().unwrap();
    let (one, two) = (b"layer one".as_slice(), b"layer two".as_slice());
    let manifest = br#"[{"Config":"1.json","RepoTags":["foo:1","bar:1"],"Layers":["1/layer.tar"]},
                        {"Config":"2.json","RepoTags":null,"Layers":["2/layer.tar"]}]"#;
    let (config_one, config_two) = (config(one), config(two));
    let archive = tar(&[
        ("1/layer.tar", one),
        ("2/layer.tar", two),
        ("1.json", &config_one),
        ("2.json", &config_two),
        ("manifest.json", manifest),
    ]);
    fs::write(scratch.path("two.tar"), archive).unwrap();
    for (reference, layer) in [
        ("foo:1", one),
        ("docker.io/library/bar:1", one),
        ("@0", one),
        ("@1", two),
    ] {
        let _ = fs::remove_dir_all(scratch.path("to"));
        let from = scratch.name("docker-archive", &format!("two.tar:{reference}"));
        ours(&scratch, &["copy", &from, "dir:to"]).success();
        assert_eq!(layers(&scratch, "to"), [sha256(layer)], "{reference}");
    }
    for (reference, message) in [
        ("two.tar", "Unexpected tar manifest.json: expected 1 item, got 2"),
        ("two.tar:foo:2", "Tag \"docker.io/library/foo:2\" not found"),
        ("two.tar:@2", "Invalid source index @2, only 2 manifest items available"),
        ("none.tar", "none.tar"),
    ] {
        let from = scratch.name("docker-archive", reference);
        ours(&scratch, &["copy", &from, "dir:never"])
            .with_status(1)
            .says(&[message]);
    }
    let list = ["list-tags", &scratch.name("docker-archive", "two.tar")];
    let listed = ours(&scratch, &list).success().stdout();
    assert_eq!(listed, theirs(&scratch, &list).success().stdout());
    assert_eq!(
        listed,
        "{\n    \"Tags\": [\n        \"foo:1\",\n        \"bar:1\",\n        \"@1\"\n    ]\n}\n"
    );
}

#[test]
fn names_go_into_the_archive() {
    let scratch = Scratch::new().unwrap();
    spec().make().unwrap().write_dir(&scratch.path("made")).unwrap();
    let made = scratch.name("dir", "made");
    let to = scratch.name("docker-archive", "tags.tar:foo");
    let tags = ["--additional-tag", "bar:2", "--additional-tag=quay.io/x/y:3"];
    ours(&scratch, &[&["copy"], &tags[..], &[&made, &to]].concat()).success();
    let listed = ours(&scratch, &["list-tags", &scratch.name("docker-archive", "tags.tar")]);
    listed
        .success()
        .prints("\"docker.io/library/foo:latest\"")
        .prints("\"docker.io/library/bar:2\"")
        .prints("\"quay.io/x/y:3\"");
    let untagged = scratch.name("docker-archive", "no.tar");
    ours(&scratch, &["copy", "--additional-tag", "bar", &made, &untagged]).fails_with(&["must be a tagged reference"]);
    assert!(!scratch.path("no.tar").exists());
    ours(&scratch, &["copy", &made, &scratch.name("docker-archive", "no.tar:@0")]).with_status(1);
}

#[test]
fn only_new_files_are_written() {
    let scratch = Scratch::new().unwrap();
    spec().make().unwrap().write_dir(&scratch.path("made")).unwrap();
    let made = scratch.name("dir", "made");
    fs::write(scratch.path("old.tar"), b"something").unwrap();
    fs::write(scratch.path("empty.tar"), b"").unwrap();
    let old = scratch.name("docker-archive", "old.tar:foo:1");
    ours(&scratch, &["copy", &made, &old])
        .with_status(1)
        .says(&["docker-archive doesn't support modifying existing images"]);
    assert_eq!(fs::read(scratch.path("old.tar")).unwrap(), b"something");
    ours(
        &scratch,
        &["copy", &made, &scratch.name("docker-archive", "empty.tar:foo:1")],
    )
    .success();
    ours(
        &scratch,
        &["inspect", &scratch.name("docker-archive", "empty.tar:foo:1")],
    )
    .success();
}

#[test]
fn a_killed_copy_leaves_no_file() {
    let made = ImageSpec::new([Layer::new(1, 900_000), Layer::new(2, 900_000)])
        .make()
        .unwrap();
    let registry = TestRegistry::start().unwrap();
    made.put_into(&registry, "app", "v1");
    let gate = Gate::new();
    let layer = made.layers(0)[1].clone();
    let stall = Fault::Stall {
        after: 200_000,
        gate: gate.clone(),
    };
    registry.script(When::every("GET", &layer), stall);
    let scratch = Scratch::new().unwrap();
    fs::create_dir(scratch.path("out")).unwrap();
    let to = scratch.name("docker-archive", "out/new.tar:foo:1");
    let arguments = ["copy", "--src-tls-verify=false", &registry.name("app:v1"), &to];
    let mut child = scratch.longshore().args(arguments).start();
    registry.wait_for("GET", &layer);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read_dir(scratch.path("out")).unwrap().count(), 0);
    gate.open();
    ours(&scratch, &arguments).success();
    assert_eq!(fs::read_dir(scratch.path("out")).unwrap().count(), 1);
}

#[test]
fn archives_that_lie_are_refused() {
    let layer = b"some layer".as_slice();
    let honest = config(layer);
    let manifest = br#"[{"Config":"c.json","RepoTags":[],"Layers":["l.tar"]}]"#.as_slice();
    let gzip = Layer::new(1, 5000).packed(Packing::Gzip).blob().unwrap();
    let mut cut = tar(&[("c.json", &honest), ("manifest.json", manifest), ("l.tar", &[1; 9000])]);
    cut.truncate(8000);
    let large = vec![b' '; (1 << 20) + 1];
    let large_config = [honest.clone(), vec![b' '; 4 << 20]].concat();
    let two_layers = br#"[{"Config":"c.json","Layers":["l.tar","l.tar"]}]"#;
    let outside = br#"[{"Config":"../../etc/passwd","Layers":["l.tar"]}]"#;
    for (archive, message) in [
        (tar(&[]), "file \"manifest.json\" not found"),
        (b"no archive at all".repeat(100), "not a readable tar archive"),
        (
            tar(&[("c.json", &honest), ("l.tar", b"another"), ("manifest.json", manifest)]),
            "did not match",
        ),
        (
            tar(&[("c.json", &honest), ("l.tar", &gzip), ("manifest.json", manifest)]),
            "did not match",
        ),
        (
            tar(&[
                ("c.json", &honest),
                ("l.tar", &gzip[..gzip.len() / 2]),
                ("manifest.json", manifest),
            ]),
            "l.tar",
        ),
        (
            tar(&[("c.json", &honest), ("manifest.json", manifest)]),
            "layer tarfiles are missing",
        ),
        (tar(&[("l.tar", layer), ("manifest.json", manifest)]), "c.json"),
        (
            tar(&[("c.json", &honest), ("l.tar", layer), ("manifest.json", two_layers)]),
            "Inconsistent layer count",
        ),
        (
            tar(&[("c.json", &honest), ("l.tar", layer), ("manifest.json", outside)]),
            "leads outside of the archive",
        ),
        (
            tar(&[("manifest.json", manifest), ("manifest.json", manifest)]),
            "more than once",
        ),
        (tar(&[("manifest.json", &large)]), "larger than 1048576 bytes"),
        (
            tar(&[("c.json", &large_config), ("manifest.json", manifest)]),
            "larger than 4194304 bytes",
        ),
        (cut, "ends beyond the end of the archive"),
    ] {
        let scratch = Scratch::new().unwrap();
        fs::write(scratch.path("bad.tar"), archive).unwrap();
        let from = scratch.name("docker-archive", "bad.tar");
        ours(&scratch, &["copy", &from, "oci:to:x"])
            .with_status(1)
            .says(&[message]);
        assert!(!scratch.path("to/index.json").exists(), "{message}");
    }
}

#[test]
fn a_decompression_bomb_is_defused() {
    let scratch = Scratch::new().unwrap();
    let file = File::create(scratch.path("bomb")).unwrap();
    let mut zstd = zstd::Encoder::new(file, 1).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1100 {
        zstd.write_all(&zeros).unwrap();
    }
    zstd.finish().unwrap();
    let temporary = scratch.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let from = scratch.name("docker-archive", "bomb");
    let tool = scratch.longshore().arg("--tmpdir").arg(&temporary);
    let tool = tool.args(["copy", &from, "dir:to"]);
    tool.run().with_status(1).says(&["decompression bomb"]);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn policy_knows_archives_by_their_default_only() {
    let scratch = Scratch::new().unwrap();
    spec().make().unwrap().write_dir(&scratch.path("made")).unwrap();
    let archive = scratch.name("docker-archive", "a.tar");
    ours(&scratch, &["copy", &scratch.name("dir", "made"), &archive]).success();
    for (scope, accepts) in [
        (r#""":[{"type":"insecureAcceptAnything"}]"#, true),
        (r#""":[{"type":"reject"}]"#, false),
    ] {
        let policy = format!(r#"{{"default":[{{"type":"reject"}}],"transports":{{"docker-archive":{{{scope}}}}}}}"#);
        scratch.write_policy(&policy).unwrap();
        let copied = ours(&scratch, &["copy", &archive, &format!("dir:{accepts}")]);
        copied.with_status(if accepts { 0 } else { 1 });
    }
    let scoped = r#"{"default":[{"type":"reject"}],"transports":{"docker-archive":{"/a":[{"type":"reject"}]}}}"#;
    scratch.write_policy(scoped).unwrap();
    ours(&scratch, &["copy", &archive, "dir:never"])
        .with_status(1)
        .says(&["Unknown key \"/a\""]);
}

#[test]
fn what_the_plugin_would_be_granted() {
    let scratch = Scratch::new().unwrap();
    let described = ours(&scratch, &["plugin", "inspect", "docker-archive", "/x/a.tar:foo"]);
    described.success().prints("\"File\": \"/x/a.tar\"");
}
