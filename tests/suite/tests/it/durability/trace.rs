//! Recording a program with strace, and reading what it wrote.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use longshore_tests::{Scratch, Tool};

/// One change of the file system, with absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Bytes or a length of a file.
    Write(PathBuf),
    /// A file or directory was put on the disk.
    Sync(PathBuf),
    /// A name came or went.
    Make(PathBuf),
    /// A file or directory got another name, or two exchanged theirs.
    Rename { from: PathBuf, to: PathBuf, exchange: bool },
}

const CALLS: &str = "trace=write,pwrite64,pwritev,pwritev2,copy_file_range,sendfile,ftruncate,fallocate,\
                     fsync,fdatasync,syncfs,rename,renameat,renameat2,link,linkat,mkdir,mkdirat";

/// Runs a tool below strace and returns what it changed, in order.
pub(super) fn record(scratch: &Scratch, tool: Tool) -> Vec<Event> {
    let file = scratch.path("trace");
    let strace = scratch
        .peer("strace")
        .args(["--follow-forks", "--decode-fds=path", "--string-limit=0", "-e", CALLS]);
    tool.below(strace.arg("--output").arg(&file)).run().success();
    let text = std::fs::read_to_string(&file).unwrap();
    events(&text, &scratch.path("."))
}

/// The events of a trace. A write counts from its start to its end, a sync from its end, a rename
/// from its start: whatever another thread did meanwhile came later than the trace may say.
fn events(text: &str, folder: &Path) -> Vec<Event> {
    let mut unfinished: HashMap<&str, &str> = HashMap::new();
    let mut events = Vec::new();
    for line in text.lines() {
        let Some((process, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        if call.starts_with("<... ") {
            if let Some(begun) = unfinished.remove(process) {
                events.extend(event(begun, folder).filter(|event| !matches!(event, Event::Rename { .. })));
            }
        } else if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            unfinished.insert(process, begun);
            events.extend(event(begun, folder).filter(|event| !matches!(event, Event::Sync(_))));
        } else if let Some((whole, result)) = call.rsplit_once(" = ")
            && !result.starts_with('-')
        {
            events.extend(event(whole.trim_end().trim_end_matches(')'), folder));
        }
    }
    events
}

fn event(call: &str, folder: &Path) -> Option<Event> {
    let (name, arguments) = call.split_once('(')?;
    let arguments: Vec<&str> = arguments.split(", ").collect();
    let argument = |position: usize| arguments.get(position).copied().unwrap_or_default();
    let at = |position: usize| Some(descriptor(argument(position))?.join(quoted(argument(position + 1))?));
    let named = |position: usize| Some(folder.join(quoted(argument(position))?));
    let event = match name {
        "write" | "pwrite64" | "pwritev" | "pwritev2" | "sendfile" | "ftruncate" | "fallocate" => {
            Event::Write(descriptor(argument(0))?)
        }
        "copy_file_range" => Event::Write(descriptor(argument(2))?),
        "fsync" | "fdatasync" | "syncfs" => Event::Sync(descriptor(argument(0))?),
        "mkdir" => Event::Make(named(0)?),
        "mkdirat" => Event::Make(at(0)?),
        "link" => Event::Make(named(1)?),
        "linkat" => Event::Make(at(2)?),
        "rename" => Event::Rename {
            from: named(0)?,
            to: named(1)?,
            exchange: false,
        },
        "renameat" | "renameat2" => Event::Rename {
            from: at(0)?,
            to: at(2)?,
            exchange: argument(4).contains("RENAME_EXCHANGE"),
        },
        _ => return None,
    };
    Some(event)
}

/// The path of `7</some/path>` or `AT_FDCWD</some/path>`.
fn descriptor(argument: &str) -> Option<PathBuf> {
    let (_, rest) = argument.split_once("</")?;
    Some(Path::new("/").join(rest.split('>').next()?))
}

/// The text of `"some/path"`.
fn quoted(argument: &str) -> Option<&str> {
    argument.strip_prefix('"')?.split('"').next()
}

#[test]
fn a_trace_is_read() {
    let text = r#"7  mkdirat(AT_FDCWD</a>, "/b/blobs", 0777) = 0
8  pwrite64(14</b/x>, ""..., 262144, 0 <unfinished ...>
7  fdatasync(14</b/x> <unfinished ...>
8  <... pwrite64 resumed>) = 262144
7  <... fdatasync resumed>)        = 0
7  renameat(12</b/s>, "0", 9</b/blobs>, "abc") = 0
7  renameat2(AT_FDCWD</a>, "/n", AT_FDCWD</a>, "/o", RENAME_EXCHANGE) = 0
7  renameat2(AT_FDCWD</a>, "/n", AT_FDCWD</a>, "/o", RENAME_EXCHANGE) = -1 ENOENT (No such file or directory)
7  write(1<pipe:[1]>, ""..., 10) = 10
7  exit_group(0) = ?"#;
    let path = |text: &str| PathBuf::from(text);
    let expected = [
        Event::Make(path("/b/blobs")),
        Event::Write(path("/b/x")),
        Event::Write(path("/b/x")),
        Event::Sync(path("/b/x")),
        Event::Rename {
            from: path("/b/s/0"),
            to: path("/b/blobs/abc"),
            exchange: false,
        },
        Event::Rename {
            from: path("/n"),
            to: path("/o"),
            exchange: true,
        },
    ];
    assert_eq!(events(text, Path::new("/here")), expected);
}
