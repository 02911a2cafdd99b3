//! `containers-storage:` as a destination: what podman and skopeo make of what was written there.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use longshore_tests::{Finished, ImageSpec, Layer, Members, Packing, Scratch, check_dir, sha256};
use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::{Value, json};
use tar::EntryType;

struct Store {
    scratch: Scratch,
}

impl Store {
    fn new() -> Self {
        let scratch = Scratch::new().unwrap();
        fs::create_dir_all(scratch.path("home/run")).unwrap();
        Self { scratch }
    }

    /// A name in one of the stores.
    fn name(&self, graph: &str, image: &str) -> String {
        let at = |name: &str| self.scratch.path(name).display().to_string();
        format!("containers-storage:[overlay@{}+{}]{image}", at(graph), at("run"))
    }

    fn ours(&self, words: &[&str]) -> Finished {
        self.scratch.longshore().args(words).run()
    }

    fn skopeo(&self, words: &[&str]) -> Finished {
        self.scratch.peer("skopeo").args(words).run()
    }

    fn podman(&self, words: &[&str]) -> Finished {
        let at = |name: &str| self.scratch.path(name).display().to_string();
        let podman = self
            .scratch
            .peer("podman")
            .args(["--root", &at("graph"), "--runroot", &at("run")]);
        podman.args(["--storage-driver", "overlay"]).args(words).run()
    }

    fn made(&self, name: &str, layers: &[Vec<u8>]) -> String {
        self.scratch.make_image(name, layers).unwrap()
    }

    fn layers(&self, graph: &str) -> Vec<Value> {
        let file = self.scratch.path(graph).join("overlay-layers/layers.json");
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    }

    /// A layer's files with all their attributes, as one tar file.
    fn files(&self, graph: &str, layer: &str) -> Vec<u8> {
        let folder = self.scratch.path(graph).join("overlay").join(layer).join("diff");
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        let mut tar = Command::new("tar");
        tar.args([
            "--create",
            "--sort=name",
            "--xattrs",
            "--xattrs-include=*",
            "--format=pax",
        ]);
        tar.args(["--pax-option=delete=atime,delete=ctime", "--directory"]);
        let made = tar.arg(&folder).args(names).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        made.stdout
    }
}

#[test]
fn layers_are_what_skopeo_makes_of_them() {
    let store = Store::new();
    let made = store.made("made", &[Members::base(), Members::upper()]);
    store.ours(&["copy", &made, &store.name("graph", "foo:1")]).success();
    store.skopeo(&["copy", &made, &store.name("other", "foo:1")]).success();
    let (ours, theirs) = (store.layers("graph"), store.layers("other"));
    assert_eq!(ours.len(), 2);
    for member in [
        "id",
        "parent",
        "diff-digest",
        "diff-size",
        "compressed-diff-digest",
        "compressed-size",
        "compression",
        "uidset",
        "gidset",
        "flags",
    ] {
        let of = |layers: &[Value]| layers.iter().map(|layer| layer[member].clone()).collect::<Vec<_>>();
        assert_eq!(of(&ours), of(&theirs), "{member}");
    }
    for layer in &ours {
        let id = layer["id"].as_str().unwrap();
        let (mut ours, mut theirs) = (store.files("graph", id), store.files("other", id));
        // What no member stood for, and what hides something, has the time when it was made.
        for files in [&mut ours, &mut theirs] {
            *files = without_times_of(files, &["without/", "without/a/", "etc/b"]);
        }
        assert!(ours == theirs, "{id}: {}\n{}", listed(&ours), listed(&theirs));
    }
    for graph in ["graph", "other"] {
        let back = format!("back-{graph}");
        store
            .skopeo(&["copy", &store.name(graph, "foo:1"), &store.scratch.name("dir", &back)])
            .success();
        store
            .ours(&["copy", &store.name(graph, "foo:1"), &store.scratch.name("dir", "ours")])
            .success();
        let expected = check_dir(&store.scratch.path("made")).unwrap();
        let found = check_dir(&store.scratch.path("ours")).unwrap();
        assert_eq!((found.configs, found.diff_ids), (expected.configs, expected.diff_ids));
        let raw = |tool: &dyn Fn(&[&str]) -> Finished| {
            let name = store.name(graph, "foo:1");
            tool(&["inspect", "--raw", &name]).success().stdout()
        };
        assert_eq!(raw(&|words| store.ours(words)), raw(&|words| store.skopeo(words)));
    }
}

