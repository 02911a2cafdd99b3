//! Finds the compiled built-in plugins that `cargo plugins` left in the target
//! folder, and never builds any: without them everything still compiles.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Plugins, and the constants that hold them.
const PLUGINS: [(&str, &str); 11] = [
    ("containers-storage", "CONTAINERS_STORAGE"),
    ("dir", "DIR"),
    ("docker-archive", "DOCKER_ARCHIVE"),
    ("docker-daemon", "DOCKER_DAEMON"),
    ("oci", "OCI"),
    ("oci-archive", "OCI_ARCHIVE"),
    ("ostree", "OSTREE"),
    ("policy-basic", "POLICY_BASIC"),
    ("policy-signed-by", "POLICY_SIGNED_BY"),
    ("policy-sigstore", "POLICY_SIGSTORE"),
    ("tarball", "TARBALL"),
];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let folder = plugins_folder(&out);
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut code = String::new();
    for (name, constant) in PLUGINS {
        let file = |extension: &str| folder.join(format!("{name}.{extension}"));
        let (wasm, compiled) = (file("wasm"), file("cwasm"));
        let value = if wasm.is_file() && compiled.is_file() {
            format!("Some(Code {{ wasm: include_bytes!({wasm:?}), compiled: include_bytes!({compiled:?}) }})")
        } else {
            "None".to_owned()
        };
        code.push_str(&format!("const {constant}: Option<Code> = {value};\n"));
    }
    fs::write(out.join("builtin.rs"), code)
}

/// The `plugins` folder of the target folder: above this script's own.
fn plugins_folder(out: &Path) -> PathBuf {
    let target = out
        .ancestors()
        .find(|path| path.join("CACHEDIR.TAG").is_file())
        .unwrap_or(out);
    target.join("plugins")
}
