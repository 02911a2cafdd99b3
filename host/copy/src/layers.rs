use std::collections::HashMap;
use std::num::NonZeroUsize;

use futures_util::stream::{FuturesUnordered, StreamExt};
use longshore_blob::LayerWish;
use longshore_types::media_type::{self, MediaTypeError};
use longshore_types::{BlobInfo, Compression, Descriptor, Digest, ImageManifest};

use crate::blob::{BlobJob, Outcome, Shared, Stored};
use crate::error::CopyError;
use crate::event::{BlobKind, Event, SkipReason};

/// How the layers of an image are to be moved.
pub(crate) struct LayerPlan<'a> {
    pub(crate) image: &'a ImageManifest,
    /// For layers whose media type allows a change (LC-07).
    pub(crate) wish: LayerWish,
    /// Whether the manifest to be written can name zstd layers.
    pub(crate) zstd: bool,
    /// At least one.
    pub(crate) parallel: NonZeroUsize,
    /// As the config lists them; empty if it lists none.
    pub(crate) diff_ids: &'a [Digest],
}

/// Moves all layers, each digest once. On failure the others are stopped and awaited, and the first real error is given.
pub(crate) async fn copy_layers(shared: &Shared<'_>, plan: &LayerPlan<'_>) -> Result<Vec<Outcome>, CopyError> {
    let layers = &plan.image.layers;
    let firsts = first_positions(layers);
    let mut waiting = (0..layers.len()).filter(|index| firsts[&layers[*index].digest] == *index);
    let mut running = FuturesUnordered::new();
    let mut outcomes: HashMap<usize, Outcome> = HashMap::new();
    let mut failure: Option<CopyError> = None;
    loop {
        while running.len() < plan.parallel.get() && failure.is_none() {
            let Some(index) = waiting.next() else { break };
            running.push(copy_layer(shared, plan, index));
        }
        match running.next().await {
            None => break,
            Some((index, Ok(outcome))) => {
                outcomes.insert(index, outcome);
            }
            Some((_, Err(error))) => {
                shared.cancel.cancel();
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(spread(shared, layers, &firsts, &outcomes)),
    }
}

async fn copy_layer(shared: &Shared<'_>, plan: &LayerPlan<'_>, index: usize) -> (usize, Result<Outcome, CopyError>) {
    let descriptor = &plan.image.layers[index];
    let wish = if changeable(&descriptor.media_type) {
        plan.wish
    } else {
        LayerWish::Preserve
    };
    let mut info = descriptor
        .to_blob_info("layer")
        .with_extra(BlobInfo::LAYER_INDEX, index.to_string());
    if let Some(diff_id) = plan.diff_ids.get(index) {
        info = info.with_extra(BlobInfo::DIFF_ID, diff_id.as_str());
    }
    let job = BlobJob {
        number: index,
        kind: BlobKind::Layer,
        descriptor,
        info,
        wish,
        zstd: plan.zstd,
        bytes: None,
    };
    let outcome = shared
        .copy_blob(&job)
        .await
        .and_then(|outcome| check_diff_id(shared, plan, index, outcome));
    (index, outcome)
}

/// Compares the uncompressed bytes that passed with what the config says about every position that this layer stands at.
fn check_diff_id(
    shared: &Shared<'_>,
    plan: &LayerPlan<'_>,
    first: usize,
    outcome: Outcome,
) -> Result<Outcome, CopyError> {
    let layers = &plan.image.layers;
    let (Some(found), true) = (outcome.seen_diff_id(), plan.diff_ids.len() == layers.len()) else {
        return Ok(outcome);
    };
    let layer = &layers[first].digest;
    for (index, expected) in plan
        .diff_ids
        .iter()
        .enumerate()
        .filter(|(index, _)| layers[*index].digest == *layer)
    {
        // A layer named by another algorithm than the config uses was hashed by that one only.
        if expected.algorithm() == found.algorithm() && expected != found {
            return Err(CopyError::DiffId {
                name: shared.source_name.to_owned(),
                index,
                layer: layer.clone(),
                expected: expected.clone(),
                found: found.clone(),
            });
        }
    }
    Ok(outcome)
}

fn first_positions(layers: &[Descriptor]) -> HashMap<Digest, usize> {
    let mut firsts = HashMap::new();
    for (index, layer) in layers.iter().enumerate() {
        firsts.entry(layer.digest.clone()).or_insert(index);
    }
    firsts
}

/// Gives each position the outcome of its digest (BR-07).
fn spread(
    shared: &Shared<'_>,
    layers: &[Descriptor],
    firsts: &HashMap<Digest, usize>,
    outcomes: &HashMap<usize, Outcome>,
) -> Vec<Outcome> {
    let each = layers.iter().enumerate().map(|(index, layer)| {
        let first = firsts[&layer.digest];
        if first == index {
            return outcomes[&index].clone();
        }
        let started = Event::BlobStarted {
            blob: index,
            kind: BlobKind::Layer,
            digest: layer.digest.clone(),
            size: layer.size,
        };
        shared.reporter.send(started);
        shared.reporter.send(Event::BlobSkipped {
            blob: index,
            reason: SkipReason::AlreadyExists,
        });
        match outcomes[&first].stored() {
            Some(stored) => Outcome::Repeated(Box::new(stored)),
            None => Outcome::Skipped,
        }
    });
    each.collect()
}

/// Whether a layer of this type may change its compression: not an encrypted one, and none of unknown type (LC-07).
fn changeable(media_type: &str) -> bool {
    media_type::layer(media_type).is_some_and(|layer| !layer.encrypted)
}

/// The layers as the destination has them; none if they are those of the source.
///
/// Once the manifest is written anew, media types follow what the bytes really are (LC-04).
pub(crate) fn updated(layers: &[Descriptor], outcomes: &[Outcome]) -> Result<Option<Vec<Descriptor>>, MediaTypeError> {
    let stored: Vec<Option<Stored>> = outcomes.iter().map(Outcome::stored).collect();
    let changed =
        |(layer, stored): (&Descriptor, &Option<Stored>)| stored.as_ref().is_some_and(|it| it.digest != layer.digest);
    if !layers.iter().zip(&stored).any(changed) {
        return Ok(None);
    }
    let each = layers.iter().zip(&stored).map(|(layer, stored)| {
        let Some(stored) = stored else { return Ok(layer.clone()) };
        let described = describe(layer, stored);
        // A layer that stayed as it is may be compressed in a way that no type stands for.
        if stored.digest == layer.digest {
            Ok(described.unwrap_or_else(|_| layer.clone()))
        } else {
            described
        }
    });
    each.collect::<Result<_, _>>().map(Some)
}

/// A layer as it is stored. Docker has no type for zstd: the layer gets OCI's, and the manifest has to follow.
fn describe(layer: &Descriptor, stored: &Stored) -> Result<Descriptor, MediaTypeError> {
    let mut layer = layer.clone();
    let of_docker = media_type::layer(&layer.media_type).is_some_and(|known| known.docker);
    if of_docker && stored.compression == Compression::Zstd && stored.digest != layer.digest {
        layer.media_type = media_type::to_oci(&layer.media_type)?;
    }
    layer.stored_as(stored.digest.clone(), stored.size, stored.compression)
}
