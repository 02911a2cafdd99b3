//! `containers-storage:`: what skopeo, podman and buildah keep, read and removed beside them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use longshore_tests::{Checked, Finished, ImageSpec, Kind, Layer, Packing, Scratch, Tool, check_dir, check_layout};
use serde_json::Value;

const DRIVERS: [&str; 2] = ["overlay", "vfs"];

/// A store of its own, which storage.conf names.
struct Store {
    scratch: Scratch,
    driver: &'static str,
}

impl Store {
    fn new(driver: &'static str) -> Self {
        let scratch = Scratch::new().unwrap();
        fs::create_dir_all(scratch.path("home/run")).unwrap();
        let store = Self { scratch, driver };
        store.configure(&store.root());
        store
    }

    /// Has storage.conf name a store.
    fn configure(&self, root: &Path) {
        let text = format!(
            "[storage]\ndriver = \"{}\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            self.driver,
            root.display(),
            self.scratch.path("run").display()
        );
        fs::write(self.scratch.path("storage.conf"), text).unwrap();
    }

    fn root(&self) -> PathBuf {
        self.scratch.path("graph")
    }

    /// A file of one of the store's lists.
    fn file(&self, list: &str, name: &str) -> PathBuf {
        self.root().join(format!("{}-{list}", self.driver)).join(name)
    }

    fn with_conf(&self, tool: Tool) -> Tool {
        tool.env("CONTAINERS_STORAGE_CONF", self.scratch.path("storage.conf"))
    }

    fn ours(&self, arguments: &[&str]) -> Finished {
        self.with_conf(self.scratch.longshore()).args(arguments).run()
    }

    fn peer(&self, name: &str, arguments: &[&str]) -> Finished {
        self.with_conf(self.scratch.peer(name)).args(arguments).run()
    }

    /// Has skopeo store an image that was written as `dir:made`.
    fn take(&self, spec: &ImageSpec, name: &str) {
        let made = self.scratch.path(format!("made-{name}"));
        spec.make().unwrap().write_dir(&made).unwrap();
        let from = format!("dir:{}", made.display());
        self.peer("skopeo", &["copy", &from, &format!("containers-storage:{name}")])
            .success();
    }

