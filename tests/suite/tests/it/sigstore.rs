//! Sigstore signatures that other programs make, judged by policy files.

use std::fs;
use std::path::Path;

use longshore_tests::{
    CERTIFIED_DAY, CodeAuthority, Finished, ImageSpec, Layer, Scratch, SigstoreKey, SigstoreSignature, sha256,
    sigstore_payload,
};

const NAME: &str = "example.com/app:1";
const EMAIL: &str = "me@example.com";
const ISSUER: &str = "https://login.example.com";

/// An image in `dir:from` and the digest of its manifest.
fn image(scratch: &Scratch) -> String {
    let made = ImageSpec::new([Layer::new(1, 100)]).make().unwrap();
    made.write_dir(&scratch.path("from")).unwrap();
    sha256(&fs::read(scratch.path("from/manifest.json")).unwrap())
}

fn set_signatures(scratch: &Scratch, signatures: &[&[u8]]) {
    for number in 1..=3 {
        let file = scratch.path(format!("from/signature-{number}"));
        match signatures.get(number - 1) {
            Some(signature) => fs::write(file, signature).unwrap(),
            None => drop(fs::remove_file(file)),
        }
    }
}

/// A policy with one requirement; `FOLDER` stands for the scratch folder.
fn set_policy(scratch: &Scratch, members: &str) {
    let folder = scratch.path(".").canonicalize().unwrap().display().to_string();
    let identity = r#"{"type":"exactReference","dockerReference":"example.com/app:1"}"#;
    let members = members.replace("FOLDER", &folder);
    let policy = format!(r#"{{"default":[{{"type":"sigstoreSigned",{members},"signedIdentity":{identity}}}]}}"#);
    scratch.write_policy(&policy).unwrap();
}

fn write(scratch: &Scratch, name: &str, content: impl AsRef<[u8]>) {
    fs::write(scratch.path(name), content).unwrap();
}

/// Copies `dir:from`; the destination is there afterwards if and only if that succeeded.
fn copy(scratch: &Scratch) -> Finished {
    drop(fs::remove_dir_all(scratch.path("to")));
    let (from, to) = (scratch.name("dir", "from"), scratch.name("dir", "to"));
    let finished = scratch.longshore().args(["copy", &from, &to]).run();
    assert_eq!(finished.status() == Some(0), scratch.path("to").exists());
    finished
}

/// Expects what stands in a table: nothing for success, or a part of the error.
fn expect(finished: Finished, story: &str, expected: &str) {
    let shown = finished.story();
    if expected.is_empty() {
        assert_eq!(finished.status(), Some(0), "{story}\n{shown}");
    } else {
        assert_eq!(finished.status(), Some(1), "{story}\n{shown}");
        assert!(shown.contains(expected), "{story}: no {expected:?} in\n{shown}");
    }
}

#[test]
fn what_skopeo_signed_is_accepted() {
    let scratch = Scratch::new().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let from = format!("dir:{}", data.join("sigstore-signed-dir").display());
    let key = data.join("sigstore.pub").display().to_string();
    let requirement = |key: &str, reference: &str| {
        let identity = format!(r#"{{"type":"exactReference","dockerReference":"{reference}"}}"#);
        let json = format!(r#"{{"type":"sigstoreSigned","keyPath":"{key}","signedIdentity":{identity}}}"#);
        scratch.write_policy(&format!(r#"{{"default":[{json}]}}"#)).unwrap();
    };
    let name = "127.0.0.1:5799/vectors/signed:1";
    requirement(&key, name);
    let to_dir = scratch.longshore().args(["copy", &from, &scratch.name("dir", "to")]);
    let _ = to_dir.run().success();
    let kept = fs::read(scratch.path("to/signature-1")).unwrap();
    assert_eq!(kept, fs::read(data.join("sigstore-signed-dir/signature-1")).unwrap());
    let to_layout = scratch.longshore().args(["copy", "--remove-signatures", &from]);
    let _ = to_layout.arg(scratch.name("oci", "layout:x")).run().success();

    write(&scratch, "other.pub", SigstoreKey::new().unwrap().pem());
    let other = scratch.path("other.pub").display().to_string();
    for (key, name, reason) in [
        (&other, name, "cryptographic signature verification failed"),
        (&key, "127.0.0.1:5799/vectors/signed:2", "is not accepted"),
    ] {
        requirement(key, name);
        let to = scratch.name("oci", "refused:x");
        let refused = scratch
            .longshore()
            .args(["copy", "--remove-signatures", &from, &to])
            .run();
        refused.fails_with(&["Source image rejected: ", reason]);
        assert!(!scratch.path("refused").exists());
    }
}

#[test]
fn policies_decide() {
    let scratch = Scratch::new().unwrap();
    let digest = image(&scratch);
    let payload = sigstore_payload(NAME, &digest);
    let [key, log, other] = [(); 3].map(|()| SigstoreKey::new().unwrap());
    let authority = CodeAuthority::new().unwrap();
    let stranger = CodeAuthority::new().unwrap();
    for (name, content) in [
        ("key", key.pem()),
        ("log", log.pem()),
        ("other", other.pem()),
        ("ca", authority.pem()),
        ("stranger", stranger.pem()),
    ] {
        write(&scratch, name, content);
    }
    let by_key = SigstoreSignature::by_key(&key, &payload).unwrap().stored();
    let logged = || SigstoreSignature::by_logged_key(&key, &log, &payload).unwrap();
    let fulcio_at = |time| SigstoreSignature::by_fulcio(&authority, &log, EMAIL, ISSUER, &payload, time).unwrap();
    let fulcio = || fulcio_at(CERTIFIED_DAY + 60);
    let pki = || SigstoreSignature::by_pki(&authority, EMAIL, &payload).unwrap();

    let fulcio_policy = |ca: &str, issuer: &str, email: &str, log: &str| {
        format!(
            r#""fulcio":{{"caPath":"FOLDER/{ca}","oidcIssuer":"{issuer}","subjectEmail":"{email}"}},"rekorPublicKeyPath":"FOLDER/{log}""#
        )
    };
    let pki_policy = |ca: &str, subject: &str| format!(r#""pki":{{"caRootsPath":"FOLDER/{ca}",{subject}}}"#);
    let email = r#""subjectEmail":"me@example.com""#;
    let unlogged = "missing dev.sigstore.cosign/bundle annotation";
    let own_key = || r#""keyPath":"FOLDER/key""#.to_owned();
    let own_log = || r#""keyPath":"FOLDER/key","rekorPublicKeyPath":"FOLDER/log""#.to_owned();
    let rows = [
        (own_key(), by_key.clone(), ""),
        (
            r#""keyPaths":["FOLDER/other","FOLDER/key"]"#.to_owned(),
            by_key.clone(),
            "",
        ),
        (
            r#""keyPath":"FOLDER/other""#.to_owned(),
            by_key.clone(),
            "cryptographic signature verification failed",
        ),
        (
            r#""keyPath":"FOLDER/missing""#.to_owned(),
            by_key.clone(),
            "missing: No such file",
        ),
        (
            r#""keyPath":"FOLDER/ca""#.to_owned(),
            by_key.clone(),
            "parsing public key 1",
        ),
        (own_log(), logged().stored(), ""),
        (own_log(), by_key, unlogged),
        (
            r#""keyPath":"FOLDER/key","rekorPublicKeyPath":"FOLDER/other""#.to_owned(),
            logged().stored(),
            "verification of Rekor SET failed",
        ),
        (fulcio_policy("ca", ISSUER, EMAIL, "log"), fulcio().stored(), ""),
        (
            fulcio_policy("stranger", ISSUER, EMAIL, "log"),
            fulcio().stored(),
            "verifying leaf certificate failed",
        ),
        (
            fulcio_policy("ca", "https://login.example.org", EMAIL, "log"),
            fulcio().stored(),
            "Unexpected Fulcio OIDC issuer",
        ),
        (
            fulcio_policy("ca", ISSUER, "you@example.com", "log"),
            fulcio().stored(),
            "Required email",
        ),
        (
            fulcio_policy("ca", ISSUER, EMAIL, "other"),
            fulcio().stored(),
            "verification of Rekor SET failed",
        ),
        (
            fulcio_policy("ca", ISSUER, EMAIL, "log"),
            fulcio_at(CERTIFIED_DAY - 1).stored(),
            "it is not valid at",
        ),
        (
            fulcio_policy("ca", ISSUER, EMAIL, "log"),
            fulcio_at(CERTIFIED_DAY + 86_401).stored(),
            "it is not valid at",
        ),
        (
            fulcio_policy("ca", ISSUER, EMAIL, "log"),
            fulcio().without("bundle").stored(),
            unlogged,
        ),
        (
            fulcio_policy("ca", ISSUER, EMAIL, "log"),
            fulcio().without("chain").stored(),
            "unknown authority",
        ),
        (pki_policy("ca", email), pki().stored(), ""),
        (
            pki_policy("ca", email),
            pki().without("certificate").stored(),
            "missing dev.sigstore",
        ),
        (
            pki_policy("stranger", email),
            pki().stored(),
            "verifying leaf certificate failed",
        ),
        (
            pki_policy("ca", r#""subjectHostname":"example.com""#),
            pki().stored(),
            "Unexpected subject hostname",
        ),
        // Its certificate was valid for a day, long ago, and no log is asked.
        (pki_policy("ca", email), fulcio().stored(), "it is not valid at"),
    ];
    for (members, signature, expected) in rows {
        set_policy(&scratch, &members);
        set_signatures(&scratch, &[&signature]);
        expect(copy(&scratch), &members, expected);
    }
}

#[test]
fn a_policy_with_a_mistake_is_an_error_that_names_it() {
    let scratch = Scratch::new().unwrap();
    image(&scratch);
    for (members, reason) in [
        (r#""keyPath":"/k","keyData":"AQID""#, "exactly one of keyPath"),
        (r#""keyPath":"/k","keyType":"GPGKeys""#, "Unknown key \"keyType\""),
        (
            r#""fulcio":{"caPath":"/c","oidcIssuer":"i","subjectEmail":"e"}"#,
            "if fulcio is used",
        ),
    ] {
        set_policy(&scratch, members);
        copy(&scratch).fails_with(&["invalid policy in", reason, "line 1"]);
    }
}

/// Kinds of keys and how OpenSSL is to make and use them.
#[test]
fn openssl_signs_with_keys_of_every_kind() {
    let scratch = Scratch::new().unwrap();
    let digest = image(&scratch);
    let payload = sigstore_payload(NAME, &digest);
    write(&scratch, "payload", &payload);
    set_policy(&scratch, r#""keyPath":"FOLDER/key""#);
    let openssl = |arguments: &[&str]| {
        let _ = scratch.peer("openssl").args(arguments).run().success();
    };
    let curve = |name: &'static str| vec!["-algorithm", "EC", "-pkeyopt", name];
    let rsa = |bits: &'static str| vec!["-algorithm", "RSA", "-pkeyopt", bits];
    for (kind, expected) in [
        (curve("ec_paramgen_curve:P-256"), ""),
        (curve("ec_paramgen_curve:P-384"), ""),
        (curve("ec_paramgen_curve:P-521"), ""),
        (rsa("rsa_keygen_bits:2048"), ""),
        (rsa("rsa_keygen_bits:4096"), ""),
        (vec!["-algorithm", "ED25519"], ""),
        (rsa("rsa_keygen_bits:1024"), "RSA key of less than 2048 bits"),
        (curve("ec_paramgen_curve:secp256k1"), "public key on an unknown curve"),
    ] {
        openssl(&[&["genpkey", "-out", "private"], &kind[..]].concat());
        openssl(&["pkey", "-in", "private", "-pubout", "-out", "key"]);
        if kind.contains(&"ED25519") {
            openssl(&[
                "pkeyutl",
                "-sign",
                "-rawin",
                "-inkey",
                "private",
                "-in",
                "payload",
                "-out",
                "signature",
            ]);
        } else {
            openssl(&["dgst", "-sha256", "-sign", "private", "-out", "signature", "payload"]);
        }
        let signature = fs::read(scratch.path("signature")).unwrap();
        set_signatures(&scratch, &[&SigstoreSignature::of(&payload, &signature).stored()]);
        expect(copy(&scratch), &kind.join(" "), expected);

        let mut altered = signature;
        *altered.last_mut().unwrap() ^= 1;
        set_signatures(&scratch, &[&SigstoreSignature::of(&payload, &altered).stored()]);
        let expected = if expected.is_empty() {
            "cryptographic signature verification failed"
        } else {
            expected
        };
        expect(copy(&scratch), &kind.join(" "), expected);
    }
}

#[test]
fn hostile_signatures_are_refused() {
    let scratch = Scratch::new().unwrap();
    let digest = image(&scratch);
    let key = SigstoreKey::new().unwrap();
    write(&scratch, "key", key.pem());
    set_policy(&scratch, r#""keyPath":"FOLDER/key""#);
    let good_payload = sigstore_payload(NAME, &digest);
    let signed = |payload: &str| SigstoreSignature::by_key(&key, payload).unwrap().stored();
    let edited = |from: &str, to: &str| {
        assert!(good_payload.contains(from), "{from}");
        signed(&good_payload.replacen(from, to, 1))
    };
    let good = signed(&good_payload);
    let end = good.len() - 1;
    let deep = [b"\0sigstore-json\n", "[".repeat(100_000).as_bytes()].concat();
    let rows: [(&str, &[&[u8]], &str); 14] = [
        ("good", &[&good], ""),
        ("none", &[], "no signature exists"),
        ("simple signing only", &[b"\x90\x0d"], "(1 non-sigstore signatures"),
        ("cut", &[&good[..end]], "parsing signature: invalid JSON"),
        ("deep", &[&deep], "parsing signature: invalid JSON"),
        (
            "unknown format",
            &[b"\0other\n{}", &good],
            "unrecognized signature format",
        ),
        (
            "another digest",
            &[&signed(&sigstore_payload(NAME, &sha256(b"")))],
            "does not match",
        ),
        (
            "another name",
            &[&signed(&sigstore_payload("example.com/app:2", &digest))],
            "is not accepted",
        ),
        (
            "twice the same key",
            &[&edited("\"type\"", "\"type\":\"x\",\"type\"")],
            "duplicate key",
        ),
        (
            "one more key",
            &[&edited("\"type\"", "\"more\":1,\"type\"")],
            "Unknown key",
        ),
        (
            "another type",
            &[&edited("cosign container", "atomic container")],
            "Unrecognized signature type",
        ),
        (
            "a number for a name",
            &[&edited("\"example.com/app:1\"", "1")],
            "docker-reference",
        ),
        ("trailing data", &[&signed(&format!("{good_payload} x"))], "trailing"),
        ("good after bad", &[&edited("cosign", "x"), &good], ""),
    ];
    for (story, signatures, expected) in rows {
        set_signatures(&scratch, signatures);
        expect(copy(&scratch), story, expected);
    }
}
