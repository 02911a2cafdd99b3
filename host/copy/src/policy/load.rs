use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use longshore_config::{Environment, Policy, RequirementCheck};
use longshore_runtime::{Error, PluginHost};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::{NamedFiles, SignaturePolicy};
use crate::error::CopyError;
use crate::{atomic, docker};

impl SignaturePolicy {
    /// Reads the policy: `explicit`, or else what `environment` finds (PO-02 to PO-04). The evaluators among `plugins` check the requirements in it,
    /// and its transports the scopes.
    pub async fn load(
        explicit: Option<PathBuf>,
        environment: Arc<Environment>,
        plugins: PluginHost,
    ) -> Result<Self, CopyError> {
        let check = PluginCheck {
            plugins: plugins.clone(),
            runtime: Handle::current(),
            named_files: Mutex::default(),
        };
        let load = move || {
            let policy = Policy::load(explicit.as_deref(), &environment, &check)?;
            Ok::<_, CopyError>((policy, check.named_files.into_inner()))
        };
        let loading = tokio::task::spawn_blocking(load);
        let (policy, named_files) = loading
            .await
            .map_err(|error| CopyError::Internal(error.to_string()))??;
        let named_files = named_files.unwrap_or_else(PoisonError::into_inner);
        Ok(Self {
            named_files: Arc::new(OnceCell::new_with(Some(named_files))),
            ..Self::new(policy, Arc::new(plugins))
        })
    }

    /// The policy that accepts every image (PO-01).
    pub fn accept_anything(plugins: PluginHost) -> Self {
        Self::new(Policy::accept_anything(), Arc::new(plugins))
    }
}

/// Asks plugins, on a thread that may block.
struct PluginCheck {
    plugins: PluginHost,
    runtime: Handle,
    /// What was answered; the same requirement may stand in many scopes.
    named_files: Mutex<NamedFiles>,
}

impl RequirementCheck for PluginCheck {
    fn check_requirement(&self, kind: &str, json: &str) -> Option<Result<(), String>> {
        let mut named = self.named_files.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind.to_owned(), json.to_owned());
        if named.contains_key(&key) {
            return Some(Ok(()));
        }
        self.runtime.block_on(async {
            let evaluator = match self.plugins.evaluator(kind).await {
                Ok(found) => found?,
                // The requirement may never be used; if it is, this is said then.
                Err(Error::BuiltWithoutPlugins(_)) => return Some(Ok(())),
                Err(error) => return Some(Err(error.to_string())),
            };
            Some(match evaluator.check(json).await {
                Ok(Ok(files)) => {
                    named.insert(key, files.into_iter().map(PathBuf::from).collect());
                    Ok(())
                }
                Ok(Err(reason)) => Err(reason),
                Err(error) => Err(error.to_string()),
            })
        })
    }

    /// A transport that cannot be asked takes any scope, as an unknown one does (PG-03).
    fn is_scope(&self, transport: &str, scope: &str) -> bool {
        if transport == docker::NAME {
            return true;
        }
        if transport == atomic::NAME {
            return atomic::is_scope(scope);
        }
        let checked = self.runtime.block_on(async {
            let plugin = self.plugins.transport(transport).await?;
            plugin.check_scope(scope).await
        });
        !matches!(checked, Err(Error::Plugin { .. }))
    }
}
