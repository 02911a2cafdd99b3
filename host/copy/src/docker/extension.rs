//! Signatures that a registry, or what manages it, keeps of its own accord: they are shared, so new ones are added and
//! none is removed (RD-09, AT-01).

use async_trait::async_trait;
use longshore_registry::{OpenShift, RegistryError, Repository};
use longshore_sign::{SignatureFormat, openpgp_message};
use longshore_types::{Digest, ErrorKind};

use super::failed;
use crate::error::TransportError;

/// What keeps simple signing signatures of manifests (BL-05).
#[async_trait]
pub(crate) trait Keeper: Sync {
    /// The OpenPGP messages about a manifest.
    async fn kept(&self, digest: &Digest) -> Result<Vec<Vec<u8>>, RegistryError>;

    /// Keeps one more of them.
    async fn keep(&self, digest: &Digest, message: &[u8]) -> Result<(), RegistryError>;
}

#[async_trait]
impl Keeper for Repository {
    async fn kept(&self, digest: &Digest) -> Result<Vec<Vec<u8>>, RegistryError> {
        self.signatures(digest).await
    }

    async fn keep(&self, digest: &Digest, message: &[u8]) -> Result<(), RegistryError> {
        self.add_signature(digest, message).await
    }
}

#[async_trait]
impl Keeper for OpenShift {
    async fn kept(&self, digest: &Digest) -> Result<Vec<Vec<u8>>, RegistryError> {
        self.signatures(digest).await
    }

    async fn keep(&self, digest: &Digest, message: &[u8]) -> Result<(), RegistryError> {
        self.add_signature(digest, message).await
    }
}

/// The signatures of a manifest, in their stored form, which is the message itself.
pub(crate) async fn read(keeper: &dyn Keeper, digest: &Digest) -> Result<Vec<Vec<u8>>, TransportError> {
    let signatures = keeper.kept(digest).await.map_err(failed)?;
    // One that begins like the stored form of another format would become such a signature further on.
    match signatures
        .iter()
        .position(|message| openpgp_message(message) != Some(message))
    {
        Some(index) => {
            let text = format!(
                "signature {} of manifest {digest} is no simple signing signature",
                index + 1
            );
            Err(TransportError::new(ErrorKind::InvalidData, text))
        }
        None => Ok(signatures),
    }
}

/// Adds signatures, given in their stored form, to those that a manifest has, without those that are there already.
pub(crate) async fn add(keeper: &dyn Keeper, digest: &Digest, signatures: &[Vec<u8>]) -> Result<(), TransportError> {
    if signatures.is_empty() {
        return Ok(());
    }
    let messages = signatures.iter().map(|stored| message(stored));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    let mut kept = keeper.kept(digest).await.map_err(failed)?;
    for message in messages {
        if !kept.iter().any(|known| known == message) {
            keeper.keep(digest, message).await.map_err(failed)?;
            kept.push(message.to_vec());
        }
    }
    Ok(())
}

fn message(stored: &[u8]) -> Result<&[u8], TransportError> {
    openpgp_message(stored).ok_or_else(|| {
        let text = match SignatureFormat::of(stored) {
            SignatureFormat::Other(name) => format!("unsupported, and unrecognized, signature format {name:?}"),
            SignatureFormat::Sigstore | SignatureFormat::SimpleSigning => NO_SIGSTORE.to_owned(),
        };
        TransportError::new(ErrorKind::Unsupported, text)
    })
}

/// Why signatures of sigstore's tools are not kept.
pub(crate) const NO_SIGSTORE: &str = "unsupported signature format sigstore-json";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Memory(Mutex<Vec<Vec<u8>>>);

    #[async_trait]
    impl Keeper for Memory {
        async fn kept(&self, _digest: &Digest) -> Result<Vec<Vec<u8>>, RegistryError> {
            Ok(self.0.lock().unwrap().clone())
        }

        async fn keep(&self, _digest: &Digest, message: &[u8]) -> Result<(), RegistryError> {
            self.0.lock().unwrap().push(message.to_vec());
            Ok(())
        }
    }

    #[tokio::test]
    async fn signatures_are_added_once_and_only_messages_are() {
        let (memory, digest) = (Memory::default(), Digest::sha256(b"manifest"));
        let rows: [(&[&[u8]], _); 6] = [
            (&[], Ok(0)),
            (&[b"\x90 one", b"\x90 one"], Ok(1)),
            (&[b"\0simple-signing\n\x90 one", b"\x90 two"], Ok(2)),
            (&[b"\x90 three", b"\0sigstore-json\n{}"], Err(NO_SIGSTORE)),
            (
                &[b"\0new\nx"],
                Err("unsupported, and unrecognized, signature format \"new\""),
            ),
            (&[b"\0simple-signing\n\0sigstore-json\n{}"], Err(NO_SIGSTORE)),
        ];
        for (signatures, expected) in rows {
            let signatures: Vec<_> = signatures.iter().map(|signature| signature.to_vec()).collect();
            let added = add(&memory, &digest, &signatures).await;
            let kept = read(&memory, &digest).await.unwrap();
            match expected {
                Ok(count) => assert_eq!((added.is_ok(), kept.len()), (true, count), "{signatures:?}"),
                Err(text) => assert_eq!(added.unwrap_err().to_string(), text),
            }
        }
        assert_eq!(read(&memory, &digest).await.unwrap(), [b"\x90 one", b"\x90 two"]);

        memory.keep(&digest, b"\0sigstore-json\n{}").await.unwrap();
        let error = read(&memory, &digest).await.unwrap_err().to_string();
        assert!(error.starts_with("signature 3 of manifest sha256:"), "{error}");
    }
}
