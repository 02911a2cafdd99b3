//! The command line as typed: which command with which flags.

mod access;
mod compression;
mod conventions;
mod duration;
mod global;
mod instances;
mod platform;
mod retry;
mod signing;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod usage;

use std::ffi::OsString;
use std::path::Path;
use std::sync::OnceLock;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use access::{AccessArgs, Destination, Image, Repository, Source};
pub(crate) use compression::CompressionArgs;
pub(crate) use conventions::parse_uint;
pub(crate) use global::{GlobalArgs, PluginChoice};
pub(crate) use instances::InstanceArgs;
pub(crate) use platform::PlatformArgs;
pub(crate) use retry::RetryArgs;
pub(crate) use signing::SigningArgs;
pub(crate) use usage::UsageError;

use crate::commands::{
    copy, delete, generate, generate_sigstore_key, inspect, layers, list_tags, manifest_digest, plugin,
    standalone_sign, standalone_verify, untrusted_signature_dump, verify,
};

/// The program's own name.
pub(crate) const PROGRAM: &str = "longshore";

/// The name under which the program is skopeo to scripts.
pub(crate) const SKOPEO: &str = "skopeo";

/// The name that this process was started under.
static NAME: OnceLock<&str> = OnceLock::new();

/// The program's name in usage texts and messages: its own, or skopeo's if it was started as that.
pub(crate) fn program() -> &'static str {
    NAME.get().copied().unwrap_or(PROGRAM)
}

/// Various operations with container images and container image registries
#[derive(Parser)]
#[command(name = PROGRAM, disable_help_flag = true, disable_help_subcommand = true)]
#[command(override_usage = "longshore [flags]\n       longshore [command]")]
#[command(after_help = "Use \"longshore [command] --help\" for more information about a command.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,

    /// Show the version
    #[arg(long, short = 'v')]
    version: bool,

    #[command(subcommand)]
    command: Option<Word>,
}

impl Command {
    /// Removes and returns the plugins that were named after the command.
    fn take_plugins(&mut self) -> PluginChoice {
        std::mem::take(match self {
            Self::Copy(args) => &mut args.plugins,
            Self::Delete(args) => &mut args.plugins,
            Self::GenerateSigstoreKey(args) => &mut args.plugins,
            Self::Inspect(args) => &mut args.plugins,
            Self::Layers(args) => &mut args.plugins,
            Self::ListTags(args) => &mut args.plugins,
            Self::ManifestDigest(args) => &mut args.plugins,
            Self::StandaloneSign(args) => &mut args.plugins,
            Self::StandaloneVerify(args) => &mut args.plugins,
            Self::UntrustedSignatureDump(args) => &mut args.plugins,
            Self::Verify(args) => &mut args.plugins,
            Self::Plugin(args) => return args.take_plugins(),
            Self::Completion(_) | Self::Man(_) => return PluginChoice::default(),
        })
    }
}

/// A command, or a request for help about one.
#[derive(Subcommand)]
enum Word {
    #[command(flatten)]
    Command(Command),
    Help(HelpArgs),
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    Copy(Box<copy::CopyArgs>),
    Delete(Box<delete::DeleteArgs>),
    GenerateSigstoreKey(generate_sigstore_key::GenerateSigstoreKeyArgs),
    Inspect(Box<inspect::InspectArgs>),
    #[command(hide = true)]
    Layers(Box<layers::LayersArgs>),
    ListTags(Box<list_tags::ListTagsArgs>),
    ManifestDigest(manifest_digest::ManifestDigestArgs),
    Plugin(plugin::PluginArgs),
    StandaloneSign(standalone_sign::StandaloneSignArgs),
    StandaloneVerify(standalone_verify::StandaloneVerifyArgs),
    #[command(hide = true, name = "untrusted-signature-dump-without-verification")]
    UntrustedSignatureDump(untrusted_signature_dump::DumpArgs),
    Verify(Box<verify::VerifyArgs>),
    #[command(hide = true)]
    Completion(generate::CompletionArgs),
    #[command(hide = true)]
    Man(generate::ManArgs),
}

/// Help about any command
#[derive(clap::Args)]
#[command(override_usage = "longshore help [command]")]
struct HelpArgs {
    #[arg(hide = true)]
    command: Vec<String>,
}

/// What the command line asks for.
pub(crate) enum Request {
    /// Print the version.
    Version,
    /// Print this help text.
    Help(String),
    /// Carry out the command. The global options have the plugins that were
    /// named anywhere.
    Run(Command, Box<GlobalArgs>),
}

/// Reads a command line, whose first item is the program's name.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Request, UsageError> {
    let words: Vec<OsString> = words.into_iter().collect();
    if words.first().and_then(|word| Path::new(word).file_name()) == Some(SKOPEO.as_ref()) {
        // Only the first command line of a process counts.
        let _ = NAME.set(SKOPEO);
    }
    let matches = conventions::follow_pflag(Cli::command()).try_get_matches_from(words)?;
    let path = command_path(&matches);
    let Cli {
        mut global,
        version,
        command,
    } = Cli::from_arg_matches(&matches)?;
    if global.help {
        return Ok(Request::Help(help(&path)));
    }
    match command {
        Some(Word::Help(HelpArgs { command })) => {
            let path: Vec<&str> = command.iter().map(String::as_str).collect();
            Ok(Request::Help(help(&path)))
        }
        _ if version => Ok(Request::Version),
        Some(Word::Command(mut command)) => {
            global.plugins.append(command.take_plugins());
            Ok(Request::Run(command, Box::new(global)))
        }
        None => Err(UsageError::missing_command(program())),
    }
}

/// The names of the commands in `matches`, outermost first.
fn command_path(matches: &clap::ArgMatches) -> Vec<&str> {
    let mut path = Vec::new();
    let mut level = matches;
    while let Some((name, inner)) = level.subcommand() {
        path.push(name);
        level = inner;
    }
    path
}

/// The help text of the command at `path`, or of the program for an empty or
/// unknown one.
///
/// Options that every command takes are shown with the program's help alone
///
pub(crate) fn help(path: &[&str]) -> String {
    let mut root = Cli::command();
    root.build();
    let shared: Vec<clap::Id> = root.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let mut command = root;
    for name in path {
        let Some(inner) = command.find_subcommand(name) else {
            break;
        };
        command = inner.clone();
        command = command.mut_args(|arg| {
            let hide = arg.is_hide_set() || (shared.contains(arg.get_id()) && arg.get_id() != "help");
            arg.hide(hide)
        });
    }
    let text = command.render_help().to_string();
    if program() == PROGRAM {
        text
    } else {
        text.replace(PROGRAM, program())
    }
}
