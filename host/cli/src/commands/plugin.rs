//! `plugin`: which plugins there are and what they may do.

mod inspect;
mod list;

use std::ffi::OsString;

use crate::args::{PluginChoice, UsageError};
use crate::printer::Printer;
use crate::settings::Settings;

const PATH: &str = "longshore plugin";

/// Show the plugins that serve transports and signature policy
#[derive(clap::Args)]
#[command(override_usage = "longshore plugin [command]")]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    command: Option<PluginCommand>,

    #[command(flatten)]
    plugins: PluginChoice,
}

/// What to do with plugins.
#[derive(clap::Subcommand)]
enum PluginCommand {
    List(list::ListArgs),
    Inspect(inspect::InspectArgs),
    #[command(external_subcommand)]
    Unknown(Vec<OsString>),
}

impl PluginArgs {
    /// The plugins that were named after `plugin`.
    pub(crate) fn take_plugins(&mut self) -> PluginChoice {
        let mut plugins = std::mem::take(&mut self.plugins);
        match &mut self.command {
            Some(PluginCommand::List(args)) => plugins.append(std::mem::take(&mut args.plugins)),
            Some(PluginCommand::Inspect(args)) => plugins.append(std::mem::take(&mut args.plugins)),
            Some(PluginCommand::Unknown(_)) | None => {}
        }
        plugins
    }
}

/// Carries out one of the commands.
pub(crate) async fn run(args: PluginArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<()> {
    match args.command {
        Some(PluginCommand::List(args)) => list::run(args, settings, printer).await,
        Some(PluginCommand::Inspect(args)) => inspect::run(args, settings, printer).await,
        Some(PluginCommand::Unknown(words)) => {
            let name = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
            Err(UsageError::unrecognized_command(PATH, &name, "").into())
        }
        None => Err(UsageError::missing_command(PATH).into()),
    }
}
