#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use longshore_types::ErrorKind;
use tempfile::TempDir;

use super::*;
use crate::environment::Environment;

/// Knows the type `custom`, which must have no other key, and that scopes of `dir` start with a slash.
struct Custom;

impl RequirementCheck for Custom {
    fn check_requirement(&self, kind: &str, json: &str) -> Option<Result<(), String>> {
        let alone = json == r#"{"type":"custom"}"#;
        (kind == "custom").then(|| alone.then_some(()).ok_or_else(|| "Unknown key \"more\"".to_owned()))
    }

    fn is_scope(&self, transport: &str, scope: &str) -> bool {
        transport != "dir" || scope.starts_with('/')
    }
}

#[test]
fn accepted_texts() {
    let texts = [
        r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
        r#" {"default" : [ { "type" : "reject" } ] , "transports" : {} } "#,
        r#"{"transports":{"docker":{"":[{"type":"reject"}]}},"default":[{"type":"reject"},{"type":"reject"}]}"#,
        r#"{"default":[{"type":"reject"}],"transports":{"docker-daemon":{"":[{"type":"insecureAcceptAnything"}]}}}"#,
        r#"{"default":[{"type":"reject"}],"transports":{"of-another-world":{"any scope":[{"type":"reject"}]}}}"#,
        r#"{"default":[{"type":"reject"}],"transports":{"docker":{}}}"#,
        r#"{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k.gpg"}]}"#,
        r#"{"default":[{"type":"sigstoreSigned","keyPath":"/k.pub"}]}"#,
        r#"{"default":[{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}]}"#,
        r#"{"default":[{"type":"custom"}],"transports":{"dir":{"/a":[{"type":"custom"}],"":[{"type":"reject"}]}}}"#,
    ];
    for text in texts {
        Policy::parse(text, &Custom).unwrap();
    }
}

