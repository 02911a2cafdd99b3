//! `docker:` against Debian's registry and a scripted one: pushes, pulls, credentials, mounts.

use base64::Engine as _;
use longshore_tests::{
    Auth, DockerRegistry, Finished, ImageSpec, Kind, Layer, Locations, MadeImage, Scratch, TestRegistry, check_dir,
    check_layout, check_repository,
};

fn image() -> MadeImage {
    ImageSpec::new([Layer::new(1, 1_800_000), Layer::new(2, 20), Layer::new(3, 70_000)])
        .make()
        .unwrap()
}

fn scratch_with(made: &MadeImage) -> Scratch {
    let scratch = Scratch::new().unwrap();
    made.write_layout(&scratch.path("made"), "x").unwrap();
    scratch
}

fn push(scratch: &Scratch, options: &[&str], to: &str) -> Finished {
    let tool = scratch
        .longshore()
        .args(["copy", "--dest-tls-verify=false"])
        .args(options);
    tool.arg(scratch.name("oci", "made:x")).arg(to).run()
}

fn pull(scratch: &Scratch, options: &[&str], from: &str, to: &str) -> Finished {
    let tool = scratch
        .longshore()
        .args(["copy", "--src-tls-verify=false"])
        .args(options);
    tool.args([from, to]).run()
}

#[test]
fn through_debians_registry_and_back() {
    let registry = DockerRegistry::start().unwrap();
    for kind in [Kind::Oci, Kind::Docker] {
        let made = ImageSpec::new([Layer::new(1, 1_800_000), Layer::new(2, 20)])
            .kind(kind)
            .make()
            .unwrap();
        let scratch = Scratch::new().unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        let name = registry.name("some/name:v1");
        let tool = scratch.longshore().args(["copy", "--dest-tls-verify=false"]);
        tool.args([scratch.name("dir", "made"), name.clone()]).run().success();
        pull(&scratch, &[], &name, &scratch.name("dir", "back")).success();
        assert_eq!(check_dir(&scratch.path("back")).unwrap().digest, made.top.digest);
        let by_digest = registry.name(&format!("some/name@{}", made.top.digest));
        pull(&scratch, &[], &by_digest, &scratch.name("dir", "by-digest")).success();
        assert_eq!(check_dir(&scratch.path("by-digest")).unwrap().digest, made.top.digest);
        pull(&scratch, &[], &name, &scratch.name("oci", "layout:x")).success();
        assert_eq!(
            check_layout(&scratch.path("layout"), "x").unwrap().layers,
            made.layers(0)
        );
    }
}

#[test]
fn credentials_open_debians_registry() {
    let registry = DockerRegistry::start_with_password("user", "pass").unwrap();
    let made = image();
    let scratch = scratch_with(&made);
    let name = registry.name("some/name:v1");
    let authfile = scratch.path("auth.json");
    let encoded = base64::engine::general_purpose::STANDARD.encode("user:pass");
    let auths = serde_json::json!({ "auths": { registry.address(): { "auth": encoded } } });
    std::fs::write(&authfile, auths.to_string()).unwrap();
    let authfile = authfile.display().to_string();

    for right in [
        &["--dest-creds", "user:pass"][..],
        &["--dest-username", "user", "--dest-password", "pass"],
        &["--authfile", &authfile],
        &["--dest-authfile", &authfile],
    ] {
        push(&scratch, right, &name).success();
    }
    for wrong in [
        &["--dest-creds", "user:wrong"][..],
        &["--authfile", &authfile, "--dest-no-creds"],
        &[],
    ] {
        let finished = push(&scratch, wrong, &registry.name("other:v1"));
        let finished = finished.fails_with(&[registry.address()]);
        assert!(
            !finished.stderr().contains("wrong"),
            "a password is shown\n{}",
            finished.story()
        );
    }
    let home = scratch.path("home/.config/containers/auth.json");
    std::fs::copy(&authfile, home).unwrap();
    pull(&scratch, &[], &name, &scratch.name("dir", "back")).success();
    assert_eq!(check_dir(&scratch.path("back")).unwrap().digest, made.top.digest);
}

#[test]
fn a_token_is_asked_for_once_per_scope() {
    let user = Some(("user".to_owned(), "pass".to_owned()));
    let registry = TestRegistry::builder()
        .auth(Auth::Bearer { user })
        .locations(Locations::Relative)
        .start()
        .unwrap();
    let made = image();
    let scratch = scratch_with(&made);
    let name = registry.name("some/name:v1");
    push(&scratch, &["--dest-creds", "user:pass"], &name).success();
    assert_eq!(
        check_repository(&registry, "some/name", "v1").unwrap().digest,
        made.top.digest
    );
    assert_eq!(registry.open_uploads(), 0);
    let tokens = registry.requests_to("GET", "/token");
    assert_eq!(tokens.len(), 1, "{tokens:#?}");
    assert_eq!(tokens[0].parameters("scope"), ["repository:some/name:pull,push"]);
    assert_eq!(tokens[0].parameters("service"), ["tests"]);
    assert_eq!(tokens[0].parameters("account"), ["user"]);

    pull(
        &scratch,
        &["--src-creds", "user:pass"],
        &name,
        &scratch.name("dir", "back"),
    )
    .success();
    let tokens = registry.requests_to("GET", "/token");
    assert_eq!(tokens.len(), 2, "{tokens:#?}");
    assert_eq!(tokens[1].parameters("scope"), ["repository:some/name:pull"]);

    let refused = pull(
        &scratch,
        &["--src-creds", "user:wrong"],
        &name,
        &scratch.name("dir", "new"),
    );
    refused.fails_with(&[&registry.address().to_string()]);
    assert!(!scratch.path("new").exists());
}

