use super::{LOG_ENTRY, Policy, SIGNATURE};
use crate::fixtures::{DIGEST, Key, NAME, SIGNED, base64, log_body, payload, promise, stored};

#[test]
fn logs() {
    let (key, log, other) = (Key::numbered(1), Key::numbered(2), Key::numbered(3));
    let (key_pem, log_pem, other_pem) = (key.pem(), log.pem(), other.pem());
    let files = [
        ("/k", key_pem.as_str()),
        ("/l", log_pem.as_str()),
        ("/o", other_pem.as_str()),
    ];
    let policy = Policy::new(r#""keyPath":"/k","rekorPublicKeyPath":"/l""#, &files);
    let good = payload(NAME, DIGEST);
    let signature = key.sign(&good);
    let body = log_body(&key_pem, &signature, &good);
    let text = base64(&signature);
    let stored_with = |promise: &str| stored(&good, &[(SIGNATURE, text.as_str()), (LOG_ENTRY, promise)]);
    let kept = |body: &str| stored_with(&promise(&log, body, SIGNED));
    let promised = promise(&log, &body, SIGNED);
    let not_logged = "No public key verified against the RekorSET: ";
    let edited = |from: &str, to: &str| {
        assert!(promised.contains(from), "{from}");
        stored_with(&promised.replacen(from, to, 1))
    };
    let unverified = "cryptographic signature verification of Rekor SET failed";
    let of_body = |from: &str, to: &str| {
        assert!(body.contains(from), "{from}");
        kept(&body.replacen(from, to, 1))
    };
    let rows = [
        (kept(&body), ""),
        (stored_with(&promised.replace(',', " , ")), ""),
        (
            stored(&good, &[(SIGNATURE, text.as_str())]),
            "missing dev.sigstore.cosign/bundle",
        ),
        (stored_with(""), "invalid JSON"),
        (stored_with("[]"), "invalid JSON"),
        (stored_with(&promise(&other, &body, SIGNED)), unverified),
        (edited("\"integratedTime\":1", "\"integratedTime\":2"), unverified),
        (edited("\"logIndex\":5", "\"logIndex\":6"), unverified),
        (edited("\"logIndex\":5", "\"logIndex\":-5"), "logIndex"),
        (edited("\"logIndex\":5", "\"logIndex\":5.5"), "logIndex"),
        (
            edited("\"logIndex\":5", "\"logIndex\":9007199254740993"),
            "logIndex is too large",
        ),
        (
            edited("\"logIndex\":5", "\"logIndex\":5,\"more\":1"),
            "Unknown key \"more\"",
        ),
        (
            edited("\"logIndex\":5", "\"logIndex\":5,\"logIndex\":5"),
            "duplicate key",
        ),
        (edited("\"Payload\"", "\"More\":1,\"Payload\""), "Unknown key \"More\""),
        (edited("\"logID\":\"", "\"logID\":\"\\u0022"), "logID has characters"),
        (
            edited("SignedEntryTimestamp\":\"M", "SignedEntryTimestamp\":\"!"),
            "SignedEntryTimestamp",
        ),
        (
            kept(&log_body(&other_pem, &signature, &good)),
            "publicKey in Rekor SET does not match",
        ),
        (
            kept(&log_body("no key", &signature, &good)),
            "publicKey in Rekor SET is not in PEM format",
        ),
        (
            kept(&log_body(&format!("{key_pem}{key_pem}"), &signature, &good)),
            "publicKey in Rekor SET has trailing data",
        ),
        (
            kept(&log_body(&key_pem, b"other", &good)),
            "signature in Rekor SET does not match",
        ),
        (
            kept(&log_body(&key_pem, &signature, b"other")),
            "payload in Rekor SET does not match",
        ),
        (of_body("hashedrekord", "intoto"), "unsupported kind \"intoto\""),
        (of_body("0.0.1", "0.0.2"), "unsupported apiVersion \"0.0.2\""),
        (
            of_body("sha256", "sha512"),
            "Unexpected \"data.hash.algorithm\" value \"sha512\"",
        ),
        (of_body("\"hash\"", "\"Hash\""), "Missing \"hash\" field"),
        (of_body("\"publicKey\"", "\"key\""), "Missing \"publicKey\" field"),
        (of_body("\"value\":\"", "\"value\":\"x"), "Invalid \"data.hash.value\""),
        (kept("no JSON"), "invalid JSON"),
    ];
    for (index, (signature, expected)) in rows.into_iter().enumerate() {
        let reason = policy.reason(&signature);
        match expected {
            "" => assert!(reason.starts_with("signed by key"), "{index}: {reason}"),
            missing if missing.starts_with("missing") => assert!(reason.starts_with(missing), "{index}: {reason}"),
            _ => assert!(
                reason.starts_with(not_logged) && reason.contains(expected),
                "{index}: {reason}, not {expected}"
            ),
        }
    }
    let two_logs = Policy::new(r#""keyPaths":["/o","/k"],"rekorPublicKeyPaths":["/o","/l"]"#, &files);
    assert!(two_logs.reason(&kept(&body)).starts_with("signed by key"));
}
