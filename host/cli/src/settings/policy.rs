//! The trust policy, checked by the plugins that will evaluate it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use longshore_config::{Environment, Policy, RequirementCheck};
use longshore_copy::SignaturePolicy;
use longshore_runtime::{Error, PluginHost};
use tokio::runtime::Handle;

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
    ) -> anyhow::Result<SignaturePolicy> {
        let file = match self {
            Self::AcceptAnything => {
                return Ok(SignaturePolicy::new(
                    Policy::accept_anything(),
                    Arc::new(plugins.clone()),
                ));
            }
            Self::File(path) => Some(path.clone()),
            Self::Search => None,
        };
        let environment = Arc::clone(environment);
        let check = PluginCheck {
            plugins: plugins.clone(),
            runtime: Handle::current(),
        };
        let load = move || Policy::load(file.as_deref(), &environment, &check);
        let policy = tokio::task::spawn_blocking(load)
            .await
            .context("loading the policy")??;
        Ok(SignaturePolicy::new(policy, Arc::new(plugins.clone())))
    }
}

/// Asks plugins, from a thread that may block.
struct PluginCheck {
    plugins: PluginHost,
    runtime: Handle,
}

impl RequirementCheck for PluginCheck {
    fn check_requirement(&self, kind: &str, json: &str) -> Option<Result<(), String>> {
        let checked = self.runtime.block_on(async {
            match self.plugins.evaluator(kind).await? {
                Some(evaluator) => evaluator.check(json).await.map(Some),
                None => Ok(None),
            }
        });
        match checked {
            Ok(None) => None,
            Ok(Some(Ok(_files))) => Some(Ok(())),
            Ok(Some(Err(reason))) => Some(Err(reason)),
            Err(error) => Some(Err(error.to_string())),
        }
    }

    /// A transport that cannot be asked takes any scope, as an unknown one does
    /// (PG-03).
    fn is_scope(&self, transport: &str, scope: &str) -> bool {
        let checked = self.runtime.block_on(async {
            let plugin = self.plugins.transport(transport).await?;
            plugin.check_scope(scope).await
        });
        !matches!(checked, Err(Error::Plugin { .. }))
    }
}
