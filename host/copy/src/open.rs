use std::sync::{Arc, mpsc};

use longshore_types::{Descriptor, ImageFormat, ImageManifest, PlatformWish, RawManifest};

use crate::config::Config;
use crate::destination::ImageDestination;
use crate::error::{CopyError, Side, TransportError, chain};
use crate::image::{SelectedImage, on_source, read_config, read_manifest, select_instance};
use crate::policy::{ConfigFetcher, Explanation, SignaturePolicy};
use crate::schema_one::{self, Original};
use crate::source::ImageSource;
use crate::transport::{Identity, Location};

/// A source whose image is known, parsed and accepted by the policy.
pub(crate) struct AcceptedImage {
    pub(crate) source: Arc<dyn ImageSource>,
    pub(crate) name: String,
    pub(crate) selected: SelectedImage,
    pub(crate) manifest: ImageManifest,
    pub(crate) config: Config,
    pub(crate) signatures: Vec<Vec<u8>>,
    /// Whether the source has other layers than its manifest names: `manifest` has those that can be read.
    pub(crate) has_other_layers: bool,
    /// What the source really has, if that is schema 1; manifest and config are then made of it.
    pub(crate) schema_one: Option<Box<Original>>,
}

impl AcceptedImage {
    /// What the source's manifest is written in.
    pub(crate) fn format(&self) -> ImageFormat {
        match &self.schema_one {
            Some(_) => ImageFormat::SchemaOne,
            None => self.manifest.kind.into(),
        }
    }
}

/// An opened source, and what its reference names.
pub(crate) struct OpenedSource {
    pub(crate) source: Arc<dyn ImageSource>,
    pub(crate) name: String,
    pub(crate) top: RawManifest,
}

/// Opens a source and reads what its reference names, while the policy is made ready to judge it.
pub(crate) async fn source(location: Box<dyn Location>, policy: &SignaturePolicy) -> Result<OpenedSource, CopyError> {
    let name = location.display();
    let policy_failed = |detail| CopyError::Policy {
        name: name.clone(),
        detail,
    };
    let failed = |source| CopyError::Open {
        side: Side::Source,
        name: name.clone(),
        source,
    };
    let opening = async {
        let source: Arc<dyn ImageSource> = location.open_source().await.map_err(failed)?.into();
        let name = source.identity().display();
        let top = read_manifest(source.as_ref()).await?;
        Ok(OpenedSource { source, name, top })
    };
    let preparing = async { policy.prepare().await.map_err(policy_failed) };
    // In this order: loading an evaluator computes while the source's answer is on its way.
    let (opened, ()) = tokio::try_join!(opening, preparing)?;
    Ok(opened)
}

impl OpenedSource {
    /// Decides on the single image that is meant for `destination`. After this a copy may touch that.
    pub(crate) async fn accept_one(
        &self,
        policy: &SignaturePolicy,
        platform: &PlatformWish,
        destination: &dyn Location,
    ) -> Result<AcceptedImage, CopyError> {
        let selected = select_instance(self.source.as_ref(), self.top.clone(), platform).await?;
        self.accept(policy, selected, Some(destination)).await
    }

    /// Judges an image and reads what a copy needs to know of it; the latter while `destination` is made ready for the
    /// image.
    pub(crate) async fn accept(
        &self,
        policy: &SignaturePolicy,
        selected: SelectedImage,
        destination: Option<&dyn Location>,
    ) -> Result<AcceptedImage, CopyError> {
        let source = &self.source;
        let signatures = self.signatures(&selected).await?;
        // The manifest is judged before it is parsed in depth: an unaccepted one gets no further (P-04).
        let config = config_fetcher(source, &selected);
        policy.check(source.identity(), &selected, &signatures, config).await?;
        if selected.manifest.is_schema_one() {
            return schema_one::accepted(Arc::clone(source), self.name.clone(), selected, signatures).await;
        }
        let named = selected.parse(&self.name)?;
        let manifest = readable(source.as_ref(), &selected, &named).await?;
        let preparing = async {
            match destination {
                Some(destination) => prepare_destination(destination, &selected.manifest).await,
                None => Ok(()),
            }
        };
        let (config, ()) = tokio::try_join!(read_config(source.as_ref(), &manifest), preparing)?;
        let config = Config::new(config);
        check_other_layers(&named, &manifest, &config, &self.name)?;
        Ok(AcceptedImage {
            source: Arc::clone(source),
            name: self.name.clone(),
            selected,
            has_other_layers: manifest.layers != named.layers,
            manifest,
            config,
            signatures,
            schema_one: None,
        })
    }

