//! Compiles plugins ahead of time: `longshore-precompile --out DIR FILE.wasm...`.
//!
//! For every `NAME.wasm` it checks what the component imports, and leaves
//! `DIR/NAME.wasm` (as given), `DIR/NAME.cwasm` (compiled for this architecture)
//! and `DIR/NAME.stamp` (what the compiled form was made from). A plugin whose
//! stamp still fits is left as it is, so that nothing is built again after it.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use longshore_engine::{Component, compatibility, engine, precompile};

fn main() -> ExitCode {
    let mut output = String::new();
    let result = arguments().and_then(|(out, files)| run(&out, &files, &mut output));
    // Nobody is left to tell if the report cannot be written.
    let _ = std::io::stdout().write_all(output.as_bytes());
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "longshore-precompile: {message}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<(PathBuf, Vec<PathBuf>), String> {
    let mut out = None;
    let mut files = Vec::new();
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--out" {
            out = arguments.next().map(PathBuf::from);
        } else {
            files.push(PathBuf::from(argument));
        }
    }
    match out {
        Some(out) if !files.is_empty() => Ok((out, files)),
        _ => Err("usage: longshore-precompile --out DIR FILE.wasm...".to_owned()),
    }
}

fn run(out: &Path, files: &[PathBuf], output: &mut String) -> Result<(), String> {
    let compatibility = compatibility(&engine().map_err(|error| format!("{error:#}"))?);
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    for file in files {
        let at = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .ok_or_else(|| at(&"file name is not UTF-8"))?;
        let wasm = fs::read(file).map_err(|error| at(&error))?;
        let component = Component::inspect(&wasm).map_err(|error| at(&error))?;
        let forbidden: Vec<&str> = component.forbidden_imports().collect();
        if !forbidden.is_empty() {
            return Err(at(&format!(
                "imports what no plugin may have: {}",
                forbidden.join(", ")
            )));
        }
        let stamp = format!("{} {compatibility}\n", component.sha256);
        let path = |extension: &str| out.join(format!("{name}.{extension}"));
        let fresh = fs::read_to_string(path("stamp")).is_ok_and(|found| found == stamp)
            && fs::read(path("wasm")).is_ok_and(|found| found == wasm)
            && path("cwasm").is_file();
        if !fresh {
            let compiled = precompile(&wasm).map_err(|error| at(&format!("{error:#}")))?;
            let write = |extension: &str, bytes: &[u8]| {
                fs::write(path(extension), bytes).map_err(|error| format!("{}: {error}", path(extension).display()))
            };
            write("wasm", &wasm)?;
            write("cwasm", &compiled)?;
            write("stamp", stamp.as_bytes())?;
        }
        let size = fs::metadata(path("cwasm")).map_or(0, |metadata| metadata.len());
        let _ = writeln!(
            output,
            "{name:<24} {:>7} KiB, compiled {:>7} KiB, imports {}{}",
            component.size.div_ceil(1024),
            size.div_ceil(1024),
            component.imports.len(),
            if fresh { ", up to date" } else { "" },
        );
    }
    Ok(())
}
