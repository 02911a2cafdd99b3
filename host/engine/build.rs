//! Passes the target triple on, so that built-in plugins are compiled for it.

fn main() {
    // Cargo sets TARGET for every build script.
    if let Ok(target) = std::env::var("TARGET") {
        println!("cargo::rustc-env=LONGSHORE_TARGET={target}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
