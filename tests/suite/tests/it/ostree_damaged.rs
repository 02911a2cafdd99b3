//! `ostree:` and what is damaged, hostile, or more than a repository can hold.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use longshore_tests::{Members, files_below};
use tar::EntryType;

use crate::ostree::Repository;

#[test]
fn hostile_layers_leave_nothing() {
    let repository = Repository::new("archive");
    let kept = repository.made("kept", &[Members::upper()]);
    repository.ours(&["copy", &kept, &repository.name("kept")]).success();
    let before = files_below(&repository.path()).unwrap();
    let long = "d/".repeat(2500);
    for (name, layer, expected) in [
        (
            "up",
            Members::new().raw("../escaped", b"x").tar(),
            "leads outside of the layer",
        ),
        (
            "deep",
            Members::new().raw("a/../../escaped", b"x").tar(),
            "leads outside of the layer",
        ),
        (
            "hard",
            Members::new().link(EntryType::Link, "a", "../../x").tar(),
            "leads outside of the layer",
        ),
        (
            "missing",
            Members::new().link(EntryType::Link, "a", "nothing").tar(),
            "is another name of \"nothing\", which is no file of this layer",
        ),
        (
            "folder",
            Members::new()
                .directory("d/", 0o755)
                .link(EntryType::Link, "a", "d")
                .tar(),
            "is another name of \"d\", which is no file of this layer",
        ),
        (
            "below",
            Members::new()
                .link(EntryType::Symlink, "out", "../../..")
                .file("out/escaped", 0o644, b"x")
                .tar(),
            "lies below \"out\", which is no folder",
        ),
        (
            "bytes",
            Members::new()
                .attributes(&[("path", b"\xff\xfe")])
                .file("a", 0o644, b"x")
                .tar(),
            "its name is not UTF-8",
        ),
        (
            "target",
            Members::new()
                .attributes(&[("linkpath", b"\xff\xfe")])
                .link(EntryType::Symlink, "a", "b")
                .tar(),
            "its target is not UTF-8",
        ),
        (
            "nul",
            Members::new()
                .attributes(&[("path", b"a\0b")])
                .file("a", 0o644, b"x")
                .tar(),
            "its name holds a NUL",
        ),
        (
            "long",
            Members::new()
                .attributes(&[("path", long.as_bytes())])
                .directory("d/", 0o755)
                .tar(),
            "its name has more than 4096 bytes",
        ),
        (
            "attribute",
            Members::new()
                .attributes(&[("SCHILY.xattr.", b"value")])
                .file("a", 0o644, b"x")
                .tar(),
            "has an attribute with a malformed name",
        ),
        (
            "twice",
            Members::new().file("a", 0o600, b"1").file("./a", 0o600, b"2").tar(),
            "duplicates of file paths not supported",
        ),
        ("cut", Members::base()[..2000].to_vec(), "not a readable tar archive"),
        ("text", b"this is no archive".repeat(100), "not a readable tar archive"),
    ] {
        let made = repository.made(name, &[layer]);
        repository
            .ours(&["copy", &made, &repository.name(name)])
            .fails_with(&[expected]);
        assert!(
            files_below(&repository.path()).unwrap() == before,
            "{name} left something"
        );
    }
}

/// What a device is a name of is a device.
#[test]
fn names_of_devices_are_left_out_with_them() {
    let repository = Repository::new("bare-user");
    let layer = Members::new()
        .node(EntryType::Char, "null", 1, 3)
        .link(EntryType::Link, "zero", "null")
        .file("a", 0o644, b"x")
        .tar();
    let made = repository.made("made", &[layer]);
    repository.ours(&["copy", &made, &repository.name("foo")]).success();
    repository.reads("foo", "read", "made");
}

