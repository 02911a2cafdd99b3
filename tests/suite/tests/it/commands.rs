//! The commands beside `copy`: what they print, and the statuses they end with.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use longshore_tests::{
    Auth, Fault, Finished, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, When, check_dir, check_layout, entries,
    files_below,
};
use serde_json::{Value, json};
use sha2::Digest as _;

fn image() -> MadeImage {
    ImageSpec::new([Layer::new(1, 100_000), Layer::new(2, 20)])
        .make()
        .unwrap()
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout()).unwrap_or_else(|error| panic!("{error}\n{}", finished.story()))
}

#[test]
fn the_version_is_printed() {
    let scratch = Scratch::new().unwrap();
    for option in ["--version", "-v"] {
        let finished = scratch.longshore().arg(option).run().success();
        assert!(
            finished.stdout().starts_with("longshore version "),
            "{}",
            finished.story()
        );
        assert_eq!(finished.stdout().lines().count(), 1);
    }
}

#[test]
fn mistakes_on_the_command_line() {
    let scratch = Scratch::new().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&[], "Missing command 'longshore COMMAND'"),
        (&["copi"], "Unrecognized command `longshore copi`"),
        (&["copy", "dir:a"], "Exactly two arguments expected"),
        (&["inspect"], "Exactly one argument expected"),
        (&["copy", "--nope", "dir:a", "dir:b"], "unknown flag: --nope"),
        (&["copy", "--format", "v9", "dir:a", "dir:b"], "unknown format"),
        (
            &["copy", "--src-creds", "", "docker://x", "dir:b"],
            "credentials can't be empty",
        ),
    ];
    for (arguments, expected) in cases {
        let finished = scratch.longshore().args(arguments).run().with_status(1);
        assert!(finished.stderr().contains(expected), "{expected}\n{}", finished.story());
        assert_eq!(finished.stdout(), "");
    }
}

#[test]
fn inspect_shows_an_image_four_ways() {
    let scratch = Scratch::new().unwrap();
    let made = image();
    made.write_layout(&scratch.path("made"), "x").unwrap();
    let name = scratch.name("oci", "made:x");
    let inspect = |options: &[&str]| {
        scratch
            .longshore()
            .arg("inspect")
            .args(options)
            .arg(&name)
            .run()
            .success()
    };

    assert_eq!(inspect(&["--raw"]).stdout_bytes(), made.top.bytes.as_ref());
    assert_eq!(
        inspect(&["--raw", "--config"]).stdout_bytes(),
        made.blobs[&made.config(0)].as_ref()
    );
    let config = inspect(&["--config"]).stdout();
    assert!(
        config.starts_with("{\n    \"created\"") && config.ends_with("}\n"),
        "{config}"
    );
    assert!(config.contains("GREETING=a \\u003c b \\u0026 c \\u003e d"), "{config}");

    let report = inspect(&[]);
    let object = json_of(&report);
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "Digest",
        "RepoTags",
        "Created",
        "DockerVersion",
        "Labels",
        "Architecture",
        "Os",
        "Layers",
        "LayersData",
        "Env",
    ];
    assert_eq!(keys, expected, "{}", report.story());
    assert_eq!(object["Digest"], made.top.digest);
    assert_eq!(object["RepoTags"], json!([]));
    assert_eq!(object["Created"], "2026-01-02T03:04:05Z");
    assert_eq!(object["Layers"], json!(made.layers(0)));
    assert_eq!(object["LayersData"][1]["Size"], made.blobs[&made.layers(0)[1]].len());
    assert!(report.stdout().starts_with("{\n    \"Digest\""), "{}", report.story());
}

#[test]
fn inspect_of_a_list_tells_of_the_instance() {
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 100)])
        .and_platform("linux", "s390x")
        .make()
        .unwrap();
    made.write_layout(&scratch.path("made"), "x").unwrap();
    let name = scratch.name("oci", "made:x");
    let other = scratch
        .longshore()
        .args(["--override-arch=s390x", "inspect", &name])
        .run()
        .success();
    let object = json_of(&other);
    assert_eq!(object["Architecture"], "s390x");
    assert_eq!(object["Digest"], made.top.digest, "the list's own digest");
    assert_eq!(object["Layers"], json!(made.layers(1)));
    let raw = scratch.longshore().args(["inspect", "--raw", &name]).run().success();
    assert_eq!(raw.stdout_bytes(), made.top.bytes.as_ref());
}

