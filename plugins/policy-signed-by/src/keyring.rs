//! The keys of a requirement, and whether one of them made a signature (GP-03, GP-04). They are judged as GnuPG judges
//! them now, at the time of the evaluation: what a key was when it signed is only its own word.

mod import;
mod status;

use pgp::composed::SignedPublicKey;
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Timestamp};

use crate::message::Message;
use crate::self_signatures::{asks_for_unknown, expiry, has_known_version};

/// Some certificates, each there once.
pub(crate) struct Keyring {
    certificates: Vec<SignedPublicKey>,
}

/// One key of a certificate: the primary one or the subkey with an index.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    certificate: &'a SignedPublicKey,
    subkey: Option<usize>,
}

impl Keyring {
    /// Finds the key that made a message's signature and answers with the fingerprint of its primary key.
    ///
    /// # Errors
    ///
    /// Says why the signature does not count.
    pub(crate) fn verify(&self, message: &Message, now: u64) -> Result<String, String> {
        let signature = &message.signature;
        let created = check_form(signature, now)?;
        let mut failure = None;
        for candidate in self.candidates().filter(|candidate| candidate.is_named_by(signature)) {
            match self.judge(candidate, message, created, now) {
                Ok(()) => return Ok(fingerprint(&candidate.certificate.primary_key)),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| format!("signature by key {} is not accepted", issuer(signature))))
    }

    fn judge(&self, candidate: Candidate<'_>, message: &Message, created: Timestamp, now: u64) -> Result<(), String> {
        candidate.verify(message)?;
        if created < candidate.created_at() {
            return Err(format!("it is older than its key {}", candidate.fingerprint()));
        }
        self.check_status(candidate, now)
    }

    fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.certificates.iter().flat_map(|certificate| {
            let subkeys = (0..certificate.public_subkeys.len()).map(Some);
            std::iter::once(None)
                .chain(subkeys)
                .map(move |subkey| Candidate { certificate, subkey })
        })
    }
}

/// What can be said about a signature without its key; answers with its time.
fn check_form(signature: &Signature, now: u64) -> Result<Timestamp, String> {
    let config = signature
        .config()
        .filter(|_| has_known_version(signature))
        .ok_or("its version is not supported")?;
    if config.typ != SignatureType::Binary {
        return Err("it is not over binary data".to_owned());
    }
    match config.hash_alg {
        HashAlgorithm::Sha224
        | HashAlgorithm::Sha256
        | HashAlgorithm::Sha384
        | HashAlgorithm::Sha512
        | HashAlgorithm::Sha3_256
        | HashAlgorithm::Sha3_512 => {}
        weak => return Err(format!("hash algorithm {weak} is too weak")),
    }
    if asks_for_unknown(signature) {
        return Err("a critical part of it is unknown".to_owned());
    }
    let created = signature.created().ok_or("it has no creation time")?;
    if expiry(signature).is_some_and(|expiry| expiry <= now) {
        return Err("it has expired".to_owned());
    }
    Ok(created)
}

impl Candidate<'_> {
    /// Whether everything that a signature says about who made it points to this key.
    fn is_named_by(self, signature: &Signature) -> bool {
        let (ids, fingerprints) = (signature.issuer_key_id(), signature.issuer_fingerprint());
        let key = self.details();
        (!ids.is_empty() || !fingerprints.is_empty())
            && ids.into_iter().all(|id| *id == key.legacy_key_id())
            && fingerprints
                .into_iter()
                .all(|fingerprint| *fingerprint == key.fingerprint())
    }

    fn verify(self, message: &Message) -> Result<(), String> {
        let Message { signature, payload } = message;
        match self.subkey {
            None => signature.verify(&self.certificate.primary_key, &payload[..]),
            Some(index) => signature.verify(&self.certificate.public_subkeys[index].key, &payload[..]),
        }
        .map_err(|error| format!("bad signature by key {}: {error}", self.fingerprint()))
    }

    fn details(&self) -> &dyn KeyDetails {
        match self.subkey {
            None => &self.certificate.primary_key,
            Some(index) => &self.certificate.public_subkeys[index].key,
        }
    }

    fn created_at(self) -> Timestamp {
        self.details().created_at()
    }

    fn fingerprint(self) -> String {
        fingerprint(self.details())
    }
}

/// In upper case, as GnuPG writes it.
fn fingerprint(key: &(impl KeyDetails + ?Sized)) -> String {
    format!("{:X}", key.fingerprint())
}

/// Who a signature says made it, for messages.
fn issuer(signature: &Signature) -> String {
    let by_fingerprint = signature
        .issuer_fingerprint()
        .first()
        .map(|fingerprint| format!("{fingerprint:X}"));
    let by_id = || {
        signature
            .issuer_key_id()
            .first()
            .map(|id| id.to_string().to_uppercase())
    };
    by_fingerprint.or_else(by_id).unwrap_or_else(|| "(unnamed)".to_owned())
}
