use super::{CERTIFICATE, CHAIN, LOG_ENTRY, Policy, SIGNATURE};
use crate::fixtures::{
    CODE_SIGNING, DIGEST, EMAIL, ISSUER, Key, NAME, SERVER, SIGNED, TEN_MINUTES, Template, base64, email, host,
    log_body, names, payload, pem, promise, purposes, raw, stored,
};

const ISSUER_OID: &str = "1.3.6.1.4.1.57264.1.1";
const ISSUER_V2_OID: &str = "1.3.6.1.4.1.57264.1.8";

/// A signature by a certified key, as a Fulcio server and a log have it.
pub(super) struct FulcioCase {
    leaf: Vec<u8>,
    log: Key,
    time: u64,
    chain: String,
}

impl FulcioCase {
    pub(super) fn new() -> Self {
        Self::certified(Template::fulcio("CN=middle"))
    }

    fn certified(template: Template) -> Self {
        let (root, middle, signer) = (Key::numbered(10), Key::numbered(11), Key::numbered(12));
        let root_der = Template::authority("CN=root", "CN=root").issue(&root, &root);
        let middle_der = Template::authority("CN=middle", "CN=root")
            .with(purposes(&[CODE_SIGNING]))
            .issue(&middle, &root);
        Self {
            leaf: template.issue(&signer, &middle),
            log: Key::numbered(2),
            time: SIGNED + 60,
            chain: pem("CERTIFICATE", &middle_der) + &pem("CERTIFICATE", &root_der),
        }
    }

    pub(super) fn stored(&self) -> Vec<u8> {
        let good = payload(NAME, DIGEST);
        let signature = Key::numbered(12).sign(&good);
        let leaf = pem("CERTIFICATE", &self.leaf);
        let promise = promise(&self.log, &log_body(&leaf, &signature, &good), self.time);
        let annotations = [
            (SIGNATURE, base64(&signature)),
            (LOG_ENTRY, promise),
            (CERTIFICATE, leaf),
            (CHAIN, self.chain.clone()),
        ];
        let annotations: Vec<_> = annotations.iter().map(|(key, text)| (*key, text.as_str())).collect();
        stored(&good, &annotations)
    }
}

pub(super) fn fulcio_policy() -> Policy {
    let root = Key::numbered(10);
    let root = Template::authority("CN=root", "CN=root").issue(&root, &root);
    Policy::new(
        &format!(
            r#""fulcio":{{"caPath":"/c","oidcIssuer":"{ISSUER}","subjectEmail":"{EMAIL}"}},"rekorPublicKeyPath":"/l""#
        ),
        &[("/c", &pem("CERTIFICATE", &root)), ("/l", &Key::numbered(2).pem())],
    )
}

#[test]
fn fulcio() {
    let policy = fulcio_policy();
    let with = |extension| FulcioCase::certified(Template::fulcio("CN=middle").with(extension));
    let without = |id| FulcioCase::certified(Template::fulcio("CN=middle").without(id));
    let case = FulcioCase::new;
    let at = |time| FulcioCase { time, ..case() };
    let v2 = |issuer: &str| {
        let value = [&[0x0c, u8::try_from(issuer.len()).expect("short")], issuer.as_bytes()].concat();
        raw(ISSUER_V2_OID, false, &value)
    };
    let template = || Template::fulcio("CN=middle");
    let unknown = "verifying leaf certificate failed: certificate signed by unknown authority";
    let rows = [
        (case(), "signed by key"),
        (at(SIGNED), "signed by key"),
        (at(SIGNED + TEN_MINUTES), "signed by key"),
        (at(SIGNED - 1), "verifying leaf certificate failed: it is not valid at"),
        (
            at(SIGNED + TEN_MINUTES + 1),
            "verifying leaf certificate failed: it is not valid at",
        ),
        (with(v2(ISSUER)), "signed by key"),
        (
            FulcioCase::certified(template().without(ISSUER_OID).with(v2(ISSUER))),
            "signed by key",
        ),
        (
            with(v2("https://other.example.com")),
            "inconsistent OIDC issuer extension values",
        ),
        (
            with(raw(ISSUER_V2_OID, false, b"x")),
            "invalid ASN.1 in OIDC issuer v2 extension",
        ),
        (
            without(ISSUER_OID),
            "Fulcio certificate is missing the issuer extension",
        ),
        (
            with(raw(ISSUER_OID, false, b"https://login.example.com/")),
            "Unexpected Fulcio OIDC issuer",
        ),
        (with(names(&[email("you@example.com")])), "Required email"),
        (with(names(&[email("Me@example.com")])), "Required email"),
        (with(names(&[host("example.com")])), "Required email"),
        (with(names(&[email(EMAIL), email("you@example.com")])), "Required email"),
        (without("2.5.29.17"), "Required email"),
        (
            with(purposes(&[SERVER])),
            "verifying leaf certificate failed: it is not for signing code",
        ),
        (without("2.5.29.37"), "signed by key"),
        (
            with(raw("1.2.3.4", true, b"x")),
            "verifying leaf certificate failed: extension 1.2.3.4 is not supported",
        ),
        (with(raw("1.2.3.4", false, b"x")), "signed by key"),
        (
            FulcioCase {
                chain: String::new(),
                ..case()
            },
            unknown,
        ),
        (
            FulcioCase {
                chain: "x".to_owned(),
                ..case()
            },
            "loading certificate chain",
        ),
        (
            FulcioCase {
                log: Key::numbered(3),
                ..case()
            },
            "cryptographic signature verification of Rekor SET failed",
        ),
        (
            FulcioCase {
                leaf: Template::fulcio("CN=middle").issue(&Key::numbered(13), &Key::numbered(11)),
                ..case()
            },
            "cryptographic signature verification failed",
        ),
        (
            FulcioCase {
                leaf: Template::fulcio("CN=middle").issue(&Key::numbered(12), &Key::numbered(12)),
                ..case()
            },
            "verifying leaf certificate failed: certificate of CN=middle: its signature does not verify",
        ),
        (
            FulcioCase {
                leaf: b"no certificate".to_vec(),
                ..case()
            },
            "parsing leaf certificate: malformed certificate",
        ),
    ];
    for (index, (case, expected)) in rows.into_iter().enumerate() {
        let reason = policy.reason(&case.stored());
        assert!(reason.starts_with(expected), "{index}: {reason}, not {expected}");
    }
}
