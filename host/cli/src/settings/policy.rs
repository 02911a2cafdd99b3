//! The trust policy, checked by the plugins that will evaluate it.

use std::path::PathBuf;
use std::sync::Arc;

use longshore_config::Environment;
use longshore_copy::{CopyError, SignaturePolicy};
use longshore_runtime::PluginHost;

/// Where the trust policy comes from (PO-01 to PO-04).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PolicyChoice {
    /// Everything is accepted.
    AcceptAnything,
    /// This file.
    File(PathBuf),
    /// The first file of the usual search.
    Search,
}

impl PolicyChoice {
    /// Loads the policy; what it requires is checked by `plugins`.
    pub(super) async fn load(
        &self,
        plugins: &PluginHost,
        environment: &Arc<Environment>,
    ) -> Result<SignaturePolicy, CopyError> {
        let file = match self {
            Self::AcceptAnything => return Ok(SignaturePolicy::accept_anything(plugins.clone())),
            Self::File(path) => Some(path.clone()),
            Self::Search => None,
        };
        SignaturePolicy::load(file, Arc::clone(environment), plugins.clone()).await
    }
}
