//! `docker-credential-NAME` programs, named by `credHelpers` or `credsStore`, open Debian's registry (AF-05).

use std::fs;

use base64::Engine as _;
use longshore_tests::{DockerRegistry, Finished, ImageSpec, Layer, Scratch, check_dir, peer};
use serde_json::{Value, json};

const USER: &str = "user";
const SECRET: &str = "s3cret-w0rd";
/// Prints what the registry takes, and writes down what it was asked.
const GOOD: &str = r#"read -r server
echo "$* $server" >> asked
printf '{"ServerURL":"%s","Username":"user","Secret":"s3cret-w0rd"}\n' "$server""#;

/// A folder with an image, an `auth.json` and a helper `x` in PATH.
struct Place {
    scratch: Scratch,
    path: String,
}

impl Place {
    fn new(helper: &str, auth: &Value) -> Self {
        let scratch = Scratch::new().unwrap();
        let made = ImageSpec::new([Layer::new(1, 900)]).make().unwrap();
        made.write_dir(&scratch.path("from")).unwrap();
        fs::write(scratch.path("auth.json"), auth.to_string()).unwrap();
        fs::create_dir_all(scratch.path("bin")).unwrap();
        // Another process writes it: one that a thread of ours starts meanwhile would hold the file open, and what is open
        // for writing cannot be run.
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod +x "$2""#;
        let writer = peer("sh").args(["-c", write, "sh", helper]);
        writer.arg(scratch.path("bin/docker-credential-x")).run().success();
        let path = format!("{}:{}", scratch.path("bin").display(), std::env::var("PATH").unwrap());
        Self { scratch, path }
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let tool = self.scratch.longshore().env("PATH", &self.path).args(arguments);
        let finished = tool.args(["--authfile", "auth.json"]).run();
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{SECRET}"));
        for secret in [SECRET, &encoded] {
            assert!(
                !finished.story().contains(secret),
                "a secret is shown\n{}",
                finished.story()
            );
        }
        finished
    }

    fn push(&self, registry: &DockerRegistry) -> Finished {
        let to = registry.name("app:v1");
        self.run(&["--debug", "copy", "--dest-tls-verify=false", "dir:from", &to])
    }
}

/// The forms of `auth.json` that name the helper `x` for a registry.
fn forms(registry: &str) -> [Value; 2] {
    [
        json!({ "credHelpers": { registry: "x" } }),
        json!({ "auths": { registry: {} }, "credsStore": "x" }),
    ]
}

#[test]
fn a_helper_opens_a_registry() {
    let registry = DockerRegistry::start_with_password(USER, SECRET).unwrap();
    for auth in forms(registry.address()) {
        let place = Place::new(GOOD, &auth);
        place.push(&registry).success();
        let from = registry.name("app:v1");
        place
            .run(&["--debug", "copy", "--src-tls-verify=false", &from, "dir:back"])
            .success();
        check_dir(&place.scratch.path("back")).unwrap();
        place.run(&["inspect", "--tls-verify=false", &from]).success();
        place
            .run(&["list-tags", "--tls-verify=false", &registry.name("app")])
            .success();
        let asked = fs::read_to_string(place.scratch.path("asked")).unwrap();
        let expected = format!("get {}\n", registry.address());
        assert_eq!(asked, expected.repeat(4), "{auth}");
    }
}

#[test]
fn a_helper_for_another_registry_is_not_asked() {
    let registry = DockerRegistry::start_with_password(USER, SECRET).unwrap();
    let place = Place::new(GOOD, &json!({ "credHelpers": { "registry.example": "x" } }));
    place.push(&registry).fails_with(&["level=fatal", registry.address()]);
    assert!(!place.scratch.path("asked").exists());
}

#[test]
fn a_helper_that_does_not_work_is_one_clear_error() {
    let registry = DockerRegistry::start_with_password(USER, SECRET).unwrap();
    let helper = "docker-credential-x";
    let rows: [(&str, &[&str]); 6] = [
        (
            "echo the ring is locked; exit 1",
            &[helper, "failed: the ring is locked"],
        ),
        (
            "echo s3cret-w0rd",
            &[helper, "printed something else than credentials in JSON"],
        ),
        (
            r#"echo '{"Username":"user","Secret":["s3cret-w0rd"]}'"#,
            &[helper, "printed something else than credentials in JSON"],
        ),
        (
            "exec cat /dev/zero",
            &[helper, "printed more than credentials are long"],
        ),
        ("kill -9 $$", &[helper, "failed"]),
        // The registry's own refusal.
        (r#"echo '{"Username":"user","Secret":"wr0ng"}'"#, &["/v2/", "401"]),
    ];
    for (script, fragments) in rows {
        for auth in forms(registry.address()) {
            let finished = Place::new(script, &auth).push(&registry);
            let fatal = finished.stderr().matches("level=fatal").count();
            assert_eq!(fatal, 1, "{}", finished.story());
            let address = ["level=fatal", registry.address()];
            finished.fails_with(&[&address, fragments].concat());
        }
    }
    let missing = json!({ "credHelpers": { registry.address(): "none" } });
    let finished = Place::new(GOOD, &missing).push(&registry);
    finished.fails_with(&[
        "level=fatal",
        "\"none\"",
        "auth.json",
        "there is no such program in PATH",
    ]);
}

#[test]
fn a_helper_that_hangs_ends_with_the_command() {
    let registry = DockerRegistry::start_with_password(USER, SECRET).unwrap();
    for auth in forms(registry.address()) {
        // Its output stays open, and so does that of a program which was started by it.
        let place = Place::new("touch asked; exec sleep 30", &auth);
        let to = registry.name("app:v1");
        let options = ["--command-timeout=5s", "--dest-tls-verify=false"];
        let finished = place.run(&["copy", options[0], options[1], "dir:from", &to]);
        finished.fails_with(&["level=fatal", "context deadline exceeded"]);
        assert!(place.scratch.path("asked").exists());
    }
}
