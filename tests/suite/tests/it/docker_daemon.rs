//! `docker-daemon:` with the daemons of Docker and Podman, and their archives.

use std::fs;

use longshore_tests::{Authority, DockerApi, Finished, ImageSpec, Kind, Layer, Packing, Scratch, Tool, sha256};
use serde_json::Value;

fn ours(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.longshore().args(arguments).run()
}

fn theirs(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.peer("skopeo").args(arguments).run()
}

/// A folder with an image `made` of layers that repeat and differ in their compression.
fn made(kind: Kind) -> Scratch {
    let scratch = Scratch::new().unwrap();
    let layers = [
        Layer::new(1, 700_000),
        Layer::new(2, 20).packed(Packing::Plain),
        Layer::new(1, 700_000),
    ];
    let image = ImageSpec::new(layers).kind(kind).make().unwrap();
    image.write_dir(&scratch.path("made")).unwrap();
    scratch
}

/// The digest of the config of an image in a `dir:`, by which daemons know it, and its uncompressed layers.
fn content(scratch: &Scratch, folder: &str) -> (String, Vec<Value>) {
    let read = |name: &str| fs::read(scratch.path(folder).join(name)).unwrap();
    let manifest: Value = serde_json::from_slice(&read("manifest.json")).unwrap();
    // Their type says `gzip` where they come from an archive, whatever they are (DA-04).
    for layer in manifest["layers"].as_array().unwrap() {
        let digest = layer["digest"].as_str().unwrap();
        assert_eq!(sha256(&read(&digest["sha256:".len()..])), digest);
    }
    let digest = manifest["config"]["digest"].as_str().unwrap().to_owned();
    let config = read(&digest["sha256:".len()..]);
    assert_eq!(sha256(&config), digest);
    let config: Value = serde_json::from_slice(&config).unwrap();
    (digest, config["rootfs"]["diff_ids"].as_array().unwrap().clone())
}

/// What a daemon knows an image by.
fn id(daemon: &DockerApi, name: &str) -> String {
    let inspected = daemon
        .docker()
        .args(["inspect", "--format={{.Id}}", name])
        .run()
        .success();
    inspected.stdout().trim().to_owned()
}

fn in_daemon(tool: Tool, side: &str, daemon: &DockerApi) -> Tool {
    tool.args([&format!("--{side}-daemon-host"), daemon.address()])
}

#[test]
fn each_reads_what_the_other_loaded() {
    let daemon = DockerApi::dockerd().unwrap();
    for (kind, tag) in [(Kind::Oci, "oci"), (Kind::Docker, "docker")] {
        let scratch = made(kind);
        let from = scratch.name("dir", "made");
        let (our_name, their_name) = (format!("test/ours:{tag}"), format!("test/theirs:{tag}"));
        let copied = in_daemon(scratch.longshore().arg("copy"), "dest", &daemon);
        copied
            .args([&from, &format!("docker-daemon:{our_name}")])
            .run()
            .success();
        let copied = in_daemon(scratch.peer("skopeo").arg("copy"), "dest", &daemon);
        copied
            .args([&from, &format!("docker-daemon:{their_name}")])
            .run()
            .success();
        let (config, diff_ids) = content(&scratch, "made");
        let id = id(&daemon, &our_name);
        assert_eq!(id, config);
        daemon
            .docker()
            .args(["images", "test/ours"])
            .run()
            .success()
            .prints(tag);

        for (number, (tool, name)) in [
            (scratch.longshore(), &their_name),
            (scratch.longshore(), &our_name),
            (scratch.longshore(), &id),
            (scratch.peer("skopeo"), &our_name),
        ]
        .into_iter()
        .enumerate()
        {
            let to = format!("read-{number}");
            let copied = in_daemon(tool.arg("copy"), "src", &daemon);
            copied
                .args([&format!("docker-daemon:{name}"), &scratch.name("dir", &to)])
                .run()
                .success();
            assert_eq!(
                content(&scratch, &to),
                (config.clone(), diff_ids.clone()),
                "{kind:?} {name}"
            );
        }

        let name = format!("docker-daemon:{our_name}");
        let inspected = ours(&scratch, &["inspect", "--daemon-host", daemon.address(), &name]).success();
        assert!(
            inspected.stdout().contains("\"Name\": \"docker.io/test/ours\""),
            "{}",
            inspected.story()
        );
    }
    let scratch = Scratch::new().unwrap();
    for name in [
        "docker-daemon:no/such:tag",
        &format!("docker-daemon:{}", sha256(b"none")),
    ] {
        let missing = ours(&scratch, &["inspect", "--daemon-host", daemon.address(), name]);
        missing.fails_with(&["loading image from docker engine: Error response from daemon: "]);
    }
}

