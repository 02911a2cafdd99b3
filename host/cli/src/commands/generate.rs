//! `completion` and `man`: what is generated from the parser itself.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::{Cli, UsageError, program};
use crate::printer::Printer;
use crate::quote::quoted;

/// Generate the completion script for the specified shell
#[derive(clap::Args)]
#[command(override_usage = "longshore completion bash|zsh|fish|powershell")]
pub(crate) struct CompletionArgs {
    #[arg(hide = true)]
    shells: Vec<String>,
}

/// Write the manual pages into a folder
#[derive(clap::Args)]
#[command(override_usage = "longshore man FOLDER")]
pub(crate) struct ManArgs {
    #[arg(hide = true)]
    folders: Vec<OsString>,
}

/// Prints a shell's completion script (CM-01).
pub(crate) fn completion(args: &CompletionArgs, printer: &Printer) -> anyhow::Result<()> {
    let [name] = args.shells.as_slice() else {
        return Err(UsageError::new("Exactly one argument expected").into());
    };
    let shell = match name.as_str() {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "powershell" => Shell::PowerShell,
        _ => {
            return Err(UsageError::new(format!(
                "unknown shell {}. Choose one of: bash, zsh, fish, powershell",
                quoted(name)
            ))
            .into());
        }
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), program(), &mut script);
    printer.result(script)
}

/// Writes a page for the program and one for each command that is shown in its help.
pub(crate) fn man(args: &ManArgs) -> anyhow::Result<()> {
    let [folder] = args.folders.as_slice() else {
        return Err(UsageError::new("Exactly one argument expected").into());
    };
    let folder = Path::new(folder);
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command().name(program()), folder)
        .with_context(|| format!("writing manual pages into {}", folder.display()))
}
