//! Image streams of OpenShift: a scripted API server, and the registry that it knows.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use longshore_tests::{
    Authority, Builder, Fault, Finished, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, Tool, When, check_dir,
};

const PLAIN_HTTP: [&str; 2] = ["--src-tls-verify=false", "--dest-tls-verify=false"];

/// Two signatures as far as their first byte says.
const SIGNATURES: [&[u8]; 2] = [b"\x90 one", b"\xc4 two"];

const TOKEN: &str = "sha256~hunter2";

/// A folder `made` with an image and signatures of it.
fn scratch_with_signed() -> (Scratch, MadeImage) {
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 1000)]).make().unwrap();
    made.write_dir(&scratch.path("made")).unwrap();
    for (index, signature) in SIGNATURES.iter().enumerate() {
        fs::write(scratch.path(format!("made/signature-{}", index + 1)), signature).unwrap();
    }
    (scratch, made)
}

fn signatures_in(folder: &Path) -> Vec<Vec<u8>> {
    let read = |number: usize| fs::read(folder.join(format!("signature-{number}"))).ok();
    (1..).map_while(read).collect()
}

/// Makes the scheme and address, and what else a cluster and a user have, those of the current context.
fn kubeconfig(scratch: &Scratch, server: &str, cluster: &str, user: &str) {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         clusters:\n- name: c\n  cluster: {{server: '{server}'{cluster}}}\n\
         users:\n- name: u\n  user: {{{user}}}\n\
         contexts:\n- name: here\n  context: {{cluster: c, user: u}}\n"
    );
    fs::create_dir_all(scratch.path("home/.kube")).unwrap();
    fs::write(scratch.path("home/.kube/config"), text).unwrap();
}

/// A registry without TLS and a kubeconfig file for its API.
fn plain(scratch: &Scratch) -> TestRegistry {
    let registry = TestRegistry::start().unwrap();
    kubeconfig(scratch, &format!("http://{}", registry.address()), "", "");
    registry
}

fn name(registry: &TestRegistry, stream: &str) -> String {
    format!("atomic:{}/{stream}", registry.address())
}

fn copy(tool: Tool, from: &str, to: &str) -> Finished {
    tool.arg("copy").args(PLAIN_HTTP).args([from, to]).run()
}

#[test]
fn images_and_their_signatures_travel_through_a_cluster() {
    let (scratch, made) = scratch_with_signed();
    let registry = plain(&scratch);
    let image = name(&registry, "ns/app:v1");
    let written = copy(scratch.longshore(), &scratch.name("dir", "made"), &image);
    written.success().prints("Storing signatures");
    assert_eq!(registry.signatures("ns/app", &made.top.digest), SIGNATURES);
    assert!(!scratch.path("lookaside").exists());
    copy(scratch.longshore(), &image, &scratch.name("dir", "back")).success();
    check_dir(&scratch.path("back")).unwrap();
    assert_eq!(signatures_in(&scratch.path("back")), SIGNATURES);

    // The newest image of a tag is read, by its digest; signatures that are there are not added again.
    let by_digest = format!("/v2/ns/app/manifests/{}", made.top.digest);
    assert!(!registry.requests_to("GET", &by_digest).is_empty());
    copy(scratch.longshore(), &scratch.name("dir", "made"), &image).success();
    assert_eq!(registry.signatures("ns/app", &made.top.digest), SIGNATURES);
    let inspect = scratch.longshore().args(["inspect", "--tls-verify=false", &image]);
    inspect.run().success().prints(&made.top.digest);
}

#[test]
fn the_kubeconfig_file_says_how_to_get_in() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let us = authority.client().unwrap();
    let data = |pem: &str| STANDARD.encode(pem);
    let ca = format!(", certificate-authority-data: {}", data(&authority.pem()));
    let other_ca = format!(", certificate-authority-data: {}", data(&stranger.pem()));
    let token = format!("token: {TOKEN}");
    let certificate = format!(
        "client-certificate-data: {}, client-key-data: {}",
        data(&us.certificate),
        data(&us.key)
    );
    let insecure = ", insecure-skip-tls-verify: true";
    let with_token = || TestRegistry::builder().api_token(TOKEN).tls(&authority, None).unwrap();
    let with_certificate = || TestRegistry::builder().tls(&authority, Some(&authority)).unwrap();
    type Start<'a> = &'a dyn Fn() -> Builder;
    let rows: [(Start<'_>, &str, &str, Result<(), &str>); 8] = [
        (&with_token, &ca, &token, Ok(())),
        (&with_token, insecure, &token, Ok(())),
        (&with_token, &ca, "", Err("reading image stream ns/app at https://")),
        (&with_token, &ca, "token: other", Err("Unauthorized")),
        (&with_token, "", &token, Err("certificate")),
        (&with_token, &other_ca, &token, Err("certificate")),
        (&with_certificate, &ca, &certificate, Ok(())),
        (
            &with_token,
            ", certificate-authority: gone.pem",
            &token,
            Err("gone.pem"),
        ),
    ];
    for (start, cluster, user, expected) in rows {
        let (scratch, made) = scratch_with_signed();
        let registry = start().start().unwrap();
        made.put_into(&registry, "ns/app", "v1");
        kubeconfig(&scratch, &format!("https://{}", registry.address()), cluster, user);
        // The registry behind it is reached as docker:// is.
        let certs = scratch.path("certs");
        fs::create_dir(&certs).unwrap();
        for (file, text) in [
            ("ca.crt", &authority.pem()),
            ("us.cert", &us.certificate),
            ("us.key", &us.key),
        ] {
            fs::write(certs.join(file), text).unwrap();
        }
        let tool = scratch
            .longshore()
            .args(["--debug", "copy", "--src-cert-dir"])
            .arg(certs);
        let finished = tool
            .args([&name(&registry, "ns/app:v1"), &scratch.name("oci", "to:x")])
            .run();
        assert!(!finished.stderr().contains("hunter2"), "{}", finished.story());
        match expected {
            Ok(()) => drop(finished.success()),
            Err(text) => drop(finished.fails_with(&[text])),
        }
    }
}

