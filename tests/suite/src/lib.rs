//! What the tests of the whole program stand on: a maker of images, an independent check of what
//! lies on disk, a scripted registry in memory, real peers, and a runner of commands.
//!
//! Nothing here uses the host's own crates, so that a mistake in them cannot hide itself.

mod check;
mod command;
mod conformance;
mod docker_api;
mod docker_registry;
mod gpg;
mod image;
mod layer;
mod members;
mod registry;
mod scratch;
mod sigstore;
mod sigstore_services;
mod store;
mod terminal;

pub use check::{Checked, check_dir, check_image, check_layout, check_repository};
pub use command::{Finished, Tool, longshore, peer, test_guest};
pub use conformance::{Keeps, Outcome, Prepare, Subject, WithAccess, conformance, conforms};
pub use docker_api::DockerApi;
pub use docker_registry::DockerRegistry;
pub use gpg::Gpg;
pub use image::{Document, ImageSpec, Kind, MadeImage, running_architecture};
pub use layer::{Layer, Packing};
pub use members::Members;
pub use registry::{Auth, Authority, Builder, Fault, Gate, KeyPairPem, Locations, Request, TestRegistry, When};
pub use scratch::Scratch;
pub use sigstore::{CERTIFIED_DAY, CodeAuthority, SigstoreKey, SigstoreSignature, sigstore_payload};
pub use sigstore_services::{SigstoreServices, Spoken};
pub use store::{entries, files_below};
pub use terminal::Terminal;

use sha2::{Digest as _, Sha256};

/// The sha256 digest of bytes in its `sha256:HEX` form.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
