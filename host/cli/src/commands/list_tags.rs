//! `list-tags`: the tags of a repository.

use longshore_copy::{CopyError, Endpoint};
use serde::Serialize;

use crate::args::{AccessArgs, PluginChoice, Repository, RetryArgs, UsageError};
use crate::failure;
use crate::printer::Printer;
use crate::quote::quoted;
use crate::settings::Settings;

/// List tags in the transport/repository specified by the SOURCE-IMAGE
#[derive(clap::Args)]
#[command(override_usage = "longshore list-tags [command options] SOURCE-IMAGE")]
#[command(after_help = "Example:\n  longshore list-tags docker://docker.io/fedora")]
pub(crate) struct ListTagsArgs {
    #[arg(hide = true)]
    repositories: Vec<String>,

    #[command(flatten)]
    access: AccessArgs<Repository>,

    #[command(flatten)]
    retry: RetryArgs,

    #[command(flatten)]
    pub(crate) plugins: PluginChoice,
}

/// The printed object (LT-02, LT-03).
#[derive(Serialize)]
struct Output<'a> {
    #[serde(rename = "Repository", skip_serializing_if = "Option::is_none")]
    repository: Option<&'a str>,
    #[serde(rename = "Tags")]
    tags: &'a [String],
}

/// Prints the tags of one repository as JSON.
pub(crate) async fn run(args: ListTagsArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<()> {
    let [repository] = args.repositories.as_slice() else {
        return Err(UsageError::with_help_of("list-tags", "Exactly one non-option argument expected").into());
    };
    let access = args.access.resolve(&settings.fallback)?;
    let transports = settings.transports();
    let Ok(name) = transports.parse_name(repository).await else {
        return Err(UsageError::new(format!("Invalid {}: does not specify a transport", quoted(repository))).into());
    };
    let place = Endpoint { name, access };
    let list = async || {
        let listed = transports.list_tags(&place).await;
        listed.map_err(|error| match error {
            CopyError::Manage { source, .. } => anyhow::Error::new(source).context("Error listing repository tags"),
            other => failure::without_operation(other),
        })
    };
    let list = args.retry.resolve().run(printer, list).await?;
    let output = Output {
        repository: list.repository.as_deref(),
        tags: &list.tags,
    };
    printer.json(&output)
}
