//! A registry that misbehaves: one clear error, no new name, no open upload.

use longshore_tests::{
    Builder, Fault, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, When, check_layout, check_repository, entries,
};

pub(crate) fn image() -> MadeImage {
    ImageSpec::new([Layer::new(1, 1_500_000), Layer::new(2, 900)])
        .make()
        .unwrap()
}

/// Pulls into a layout that already holds an image; the pull must fail with one line that holds
/// the registry's address and every fragment, and the layout's entries must stay as they were.
pub(crate) fn pull_fails(when: When, fault: Fault, fragments: &[&str]) {
    pull_from_fails(TestRegistry::builder(), when, fault, fragments);
}

/// The same with a registry of another kind.
pub(crate) fn pull_from_fails(builder: Builder, when: When, fault: Fault, fragments: &[&str]) {
    let shown = format!("{when:?} {fault:?}");
    let shown = shown.chars().take(200).collect::<String>();
    let registry = builder.start().unwrap();
    image().put_into(&registry, "app", "v1");
    registry.script(when, fault);
    let scratch = Scratch::new().unwrap();
    let old = ImageSpec::new([Layer::new(7, 10)]).make().unwrap();
    old.write_layout(&scratch.path("to"), "old").unwrap();
    let tool = scratch
        .longshore()
        .args(["copy", "--src-tls-verify=false", &registry.name("app:v1")]);
    let finished = tool.arg(scratch.name("oci", "to:new")).run();
    let story = format!("{shown}\n{}", finished.story());
    assert_eq!(finished.status(), Some(1), "{story}");
    let stderr = finished.stderr();
    // Waiting for a busy registry is told too.
    let failures = stderr.lines().filter(|line| !line.contains("level=info"));
    assert_eq!(failures.count(), 1, "{story}");
    let address = registry.address().to_string();
    for fragment in fragments.iter().chain([&address.as_str()]) {
        assert!(stderr.contains(fragment), "no {fragment}: {story}");
    }
    let kept = vec![(Some("old".to_owned()), old.top.digest.clone())];
    assert_eq!(entries(&scratch.path("to")).unwrap(), kept, "{story}");
    check_layout(&scratch.path("to"), "old").unwrap();
}

/// Pushes; the push must fail, set no tag and leave no upload open.
pub(crate) fn push_fails(when: When, fault: Fault, fragments: &[&str]) {
    let shown = format!("{when:?} {fault:?}");
    let registry = TestRegistry::start().unwrap();
    let old = ImageSpec::new([Layer::new(7, 10)]).make().unwrap();
    old.put_into(&registry, "app", "old");
    registry.script(when, fault);
    let scratch = Scratch::new().unwrap();
    image().write_layout(&scratch.path("from"), "x").unwrap();
    let tool = scratch
        .longshore()
        .args(["copy", "--dest-tls-verify=false", &scratch.name("oci", "from:x")]);
    let finished = tool.arg(registry.name("app:new")).run();
    let story = format!("{shown}\n{}\n{:#?}", finished.story(), registry.requests());
    assert_eq!(finished.status(), Some(1), "{story}");
    let address = registry.address().to_string();
    for fragment in fragments.iter().chain([&address.as_str()]) {
        assert!(finished.stderr().contains(fragment), "no {fragment}: {story}");
    }
    assert_eq!(registry.tags("app"), ["old"], "{story}");
    assert_eq!(registry.open_uploads(), 0, "{story}");
    check_repository(&registry, "app", "old").unwrap();
}

#[test]
fn error_answers_to_a_pull() {
    for (status, code) in [
        (401, "UNAUTHORIZED"),
        (403, "DENIED"),
        (404, "BLOB_UNKNOWN"),
        (500, "UNKNOWN"),
    ] {
        let fault = Fault::error(status, code, "no such luck");
        pull_fails(
            When::every("GET", "/blobs/"),
            fault,
            &["no such luck", "/blobs/sha256:"],
        );
    }
    for (status, code) in [(401, "UNAUTHORIZED"), (403, "DENIED"), (500, "UNKNOWN")] {
        let fault = Fault::error(status, code, "no such luck");
        pull_fails(
            When::every("GET", "/manifests/"),
            fault,
            &["no such luck", "/manifests/v1"],
        );
    }
    let page = Fault::Answer {
        status: 502,
        headers: vec![],
        body: "<html>bad gateway</html>".into(),
    };
    pull_fails(When::every("GET", "/manifests/"), page, &["502"]);
}

#[test]
fn a_manifest_that_is_not_there_has_a_status_of_its_own() {
    let registry = TestRegistry::start().unwrap();
    image().put_into(&registry, "app", "v1");
    let scratch = Scratch::new().unwrap();
    let from = registry.name("app:v2");
    let tool = scratch.longshore().args(["copy", "--src-tls-verify=false", &from]);
    let finished = tool.arg(scratch.name("dir", "to")).run().with_status(2);
    assert!(finished.stderr().contains("manifest unknown"), "{}", finished.story());
    assert!(!scratch.path("to").exists());
}

