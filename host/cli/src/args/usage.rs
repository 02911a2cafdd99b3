//! What is wrong with a command line, in the words of skopeo.

use clap::error::{ContextKind, ContextValue, Error as ClapError, ErrorKind};

use super::program;
use crate::quote::quoted;

/// A command line that cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct UsageError {
    message: String,
    show_help_of: Option<&'static str>,
}

impl UsageError {
    /// An error of one line.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            show_help_of: None,
        }
    }

    /// An error after which the usage of `command` helps.
    pub(crate) fn with_help_of(command: &'static str, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            show_help_of: Some(command),
        }
    }

    /// The command whose help goes with this error.
    pub(crate) fn show_help_of(&self) -> Option<&'static str> {
        self.show_help_of
    }

    /// No command was given below `path`.
    pub(crate) fn missing_command(path: &str) -> Self {
        Self::new(format!(
            "Missing command '{path} COMMAND'\nTry '{path} --help' for more information"
        ))
    }

    /// There is no command `name` below `path`; `similar` may hold what
    /// was meant.
    pub(crate) fn unrecognized_command(path: &str, name: &str, similar: &str) -> Self {
        let similar = match similar {
            "" => String::new(),
            names => format!("\nDid you mean this?\n\t{names}\n\n"),
        };
        Self::new(format!(
            "Unrecognized command `{path} {name}`\n{similar}Try '{path} --help' for more information"
        ))
    }
}

impl From<ClapError> for UsageError {
    fn from(error: ClapError) -> Self {
        Self::new(message(&error))
    }
}

/// Says what `error` says, as pflag and cobra would.
fn message(error: &ClapError) -> String {
    let flag = context(error, ContextKind::InvalidArg);
    let value = context(error, ContextKind::InvalidValue);
    match (error.kind(), flag.map(bare), value) {
        (ErrorKind::InvalidSubcommand, ..) => {
            let name = context(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            UsageError::unrecognized_command(program(), name, &suggestions(error)).message
        }
        (ErrorKind::UnknownArgument, Some(flag), _) => unknown_flag(flag),
        (ErrorKind::InvalidValue, Some(flag), None | Some("")) => {
            format!("flag needs an argument: {flag}")
        }
        (ErrorKind::ValueValidation, Some(flag), Some(value)) => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            let reason = reason.as_deref().unwrap_or("invalid syntax");
            format!("invalid argument {} for {} flag: {reason}", quoted(value), quoted(flag))
        }
        _ => first_line(error),
    }
}

/// The text that `error` carries for `kind`.
fn context(error: &ClapError, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}

/// A flag without its value or the name of one; a value may be a secret.
fn bare(flag: &str) -> &str {
    flag.split(['=', ' ', '[']).next().unwrap_or(flag)
}

fn unknown_flag(flag: &str) -> String {
    match flag.strip_prefix('-') {
        Some(long) if long.starts_with('-') => format!("unknown flag: {flag}"),
        Some(letter) => format!("unknown shorthand flag: '{letter}' in {flag}"),
        None => format!("unexpected argument {}", quoted(flag)),
    }
}

/// The suggestions of `error`, a tab before each but the first.
fn suggestions(error: &ClapError) -> String {
    match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) => names.join("\n\t"),
        Some(ContextValue::String(name)) => name.clone(),
        _ => String::new(),
    }
}

/// What clap has to say, for the few cases that skopeo has no words for.
fn first_line(error: &ClapError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
