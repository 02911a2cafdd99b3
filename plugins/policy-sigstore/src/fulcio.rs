//! Certificates of a Fulcio server: who signed in where, for some minutes (SS-16).

use const_oid::ObjectIdentifier;
use der::Decode as _;
use der::asn1::Utf8StringRef;

use crate::certificate::Certificate;

/// The issuer's address, as it is.
const ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
/// The same as a DER string, which newer servers write.
const ISSUER_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");

/// Whether a certificate is for the owner of an e-mail address, as confirmed by an OIDC issuer.
pub(crate) fn check_subject(certificate: &Certificate, issuer: &str, email: &str) -> Result<(), String> {
    let found = issuer_of(certificate)?;
    if found != issuer {
        return Err(format!("Unexpected Fulcio OIDC issuer {found:?}"));
    }
    let emails = certificate.emails();
    if emails != [email] {
        return Err(format!("Required email {email:?} not found (got {emails:?})"));
    }
    Ok(())
}

fn issuer_of(certificate: &Certificate) -> Result<&str, String> {
    let first = match certificate.extension(ISSUER) {
        Some(bytes) => Some(std::str::from_utf8(bytes).map_err(|_| "OIDC issuer extension is not text".to_owned())?),
        None => None,
    };
    let second = match certificate.extension(ISSUER_V2) {
        Some(bytes) => {
            let text = Utf8StringRef::from_der(bytes)
                .map_err(|error| format!("invalid ASN.1 in OIDC issuer v2 extension: {error}"))?;
            Some(text.as_str())
        }
        None => None,
    };
    match (first, second) {
        (Some(first), Some(second)) if first != second => Err(format!(
            "inconsistent OIDC issuer extension values: v1 {first:?}, v2 {second:?}"
        )),
        (Some(issuer), _) | (None, Some(issuer)) => Ok(issuer),
        (None, None) => Err("Fulcio certificate is missing the issuer extension".to_owned()),
    }
}
