//! Whether an authority that the policy trusts vouches for a certificate, at a time and for signing code (SS-16, SS-17).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_CODE_SIGNING};

use crate::certificate::Certificate;
use crate::public_key::PublicKey;

/// Most signatures that one search verifies: who signs an image chooses the certificates, and every pair of them could
/// be tried. Go has the same limit.
const MAX_SIGNATURES: usize = 100;

/// Verifies that a path leads from `leaf` to one of `roots`.
///
/// # Errors
///
/// Says what is wrong with the leaf, or with the last path that was tried.
pub(crate) fn verify(
    leaf: &Certificate,
    intermediates: &[Certificate],
    roots: &[Certificate],
    time: u64,
) -> Result<(), String> {
    let mut search = Search {
        intermediates,
        roots,
        time,
        signatures: 0,
        reason: "certificate signed by unknown authority".to_owned(),
    };
    search.usable(leaf)?;
    if roots.iter().any(|root| root.der == leaf.der) || search.leads_to_root(&mut vec![leaf]) {
        Ok(())
    } else {
        Err(search.reason)
    }
}

struct Search<'c> {
    intermediates: &'c [Certificate],
    roots: &'c [Certificate],
    time: u64,
    signatures: usize,
    /// Against what was tried last.
    reason: String,
}

impl<'c> Search<'c> {
    /// Whether a path, which begins with the leaf, can be continued up to a root.
    fn leads_to_root(&mut self, path: &mut Vec<&'c Certificate>) -> bool {
        let (roots, intermediates) = (self.roots, self.intermediates);
        if roots.iter().any(|root| self.continues(path, root)) {
            return true;
        }
        for intermediate in intermediates {
            if self.continues(path, intermediate) {
                path.push(intermediate);
                if self.leads_to_root(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    /// Whether `authority` may stand next in a path.
    fn continues(&mut self, path: &[&Certificate], authority: &Certificate) -> bool {
        let Some(below) = path.last() else { return false };
        if below.issuer() != authority.subject() || path.iter().any(|&one| is_same_subject(one, authority)) {
            return false;
        }
        match self.vouches(authority, below, path.len() - 1) {
            Ok(()) => true,
            Err(reason) => {
                self.reason = format!("certificate of {}: {reason}", authority.subject());
                false
            }
        }
    }

    fn vouches(&mut self, authority: &Certificate, below: &Certificate, intermediates: usize) -> Result<(), String> {
        self.usable(authority)?;
        match authority.authority {
            None => return Err("it is not an authority's".to_owned()),
            Some(Some(most)) if intermediates > usize::from(most) => {
                return Err("too many intermediate certificates below it".to_owned());
            }
            Some(_) => {}
        }
        if !authority.may_certify() {
            return Err("its key may not sign certificates".to_owned());
        }
        self.signatures += 1;
        if self.signatures > MAX_SIGNATURES {
            return Err("too many certificates to try".to_owned());
        }
        below.is_signed_by(authority)
    }

    fn usable(&self, certificate: &Certificate) -> Result<(), String> {
        if let Some(id) = certificate.not_understood {
            return Err(format!("extension {id} is not supported"));
        }
        if !certificate.is_valid_at(self.time) {
            return Err(format!("it is not valid at {} s since 1970", self.time));
        }
        if !is_for_code(certificate) {
            return Err("it is not for signing code".to_owned());
        }
        Ok(())
    }
}

/// Whether both are for the same key of the same subject: then one of them in a path is enough.
fn is_same_subject(one: &Certificate, other: &Certificate) -> bool {
    let [key, other_key] = [one, other].map(|certificate| certificate.key.as_ref().ok().map(PublicKey::info));
    key == other_key && one.subject() == other.subject()
}

fn is_for_code(certificate: &Certificate) -> bool {
    let accepted: [ObjectIdentifier; 2] = [ANY_EXTENDED_KEY_USAGE, ID_KP_CODE_SIGNING];
    certificate.purposes.is_empty() || certificate.purposes.iter().any(|purpose| accepted.contains(purpose))
}