#[test]
fn bodies_of_blobs_that_are_wrong() {
    let made = image();
    let layer = &made.layers(0)[0];
    let whole = &made.blobs[layer];
    let digest = layer.as_str();
    let altered: Vec<u8> = whole
        .iter()
        .enumerate()
        .map(|(at, byte)| byte ^ u8::from(at == 9_000))
        .collect();
    let long = [whole.as_ref(), b"more"].concat();
    let short = whole.slice(..whole.len() - 1);
    let faults = [
        Fault::Body(altered.into()),
        Fault::Body(long.into()),
        Fault::Body(short),
        Fault::Body(bytes::Bytes::new()),
        Fault::Cut { after: 100_000 },
        Fault::Cut { after: 0 },
        Fault::HangUp,
        Fault::Endless { claimed: None },
        Fault::Endless { claimed: Some(5 << 30) },
    ];
    for fault in faults {
        pull_fails(When::every("GET", digest), fault, &[digest]);
    }
    let config = made.config(0);
    pull_fails(When::every("GET", &config), Fault::Body("{}".into()), &[&config]);
}

#[test]
fn manifests_that_are_wrong() {
    let cases = [
        Fault::Body("{".into()),
        Fault::Body(bytes::Bytes::new()),
        Fault::Cut { after: 100 },
        Fault::Endless { claimed: None },
        Fault::Endless { claimed: Some(5 << 30) },
        Fault::Header(
            "content-type",
            "application/vnd.docker.distribution.manifest.list.v2+json".to_owned(),
        ),
    ];
    for fault in cases {
        pull_fails(When::every("GET", "/manifests/"), fault, &[]);
    }
}

#[test]
fn a_manifest_by_digest_must_have_that_digest() {
    let registry = TestRegistry::start().unwrap();
    let made = image();
    made.put_into(&registry, "app", "v1");
    let other = ImageSpec::new([Layer::new(3, 10)]).make().unwrap();
    other.put_into(&registry, "app", "v2");
    registry.script(When::every("GET", "/manifests/"), Fault::Body(other.top.bytes.clone()));
    let scratch = Scratch::new().unwrap();
    let from = registry.name(&format!("app@{}", made.top.digest));
    let tool = scratch.longshore().args(["copy", "--src-tls-verify=false", &from]);
    tool.arg(scratch.name("dir", "to"))
        .run()
        .fails_with(&[&made.top.digest]);
    assert!(!scratch.path("to").exists());
}

#[test]
fn a_registry_that_asks_to_wait_is_asked_again() {
    let registry = TestRegistry::start().unwrap();
    let made = image();
    made.put_into(&registry, "app", "v1");
    registry.script(When::first("GET", "/manifests/").times(2), Fault::too_many_requests(0));
    registry.script(When::first("GET", "/blobs/").times(2), Fault::too_many_requests(0));
    let scratch = Scratch::new().unwrap();
    let tool = scratch
        .longshore()
        .args(["copy", "--src-tls-verify=false", &registry.name("app:v1")]);
    tool.arg(scratch.name("oci", "to:x")).run().success();
    assert_eq!(check_layout(&scratch.path("to"), "x").unwrap().digest, made.top.digest);
    assert_eq!(registry.requests_to("GET", "/manifests/").len(), 3);
}

#[test]
fn a_redirect_that_never_ends() {
    let registry = TestRegistry::start().unwrap();
    let here = format!("http://{}", registry.address());
    pull_fails(When::every("GET", "/blobs/"), Fault::Redirect(here), &["/blobs/"]);
}

#[test]
fn error_answers_to_a_push() {
    let no = |status| Fault::error(status, "DENIED", "no such luck");
    let said = &["no such luck"];
    push_fails(When::every("POST", "/uploads/"), no(403), said);
    push_fails(When::every("PATCH", "/uploads/"), no(500), said);
    push_fails(When::first("PATCH", "/uploads/").after(1), no(500), said);
    push_fails(When::every("PUT", "/uploads/"), no(400), said);
    push_fails(When::every("PUT", "/manifests/"), no(403), said);
    push_fails(When::every("HEAD", "/blobs/"), Fault::HangUp, &[]);
    push_fails(When::every("PATCH", "/uploads/"), Fault::HangUp, &[]);
    push_fails(When::every("PUT", "/manifests/"), Fault::HangUp, &[]);
}

#[test]
fn a_local_blob_that_is_altered_is_not_finished_at_a_registry() {
    let registry = TestRegistry::start().unwrap();
    let scratch = Scratch::new().unwrap();
    let made = image();
    made.write_dir(&scratch.path("from")).unwrap();
    let layer = made.layers(0)[0].clone();
    let file = scratch.path("from").join(&layer[7..]);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[70_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let tool = scratch
        .longshore()
        .args(["copy", "--dest-tls-verify=false", &scratch.name("dir", "from")]);
    tool.arg(registry.name("app:v1")).run().fails_with(&[&layer[7..]]);
    assert_eq!(registry.tags("app"), Vec::<String>::new());
    assert!(registry.blob("app", &layer).is_none());
    assert_eq!(registry.open_uploads(), 0, "{:#?}", registry.requests());
}