    /// Judges an image and tells why it was judged so, whatever the verdict is.
    pub(crate) async fn explain(
        &self,
        policy: &SignaturePolicy,
        selected: &SelectedImage,
    ) -> Result<Explanation, CopyError> {
        let signatures = self.signatures(selected).await?;
        let config = config_fetcher(&self.source, selected);
        let identity = self.source.identity();
        policy.explain(identity, selected, &signatures, config).await
    }

    async fn signatures(&self, selected: &SelectedImage) -> Result<Vec<Vec<u8>>, CopyError> {
        let read = self.source.signatures(selected.instance.as_ref()).await;
        read.map_err(|error| on_source(self.source.as_ref(), "reading signatures", error))
    }
}

/// The image with the layers that can be read.
async fn readable(
    source: &dyn ImageSource,
    selected: &SelectedImage,
    named: &ImageManifest,
) -> Result<ImageManifest, CopyError> {
    let layers = source.layers(selected.instance.as_ref()).await;
    let Some(layers) = layers.map_err(|error| on_source(source, "reading layers", error))? else {
        return Ok(named.clone());
    };
    let mismatch = |detail: String| CopyError::Mismatch {
        what: "layers".into(),
        name: source.identity().display(),
        detail,
    };
    if layers.len() != named.layers.len() {
        return Err(mismatch(format!(
            "the manifest has {}, there are {}",
            named.layers.len(),
            layers.len()
        )));
    }
    let layers = named.layers.iter().zip(layers).map(|(named, layer)| {
        let digest = layer.digest.ok_or_else(|| mismatch("one has no digest".into()))?;
        let size = layer.size.ok_or_else(|| mismatch(format!("{digest} has no size")))?;
        if digest == named.digest {
            return Ok(named.clone());
        }
        Ok(Descriptor::new(&layer.media_type, digest, size))
    });
    Ok(named.with_layers(layers.collect::<Result<_, CopyError>>()?))
}

/// A layer that takes the place of another one was not judged: it has to be what the config, which was, says of it.
fn check_other_layers(
    named: &ImageManifest,
    readable: &ImageManifest,
    config: &Config,
    name: &str,
) -> Result<(), CopyError> {
    let changed = named
        .layers
        .iter()
        .zip(&readable.layers)
        .map(|(named, layer)| named != layer);
    for (index, (layer, _)) in readable
        .layers
        .iter()
        .zip(changed)
        .enumerate()
        .filter(|(_, (_, changed))| *changed)
    {
        let expected = config
            .diff_ids
            .get(index)
            .filter(|_| config.diff_ids.len() == readable.layers.len());
        if expected != Some(&layer.digest) {
            return Err(CopyError::Mismatch {
                what: format!("layer {index}"),
                name: name.to_owned(),
                detail: format!("the source has {} for it, which the config does not name", layer.digest),
            });
        }
    }
    Ok(())
}

/// Reads the config for an evaluator that asks, on a thread of its own.
fn config_fetcher(source: &Arc<dyn ImageSource>, selected: &SelectedImage) -> ConfigFetcher {
    let (source, selected) = (Arc::clone(source), selected.clone());
    let runtime = tokio::runtime::Handle::current();
    Arc::new(move || {
        let (source, selected) = (Arc::clone(&source), selected.clone());
        let (sender, receiver) = mpsc::channel();
        runtime.spawn(async move {
            let config = match selected.parse(&source.identity().display()) {
                Ok(manifest) => read_config(source.as_ref(), &manifest).await,
                Err(error) => Err(error),
            };
            // An evaluator that was stopped does not wait any more.
            let _ = sender.send(config.map_err(|error| chain(&error)));
        });
        receiver.recv().unwrap_or_else(|_| Err("interrupted".into()))
    })
}

/// Opens a destination for an accepted image.
pub(crate) async fn destination(
    location: Box<dyn Location>,
    source: &Identity,
) -> Result<Box<dyn ImageDestination>, CopyError> {
    let name = location.display();
    let opened = location.open_destination(source).await;
    opened.map_err(|source| destination_failed(name, source))
}

/// Does what can be done for a destination before it is opened to write `manifest`.
async fn prepare_destination(location: &dyn Location, manifest: &RawManifest) -> Result<(), CopyError> {
    let prepared = location.prepare(manifest).await;
    prepared.map_err(|source| destination_failed(location.display(), source))
}

pub(crate) fn destination_failed(name: String, source: TransportError) -> CopyError {
    CopyError::Open {
        side: Side::Destination,
        name,
        source,
    }
}
