//! Sigstore signatures as other programs make them, with an authority and a log of the tests' own.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, SigningKey as _, date_time_ymd,
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
/// The extension with the OIDC issuer, as old servers write it.
const ISSUER: [u64; 9] = [1, 3, 6, 1, 4, 1, 57264, 1, 1];

/// The day on which certificates of [`CodeAuthority`] are valid, in seconds since 1970: 2024-01-01.
pub const CERTIFIED_DAY: i64 = 1_704_067_200;

/// A P-256 key.
pub struct SigstoreKey(KeyPair);

impl SigstoreKey {
    /// Another key each time.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new() -> Result<Self> {
        KeyPair::generate().map(Self).context("cannot make a key")
    }

    /// Its public half.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.public_key_pem()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        self.0.sign(message).context("cannot sign")
    }

    /// What this key, if it is a log's, promises of a signature at a time in seconds since 1970.
    fn promise(&self, signer: &str, signature: &[u8], payload: &[u8], time: i64) -> Result<String> {
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": hex::encode(Sha256::digest(payload)) } },
                "signature": {
                    "content": STANDARD.encode(signature),
                    "publicKey": { "content": STANDARD.encode(signer) },
                },
            },
        });
        let entry = self.log_entry(&body.to_string(), time)?;
        let promise = json!({
            "SignedEntryTimestamp": entry["verification"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["body"],
                "integratedTime": time,
                "logIndex": entry["logIndex"],
                "logID": entry["logID"],
            },
        });
        Ok(promise.to_string())
    }

    /// The entry of this key, if it is a log's, as the log hands it out.
    pub(crate) fn log_entry(&self, body: &str, time: i64) -> Result<Value> {
        let body = STANDARD.encode(body);
        let id = hex::encode(Sha256::digest(b"any log"));
        let signed = format!(r#"{{"body":"{body}","integratedTime":{time},"logID":"{id}","logIndex":1}}"#);
        Ok(json!({
            "body": body,
            "integratedTime": time,
            "logID": id,
            "logIndex": 1,
            "verification": { "signedEntryTimestamp": STANDARD.encode(self.sign(signed.as_bytes())?) },
        }))
    }
}

/// Issues certificates to who signs code, through an intermediate authority.
pub struct CodeAuthority {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
}

impl CodeAuthority {
    /// Another authority each time.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new() -> Result<Self> {
        let params = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            params
        };
        let key = || KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).context("cannot make a key");
        let root = CertifiedIssuer::self_signed(params("root"), key()?).context("cannot make an authority")?;
        let intermediate = CertifiedIssuer::signed_by(params("intermediate"), key()?, &root);
        Ok(Self {
            root,
            intermediate: intermediate.context("cannot make an authority")?,
        })
    }

    /// Its root certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.root.pem()
    }

    /// A key and its certificate, which is valid for [`CERTIFIED_DAY`] only if an OIDC issuer confirmed the address,
    /// and for a long time otherwise.
    fn certify(&self, email: &str, issuer: Option<&str>) -> Result<(SigstoreKey, String)> {
        let mut params = CertificateParams::default();
        let email: Ia5String = email.try_into().context("no e-mail address")?;
        params.subject_alt_names = vec![SanType::Rfc822Name(email)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if let Some(issuer) = issuer {
            let issuer = CustomExtension::from_oid_content(&ISSUER, issuer.as_bytes().to_vec());
            params.custom_extensions = vec![issuer];
            params.not_before = date_time_ymd(2024, 1, 1);
            params.not_after = date_time_ymd(2024, 1, 2);
        }
        let key = SigstoreKey::new()?;
        let certificate = params
            .signed_by(&key.0, &self.intermediate)
            .context("cannot sign a certificate")?;
        Ok((key, certificate.pem()))
    }
}

/// A signature of an image, in the form in which it is stored.
#[derive(Clone)]
pub struct SigstoreSignature {
    payload: Vec<u8>,
    annotations: Map<String, Value>,
}

/// What a signature says: the name of an image and the digest of its manifest.
#[must_use]
pub fn sigstore_payload(name: &str, digest: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{name}"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
    )
}

impl SigstoreSignature {
    /// A signature that was made elsewhere.
    #[must_use]
    pub fn of(payload: &str, signature: &[u8]) -> Self {
        let mut annotations = Map::new();
        annotations.insert(SIGNATURE.to_owned(), STANDARD.encode(signature).into());
        Self {
            payload: payload.as_bytes().to_vec(),
            annotations,
        }
    }

    /// By a key alone.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn by_key(key: &SigstoreKey, payload: &str) -> Result<Self> {
        Ok(Self::of(payload, &key.sign(payload.as_bytes())?))
    }

    /// By a key, and a log has it.
    ///
    /// # Errors
    /// A key cannot sign.
    pub fn by_logged_key(key: &SigstoreKey, log: &SigstoreKey, payload: &str) -> Result<Self> {
        let signature = key.sign(payload.as_bytes())?;
        let promise = log.promise(&key.pem(), &signature, payload.as_bytes(), CERTIFIED_DAY)?;
        Ok(Self::of(payload, &signature).annotated(LOG_ENTRY, &promise))
    }

    /// By a key that was certified for a day, and a log has it since `time`, in seconds since 1970.
    ///
    /// # Errors
    /// A key cannot sign.
    pub fn by_fulcio(
        authority: &CodeAuthority,
        log: &SigstoreKey,
        email: &str,
        issuer: &str,
        payload: &str,
        time: i64,
    ) -> Result<Self> {
        let (key, certificate) = authority.certify(email, Some(issuer))?;
        let signature = key.sign(payload.as_bytes())?;
        let promise = log.promise(&certificate, &signature, payload.as_bytes(), time)?;
        Ok(Self::of(payload, &signature)
            .annotated(LOG_ENTRY, &promise)
            .certified(authority, &certificate))
    }

    /// By a key that was certified for long, without a log.
    ///
    /// # Errors
    /// A key cannot sign.
    pub fn by_pki(authority: &CodeAuthority, email: &str, payload: &str) -> Result<Self> {
        let (key, certificate) = authority.certify(email, None)?;
        Ok(Self::by_key(&key, payload)?.certified(authority, &certificate))
    }

    fn certified(self, authority: &CodeAuthority, certificate: &str) -> Self {
        let chain = authority.intermediate.pem() + &authority.root.pem();
        self.annotated(CERTIFICATE, certificate).annotated(CHAIN, &chain)
    }

    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }

    /// The same without one of its annotations, named by the end of its key.
    #[must_use]
    pub fn without(mut self, end: &str) -> Self {
        self.annotations.retain(|key, _| !key.ends_with(end));
        self
    }

    /// One of its annotations, named by the end of its key; empty if it is not there.
    #[must_use]
    pub fn annotation(&self, end: &str) -> &str {
        let found = self.annotations.iter().find(|(key, _)| key.ends_with(end));
        found.and_then(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The same with another value of one of its annotations, named by the end of its key.
    #[must_use]
    pub fn with(mut self, end: &str, value: &str) -> Self {
        for (_, annotation) in self.annotations.iter_mut().filter(|(key, _)| key.ends_with(end)) {
            *annotation = value.into();
        }
        self
    }

    /// The bytes of the file.
    #[must_use]
    pub fn stored(&self) -> Vec<u8> {
        let json = json!({
            "mimeType": MEDIA_TYPE,
            "payload": STANDARD.encode(&self.payload),
            "annotations": self.annotations,
        });
        [b"\0sigstore-json\n", json.to_string().as_bytes()].concat()
    }
}
