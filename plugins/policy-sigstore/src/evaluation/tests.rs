#![allow(clippy::expect_used, reason = "a test may fail at any line")]

mod alterations;
mod fulcio;
mod logs;
mod paths;

use longshore_guest::{Outcome, Verdict};

use super::{Facts, evaluate};
use crate::fixtures::{DIGEST, Key, NAME, SIGNED, Template, base64, payload, pem, stored};
use crate::requirement::{Requirement, parse};

const EXACT: &str = r#""signedIdentity":{"type":"exactReference","dockerReference":"example.com/app:1"}"#;
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";

/// A requirement, and the files with the documents of its members.
struct Policy {
    requirement: Requirement,
    files: Vec<(String, Vec<u8>)>,
}

impl Policy {
    fn new(members: &str, files: &[(&str, &str)]) -> Self {
        let json = format!(r#"{{"type":"sigstoreSigned",{members},{EXACT}}}"#);
        Self {
            requirement: parse(&json).expect(&json),
            files: files
                .iter()
                .map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec()))
                .collect(),
        }
    }

    fn evaluate(&self, signatures: &[&[u8]], now: u64) -> Result<Verdict, String> {
        evaluate(&self.requirement, &self.files, &facts(signatures, now))
    }

    /// `signed by key F`, or the reason against the one signature.
    fn reason(&self, signature: &[u8]) -> String {
        let verdict = self.evaluate(&[signature], SIGNED).expect("the keys are usable");
        let [finding] = &verdict.findings[..] else {
            panic!("{} findings", verdict.findings.len())
        };
        assert_eq!(finding.accepted, verdict.outcome == Outcome::AcceptedSigned);
        assert_eq!(finding.accepted, finding.reason.starts_with("signed by key"));
        finding.reason.clone()
    }
}

fn facts(signatures: &[&[u8]], now: u64) -> Facts {
    Facts {
        docker_reference: None,
        manifest_digest: DIGEST.to_owned(),
        signatures: signatures.iter().map(|signature| signature.to_vec()).collect(),
        now,
    }
}

/// A signature by a key over a payload, with more annotations.
fn signed(key: &Key, payload: &[u8], more: &[(&str, &str)]) -> Vec<u8> {
    let signature = base64(&key.sign(payload));
    stored(payload, &[&[(SIGNATURE, signature.as_str())], more].concat())
}