/// The members of a tar file, but for the times of some.
fn without_times_of(files: &[u8], names: &[&str]) -> Vec<u8> {
    let mut archive = tar::Archive::new(files);
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let header = entry.header().clone();
        let time = if names.contains(&path.as_str()) {
            0
        } else {
            header.mtime().unwrap()
        };
        let mut extensions: Vec<_> = match entry.pax_extensions().unwrap() {
            Some(all) if !names.contains(&path.as_str()) => all
                .map(|one| one.unwrap())
                .map(|one| (one.key().unwrap().to_owned(), sha256(one.value_bytes())))
                .collect(),
            _ => Vec::new(),
        };
        extensions.sort();
        let mut data = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut data).unwrap();
        let link = entry
            .link_name_bytes()
            .map(|name| String::from_utf8_lossy(&name).into_owned());
        let (mode, user, group) = (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap());
        let kind = header.entry_type().as_byte();
        let device = (header.device_major().unwrap(), header.device_minor().unwrap());
        let line = format!(
            "{path} {kind} {mode:o} {user}:{group} {time} {device:?} {link:?} {} {extensions:?}\n",
            sha256(&data)
        );
        seen.extend(line.into_bytes());
    }
    seen
}

fn listed(files: &[u8]) -> String {
    String::from_utf8_lossy(files).into_owned()
}

#[test]
fn podman_uses_what_we_write() {
    let store = Store::new();
    let made = store.made("made", &[Members::base(), Members::upper()]);
    let name = store.name("graph", "localhost/foo:1");
    store.ours(&["copy", &made, &name]).success();
    store
        .podman(&["image", "list", "--format", "{{.Repository}}:{{.Tag}}"])
        .success()
        .prints("localhost/foo:1");
    let inspected = store
        .podman(&["image", "inspect", "localhost/foo:1"])
        .success()
        .stdout();
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected[0]["RootFS"]["Layers"].as_array().unwrap().len(), 2);
    let mounted = store.podman(&["image", "mount", "localhost/foo:1"]).success().stdout();
    let mounted = PathBuf::from(mounted.trim());
    let text = |path: &str| fs::read_to_string(mounted.join(path)).unwrap();
    assert_eq!(
        (text("etc/a"), text("hidden/new"), text("more")),
        (
            "contents of a\n".to_owned(),
            "new".to_owned(),
            "more, and longer".to_owned()
        )
    );
    for gone in ["etc/b", "hidden/old"] {
        assert!(!mounted.join(gone).exists(), "{gone}");
    }
    store.podman(&["image", "unmount", "localhost/foo:1"]).success();
    store.podman(&["image", "diff", "localhost/foo:1"]).success();
    // What podman makes on top of it is read, and then podman removes both.
    store.podman(&["tag", "localhost/foo:1", "localhost/bar:2"]).success();
    let bar = store.name("graph", "localhost/bar:2");
    store.ours(&["copy", &bar, &store.scratch.name("dir", "bar")]).success();
    assert_eq!(
        check_dir(&store.scratch.path("bar")).unwrap().diff_ids,
        check_dir(&store.scratch.path("made")).unwrap().diff_ids
    );
    store
        .podman(&["image", "rm", "localhost/foo:1", "localhost/bar:2"])
        .success();
    assert_eq!(store.layers("graph"), Vec::<Value>::new());
}