#[test]
fn inspect_lists_the_tags_of_a_repository() {
    let scratch = Scratch::new().unwrap();
    let registry = TestRegistry::builder().page_size(2).start().unwrap();
    let made = image();
    for tag in ["v1", "v2", "v3", "v4", "v5"] {
        made.put_into(&registry, "some/app", tag);
    }
    let name = registry.name("some/app:v3");
    let inspect = |options: &[&str]| {
        scratch
            .longshore()
            .args(["inspect", "--tls-verify=false"])
            .args(options)
            .arg(&name)
            .run()
    };
    let object = json_of(&inspect(&[]).success());
    assert_eq!(object["Name"], format!("{}/some/app", registry.address()));
    assert_eq!(object["RepoTags"], json!(["v1", "v2", "v3", "v4", "v5"]));
    let asked = registry.requests_to("GET", "/tags/list").len();
    assert_eq!(asked, 3, "pages of two");
    assert_eq!(json_of(&inspect(&["--no-tags"]).success())["RepoTags"], json!([]));
    assert_eq!(registry.requests_to("GET", "/tags/list").len(), asked);

    registry.script(
        When::first("GET", "/tags/list"),
        Fault::error(403, "DENIED", "not for you"),
    );
    let denied = inspect(&[]).success();
    assert!(
        denied
            .stderr()
            .contains("Registry disallows tag list retrieval; skipping"),
        "{}",
        denied.story()
    );
    registry.script(
        When::first("GET", "/tags/list"),
        Fault::error(500, "UNKNOWN", "out of order"),
    );
    inspect(&[]).fails_with(&["Error determining repository tags", "out of order"]);
}

#[test]
fn list_tags_follows_the_pages() {
    let scratch = Scratch::new().unwrap();
    let registry = TestRegistry::builder()
        .page_size(1)
        .auth(Auth::Bearer { user: None })
        .start()
        .unwrap();
    for tag in ["b", "a", "c"] {
        image().put_into(&registry, "some/app", tag);
    }
    let list = |name: &str| {
        scratch
            .longshore()
            .args(["list-tags", "--tls-verify=false", name])
            .run()
    };
    let finished = list(&registry.name("some/app")).success();
    let expected = format!(
        "{{\n    \"Repository\": \"{}/some/app\",\n    \"Tags\": [\n        \"a\",\n        \"b\",\n        \"c\"\n    ]\n}}\n",
        registry.address()
    );
    assert_eq!(finished.stdout(), expected);

    list(&registry.name("some/app:a")).fails_with(&["No tag or digest allowed in reference"]);
    list("oci:layout").fails_with(&["Unsupported transport 'oci' for tag listing"]);
    list(&registry.name("nothing/here")).fails_with(&[&registry.address().to_string(), "nothing/here"]);
}

#[test]
fn tag_pages_that_never_end() {
    let scratch = Scratch::new().unwrap();
    let registry = TestRegistry::start().unwrap();
    image().put_into(&registry, "app", "v1");
    let again = "</v2/app/tags/list>; rel=\"next\"".to_owned();
    registry.script(When::every("GET", "/tags/list"), Fault::Header("link", again));
    let finished = scratch
        .longshore()
        .args(["list-tags", "--tls-verify=false", &registry.name("app")])
        .run();
    finished.fails_with(&[&registry.address().to_string()]);
}

#[test]
fn delete_removes_an_image_and_what_only_it_used() {
    let scratch = Scratch::new().unwrap();
    let layout = scratch.path("layout");
    let shared = Layer::new(1, 100);
    let one = ImageSpec::new([shared, Layer::new(2, 100)]).make().unwrap();
    let two = ImageSpec::new([shared, Layer::new(3, 100)]).make().unwrap();
    one.write_layout(&layout, "one").unwrap();
    two.write_layout(&layout, "two").unwrap();
    let finished = scratch
        .longshore()
        .args(["delete", &scratch.name("oci", "layout:one")])
        .run()
        .success();
    assert_eq!((finished.stdout(), finished.stderr()), (String::new(), String::new()));
    assert_eq!(
        entries(&layout).unwrap(),
        [(Some("two".to_owned()), two.top.digest.clone())]
    );
    check_layout(&layout, "two").unwrap();
    let there = |digest: &str| layout.join("blobs/sha256").join(&digest[7..]).exists();
    assert!(!there(&one.layers(0)[1]) && !there(&one.config(0)) && !there(&one.top.digest));

    scratch
        .longshore()
        .args(["delete", &scratch.name("oci", "layout:one")])
        .run()
        .with_status(2);
    let finished = scratch
        .longshore()
        .args(["delete", &scratch.name("dir", "layout")])
        .run();
    finished.fails_with(&["Deleting images not implemented for dir: images"]);
}

