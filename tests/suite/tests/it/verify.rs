//! `verify`: the verdict that a copy would come to, and why.

use std::fs;

use longshore_tests::{Finished, Gpg, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, Tool};
use serde_json::{Value, json};

/// A list in a registry, whose instance for this machine is signed.
struct Signed {
    made: MadeImage,
    registry: TestRegistry,
    key: String,
}

fn signed(scratch: &Scratch) -> Signed {
    let spec = ImageSpec::new([Layer::new(1, 100)]).and_platform("linux", "s390x");
    let made = spec.make().unwrap();
    let registry = TestRegistry::start().unwrap();
    made.put_into(&registry, "some/app", "v1");
    let gpg = Gpg::new(scratch).unwrap();
    let key = gpg.make_key(&[], "signer", "ed25519", "cert,sign", "never");
    fs::write(scratch.path("key"), gpg.export(&[&key])).unwrap();
    let name = format!("{}/some/app:v1", registry.address());
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": name},
            "image": {"docker-manifest-digest": made.instances[0].digest},
            "type": "atomic container signature",
        },
        "optional": {},
    });
    let signature = gpg
        .process(payload.to_string().as_bytes(), &["--local-user", &key, "--sign"])
        .unwrap();
    let folder = format!("lookaside/some/app@{}", made.instances[0].digest.replace(':', "="));
    fs::create_dir_all(scratch.path(&folder)).unwrap();
    fs::write(scratch.path(&folder).join("signature-1"), b"\0simple-signing\n{}").unwrap();
    fs::write(scratch.path(&folder).join("signature-2"), signature).unwrap();
    Signed { made, registry, key }
}

fn policy(scratch: &Scratch, requirements: &Value) {
    let policy = json!({
        "default": [{"type": "reject"}],
        "transports": {"docker": {"127.0.0.1": [{"type": "reject"}], "": requirements}},
    });
    scratch.write_policy(&policy.to_string()).unwrap();
}

fn signed_by(scratch: &Scratch) -> Value {
    json!({"type": "signedBy", "keyType": "GPGKeys", "keyPath": scratch.path("key")})
}

fn plain_http(tool: Tool) -> Tool {
    tool.args(["verify", "--tls-verify=false"])
}

fn explained(finished: &Finished) -> Value {
    serde_json::from_slice(finished.stdout_bytes()).unwrap()
}