#[test]
fn what_is_not_there_or_hostile_stops_the_copy() {
    let stream = |items: &str| format!(r#"{{"status":{{"tags":[{{"tag":"v1","items":{items}}}]}}}}"#);
    let item = |reference: &str, image: &str| {
        stream(&format!(
            r#"[{{"dockerImageReference":"{reference}","image":"{image}"}}]"#
        ))
    };
    let digest = format!("sha256:{}", "0".repeat(64));
    let huge = format!(r#"{{"status":"{}"}}"#, "x".repeat(4 << 20));
    let status = |status| Fault::Answer {
        status,
        headers: Vec::new(),
        body: Bytes::from(r#"{"kind":"Status","status":"Failure","message":"the cluster\u0007 is gone"}"#),
    };
    let body = |text: &str| Fault::Body(Bytes::from(text.to_owned()));
    let rows = [
        (status(503), 1, r"the cluster\\u{7} is gone"),
        (status(403), 1, r"the cluster\\u{7} is gone"),
        (status(404), 2, r"the cluster\\u{7} is gone"),
        (body("{}"), 2, "No matching tag found"),
        (body(r#"{"status":null}"#), 2, "No matching tag found"),
        (body(&stream("[]")), 2, "No matching tag found"),
        (body(&stream("null")), 2, "No matching tag found"),
        (body(&item("r/ns/app@x", "../../secrets/x")), 1, "the image of tag v1"),
        (body(&item("stream", &digest)), 1, "Invalid format of docker reference"),
        (body(&item("r/../../etc:v1", &digest)), 1, "invalid reference format"),
        (body(&huge), 1, "larger than the limit of 4194304 bytes"),
        (body("<html>"), 1, "imagestreams/app"),
        (Fault::HangUp, 1, "imagestreams/app"),
    ];
    for (fault, code, text) in rows {
        let (scratch, made) = scratch_with_signed();
        let registry = plain(&scratch);
        made.put_into(&registry, "ns/app", "v1");
        registry.script(When::every("GET", "/imagestreams/"), fault);
        let finished = copy(
            scratch.longshore(),
            &name(&registry, "ns/app:v1"),
            &scratch.name("dir", "to"),
        );
        finished.with_status(code).says(&[text]);
        assert!(!scratch.path("to").exists(), "{text}");
    }
}

#[test]
fn what_skopeo_refuses_is_refused() {
    let (scratch, _) = scratch_with_signed();
    let registry = plain(&scratch);
    let app = name(&registry, "ns/app:v1");
    let delete = scratch.longshore().args(["delete", &app]).run();
    delete.fails_with(&["Deleting images not implemented for atomic: images"]);
    let list = scratch.longshore().args(["list-tags", &app]).run();
    list.fails_with(&["Unsupported transport 'atomic' for tag listing"]);
    for reference in [
        "h.test/app:v1",
        "h.test/ns/app",
        "h.test/a/b/c:v1",
        "//h.test/ns/app:v1",
    ] {
        let finished = copy(
            scratch.longshore(),
            &format!("atomic:{reference}"),
            &scratch.name("dir", "to"),
        );
        finished.fails_with(&["image reference", reference]);
    }
    fs::write(scratch.path("made/signature-2"), b"\0sigstore-json\n{}").unwrap();
    copy(scratch.longshore(), &scratch.name("dir", "made"), &app)
        .fails_with(&["unsupported signature format sigstore-json"]);
    assert!(registry.requests_to("POST", "/imagesignatures").is_empty());
}

#[test]
fn policies_know_tags_streams_namespaces_and_hosts() {
    let (scratch, made) = scratch_with_signed();
    let registry = plain(&scratch);
    made.put_into(&registry, "ns/app", "v1");
    let host = registry.address().to_string();
    let rows = [
        (format!("{host}/ns/app:v1"), Some(true)),
        (format!("{host}/ns/app"), Some(true)),
        (format!("{host}/ns"), Some(true)),
        (host.clone(), Some(true)),
        (String::new(), Some(true)),
        (format!("{host}/ns/app:v2"), Some(false)),
        (format!("{host}/other"), Some(false)),
        (format!("{host}/ns/app/x"), None),
        (format!("{host}/ns:v1"), None),
    ];
    for (scope, accepted) in rows {
        let policy = serde_json::json!({
            "default": [{"type": "reject"}],
            "transports": {"atomic": {scope.as_str(): [{"type": "insecureAcceptAnything"}]}},
        });
        scratch.write_policy(&policy.to_string()).unwrap();
        let finished = copy(
            scratch.longshore(),
            &name(&registry, "ns/app:v1"),
            &scratch.name("oci", "to:x"),
        );
        match accepted {
            Some(true) => drop(finished.success()),
            Some(false) => drop(finished.fails_with(&["is rejected by policy"])),
            None => drop(finished.fails_with(&["Unknown key", &scope])),
        }
    }
}
