//! Policy requirements of third parties: the SDK's example, and an evaluator that breaks the rules.

use std::fs;

use longshore_tests::{Finished, ImageSpec, Layer, Scratch, test_guest};
use serde_json::{Value, json};

/// An image in the folder `from`, and the named guests in `plugins`.
fn prepared(guests: &[&str]) -> Scratch {
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 100)]).make().unwrap();
    made.write_dir(&scratch.path("from")).unwrap();
    fs::create_dir(scratch.path("plugins")).unwrap();
    for guest in guests {
        fs::copy(
            test_guest(guest),
            scratch.path("plugins").join(guest).with_extension("wasm"),
        )
        .unwrap();
    }
    scratch
}

fn copy(scratch: &Scratch, requirements: &Value) -> Finished {
    scratch
        .write_policy(&json!({"default": requirements}).to_string())
        .unwrap();
    let tool = scratch.longshore().args(["--plugin-dir", "plugins", "copy"]);
    let finished = tool.args(["dir:from", "dir:to"]).run();
    assert_eq!(finished.status() == Some(0), scratch.path("to").exists());
    drop(fs::remove_dir_all(scratch.path("to")));
    finished
}

/// The image again, with a config that says when it was made.
fn made_at(scratch: &Scratch, created: &Value) {
    let made = ImageSpec::new([Layer::new(1, 100)]).make().unwrap();
    let config = made.config(0);
    let mut edited: Value = serde_json::from_slice(&made.blobs[&config]).unwrap();
    edited["created"] = created.clone();
    let bytes = edited.to_string();
    let digest = longshore_tests::sha256(bytes.as_bytes());
    let made = made.with_manifest(|manifest| {
        manifest["config"]["digest"] = json!(digest);
        manifest["config"]["size"] = json!(bytes.len());
    });
    drop(fs::remove_dir_all(scratch.path("from")));
    made.write_dir(&scratch.path("from")).unwrap();
    fs::write(scratch.path("from").join(digest.trim_start_matches("sha256:")), bytes).unwrap();
}

#[test]
fn the_example_knows_old_images() {
    let scratch = prepared(&["max_age"]);
    let rule = json!([{"type": "com.example.maxAge", "days": 365_000}]);
    for (created, reason) in [
        (json!("2020-02-29T12:00:00.5+01:00"), None),
        (json!("1000-01-01T00:00:00Z"), Some("more than 365000 days ago")),
        (json!("2999-01-01T00:00:00Z"), Some("which is yet to come")),
        (Value::Null, Some("does not say when it was made")),
    ] {
        made_at(&scratch, &created);
        let finished = copy(&scratch, &rule);
        match reason {
            None => drop(finished.success()),
            Some(reason) => drop(finished.fails_with(&["Source image rejected: ", reason])),
        }
    }
    // An age is no signature, and one requirement does not stand for another.
    made_at(&scratch, &json!("2020-02-29T12:00:00Z"));
    let both = json!([rule[0], {"type": "reject"}]);
    copy(&scratch, &both).fails_with(&["is rejected by policy"]);
    scratch.write_policy(&json!({"default": rule}).to_string()).unwrap();
    let tool = scratch
        .longshore()
        .args(["--require-signed", "--plugin-dir", "plugins"]);
    let finished = tool.args(["copy", "dir:from", "dir:to"]).run();
    finished.fails_with(&["No signature verification policy found for image dir:"]);
}

#[test]
fn the_example_is_strict_and_needed() {
    let scratch = prepared(&["max_age"]);
    for (rule, reason) in [
        (json!({"type": "com.example.maxAge"}), "missing field `days`"),
        (
            json!({"type": "com.example.maxAge", "days": "9"}),
            "invalid type: string",
        ),
        (
            json!({"type": "com.example.maxAge", "days": 9, "hours": 1}),
            "unknown field `hours`",
        ),
        (
            json!({"type": "com.example.maxage", "days": 9}),
            "Unknown policy requirement type \"com.example.maxage\"",
        ),
    ] {
        copy(&scratch, &json!([rule])).fails_with(&["invalid policy in ", reason, " at line 1 column 13"]);
    }
    fs::remove_file(scratch.path("plugins/max_age.wasm")).unwrap();
    copy(&scratch, &json!([{"type": "com.example.maxAge", "days": 9}]))
        .fails_with(&["Unknown policy requirement type \"com.example.maxAge\" at line 1 column 13"]);
}

