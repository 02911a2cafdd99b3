//! Whether a key may sign now: bound, not revoked, not expired, and meant for signing.

use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails as _, SignedUser, Tag, Timestamp};

use super::{Candidate, Keyring, fingerprint};
use crate::self_signatures::{counts, end, may_sign, newest};

impl Keyring {
    /// Refuses a key that may not sign at `now`, with the reason.
    pub(super) fn check_status(&self, candidate: Candidate<'_>, now: u64) -> Result<(), String> {
        let certificate = candidate.certificate;
        let primary = fingerprint(&certificate.primary_key);
        if self.is_revoked(certificate) {
            return Err(format!("key {primary} is revoked"));
        }
        let own = own_signatures(certificate, now);
        if own.is_empty() {
            return Err(format!("key {primary} has no valid self-signature"));
        }
        // What the key itself says goes before what it says beside a user id, and newer words before older ones.
        let expiry = own
            .iter()
            .find_map(|signature| key_expiry(certificate.primary_key.created_at(), signature));
        check_time(&primary, certificate.primary_key.created_at(), expiry, now)?;
        let Some(subkey) = candidate.subkey.map(|index| &certificate.public_subkeys[index]) else {
            return check_use(&primary, own.iter().find_map(|signature| may_sign(signature)));
        };
        check_subkey(certificate, subkey, now)
    }

    /// A revocation holds whenever and however weakly it was made: to doubt it would be to trust the key.
    fn is_revoked(&self, certificate: &SignedPublicKey) -> bool {
        let key = &certificate.primary_key;
        let mut revocations = certificate.details.revocation_signatures.iter();
        revocations.any(|revocation| {
            revocation.verify_key(key).is_ok()
                || self
                    .revokers(certificate)
                    .any(|revoker| revocation.verify_key_third_party(key, &revoker.primary_key).is_ok())
        })
    }

    /// The keys of the ring that a certificate lets revoke it.
    fn revokers(&self, certificate: &SignedPublicKey) -> impl Iterator<Item = &SignedPublicKey> {
        let named: Vec<_> = certificate
            .details
            .direct_signatures
            .iter()
            .filter(|signature| signature.verify_key(&certificate.primary_key).is_ok())
            .filter_map(|signature| Some(signature.revocation_key()?.fingerprint.clone()))
            .collect();
        self.certificates.iter().filter(move |other| {
            named
                .iter()
                .any(|named| other.primary_key.fingerprint().as_bytes() == &named[..])
        })
    }
}

/// The newest valid self-signature of the key itself and of each user id that is not revoked; the key's first, then
/// from new to old.
fn own_signatures(certificate: &SignedPublicKey, now: u64) -> Vec<&Signature> {
    let key = &certificate.primary_key;
    let direct = certificate.details.direct_signatures.iter();
    let direct = newest(direct.filter(|signature| counts(signature, now) && signature.verify_key(key).is_ok()));
    let mut own: Vec<_> = certificate
        .details
        .users
        .iter()
        .filter_map(|user| user_binding(certificate, user, now))
        .collect();
    own.sort_by_key(|signature| std::cmp::Reverse(signature.created().map(Timestamp::as_secs)));
    direct.into_iter().chain(own).collect()
}

fn user_binding<'a>(certificate: &SignedPublicKey, user: &'a SignedUser, now: u64) -> Option<&'a Signature> {
    let valid = user.signatures.iter().filter(|signature| {
        counts(signature, now)
            && signature
                .verify_certification(&certificate.primary_key, Tag::UserId, &user.id)
                .is_ok()
    });
    newest(valid).filter(|signature| signature.typ() != Some(SignatureType::CertRevocation))
}

fn check_subkey(certificate: &SignedPublicKey, subkey: &SignedPublicSubKey, now: u64) -> Result<(), String> {
    let name = fingerprint(&subkey.key);
    let by_primary = |kind: SignatureType| {
        subkey.signatures.iter().filter(move |signature| {
            signature.typ() == Some(kind)
                && signature
                    .verify_subkey_binding(&certificate.primary_key, &subkey.key)
                    .is_ok()
        })
    };
    if by_primary(SignatureType::SubkeyRevocation).next().is_some() {
        return Err(format!("key {name} is revoked"));
    }
    let bindings = by_primary(SignatureType::SubkeyBinding);
    let binding = newest(bindings.filter(|signature| counts(signature, now)))
        .ok_or_else(|| format!("key {name} is not bound to its primary key"))?;
    let created = subkey.key.created_at();
    check_time(&name, created, key_expiry(created, binding), now)?;
    check_use(&name, may_sign(binding))?;
    // Without it somebody could bind a stranger's key to his own and pass the stranger's signatures off as his.
    let agrees = binding.embedded_signature().is_some_and(|back| {
        counts(back, now)
            && back
                .verify_primary_key_binding(&subkey.key, &certificate.primary_key)
                .is_ok()
    });
    if agrees {
        Ok(())
    } else {
        Err(format!("key {name} does not confirm its primary key"))
    }
}

fn key_expiry(created: Timestamp, signature: &Signature) -> Option<u64> {
    end(u64::from(created.as_secs()), signature.key_expiration_time())
}

fn check_time(name: &str, created: Timestamp, expiry: Option<u64>, now: u64) -> Result<(), String> {
    if u64::from(created.as_secs()) > now {
        Err(format!("key {name} is from the future"))
    } else if expiry.is_some_and(|expiry| expiry <= now) {
        Err(format!("key {name} has expired"))
    } else {
        Ok(())
    }
}

/// A key without any word about its use may do what its algorithm can.
fn check_use(name: &str, may_sign: Option<bool>) -> Result<(), String> {
    if may_sign.unwrap_or(true) {
        Ok(())
    } else {
        Err(format!("key {name} is not for signing"))
    }
}
