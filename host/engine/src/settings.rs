use std::hash::{DefaultHasher, Hash, Hasher};

use wasmtime::{Config, Engine, OptLevel, Result};

/// Settings that decide whether compiled code can be run. Whatever is changed
/// here makes every compiled component stale, which wasmtime notices by itself.
fn config() -> Config {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed);
    // The CPU limit of a guest: the runtime checks at every deadline.
    config.epoch_interruption(true);
    // WASI 0.2 guests have no use for the machinery of component-model async,
    // which wasmtime does not count among its stable, security-supported parts.
    config.concurrency_support(false);
    config
}

/// The engine that runs plugins, for the processor at hand.
///
/// # Errors
///
/// Fails if this platform cannot run compiled WebAssembly.
pub fn engine() -> Result<Engine> {
    Engine::new(&config())
}

/// Compiles a component for any processor of this machine's architecture, to be
/// run by an [`engine`] of the same version of Longshore.
///
/// # Errors
///
/// Fails if `wasm` is not a valid component.
pub fn precompile(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut config = config();
    // Naming the target turns the detection of this processor's features off.
    config.target(TARGET)?;
    Engine::new(&config)?.precompile_component(wasm)
}

/// Distinguishes engines that cannot run each other's compiled components; part
/// of the file names in the cache of compiled plugins.
pub fn compatibility(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

const TARGET: &str = env!("LONGSHORE_TARGET");