#[test]
fn each_requirement_is_explained() {
    let scratch = Scratch::new().unwrap();
    let Signed { made, registry, key } = signed(&scratch);
    let accept = json!({"type": "insecureAcceptAnything"});
    policy(&scratch, &json!([accept, signed_by(&scratch)]));
    let name = registry.name("some/app:v1");
    let verify = |options: &[&str]| plain_http(scratch.longshore()).args(options).arg(&name).run();

    let told = explained(&verify(&["--json"]).success());
    assert_eq!((&told["Accepted"], &told["Reason"]), (&json!(true), &Value::Null));
    assert_eq!(
        (&told["Name"], &told["Digest"]),
        (&json!(name), &json!(made.top.digest))
    );
    assert_eq!(
        (&told["IsList"], told["Images"].as_array().unwrap().len()),
        (&json!(true), 1)
    );
    let image = &told["Images"][0];
    assert_eq!(image["Digest"], json!(made.instances[0].digest));
    assert_eq!((&image["Transport"], &image["Scope"]), (&json!("docker"), &json!("")));
    assert_eq!(image["Scopes"][0], json!(name.trim_start_matches("docker://")));
    assert_eq!(image["Scopes"].as_array().unwrap().last(), Some(&json!("")));
    let formats: Vec<_> = image["Signatures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["Format"])
        .collect();
    assert_eq!(formats, [&json!("simple-signing"), &json!("simple-signing")]);
    let requirements = &image["Requirements"];
    assert_eq!(requirements[0]["Requirement"], accept);
    assert_eq!(requirements[0]["Outcome"], "accepted-unsigned");
    assert_eq!(requirements[1]["Requirement"], signed_by(&scratch));
    assert_eq!(requirements[1]["Outcome"], "accepted-signed");
    assert_eq!(requirements[1]["Files"], json!([scratch.path("key")]));
    let findings = &requirements[1]["Findings"];
    assert_eq!(
        (&findings[0]["Signature"], &findings[0]["Accepted"]),
        (&json!(0), &json!(false))
    );
    assert_eq!(
        findings[1],
        json!({"Signature": 1, "Accepted": true, "Reason": format!("signed by key {key}")})
    );

    let text = verify(&[]).success().stdout();
    for part in [
        &format!("list {}", made.top.digest),
        &format!("image {}", made.instances[0].digest),
        "policy: the default of transport \"docker\"",
        "requirement 1 of 2: {\"type\":\"insecureAcceptAnything\"}",
        "signature 1: no: Invalid GPG signature",
        &format!("signature 2: yes: signed by key {key}"),
        "\naccepted\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!scratch.path("to").exists());
}

#[test]
fn it_judges_as_copy_does() {
    let scratch = Scratch::new().unwrap();
    let Signed { made, registry, .. } = signed(&scratch);
    let accept = json!({"type": "insecureAcceptAnything"});
    let reject = json!({"type": "reject"});
    let missing = json!({"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/nowhere/key"});
    let remapped = json!({
        "type": "signedBy", "keyType": "GPGKeys", "keyPath": scratch.path("key"),
        "signedIdentity": {"type": "exactRepository", "dockerRepository": "example.com/other"},
    });
    let tag = registry.name("some/app:v1");
    let other = registry.name(&format!("some/app@{}", made.instances[1].digest));
    type Flags<'a> = &'a [&'a str];
    let rows: [(Value, &str, Flags<'_>, Flags<'_>, bool); 11] = [
        (json!([accept]), &tag, &[], &[], true),
        (json!([reject]), &tag, &[], &[], false),
        (json!([signed_by(&scratch)]), &tag, &[], &[], true),
        (json!([signed_by(&scratch)]), &other, &[], &[], false),
        (json!([signed_by(&scratch)]), &tag, &["--all"], &[], false),
        (
            json!([signed_by(&scratch)]),
            &tag,
            &["--platform=linux/s390x"],
            &[],
            false,
        ),
        (json!([missing]), &tag, &[], &[], false),
        (json!([remapped]), &tag, &[], &[], false),
        (json!([accept]), &tag, &[], &["--require-signed"], false),
        (
            json!([signed_by(&scratch), accept]),
            &tag,
            &[],
            &["--require-signed"],
            true,
        ),
        (json!([reject]), &tag, &[], &["--insecure-policy"], true),
    ];
    for (requirements, name, options, global, accepted) in rows {
        policy(&scratch, &requirements);
        let verified = plain_http(scratch.longshore().args(global))
            .args(["--json", name])
            .args(options)
            .run();
        let copy = scratch
            .longshore()
            .args(global)
            .args(["copy", "--src-tls-verify=false"])
            .args(options);
        let copied = copy.args([name, "dir:to"]).run();
        let story = format!("{}{}", verified.story(), copied.story());
        assert_eq!(copied.status(), Some(i32::from(!accepted)), "{story}");
        assert_eq!(verified.status(), copied.status(), "{story}");
        let told = explained(&verified);
        assert_eq!(told["Accepted"], json!(accepted), "{story}");
        if !accepted {
            let reason = told["Reason"].as_str().unwrap();
            assert!(
                copied.stderr().replace("\\\"", "\"").contains(reason),
                "{reason}\n{story}"
            );
            assert!(
                verified.stderr().replace("\\\"", "\"").contains(reason),
                "{reason}\n{story}"
            );
        }
        drop(fs::remove_dir_all(scratch.path("to")));
    }
}

#[test]
fn all_requirements_are_told_after_one_refused() {
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 100)]).make().unwrap();
    made.write_dir(&scratch.path("from")).unwrap();
    let reject = json!({"type": "reject"});
    let broken = json!({"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/nowhere/key"});
    let accept = json!({"type": "insecureAcceptAnything"});
    scratch
        .write_policy(&json!({"default": [reject, broken, accept]}).to_string())
        .unwrap();
    let finished = scratch.longshore().args(["verify", "--json", "dir:from"]).run();
    let told = explained(&finished);
    let requirements = told["Images"][0]["Requirements"].as_array().unwrap().clone();
    let outcomes: Vec<_> = requirements
        .iter()
        .map(|one| one["Outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["rejected", "failed", "accepted-unsigned"]);
    assert!(requirements[1]["Error"].as_str().unwrap().contains("/nowhere/key"));
    finished.fails_with(&["Source image rejected: Running image dir:"]);
}

#[test]
fn what_cannot_be_judged_is_an_error() {
    let scratch = Scratch::new().unwrap();
    let verify = |arguments: &[&str]| scratch.longshore().args(arguments).run();
    verify(&["verify"]).fails_with(&["Exactly one argument expected"]);
    verify(&["verify", "nothing"]).fails_with(&["Error parsing image name"]);
    verify(&["verify", "dir:nowhere"]).fails_with(&["nowhere"]);
    verify(&["verify", "oci:nowhere:x"]).with_status(1);
    verify(&["--policy", "nowhere.json", "verify", "dir:x"])
        .fails_with(&["Error loading trust policy", "nowhere.json"]);
    let both = verify(&["--insecure-policy", "--require-signed", "verify", "dir:x"]);
    both.fails_with(&["--insecure-policy and --require-signed are mutually exclusive"]);
    let registry = TestRegistry::start().unwrap();
    let made = ImageSpec::new([Layer::new(1, 100)]).make().unwrap();
    made.put_into(&registry, "some/app", "v1");
    let missing = verify(&["verify", "--tls-verify=false", &registry.name("some/app:v2")]);
    missing.with_status(2);
}
