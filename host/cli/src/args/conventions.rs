//! How Go programs read flags, laid over a clap command.
//!
//! Scripts written for skopeo use `--flag=false`, repeat flags, and give values
//! that begin with a hyphen.

use clap::{Arg, ArgAction, Command};

use crate::quote::quoted;

/// Makes `command` and its subcommands read flags as Go's pflag does.
///
/// Switches take an optional `=BOOL`, the last of several equal flags wins, and
/// a flag's value may begin with a hyphen.
pub(super) fn follow_pflag(command: Command) -> Command {
    command
        .args_override_self(true)
        .mut_args(|arg| match arg.get_action() {
            ArgAction::SetTrue => optional_bool(arg).default_value("false"),
            ArgAction::Set if arg.is_require_equals_set() => optional_bool(arg),
            ArgAction::Set | ArgAction::Append if !arg.is_positional() => arg.allow_hyphen_values(true),
            _ => arg,
        })
        .mut_subcommands(follow_pflag)
}

/// A flag that is true when given alone and takes `=BOOL` otherwise.
pub(super) fn optional_bool(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_name("BOOL")
        .default_missing_value("true")
        .hide_default_value(true)
        .hide_possible_values(true)
        .value_parser(parse_bool)
}

/// A count, in the words of Go's `strconv.ParseUint` if it is none.
pub(crate) fn parse_uint(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| not_parsed("ParseUint", text))
}

/// A number, in the words of Go's `strconv.ParseInt` if it is none.
pub(super) fn parse_int(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| not_parsed("ParseInt", text))
}

/// The spellings that Go's `strconv.ParseBool` knows.
fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(not_parsed("ParseBool", text)),
    }
}

fn not_parsed(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {}: invalid syntax", quoted(text))
}