#[test]
fn refused_texts_with_place_and_reason() {
    let cases = [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("[]", "expected an object with the key \"default\" at line 1 column 0"),
        ("null", "expected an object with the key \"default\" at line 1 column 4"),
        ("{}", "Default policy is missing at line 1 column 2"),
        (r#"{"transports":{}}"#, "Default policy is missing at line 1 column 17"),
        (
            r#"{"default":[]}"#,
            "List of verification policy requirements must not be empty at line 1 column 13",
        ),
        (
            r#"{"default":{}}"#,
            "invalid type: map, expected an array of policy requirements at line 1 column 11",
        ),
        (
            r#"{"default":null}"#,
            "invalid type: null, expected an array of policy requirements at line 1 column 15",
        ),
        (
            r#"{"default":[null]}"#,
            "a policy requirement must be an object at line 1 column 13",
        ),
        (
            r#"{"default":["reject"]}"#,
            "a policy requirement must be an object at line 1 column 13",
        ),
        (
            r#"{"default":[{}]}"#,
            "Unknown policy requirement type \"\" at line 1 column 13",
        ),
        (
            r#"{"default":[{"type":7}]}"#,
            "the \"type\" of a policy requirement must be a string at line 1 column 13",
        ),
        (
            r#"{"default":[{"type":"Reject"}]}"#,
            "Unknown policy requirement type \"Reject\" at line 1 column 13",
        ),
        (
            "{\"default\":[\n{\"type\":\"reject\"},\n  {\"type\":\"Reject\"}\n\n]}",
            "Unknown policy requirement type \"Reject\" at line 3 column 3",
        ),
        (
            r#"{"default":[{"type":"custom","more":1}]}"#,
            "Unknown key \"more\" at line 1 column 13",
        ),
        (
            r#"{"Default":[{"type":"reject"}]}"#,
            "Unknown key \"Default\" at line 1 column 10",
        ),
        (
            "{\"default\":[{\"type\":\"reject\"}],\n \"extra\":1}",
            "Unknown key \"extra\" at line 2 column 8",
        ),
        (
            "{\"default\":[{\"type\":\"reject\"}],\n\n \"default\":1}",
            "Duplicate key \"default\" at line 3 column 10",
        ),
        (
            r#"{"default":[{"type":"reject","type":"reject"}]}"#,
            "Duplicate key \"type\" at line 1 column 35",
        ),
        (
            r#"{"default":[{"type":"signedBy","a":{"b":1,"b":2}}]}"#,
            "Duplicate key \"b\" at line 1 column 45",
        ),
        (
            r#"{"default":[{"type":"reject"}]}{}"#,
            "Unexpected data after JSON object at line 1 column 32",
        ),
        (
            r#"{"default":[{"type":"reject"}],}"#,
            "trailing comma at line 1 column 32",
        ),
        (
            r#"{"default":[{"type":"reject"}],"transports":[]}"#,
            "expected an object of transports",
        ),
        (
            r#"{"default":[{"type":"reject"}],"transports":{"docker":[]}}"#,
            "expected an object of scopes",
        ),
        (
            r#"{"default":[{"type":"reject"}],"transports":{"docker":{"":[]}}}"#,
            "must not be empty",
        ),
        (
            r#"{"default":[{"type":"reject"}],"transports":{"x":{"y":[{"type":"z"}]}}}"#,
            "requirement type \"z\"",
        ),
        (
            r#"{"default":[{"type":"reject"}],"transports":{"dir":{"a":[{"type":"reject"}]}}}"#,
            "Unknown key \"a\"",
        ),
        (
            r#"{"default":[{"type":"reject"}],"transports":{"x":{},"x":{}}}"#,
            "Duplicate key \"x\"",
        ),
        (
            r#"{"default":[{"type":"reject"}],"transports":{"x":{"y":[{"type":"reject"}],"y":1}}}"#,
            "Duplicate key \"y\"",
        ),
        (
            "\u{feff}{\"default\":[{\"type\":\"reject\"}]}",
            "expected value at line 1 column 1",
        ),
    ];
    for (text, reason) in cases {
        let error = Policy::parse(text, &Custom).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let message = error.to_string();
        assert!(
            message.starts_with("invalid policy: ") && message.contains(reason),
            "{text}\n{message}\n{reason}"
        );
    }
}

#[test]
fn requirements_keep_their_text() {
    let text = r#"{"default":[{ "type": "signedBy",  "keyPath":"\u002fk" }]}"#;
    let policy = Policy::parse(text, &()).unwrap();
    let (_, requirements) = policy.requirements("docker", "x", &[]);
    assert_eq!(requirements[0].kind, "signedBy");
    assert_eq!(requirements[0].json, r#"{ "type": "signedBy",  "keyPath":"\u002fk" }"#);
}

#[test]
fn the_first_section_found_counts_alone() {
    let section = |name: &str| format!(r#"[{{"type":"signedBy","keyPath":"{name}"}}]"#);
    let text = format!(
        r#"{{"default":{},"transports":{{
            "docker":{{"":{},"docker.io/library/busybox:1":{},"docker.io/library":{},"*.example.com":{}}},
            "oci":{{"/a":{}}}}}}}"#,
        section("default"),
        section("docker default"),
        section("exact"),
        section("library"),
        section("wildcard"),
        section("a"),
    );
    let policy = Policy::parse(&text, &()).unwrap();
    let cases: [(&str, &str, &[&str], &str, &str); 8] = [
        (
            "docker",
            "docker.io/library/busybox:1",
            &["docker.io/library"],
            "exact",
            "transport \"docker\" policy section \"docker.io/library/busybox:1\"",
        ),
        (
            "docker",
            "docker.io/library/busybox:2",
            &["docker.io/library/busybox", "docker.io/library", "docker.io"],
            "library",
            "transport \"docker\" policy section \"docker.io/library\"",
        ),
        (
            "docker",
            "a.example.com/b:1",
            &["a.example.com", "*.example.com"],
            "wildcard",
            "transport \"docker\" policy section \"*.example.com\"",
        ),
        (
            "docker",
            "elsewhere/b:1",
            &["elsewhere"],
            "docker default",
            "transport \"docker\" policy section \"\"",
        ),
        (
            "docker",
            "",
            &["docker.io/library"],
            "docker default",
            "transport \"docker\" policy section \"\"",
        ),
        ("oci", "/a/b", &["/a"], "a", "transport \"oci\" policy section \"/a\""),
        ("oci", "/b", &["/c", ""], "default", "default policy section"),
        ("dir", "/a", &["/"], "default", "default policy section"),
    ];
    for (transport, identity, scopes, expected, description) in cases {
        let scopes: Vec<_> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (section, requirements) = policy.requirements(transport, identity, &scopes);
        assert_eq!(requirements.len(), 1);
        assert!(
            requirements[0].json.contains(&format!("{expected:?}")),
            "{transport} {identity}"
        );
        assert_eq!(section.to_string(), description);
    }
}

