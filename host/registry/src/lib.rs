//! A client of the OCI distribution protocol: manifests, blobs, uploads and tags of container
//! registries, with their ways of authentication.
//!
//! A [`Client`] stands for one registry and one user, a [`Repository`] for one repository in it.
//! Configuration files are not this crate's business: credentials and TLS settings come in through
//! the [`ClientBuilder`].
//!
//! [`OpenShift`] asks the API server of a cluster about images in the cluster's registry.
//!
//! What a registry sends is never trusted: every answer has a size limit and a stall limit,
//! credentials go to the registry itself and to the token server that it names over a connection
//! that is no worse, and nowhere else. Digests of blobs are for the caller to verify.
//!
//! The first client of a process that finds no default rustls crypto provider installs *ring*'s.

mod auth;
mod blobs;
mod challenge;
mod client;
mod error;
mod external;
mod fault;
mod http;
mod limits;
mod manifests;
mod openshift;
mod pieces;
mod ping;
mod refusal;
mod reply;
mod repository;
mod request;
mod resume;
mod scope;
mod signatures;
mod tags;
mod tap;
mod tls;
mod token;
mod upload;

pub use auth::Auth;
pub use client::{Client, ClientBuilder};
pub use error::{Problem, RegistryError};
pub use fault::{causes, shown};
pub use http::{ensure_crypto_provider, is_loopback};
pub use limits::MAX_TAG_PAGES;
pub use manifests::{Fetched, ManifestHead};
pub use openshift::{OpenShift, OpenShiftAccess, TaggedImage};
pub use refusal::{Refusal, RegistryCode};
pub use repository::Repository;
pub use resume::BlobBody;
pub use scope::Access;
pub use tls::{Certificates, CertificatesError};
pub use upload::Upload;