#[test]
fn only_repositories_of_known_kinds_are_used() {
    let repository = Repository::new("bare-user-only");
    let made = repository.made("made", &[Members::upper()]);
    let name = repository.name("foo");
    let says = |expected: &str| {
        for words in [["copy", &made, &name].as_slice(), &["inspect", &name]] {
            repository.ours(words).fails_with(&[expected]);
        }
    };
    says("repo/config: mode \"bare-user-only\" is not supported");
    let config = repository.path().join("config");
    for (text, expected) in [
        ("[core]\nmode=archive\n", "repo/config: it says no repo_version"),
        ("[core]\nrepo_version=7\n", "repo/config: repo_version is \"7\", not 1"),
        ("[core\n", "repo/config: "),
        ("\0\0\0", "repo/config: "),
    ] {
        fs::write(&config, text).unwrap();
        says(expected);
    }
    fs::write(&config, b"\xff").unwrap();
    says("repo/config is not UTF-8");
    fs::write(&config, vec![b'#'; 100_000]).unwrap();
    says("config");
    fs::remove_file(&config).unwrap();
    says("repo is no OSTree repository: it has no config");
    fs::write(&config, "[core]\nrepo_version=1\nmode=archive\n").unwrap();
    fs::rename(repository.path().join("objects"), repository.path().join("other")).unwrap();
    says("repo is no OSTree repository: it has no objects");
    fs::remove_dir_all(repository.path()).unwrap();
    says("repo");
    assert!(!repository.path().exists());
}

/// Objects of a kind, but for those with the same content in the other layer.
fn objects(repository: &Repository, extension: &str) -> Vec<PathBuf> {
    let below = files_below(&repository.path()).unwrap();
    let found = below
        .into_keys()
        .filter(|path| path.as_os_str().as_bytes().ends_with(extension.as_bytes()));
    found.map(|path| repository.path().join(path)).collect()
}

/// Every object of an image, bent in every way: it is told, or the image is read as it was.
#[test]
fn damaged_objects_are_found_out() {
    for mode in ["archive", "bare-user", "bare"] {
        let repository = Repository::new(mode);
        let layer = Members::new()
            .directory("etc/", 0o755)
            .file("etc/text", 0o644, &b"text that deflates well ".repeat(40))
            .file("b", 0o600, b"short")
            .tar();
        let made = repository.made("made", &[layer]);
        repository.ours(&["copy", &made, &repository.name("foo")]).success();
        let name = repository.name("foo");
        let read = repository.scratch.name("dir", "read");
        let extension = if mode == "archive" { ".filez" } else { ".file" };
        let mut failed = 0;
        for kind in [".commit", ".dirtree", extension] {
            let all = objects(&repository, kind);
            assert!(all.len() >= 3, "{mode}: {kind}: {all:?}");
            for object in all {
                let good = fs::read(&object).unwrap();
                let mut bent = vec![Vec::new(), good[..good.len() / 2].to_vec(), [&good[..], b"x"].concat()];
                for position in [0, good.len() / 2, good.len() - 1] {
                    let mut altered = good.clone();
                    altered[position] ^= 0x41;
                    bent.push(altered);
                }
                for bytes in bent {
                    // In place: owner, mode and attributes stay.
                    fs::write(&object, &bytes).unwrap();
                    let copied = repository.ours(&["copy", &name, &read]);
                    if copied.status() == Some(0) {
                        // The file is not needed: that of the manifest.
                        repository.reads("foo", "again", "made");
                    } else {
                        copied.with_status(1);
                        failed += 1;
                        assert!(
                            !repository.scratch.path("read").exists()
                                || fs::read_dir(repository.scratch.path("read")).unwrap().count() > 0
                        );
                    }
                    let _ = fs::remove_dir_all(repository.scratch.path("read"));
                }
                fs::remove_file(&object).unwrap();
                fs::write(&object, &good).unwrap();
            }
        }
        assert!(failed > 30, "{mode}: {failed}");
    }
}

