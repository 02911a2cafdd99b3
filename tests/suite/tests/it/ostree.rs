//! `ostree:`: what OSTree makes of what was written, and what is made of what OSTree wrote.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;

use longshore_tests::{
    Fault, Finished, Gate, ImageSpec, Kind, Layer, Members, Packing, Scratch, TestRegistry, When, check_dir,
};
use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::Value;
use tar::EntryType;

const MODES: [&str; 3] = ["archive", "bare-user", "bare"];

/// A repository that OSTree made.
pub(crate) struct Repository {
    pub(crate) scratch: Scratch,
}

impl Repository {
    pub(crate) fn new(mode: &str) -> Self {
        let repository = Self {
            scratch: Scratch::new().unwrap(),
        };
        repository.ostree(&["init", "--mode", mode]).success();
        repository
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.scratch.path("repo")
    }

    pub(crate) fn ostree(&self, words: &[&str]) -> Finished {
        let (command, rest) = words.split_first().unwrap();
        let repository = format!("--repo={}", self.path().display());
        self.scratch
            .peer("ostree")
            .args([*command, &repository])
            .args(rest)
            .run()
    }

    pub(crate) fn ours(&self, words: &[&str]) -> Finished {
        self.scratch.longshore().args(words).run()
    }

    pub(crate) fn name(&self, image: &str) -> String {
        format!("ostree:{image}@{}", self.path().display())
    }

    pub(crate) fn made(&self, name: &str, layers: &[Vec<u8>]) -> String {
        self.scratch.make_image(name, layers).unwrap()
    }

    /// Reads an image to `dir:TO` and compares its config and layers with those of `dir:MADE`.
    pub(crate) fn reads(&self, image: &str, to: &str, made: &str) {
        self.ours(&["copy", &self.name(image), &self.scratch.name("dir", to)])
            .success();
        let found = check_dir(&self.scratch.path(to)).unwrap();
        let expected = check_dir(&self.scratch.path(made)).unwrap();
        assert_eq!(found.diff_ids, expected.diff_ids, "{image}");
    }

    /// The branches, with their commits.
    pub(crate) fn branches(&self) -> Vec<(String, String)> {
        let listed = self.ostree(&["refs"]).success().stdout();
        let mut names: Vec<_> = listed.lines().map(str::to_owned).collect();
        names.sort();
        names
            .into_iter()
            .map(|name| {
                let commit = self.ostree(&["rev-parse", &name]).success().stdout();
                (name, commit.trim().to_owned())
            })
            .collect()
    }

    pub(crate) fn metadata(&self, branch: &str, key: &str) -> String {
        let shown = self.ostree(&["show", "--print-metadata-key", key, branch]).success();
        // A string in quotes.
        shown.stdout().trim().trim_matches('\'').to_owned()
    }

