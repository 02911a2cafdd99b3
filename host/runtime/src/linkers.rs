use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, Result};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};

use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings;
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{WasiView as _, p2};

use crate::bindings::{policy, transport};
use crate::state::State;

/// What transports may import.
pub(crate) fn transport(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = standard_library(engine)?;
    use transport::longshore::transport as contract;
    contract::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    contract::bytes::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    contract::storage::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    contract::posix::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    contract::http::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    contract::session::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    Ok(linker)
}

/// What policy evaluators may import.
pub(crate) fn policy(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = standard_library(engine)?;
    policy::longshore::policy::image::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    Ok(linker)
}

/// WASI 0.2 as far as a guest's standard library asks for it: an empty
/// environment, no preopened directory, output into the log, no sockets.
fn standard_library(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    p2::add_to_linker_proxy_interfaces_async::<State>(l)?;
    bindings::random::insecure::add_to_linker::<State, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    bindings::random::insecure_seed::add_to_linker::<State, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    bindings::cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    bindings::cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    bindings::cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    bindings::cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    bindings::cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    bindings::cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    bindings::cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    bindings::filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    bindings::filesystem::preopens::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    Ok(linker)
}
