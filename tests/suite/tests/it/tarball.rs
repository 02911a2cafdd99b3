//! `tarball:`: images made of root file systems, beside Debian's skopeo.

use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use longshore_tests::{Finished, Layer, Packing, Scratch, check_dir, check_layout, running_architecture, sha256};
use serde_json::Value;

fn ours(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.longshore().args(arguments).run()
}

fn theirs(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.peer("skopeo").args(arguments).run()
}

/// Writes a file that was last changed at a whole second, as far as ours tells times.
fn write(scratch: &Scratch, name: &str, data: &[u8], seconds: u64) {
    let path = scratch.path(name);
    fs::write(&path, data).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

fn layer(seed: u64) -> Vec<u8> {
    Layer::new(seed, 300_000).tar().unwrap()
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    xz.write_all(data).unwrap();
    xz.finish().unwrap()
}

#[test]
fn both_make_the_same_image() {
    let scratch = Scratch::new().unwrap();
    write(&scratch, "base.tar", &layer(1), 1_700_000_000);
    let gzip = Layer::new(2, 300_000).packed(Packing::Gzip).blob().unwrap();
    write(&scratch, "top.tar.gz", &gzip, 1_600_000_000);
    for reference in ["base.tar", "top.tar.gz", "base.tar:top.tar.gz"] {
        let from = format!("tarball:{reference}");
        for (run, to) in [(ours as fn(&Scratch, &[&str]) -> Finished, "ours"), (theirs, "theirs")] {
            let _ = fs::remove_dir_all(scratch.path(to));
            run(&scratch, &["copy", &from, &format!("dir:{to}")]).success();
        }
        let [our_image, their_image] = ["ours", "theirs"].map(|to| check_dir(&scratch.path(to)).unwrap());
        assert_eq!(our_image.configs, their_image.configs, "{reference}");
        assert_eq!(our_image.layers, their_image.layers, "{reference}");
    }
}

#[test]
fn files_of_any_compression_become_layers() {
    let scratch = Scratch::new().unwrap();
    let tar = layer(1);
    let zstd = zstd::encode_all(&layer(2)[..], 1).unwrap();
    let (bzip2, plain) = (b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0".as_slice(), layer(4));
    write(&scratch, "a", &tar, 1);
    write(&scratch, "b", &zstd, 3);
    write(&scratch, "c", &xz(&layer(3)), 2);
    write(&scratch, "d", bzip2, 2);
    ours(&scratch, &["copy", "tarball:a:b:c:d:a", "dir:to"]).success();
    let found = check_dir(&scratch.path("to")).unwrap();
    let diff_ids = [&tar, &layer(2), &layer(3), &Vec::new(), &tar].map(|data| sha256(data));
    assert_eq!(found.diff_ids, diff_ids);
    // Images know no xz and no bzip2: such layers are there without it.
    assert_eq!(found.layers[1], sha256(&zstd));
    assert_eq!(found.layers[2..], diff_ids[2..]);
    let manifest: Value = serde_json::from_slice(&fs::read(scratch.path("to/manifest.json")).unwrap()).unwrap();
    let types = manifest["layers"].as_array().unwrap().iter();
    let types: Vec<&str> = types.map(|layer| layer["mediaType"].as_str().unwrap()).collect();
    let base = "application/vnd.oci.image.layer.v1.tar";
    assert_eq!(types, [base, &format!("{base}+zstd"), base, base, base]);
    let inspected = ours(&scratch, &["inspect", "tarball:a:b"]).success();
    let inspected: Value = serde_json::from_str(&inspected.stdout()).unwrap();
    assert_eq!(inspected["Created"], "1970-01-01T00:00:03Z");
    assert_eq!(
        (&inspected["Os"], &inspected["Architecture"]),
        (&"linux".into(), &running_architecture().into())
    );
    // Where layers are compressed, they are all of one kind, and skopeo reads them.
    write(&scratch, "d", &plain, 2);
    ours(&scratch, &["copy", "tarball:a:c:d", "oci:layout:x"]).success();
    let stored = check_layout(&scratch.path("layout"), "x").unwrap();
    assert_eq!(stored.diff_ids, [&tar, &layer(3), &plain].map(|data| sha256(data)));
    theirs(&scratch, &["copy", "oci:layout:x", "dir:read"]).success();
    assert_eq!(check_dir(&scratch.path("read")).unwrap().layers, stored.layers);
}

#[test]
fn standard_input_is_one_of_the_layers() {
    let scratch = Scratch::new().unwrap();
    write(&scratch, "a", &layer(1), 1);
    for (reference, to) in [("-", "one"), ("a:-", "two")] {
        let arguments = ["copy".to_owned(), format!("tarball:{reference}"), format!("dir:{to}")];
        let mut child = scratch.longshore().args(&arguments).piped_stdin().start();
        child.stdin.take().unwrap().write_all(&layer(2)).unwrap();
        assert!(child.wait().unwrap().success());
        let found = check_dir(&scratch.path(to)).unwrap();
        assert_eq!(found.diff_ids.last(), Some(&sha256(&layer(2))));
    }
    ours(&scratch, &["inspect", "tarball:-:a:-"]).fails_with(&["standard input"]);
}

#[test]
fn the_files_of_the_user_stay_as_they_are() {
    let scratch = Scratch::new().unwrap();
    write(&scratch, "a", &layer(1), 1);
    write(&scratch, "cut", &xz(&layer(1))[..100_000], 1);
    for (arguments, messages) in [
        (
            &["delete", "tarball:a"][..],
            &["Deleting images not implemented for tarball: images"][..],
        ),
        (
            &["copy", "tarball:a", "tarball:b"],
            &["\"tarball:\" locations can only be read from, not written to"],
        ),
        (
            &["list-tags", "tarball:a"],
            &["Unsupported transport 'tarball' for tag listing"],
        ),
        (&["inspect", "tarball:a:none"], &["none", "No such file"]),
        (&["inspect", "tarball:a::b"], &["FILE[:FILE...]"]),
        (&["inspect", "tarball:a:cut"], &["cut: "]),
    ] {
        ours(&scratch, arguments).fails_with(messages);
    }
    assert!(fs::read(scratch.path("a")).unwrap() == layer(1));
}

#[test]
fn policy_knows_such_images_by_their_default_only() {
    let scratch = Scratch::new().unwrap();
    write(&scratch, "a", &layer(1), 1);
    for (scope, accepts) in [
        (r#""":[{"type":"insecureAcceptAnything"}]"#, true),
        (r#""":[{"type":"reject"}]"#, false),
    ] {
        let policy = format!(r#"{{"default":[{{"type":"reject"}}],"transports":{{"tarball":{{{scope}}}}}}}"#);
        scratch.write_policy(&policy).unwrap();
        let copied = ours(&scratch, &["copy", "tarball:a", &format!("dir:{accepts}")]);
        copied.with_status(if accepts { 0 } else { 1 });
    }
    let scoped = r#"{"default":[{"type":"reject"}],"transports":{"tarball":{"/a":[{"type":"reject"}]}}}"#;
    scratch.write_policy(scoped).unwrap();
    ours(&scratch, &["copy", "tarball:a", "dir:never"])
        .with_status(1)
        .says(&["Unknown key \"/a\""]);
}

/// As many layers as an image has at most.
#[test]
fn many_files() {
    let scratch = Scratch::new().unwrap();
    let names: Vec<String> = (0..128).map(|index| format!("f{index}")).collect();
    for name in &names {
        write(&scratch, name, name.as_bytes(), 1);
    }
    let copy = |count: usize| {
        ours(
            &scratch,
            &["copy", &format!("tarball:{}", names[..count].join(":")), "dir:to"],
        )
    };
    copy(127).success();
    assert_eq!(check_dir(&scratch.path("to")).unwrap().layers.len(), 127);
    copy(128).fails_with(&["128 files are more than the 127 layers"]);
}
