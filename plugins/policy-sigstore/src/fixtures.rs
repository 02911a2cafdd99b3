//! An authority, a log and signers of the tests' own.

use std::str::FromStr as _;
use std::time::Duration;

use const_oid::ObjectIdentifier;
use der::Encode as _;
use der::asn1::{Ia5String, OctetString};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use sha2::{Digest as _, Sha256};
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder as _, CertificateBuilder, Result};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{EncodePublicKey as _, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

pub(crate) const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
pub(crate) const NAME: &str = "example.com/app:1";
pub(crate) const ISSUER: &str = "https://login.example.com";
pub(crate) const EMAIL: &str = "me@example.com";
/// When the certificates of signers begin to be valid, in seconds since 1970.
pub(crate) const SIGNED: u64 = 1_767_225_600;
pub(crate) const TEN_MINUTES: u64 = 600;
const TEN_YEARS: u64 = 10 * 365 * 86_400;

pub(crate) const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
pub(crate) const SERVER: &str = "1.3.6.1.5.5.7.3.1";

/// A P-256 key; the same number gives the same key.
pub(crate) struct Key(SigningKey);

impl Key {
    pub(crate) fn numbered(number: u8) -> Self {
        Self(SigningKey::from_slice(&[number; 32]).expect("a scalar"))
    }

    /// `SubjectPublicKeyInfo`, DER.
    pub(crate) fn info(&self) -> Vec<u8> {
        let info = self.0.verifying_key().to_public_key_der();
        info.expect("memory takes it").into_vec()
    }

    pub(crate) fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.info())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }
}

pub(crate) fn pem(tag: &str, der: &[u8]) -> String {
    pem::encode_config(
        &pem::Pem::new(tag, der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    )
}

/// What a certificate says.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) subject: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) extensions: Vec<Extension>,
}

impl BuilderProfile for Template {
    fn get_issuer(&self, _: &Name) -> Name {
        name(self.issuer)
    }

