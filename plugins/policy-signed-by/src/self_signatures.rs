//! What the owner of a key said about it: which signatures on a key count.

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType, SignatureVersion, SubpacketData};

/// Whether a signature may be looked at on `now`, whatever it is about: it is of a version in use, not from the future,
/// has not expired, and asks for nothing that is unknown here.
///
/// SHA-1 is not refused here. Keys from before about 2017 are bound with it, a collision has to be signed by the very
/// owner of the key, and whoever wrote the policy chose the key.
pub(crate) fn counts(signature: &Signature, now: u64) -> bool {
    let Some(config) = signature.config() else {
        return false;
    };
    has_known_version(signature)
        && !matches!(
            config.hash_alg,
            HashAlgorithm::None | HashAlgorithm::Md5 | HashAlgorithm::Ripemd160
        )
        && !asks_for_unknown(signature)
        && signature
            .created()
            .is_some_and(|created| u64::from(created.as_secs()) <= now)
        && expiry(signature).is_none_or(|expiry| now < expiry)
}

/// Versions 4 and 6. Older ones do not cover their own creation time and algorithms.
pub(crate) fn has_known_version(signature: &Signature) -> bool {
    matches!(signature.version(), SignatureVersion::V4 | SignatureVersion::V6)
}

/// Whether something critical in a signature is not understood (RFC 9580, sections 5.2.3.7 and 5.2.3.24).
pub(crate) fn asks_for_unknown(signature: &Signature) -> bool {
    let unknown = |data: &SubpacketData| {
        matches!(
            data,
            SubpacketData::Other(..) | SubpacketData::Experimental(..) | SubpacketData::Notation(_)
        )
    };
    signature.config().is_none_or(|config| {
        config
            .hashed_subpackets()
            .any(|subpacket| subpacket.is_critical && unknown(&subpacket.data))
    })
}

/// When a signature expires, in seconds since 1970.
pub(crate) fn expiry(signature: &Signature) -> Option<u64> {
    end(
        u64::from(signature.created()?.as_secs()),
        signature.signature_expiration_time(),
    )
}

/// The end of a period that begins at `start`; zero stands for no end.
pub(crate) fn end(start: u64, period: Option<pgp::types::Duration>) -> Option<u64> {
    period
        .map(|period| u64::from(period.as_secs()))
        .filter(|&seconds| seconds != 0)
        .map(|seconds| start + seconds)
}

/// Whether a self-signature lets its key sign data; none if it does not say (RFC 9580, section 5.2.3.29).
pub(crate) fn may_sign(signature: &Signature) -> Option<bool> {
    let says = signature.config().is_some_and(|config| {
        config
            .hashed_subpackets()
            .any(|subpacket| matches!(subpacket.data, SubpacketData::KeyFlags(_)))
    });
    says.then(|| signature.key_flags().sign())
}

/// The newest of some signatures; of two with the same time, the one that revokes.
pub(crate) fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures.max_by_key(|signature| {
        (
            signature.created().map(|created| created.as_secs()),
            signature.typ() == Some(SignatureType::CertRevocation),
        )
    })
}