#[test]
fn branches_that_lie_are_found_out() {
    let repository = Repository::new("archive");
    let made = repository.made("made", &[Members::base()]);
    repository.ours(&["copy", &made, &repository.name("foo")]).success();
    let name = repository.name("foo");
    let file = repository.path().join("refs/heads/ociimage/foo_3Alatest");
    let good = fs::read_to_string(&file).unwrap();
    for text in [
        "",
        "\n",
        "not a checksum",
        &good[1..],
        &good.to_uppercase(),
        &format!("../../{good}"),
        &"a".repeat(1000),
    ] {
        fs::write(&file, text).unwrap();
        repository
            .ours(&["inspect", &name])
            .with_status(1)
            .says(&["foo_3Alatest"]);
    }
    fs::write(&file, "a".repeat(64)).unwrap();
    repository
        .ours(&["inspect", &name])
        .fails_with(&["aaaa.commit is missing"]);
    let folder = repository.scratch.path("empty");
    fs::create_dir(&folder).unwrap();
    let tree = format!("--tree=dir={}", folder.display());
    let commit_of = |tree: &str, branch: &str, metadata: &[&str]| {
        let branch = format!("--branch={branch}");
        let mut words = vec!["commit", &branch, tree];
        words.extend(metadata);
        repository.ostree(&words).success();
    };
    let commit = |branch: &str, metadata: &[&str]| commit_of(&tree, branch, metadata);
    // A commit of somebody else's is no image.
    commit("ociimage/foo_3Alatest", &[]);
    repository.ours(&["inspect", &name]).with_status(2);
    commit(
        "ociimage/foo_3Alatest",
        &["--add-metadata-string=docker.manifest=no JSON"],
    );
    repository.ours(&["inspect", &name]).with_status(1);
    let manifest = fs::read_to_string(repository.scratch.path("made/manifest.json")).unwrap();
    let manifest = format!("--add-metadata-string=docker.manifest={manifest}");
    let signatures = "--add-metadata-string=signatures=1000000000000";
    commit("ociimage/foo_3Alatest", &[&manifest, signatures]);
    repository
        .ours(&["copy", &name, "dir:never"])
        .fails_with(&["signature-1"]);
    // A layer whose record or whose numbers are not what they should be.
    let [layer] = &repository.layer_branches("made")[..] else {
        panic!("one layer")
    };
    let value = |key: &str| repository.metadata(layer, key);
    let (digest, size, record) = (
        value("docker.uncompressed_digest"),
        value("docker.uncompressed_size"),
        value("tarsplit.output"),
    );
    commit("ociimage/foo_3Alatest", &[&manifest]);
    commit_of(&format!("--tree=ref={layer}"), "whole", &[]);
    let whole = "--tree=ref=whole".to_owned();
    let none = "sha256:".to_owned() + &"0".repeat(64);
    for (tree, digest, size, record, expected) in [
        (&whole, &digest, &size, "no base64!", "tar-split"),
        (&whole, &digest, &size, "bm8gZ3ppcA==", "tar-split"),
        (&whole, &digest, &size, &record[..record.len() / 8 * 4], "tar-split"),
        (&whole, &digest, &"7".to_owned(), record.as_str(), "7"),
        (&whole, &none, &size, &record, "0000"),
        // The files are not in this tree.
        (&tree, &digest, &size, &record, "is not in the tree of the commit"),
    ] {
        let metadata = [
            "--add-metadata-string=docker.size=1".to_owned(),
            format!("--add-metadata-string=docker.uncompressed_digest={digest}"),
            format!("--add-metadata-string=docker.uncompressed_size={size}"),
            format!("--add-metadata-string=tarsplit.output={record}"),
        ];
        let metadata: Vec<_> = metadata.iter().map(String::as_str).collect();
        commit_of(tree, layer, &metadata);
        repository.ours(&["copy", &name, "dir:never"]).fails_with(&[expected]);
        assert!(!repository.scratch.path("never/manifest.json").exists());
    }
}
