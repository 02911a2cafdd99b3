//! The `longshore` program: skopeo's command line over the copy engine.
//!
//! A run goes from words (`args`) to resolved settings (`settings`) to one
//! command (`commands`), and ends in one [`exit::ExitStatus`]. Only `printer`
//! writes to the process's streams.

mod args;
mod commands;
mod exit;
mod failure;
mod live;
mod logging;
mod open_files;
mod passphrase;
mod printer;
mod progress;
mod quote;
mod retry;
mod run;
mod settings;
mod signals;
#[cfg(target_os = "linux")]
mod user_namespace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let printer = printer::Printer::to_process();
    #[cfg(target_os = "linux")]
    match user_namespace::map_if_asked() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        // The process that waits for it reports that.
        Err(error) => {
            printer.explain(&format!("{error:#}"));
            return ExitCode::FAILURE;
        }
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = user_namespace::enter_if_needed() {
        return run::failed(&error, &printer).into();
    }
    open_files::raise_limit();
    run::main(std::env::args_os(), &printer).into()
}