    /// Branches of an image's layers, in order.
    pub(crate) fn layer_branches(&self, made: &str) -> Vec<String> {
        let manifest = fs::read(self.scratch.path(made).join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let layers = manifest["layers"].as_array().unwrap();
        let hex = |layer: &Value| {
            layer["digest"]
                .as_str()
                .unwrap()
                .trim_start_matches("sha256:")
                .to_owned()
        };
        layers.iter().map(|layer| format!("ociimage/{}", hex(layer))).collect()
    }

    /// What a commit has in its tree, whatever else is in the commit.
    fn content_checksum(&self, branch: &str) -> String {
        let shown = self.ostree(&["show", branch]).success().stdout();
        let line = shown.lines().find(|line| line.starts_with("ContentChecksum")).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }
}

#[test]
fn ostree_finds_nothing_wrong_with_what_we_write() {
    let mut contents = Vec::new();
    for mode in MODES {
        let repository = Repository::new(mode);
        let made = repository.made("made", &[Members::base(), Members::upper()]);
        repository
            .ours(&["copy", &made, &repository.name("example.com/some/foo")])
            .success();
        repository.ostree(&["fsck"]).success();
        let image = "ociimage/example.com_2Fsome_2Ffoo_3Alatest";
        let layers = repository.layer_branches("made");
        let names: Vec<_> = repository.branches().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 4, "{mode}: {names:?}");
        assert!(names.iter().any(|name| name == image), "{mode}: {names:?}");
        let raw = repository
            .ours(&["inspect", "--raw", &repository.name("example.com/some/foo:latest")])
            .success()
            .stdout();
        let listed = repository.ostree(&["cat", image, "/manifest.json"]).success().stdout();
        assert_eq!(raw, listed, "{mode}");
        let size = |branch: &str, key: &str| repository.metadata(branch, key).parse::<u64>().unwrap();
        let made_manifest = fs::read(repository.scratch.path("made/manifest.json")).unwrap();
        let made_manifest: Value = serde_json::from_slice(&made_manifest).unwrap();
        for (index, branch) in layers.iter().enumerate() {
            assert_eq!(
                size(branch, "docker.size"),
                made_manifest["layers"][index]["size"].as_u64().unwrap()
            );
            let archive = fs::metadata(repository.scratch.path(format!("made-{index}.tar"))).unwrap();
            assert_eq!(size(branch, "docker.uncompressed_size"), archive.len());
            contents.push((index, repository.content_checksum(branch)));
        }
        repository.reads("example.com/some/foo", "read", "made");
        repository
            .ours(&["delete", &repository.name("example.com/some/foo")])
            .fails_with(&["Deleting images not implemented for ostree"]);
    }
    // A tree is the same in repositories of every mode.
    for (index, content) in &contents {
        let first = contents.iter().find(|(other, _)| other == index).unwrap();
        assert_eq!(*content, first.1, "layer {index}");
    }
}

/// The independent writer: OSTree's own, from the same archive.
#[test]
fn trees_are_those_that_ostree_makes_of_an_archive() {
    let repository = Repository::new("archive");
    let layer = Members::new()
        .directory("etc/", 0o751)
        .file("etc/a", 0o640, b"contents of a\n")
        .file("etc/empty", 0o600, b"")
        .file("etc/large", 0o4755, &vec![b'y'; 140_000])
        .link(EntryType::Link, "etc/b", "etc/a")
        .link(EntryType::Symlink, "etc/to-a", "a")
        .link(EntryType::Symlink, "away", "/no/where")
        .file("etc/ünïcode", 0o644, "größe".as_bytes())
        .file("Upper", 0o644, b"before all lower case")
        .directory("none/", 0o1777)
        .tar();
    let made = repository.made("made", &[layer]);
    repository.ours(&["copy", &made, &repository.name("foo")]).success();
    // The folder of the layer itself, which is no member here, as other programs have it: root's, with mode 0755.
    let tree = format!("--tree=tar={}", repository.scratch.path("made-0.tar").display());
    repository
        .ostree(&["commit", "--branch=theirs", "--tar-autocreate-parents", &tree])
        .success();
    let [ours] = &repository.layer_branches("made")[..] else {
        panic!("one layer")
    };
    assert_eq!(
        repository.content_checksum(ours),
        repository.content_checksum("theirs"),
        "{}\n{}",
        repository.ostree(&["ls", "-RCX", ours]).stdout(),
        repository.ostree(&["ls", "-RCX", "theirs"]).stdout()
    );
}

