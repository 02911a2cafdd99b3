use longshore_guest::Outcome;
use x509_cert::ext::pkix::KeyUsages;

use super::{CERTIFICATE, CHAIN, Policy, signed};
use crate::fixtures::{
    DIGEST, EMAIL, Key, NAME, SERVER, SIGNED, Template, authority, payload, pem, purposes, raw, usage,
};

/// Each of these changes one certificate above the leaf.
#[test]
fn paths() {
    let (root, middle, lower, signer) = (
        Key::numbered(10),
        Key::numbered(11),
        Key::numbered(14),
        Key::numbered(12),
    );
    let root_template = || Template::authority("CN=root", "CN=root");
    let middle_template = || Template::authority("CN=middle", "CN=root");
    let lower_template = || Template::authority("CN=lower", "CN=middle");
    let after = |template: Template| Template {
        from: SIGNED + 1,
        ..template
    };
    let before = |template: Template| Template {
        to: SIGNED - 1,
        ..template
    };
    type Row = (Template, Template, Template, &'static str);
    let rows: [Row; 15] = [
        (root_template(), middle_template(), lower_template(), ""),
        (
            root_template().with(authority(Some(2))),
            middle_template().with(authority(Some(1))),
            lower_template().with(authority(Some(0))),
            "",
        ),
        (
            root_template().with(authority(Some(1))),
            middle_template(),
            lower_template(),
            "certificate of CN=root: too many intermediate certificates below it",
        ),
        (
            root_template(),
            middle_template().with(authority(Some(0))),
            lower_template(),
            "certificate of CN=middle: too many intermediate certificates below it",
        ),
        (
            root_template(),
            middle_template().without("2.5.29.19"),
            lower_template(),
            "certificate of CN=middle: it is not an authority's",
        ),
        (
            root_template().without("2.5.29.19"),
            middle_template(),
            lower_template(),
            "certificate of CN=root: it is not an authority's",
        ),
        (
            root_template(),
            middle_template().with(usage(KeyUsages::DigitalSignature)),
            lower_template(),
            "certificate of CN=middle: its key may not sign certificates",
        ),
        (
            root_template(),
            middle_template().without("2.5.29.15"),
            lower_template(),
            "",
        ),
        (
            root_template(),
            middle_template(),
            lower_template().with(purposes(&[SERVER])),
            "certificate of CN=lower: it is not for signing code",
        ),
        (
            root_template().with(purposes(&[SERVER])),
            middle_template(),
            lower_template(),
            "certificate of CN=root: it is not for signing code",
        ),
        (
            root_template(),
            middle_template().with(purposes(&["2.5.29.37.0", SERVER])),
            lower_template(),
            "",
        ),
        (
            root_template(),
            after(middle_template()),
            lower_template(),
            "certificate of CN=middle: it is not valid at",
        ),
        (
            before(root_template()),
            middle_template(),
            lower_template(),
            "certificate of CN=root: it is not valid at",
        ),
        (
            root_template(),
            middle_template().with(raw("2.5.29.30", false, b"x")),
            lower_template(),
            "certificate of CN=middle: extension 2.5.29.30 is not supported",
        ),
        (
            root_template(),
            Template::authority("CN=middle", "CN=other"),
            lower_template(),
            "certificate signed by unknown authority",
        ),
    ];
    for (index, (root_template, middle_template, lower_template, expected)) in rows.into_iter().enumerate() {
        let roots = pem("CERTIFICATE", &root_template.issue(&root, &root));
        let middle_pem = pem("CERTIFICATE", &middle_template.issue(&middle, &root));
        let lower_pem = pem("CERTIFICATE", &lower_template.issue(&lower, &middle));
        let leaf = pem("CERTIFICATE", &Template::pki("CN=lower").issue(&signer, &lower));
        let members = format!(r#""pki":{{"caRootsPath":"/c","caIntermediatesPath":"/i","subjectEmail":"{EMAIL}"}}"#);
        let policy = Policy::new(&members, &[("/c", &roots), ("/i", &middle_pem)]);
        let chain = format!("{lower_pem}{roots}");
        let signature = signed(
            &signer,
            &payload(NAME, DIGEST),
            &[(CERTIFICATE, &leaf), (CHAIN, &chain)],
        );
        let reason = policy.reason(&signature);
        let expected = match expected {
            "" => "signed by key".to_owned(),
            expected => format!("verifying leaf certificate failed: {expected}"),
        };
        assert!(reason.starts_with(&expected), "{index}: {reason}, not {expected}");
    }
}

#[test]
fn subjects() {
    let (root, signer) = (Key::numbered(10), Key::numbered(12));
    let roots = pem(
        "CERTIFICATE",
        &Template::authority("CN=root", "CN=root").issue(&root, &root),
    );
    let leaf = pem("CERTIFICATE", &Template::pki("CN=root").issue(&signer, &root));
    let signature = signed(&signer, &payload(NAME, DIGEST), &[(CERTIFICATE, &leaf)]);
    let by = |subject: &str| {
        let members = format!(r#""pki":{{"caRootsPath":"/c",{subject}}}"#);
        Policy::new(&members, &[("/c", &roots)])
    };
    for (subject, expected) in [
        (r#""subjectEmail":"me@example.com""#, "signed by key"),
        (r#""subjectEmail":"you@example.com""#, "Required email"),
        (r#""subjectHostname":"a.example.com""#, "signed by key"),
        (r#""subjectHostname":"a.example.org""#, "Unexpected subject hostname"),
        (r#""subjectHostname":"127.0.0.1""#, "Unexpected subject hostname"),
        (
            r#""subjectEmail":"me@example.com","subjectHostname":"a.example.com""#,
            "signed by key",
        ),
        (
            r#""subjectEmail":"me@example.com","subjectHostname":"example.com""#,
            "Unexpected subject hostname",
        ),
    ] {
        let reason = by(subject).reason(&signature);
        assert!(reason.starts_with(expected), "{subject}: {reason}");
    }

    // It is the time of the evaluation that counts here.
    let policy = by(r#""subjectEmail":"me@example.com""#);
    let late = Template::pki("CN=root").to + 1;
    let verdict = policy.evaluate(&[&signature], late).expect("the key is usable");
    assert_eq!(verdict.outcome, Outcome::Rejected);
    let uncertified = signed(&signer, &payload(NAME, DIGEST), &[]);
    let reason = policy.reason(&uncertified);
    assert_eq!(reason, "missing dev.sigstore.cosign/certificate annotation");
}

#[test]
fn a_search_for_a_path_ends() {
    let (root, signer) = (Key::numbered(10), Key::numbered(12));
    let roots = pem(
        "CERTIFICATE",
        &Template::authority("CN=root", "CN=root").issue(&root, &root),
    );
    // Any of these could be above the leaf; the right one is the last.
    let chain: String = (20..=130)
        .rev()
        .map(|number| Template::authority("CN=loop", "CN=loop").issue(&Key::numbered(number), &Key::numbered(20)))
        .map(|der| pem("CERTIFICATE", &der))
        .collect();
    let leaf = pem(
        "CERTIFICATE",
        &Template::pki("CN=loop").issue(&signer, &Key::numbered(20)),
    );
    let policy = Policy::new(
        r#""pki":{"caRootsPath":"/c","subjectEmail":"me@example.com"}"#,
        &[("/c", &roots)],
    );
    let signature = signed(
        &signer,
        &payload(NAME, DIGEST),
        &[(CERTIFICATE, &leaf), (CHAIN, &chain)],
    );
    let reason = policy.reason(&signature);
    assert!(reason.ends_with("too many certificates to try"), "{reason}");
}
