//! Which plugins there are, and how they write.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use longshore_blob::Durability;
use longshore_config::Environment;
use longshore_runtime::PluginHost;

use super::access::path;
use crate::args::{PluginChoice, UsageError};
use crate::quote::quoted;

/// The built-in plugins, the installed ones, and those that were named. What has to be unpacked goes to `temporary`.
pub(super) fn host(
    choice: PluginChoice,
    environment: &Environment,
    no_sync: bool,
    temporary: PathBuf,
) -> Result<PluginHost, UsageError> {
    let durability = if no_sync { Durability::NoSync } else { Durability::Sync };
    let mut builder = PluginHost::builder().durability(durability).temporary_folder(temporary);
    let named = choice.plugin_dir.into_iter().filter_map(path);
    // The system's plugins win over the user's, as built-in ones win over both.
    for directory in environment.plugin_folders().into_iter().chain(named) {
        builder = builder.plugin_directory(directory);
    }
    for replacement in &choice.plugin {
        let (name, file) = split_replacement(replacement)?;
        builder = builder.replace(name, file);
    }
    if let Some(cache) = environment.cache_folder() {
        builder = builder.cache_directory(cache);
    }
    Ok(builder.build())
}

/// Splits `NAME=FILE`.
fn split_replacement(text: &OsString) -> Result<(String, PathBuf), UsageError> {
    let bytes = text.as_bytes();
    let split = bytes.iter().position(|byte| *byte == b'=').and_then(|at| {
        let name = std::str::from_utf8(&bytes[..at]).ok().filter(|name| !name.is_empty())?;
        let file = path(OsStr::from_bytes(&bytes[at + 1..]).to_owned())?;
        Some((name.to_owned(), file))
    });
    split.ok_or_else(|| {
        let text = quoted(&text.to_string_lossy());
        UsageError::new(format!(
            "invalid argument {text} for \"--plugin\" flag: must be NAME=FILE"
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn replacements() {
        for (text, expected) in [
            ("oci=/a/b.wasm", Some(("oci", "/a/b.wasm"))),
            ("oci=a=b", Some(("oci", "a=b"))),
            ("oci=", None),
            ("=a", None),
            ("oci", None),
            ("", None),
        ] {
            let found = split_replacement(&text.into()).ok();
            let found = found.as_ref().map(|(name, file)| (name.as_str(), file.as_path()));
            assert_eq!(found, expected.map(|(name, file)| (name, Path::new(file))), "{text}");
        }
    }
}
