//! From words to an exit status.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Context as _;

use crate::args::{self, Command, PROGRAM, Request, UsageError};
use crate::commands;
use crate::exit::ExitStatus;
use crate::failure;
use crate::logging;
use crate::printer::{Level, OutputClosed, Printer};
use crate::settings::Settings;
use crate::signals::{Signals, Stopped};

/// Threads that drive registry connections and timers; hashing, compression and
/// disk work run on threads of their own.
const ASYNC_WORKERS: usize = 2;

/// The version of skopeo whose command line this is.
const SKOPEO_VERSION: &str = "1.22.2";

/// Carries out the command line `words` and reports its failure once.
pub(crate) fn main(words: impl IntoIterator<Item = OsString>, printer: &Printer) -> ExitStatus {
    match carry_out(words, printer) {
        Ok(()) => ExitStatus::Success,
        Err(error) => failed(&error, printer),
    }
}

/// Reports a failure, unless it is told already.
pub(crate) fn failed(error: &anyhow::Error, printer: &Printer) -> ExitStatus {
    if !is_told_already(error) {
        if let Some(command) = error.downcast_ref::<UsageError>().and_then(UsageError::show_help_of) {
            printer.explain(&args::help(&[command]));
        }
        printer.message(Level::Fatal, failure::text(error));
    }
    ExitStatus::of(error)
}

/// What `--version` says: as skopeo, which skopeo this is.
fn version() -> &'static str {
    if args::program() == args::SKOPEO {
        SKOPEO_VERSION
    } else {
        env!("CARGO_PKG_VERSION")
    }
}

/// Whether nothing has to be said: the reader has left, or a signal came and
/// nothing went wrong after it.
fn is_told_already(error: &anyhow::Error) -> bool {
    let by_signal = matches!(error.downcast_ref(), Some(Stopped::Interrupt | Stopped::Terminate));
    error.is::<OutputClosed>() || (by_signal && error.source().is_none())
}

fn carry_out(words: impl IntoIterator<Item = OsString>, printer: &Printer) -> anyhow::Result<()> {
    let (command, global) = match args::parse(words)? {
        Request::Version => {
            return printer.result(format!("{} version {}\n", args::program(), version()));
        }
        Request::Help(text) => return printer.result(text),
        Request::Run(command, global) => (command, global),
    };
    logging::start(printer, global.debug);
    if global.tls_verify.is_some() {
        printer.message(
            Level::Warning,
            "'--tls-verify' is deprecated, please set this on the specific subcommand",
        );
    }
    match &command {
        Command::ManifestDigest(args) => return commands::manifest_digest::run(args, printer),
        Command::Completion(args) => return commands::generate::completion(args, printer),
        Command::Man(args) => return commands::generate::man(args),
        Command::StandaloneSign(args) => return commands::standalone_sign::run(args),
        Command::UntrustedSignatureDump(args) => return commands::untrusted_signature_dump::run(args, printer),
        _ => {}
    }
    let timeout = global.command_timeout.filter(|timeout| !timeout.is_zero());
    let settings = Settings::resolve(*global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(ASYNC_WORKERS)
        .thread_name(PROGRAM)
        .enable_all()
        .build()
        .context("starting the asynchronous runtime")?;
    let result = runtime.block_on(carry_out_with_plugins(command, timeout, &settings, printer));
    // What has not ended by now, such as a read that a second signal cut short,
    // must not keep the process.
    runtime.shutdown_background();
    result
}

/// Carries out `command`, then waits until no plugin has anything left to
/// clean up, unless another signal comes.
async fn carry_out_with_plugins(
    command: Command,
    timeout: Option<Duration>,
    settings: &Settings,
    printer: &Printer,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen(timeout).context("listening for signals")?;
    let result = match command {
        Command::Copy(args) => commands::copy::run(*args, settings, &mut signals, printer).await,
        Command::Delete(args) => {
            signals
                .unless_stopped(commands::delete::run(*args, settings, printer))
                .await
        }
        Command::GenerateSigstoreKey(args) => {
            signals
                .unless_stopped(commands::generate_sigstore_key::run(args, printer))
                .await
        }
        Command::Inspect(args) => {
            signals
                .unless_stopped(commands::inspect::run(*args, settings, printer))
                .await
        }
        Command::Layers(args) => {
            signals
                .unless_stopped(commands::layers::run(*args, settings, printer))
                .await
        }
        Command::ListTags(args) => {
            signals
                .unless_stopped(commands::list_tags::run(*args, settings, printer))
                .await
        }
        Command::Plugin(args) => {
            signals
                .unless_stopped(commands::plugin::run(args, settings, printer))
                .await
        }
        Command::ManifestDigest(args) => commands::manifest_digest::run(&args, printer),
        Command::Completion(args) => commands::generate::completion(&args, printer),
        Command::Man(args) => commands::generate::man(&args),
        Command::StandaloneSign(args) => commands::standalone_sign::run(&args),
        Command::UntrustedSignatureDump(args) => commands::untrusted_signature_dump::run(&args, printer),
        Command::StandaloneVerify(args) => {
            signals
                .unless_stopped(commands::standalone_verify::run(args, settings, printer))
                .await
        }
        Command::Verify(args) => {
            signals
                .unless_stopped(commands::verify::run(*args, settings, printer))
                .await
        }
    };
    tokio::select! {
        () = settings.plugins.settled() => result,
        stopped = signals.next() => Err(stopped.into()),
    }
}
