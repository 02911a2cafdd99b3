//! Copies container images between any two places that can hold one, verifying every byte on the way.
//!
//! [`Transports`] opens images by name: registries, and the clusters that have some, natively, everything else through plugins. [`Copier`] moves one image from a [`Location`] to
//! another: the source is read and accepted by the [`SignaturePolicy`] before the destination is opened, blobs are moved in parallel on threads of
//! their own, and the image becomes visible with the last step. [`Copying`] is the future of it and [`Events`] its progress; the crate prints
//! nothing. [`SignaturePolicy::verify`] judges without copying and explains the verdict. The functions for reading
//! manifests and configs serve commands that only look at an image.

mod access;
mod atomic;
mod blob;
mod blob_info_cache;
mod compression;
mod config;
mod copier;
mod destination;
mod docker;
mod error;
mod event;
mod fetch;
mod image;
mod layers;
mod list;
mod manifest_types;
mod open;
mod options;
mod plugin;
mod policy;
mod reuse;
mod schema_one;
mod signing;
mod single;
mod source;
mod transport;
mod transports;
mod verify;

#[cfg(test)]
mod fakes;

pub use access::{Access, CredentialChoice, Secret};
pub use atomic::AtomicTransport;
pub use blob_info_cache::{BlobInfoCache, Fact, MemoryCache, SqliteCache, Variant};
pub use compression::CompressionOptions;
pub use copier::{CancelHandle, Copier, Copying};
pub use destination::{DestinationTraits, ImageDestination, PendingBlob, Publish, Reused};
pub use docker::DockerTransport;
pub use error::{CopyError, Side, TransportError};
pub use event::{BlobKind, Event, Events, SkipReason};
pub use fetch::fetch_blobs;
pub use image::{MAX_CONFIG_SIZE, SelectedImage, read_config, read_manifest, select_instance};
pub use options::{CopyReport, DEFAULT_PARALLEL, Instances, Options};
pub use policy::{
    ConfigFetcher, Evaluator, Evaluators, Explanation, Finding, FoundSignature, ImageFacts, JudgedRequirement, Outcome,
    SignaturePolicy, Verdict,
};
pub use signing::{GpgSigner, Signer, SigstoreSigner, verify_signature};
pub use source::{Body, ImageSource, RepositoryTags};
pub use transport::{Identity, Location, Purpose, Transport};
pub use transports::{Endpoint, TagList, Transports};
pub use verify::Verification;
