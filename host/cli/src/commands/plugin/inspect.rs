//! `plugin inspect`: what one plugin is and what it would be granted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use longshore_runtime::{Access, Grant, HttpGrant, Plugin, PluginHost, Purpose, Settings as SideSettings};
use longshore_types::ErrorKind;
use serde::Serialize;

use super::list::origin;
use crate::args::{PluginChoice, UsageError};
use crate::printer::Printer;
use crate::quote::quoted;
use crate::settings::Settings;

/// Show what a plugin is, and what it would be granted for a REFERENCE
#[derive(clap::Args)]
#[command(override_usage = "longshore plugin inspect [command options] NAME|FILE [REFERENCE]")]
#[command(after_help = "Example:\n  longshore plugin inspect oci oci:/srv/images:latest")]
pub(super) struct InspectArgs {
    #[arg(hide = true)]
    words: Vec<String>,

    #[command(flatten)]
    pub(super) plugins: PluginChoice,
}

/// What is printed, in this order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    name: &'a str,
    version: Option<&'a str>,
    description: Option<&'a str>,
    licenses: Option<&'a str>,
    origin: String,
    digest: String,
    size: u64,
    contracts: Vec<String>,
    transports: Vec<String>,
    abilities: Vec<&'static str>,
    imports: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    grants: Option<BTreeMap<&'static str, Vec<Granted>>>,
}

/// One thing that a plugin would be granted.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Granted {
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    access: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<String>,
}

/// Prints one plugin as JSON.
pub(super) async fn run(args: InspectArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<()> {
    let (name, reference) = match args.words.as_slice() {
        [name] => (name, None),
        [name, reference] => (name, Some(reference)),
        _ => return Err(UsageError::new("A plugin's name or file and at most one reference expected").into()),
    };
    let plugin = find(&settings.plugins, name).await?;
    let description = plugin.description()?;
    let transports = plugin.transports().await?;
    let grants = match reference {
        Some(reference) => Some(grants(&plugin, &transports, reference).await?),
        None => None,
    };
    let metadata = &description.metadata;
    printer.json(&Output {
        name: plugin.name(),
        version: metadata.version.as_deref(),
        description: metadata.description.as_deref(),
        licenses: metadata.licenses.as_deref(),
        origin: origin(&plugin),
        digest: format!("sha256:{}", description.sha256),
        size: description.size,
        contracts: description.contracts(),
        transports,
        abilities: plugin.abilities(),
        imports: &description.imports,
        grants,
    })
}

/// The plugin in a file, if `name` looks like one, or else the first that is
/// called so or serves the transport of that name.
async fn find(plugins: &PluginHost, name: &str) -> anyhow::Result<Arc<Plugin>> {
    if name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "wasm") {
        return Ok(plugins.load_file(Path::new(name)).await?);
    }
    match plugins.transport(name).await {
        Err(longshore_runtime::Error::UnknownTransport(_)) => {}
        found => return Ok(found?),
    }
    let called_so = |plugin: &Arc<Plugin>| plugin.name() == name;
    let found = plugins
        .plugins()
        .await
        .into_iter()
        .filter_map(Result::ok)
        .find(called_so);
    found.with_context(|| format!("there is no plugin {}; see `longshore plugin list`", quoted(name)))
}

/// What `plugin` would be granted for each thing that can be done with
/// `reference`, which may begin with the transport's name.
async fn grants(
    plugin: &Arc<Plugin>,
    transports: &[String],
    reference: &str,
) -> anyhow::Result<BTreeMap<&'static str, Vec<Granted>>> {
    let Some(default) = transports.first() else {
        bail!(
            "plugin {} serves no transport and is granted nothing",
            quoted(plugin.name())
        );
    };
    let (transport, text) = match reference.split_once(':') {
        Some((name, text)) if transports.iter().any(|served| served == name) => (name, text),
        _ => (default.as_str(), reference),
    };
    let mut grants = BTreeMap::new();
    let mut refusal = None;
    for (name, purpose) in [
        ("Source", Purpose::Source),
        ("Destination", Purpose::Destination),
        ("Delete", Purpose::Delete),
        ("Enumerate", Purpose::Enumerate),
    ] {
        match plugin.parse(transport, text, purpose, &SideSettings::default()).await {
            Ok(planned) => {
                let paths = planned.grants().iter().map(Granted::of);
                let all = paths.chain(planned.http().iter().map(Granted::of_http));
                grants.insert(name, all.collect());
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        // A form of reference may be good for one purpose and not for another.
        Some(error) if grants.is_empty() => Err(error).with_context(|| quoted(reference)),
        _ => Ok(grants),
    }
}

impl Granted {
    fn of(grant: &Grant) -> Self {
        let access = match grant.access {
            Access::Read => "read",
            Access::Write => "write",
            Access::Create => "create",
            Access::Replace | Access::NewFile { replace: true } => "replace",
            Access::ReadFile { .. } => "read",
            Access::NewFile { replace: false } => "create",
        };
        let path = grant.path.display().to_string();
        let (directory, file) = if grant.is_file() {
            (None, Some(path))
        } else {
            (Some(path), None)
        };
        Self {
            label: grant.label.clone(),
            directory,
            file,
            http: None,
            access,
            certificates: Vec::new(),
        }
    }

    fn of_http(grant: &HttpGrant) -> Self {
        Self {
            label: grant.label.clone(),
            directory: None,
            file: None,
            http: Some(grant.origin.to_string()),
            access: if grant.read_only { "read" } else { "write" },
            certificates: grant.files.iter().map(|path| path.display().to_string()).collect(),
        }
    }
}
