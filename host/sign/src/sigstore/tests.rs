#![allow(clippy::unwrap_used)]

use std::io::Read as _;

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use serde_json::{Value, json};

use super::*;
use crate::passphrase::Passphrase;
use crate::stored::SigstoreSignature;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_types::Digest;
use p256::pkcs8::der::pem::{self, LineEnding};

/// Made by skopeo 1.22.
const FILE: &str = include_str!("../../tests/data/sigstore.private");
const PUBLIC: &str = include_str!("../../tests/data/sigstore.pub");
const PASSPHRASE: &str = "vectors";

fn passphrase(text: &str) -> Passphrase {
    let mut text = text.as_bytes();
    Passphrase::of_reader(|buffer| text.read(buffer)).unwrap().unwrap()
}

fn unlock(file: &str, with: &str) -> Result<SigstoreKey, String> {
    SigstoreKey::unlock(file.as_bytes(), &passphrase(with)).map_err(|error| error.to_string())
}

/// The document in a key file.
fn document(file: &str) -> Value {
    let (_, document) = pem::decode_vec(file.as_bytes()).unwrap();
    serde_json::from_slice(&document).unwrap()
}

fn file(label: &str, document: &str) -> String {
    pem::encode_string(label, LineEnding::LF, document.as_bytes()).unwrap()
}

#[test]
fn a_key_of_skopeo_opens() {
    for file in [
        FILE.to_owned(),
        FILE.replace("COSIGN", "SIGSTORE"),
        FILE.replace('\n', "\r\n"),
    ] {
        let key = unlock(&file, PASSPHRASE).unwrap();
        assert_eq!(key.public().unwrap(), PUBLIC);
    }
    for other in ["", "vector", "Vectors", "vectors "] {
        let error = unlock(FILE, other).unwrap_err();
        assert_eq!(error, "the passphrase is wrong, or the file was altered");
    }
}

#[test]
fn a_new_key_is_locked_as_skopeo_does() {
    for with in ["secret", ""] {
        let key = SigstoreKey::generate().unwrap();
        let (one, two) = (
            key.lock(&passphrase(with)).unwrap(),
            key.lock(&passphrase(with)).unwrap(),
        );
        assert_ne!(one, two);
        assert_eq!(unlock(&one, with).unwrap().public().unwrap(), key.public().unwrap());
        assert!(unlock(&one, "other").is_err());
        // The same but for what is random.
        let mut ours = document(&one);
        let mut theirs = document(FILE);
        for document in [&mut ours, &mut theirs] {
            for (pointer, length) in [("/kdf/salt", 32), ("/cipher/nonce", 24), ("/ciphertext", 154)] {
                let random = document.pointer_mut(pointer).unwrap();
                let bytes = STANDARD.decode(random.as_str().unwrap()).unwrap();
                assert_eq!(bytes.len(), length, "{pointer}");
                *random = Value::Null;
            }
        }
        assert_eq!(ours.to_string(), theirs.to_string());
        assert_eq!(one.lines().next(), FILE.lines().next());
    }
    let keys = [(); 2].map(|()| SigstoreKey::generate().unwrap().public().unwrap());
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn files_that_are_none() {
    const LABEL: &str = "ENCRYPTED COSIGN PRIVATE KEY";
    let edited = |pointer: &str, value: Value| {
        let mut document = document(FILE);
        *document.pointer_mut(pointer).unwrap() = value;
        file(LABEL, &document.to_string())
    };
    let without = |member: &str| {
        let mut document = document(FILE);
        document.as_object_mut().unwrap().remove(member);
        file(LABEL, &document.to_string())
    };
    let none = "it is no encrypted private key as cosign writes it: ";
    for (file, expected) in [
        (String::new(), none),
        ("key".to_owned(), none),
        (FILE[..200].to_owned(), none),
        (PUBLIC.to_owned(), "but \"PUBLIC KEY\""),
        (file("PRIVATE KEY", "0123456789"), "but \"PRIVATE KEY\""),
        (file(LABEL, ""), none),
        (file(LABEL, "{}"), none),
        (file(LABEL, "[]"), none),
        (without("kdf"), "missing field `kdf`"),
        (without("ciphertext"), "missing field `ciphertext`"),
        (edited("/kdf/name", json!("argon2")), "key derivation \"argon2\""),
        (
            edited("/kdf/params/N", json!(1 << 30)),
            "with N 1073741824, r 8 and p 1",
        ),
        (edited("/kdf/params/N", json!(65535)), "with N 65535"),
        (edited("/kdf/params/N", json!(-1)), none),
        (edited("/kdf/params/r", json!(1 << 20)), "r 1048576"),
        (edited("/kdf/params/p", json!(0)), "p 0"),
        (edited("/kdf/salt", json!("?")), none),
        (
            edited("/kdf/salt", json!("")),
            "the passphrase is wrong, or the file was altered",
        ),
        (edited("/cipher/name", json!("aes")), "cipher \"aes\""),
        (edited("/cipher/nonce", json!("AAAA")), "the nonce has another length"),
        (
            edited("/ciphertext", json!("AAAA")),
            "the passphrase is wrong, or the file was altered",
        ),
        (
            edited("/ciphertext", json!("")),
            "the passphrase is wrong, or the file was altered",
        ),
    ] {
        let error = unlock(&file, PASSPHRASE).unwrap_err();
        assert!(error.contains(expected), "{error}\n{file}");
    }
}

#[test]
fn other_costs_are_read_and_other_keys_are_not() {
    let other = key_file::lock(b"no key at all", &passphrase("x")).unwrap();
    assert_eq!(
        unlock(&other, "x").unwrap_err(),
        "unsupported: a key other than ECDSA P-256"
    );
}

#[test]
fn a_signature_is_about_its_payload() {
    let key = unlock(FILE, PASSPHRASE).unwrap();
    let digest = Digest::sha256(b"manifest");
    let signed = key.sign("h.test/a:1", digest.clone()).unwrap();
    assert_eq!(signed.media_type, SigstoreSignature::PAYLOAD_TYPE);
    let payload: Value = serde_json::from_slice(&signed.payload).unwrap();
    assert_eq!(
        payload["critical"],
        json!({
            "identity": {"docker-reference": "h.test/a:1"},
            "image": {"docker-manifest-digest": digest.to_string()},
            "type": "cosign container image signature",
        })
    );
    assert_eq!(signed.annotations.len(), 1);
    let signature = STANDARD
        .decode(&signed.annotations[SigstoreSignature::SIGNATURE])
        .unwrap();
    let signature = DerSignature::from_bytes(&signature).unwrap();
    let public = VerifyingKey::from_public_key_pem(PUBLIC).unwrap();
    public.verify(&signed.payload, &signature).unwrap();
    public.verify(b"another", &signature).unwrap_err();
}

#[test]
fn a_key_is_not_shown() {
    let key = SigstoreKey::generate().unwrap();
    assert_eq!(format!("{key:?}"), "SigstoreKey(..)");
}
