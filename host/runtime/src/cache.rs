//! Compiled forms of third-party plugins, kept between runs.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use longshore_engine::Component as Description;
use wasmtime::component::Component;
use wasmtime::{Engine, Result};

/// Nobody but the user may have written what is run without being checked again.
const FORBIDDEN_MODE: u32 = 0o022;

/// The component, from the cache if it is there, else compiled and kept.
pub(crate) fn component(
    engine: &Engine,
    wasm: &[u8],
    description: &Description,
    cache: Option<&Path>,
) -> Result<Component> {
    let Some(folder) = cache else {
        return Component::from_binary(engine, wasm);
    };
    let name = format!(
        "{}-{}.cwasm",
        description.sha256,
        longshore_engine::compatibility(engine)
    );
    let file = folder.join(name);
    if is_private(folder) && is_private(&file) {
        // SAFETY: the folder and the file belong to this user and nobody else can
        // write to either, so this program compiled it; the name has the digest
        // of what it was compiled from. Wasmtime checks that version and
        // settings agree.
        #[expect(unsafe_code, reason = "loading our own precompiled component")]
        let loaded = unsafe { Component::deserialize_file(engine, &file) };
        match loaded {
            Ok(component) => return Ok(component),
            Err(error) => tracing::debug!("{}: not usable, compiling again: {error:#}", file.display()),
        }
    }
    let component = Component::from_binary(engine, wasm)?;
    if let Err(error) = keep(folder, &file, &component) {
        tracing::debug!("{}: cannot keep a compiled plugin: {error:#}", file.display());
    }
    Ok(component)
}

/// Whether a file or folder is the user's own and no link.
fn is_private(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| {
        !metadata.is_symlink()
            && metadata.mode() & FORBIDDEN_MODE == 0
            && metadata.uid() == rustix::process::geteuid().as_raw()
    })
}

fn keep(folder: &Path, file: &Path, component: &Component) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if !is_private(folder) {
        wasmtime::bail!("{} can be written by others", folder.display());
    }
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut temporary, &component.serialize()?)?;
    // It is loaded without being looked at: what has the name must be all there, also after a power failure.
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}
