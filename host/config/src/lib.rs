//! The configuration that users already have for container tools: credentials, certificates, trust policy and storage.
//!
//! Nothing here reads the process environment or a fixed path by itself. An [`Environment`] says where things are;
//! [`Environment::of_process`] makes the real one, and its [`VARIABLES`] table lists every variable that is read.

mod auth;
mod certificates;
mod environment;
mod kubeconfig;
mod policy;
mod registries_d;
mod sigstore_parameters;
mod storage;

pub use auth::{AuthError, AuthStore, Credentials, HelperError};
pub use certificates::{CertificateError, CertificateFiles, ClientCertificate, PemFile};
pub use environment::{Environment, ROOTLESS_UID, VARIABLES, VariableDoc};
pub use kubeconfig::{ApiCredentials, ApiServer, KubeconfigError};
pub use policy::{Policy, PolicyError, PolicySection, Requirement, RequirementCheck};
pub use registries_d::{SignatureStorage, SignatureStorageError, StorageUse};
pub use sigstore_parameters::{SigstoreParameters, SigstoreParametersError};
pub use storage::{StorageConfig, StorageConfigError};