#[test]
fn images_share_layers_with_those_of_others() {
    let store = Store::new();
    let first = store.made("first", &[Members::base(), Members::upper()]);
    let second = store.made(
        "second",
        &[Members::base(), Members::new().file("more", 0o644, b"more").tar()],
    );
    // A layer may stand in an image twice, and on top of others than before.
    let twice = store.made("twice", &[Members::upper(), Members::base(), Members::upper()]);
    store.made("same", &[Members::upper(), Members::base(), Members::upper()]);
    store
        .skopeo(&["copy", &first, &store.name("graph", "first:1")])
        .success();
    store
        .ours(&["copy", &second, &store.name("graph", "second:1")])
        .success();
    // The same image again, by another name, and a name that goes over to another image.
    store
        .ours(&["copy", &second, &store.name("graph", "third:1")])
        .success();
    store.ours(&["copy", &first, &store.name("graph", "third:1")]).success();
    assert_eq!(store.layers("graph").len(), 3);
    // Both layers were there, if in other places: they are not read again.
    let manifest: Value =
        serde_json::from_slice(&fs::read(store.scratch.path("twice/manifest.json")).unwrap()).unwrap();
    for layer in manifest["layers"].as_array().unwrap() {
        let digest = layer["digest"].as_str().unwrap();
        let _ = fs::remove_file(store.scratch.path("twice").join(digest.trim_start_matches("sha256:")));
    }
    store.ours(&["copy", &twice, &store.name("graph", "twice:1")]).success();
    assert_eq!(store.layers("graph").len(), 6);
    for (name, made) in [
        ("first:1", "first"),
        ("second:1", "second"),
        ("third:1", "first"),
        ("twice:1", "same"),
    ] {
        let to = store.scratch.name("dir", "read");
        for tool in ["skopeo", "ours"] {
            let words = ["copy", &store.name("graph", name), &to];
            let copied = if tool == "ours" {
                store.ours(&words)
            } else {
                store.skopeo(&words)
            };
            copied.success();
        }
        let read = check_dir(&store.scratch.path("read")).unwrap();
        assert_eq!(
            read.diff_ids,
            check_dir(&store.scratch.path(made)).unwrap().diff_ids,
            "{name}"
        );
    }
    for name in ["second:1", "twice:1"] {
        store.skopeo(&["delete", &store.name("graph", name)]).success();
    }
    assert_eq!(store.layers("graph").len(), 2);
}

/// Makes an image's config say something else of its layers.
fn with_diff_ids(folder: &Path, diff_ids: &Value) {
    let manifest_file = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&manifest_file).unwrap()).unwrap();
    let digest = manifest["config"]["digest"].as_str().unwrap().to_owned();
    let config = fs::read(folder.join(digest.trim_start_matches("sha256:"))).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["rootfs"]["diff_ids"] = diff_ids.clone();
    let config = config.to_string();
    let digest = sha256(config.as_bytes());
    fs::write(folder.join(digest.trim_start_matches("sha256:")), &config).unwrap();
    manifest["config"]["digest"] = digest.into();
    manifest["config"]["size"] = config.len().into();
    fs::write(manifest_file, manifest.to_string()).unwrap();
}

