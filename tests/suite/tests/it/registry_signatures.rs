//! Signatures that a registry keeps itself: the X-Registry-Supports-Signatures extension.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_tests::{Auth, Fault, Gpg, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, Tool, When};

const PLAIN_HTTP: [&str; 2] = ["--src-tls-verify=false", "--dest-tls-verify=false"];

/// Two signatures as far as their first byte says.
const SIGNATURES: [&[u8]; 2] = [b"\x90 one", b"\xc4 two"];

/// A folder `made` with an image and signatures of it.
fn scratch_with_signed(signatures: &[&[u8]]) -> (Scratch, MadeImage) {
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 1000)]).make().unwrap();
    made.write_dir(&scratch.path("made")).unwrap();
    for (index, signature) in signatures.iter().enumerate() {
        fs::write(scratch.path(format!("made/signature-{}", index + 1)), signature).unwrap();
    }
    (scratch, made)
}

fn signatures_in(folder: &Path) -> Vec<Vec<u8>> {
    let read = |number: usize| fs::read(folder.join(format!("signature-{number}"))).ok();
    (1..).map_while(read).collect()
}

#[test]
fn signatures_travel_through_the_registry_itself() {
    let user = ("me".to_owned(), "secret".to_owned());
    let bearer = Auth::Bearer {
        user: Some(user.clone()),
    };
    let basic = Auth::Basic {
        user: user.0,
        password: user.1,
    };
    for auth in [Auth::Open, basic, bearer] {
        let (scratch, made) = scratch_with_signed(&SIGNATURES);
        let registry = TestRegistry::builder()
            .keeping_signatures()
            .auth(auth.clone())
            .start()
            .unwrap();
        let name = registry.name("some/name:v1");
        let copy = |from: &str, to: &str| {
            let mut tool = scratch.longshore().arg("copy").args(PLAIN_HTTP);
            if auth != Auth::Open {
                tool = tool.args(["--src-creds=me:secret", "--dest-creds=me:secret"]);
            }
            tool.args([from, to]).run().success()
        };
        copy(&scratch.name("dir", "made"), &name).prints("Storing signatures");
        assert_eq!(registry.signatures("some/name", &made.top.digest), SIGNATURES);
        assert!(
            !scratch.path("lookaside").exists(),
            "the registry goes before what is configured"
        );
        copy(&name, &scratch.name("dir", "to"));
        assert_eq!(signatures_in(&scratch.path("to")), SIGNATURES);

        // Those that are there are not added again, and none is taken away.
        fs::write(scratch.path("made/signature-1"), b"\x90 three").unwrap();
        copy(&scratch.name("dir", "made"), &name);
        let all = [SIGNATURES[0], SIGNATURES[1], b"\x90 three"];
        assert_eq!(registry.signatures("some/name", &made.top.digest), all);
        assert_eq!(
            registry
                .requests_to("PUT", "/extensions/v2/some/name/signatures/")
                .len(),
            3
        );
    }
}

#[test]
fn skopeo_finds_them_and_puts_them_there_too() {
    let (scratch, made) = scratch_with_signed(&SIGNATURES);
    let registry = TestRegistry::builder().keeping_signatures().start().unwrap();
    let copy = |tool: Tool, from: &str, to: &str| tool.arg("copy").args(PLAIN_HTTP).args([from, to]).run().success();
    let (ours, theirs) = (registry.name("ours:v1"), registry.name("theirs:v1"));
    copy(scratch.longshore(), &scratch.name("dir", "made"), &ours);
    copy(scratch.peer("skopeo"), &ours, &scratch.name("dir", "by-skopeo"));
    copy(scratch.peer("skopeo"), &scratch.name("dir", "made"), &theirs);
    assert_eq!(registry.signatures("theirs", &made.top.digest), SIGNATURES);
    copy(scratch.longshore(), &theirs, &scratch.name("dir", "by-us"));
    for folder in ["by-skopeo", "by-us"] {
        assert_eq!(signatures_in(&scratch.path(folder)), SIGNATURES, "{folder}");
    }
}