#[test]
fn delete_keeps_what_an_image_needs_that_another_calls_its_layer() {
    let scratch = Scratch::new().unwrap();
    let layout = scratch.path("layout");
    let shared = Layer::new(1, 100);
    let one = ImageSpec::new([shared, Layer::new(2, 100)]).make().unwrap();
    let two = ImageSpec::new([shared, Layer::new(3, 100)]).make().unwrap();
    let hostile = ImageSpec::new([Layer::new(4, 100)]).make().unwrap();
    let hostile = hostile.with_manifest(|manifest| {
        let layer = json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": two.top.digest,
            "size": two.top.bytes.len(),
        });
        manifest["layers"].as_array_mut().unwrap().push(layer);
    });
    // It is met before the image whose manifest it lists.
    hostile.write_layout(&layout, "hostile").unwrap();
    one.write_layout(&layout, "one").unwrap();
    two.write_layout(&layout, "two").unwrap();
    let there = |digest: &str| layout.join("blobs/sha256").join(&digest[7..]).exists();
    for (name, gone) in [("one", &one), ("hostile", &hostile)] {
        let name = scratch.name("oci", &format!("layout:{name}"));
        scratch.longshore().args(["delete", &name]).run().success();
        assert!(!there(&gone.top.digest) && !there(&gone.config(0)), "{name}");
        check_layout(&layout, "two").unwrap();
    }
}

#[test]
fn delete_at_a_registry_goes_by_digest() {
    let scratch = Scratch::new().unwrap();
    let registry = TestRegistry::builder()
        .auth(Auth::Bearer { user: None })
        .start()
        .unwrap();
    let made = image();
    made.put_into(&registry, "app", "v1");
    made.put_into(&registry, "app", "v2");
    let delete = || {
        scratch
            .longshore()
            .args(["delete", "--tls-verify=false", &registry.name("app:v1")])
            .run()
    };
    let finished = delete().success();
    assert_eq!(finished.stdout(), "");
    assert_eq!(registry.tags("app"), Vec::<String>::new());
    let deleted = registry.requests_to("DELETE", "/manifests/");
    let paths: Vec<&str> = deleted.iter().map(|request| request.path.as_str()).collect();
    assert!(paths.iter().all(|path| path.ends_with(&made.top.digest)), "{paths:?}");
    assert!(registry.requests_to("GET", "/token")[0].parameters("scope")[0].ends_with(":*"));
    let again = delete();
    assert!(
        again.status() == Some(1) || again.status() == Some(2),
        "{}",
        again.story()
    );
}

#[test]
fn manifest_digest_prints_the_digest_of_a_file() {
    let scratch = Scratch::new().unwrap();
    let made = image();
    made.write_dir(&scratch.path("made")).unwrap();
    let digest = |file: &str| scratch.longshore().arg("manifest-digest").arg(scratch.path(file)).run();
    assert_eq!(
        digest("made/manifest.json").success().stdout(),
        format!("{}\n", made.top.digest)
    );
    digest("made/nothing").fails_with(&["made/nothing"]);
}

#[test]
fn inspect_digests_the_manifest_as_asked() {
    let scratch = Scratch::new().unwrap();
    let made = image();
    made.write_dir(&scratch.path("made")).unwrap();
    let name = scratch.name("dir", "made");
    let inspect = |options: &[&str]| scratch.longshore().arg("inspect").args(options).arg(&name).run();
    let sha512 = format!("sha512:{}", hex::encode(sha2::Sha512::digest(&made.top.bytes)));
    for (options, expected) in [
        (&[][..], made.top.digest.as_str()),
        (&["--manifest-digest", "sha256"], made.top.digest.as_str()),
        (&["--manifest-digest", "sha512"], sha512.as_str()),
    ] {
        assert_eq!(json_of(&inspect(options).success())["Digest"], expected, "{options:?}");
    }
    inspect(&["--manifest-digest", "md5"]).fails_with(&["unsupported digest algorithm \"md5\""]);
}

