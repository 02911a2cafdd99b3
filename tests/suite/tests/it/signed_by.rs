//! Signatures that GnuPG and Debian's skopeo make, judged by both programs.

use std::fs;

use longshore_tests::{Finished, Gpg, ImageSpec, Layer, Scratch, sha256};

const IDENTITY: &str = r#"{"type":"exactReference","dockerReference":"example.com/app:1"}"#;
const NAME: &str = "example.com/app:1";

/// An image in `dir:from` and the digest of its manifest.
fn image(scratch: &Scratch) -> String {
    let made = ImageSpec::new([Layer::new(1, 100)]).make().unwrap();
    made.write_dir(&scratch.path("from")).unwrap();
    sha256(&fs::read(scratch.path("from/manifest.json")).unwrap())
}

fn set_signatures(scratch: &Scratch, signatures: &[&[u8]]) {
    for number in 1..=4 {
        let file = scratch.path(format!("from/signature-{number}"));
        match signatures.get(number - 1) {
            Some(signature) => fs::write(file, signature).unwrap(),
            None => drop(fs::remove_file(file)),
        }
    }
}

fn policy(scratch: &Scratch, requirement: &str) {
    let policy = format!(r#"{{"default":[{requirement}]}}"#);
    scratch.write_policy(&policy).unwrap();
}

/// A `signedBy` requirement whose keys are in the scratch folder's `key`.
fn signed_by(scratch: &Scratch, identity: &str) -> String {
    let path = scratch.path("key").display().to_string();
    format!(r#"{{"type":"signedBy","keyType":"GPGKeys","keyPath":"{path}","signedIdentity":{identity}}}"#)
}

fn longshore(scratch: &Scratch) -> Finished {
    drop(fs::remove_dir_all(scratch.path("ours")));
    let (from, to) = (scratch.name("dir", "from"), scratch.name("dir", "ours"));
    let finished = scratch.longshore().args(["copy", &from, &to]).run();
    assert_eq!(finished.status() == Some(0), scratch.path("ours").exists());
    finished
}

fn skopeo(scratch: &Scratch) -> Finished {
    drop(fs::remove_dir_all(scratch.path("theirs")));
    let (from, to) = (scratch.name("dir", "from"), scratch.name("dir", "theirs"));
    scratch.peer("skopeo").args(["copy", &from, &to]).run()
}

/// Signs the image as skopeo does.
fn standalone_sign(scratch: &Scratch, gpg: &Gpg<'_>, key: &str) -> Vec<u8> {
    let manifest = scratch.path("from/manifest.json").display().to_string();
    let output = scratch.path("signed").display().to_string();
    let sign = ["standalone-sign", &manifest, NAME, key, "--output", &output];
    let _ = gpg.peer("skopeo").args(sign).run().success();
    fs::read(output).unwrap()
}

fn payload(digest: &str, name: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{name}"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"atomic container signature"}},"optional":{{"creator":"x","timestamp":1700000000}}}}"#
    )
}

#[test]
fn keys_of_every_kind_sign() {
    let scratch = Scratch::new().unwrap();
    image(&scratch);
    let gpg = Gpg::new(&scratch).unwrap();
    policy(&scratch, &signed_by(&scratch, IDENTITY));
    let other = gpg.make_key(&[], "other", "ed25519", "cert,sign", "never");
    for algorithm in ["rsa2048", "rsa4096", "ed25519", "nistp256", "nistp384", "nistp521"] {
        let key = gpg.make_key(&[], algorithm, algorithm, "cert,sign", "never");
        let signature = standalone_sign(&scratch, &gpg, &key);
        set_signatures(&scratch, &[&signature]);

        let armoured = gpg.run(&["--export", "--armor", &key]).stdout_bytes().to_vec();
        for file in [gpg.export(&[&key]), armoured, gpg.export(&[&other, &key])] {
            fs::write(scratch.path("key"), file).unwrap();
            longshore(&scratch).success();
            skopeo(&scratch).success();
        }
        fs::write(scratch.path("key"), gpg.export(&[&other])).unwrap();
        longshore(&scratch).fails_with(&["Source image rejected: Invalid GPG signature", &key]);
        skopeo(&scratch).with_status(1);
    }
}

#[test]
fn subkeys_sign_for_their_primary_key() {
    let scratch = Scratch::new().unwrap();
    image(&scratch);
    let gpg = Gpg::new(&scratch).unwrap();
    let key = gpg.make_key(&[], "owner", "ed25519", "cert", "never");
    for algorithm in ["rsa2048", "ed25519"] {
        let _ = gpg.run(&["--quick-add-key", &key, algorithm, "sign", "never"]);
    }
    fs::write(scratch.path("key"), gpg.export(&[&key])).unwrap();
    policy(&scratch, &signed_by(&scratch, IDENTITY));
    let signature = standalone_sign(&scratch, &gpg, &key);
    set_signatures(&scratch, &[&signature]);
    longshore(&scratch).success();
    // It compares the subkey with the keys that it imported; later ones accept it, as we do.
    skopeo(&scratch).with_status(1).says(&["is not accepted"]);
}

#[test]
fn what_has_ended_does_not_count() {
    const PAST: [&str; 2] = ["--faked-system-time", "20200101T000000"];
    let scratch = Scratch::new().unwrap();
    let digest = image(&scratch);
    let gpg = Gpg::new(&scratch).unwrap();
    policy(&scratch, &signed_by(&scratch, IDENTITY));
    let payload = payload(&digest, NAME);
    let sign = |key: &str, options: &[&str]| {
        let signed = gpg.process(
            payload.as_bytes(),
            &[options, &["--local-user", key, "--sign"]].concat(),
        );
        set_signatures(&scratch, &[&signed.unwrap()]);
    };
    let expired = gpg.make_key(&PAST, "expired", "ed25519", "cert,sign", "1y");
    let lasting = gpg.make_key(&PAST, "lasting", "ed25519", "cert,sign", "never");
    let revoked = gpg.make_key(&[], "revoked", "ed25519", "cert,sign", "never");

    let check = |key: &str, accepted: Option<&str>| {
        fs::write(scratch.path("key"), gpg.export(&[key])).unwrap();
        let (ours, theirs) = (longshore(&scratch), skopeo(&scratch));
        match accepted {
            None => drop((ours.success(), theirs.success())),
            Some(reason) => drop((ours.fails_with(&[reason]), theirs.with_status(1))),
        }
    };
    sign(&expired, &PAST);
    check(&expired, Some("has expired"));
    sign(&lasting, &PAST);
    check(&lasting, None);
    sign(&lasting, &[&PAST[..], &["--default-sig-expire", "30d"]].concat());
    check(&lasting, Some("it has expired"));
    sign(&revoked, &[]);
    check(&revoked, None);
    gpg.revoke(&revoked).unwrap();
    check(&revoked, Some("is revoked"));
    // Extended after it had expired, by a newer self-signature.
    sign(&expired, &PAST);
    let _ = gpg.run(&["--quick-set-expire", &expired, "0"]);
    check(&expired, None);
}

#[test]
fn both_programs_judge_alike() {
    let scratch = Scratch::new().unwrap();
    let digest = image(&scratch);
    let gpg = Gpg::new(&scratch).unwrap();
    let key = gpg.make_key(&[], "signer", "ed25519", "cert,sign", "never");
    let other = gpg.make_key(&[], "other", "ed25519", "cert,sign", "never");
    let exported = gpg.export(&[&key]);
    fs::write(scratch.path("key"), &exported).unwrap();
    fs::write(scratch.path("other"), gpg.export(&[&other])).unwrap();
    let process = |payload: &str, options: &[&str]| {
        let options = [&["--local-user", &key], options].concat();
        gpg.process(payload.as_bytes(), &options).unwrap()
    };
    let sign = |payload: &str| process(payload, &["--sign"]);
    let good_payload = payload(&digest, NAME);
    let good = sign(&good_payload);
    let judged = |story: &str, requirement: &str, signatures: &[&[u8]], accepted: bool| {
        policy(&scratch, requirement);
        set_signatures(&scratch, signatures);
        for finished in [longshore(&scratch), skopeo(&scratch)] {
            let shown = finished.story();
            assert_eq!(
                finished.status(),
                Some(i32::from(!accepted)),
                "{story}\n{requirement}\n{shown}"
            );
        }
    };
    let usual = signed_by(&scratch, IDENTITY);

    let edit = |from: &str, to: &str| {
        assert!(good_payload.contains(from), "{from}");
        good_payload.replacen(from, to, 1)
    };
    let payloads = [
        (good_payload.clone(), true),
        (payload(&sha256(b""), NAME), false),
        (payload("sha256:00", NAME), false),
        (payload(&digest, "example.com/app:2"), false),
        (payload(&digest, "example.com/app"), false),
        (payload(&digest, "example.com/App:1"), false),
        (payload(&digest, ""), false),
        (edit(r#","optional":{"creator":"x","timestamp":1700000000}"#, ""), false),
        (edit(r#"{"creator":"x","timestamp":1700000000}"#, "null"), false),
        (
            edit(r#"{"creator":"x","timestamp":1700000000}"#, r#"{"other":[1]}"#),
            true,
        ),
        (edit(r#""creator":"x""#, r#""creator":1"#), false),
        (edit("1700000000", "1.7e9"), true),
        (edit("1700000000", "1.5"), false),
        (edit("1700000000", r#""1""#), false),
        (edit(r#""optional""#, r#""more":1,"optional""#), false),
        (edit(r#""identity""#, r#""more":1,"identity""#), false),
        (edit(r#""docker-reference""#, r#""more":1,"docker-reference""#), false),
        (edit(r#""type":"atomic"#, r#""type":"x","type":"atomic"#), false),
        (edit("atomic container", "cosign container"), false),
        (edit(r#""critical""#, r#""Critical""#), false),
        (format!("{good_payload} x"), false),
        (String::new(), false),
    ];
    for (payload, accepted) in &payloads {
        judged(payload, &usual, &[&sign(payload)], *accepted);
    }

    let identities = [
        (
            r#"{"type":"exactReference","dockerReference":"example.com/app:2"}"#,
            false,
        ),
        (
            r#"{"type":"exactRepository","dockerRepository":"example.com/app"}"#,
            true,
        ),
        (
            r#"{"type":"exactRepository","dockerRepository":"example.com/ap"}"#,
            false,
        ),
        (r#"{"type":"matchExact"}"#, false),
        (r#"{"type":"matchRepoDigestOrExact"}"#, false),
        (r#"{"type":"matchRepository"}"#, false),
        (
            r#"{"type":"remapIdentity","prefix":"example.com","signedPrefix":"example.com"}"#,
            false,
        ),
        (
            r#"{"type":"exactReference","dockerReference":"example.com/app"}"#,
            false,
        ),
        (
            r#"{"type":"exactReference","dockerReference":"example.com/app:1","x":1}"#,
            false,
        ),
        (r#"{"type":"unknown"}"#, false),
        ("null", false),
    ];
    for (identity, accepted) in identities {
        judged("identity", &signed_by(&scratch, identity), &[&good], accepted);
    }
    let familiar = sign(&payload(&digest, "busybox:1"));
    let full = r#"{"type":"exactReference","dockerReference":"docker.io/library/busybox:1"}"#;
    judged("familiar name", &signed_by(&scratch, full), &[&familiar], true);

    let mut altered = process(&good_payload, &["-z0", "--sign"]);
    *altered.last_mut().unwrap() ^= 1;
    let armoured = process(&good_payload, &["--armor", "--sign"]);
    let detached = process(&good_payload, &["--detach-sign"]);
    let clear = process(&good_payload, &["--clear-sign"]);
    let double = process(&good_payload, &["--local-user", &other, "--sign"]);
    let garbage: &[u8] = b"\x90not a signature";
    let sigstore: &[u8] = b"\0sigstore-json\n{\"mimeType\":\"a/b\",\"payload\":\"\",\"annotations\":{}}";
    let stored: [(&str, &[&[u8]], bool); 10] = [
        ("none", &[], false),
        ("altered", &[&altered], false),
        ("armoured", &[&armoured], false),
        ("detached", &[&detached], false),
        ("clear", &[&clear], false),
        ("two signatures in one", &[&double], false),
        ("garbage", &[garbage], false),
        ("good after garbage", &[garbage, &altered, &good], true),
        ("only sigstore", &[sigstore], false),
        ("good beside sigstore", &[sigstore, &good], true),
    ];
    for (story, signatures, accepted) in stored {
        judged(story, &usual, signatures, accepted);
    }

    let path = |name: &str| scratch.path(name).display().to_string();
    let data = base64(&exported);
    let keys = [
        (format!(r#""keyType":"GPGKeys","keyData":"{data}""#), true),
        (
            format!(
                r#""keyType":"GPGKeys","keyPaths":["{}","{}"]"#,
                path("other"),
                path("key")
            ),
            true,
        ),
        (
            format!(r#""keyType":"GPGKeys","keyPaths":["{}"]"#, path("other")),
            false,
        ),
        (format!(r#""keyType":"GPGKeys","keyPath":"{}""#, path("missing")), false),
        (
            format!(r#""keyType":"GPGKeys","keyPath":"{}","keyData":"{data}""#, path("key")),
            false,
        ),
        (
            format!(r#""keyType":"X509Certificates","keyPath":"{}""#, path("key")),
            false,
        ),
        (format!(r#""keyType":"gpgKeys","keyPath":"{}""#, path("key")), false),
        (r#""keyType":"GPGKeys","keyData":"""#.to_owned(), false),
        (r#""keyType":"GPGKeys","keyPaths":[]"#.to_owned(), false),
        (r#""keyType":"GPGKeys""#.to_owned(), false),
    ];
    for (members, accepted) in keys {
        let requirement = format!(r#"{{"type":"signedBy",{members},"signedIdentity":{IDENTITY}}}"#);
        judged("keys", &requirement, &[&good], accepted);
    }
    let base_layer = r#"{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}"#;
    judged("base layer", base_layer, &[&good], false);
    judged("two requirements", &format!("{usual},{usual}"), &[&good], true);
    judged(
        "one of two",
        &format!(r#"{usual},{{"type":"reject"}}"#),
        &[&good],
        false,
    );
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
