//! Puts a transport of one's own to the test: the table of cases that the built-in ones pass.
//!
//! `longshore-conformance [--keeps-manifest] PLUGIN.wasm REFERENCE`, where `{folder}` in the reference stands for a fresh
//! folder and `{image}` for an image's name: `longshore-conformance shelf.wasm 'shelf:{folder}/{image}'`.

use std::path::PathBuf;
use std::process::ExitCode;

use longshore_tests::{Keeps, Outcome, Subject, conformance};

const USAGE: &str = "usage: longshore-conformance [--keeps-manifest] PLUGIN.wasm REFERENCE
{folder} in the reference stands for a fresh folder, {image} for an image's name";

#[expect(clippy::print_stdout, reason = "the one place of this program that prints")]
fn say(text: &str) {
    println!("{text}");
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (keeps, plugin, reference) = match words[..] {
        ["--keeps-manifest", plugin, reference] => (Keeps::Manifest, plugin, reference),
        [plugin, reference] if plugin.ends_with(".wasm") => (Keeps::Contents, plugin, reference),
        _ => {
            say(USAGE);
            return ExitCode::FAILURE;
        }
    };
    let subject = Subject {
        plugin: Some(PathBuf::from(plugin)),
        ..Subject::new(reference, keeps)
    };
    match conformance(&subject) {
        Ok(outcomes) => {
            let failed = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).count();
            for (case, outcome) in &outcomes {
                match outcome {
                    Ok(Outcome::Done) => say(&format!("ok       {case}")),
                    Ok(Outcome::Refused(reason)) => say(&format!("refused  {case}: {reason}")),
                    Err(error) => say(&format!("FAILED   {error:#}")),
                }
            }
            say(&format!("{failed} of {} cases failed", outcomes.len()));
            ExitCode::from(u8::from(failed > 0))
        }
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
