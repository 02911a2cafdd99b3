//! What a signature says of itself is shown as skopeo shows it.

use std::fs;

use longshore_tests::{Gpg, Scratch};

const DUMP: &str = "untrusted-signature-dump-without-verification";

#[test]
fn signatures_are_shown_as_by_skopeo() {
    let scratch = Scratch::new().unwrap();
    let gpg = Gpg::new(&scratch).unwrap();
    let payload = |optional: &str| {
        let digest = longshore_tests::sha256(b"");
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"example.com/<a>&:1"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"atomic container signature"}},"optional":{optional}}}"#
        )
    };
    for algorithm in ["rsa2048", "ed25519"] {
        let key = gpg.make_key(&[], algorithm, algorithm, "cert,sign", "never");
        for (optional, options) in [
            (r#"{"creator":"atomic","timestamp":1700000000}"#, &[][..]),
            (r#"{"timestamp":0}"#, &["-z0"]),
            (r#"{"timestamp":-1e0}"#, &["--compress-algo", "zlib"]),
            (r#"{"more":{}}"#, &["--compress-algo", "zip"]),
        ] {
            let sign = [&["--local-user", &key], options, &["--sign"]].concat();
            let signature = gpg.process(payload(optional).as_bytes(), &sign).unwrap();
            fs::write(scratch.path("signature"), signature).unwrap();
            let theirs = scratch.peer("skopeo").args([DUMP, "signature"]).run().success();
            let ours = scratch.longshore().args([DUMP, "signature"]).run().success();
            assert_eq!(ours.stdout(), theirs.stdout(), "{optional}");
            assert!(ours.stdout().contains(&key[24..]), "{}", ours.story());
        }
    }
}

#[test]
fn what_is_no_signature_is_an_error() {
    let scratch = Scratch::new().unwrap();
    let gpg = Gpg::new(&scratch).unwrap();
    let key = gpg.make_key(&[], "signer", "ed25519", "cert,sign", "never");
    let process = |data: &[u8], options: &[&str]| {
        let options = [&["--local-user", &key], options].concat();
        gpg.process(data, &options).unwrap()
    };
    fs::write(scratch.path("text"), "{}").unwrap();
    fs::write(scratch.path("empty"), "").unwrap();
    fs::write(scratch.path("other"), process(br#"{"optional":{}}"#, &["--sign"])).unwrap();
    fs::write(scratch.path("unsigned"), process(b"{}", &["--store"])).unwrap();
    fs::write(scratch.path("armoured"), process(b"{}", &["--armor", "--sign"])).unwrap();
    fs::write(scratch.path("detached"), process(b"{}", &["--detach-sign"])).unwrap();
    let decoding = "Error decoding untrusted signature";
    for (arguments, fragment) in [
        (&[][..], "untrusted-signature-dump-without-verification signature"),
        (
            &["text", "text"],
            "untrusted-signature-dump-without-verification signature",
        ),
        (
            &["nowhere"],
            "Error reading untrusted signature from nowhere: open nowhere: ",
        ),
        (&["text"], decoding),
        (&["empty"], decoding),
        (&["other"], "Key \"critical\" missing in a JSON object"),
        (&["unsigned"], "The input is not a signature"),
        (&["armoured"], decoding),
        (&["detached"], decoding),
    ] {
        for tool in [scratch.peer("skopeo"), scratch.longshore()] {
            tool.arg(DUMP).args(arguments).run().fails_with(&[fragment]);
        }
    }
}
