//! Command lines of tests.

use clap::{CommandFactory, FromArgMatches, Parser};

use super::{AccessArgs, Image, UsageError, conventions};

/// A program with one side's access flags and nothing else.
#[derive(Parser)]
#[command(disable_help_flag = true)]
pub(crate) struct SideFlags {
    #[command(flatten)]
    pub(crate) access: AccessArgs<Image>,
}

/// Reads `words`, without a program's name, as the program's own command line
/// is read.
pub(crate) fn parse<T: Parser>(words: &[&str]) -> Result<T, UsageError> {
    let words = std::iter::once("test").chain(words.iter().copied());
    let matches = conventions::follow_pflag(<T as CommandFactory>::command()).try_get_matches_from(words)?;
    Ok(<T as FromArgMatches>::from_arg_matches(&matches)?)
}
