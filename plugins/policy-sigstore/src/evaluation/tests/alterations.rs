use super::fulcio::{FulcioCase, fulcio_policy};
use super::{CERTIFICATE, LOG_ENTRY, Policy, facts, signed};
use crate::attachment::Attachment;
use crate::evaluation::{Signed, judge};
use crate::fixtures::{DIGEST, Key, NAME, SIGNED, Template, log_body, payload, pem, promise};
use crate::trust::Trust;

/// Some bytes are covered by nothing: how JSON and PEM are written, annotations that are not asked for.
#[test]
fn a_change_of_any_byte_is_refused_or_changes_nothing() {
    let key = Key::numbered(1);
    let good = payload(NAME, DIGEST);
    let signature = key.sign(&good);
    let promised = promise(&Key::numbered(2), &log_body(&key.pem(), &signature, &good), SIGNED);
    let (key_pem, log_pem) = (key.pem(), Key::numbered(2).pem());
    let files = [("/k", key_pem.as_str()), ("/l", log_pem.as_str())];
    let root = Key::numbered(10);
    let roots = pem(
        "CERTIFICATE",
        &Template::authority("CN=root", "CN=root").issue(&root, &root),
    );
    let leaf = pem("CERTIFICATE", &Template::pki("CN=root").issue(&key, &root));
    let cases = [
        (Policy::new(r#""keyPath":"/k""#, &files), signed(&key, &good, &[])),
        (
            Policy::new(r#""keyPath":"/k","rekorPublicKeyPath":"/l""#, &files),
            signed(&key, &good, &[(LOG_ENTRY, &promised)]),
        ),
        (fulcio_policy(), FulcioCase::new().stored()),
        (
            Policy::new(
                r#""pki":{"caRootsPath":"/c","subjectEmail":"me@example.com"}"#,
                &[("/c", &roots)],
            ),
            signed(&key, &good, &[(CERTIFICATE, &leaf)]),
        ),
    ];
    for (policy, original) in cases {
        let Policy { requirement, files } = &policy;
        let trust = Trust::read(&requirement.signer, files).expect("the keys are usable");
        let image = facts(&[], SIGNED);
        let judged = |bytes: &[u8]| -> Result<Signed, String> {
            let longshore_policy::Stored::Sigstore(json) = longshore_policy::recognise(bytes)? else {
                return Err("it is of another kind".to_owned());
            };
            let attachment = Attachment::parse(json)?;
            if !attachment.is_signature() {
                return Err("it is no signature".to_owned());
            }
            judge(requirement, &trust, &attachment, &image)
        };
        let expected = judged(&original).expect("it is a good signature");
        let mut accepted = 0;
        for position in 0..original.len() {
            let mut changed = original.clone();
            changed[position] ^= 1 << (position % 7);
            if let Ok(signed) = judged(&changed) {
                assert_eq!(signed, expected, "{position}");
                accepted += 1;
            }
        }
        assert!(accepted < original.len() / 4, "{accepted} changes were not noticed");
    }
}
