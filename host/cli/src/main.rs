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

use std::process::ExitCode;

fn main() -> ExitCode {
    open_files::raise_limit();
    let printer = printer::Printer::to_process();
    run::main(std::env::args_os(), &printer).into()
}