    fn list(&self, list: &str) -> Vec<Value> {
        let bytes = fs::read(self.file(list, &format!("{list}.json"))).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Copies to a fresh `dir:` and looks at what came.
    fn read(&self, reference: &str, to: &str) -> Checked {
        let from = format!("containers-storage:{reference}");
        self.ours(&["copy", &from, &self.scratch.name("dir", to)]).success();
        check_dir(&self.scratch.path(to)).unwrap()
    }

    /// What of the store can be seen in folders.
    fn entries(&self) -> BTreeSet<String> {
        let folders = match self.driver {
            "overlay" => &["overlay", "overlay/l", "overlay-layers", "overlay-images"][..],
            _ => &["vfs", "vfs/dir", "vfs-layers", "vfs-images"],
        };
        let entries = folders.iter().flat_map(|folder| {
            let entries = fs::read_dir(self.root().join(folder)).unwrap();
            entries.map(move |entry| format!("{folder}/{}", entry.unwrap().file_name().display()))
        });
        // The names of links are random.
        let entries = entries.map(|name| {
            if name.starts_with("overlay/l/") {
                "overlay/l/".to_owned()
            } else {
                name
            }
        });
        entries.collect()
    }
}

fn spec() -> ImageSpec {
    ImageSpec::new([Layer::new(1, 700_000), Layer::new(2, 20)])
}

/// What the layers of an image are without compression, and its configs.
fn contents(checked: &Checked) -> (&[String], &[String]) {
    (&checked.diff_ids, &checked.configs)
}

#[test]
fn what_skopeo_stores_is_read() {
    for (driver, kind) in [
        ("overlay", Kind::Oci),
        ("overlay", Kind::Docker),
        ("vfs", Kind::Oci),
        ("vfs", Kind::Docker),
    ] {
        let store = Store::new(driver);
        store.take(&spec().kind(kind), "foo:1");
        let made = check_dir(&store.scratch.path("made-foo:1")).unwrap();
        let read = store.read("foo:1", "read");
        assert_eq!(contents(&read), contents(&made), "{driver} {kind:?}");
        // They are as the store has them: without compression.
        assert_eq!(read.layers, read.diff_ids);
        assert_eq!(read.media_type, made.media_type);
        let layout = store.scratch.name("oci", "layout:foo");
        store.ours(&["copy", "containers-storage:foo:1", &layout]).success();
        let packed = check_layout(&store.scratch.path("layout"), "foo").unwrap();
        assert_eq!(packed.diff_ids, made.diff_ids);
        let inspect = ["inspect", "--raw", "containers-storage:foo:1"];
        let raw = store.ours(&inspect).success();
        assert_eq!(
            raw.stdout_bytes(),
            store.peer("skopeo", &inspect).success().stdout_bytes()
        );
        let config = ["inspect", "--config", "containers-storage:foo:1"];
        assert_eq!(
            store.ours(&config).success().stdout(),
            store.peer("skopeo", &config).success().stdout()
        );
    }
}

#[test]
fn what_buildah_builds_is_read() {
    for driver in DRIVERS {
        let store = Store::new(driver);
        let input = store.scratch.path("input");
        fs::create_dir_all(input.join("sub")).unwrap();
        fs::write(input.join("large"), vec![b'x'; 3_000_000]).unwrap();
        fs::write(input.join("empty"), "").unwrap();
        fs::write(input.join("sub/name <&> é"), "odd").unwrap();
        symlink("large", input.join("link")).unwrap();
        fs::hard_link(input.join("large"), input.join("same")).unwrap();
        let input = input.display().to_string();
        let buildah = |arguments: &[&str]| store.peer("buildah", arguments).success();
        let container = buildah(&["from", "scratch"]).stdout();
        buildah(&["copy", container.trim(), &input, "/data"]);
        buildah(&["commit", container.trim(), "localhost/built:1"]);
        // A second layer takes something away.
        let container = buildah(&["from", "localhost/built:1"]).stdout();
        let mounted = buildah(&["mount", container.trim()]).stdout();
        fs::remove_file(Path::new(mounted.trim()).join("data/large")).unwrap();
        fs::write(Path::new(mounted.trim()).join("data/sub/more"), "more").unwrap();
        buildah(&["umount", container.trim()]);
        buildah(&["commit", "--rm", container.trim(), "localhost/built:2"]);
        for name in ["localhost/built:1", "localhost/built:2"] {
            let folder = name.replace('/', "-");
            let read = store.read(name, &folder);
            let theirs = store.scratch.path(format!("{folder}-theirs"));
            let to = format!("dir:{}", theirs.display());
            store
                .peer("skopeo", &["copy", &format!("containers-storage:{name}"), &to])
                .success();
            let theirs: Value = serde_json::from_slice(&fs::read(theirs.join("manifest.json")).unwrap()).unwrap();
            let layers = theirs["layers"].as_array().unwrap();
            let layers: Vec<_> = layers.iter().map(|layer| layer["digest"].as_str().unwrap()).collect();
            assert_eq!(read.layers, layers, "{driver} {name}");
        }
    }
}

#[test]
fn images_have_names_digests_and_ids() {
    let store = Store::new("vfs");
    store.take(&spec(), "foo:1");
    store.take(&ImageSpec::new([Layer::new(3, 10)]), "bar");
    let foo = check_dir(&store.scratch.path("made-foo:1")).unwrap();
    let bar = check_dir(&store.scratch.path("made-bar")).unwrap();
    let id = foo.configs[0].trim_start_matches("sha256:").to_owned();
    let digest = &foo.digest;
    let (root, run) = (store.root(), store.scratch.path("run"));
    let (root, run) = (root.display(), run.display());
    for (number, reference) in [
        "docker.io/library/foo:1".to_owned(),
        format!("@{id}"),
        id[..12].to_owned(),
        format!("@{}", &id[..3]),
        format!("foo:1@{id}"),
        format!("foo@{digest}"),
        format!("foo:1@{digest}"),
        format!("[{root}]foo:1"),
        format!("[vfs@{root}+{run}]foo:1"),
        format!("[vfs@{root}+{run}:vfs.ignore_chown_errors=false]foo:1"),
    ]
    .iter()
    .enumerate()
    {
        let read = store.read(reference, &format!("read-{number}"));
        assert_eq!(contents(&read), contents(&foo), "{reference}");
    }
    assert_eq!(contents(&store.read("bar", "bar")), contents(&bar));
    for (reference, status, fragment) in [
        ("foo:2", 2, "docker.io/library/foo:2\" does not resolve to an image ID"),
        ("[overlay@/]foo:1", 2, "does not resolve to an image ID"),
        (
            "@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            2,
            "does not resolve",
        ),
        ("foo@", 1, "empty trailing digest or ID"),
        ("foo@xyz", 1, "does not look like an image ID or digest"),
        ("Foo", 1, "parsing named reference"),
        ("[/none]foo", 1, "/none"),
        ("[none]foo", 1, "path name is not absolute"),
        ("[zfs@/]foo", 1, "storage driver \"zfs\" is not supported"),
        ("[/", 1, "did not end"),
    ] {
        let from = format!("containers-storage:{reference}");
        store
            .ours(&["copy", &from, "dir:never"])
            .with_status(status)
            .says(&[fragment]);
    }
    let other = format!("bar@{id}");
    store
        .ours(&["inspect", &format!("containers-storage:{other}")])
        .with_status(2)
        .says(&["does not resolve to an image ID"]);
    assert!(!store.scratch.path("never").exists());
}

#[test]
fn images_are_found_in_additional_stores() {
    let store = Store::new("overlay");
    store.take(&spec(), "foo:1");
    let made = check_dir(&store.scratch.path("made-foo:1")).unwrap();
    let other = store.scratch.path("other");
    fs::create_dir_all(&other).unwrap();
    let option = format!("overlay.imagestore={}", store.root().display());
    let (root, run) = (other.display(), store.scratch.path("run"));
    let reference = format!("[overlay@{root}+{}:{option}]foo:1", run.display());
    assert_eq!(contents(&store.read(&reference, "read")), contents(&made));
}

#[test]
fn tags_are_not_listed_and_other_drivers_not_written() {
    let store = Store::new("vfs");
    store.take(&spec(), "foo:1");
    let list = ["list-tags", "containers-storage:foo"];
    let message = "Unsupported transport 'containers-storage' for tag listing. Only supported: docker, docker-archive";
    store.ours(&list).fails_with(&[message]);
    store.peer("skopeo", &list).fails_with(&[message]);
    let before = store.entries();
    let from = store.scratch.name("dir", "made-foo:1");
    store
        .ours(&["copy", &from, "containers-storage:foo:2"])
        .fails_with(&["images are written to stores with the driver overlay only, not vfs"]);
    assert_eq!(store.entries(), before);
}

#[test]
fn signatures_are_read() {
    let store = Store::new("overlay");
    let made = store.scratch.path("made");
    let plain = [Layer::new(1, 3000).packed(Packing::Plain)];
    for (layers, name) in [(&plain[..], "plain"), (&[Layer::new(2, 3000)], "packed")] {
        let _ = fs::remove_dir_all(&made);
        let image = ImageSpec::new(layers.iter().copied()).make().unwrap();
        image.write_dir(&made).unwrap();
        for (number, signature) in [&b"\xa3first"[..], b"\xa3second signature"].iter().enumerate() {
            fs::write(made.join(format!("signature-{}", number + 1)), signature).unwrap();
        }
        let from = format!("dir:{}", made.display());
        store
            .peer("skopeo", &["copy", &from, &format!("containers-storage:{name}")])
            .success();
    }
    store.read("plain", "read");
    let signature = |number: usize| fs::read(store.scratch.path(format!("read/signature-{number}"))).unwrap();
    assert_eq!(signature(1), b"\xa3first");
    assert_eq!(signature(2), b"\xa3second signature");
    // A signed manifest that names compressed layers cannot stay as it is.
    let copy = ["copy", "containers-storage:packed", "dir:never"];
    let message = "Copying this image would require changing layer representation, which we cannot do";
    store.ours(&copy).fails_with(&[message]);
    store.peer("skopeo", &copy).fails_with(&[message]);
    store
        .ours(&[
            "copy",
            "--remove-signatures",
            "containers-storage:packed",
            "dir:unsigned",
        ])
        .success();
}

#[test]
fn deleting_leaves_what_others_need() {
    for driver in DRIVERS {
        let (mine, theirs) = (Store::new(driver), Store::new(driver));
        let base = Layer::new(1, 50_000);
        for store in [&mine, &theirs] {
            store.take(&ImageSpec::new([base, Layer::new(2, 20), Layer::new(3, 20)]), "foo");
            store.take(&ImageSpec::new([base, Layer::new(4, 20)]), "bar");
        }
        for name in ["foo", "bar"] {
            let delete = ["delete", &format!("containers-storage:{name}")];
            mine.ours(&delete).success();
            theirs.peer("skopeo", &delete).success();
            let ids = |store: &Store, list: &str| {
                let ids = store.list(list).into_iter().map(|record| record["id"].to_string());
                ids.collect::<BTreeSet<_>>()
            };
            for list in ["images", "layers"] {
                assert_eq!(ids(&mine, list), ids(&theirs, list), "{driver} {name} {list}");
            }
            assert_eq!(mine.entries(), theirs.entries(), "{driver} {name}");
            mine.ours(&delete)
                .with_status(2)
                .says(&["does not resolve to an image ID"]);
            if name == "foo" {
                let made = check_dir(&mine.scratch.path("made-bar")).unwrap();
                assert_eq!(contents(&mine.read("bar", "read")), contents(&made));
                let listed = mine.peer("podman", &["images", "--format={{.Repository}}"]).success();
                assert_eq!(listed.stdout(), "docker.io/library/bar\n");
            }
        }
        // What is left is a store that can be written to.
        mine.take(&spec(), "foo:1");
        mine.read("foo:1", "again");
    }
}

#[test]
fn images_in_use_are_not_deleted() {
    let store = Store::new("overlay");
    store.take(&spec(), "foo:1");
    store
        .peer("podman", &["create", "--name=box", "foo:1", "/bin/true"])
        .success();
    let delete = ["delete", "containers-storage:foo:1"];
    let message = "image is in use by a container";
    store.ours(&delete).fails_with(&["image used by ", message]);
    store.peer("skopeo", &delete).fails_with(&["image used by ", message]);
    store.peer("podman", &["rm", "box"]).success();
    store.peer("podman", &["image", "mount", "foo:1"]).success();
    store.ours(&delete).fails_with(&["is mounted"]);
    store.peer("podman", &["image", "unmount", "foo:1"]).success();
    store.ours(&delete).success();
}

/// Rewrites the text of a tar-split record.
fn rewrite(record: &Path, change: impl FnOnce(String) -> String) {
    let mut text = String::new();
    let bytes = fs::read(record).unwrap();
    GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(change(text).as_bytes()).unwrap();
    fs::write(record, gzip.finish().unwrap()).unwrap();
}

#[test]
fn hostile_stores() {
    let store = Store::new("vfs");
    store.take(&ImageSpec::new([Layer::new(1, 5000)]), "foo");
    fs::write(store.scratch.path("secret"), vec![b's'; 5000]).unwrap();
    let whole = store.scratch.path("whole");
    fs::rename(store.root(), &whole).unwrap();
    let image = |store: &Store| store.list("images")[0]["id"].as_str().unwrap().to_owned();
    let layer = |store: &Store| store.list("layers")[0]["id"].as_str().unwrap().to_owned();
    let record = |store: &Store| store.file("layers", &format!("{}.tar-split.gz", layer(store)));
    let data = |store: &Store| store.root().join("vfs/dir").join(layer(store)).join("layer-1/data");
    let replace = |file: PathBuf, from: &str, to: &str| {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(file, text.replace(from, to)).unwrap();
    };
    let layers = |store: &Store| store.file("layers", "layers.json");
    type Damage<'a> = &'a dyn Fn(&Store);
    let cases: [(&str, Damage<'_>); 17] = [
        ("vfs-images/images.json: ", &|store| {
            fs::write(store.file("images", "images.json"), "[{").unwrap();
        }),
        ("larger than 8388608 bytes", &|store| {
            fs::write(store.file("images", "images.json"), vec![b' '; (8 << 20) + 1]).unwrap();
        }),
        ("vfs-images/images.json: \"../../secret\" is not an ID", &|store| {
            let id = image(store);
            replace(
                store.file("images", "images.json"),
                &format!("\"id\":\"{id}\""),
                "\"id\":\"../../secret\"",
            );
        }),
        ("vfs-layers/layers.json: \"../secret\" is not an ID", &|store| {
            replace(layers(store), "[{", "[{\"parent\":\"../secret\",");
        }),
        ("is its own parent", &|store| {
            let id = layer(store);
            replace(layers(store), "[{", &format!("[{{\"parent\":\"{id}\","));
        }),
        ("is not known", &|store| fs::write(layers(store), "[]").unwrap()),
        ("uncompressed digest for layer", &|store| {
            replace(layers(store), "diff-digest", "other")
        }),
        ("blob sha256:", &|store| {
            replace(layers(store), "\"diff-size\":", "\"diff-size\":1")
        }),
        ("larger than 4194304 bytes", &|store| {
            fs::write(
                store.file("images", &format!("{}/manifest", image(store))),
                vec![b' '; (4 << 20) + 1],
            )
            .unwrap();
        }),
        ("has no tar-split record", &|store| {
            fs::remove_file(record(store)).unwrap()
        }),
        ("tar-split: line 1: ", &|store| {
            rewrite(&record(store), |_| "nonsense".to_owned())
        }),
        ("file integrity checksum failed for \"layer-1/data\"", &|store| {
            rewrite(&record(store), |text| text.replace("\"size\":5000", "\"size\":4999"));
        }),
        ("file integrity checksum failed for \"layer-1/data\"", &|store| {
            fs::write(data(store), vec![b'x'; 5000]).unwrap();
        }),
        ("\"../../secret\" leads outside of the layer", &|store| {
            rewrite(&record(store), |text| {
                text.replace("\"layer-1/data\"", "\"../../secret\"")
            });
        }),
        ("layer-1/data", &|store| {
            fs::remove_file(data(store)).unwrap();
            symlink(store.scratch.path("secret"), data(store)).unwrap();
        }),
        ("not a regular file", &|store| {
            fs::remove_file(data(store)).unwrap();
            assert!(Command::new("mkfifo").arg(data(store)).status().unwrap().success());
        }),
        ("blob sha256:", &|store| {
            rewrite(&record(store), |text| {
                format!("{text}{{\"type\":2,\"payload\":\"AAAA\",\"position\":99}}\n")
            });
        }),
    ];
    for (number, (fragment, damage)) in cases.into_iter().enumerate() {
        let _ = fs::remove_dir_all(store.root());
        let copied = Command::new("cp").arg("-a").args([&whole, &store.root()]).status();
        assert!(copied.unwrap().success());
        damage(&store);
        let finished = store.ours(&["copy", "containers-storage:foo", "dir:never"]);
        let finished = finished.with_status(1);
        let stderr = finished.stderr().replace("\\\"", "\"");
        assert!(stderr.contains(fragment), "{number}: {fragment}\n{}", finished.story());
        assert!(!store.scratch.path("never").exists(), "{number}");
    }
}
