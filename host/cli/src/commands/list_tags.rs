//! `list-tags`: the tags of a repository.

use longshore_copy::Endpoint;
use serde::Serialize;

use crate::args::{AccessArgs, PluginChoice, Repository, UsageError};
use crate::printer::Printer;
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
    pub(crate) plugins: PluginChoice,
}

/// The printed object (LT-02).
#[derive(Serialize)]
struct Output<'a> {
    #[serde(rename = "Repository")]
    repository: &'a str,
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
    let name = transports.parse_name(repository).await?;
    let list = transports.list_tags(&Endpoint { name, access }).await?;
    let output = Output {
        repository: &list.repository,
        tags: &list.tags,
    };
    printer.json(&output)
}