    fn get_subject(&self) -> Name {
        name(self.subject)
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

impl Template {
    /// An authority.
    pub(crate) fn authority(subject: &'static str, issuer: &'static str) -> Self {
        let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
        Self {
            subject,
            issuer,
            from: SIGNED - TEN_YEARS,
            to: SIGNED + TEN_YEARS,
            extensions: vec![authority(None), extension(true, &usage)],
        }
    }

    /// A signer at a Fulcio server.
    pub(crate) fn fulcio(issuer: &'static str) -> Self {
        Self {
            subject: "",
            issuer,
            from: SIGNED,
            to: SIGNED + TEN_MINUTES,
            extensions: vec![
                extension(true, &KeyUsage(KeyUsages::DigitalSignature.into())),
                purposes(&[CODE_SIGNING]),
                names(&[email(EMAIL)]),
                raw("1.3.6.1.4.1.57264.1.1", false, ISSUER.as_bytes()),
            ],
        }
    }

    /// A signer at another authority.
    pub(crate) fn pki(issuer: &'static str) -> Self {
        Self {
            subject: "CN=signer",
            from: SIGNED - TEN_YEARS,
            to: SIGNED + TEN_YEARS,
            extensions: vec![names(&[email(EMAIL), host("*.example.com")])],
            ..Self::fulcio(issuer)
        }
    }

    /// The same with an extension instead of the one with its identifier, if there is one.
    pub(crate) fn with(mut self, extension: Extension) -> Self {
        self.extensions.retain(|one| one.extn_id != extension.extn_id);
        self.extensions.push(extension);
        self
    }

    pub(crate) fn without(mut self, id: &str) -> Self {
        let id = oid(id);
        self.extensions.retain(|one| one.extn_id != id);
        self
    }

    /// The certificate in DER form.
    pub(crate) fn issue(self, subject: &Key, issuer: &Key) -> Vec<u8> {
        let time = |seconds| Time::try_from(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).expect("a year");
        let validity = Validity::new(time(self.from), time(self.to));
        let key = SubjectPublicKeyInfo::from_key(subject.0.verifying_key()).expect("memory takes it");
        let builder = CertificateBuilder::new(self, SerialNumber::from(7u8), validity, key).expect("a profile");
        let certificate = builder.build::<_, DerSignature>(&issuer.0).expect("a signature");
        certificate.to_der().expect("memory takes it")
    }
}

fn name(text: &str) -> Name {
    match text {
        "" => Name::default(),
        text => Name::from_str(text).expect("a name"),
    }
}

pub(crate) fn oid(id: &str) -> ObjectIdentifier {
    ObjectIdentifier::new(id).expect("an identifier")
}

pub(crate) fn raw(id: &str, critical: bool, value: &[u8]) -> Extension {
    Extension {
        extn_id: oid(id),
        critical,
        extn_value: OctetString::new(value).expect("memory takes it"),
    }
}

fn extension<T: const_oid::AssociatedOid + der::Encode>(critical: bool, value: &T) -> Extension {
    let extension = (T::OID, critical, value).to_extension(&Name::default(), &[]);
    extension.expect("memory takes it")
}

pub(crate) fn authority(path_length: Option<u8>) -> Extension {
    let constraints = BasicConstraints {
        ca: true,
        path_len_constraint: path_length,
    };
    extension(true, &constraints)
}

pub(crate) fn usage(usage: KeyUsages) -> Extension {
    extension(true, &KeyUsage(usage.into()))
}

pub(crate) fn purposes(purposes: &[&str]) -> Extension {
    extension(false, &ExtendedKeyUsage(purposes.iter().map(|id| oid(id)).collect()))
}

pub(crate) fn names(names: &[GeneralName]) -> Extension {
    extension(true, &SubjectAltName(names.to_vec()))
}

pub(crate) fn email(email: &str) -> GeneralName {
    GeneralName::Rfc822Name(Ia5String::new(email).expect("ASCII"))
}

pub(crate) fn host(host: &str) -> GeneralName {
    GeneralName::DnsName(Ia5String::new(host).expect("ASCII"))
}

/// What a signature says of an image.
pub(crate) fn payload(name: &str, digest: &str) -> Vec<u8> {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{name}"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
    )
    .into_bytes()
}

/// What a log keeps of a signature.
pub(crate) fn log_body(signer: &str, signature: &[u8], payload: &[u8]) -> String {
    let hash = hex::encode(Sha256::digest(payload));
    format!(
        r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{hash}"}}}},"signature":{{"content":"{}","publicKey":{{"content":"{}"}}}}}}}}"#,
        base64(signature),
        base64(signer.as_bytes())
    )
}

/// What a log promises of a body.
pub(crate) fn promise(log: &Key, body: &str, time: u64) -> String {
    let body = base64(body.as_bytes());
    let id = hex::encode(Sha256::digest(log.info()));
    let signed = format!(r#"{{"body":"{body}","integratedTime":{time},"logID":"{id}","logIndex":5}}"#);
    format!(
        r#"{{"SignedEntryTimestamp":"{}","Payload":{{"body":"{body}","integratedTime":{time},"logIndex":5,"logID":"{id}"}}}}"#,
        base64(&log.sign(signed.as_bytes()))
    )
}

/// A signature as it is stored.
pub(crate) fn stored(payload: &[u8], annotations: &[(&str, &str)]) -> Vec<u8> {
    let annotations: Vec<_> = annotations
        .iter()
        .map(|(key, value)| format!("{key:?}:{}", longshore_types::json::to_string(value).expect("a string")))
        .collect();
    let json = format!(
        r#"{{"mimeType":"application/vnd.dev.cosign.simplesigning.v1+json","payload":"{}","annotations":{{{}}}}}"#,
        base64(payload),
        annotations.join(",")
    );
    [b"\0sigstore-json\n", json.as_bytes()].concat()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
