//! Copies one image, with the built-in plugins as components or linked natively:
//! `copy-in-process components|native [--no-sync] SOURCE DESTINATION`.
//!
//! It is one program for both, so that nothing but the sandbox differs between two runs. Everything that is not `dir:` or
//! `oci:` is the same code in both, the policy included, which accepts every image.

mod destination;
mod source;
mod thread;
mod transport;

use std::sync::Arc;

use anyhow::{Result, bail};
use longshore_blob::Durability;
use longshore_config::Environment;
use longshore_copy::{Access, Copier, DockerTransport, Endpoint, SignaturePolicy, Transport, Transports};
use longshore_runtime::PluginHost;

use crate::transport::{DIR, NativeTransport, OCI};

/// As many as the program has.
const ASYNC_WORKERS: usize = 2;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (kind, durability, source, destination) = match words[..] {
        [kind, "--no-sync", source, destination] => (kind, Durability::NoSync, source, destination),
        [kind, source, destination] => (kind, Durability::Sync, source, destination),
        _ => bail!("usage: copy-in-process components|native [--no-sync] SOURCE DESTINATION"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(ASYNC_WORKERS)
        .enable_all()
        .build()?;
    let plugins = PluginHost::builder().durability(durability).build();
    let environment = Arc::new(Environment::of_process());
    let transports = match kind {
        "components" => Transports::standard(plugins.clone(), environment),
        "native" => {
            let docker: Arc<dyn Transport> = Arc::new(DockerTransport::new(environment));
            let native = [&DIR, &OCI].map(|plugin| NativeTransport { plugin, durability });
            let native = native.map(|transport| Arc::new(transport) as Arc<dyn Transport>);
            Transports::new(native.into_iter().chain([docker]))
        }
        _ => bail!("{kind}: there are `components` and `native`"),
    };
    runtime.block_on(copy(transports, plugins, source, destination))
}

async fn copy(transports: Transports, plugins: PluginHost, source: &str, destination: &str) -> Result<()> {
    let endpoint = async |text: &str| -> Result<Endpoint> {
        // The registries of a measurement are on this machine and have no certificates.
        let access = Access {
            tls_verify: Some(false),
            ..Access::default()
        };
        let name = transports.parse_name(text).await?;
        Ok(Endpoint { name, access })
    };
    let (source, destination) = (endpoint(source).await?, endpoint(destination).await?);
    let policy = SignaturePolicy::accept_anything(plugins.clone());
    let (copying, _) = Copier::new(transports, source, destination, policy).start();
    copying.await?;
    plugins.settled().await;
    Ok(())
}
