use async_trait::async_trait;
use longshore_blob::SliceSource;
use longshore_copy::{Body, Identity, ImageSource, TransportError};
use longshore_native_guest::Session;
use longshore_native_guest::export::{OpenSource, SourceOpener};
use longshore_types::{BlobInfo, Digest, ErrorKind, RawManifest};

use crate::thread::{Thread, refused};
use crate::transport::to_guest;

/// An image that a native plugin reads.
pub(crate) struct Source {
    thread: Thread<Box<dyn OpenSource>>,
    identity: Identity,
    has_signatures: bool,
}

impl Source {
    pub(crate) async fn open(
        begin: impl FnOnce() -> Result<(Session, Identity), TransportError> + Send + 'static,
        open: SourceOpener,
    ) -> Result<Self, TransportError> {
        let (thread, (identity, abilities)) = Thread::start(move || {
            let (session, identity) = begin()?;
            let source = open(session).map_err(refused)?;
            let abilities = source.abilities();
            Ok((source, (identity, abilities)))
        })
        .await?;
        Ok(Self {
            thread,
            identity,
            has_signatures: abilities.iter().any(|ability| ability == "signatures"),
        })
    }
}

#[async_trait]
impl ImageSource for Source {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Checked where it arrives, as the host does with those of components.
    async fn manifest(&self, instance: Option<&Digest>) -> Result<RawManifest, TransportError> {
        let wanted = instance.cloned();
        let read = move |source: &mut Box<dyn OpenSource>| {
            let invalid = |message: String| TransportError::new(ErrorKind::InvalidData, message);
            let asked = wanted.as_ref().map(ToString::to_string);
            let found = source.manifest(asked).map_err(refused)?;
            let claimed = match (wanted, found.digest) {
                (None, Some(text)) => Some(Digest::parse(&text).map_err(|error| invalid(error.to_string()))?),
                (wanted, _) => wanted,
            };
            let declared = Some(found.media_type.as_str()).filter(|name| !name.is_empty());
            let manifest = RawManifest::new(found.bytes, declared).map_err(|error| invalid(error.to_string()))?;
            match claimed {
                Some(claimed) if manifest.digest(claimed.algorithm()) != claimed => {
                    Err(invalid(format!("manifest digest did not match {claimed}")))
                }
                _ => Ok(manifest),
            }
        };
        self.thread.call(read).await
    }

    async fn blob(&self, info: &BlobInfo) -> Result<Body, TransportError> {
        let info = to_guest(info);
        let find = move |source: &mut Box<dyn OpenSource>| {
            use longshore_native_guest::Body as Found;
            Ok(match source.blob(info).and_then(|blob| blob.body()).map_err(refused)? {
                Found::Range(range) => {
                    let (source, size) = range.into_source().map_err(refused)?;
                    Body {
                        source: Box::new(source),
                        size: Some(size),
                    }
                }
                Found::Inline(bytes) => Body {
                    size: Some(bytes.len() as u64),
                    source: Box::new(SliceSource::new(bytes)),
                },
                Found::Streamed(reader) => match reader {},
                Found::Produced(_) => return Err(TransportError::unsupported("native", "producing blobs")),
            })
        };
        self.thread.call(find).await
    }

    async fn signatures(&self, instance: Option<&Digest>) -> Result<Vec<Vec<u8>>, TransportError> {
        if !self.has_signatures {
            return Ok(Vec::new());
        }
        let instance = instance.map(ToString::to_string);
        let read = move |source: &mut Box<dyn OpenSource>| source.signatures(instance).map_err(refused);
        self.thread.call(read).await
    }
}
