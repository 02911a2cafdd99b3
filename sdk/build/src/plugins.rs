//! `cargo plugins`: components from source, then checked and precompiled for the host to embed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::project::Project;
use crate::toolchain::Toolchain;
use crate::{report, run};

/// Where precompiled plugins lie below the target folder; the runtime's build script looks there.
const PRECOMPILED: &str = "plugins";
/// Where the checked-for components wait, each under its transport's name.
const COMPONENTS: &str = "components";
/// Where the tests find misbehaving guests and the SDK's examples.
const TEST_GUESTS: &str = "test-guests";

/// Builds every plugin, example and test guest, then has the plugins checked and precompiled.
pub(crate) fn build(project: &Project) -> Result<()> {
    report::heading("plugins");
    let toolchain = Toolchain::prepare()?;
    let artefacts = compile(project, &toolchain)?;

    let components = project.target(COMPONENTS);
    let guests = project.target(TEST_GUESTS);
    let mut plugins = Vec::new();
    for Artefact { package, target, file } in artefacts {
        if let Ok(below) = package.strip_prefix(project.plugins()) {
            let kept = components.join(below).with_extension("wasm");
            keep(&file, &kept)?;
            plugins.push(kept);
        } else {
            keep(&file, &guests.join(target).with_extension("wasm"))?;
        }
    }
    if plugins.is_empty() {
        bail!("{} holds no plugin", project.plugins().display());
    }
    plugins.sort();

    project.build_binaries(&["longshore-precompile"])?;
    let mut precompile = Command::new(project.binary("longshore-precompile"));
    run::run(precompile.arg("--out").arg(project.target(PRECOMPILED)).args(&plugins))
}

/// Builds somebody's own plugin in its folder, as cargo does where it knows the target.
pub(crate) fn build_one(folder: &Path) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).args(["build", "--release"]);
    Toolchain::prepare()?.apply(&mut command)?;
    run::run(&mut command)
}

/// One component as cargo left it.
struct Artefact {
    /// The folder of its package.
    package: PathBuf,
    /// The name of its cargo target.
    target: String,
    /// The `.wasm` file.
    file: PathBuf,
}

fn compile(project: &Project, toolchain: &Toolchain) -> Result<Vec<Artefact>> {
    let mut command = project.plugin_cargo("build");
    command.args(["--release", "--workspace", "--message-format=json-render-diagnostics"]);
    toolchain.apply(&mut command)?;
    report::line("+ cargo build --release --workspace (plugins)");
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo in the plugins' workspace")?;
    if !output.status.success() {
        bail!("the plugins do not build: {}", output.status);
    }
    let messages = String::from_utf8(output.stdout).context("cargo printed no UTF-8")?;
    let mut artefacts = Vec::new();
    for message in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(message).context("cargo printed bad JSON")?;
        artefacts.extend(artefact(&message));
    }
    Ok(artefacts)
}

/// The component that a message of cargo reports, if it is about one.
fn artefact(message: &Value) -> Option<Artefact> {
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let file = message["filenames"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .find(|name| name.ends_with(".wasm"))?;
    Some(Artefact {
        package: Path::new(message["manifest_path"].as_str()?).parent()?.to_path_buf(),
        target: message["target"]["name"].as_str()?.to_owned(),
        file: PathBuf::from(file),
    })
}

/// Copies a file unless the copy is already equal: a newer time alone would make what depends on
/// it build again.
fn keep(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|kept| kept == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::artefact;

    #[test]
    fn only_components_are_artefacts() {
        let message = |reason: &str, file: &str| {
            json!({
                "reason": reason,
                "manifest_path": "/src/plugins/oci/Cargo.toml",
                "target": { "name": "oci", "kind": ["cdylib", "rlib"] },
                "filenames": ["/target/release/liboci.rlib", file],
            })
        };
        let found = artefact(&message("compiler-artifact", "/target/release/oci.wasm"));
        let found = found.map(|found| (found.package, found.target, found.file));
        let expected = (
            Path::new("/src/plugins/oci").into(),
            "oci".to_owned(),
            Path::new("/target/release/oci.wasm").into(),
        );
        assert_eq!(found, Some(expected));
        assert!(artefact(&message("build-finished", "/target/release/oci.wasm")).is_none());
        assert!(artefact(&message("compiler-artifact", "/target/release/liboci.rmeta")).is_none());
        assert!(artefact(&json!({ "reason": "compiler-artifact" })).is_none());
    }
}