#[test]
fn a_registry_token_is_sent_as_it_is() {
    let registry = TestRegistry::start().unwrap();
    image().put_into(&registry, "app", "v1");
    let scratch = Scratch::new().unwrap();
    let from = registry.name("app:v1");
    pull(
        &scratch,
        &["--src-registry-token", "given"],
        &from,
        &scratch.name("dir", "to"),
    )
    .success();
    let seen = registry.requests_to("GET", "/blobs/");
    assert!(
        seen.iter()
            .all(|request| request.header("authorization") == Some("Bearer given")),
        "{seen:#?}"
    );
}

#[test]
fn every_request_says_who_asks() {
    let registry = TestRegistry::start().unwrap();
    let made = image();
    let scratch = scratch_with(&made);
    push(&scratch, &[], &registry.name("app:v1")).success();
    for request in registry.requests() {
        assert_eq!(
            request.header("docker-distribution-api-version"),
            Some("registry/2.0"),
            "{request:#?}"
        );
        assert!(request.header("user-agent").is_some(), "{request:#?}");
    }
}

#[test]
fn blobs_that_are_there_are_not_sent() {
    let registry = TestRegistry::start().unwrap();
    let made = image();
    let scratch = scratch_with(&made);
    push(&scratch, &[], &registry.name("app:v1")).success();
    let uploads = registry.requests_to("POST", "/uploads/").len();
    assert_eq!(uploads, 4, "three layers and a config");
    push(&scratch, &[], &registry.name("app:v2")).success();
    assert_eq!(registry.requests_to("POST", "/uploads/").len(), uploads);
    assert_eq!(registry.tags("app"), ["v1", "v2"]);
}

#[test]
fn blobs_of_another_repository_are_mounted() {
    for auth in [Auth::Open, Auth::Bearer { user: None }] {
        let registry = TestRegistry::builder().auth(auth).start().unwrap();
        let made = image();
        made.put_into(&registry, "from/app", "v1");
        let scratch = Scratch::new().unwrap();
        let tool = scratch
            .longshore()
            .args(["copy", "--src-tls-verify=false", "--dest-tls-verify=false"]);
        tool.args([registry.name("from/app:v1"), registry.name("to/app:v1")])
            .run()
            .success();
        assert_eq!(
            check_repository(&registry, "to/app", "v1").unwrap().digest,
            made.top.digest
        );
        assert_eq!(registry.requests_to("PATCH", "/to/app/blobs/").len(), 0);
        for layer in made.layers(0) {
            assert_eq!(registry.requests_to("GET", &layer).len(), 0);
        }
        assert_eq!(registry.open_uploads(), 0);
    }
}

#[test]
fn blobs_of_a_layout_and_a_folder_are_fetched_once() {
    let registry = TestRegistry::start().unwrap();
    let made = image();
    made.put_into(&registry, "app", "v1");
    let scratch = Scratch::new().unwrap();
    for name in ["a", "b"] {
        pull(
            &scratch,
            &[],
            &registry.name("app:v1"),
            &scratch.name("oci", &format!("to:{name}")),
        )
        .success();
    }
    for layer in made.layers(0) {
        assert_eq!(registry.requests_to("GET", &layer).len(), 1, "{layer}");
    }
}

#[test]
fn a_layer_that_occurs_twice_is_sent_once() {
    let twice = ImageSpec::new([Layer::new(1, 5_000), Layer::new(2, 5_000), Layer::new(1, 5_000)])
        .make()
        .unwrap();
    let registry = TestRegistry::start().unwrap();
    let scratch = scratch_with(&twice);
    push(&scratch, &[], &registry.name("app:v1")).success();
    assert_eq!(
        check_repository(&registry, "app", "v1").unwrap().layers,
        twice.layers(0)
    );
    assert_eq!(
        registry.requests_to("POST", "/uploads/").len(),
        3,
        "two layers and a config"
    );
}

#[test]
fn a_redirect_to_another_host_carries_no_credentials() {
    let basic = Auth::Basic {
        user: "user".to_owned(),
        password: "pass".to_owned(),
    };
    let registry = TestRegistry::builder().auth(basic).start().unwrap();
    let storage = TestRegistry::builder().address("127.0.0.2").start().unwrap();
    let made = image();
    made.put_into(&registry, "app", "v1");
    made.put_into(&storage, "app", "v1");
    let elsewhere = format!("http://{}", storage.address());
    registry.script(
        longshore_tests::When::every("GET", "/blobs/"),
        longshore_tests::Fault::Redirect(elsewhere),
    );
    let scratch = Scratch::new().unwrap();
    let to = scratch.name("dir", "to");
    pull(&scratch, &["--src-creds", "user:pass"], &registry.name("app:v1"), &to).success();
    assert_eq!(check_dir(&scratch.path("to")).unwrap().digest, made.top.digest);
    let followed = storage.requests();
    assert_eq!(followed.len(), 4, "{followed:#?}");
    assert!(
        followed.iter().all(|request| request.header("authorization").is_none()),
        "{followed:#?}"
    );
}

#[test]
fn plain_http_is_not_used_unasked() {
    let registry = TestRegistry::start().unwrap();
    image().put_into(&registry, "app", "v1");
    let scratch = Scratch::new().unwrap();
    let address = registry.address().to_string();
    let finished = scratch
        .longshore()
        .args(["copy", &registry.name("app:v1"), &scratch.name("dir", "to")])
        .run();
    finished.fails_with(&["pinging container registry", &address]);
    assert_eq!(registry.requests().len(), 0);
    assert!(!scratch.path("to").exists());
}
