#![allow(clippy::expect_used, reason = "a test may fail at any line")]

use longshore_guest::{Outcome, Verdict};

use super::{Facts, Signed, evaluate, judge};
use crate::keyring::Keyring;
use crate::requirement::{Requirement, SignedBy, parse};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const REFERENCE: &str = r#"{"type":"exactReference","dockerReference":"busybox:1"}"#;
const ONE: &str = "75A14878027A4D21C1C3C73AEAE545205B841E04";
const SUB: &str = "D37FD1DF9F3156561C6AB785B2F0261BECE9D654";
/// 2026-03-01: a month after the signatures, while every key is valid.
const MARCH: u64 = 1_772_323_200;
/// 2026-01-01, when the keys were made.
const MADE: u64 = 1_767_225_600;
const YEAR: u64 = 365 * 24 * 60 * 60;

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../vectors/", $name)).as_slice()
    };
}

fn requirement(identity: &str) -> Requirement {
    let json = format!(r#"{{"type":"signedBy","keyType":"GPGKeys","keyPaths":["/a"],"signedIdentity":{identity}}}"#);
    parse(&json).expect("it is well-formed")
}

fn facts(signatures: &[&[u8]], now: u64) -> Facts {
    Facts {
        docker_reference: None,
        manifest_digest: DIGEST.to_owned(),
        signatures: signatures.iter().map(|signature| signature.to_vec()).collect(),
        now,
    }
}

/// `signed by key F`, or the reason against the one signature.
fn reason(keys: &[&[u8]], signature: &[u8], now: u64) -> String {
    let files: Vec<_> = keys.iter().map(|key| key.to_vec()).collect();
    let verdict = evaluate(requirement(REFERENCE), &files, &facts(&[signature], now)).expect("the keys are usable");
    let [finding] = &verdict.findings[..] else {
        panic!("{} findings", verdict.findings.len())
    };
    assert_eq!(finding.accepted, verdict.outcome == Outcome::AcceptedSigned);
    assert_eq!(finding.accepted, finding.reason.starts_with("signed by key"));
    finding.reason.clone()
}

#[test]
fn forms_of_messages() {
    let signed = format!("signed by key {ONE}");
    let not_one = "Invalid GPG signature: not an OpenPGP message with exactly one signature";
    let mut named = b"\0simple-signing\n".to_vec();
    named.extend(vector!("one.sig"));
    let one = vector!("one.sig");
    let twice = [one, one].concat();
    let trailing = [one, &[0xc2]].concat();
    let detached_behind = [one, vector!("one-detached.sig")].concat();
    let rows: [(&[u8], &str); 16] = [
        (one, &signed),
        (&named, &signed),
        (vector!("one-compressed.sig"), &signed),
        (vector!("two.sig"), not_one),
        (&twice, not_one),
        (&detached_behind, not_one),
        (&trailing, "Invalid GPG signature: "),
        (&one[..one.len() - 1], "Invalid GPG signature: "),
        (&one[..15], not_one),
        (vector!("one-detached.sig"), not_one),
        (
            vector!("one-armoured.sig"),
            "parsing signature: unrecognized signature format",
        ),
        (
            vector!("one-clear.sig"),
            "parsing signature: unrecognized signature format",
        ),
        (
            vector!("one-sha1.sig"),
            "Invalid GPG signature: hash algorithm SHA1 is too weak",
        ),
        (
            vector!("one-ripemd.sig"),
            "Invalid GPG signature: hash algorithm RIPEMD160 is too weak",
        ),
        (
            vector!("one-text.sig"),
            "Invalid GPG signature: it is not over binary data",
        ),
        (
            vector!("one-critical.sig"),
            "Invalid GPG signature: a critical part of it is unknown",
        ),
    ];
    for (index, (signature, expected)) in rows.into_iter().enumerate() {
        let reason = reason(&[vector!("one.key")], signature, MARCH);
        assert!(reason.starts_with(expected), "{index}: {reason}");
    }
}

#[test]
fn a_message_may_not_expand_without_end() {
    use std::io::Write as _;
    let mut deflated = flate2::write::DeflateEncoder::new(vec![0xa3, 1], flate2::Compression::best());
    deflated.write_all(&vec![0; 2 << 20]).expect("memory takes it");
    let bomb = deflated.finish().expect("memory takes it");
    let reason = reason(&[vector!("one.key")], &bomb, MARCH);
    assert!(reason.ends_with("expands to more than 1048576 bytes"), "{reason}");
}

#[test]
fn keys() {
    let (one, other, sub) = (vector!("one.key"), vector!("other.key"), vector!("sub.key"));
    let ring = [other, one, sub].concat();
    let armoured_ring = [vector!("one-armoured.key"), b"\n\n", vector!("one-armoured.key")].concat();
    let by_one = vector!("one.sig");
    let by_sub = vector!("sub.sig");
    let signed_one = format!("signed by key {ONE}");
    let signed_sub = format!("signed by key {SUB}");
    /// Key files, a signature, the time, and the end of what is said.
    type Row<'a> = (&'a [&'a [u8]], &'a [u8], u64, &'a str);
    let rows: [Row<'_>; 16] = [
        (&[vector!("one-armoured.key")], by_one, MARCH, &signed_one),
        (&[&armoured_ring], by_one, MARCH, &signed_one),
        (&[&ring], by_one, MARCH, &signed_one),
        (&[&ring], by_sub, MARCH, &signed_sub),
        (&[other, one], by_one, MARCH, &signed_one),
        (
            &[other],
            by_one,
            MARCH,
            &format!("signature by key {ONE} is not accepted"),
        ),
        (&[one], by_one, MADE + YEAR - 1, &signed_one),
        (&[one], by_one, MADE + YEAR, &format!("key {ONE} has expired")),
        (
            &[one],
            by_one,
            MADE - 1,
            &format!("key {ONE} has no valid self-signature"),
        ),
        (
            &[vector!("one-revoked.key")],
            by_one,
            MARCH,
            &format!("key {ONE} is revoked"),
        ),
        (
            &[one, vector!("one-revoked.key")],
            by_one,
            MARCH,
            &format!("key {ONE} is revoked"),
        ),
        (
            &[vector!("one-revoked.key"), one],
            by_one,
            MARCH,
            &format!("key {ONE} is revoked"),
        ),
        (&[sub], by_sub, MADE + YEAR, "has expired"),
        (&[vector!("sub-revoked.key")], by_sub, MARCH, "is revoked"),
        (&[one], vector!("one-expiring.sig"), MADE + 32 * 86_400, &signed_one),
        (
            &[one],
            vector!("one-expiring.sig"),
            MADE + 61 * 86_400,
            "it has expired",
        ),
    ];
    for (index, (keys, signature, now, expected)) in rows.into_iter().enumerate() {
        let reason = reason(keys, signature, now);
        assert!(reason.ends_with(expected), "{index}: {reason}");
    }
}

#[test]
fn what_a_subkey_needs_to_sign() {
    use pgp::composed::{Deserializable as _, SignedPublicKey};
    use pgp::packet::SubpacketData;
    use pgp::ser::Serialize as _;

    let key = SignedPublicKey::from_bytes(vector!("sub.key")).expect("a key");
    let without = |edit: &dyn Fn(&mut SignedPublicKey)| {
        let mut key = key.clone();
        edit(&mut key);
        key.to_bytes().expect("memory takes it")
    };
    let is_back = |data: &SubpacketData| matches!(data, SubpacketData::EmbeddedSignature(_));
    let no_back = without(&|key| {
        let binding = &mut key.public_subkeys[0].signatures[0];
        let config = binding.config().expect("a known version");
        let index = config
            .unhashed_subpackets()
            .position(|subpacket| is_back(&subpacket.data));
        binding
            .unhashed_subpacket_remove(index.expect("GnuPG puts it there"))
            .expect("it is there");
    });
    let swapped = without(&|key| {
        let other = key.public_subkeys[1].signatures.clone();
        key.public_subkeys[0].signatures = other;
    });
    let no_users = without(&|key| key.details.users.clear());
    for (key, expected) in [
        (no_back, "does not confirm its primary key"),
        (swapped, "is not bound to its primary key"),
        (no_users, "has no valid self-signature"),
    ] {
        let reason = reason(&[&key], vector!("sub.sig"), MARCH);
        assert!(reason.ends_with(expected), "{reason}");
    }
}

#[test]
fn without_usable_keys_the_requirement_cannot_be_applied() {
    let image = facts(&[vector!("one.sig")], MARCH);
    let secret_free: [&[u8]; 5] = [
        b"",
        b"no key",
        b"\x99",
        vector!("one.sig"),
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----",
    ];
    for file in secret_free {
        let error = evaluate(requirement(REFERENCE), &[file.to_vec()], &image).map(|verdict| verdict.outcome);
        assert_eq!(error, Err("No public keys imported".to_owned()));
    }
    let json = r#"{"type":"signedBy","keyType":"X509Certificates","keyPath":"/k"}"#;
    let unimplemented = parse(json).expect("it is well-formed");
    let error = evaluate(unimplemented, &[vector!("one.key").to_vec()], &image).map(|verdict| verdict.outcome);
    assert_eq!(
        error,
        Err("Unimplemented \"keyType\" value \"X509Certificates\"".to_owned())
    );
}

fn text(verdict: &Verdict) -> Vec<(Option<u32>, bool, &str)> {
    let finding = verdict.findings.iter();
    finding
        .map(|finding| (finding.signature, finding.accepted, finding.reason.as_str()))
        .collect()
}

#[test]
fn several_signatures() {
    let one: &[u8] = vector!("one.sig");
    let sigstore: &[u8] = b"\0sigstore-json\n{}";
    let files = [vector!("one.key").to_vec()];
    let judged = |signatures: &[&[u8]], identity: &str| {
        evaluate(requirement(identity), &files, &facts(signatures, MARCH)).expect("the key is usable")
    };
    let signed = format!("signed by key {ONE}");
    let none = "A signature was required, but no signature exists";
    let accepted = judged(&[sigstore, vector!("one-sha1.sig"), one], REFERENCE);
    assert_eq!(accepted.outcome, Outcome::AcceptedSigned);
    assert_eq!(text(&accepted).last(), Some(&(Some(2), true, signed.as_str())));

    let other_name = "Signature for identity \"docker.io/library/busybox:1\" is not accepted";
    let exact_other = r#"{"type":"exactRepository","dockerRepository":"other"}"#;
    let unknown = "parsing signature: unrecognized signature format \"new\"";
    type Row<'a> = (&'a [&'a [u8]], &'a str, Option<u32>, &'a str);
    let rejected: [Row<'_>; 5] = [
        (&[], REFERENCE, None, none),
        (&[sigstore], REFERENCE, None, none),
        (&[one, b"\0new\n"], REFERENCE, Some(1), unknown),
        (&[one], exact_other, Some(0), other_name),
        (&[one], r#"{"type":"matchRepository"}"#, Some(0), other_name),
    ];
    for (signatures, identity, index, reason) in rejected {
        let verdict = judged(signatures, identity);
        assert_eq!(verdict.outcome, Outcome::Rejected);
        assert_eq!(text(&verdict), [(index, false, reason)]);
    }

    let mut image = facts(&[one], MARCH);
    image.manifest_digest = DIGEST.replace("e3b0", "0000");
    let verdict = evaluate(requirement(REFERENCE), &files, &image).expect("the key is usable");
    let expected = format!("Signature for digest {DIGEST} does not match");
    assert_eq!(text(&verdict), [(Some(0), false, expected.as_str())]);

    let json = r#"{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}"#;
    let base_layer = parse(json).expect("it is well-formed");
    let verdict = evaluate(base_layer, &[], &facts(&[one], MARCH)).expect("it is a verdict");
    assert_eq!(verdict.outcome, Outcome::Rejected);
    assert_eq!(text(&verdict), [(None, false, "signedBaseLayer not implemented yet!")]);
}

/// Some bytes of a message are covered by nothing: its packets' form, the file name, what is said beside the signature.
#[test]
fn a_change_of_any_byte_is_refused_or_changes_nothing() {
    let Requirement::SignedBy(requirement) = requirement(REFERENCE) else {
        panic!("it is another requirement")
    };
    let requirement: SignedBy = requirement;
    let keys = [vector!("one.key"), vector!("sub.key"), vector!("other.key")];
    let keyring = Keyring::import(keys).expect("the keys are usable");
    let image = facts(&[], MARCH);
    for original in [vector!("one.sig"), vector!("one-compressed.sig"), vector!("sub.sig")] {
        let judged = |bytes: &[u8]| judge(&requirement, &keyring, bytes, &image);
        let expected: Signed = judged(original).expect("it is a good signature");
        let mut accepted = 0;
        for position in 0..original.len() {
            for mask in [0x01, 0x80] {
                let mut changed = original.to_vec();
                changed[position] ^= mask;
                if let Ok(signed) = judged(&changed) {
                    assert_eq!(signed, expected, "{position} {mask}");
                    accepted += 1;
                }
            }
        }
        assert!(accepted < original.len(), "{accepted} changes were not noticed");
    }
}