#[test]
fn checked_out_layers_have_what_their_members_say() {
    for mode in ["archive", "bare"] {
        let repository = Repository::new(mode);
        let made = repository.made("made", &[Members::base(), Members::upper()]);
        repository.ours(&["copy", &made, &repository.name("foo")]).success();
        let layers = repository.layer_branches("made");
        let checked_out = repository.scratch.path("checked-out");
        repository
            .ostree(&["checkout", &layers[0], &checked_out.display().to_string()])
            .success();
        let of = |path: &str| {
            let status = fs::symlink_metadata(checked_out.join(path)).unwrap();
            (status.mode(), status.uid(), status.gid())
        };
        assert_eq!(of(""), (0o040_755, 0, 0), "{mode}");
        assert_eq!(of("etc"), (0o040_751, 5, 6), "{mode}");
        assert_eq!(of("etc/a"), (0o100_640, 7, 8), "{mode}");
        assert_eq!(of("away"), (0o120_777, 9, 10), "{mode}");
        assert_eq!(of("ping"), (0o104_755, 7, 8), "{mode}");
        assert_eq!(of("without"), (0o040_755, 0, 0), "{mode}");
        let text = |path: &str| fs::read_to_string(checked_out.join(path)).unwrap();
        assert_eq!(text("etc/a"), text("etc/b"), "{mode}");
        assert_eq!(text("without/a/folder"), "new folder", "{mode}");
        let mut value = [0_u8; 64];
        let length = rustix::fs::getxattr(checked_out.join("ping"), "user.color", &mut value).unwrap();
        assert_eq!(&value[..length], b"blue", "{mode}");
        assert!(rustix::fs::getxattr(checked_out.join("ping"), "security.capability", &mut value).is_ok());
        // OSTree holds no devices, and whiteouts are files to it.
        assert!(!checked_out.join("etc/null").exists(), "{mode}");
        let listed = repository.ostree(&["ls", "-R", &layers[1]]).success().stdout();
        for whiteout in ["/etc/.wh.b", "/hidden/.wh..wh..opq"] {
            assert!(listed.contains(whiteout), "{mode}: {listed}");
        }
    }
}

/// Branches as the transport of 2018 had them, written by OSTree.
#[test]
fn images_that_ostree_wrote_are_read() {
    for mode in MODES {
        let repository = Repository::new(mode);
        let made = repository.made("made", &[Members::base(), Members::upper()]);
        repository.ours(&["copy", &made, &repository.name("foo")]).success();
        let mut branches = repository.branches();
        branches.retain(|(name, _)| name.starts_with("ociimage/"));
        assert_eq!(branches.len(), 4);
        let keys = [
            "docker.size",
            "docker.uncompressed_size",
            "docker.uncompressed_digest",
            "tarsplit.output",
            "docker.manifest",
            "signatures",
            "docker.digest",
        ];
        let theirs = Repository::new(mode);
        for (branch, _) in &branches {
            let folder = repository.scratch.path(branch.replace('/', "-"));
            repository
                .ostree(&["checkout", branch, &folder.display().to_string()])
                .success();
            let mut words = vec!["commit".to_owned(), format!("--branch={branch}")];
            words.push(format!("--tree=dir={}", folder.display()));
            for key in keys {
                let shown = repository.ostree(&["show", "--print-metadata-key", key, branch]);
                if shown.status() == Some(0) {
                    let value = shown.stdout().trim().trim_matches('\'').replace("\\\"", "\"");
                    words.push(format!("--add-metadata-string={key}={value}"));
                }
            }
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            theirs.ostree(&words).success();
        }
        theirs.ours(&["inspect", &theirs.name("foo")]).success();
        let to = theirs.scratch.name("dir", "read");
        theirs.ours(&["copy", &theirs.name("foo"), &to]).success();
        let found = check_dir(&theirs.scratch.path("read")).unwrap();
        let expected = check_dir(&repository.scratch.path("made")).unwrap();
        assert_eq!(found.diff_ids, expected.diff_ids, "{mode}");
    }
}

/// Without a record a layer is what its blob was.
#[test]
fn layers_without_a_record_are_read_as_they_are() {
    for mode in MODES {
        let repository = Repository::new(mode);
        repository.made("made", &[Members::base()]);
        let manifest = fs::read_to_string(repository.scratch.path("made/manifest.json")).unwrap();
        let parsed: Value = serde_json::from_str(&manifest).unwrap();
        for blob in [&parsed["config"], &parsed["layers"][0]] {
            let hex = blob["digest"].as_str().unwrap().trim_start_matches("sha256:");
            let folder = repository.scratch.path(format!("blob-{hex}"));
            fs::create_dir(&folder).unwrap();
            fs::copy(repository.scratch.path("made").join(hex), folder.join("content")).unwrap();
            let (branch, tree) = (
                format!("--branch=ociimage/{hex}"),
                format!("--tree=dir={}", folder.display()),
            );
            let size = format!("--add-metadata-string=docker.size={}", blob["size"]);
            repository.ostree(&["commit", &branch, &tree, &size]).success();
        }
        let folder = repository.scratch.path("image");
        fs::create_dir(&folder).unwrap();
        let tree = format!("--tree=dir={}", folder.display());
        let text = format!("--add-metadata-string=docker.manifest={manifest}");
        repository
            .ostree(&["commit", "--branch=ociimage/foo_3A1", &tree, &text])
            .success();
        repository.reads("foo:1", "read", "made");
        let read = fs::read_to_string(repository.scratch.path("read/manifest.json")).unwrap();
        assert_eq!(read, manifest, "{mode}");
    }
}