#[test]
fn layers_puts_blobs_into_a_folder() {
    let scratch = Scratch::new().unwrap();
    let made = image();
    made.write_layout(&scratch.path("made"), "x").unwrap();
    let layer = made.layers(0).remove(0);
    let layers = |folder: &str, digests: &[&str]| {
        let folder = scratch.path(folder);
        fs::create_dir_all(&folder).unwrap();
        let command = scratch.longshore().current_dir(&folder).arg("layers");
        let finished = command.arg(scratch.name("oci", "made:x")).args(digests).run();
        let made = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        (finished, made.collect::<Vec<_>>())
    };

    let (finished, folders) = layers("all", &[]);
    finished
        .success()
        .says(&["DEPRECATED: longshore layers is deprecated in favor of longshore copy"]);
    let [folder] = folders.as_slice() else {
        panic!("{folders:?}")
    };
    assert!(folder.file_name().unwrap().to_string_lossy().starts_with("layers-"));
    assert_eq!(check_dir(folder).unwrap().layers, made.layers(0));
    let skopeo = scratch
        .peer("skopeo")
        .arg("inspect")
        .arg(format!("dir:{}", folder.display()));
    assert_eq!(json_of(&skopeo.run().success())["Layers"], json!(made.layers(0)));

    let (finished, folders) = layers("one", &[&layer]);
    finished.success();
    let mut names: Vec<_> = files_below(&folders[0]).unwrap().into_keys().collect();
    names.retain(|name| !["manifest.json", "version"].iter().any(|other| name.ends_with(other)));
    assert_eq!(names, [Path::new(&layer["sha256:".len()..])]);

    let stranger = format!("sha256:{}", "0".repeat(64));
    for (digest, expected) in [
        (stranger.as_str(), "the manifest does not name it"),
        ("sha256:12", "invalid checksum digest length"),
    ] {
        let (finished, folders) = layers("none", &[digest]);
        finished.with_status(1).says(&[expected, digest]);
        assert_eq!(folders, Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn layers_that_lie_leave_nothing() {
    let scratch = Scratch::new().unwrap();
    let made = image();
    made.write_dir(&scratch.path("made")).unwrap();
    let layer = scratch.path("made").join(&made.layers(0)[0]["sha256:".len()..]);
    let mut bytes = fs::read(&layer).unwrap();
    bytes[20] ^= 1;
    fs::write(&layer, bytes).unwrap();
    let folder = scratch.path("here");
    fs::create_dir(&folder).unwrap();
    let command = scratch.longshore().current_dir(&folder).arg("layers");
    let finished = command.arg(scratch.name("dir", "made")).run();
    finished
        .with_status(1)
        .says(&["Digest did not match", &made.layers(0)[0]]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn plugins_are_listed_and_described() {
    let scratch = Scratch::new().unwrap();
    let list = scratch.longshore().args(["plugin", "list"]).run().success();
    for name in [
        "containers-storage",
        "dir",
        "docker-archive",
        "docker-daemon",
        "oci",
        "oci-archive",
        "ostree",
        "policy-basic",
        "policy-signed-by",
        "policy-sigstore",
        "tarball",
    ] {
        assert!(
            list.stdout().lines().any(|line| line.starts_with(name)),
            "{name}\n{}",
            list.story()
        );
        let described = scratch.longshore().args(["plugin", "inspect", name]).run().success();
        assert!(described.stdout().contains("sha256:"), "{}", described.story());
    }
    let unknown = scratch.longshore().args(["plugin", "inspect", "nix"]).run();
    unknown.fails_with(&["nix"]);
}

#[test]
fn a_closed_output_is_no_failure() {
    let scratch = Scratch::new().unwrap();
    image().write_layout(&scratch.path("made"), "x").unwrap();
    let name = scratch.name("oci", "made:x");
    for arguments in [&["inspect", &name][..], &["inspect", "--raw", &name], &["--help"]] {
        let mut child = scratch.longshore().args(arguments).start();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(child.wait().unwrap().success(), "{arguments:?}: {stderr}");
        assert_eq!(stderr, "", "{arguments:?}");
    }
}