#[test]
fn another_program_signs() {
    let files = [("/k", include_str!("../../vectors/key.pub"))];
    let policy = Policy::new(r#""keyPath":"/k""#, &files);
    let mut image = facts(&[include_bytes!("../../vectors/signature")], SIGNED);
    image.manifest_digest = "sha256:a10b2395bcdaffbbcf19e1513d1c7c2015ea107f8706ff73d1d5d23bd721d98b".to_owned();
    let judged = |identity: &str, image: &Facts| {
        let json = format!(r#"{{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{identity}}}"#);
        let verdict = evaluate(&parse(&json).expect(identity), &policy.files, image).expect("the key is usable");
        verdict.findings[0].reason.clone()
    };
    let other_name = "Signature for identity \"127.0.0.1:5799/vectors/signed:1\" is not accepted";
    for (identity, expected) in [
        (
            r#"{"type":"exactReference","dockerReference":"127.0.0.1:5799/vectors/signed:1"}"#,
            "signed by key sha256:",
        ),
        (
            r#"{"type":"exactRepository","dockerRepository":"127.0.0.1:5799/vectors/signed"}"#,
            "signed by key sha256:",
        ),
        (
            r#"{"type":"exactReference","dockerReference":"127.0.0.1:5799/vectors/signed:2"}"#,
            other_name,
        ),
        (r#"{"type":"matchRepository"}"#, other_name),
    ] {
        let reason = judged(identity, &image);
        assert!(reason.starts_with(expected), "{identity}: {reason}");
    }
    image.docker_reference = Some("127.0.0.1:5799/vectors/signed:latest".to_owned());
    let reason = judged(r#"{"type":"matchRepository"}"#, &image);
    assert!(reason.starts_with("signed by key"), "{reason}");
    image.manifest_digest = DIGEST.to_owned();
    let reason = judged(r#"{"type":"matchRepository"}"#, &image);
    assert!(reason.ends_with("does not match"), "{reason}");
}

#[test]
fn keys_and_payloads() {
    let (one, two, other) = (Key::numbered(1), Key::numbered(2), Key::numbered(3));
    let (one_pem, two_pem) = (one.pem(), two.pem());
    let files = [("/one", one_pem.as_str()), ("/two", two_pem.as_str())];
    let policy = Policy::new(r#""keyPaths":["/one","/two"]"#, &files);
    let good = payload(NAME, DIGEST);
    let edited = |from: &str, to: &str| {
        let text = String::from_utf8(good.clone()).expect("it is text");
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    };
    let simple = edited("cosign container image", "atomic container");
    let twice = edited(r#""type""#, r#""type":"x","type""#);
    let no_signature = stored(&good, &[]);
    let not_base64 = stored(&good, &[(SIGNATURE, "!")]);
    let of_other_payload = stored(&good, &[(SIGNATURE, &base64(&one.sign(b"other")))]);
    let failed = "cryptographic signature verification failed";
    let rows = [
        (signed(&one, &good, &[]), "signed by key"),
        (signed(&two, &good, &[]), "signed by key"),
        (signed(&other, &good, &[]), failed),
        (of_other_payload, failed),
        (no_signature, "missing dev.cosignproject.cosign/signature annotation"),
        (not_base64, "base64 decoding"),
        (signed(&one, b"", &[]), "invalid JSON"),
        (signed(&one, &simple, &[]), "Unrecognized signature type"),
        (signed(&one, &twice, &[]), "invalid JSON"),
        (
            signed(&one, &edited("\"identity\"", "\"more\":1,\"identity\""), &[]),
            "Unknown key \"more\"",
        ),
        (
            signed(&one, &payload("example.com/app:2", DIGEST), &[]),
            "Signature for identity \"example.com/app:2\" is not accepted",
        ),
        (
            signed(&one, &payload(NAME, &DIGEST.replace("e3b0", "0000")), &[]),
            "Signature for digest sha256:0000",
        ),
    ];
    for (signature, expected) in rows {
        let reason = policy.reason(&signature);
        assert!(reason.starts_with(expected), "{reason}, not {expected}");
    }
    let inline = format!(r#""keyDatas":["{}"]"#, base64(two_pem.as_bytes()));
    let inline = Policy::new(&inline, &[]);
    assert!(inline.reason(&signed(&two, &good, &[])).starts_with("signed by key"));
    assert_eq!(inline.reason(&signed(&one, &good, &[])), failed);
}

#[test]
fn without_usable_keys_the_requirement_cannot_be_applied() {
    let good = signed(&Key::numbered(1), &payload(NAME, DIGEST), &[]);
    let key = Key::numbered(1).pem();
    let small = include_str!("../../vectors/rsa-1024.pub");
    let ed25519 = include_str!("../../vectors/ed25519.pub");
    let root = Key::numbered(10);
    let root = pem(
        "CERTIFICATE",
        &Template::authority("CN=root", "CN=root").issue(&root, &root),
    );
    let fulcio = r#""fulcio":{"caPath":"/a","oidcIssuer":"i","subjectEmail":"e"},"rekorPublicKeyPath":"/b""#;
    let rows = [
        (r#""keyPath":"/a""#, "", "", "parsing public key 1: PEM decoding failed"),
        (
            r#""keyPath":"/a""#,
            "no key",
            "",
            "parsing public key 1: PEM decoding failed",
        ),
        (
            r#""keyPath":"/a""#,
            &root,
            "",
            "parsing public key 1: unknown Public key PEM file type: CERTIFICATE",
        ),
        (r#""keyPath":"/a""#, small, "", "parsing public key 1: "),
        (r#""keyPaths":["/a","/b"]"#, &key, "x", "parsing public key 2: "),
        (
            r#""keyPath":"/a","rekorPublicKeyPath":"/b""#,
            &key,
            "x",
            "parsing Rekor public key 1: ",
        ),
        (
            r#""keyPath":"/a","rekorPublicKeyPath":"/b""#,
            &key,
            ed25519,
            "Rekor public key 1 is not using ECDSA",
        ),
        (fulcio, &key, &key, "error loading Fulcio CA certificates"),
        (fulcio, &root, "x", "parsing Rekor public key 1: "),
        (
            r#""pki":{"caRootsPath":"/a","subjectEmail":"e"}"#,
            "",
            "",
            "error loading PKI CA root certificates",
        ),
        (
            r#""pki":{"caRootsPath":"/a","caIntermediatesPath":"/b","subjectEmail":"e"}"#,
            &root,
            &key,
            "error loading PKI CA intermediate certificates",
        ),
    ];
    for (members, a, b, expected) in rows {
        let policy = Policy::new(members, &[("/a", a), ("/b", b)]);
        let error = policy.evaluate(&[&good], SIGNED).map(|verdict| verdict.outcome);
        let error = error.expect_err(members);
        assert!(error.starts_with(expected), "{members}: {error}");
        // Nothing has to be read for an image without signatures.
        let none = policy.evaluate(&[], SIGNED).map(|verdict| verdict.outcome);
        assert_eq!(none, Ok(Outcome::Rejected));
    }
}

#[test]
fn several_signatures() {
    let key = Key::numbered(1);
    let key_pem = key.pem();
    let policy = Policy::new(r#""keyPath":"/k""#, &[("/k", &key_pem)]);
    let good = signed(&key, &payload(NAME, DIGEST), &[]);
    let bad = signed(&Key::numbered(2), &payload(NAME, DIGEST), &[]);
    let attestation: &[u8] = b"\0sigstore-json\n{\"mimeType\":\"a/b\",\"payload\":\"\",\"annotations\":{}}";
    let simple: &[u8] = b"\0simple-signing\n\x90";
    let judged = |signatures: &[&[u8]]| {
        let verdict = policy.evaluate(signatures, SIGNED).expect("the key is usable");
        let findings = verdict.findings.into_iter();
        let findings = findings.map(|finding| (finding.signature, finding.accepted, finding.reason));
        (verdict.outcome, findings.collect::<Vec<_>>())
    };
    let (outcome, findings) = judged(&[simple, attestation, &bad, &good]);
    assert_eq!(outcome, Outcome::AcceptedSigned);
    let places: Vec<_> = findings
        .iter()
        .map(|(index, accepted, _)| (*index, *accepted))
        .collect();
    assert_eq!(places, [(Some(2), false), (Some(3), true)]);

    let none = "A signature was required, but no signature exists";
    let counted = format!("{none} (2 non-sigstore signatures, 1 sigstore non-signature attachments)");
    let unknown = "parsing signature: unrecognized signature format \"new\"";
    type Row<'a> = (&'a [&'a [u8]], Option<u32>, &'a str);
    let rows: [Row<'_>; 6] = [
        (&[], None, none),
        (&[simple, attestation, simple], None, &counted),
        (&[&good, b"\0new\n{}"], Some(1), unknown),
        (
            &[&good, b"\0sigstore-json\n"],
            Some(1),
            "parsing signature: invalid JSON",
        ),
        (
            &[b"\0sigstore-json\n{\"payload\":\"!\"}"],
            Some(0),
            "parsing signature: payload is not valid base64",
        ),
        (
            &[b"\0sigstore-json\n{\"annotations\":{\"a\":1}}"],
            Some(0),
            "parsing signature: invalid JSON",
        ),
    ];
    for (signatures, index, expected) in rows {
        let (outcome, findings) = judged(signatures);
        assert_eq!(outcome, Outcome::Rejected);
        let [(place, false, reason)] = &findings[..] else {
            panic!("{findings:?}")
        };
        assert_eq!(*place, index);
        assert!(reason.starts_with(expected), "{reason}");
    }
}