#[test]
fn signatures_come_back() {
    for mode in MODES {
        let repository = Repository::new(mode);
        let image = ImageSpec::new([Layer::new(1, 3000).packed(Packing::Plain)])
            .kind(Kind::Docker)
            .make()
            .unwrap();
        image.write_dir(&repository.scratch.path("made")).unwrap();
        let made = repository.scratch.name("dir", "made");
        let signatures = [b"\xa3first".to_vec(), vec![b's'; 9000]];
        for (number, signature) in signatures.iter().enumerate() {
            let file = repository.scratch.path(format!("made/signature-{}", number + 1));
            fs::write(file, signature).unwrap();
        }
        let name = repository.name("foo");
        repository.ours(&["copy", &made, &name]).success();
        assert_eq!(repository.metadata("ociimage/foo_3Alatest", "signatures"), "2");
        repository
            .ours(&["copy", &name, &repository.scratch.name("dir", "read")])
            .success();
        for (number, signature) in signatures.iter().enumerate() {
            let file = repository.scratch.path(format!("read/signature-{}", number + 1));
            assert_eq!(fs::read(file).unwrap(), *signature, "{mode}");
        }
        repository
            .ours(&["copy", "--remove-signatures", &made, &name])
            .success();
        assert_eq!(repository.metadata("ociimage/foo_3Alatest", "signatures"), "0");
        repository
            .ours(&["copy", &name, &repository.scratch.name("dir", "unsigned")])
            .success();
        assert!(!repository.scratch.path("unsigned/signature-1").exists());
    }
}

#[test]
fn images_share_layers() {
    let repository = Repository::new("archive");
    let first = repository.made("first", &[Members::base()]);
    let second = repository.made("second", &[Members::base(), Members::upper(), Members::base()]);
    repository.ours(&["copy", &first, &repository.name("first")]).success();
    let [layer] = &repository.layer_branches("first")[..] else {
        panic!("one layer")
    };
    let before = repository.ostree(&["rev-parse", layer]).success().stdout();
    // It is not read again.
    let blob = repository
        .scratch
        .path("second")
        .join(layer.trim_start_matches("ociimage/"));
    fs::remove_file(&blob).unwrap();
    repository
        .ours(&["copy", &second, &repository.name("second")])
        .success();
    assert_eq!(repository.ostree(&["rev-parse", layer]).success().stdout(), before);
    // Nothing that a branch needs is removed.
    repository.ostree(&["prune", "--refs-only"]).success();
    repository.ostree(&["fsck"]).success();
    repository.reads("first", "read", "first");
    repository
        .ours(&[
            "copy",
            &repository.name("second"),
            &repository.scratch.name("dir", "read-second"),
        ])
        .success();
    let shared = &check_dir(&repository.scratch.path("first")).unwrap().diff_ids;
    let read = check_dir(&repository.scratch.path("read-second")).unwrap().diff_ids;
    assert_eq!((&read[..1], &read[2..]), (&shared[..], &shared[..]));
}