#[test]
fn archives_of_docker() {
    let daemon = DockerApi::dockerd().unwrap();
    let scratch = made(Kind::Oci);
    let expected = content(&scratch, "made");
    let written = scratch.name("docker-archive", "ours.tar:test/ours:1");
    ours(&scratch, &["copy", &scratch.name("dir", "made"), &written]).success();
    let file = scratch.path("ours.tar").display().to_string();
    daemon
        .docker()
        .args(["load", "--input", &file])
        .run()
        .success()
        .prints("test/ours:1");
    assert_eq!(id(&daemon, "test/ours:1"), expected.0);

    daemon
        .docker()
        .args(["tag", "test/ours:1", "test/other:2"])
        .run()
        .success();
    let file = scratch.path("saved.tar").display().to_string();
    let saved = daemon
        .docker()
        .args(["save", "--output", &file, "test/ours:1", "test/other:2"]);
    saved.run().success();
    for (number, name) in ["saved.tar", "saved.tar:test/other:2", "saved.tar:@0"]
        .into_iter()
        .enumerate()
    {
        let to = format!("read-{number}");
        let archive = scratch.name("docker-archive", name);
        ours(&scratch, &["copy", &archive, &scratch.name("dir", &to)]).success();
        assert_eq!(content(&scratch, &to), expected, "{name}");
    }
}

#[test]
fn tls_and_client_certificates() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let daemon = DockerApi::dockerd_with_tls(&authority).unwrap();
    let scratch = made(Kind::Docker);
    let (us, them) = (authority.client().unwrap(), stranger.client().unwrap());
    let (ca, other_ca) = (authority.pem(), stranger.pem());
    let us = [("cert.pem", us.certificate.as_str()), ("key.pem", us.key.as_str())];
    let them = [("cert.pem", them.certificate.as_str()), ("key.pem", them.key.as_str())];
    let ca = ("ca.pem", ca.as_str());
    type Files<'a> = &'a [(&'a str, &'a str)];
    type Expected = Option<&'static [&'static str]>;
    // The files, more flags, and what is to be said.
    let cases: [(Files<'_>, &[&str], Expected); 7] = [
        (&[ca, us[0], us[1]], &[], None),
        (&[us[0], us[1]], &["--dest-tls-verify=false"], None),
        (&[ca, them[0], them[1]], &[], Some(&["127.0.0.1"])),
        (
            &[("ca.pem", &other_ca), us[0], us[1]],
            &[],
            Some(&["Cannot connect to the Docker daemon at tcp://", "certificate"]),
        ),
        (&[us[0], us[1]], &[], Some(&["ca.pem: ", "No such file"])),
        (&[ca, us[0]], &[], Some(&["key.pem: ", "No such file"])),
        (&[ca, us[0], ("key.pem", "secret")], &[], Some(&["key.pem: "])),
    ];
    for (number, (files, flags, expected)) in cases.into_iter().enumerate() {
        let folder = format!("certs-{number}");
        fs::create_dir(scratch.path(&folder)).unwrap();
        for (name, text) in files {
            fs::write(scratch.path(&folder).join(name), text).unwrap();
        }
        let copied = in_daemon(scratch.longshore().arg("copy"), "dest", &daemon).args(flags);
        let copied = copied.args(["--dest-cert-dir", &folder]);
        let name = format!("docker-daemon:test/{number}:1");
        let copied = copied.args([&scratch.name("dir", "made"), &name]).run();
        match expected {
            None => drop(copied.success()),
            Some(expected) => {
                let copied = copied.fails_with(expected);
                assert!(!copied.stderr().contains("secret"), "{}", copied.story());
            }
        }
    }
    let name = "docker-daemon:test/0:1";
    let bare = in_daemon(scratch.longshore().arg("copy"), "src", &daemon);
    bare.args([name, "dir:bare"]).run().fails_with(&["certificate"]);
    let back = in_daemon(scratch.longshore().arg("copy"), "src", &daemon).args(["--src-cert-dir", "certs-0"]);
    back.args([name, "dir:back"]).run().success();
    assert_eq!(content(&scratch, "back"), content(&scratch, "made"));
}