#[test]
fn the_example_is_a_plugin_like_others() {
    let scratch = prepared(&["max_age"]);
    let tool = scratch.longshore().args(["plugin", "inspect", "plugins/max_age.wasm"]);
    let shown: Value = serde_json::from_slice(tool.run().success().stdout_bytes()).unwrap();
    assert_eq!(shown["Name"], "max-age");
    assert_eq!(shown["Abilities"], json!(["policy"]));
}

/// A policy with one requirement of the guest's; expects a refusal that says so.
fn fails(mode: &str, fragments: &[&str]) {
    let scratch = prepared(&["misbehave_policy"]);
    let path = scratch.path("from/version").display().to_string();
    let requirement = json!({"type": "misbehave", "mode": mode, "path": path});
    let finished = copy(&scratch, &json!([requirement])).with_status(1);
    let stderr = finished.stderr().replace("\\\"", "\"");
    for fragment in fragments {
        assert!(stderr.contains(fragment), "{mode}: {fragment}\n{}", finished.story());
    }
    assert!(stderr.len() < 20_000, "{mode}: {} bytes of stderr", stderr.len());
    assert!(!stderr.contains('\u{1b}') && !stderr.contains("root:"), "{stderr}");
}

#[test]
fn evaluators_that_break_down_when_a_policy_is_loaded() {
    const AT: &str = " at line 1 column 13";
    fails("check-panic", &["invalid policy in ", "plugin misbehave-policy", AT]);
    fails("check-refuses", &["invalid policy in ", "such", AT]);
    fails("check-oversize", &["invalid policy in ", "plugin misbehave-policy", AT]);
    fails(
        "stranger-file",
        &["it asks for files that the requirement does not name", AT],
    );
    fails("many-files", &["it asks for more than 16 files", AT]);
}

#[test]
fn evaluators_that_compute_for_good() {
    const COMPUTED: &str = "it computed for more than ";
    fails(
        "check-loop",
        &["invalid policy in ", "plugin misbehave-policy", COMPUTED],
    );
    fails(
        "loop",
        &["Source image rejected: ", "plugin misbehave-policy", COMPUTED],
    );
}

#[test]
fn evaluators_that_break_down_over_an_image() {
    const REJECTED: &str = "Source image rejected: ";
    for mode in ["balloon", "panic", "exit", "oversize", "flood", "wrong-index"] {
        fails(
            mode,
            &[REJECTED, "policy requirement \"misbehave\": plugin misbehave-policy"],
        );
    }
    fails("balloon", &["the plugin needs more than 256 MiB of memory"]);
    fails("wrong-index", &["it judges a signature beyond the 0 that there are"]);
    fails("fails", &[REJECTED, "policy requirement \"misbehave\": no "]);
    fails("escapes", &[REJECTED, "such"]);
    fails("long-reason", &[REJECTED, "xxx..."]);
    fails("no-reason", &[REJECTED, "is rejected by policy."]);
}

#[test]
fn evaluators_see_what_they_may_see() {
    fails("memory", &["it was never called before"]);
    fails("std-fs", &["Source image rejected: Some("]);
    // The bytes of the only file that it may name.
    let version = format!("{:?}", b"Directory Transport Version: 1.1\n");
    fails("files", &["from/version", &version[1..20]]);
    fails("config", &["the config is Ok(["]);
}

#[test]
fn evaluators_that_claim_a_type_which_is_built_in() {
    let scratch = prepared(&["misbehave_policy"]);
    copy(&scratch, &json!([{"type": "reject"}])).fails_with(&["is rejected by policy"]);
    copy(&scratch, &json!([{"type": "misbehave"}])).success();
}

#[test]
fn what_is_not_asked_for_does_no_harm() {
    let scratch = prepared(&["misbehave_policy", "max_age"]);
    let policy = json!({
        "default": [{"type": "insecureAcceptAnything"}],
        "transports": {"docker": {"": [{"type": "misbehave", "mode": "panic"}]}},
    });
    scratch.write_policy(&policy.to_string()).unwrap();
    let tool = scratch.longshore().args(["--plugin-dir", "plugins", "copy"]);
    tool.args(["dir:from", "dir:to"]).run().success();
}