#[test]
fn accepting_anything_is_one_requirement() {
    let policy = Policy::accept_anything();
    let (section, requirements) = policy.requirements("docker", "x", &[]);
    assert_eq!(section, PolicySection::Default);
    assert_eq!(requirements[0].kind, "insecureAcceptAnything");
    let text = format!(r#"{{"default":[{}]}}"#, requirements[0].json);
    assert_eq!(Policy::parse(&text, &()).unwrap(), policy);
}

/// Writes a policy whose only requirement names the path, to tell afterwards which file was read.
fn write(folder: &Path, path: &str) {
    let file = folder.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(
        file,
        format!(r#"{{"default":[{{"type":"signedBy","keyPath":"{path}"}}]}}"#),
    )
    .unwrap();
}

fn read_file(explicit: Option<&Path>, environment: &Environment) -> Result<String, PolicyError> {
    let policy = Policy::load(explicit, environment, &())?;
    let (_, requirements) = policy.requirements("", "", &[]);
    Ok(requirements[0].json.split('"').nth(7).unwrap().to_owned())
}

#[test]
fn files_are_searched_in_order() {
    let folder = TempDir::new().unwrap();
    let environment = Environment::empty(folder.path()).with("HOME", folder.path().join("home"));
    let places = [
        "usr/share/containers/policy.json",
        "etc/containers/policy.json",
        "home/.config/containers/policy.json",
    ];
    let error = read_file(None, &environment).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("no policy.json file found at any of the following: \""),
        "{error}"
    );
    for place in places {
        assert!(error.to_string().contains(place), "{error}");
    }
    for place in places {
        write(folder.path(), place);
        assert_eq!(read_file(None, &environment).unwrap(), place);
    }
    write(folder.path(), "variable.json");
    let with_variable = environment.with("CONTAINERS_POLICY_JSON", folder.path().join("variable.json"));
    assert_eq!(read_file(None, &with_variable).unwrap(), "variable.json");
    write(folder.path(), "explicit.json");
    let explicit = folder.path().join("explicit.json");
    assert_eq!(read_file(Some(&explicit), &with_variable).unwrap(), "explicit.json");
}

#[test]
fn a_named_file_must_exist_and_be_right() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "etc/containers/policy.json");
    let environment = Environment::empty(folder.path());
    let missing = folder.path().join("missing.json");
    assert!(matches!(
        read_file(Some(&missing), &environment),
        Err(PolicyError::Read { .. })
    ));
    let by_variable = environment.clone().with("CONTAINERS_POLICY_JSON", &missing);
    assert!(matches!(read_file(None, &by_variable), Err(PolicyError::Read { .. })));

    let broken = folder.path().join("broken.json");
    fs::write(&broken, "{\n}").unwrap();
    let message = read_file(Some(&broken), &environment).unwrap_err().to_string();
    let expected = format!(
        "invalid policy in {:?}: Default policy is missing at line 2 column 1",
        broken.to_str().unwrap()
    );
    assert_eq!(message, expected);

    fs::write(&broken, b"{\"default\":\xff}").unwrap();
    assert!(matches!(
        read_file(Some(&broken), &environment),
        Err(PolicyError::Read { .. })
    ));
}

#[test]
fn a_broken_file_is_not_passed_over_for_the_next() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "usr/share/containers/policy.json");
    fs::create_dir_all(folder.path().join("etc/containers")).unwrap();
    fs::write(folder.path().join("etc/containers/policy.json"), "{}").unwrap();
    let result = read_file(None, &Environment::empty(folder.path()));
    assert!(matches!(result, Err(PolicyError::Invalid { .. })));
}
