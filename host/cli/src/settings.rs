//! Global options resolved to what commands work with.

mod access;
mod plugins;
mod policy;

use std::path::PathBuf;
use std::sync::Arc;

use longshore_config::Environment;
use longshore_copy::{BlobInfoCache, MemoryCache, SignaturePolicy, SqliteCache, Transports};
use longshore_runtime::PluginHost;
use longshore_types::PlatformWish;

pub(crate) use self::access::Fallback;
use self::policy::PolicyChoice;
use crate::args::{GlobalArgs, UsageError};

/// The settings that all commands share.
pub(crate) struct Settings {
    /// The platform whose instance is taken from a list.
    pub(crate) platform: PlatformWish,
    /// Whether an option said so.
    pub(crate) platform_is_overridden: bool,
    /// Which trust policy to obey.
    policy: PolicyChoice,
    /// Whether an image must have a verified signature (G-04).
    require_signed: bool,
    /// The plugins there are; none is loaded yet.
    pub(crate) plugins: PluginHost,
    /// What sides use that do not say themselves.
    pub(crate) fallback: Fallback,
    /// Where the user wants large temporary files (G-11).
    temporary_folder: Option<PathBuf>,
    environment: Arc<Environment>,
}

impl Settings {
    /// Resolves the global options.
    pub(crate) fn resolve(global: GlobalArgs) -> Result<Self, UsageError> {
        let platform = PlatformWish::running().overridden(
            given(&global.override_os),
            given(&global.override_arch),
            given(&global.override_variant),
        );
        let overrides = [&global.override_os, &global.override_arch, &global.override_variant];
        let platform_is_overridden = overrides.into_iter().any(|option| given(option).is_some());
        if global.insecure_policy && global.require_signed {
            return Err(UsageError::new(
                "--insecure-policy and --require-signed are mutually exclusive",
            ));
        }
        let policy = match global.policy.and_then(access::path) {
            _ if global.insecure_policy => PolicyChoice::AcceptAnything,
            Some(path) => PolicyChoice::File(path),
            None => PolicyChoice::Search,
        };
        let temporary_folder = global.tmpdir.and_then(access::path);
        let registries_d = global.registries_d.and_then(access::path);
        let environment = Environment::of_process().with_registries_d(registries_d);
        let unpacked = temporary_folder.clone();
        let unpacked = unpacked.unwrap_or_else(|| environment.large_temporary_folder());
        let plugins = plugins::host(global.plugins, &environment, global.no_sync, unpacked)?;
        let fallback = Fallback {
            tls_verify: global.tls_verify,
            user_agent: given(&global.user_agent_prefix).map(user_agent).transpose()?,
            ..Fallback::default()
        };
        Ok(Self {
            platform,
            platform_is_overridden,
            policy,
            require_signed: global.require_signed,
            plugins,
            fallback,
            temporary_folder,
            environment: Arc::new(environment),
        })
    }

    /// The transports that images can be named by.
    pub(crate) fn transports(&self) -> Transports {
        Transports::standard(self.plugins.clone(), Arc::clone(&self.environment))
    }

    /// The folder for temporary files as large as a blob.
    pub(crate) fn large_temporary_folder(&self) -> PathBuf {
        let named = self.temporary_folder.clone();
        named.unwrap_or_else(|| self.environment.large_temporary_folder())
    }

    /// What remembers blobs from copy to copy (BR-04).
    pub(crate) fn blob_info_cache(&self) -> Arc<dyn BlobInfoCache> {
        match self.environment.blob_info_cache_file() {
            Some(file) => Arc::new(SqliteCache::new(file)),
            None => Arc::new(MemoryCache::default()),
        }
    }

    /// Loads the trust policy.
    pub(crate) async fn trust_policy(&self) -> anyhow::Result<SignaturePolicy> {
        let policy = self.policy.load(&self.plugins, &self.environment).await?;
        Ok(policy.require_signed(self.require_signed))
    }
}

/// An option's text; the empty one says nothing, as in skopeo.
fn given(option: &Option<String>) -> Option<&str> {
    option.as_deref().filter(|text| !text.is_empty())
}

/// What registries see us as (G-12).
fn user_agent(prefix: &str) -> Result<String, UsageError> {
    if prefix.chars().any(char::is_control) {
        return Err(UsageError::new("user-agent-prefix must not hold control characters"));
    }
    Ok(format!("{prefix} longshore/{}", env!("CARGO_PKG_VERSION")))
}
