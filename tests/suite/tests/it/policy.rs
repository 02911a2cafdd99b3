//! The trust policy is obeyed before anything is written.

use longshore_tests::{ImageSpec, Layer, Scratch, check_dir};

const ACCEPT: &str = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
const REJECT: &str = r#"{"default":[{"type":"reject"}]}"#;

fn scratch_with(policy: &str) -> Scratch {
    let scratch = Scratch::new().unwrap();
    scratch.write_policy(policy).unwrap();
    let made = ImageSpec::new([Layer::new(1, 100)]).make().unwrap();
    made.write_layout(&scratch.path("from"), "x").unwrap();
    scratch
}

fn copy(scratch: &Scratch, options: &[&str]) -> longshore_tests::Finished {
    let tool = scratch
        .longshore()
        .args(options)
        .arg("copy")
        .arg(scratch.name("oci", "from:x"));
    tool.arg(scratch.name("dir", "to")).run()
}

#[test]
fn what_is_rejected_is_not_copied() {
    let scratch = scratch_with(REJECT);
    copy(&scratch, &[]).fails_with(&["is rejected by policy"]);
    assert!(!scratch.path("to").exists());
    copy(&scratch, &["--insecure-policy"]).success();
    check_dir(&scratch.path("to")).unwrap();
}

#[test]
fn a_policy_can_be_named() {
    let scratch = scratch_with(ACCEPT);
    let file = scratch.path("reject.json");
    std::fs::write(&file, REJECT).unwrap();
    copy(&scratch, &["--policy", &file.display().to_string()]).fails_with(&["is rejected by policy"]);
    copy(&scratch, &["--policy", "/nowhere/policy.json"]).fails_with(&["/nowhere/policy.json"]);
}

#[test]
fn the_most_specific_scope_decides() {
    let scratch = scratch_with(ACCEPT);
    let layout = scratch.path("from").canonicalize().unwrap();
    let parent = layout.parent().unwrap().display().to_string();
    let layout = layout.display().to_string();
    let accept = r#"[{"type":"insecureAcceptAnything"}]"#;
    let reject = r#"[{"type":"reject"}]"#;
    let cases = [
        (
            format!(r#"{{"default":{reject},"transports":{{"oci":{{"{layout}":{accept}}}}}}}"#),
            true,
        ),
        (
            format!(r#"{{"default":{reject},"transports":{{"oci":{{"{parent}":{accept},"{layout}":{reject}}}}}}}"#),
            false,
        ),
        (
            format!(r#"{{"default":{reject},"transports":{{"oci":{{"{parent}":{accept}}}}}}}"#),
            true,
        ),
        (
            format!(r#"{{"default":{reject},"transports":{{"oci":{{"":{accept}}}}}}}"#),
            true,
        ),
        (
            format!(r#"{{"default":{accept},"transports":{{"dir":{{"":{reject}}}}}}}"#),
            true,
        ),
    ];
    for (policy, accepted) in cases {
        scratch.write_policy(&policy).unwrap();
        let finished = copy(&scratch, &[]);
        assert_eq!(
            finished.status(),
            Some(i32::from(!accepted)),
            "{policy}\n{}",
            finished.story()
        );
    }
}

#[test]
fn a_policy_with_a_mistake_is_an_error_that_names_it() {
    let cases = [
        (r#"{"default":[{"type":"trustEverybody"}]}"#, "trustEverybody"),
        (r#"{"default":[{"type":"reject","extra":1}]}"#, "extra"),
        (r#"{"default":[],"default":[]}"#, "default"),
        (r#"{"default":[{"type":"reject"}],"others":{}}"#, "others"),
        (r#"{}"#, "policy.json"),
        (r#"{"default":[{"type":"reject"}]"#, "policy.json"),
    ];
    for (policy, fragment) in cases {
        let scratch = scratch_with(policy);
        copy(&scratch, &[]).fails_with(&[fragment]);
        assert!(!scratch.path("to").exists(), "{policy}");
    }
}

#[test]
fn key_files_are_read_only_for_images_that_need_them() {
    let signed = r#"[{"type":"sigstoreSigned","keyPath":"/nowhere/key.pub"}]"#;
    let used = format!(r#"{{"default":{signed}}}"#);
    let unused =
        format!(r#"{{"default":[{{"type":"insecureAcceptAnything"}}],"transports":{{"docker":{{"":{signed}}}}}}}"#);
    let scratch = scratch_with(&used);
    copy(&scratch, &[]).fails_with(&["sigstoreSigned", "/nowhere/key.pub"]);
    assert!(!scratch.path("to").exists());
    scratch.write_policy(&unused).unwrap();
    copy(&scratch, &[]).success();
}