#[test]
fn a_signature_from_the_registry_is_judged() {
    let (scratch, made) = scratch_with_signed(&[]);
    let gpg = Gpg::new(&scratch).unwrap();
    let key = gpg.make_key(&[], "signer", "ed25519", "sign", "never");
    fs::write(scratch.path("key"), gpg.export(&[&key])).unwrap();
    let registry = TestRegistry::builder().keeping_signatures().start().unwrap();
    let name = registry.name("app:v1");
    let tool = scratch.longshore().env("GNUPGHOME", scratch.path("gnupg"));
    let sign = tool.arg("copy").args(PLAIN_HTTP).args(["--sign-by", &key]);
    sign.args([&scratch.name("dir", "made"), &name]).run().success();
    assert_eq!(registry.signatures("app", &made.top.digest).len(), 1);

    let requirement = |key: &str| {
        let path = scratch.path(key).display().to_string();
        scratch.write_policy(&format!(
            r#"{{"default":[{{"type":"signedBy","keyType":"GPGKeys","keyPath":"{path}"}}]}}"#
        ))
    };
    let stranger = gpg.make_key(&[], "stranger", "ed25519", "sign", "never");
    fs::write(scratch.path("other"), gpg.export(&[&stranger])).unwrap();
    let pull = || {
        let tool = scratch.longshore().arg("copy").args(PLAIN_HTTP);
        tool.args([&name, &scratch.name("dir", "to")]).run()
    };
    requirement("key").unwrap();
    pull().success();
    requirement("other").unwrap();
    pull().fails_with(&["Source image rejected"]);
}

#[test]
fn hostile_lists_stop_the_copy_before_anything_is_written() {
    let entry = |version: &str, name: &str, kind: &str, content: &[u8]| {
        let content = STANDARD.encode(content);
        format!(r#"{{"schemaVersion":{version},"name":"{name}","type":"{kind}","content":"{content}"}}"#)
    };
    let good = entry("2", "sha256:0@1", "atomic", b"\x90 one");
    let list = |entries: &[&str]| format!(r#"{{"signatures":[{}]}}"#, entries.join(","));
    let large = entry("2", "x", "atomic", &[0x90; 4 << 20]);
    let rows = [
        (list(&[&good]), Ok(1)),
        // What it is called does not matter, and what is of another kind is passed over.
        (list(&[&entry("2", "../../x", "atomic", b"\x90 two"), &good]), Ok(2)),
        (list(&[&entry("1", "x", "atomic", b"\x90 two"), &good]), Ok(1)),
        (list(&[&entry("2", "x", "other", b"\x90 two"), &good]), Ok(1)),
        (list(&[]), Ok(0)),
        (list(&[good.as_str(); 128]), Ok(128)),
        (
            list(&[good.as_str(); 129]),
            Err("more than 128 signatures of one manifest"),
        ),
        (list(&[&large]), Err("larger than the limit of 4194304 bytes")),
        (
            list(&[&good.replace("content\":\"", "content\":\"!")]),
            Err("signature 1 is no base64"),
        ),
        (
            list(&[&entry("\"2\"", "x", "atomic", b"")]),
            Err("the list of signatures: invalid type"),
        ),
        (
            list(&[&entry("2", "x", "atomic", b"\0sigstore-json\n{}")]),
            Err("is no simple signing signature"),
        ),
        ("<html>".to_owned(), Err("the list of signatures")),
    ];
    for (body, expected) in rows {
        let (scratch, made) = scratch_with_signed(&[]);
        let registry = TestRegistry::builder().keeping_signatures().start().unwrap();
        made.put_into(&registry, "app", "v1");
        registry.script(When::every("GET", "/extensions/v2/"), Fault::Body(body.clone().into()));
        let tool = scratch.longshore().arg("copy").args(PLAIN_HTTP);
        let finished = tool.args([&registry.name("app:v1"), &scratch.name("dir", "to")]).run();
        match expected {
            Ok(count) => {
                finished.success();
                assert_eq!(signatures_in(&scratch.path("to")).len(), count);
            }
            Err(text) => {
                finished.fails_with(&[text]);
                assert!(!scratch.path("to").exists(), "{text}");
            }
        }
    }
}

#[test]
fn refusals_of_the_registry_are_told() {
    let (scratch, made) = scratch_with_signed(&SIGNATURES);
    let registry = TestRegistry::builder().keeping_signatures().start().unwrap();
    let copy = |from: &str, to: &str| {
        let tool = scratch.longshore().arg("copy").args(PLAIN_HTTP);
        tool.args([from, to]).run()
    };
    let path = format!("/extensions/v2/app/signatures/{}", made.top.digest);
    let denied = || Fault::error(403, "DENIED", "not you");
    registry.script(When::first("PUT", "/extensions/"), denied());
    let to = registry.name("app:v1");
    copy(&scratch.name("dir", "made"), &to).fails_with(&["uploading signature", "denied: not you", &path]);
    registry.script(When::first("GET", "/extensions/"), denied());
    copy(&to, &scratch.name("dir", "to")).fails_with(&["downloading signatures", "denied: not you", &path]);
    fs::write(scratch.path("made/signature-2"), b"\0sigstore-json\n{}").unwrap();
    copy(&scratch.name("dir", "made"), &to).fails_with(&["writing sigstore attachments is disabled"]);
}
