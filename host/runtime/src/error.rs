use std::fmt::Display;
use std::path::{Path, PathBuf};

use longshore_types::ErrorKind;

use crate::limits;

/// Why a plugin, or the host on its behalf, failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The plugin answered with an error.
    #[error("{message}")]
    Plugin {
        /// What it is, as far as it steers the copy.
        kind: ErrorKind,
        /// `NAME VERSION` of the plugin.
        plugin: String,
        /// The call of the contract that failed.
        operation: &'static str,
        /// What the plugin says, with control characters escaped.
        message: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// The plugin broke down, broke the contract or exceeded a limit; everything
    /// that it had open is gone.
    #[error("plugin {plugin} failed in {operation}: {reason}")]
    Crashed {
        /// `NAME VERSION` of the plugin.
        plugin: String,
        /// The call of the contract that did not return.
        operation: &'static str,
        /// What happened.
        reason: String,
    },
    /// The operation was cancelled.
    #[error("interrupted")]
    Interrupted,
    /// No plugin serves the transport.
    #[error("unknown transport \"{0}\"")]
    UnknownTransport(String),
    /// A built-in transport of a program that was built without its plugins.
    #[error("transport \"{0}\" was built without plugins: run cargo plugins, then build again")]
    BuiltWithoutPlugins(String),
    /// The transport lacks the ability.
    #[error("{0}")]
    Unsupported(String),
    /// A third-party plugin asked for what the user did not name.
    #[error("plugin {plugin} asks for \"{path}\", which does not stand in the reference")]
    NotGranted {
        /// `NAME VERSION` of the plugin.
        plugin: String,
        /// What it asked for.
        path: String,
    },
    /// A file that should be a plugin is none that can be loaded.
    #[error("{}: {reason}", path.display())]
    BadPlugin {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or directory could not be used.
    #[error("{}: {}", path.display(), io_text(source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// This machine cannot run plugins, or a thread could not be started.
    #[error("cannot run plugins: {0}")]
    Engine(String),
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn bad_plugin(path: &Path, reason: impl Display) -> Self {
        Self::BadPlugin {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// What it is, as far as it steers the copy and the exit status.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Plugin { kind, .. } => *kind,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Unsupported(_) | Self::BuiltWithoutPlugins(_) => ErrorKind::Unsupported,
            Self::UnknownTransport(_) => ErrorKind::InvalidReference,
            Self::NotGranted { .. } => ErrorKind::AccessDenied,
            Self::BadPlugin { .. } => ErrorKind::InvalidData,
            Self::Io { source, .. } => io_kind(source),
            Self::Crashed { .. } | Self::Engine(_) => ErrorKind::Other,
        }
    }

    /// Whether the same operation may succeed when it is tried again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Plugin { retryable: true, .. })
    }
}

/// The text of an error of the operating system, with what helps against it where
/// that is not the file's own business.
pub(crate) fn io_text(error: &std::io::Error) -> String {
    if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) {
        format!("{error}: the limit of open files (ulimit -n) is too low")
    } else {
        error.to_string()
    }
}

/// The kind of an error of the operating system.
pub(crate) fn io_kind(error: &std::io::Error) -> ErrorKind {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::AccessDenied,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::NoSpace,
        Io::AlreadyExists => ErrorKind::AlreadyExists,
        Io::Interrupted => ErrorKind::Interrupted,
        Io::InvalidData => ErrorKind::InvalidData,
        _ => ErrorKind::Other,
    }
}

/// Text of a stranger, made fit for a terminal: bounded, and without characters
/// that would move the cursor.
pub(crate) fn presentable(text: &str) -> String {
    let mut result = String::new();
    for character in text.chars() {
        if result.len() >= limits::MESSAGE {
            result.push_str("...");
            break;
        }
        if character.is_control() {
            result.extend(character.escape_default());
        } else {
            result.push(character);
        }
    }
    result
}