#[test]
fn hostile_layers_leave_nothing() {
    let store = Store::new();
    let cut = Members::base()[..2000].to_vec();
    let twice = Members::new().file("a", 0o600, b"first").file("./a", 0o600, b"second");
    let linked = Members::new()
        .link(EntryType::Symlink, "out", "../../../../../../..")
        .file("out/escaped-by-symlink", 0o644, b"x");
    for (name, layer, expected) in [
        // The first one makes the store.
        ("link", linked.tar(), None),
        (
            "up",
            Members::new().raw("../escaped", b"x").tar(),
            Some("leads outside of the layer"),
        ),
        (
            "deep",
            Members::new().raw("a/../../escaped", b"x").tar(),
            Some("leads outside of the layer"),
        ),
        (
            "hard",
            Members::new().link(EntryType::Link, "a", "../../x").tar(),
            Some("leads outside of the layer"),
        ),
        (
            "missing",
            Members::new().link(EntryType::Link, "a", "nothing").tar(),
            Some("\"a\": "),
        ),
        ("cut", cut, Some("not a readable tar archive")),
        (
            "text",
            b"this is no archive".repeat(100),
            Some("not a readable tar archive"),
        ),
        (
            "sparse",
            Members::new()
                .attributes(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")])
                .file("a", 0o644, b"0\n")
                .tar(),
            Some("\"a\" is a sparse file"),
        ),
        ("twice", twice.tar(), Some("duplicates of file paths not supported")),
    ] {
        let made = store.made(name, &[layer]);
        let copied = store.ours(&["copy", &made, &store.name("graph", &format!("{name}:1"))]);
        match expected {
            Some(expected) => drop(copied.fails_with(&[expected])),
            None => drop(copied.success()),
        }
        store
            .ours(&["inspect", &store.name("graph", &format!("{name}:1"))])
            .with_status(if expected.is_some() { 2 } else { 0 });
    }
    assert_eq!(store.layers("graph").len(), 1);
    let escaped = ["escaped", "escaped-by-symlink"];
    for folder in ["", "graph", "graph/overlay"] {
        let names = fs::read_dir(store.scratch.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        assert!(
            names
                .into_iter()
                .all(|name| escaped.iter().all(|escaped| name != *escaped)),
            "{folder}"
        );
    }
    let made = store.made("lying", &[Members::base()]);
    let lie = format!("sha256:{}", "a".repeat(64));
    with_diff_ids(&store.scratch.path("lying"), &json!([lie]));
    let copied = store.ours(&["copy", &made, &store.name("graph", "lying:1")]);
    copied.fails_with(&[&lie]);
    assert_eq!(store.layers("graph").len(), 1);
}

#[test]
fn signatures_stay_with_their_image() {
    let store = Store::new();
    let image = ImageSpec::new([Layer::new(1, 3000).packed(Packing::Plain)])
        .make()
        .unwrap();
    let made = store.scratch.path("made");
    image.write_dir(&made).unwrap();
    let signatures = [&b"\xa3first"[..], b"\xa3second signature"];
    for (number, signature) in signatures.iter().enumerate() {
        fs::write(made.join(format!("signature-{}", number + 1)), signature).unwrap();
    }
    let name = store.name("graph", "foo:1");
    store
        .ours(&["copy", &store.scratch.name("dir", "made"), &name])
        .success();
    store
        .ours(&["copy", &name, &store.scratch.name("dir", "ours")])
        .success();
    store
        .skopeo(&["copy", &name, &store.scratch.name("dir", "theirs")])
        .success();
    for read in ["ours", "theirs"] {
        let read = |number: usize| fs::read(store.scratch.path(read).join(format!("signature-{number}"))).unwrap();
        assert_eq!([read(1), read(2)], signatures);
    }
    // The same image without signatures has none.
    let unsigned = ["copy", "--remove-signatures", &store.scratch.name("dir", "made"), &name];
    store.ours(&unsigned).success();
    store
        .ours(&["copy", &name, &store.scratch.name("dir", "unsigned")])
        .success();
    assert!(!store.scratch.path("unsigned/signature-1").exists());
}

#[test]
fn locks_of_others_are_waited_for_and_changes_are_marked() {
    let store = Store::new();
    let first = store.made("first", &[Members::base()]);
    store.ours(&["copy", &first, &store.name("graph", "first:1")]).success();
    for (number, list) in ["layers", "images"].into_iter().enumerate() {
        let path = store.scratch.path(format!("graph/overlay-{list}/{list}.lock"));
        let before = fs::read(&path).unwrap();
        assert_eq!(before.len(), 64);
        // As podman does: a record lock of the process.
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        fcntl_lock(&file, FlockOperation::LockExclusive).unwrap();
        let layer = Members::new().file("number", 0o644, list.as_bytes()).tar();
        let made = store.made(list, &[layer]);
        let name = store.name("graph", &format!("{list}:1"));
        let mut child = store
            .scratch
            .longshore()
            .args(["--debug", "copy", &made, &name])
            .start();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let waiting = format!("waiting for another process to release its lock on {}", path.display());
        assert!(told.any(|line| line.contains(&waiting)), "{list}: it did not wait");
        assert_eq!(store.layers("graph").len(), number + 1);
        fcntl_lock(&file, FlockOperation::Unlock).unwrap();
        told.for_each(drop);
        assert!(child.wait().unwrap().success());
        // Whoever has read the list before sees by this mark that it is another one.
        assert_ne!(fs::read(&path).unwrap(), before);
        assert_eq!(store.layers("graph").len(), number + 2);
    }
}
