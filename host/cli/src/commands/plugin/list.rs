//! `plugin list`: one line for each plugin.

use longshore_runtime::{Error, Origin, Plugin};

use crate::args::{PluginChoice, UsageError};
use crate::printer::{Level, Printer};
use crate::settings::Settings;

/// List the plugins, in the order in which they are looked up
#[derive(clap::Args)]
#[command(override_usage = "longshore plugin list [command options]")]
pub(super) struct ListArgs {
    #[arg(hide = true)]
    words: Vec<String>,

    #[command(flatten)]
    pub(super) plugins: PluginChoice,
}

const HEADING: [&str; 5] = ["NAME", "VERSION", "CONTRACT", "ABILITIES", "ORIGIN"];

/// Prints a table; a plugin that cannot be loaded is a warning.
pub(super) async fn run(args: ListArgs, settings: &Settings, printer: &Printer) -> anyhow::Result<()> {
    if !args.words.is_empty() {
        return Err(UsageError::new("No arguments expected").into());
    }
    let mut rows = vec![HEADING.map(str::to_owned)];
    for plugin in settings.plugins.plugins().await {
        match plugin.and_then(|plugin| row(&plugin)) {
            Ok(row) => rows.push(row),
            Err(error) => printer.message(Level::Warning, error),
        }
    }
    printer.result(table(&rows))
}

fn row(plugin: &Plugin) -> Result<[String; HEADING.len()], Error> {
    let description = plugin.description()?;
    let contracts = description.contracts();
    Ok([
        plugin.name().to_owned(),
        description.metadata.version.clone().unwrap_or_else(|| "-".to_owned()),
        contracts
            .iter()
            .map(|name| name.trim_start_matches("longshore:"))
            .collect::<Vec<_>>()
            .join(","),
        plugin.abilities().join(","),
        origin(plugin),
    ])
}

/// Where a plugin comes from, in one word or a path.
pub(super) fn origin(plugin: &Plugin) -> String {
    match plugin.origin() {
        Origin::BuiltIn => "built-in".to_owned(),
        Origin::File(path) => path.display().to_string(),
    }
}

/// Columns as wide as their widest cell, two spaces apart.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default();
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_aligned() {
        let rows = [["NAME", "ORIGIN"], ["é", "built-in"], ["policy", "/a b/c"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "NAME    ORIGIN\né       built-in\npolicy  /a b/c\n");
    }
}