#[test]
fn podman_takes_and_gives_the_same() {
    let service = DockerApi::podman().unwrap();
    let scratch = made(Kind::Oci);
    let expected = content(&scratch, "made");
    let copied = in_daemon(scratch.longshore().arg("copy"), "dest", &service);
    copied
        .args([&scratch.name("dir", "made"), "docker-daemon:test/ours:1"])
        .run()
        .success();
    let copied = in_daemon(scratch.longshore().arg("copy"), "src", &service);
    copied.args(["docker-daemon:test/ours:1", "dir:back"]).run().success();
    assert_eq!(content(&scratch, "back").1, expected.1);
}

#[test]
fn archives_of_podman() {
    let scratch = made(Kind::Oci);
    let expected = content(&scratch, "made");
    let at = |name: &str| scratch.path(name).display().to_string();
    let storage = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
        at("graph"),
        at("run")
    );
    fs::write(at("storage.conf"), storage).unwrap();
    let podman = |arguments: &[&str]| {
        let tool = scratch
            .peer("podman")
            .env("CONTAINERS_STORAGE_CONF", at("storage.conf"));
        tool.args(arguments).run().success()
    };
    let written = scratch.name("docker-archive", "ours.tar:example.com/test/ours:1");
    ours(&scratch, &["copy", &scratch.name("dir", "made"), &written]).success();
    podman(&["load", "--input", &at("ours.tar")]).prints("example.com/test/ours:1");
    podman(&["save", "--output", &at("saved.tar"), "example.com/test/ours:1"]);
    ours(
        &scratch,
        &["copy", &scratch.name("docker-archive", "saved.tar"), "dir:back"],
    )
    .success();
    assert_eq!(content(&scratch, "back"), expected);
    theirs(&scratch, &["inspect", &scratch.name("docker-archive", "saved.tar")]).success();
}

#[test]
fn what_is_granted_is_shown() {
    let scratch = Scratch::new().unwrap();
    let shown = ours(&scratch, &["plugin", "inspect", "docker-daemon", "docker-daemon:a:1"]).success();
    let shown: Value = serde_json::from_str(&shown.stdout()).unwrap();
    let grant = |purpose: &str| shown["Grants"][purpose][0].clone();
    let origin = "unix:///var/run/docker.sock";
    for (purpose, access) in [("Source", "read"), ("Destination", "write")] {
        let expected = serde_json::json!({"Label": "daemon", "Http": origin, "Access": access});
        assert_eq!(grant(purpose), expected);
    }
    let host = "--dest-daemon-host=unix:///no/such.sock";
    let copied = ours(
        &scratch,
        &["--debug", "copy", host, "docker-daemon:a:1", "docker-daemon:b:1"],
    );
    let copied = copied.with_status(1);
    copied.says(&["is granted HTTP to unix:///no/such.sock (any request)"]);
}
