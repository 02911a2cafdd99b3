//! What counts of an X.509 certificate (RFC 5280).

use std::collections::HashSet;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXT_KEY_USAGE,
    ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS, ID_CE_SUBJECT_ALT_NAME,
};
use der::asn1::{AnyRef, BitStringRef};
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::TbsCertificate;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::name::Name;

use crate::pem_block::{blocks, readable_blocks};
use crate::public_key::{PublicKey, Scheme};

/// Extensions that may be critical, since they are obeyed here or restrict nothing that is asked of them here.
const UNDERSTOOD: [ObjectIdentifier; 6] = [
    ID_CE_BASIC_CONSTRAINTS,
    ID_CE_CERTIFICATE_POLICIES,
    ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_KEY_USAGE,
    ID_CE_SUBJECT_ALT_NAME,
];

/// A certificate, read; whether anybody vouches for it is another matter.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// The whole, as it came.
    pub(crate) der: Vec<u8>,
    signed: Vec<u8>,
    scheme: Result<Scheme, String>,
    signature: Vec<u8>,
    content: TbsCertificate,
    /// The subject's key, or why it is of no use.
    pub(crate) key: Result<PublicKey, String>,
    /// An extension that had to be obeyed and is not known here.
    pub(crate) not_understood: Option<ObjectIdentifier>,
    /// Whether it is an authority's, and how many intermediate certificates may stand below it.
    pub(crate) authority: Option<Option<u8>>,
    key_usage: Option<KeyUsage>,
    /// Purposes; empty if it serves any, as in Go.
    pub(crate) purposes: Vec<ObjectIdentifier>,
    names: Vec<GeneralName>,
}

/// The outermost structure, with what is signed as it came.
#[derive(Sequence)]
struct Signed<'a> {
    content: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

impl Certificate {
    /// Reads a DER document.
    pub(crate) fn from_der(document: &[u8]) -> Result<Self, String> {
        let malformed = |error: der::Error| format!("malformed certificate: {error}");
        let Signed {
            content: signed,
            algorithm,
            signature,
        } = Signed::from_der(document).map_err(malformed)?;
        let signed = signed.to_der().map_err(malformed)?;
        let content = TbsCertificate::from_der(&signed).map_err(malformed)?;
        let inner = content.signature().to_der().map_err(malformed)?;
        if inner != algorithm.to_der().map_err(malformed)? {
            return Err("malformed certificate: two different signature algorithms".to_owned());
        }
        let mut seen = HashSet::new();
        let extensions = content.extensions().map_or(&[][..], Vec::as_slice);
        if let Some(twice) = extensions.iter().find(|extension| !seen.insert(extension.extn_id)) {
            return Err(format!("certificate with a duplicate extension {}", twice.extn_id));
        }
        // Name constraints would have to be obeyed even where they are not marked so.
        let not_understood = extensions.iter().find(|extension| {
            let (id, critical) = (extension.extn_id, extension.critical);
            id == ID_CE_NAME_CONSTRAINTS || (critical && !UNDERSTOOD.contains(&id))
        });
        let not_understood = not_understood.map(|extension| extension.extn_id);
        let basic = content.get_extension::<BasicConstraints>().map_err(malformed)?;
        let key_usage = content.get_extension::<KeyUsage>().map_err(malformed)?;
        let purposes = content.get_extension::<ExtendedKeyUsage>().map_err(malformed)?;
        let names = content.get_extension::<SubjectAltName>().map_err(malformed)?;
        let algorithm = content.signature().oid;
        let key = content.subject_public_key_info().to_der().map_err(malformed)?;
        Ok(Self {
            der: document.to_vec(),
            scheme: Scheme::of_certificate(algorithm)
                .ok_or_else(|| format!("signature algorithm {algorithm} is not supported")),
            signature: signature
                .as_bytes()
                .ok_or_else(|| "malformed certificate: its signature has no whole bytes".to_owned())?
                .to_vec(),
            key: PublicKey::from_der(&key),
            not_understood,
            authority: basic.and_then(|(_, basic)| basic.ca.then_some(basic.path_len_constraint)),
            key_usage: key_usage.map(|(_, usage)| usage),
            purposes: purposes.map(|(_, purposes)| purposes.0).unwrap_or_default(),
            names: names.map(|(_, names)| names.0).unwrap_or_default(),
            signed,
            content,
        })
    }

    /// Reads a PEM document with nothing but certificates.
    pub(crate) fn from_pem(document: &[u8]) -> Result<Vec<Self>, String> {
        let blocks = blocks(document)?;
        blocks.iter().map(|block| Self::from_der(block.contents())).collect()
    }

    /// Reads the certificates in a PEM document of the policy; what else stands there counts for nothing, as in Go.
    pub(crate) fn pool(document: &[u8]) -> Vec<Self> {
        readable_blocks(document)
            .filter(|block| block.tag() == "CERTIFICATE" && block.headers().iter().next().is_none())
            .filter_map(|block| Self::from_der(block.contents()).ok())
            .collect()
    }

    pub(crate) fn issuer(&self) -> &Name {
        self.content.issuer()
    }

    pub(crate) fn subject(&self) -> &Name {
        self.content.subject()
    }

    /// Whether it is valid at a time, in seconds since 1970; both ends belong to it.
    pub(crate) fn is_valid_at(&self, time: u64) -> bool {
        let validity = self.content.validity();
        (validity.not_before.to_unix_duration().as_secs()..=validity.not_after.to_unix_duration().as_secs())
            .contains(&time)
    }

    /// Whether its key may sign certificates.
    pub(crate) fn may_certify(&self) -> bool {
        self.key_usage.is_none_or(|usage| usage.key_cert_sign())
    }

    /// Whether `authority` signed it.
    pub(crate) fn is_signed_by(&self, authority: &Self) -> Result<(), String> {
        let scheme = self.scheme.clone()?;
        let key = authority.key.as_ref().map_err(Clone::clone)?;
        if key.verifies(scheme, &self.signed, &self.signature) {
            Ok(())
        } else {
            Err("its signature does not verify".to_owned())
        }
    }

    /// The content of an extension.
    pub(crate) fn extension(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        let mut extensions = self.content.extensions()?.iter();
        let found = extensions.find(|extension| extension.extn_id == id);
        found.map(|extension| extension.extn_value.as_bytes())
    }

    /// E-mail addresses that it speaks for.
    pub(crate) fn emails(&self) -> Vec<&str> {
        let names = self.names.iter().filter_map(|name| match name {
            GeneralName::Rfc822Name(email) => Some(email.as_str()),
            _ => None,
        });
        names.collect()
    }

    /// Host names that it speaks for, with wildcards.
    pub(crate) fn host_names(&self) -> Vec<&str> {
        let names = self.names.iter().filter_map(|name| match name {
            GeneralName::DnsName(host) => Some(host.as_str()),
            _ => None,
        });
        names.collect()
    }

    /// Addresses of hosts that it speaks for, in network order.
    pub(crate) fn addresses(&self) -> Vec<&[u8]> {
        let names = self.names.iter().filter_map(|name| match name {
            GeneralName::IpAddress(address) => Some(address.as_bytes()),
            _ => None,
        });
        names.collect()
    }
}