#[test]
fn references_name_images_as_they_are_spelt() {
    let repository = Repository::new("bare-user");
    let made = repository.made("made", &[Members::upper()]);
    let ours = |words: &[&str]| repository.ours(words);
    ours(&["copy", &made, &repository.name("busybox")]).success();
    for (image, status) in [
        ("busybox", 0),
        ("busybox:latest", 0),
        ("docker.io/library/busybox", 2),
        ("busybox:other", 2),
    ] {
        ours(&["inspect", &repository.name(image)]).with_status(status);
    }
    let raw = ours(&["inspect", "--raw", &repository.name("busybox")])
        .success()
        .stdout();
    let digest = longshore_tests::sha256(raw.as_bytes());
    let by_digest = repository.name(&format!("busybox@{digest}"));
    ours(&["copy", &repository.name("busybox"), &by_digest]).fails_with(&["does not have the digest"]);
    // A link leads to the repository that policy knows.
    symlink(repository.path(), repository.scratch.path("link")).unwrap();
    let linked = format!("ostree:busybox@{}", repository.scratch.path("link").display());
    ours(&["inspect", &linked]).success();
    let real = fs::canonicalize(repository.path()).unwrap();
    let real = real.display();
    for (scope, status) in [
        (format!("{real}:busybox:latest"), 1),
        (format!("{real}:busybox"), 1),
        (format!("{real}:busy"), 0),
        (format!("{real}:busybox:other"), 0),
    ] {
        let policy = format!(
            r#"{{"default":[{{"type":"insecureAcceptAnything"}}],"transports":{{"ostree":{{"{scope}":[{{"type":"reject"}}]}}}}}}"#
        );
        repository.scratch.write_policy(&policy).unwrap();
        let to = repository.scratch.name("dir", &format!("to-{status}"));
        let copied = ours(&["copy", &linked, &to]).with_status(status);
        if status == 1 {
            copied.says(&["rejected by policy"]);
        }
    }
    for scope in ["busybox", "/a/../b:busybox", "/repo"] {
        let policy = format!(
            r#"{{"default":[{{"type":"reject"}}],"transports":{{"ostree":{{"{scope}":[{{"type":"reject"}}]}}}}}}"#
        );
        repository.scratch.write_policy(&policy).unwrap();
        ours(&["copy", &linked, "dir:never"]).fails_with(&[scope]);
    }
}

/// `ostree prune` locks the repository for itself alone.
#[test]
fn the_lock_of_others_is_waited_for() {
    let repository = Repository::new("archive");
    let made = repository.made("made", &[Members::upper()]);
    repository.ours(&["copy", &made, &repository.name("foo")]).success();
    let path = repository.path().join(".lock");
    let writes = ["copy", &made, &repository.name("bar")].map(str::to_owned);
    let reads = ["copy", &repository.name("foo"), &repository.scratch.name("dir", "read")].map(str::to_owned);
    for (words, bar_is_there) in [(writes, false), (reads, true)] {
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        fcntl_lock(&file, FlockOperation::LockExclusive).unwrap();
        let mut child = repository.scratch.longshore().arg("--debug").args(&words).start();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let waiting = format!("waiting for another process to release its lock on {}", path.display());
        assert!(told.any(|line| line.contains(&waiting)), "{words:?}: it did not wait");
        assert_eq!(
            repository.path().join("refs/heads/ociimage/bar_3Alatest").exists(),
            bar_is_there
        );
        fcntl_lock(&file, FlockOperation::Unlock).unwrap();
        told.for_each(drop);
        assert!(child.wait().unwrap().success(), "{words:?}");
    }
}

#[test]
fn killed_copies_leave_nothing_that_counts() {
    let repository = Repository::new("archive");
    let made = repository.made("made", &[Members::base()]);
    repository.ours(&["copy", &made, &repository.name("foo")]).success();
    let before = repository.branches();
    let image = ImageSpec::new([Layer::new(1, 900_000), Layer::new(2, 900_000)])
        .make()
        .unwrap();
    let registry = TestRegistry::start().unwrap();
    image.put_into(&registry, "app", "v1");
    let gate = Gate::new();
    let layer = image.layers(0)[1].clone();
    let stall = Fault::Stall {
        after: 200_000,
        gate: gate.clone(),
    };
    registry.script(When::every("GET", &layer), stall);
    let (from, to) = (registry.name("app:v1"), repository.name("foo"));
    let copy = ["copy", "--src-tls-verify=false", &from, &to];
    let mut child = repository.scratch.longshore().args(copy).start();
    registry.wait_for("GET", &layer);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(repository.branches(), before);
    repository.ostree(&["fsck"]).success();
    gate.open();
    repository.ours(&copy).success();
    assert_ne!(repository.branches(), before);
    repository.ostree(&["fsck"]).success();
    let mut left: Vec<_> = fs::read_dir(repository.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        [".lock", "config", "extensions", "objects", "refs", "state", "tmp"]
    );
}
