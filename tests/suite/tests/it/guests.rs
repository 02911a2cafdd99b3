//! Plugins that break the rules: each way ends in one clear error, nothing is left behind, and no
//! byte comes from, or goes to, a place that was not granted.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use longshore_tests::{Finished, ImageSpec, Layer, Scratch, files_below, test_guest};

/// The digest of the guest's only blob, `{}`.
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
const SECRET: &str = "what no plugin may read";

/// A folder `place` with traps in it, a secret beside it, and an image to copy.
fn traps() -> Scratch {
    let scratch = Scratch::new().unwrap();
    let place = scratch.path("place");
    fs::create_dir_all(place.join("a")).unwrap();
    fs::write(scratch.path("secret"), SECRET).unwrap();
    fs::write(place.join("blob"), "{}").unwrap();
    symlink(scratch.path("secret"), place.join("link")).unwrap();
    symlink(scratch.path("."), place.join("outside")).unwrap();
    let made = [
        Command::new("mkfifo").arg(place.join("fifo")).status(),
        Command::new("mknod")
            .arg(place.join("device"))
            .args(["c", "1", "5"])
            .status(),
    ];
    assert!(
        made.into_iter().all(|status| status.unwrap().success()),
        "the tests make a device node as root"
    );
    ImageSpec::new([Layer::new(1, 300_000)])
        .make()
        .unwrap()
        .write_dir(&scratch.path("image"))
        .unwrap();
    scratch
}

fn copy(scratch: &Scratch, from: &str, to: &str) -> Finished {
    let guest = format!("misbehave={}", test_guest("misbehave").display());
    scratch.longshore().args(["--plugin", &guest, "copy", from, to]).run()
}

/// Reads through the guest in this mode; expects status 1, the fragment, and no destination.
fn source_fails(mode: &str, with_place: bool, fragment: &str) {
    let scratch = traps();
    let place = scratch.path("place").display().to_string();
    let from = if with_place {
        format!("misbehave:{mode}:{place}")
    } else {
        format!("misbehave:{mode}")
    };
    let before = files_below(&scratch.path("place")).unwrap();
    let finished = copy(&scratch, &from, &scratch.name("oci", "to:x")).with_status(1);
    let story = format!("{mode}: expected {fragment}\n{}", finished.story());
    assert!(finished.stderr().contains(fragment), "{story}");
    assert!(!finished.stderr().contains(SECRET), "{story}");
    assert!(!finished.stderr().contains('\u{1b}'), "{story}");
    assert!(!scratch.path("to/index.json").exists(), "{story}");
    assert_eq!(files_below(&scratch.path("place")).unwrap(), before, "{story}");
}

/// Writes through the guest in this mode; expects status 1, the fragment, and an empty place.
fn destination_fails(mode: &str, fragment: &str) {
    let scratch = traps();
    let place = scratch.path("new").display().to_string();
    let to = format!("misbehave:{mode}:{place}");
    let finished = copy(&scratch, &scratch.name("dir", "image"), &to).with_status(1);
    let story = format!("{mode}: expected {fragment}\n{}", finished.story());
    assert!(finished.stderr().contains(fragment), "{story}");
    assert!(!scratch.path("outside").exists(), "{story}");
    let left: Vec<_> = files_below(&scratch.path("new")).unwrap().into_keys().collect();
    let staged: Vec<_> = left
        .iter()
        .filter(|path| !path.ends_with("blob") && !path.ends_with("there"))
        .collect();
    assert!(staged.is_empty(), "left behind: {left:?}\n{story}");
}

#[test]
fn sources_that_use_too_much() {
    source_fails("loop", false, "plugin misbehave");
    source_fails("balloon", false, "plugin misbehave");
    source_fails("handles", true, "handles");
    source_fails("large-manifest", false, "larger than 4194304 bytes");
    source_fails("huge-manifest", false, "plugin misbehave");
    source_fails("large-signatures", false, "signatures");
    source_fails("large-inline", false, "plugin misbehave");
    source_fails("plan-flood", false, "misbehave");
    source_fails("parse-loop", false, "plugin misbehave");
}

#[test]
fn sources_that_call_the_host_for_good() {
    source_fails(
        "chatter",
        false,
        "it computed for more than 30 s in one call, 0 bytes moved",
    );
}

#[test]
fn open_files_are_limited_by_the_host_first() {
    for (limits, fragment) in [
        ("100:4096", "more than 2000 handles"),
        (
            "100:100",
            "place/blob: Too many open files (os error 24): the limit of open files (ulimit -n) is too low",
        ),
    ] {
        let scratch = traps();
        let guest = format!("misbehave={}", test_guest("misbehave").display());
        let from = format!("misbehave:open-files:{}", scratch.path("place").display());
        let words = ["--plugin", &guest, "copy", &from, &scratch.name("oci", "to:x")];
        let limited = scratch.peer("prlimit").arg(format!("--nofile={limits}"));
        let finished = scratch.longshore().args(words).below(limited).run();
        finished.with_status(1).says(&[fragment]);
    }
}

#[test]
fn sources_that_break_down() {
    source_fails("panic", false, "plugin misbehave");
    source_fails("exit", false, "plugin misbehave");
    source_fails("retry", false, "not now");
    source_fails("code", false, "what is this");
    source_fails("interrupted", false, "nobody asked it to");
    source_fails("parse-error", false, "bad\\\\u{1b}[2J reference");
}

#[test]
fn sources_that_leave_their_place() {
    for mode in ["dotdot", "inner-dotdot", "absolute", "symlink", "symlink-directory"] {
        source_fails(mode, true, "place");
    }
    source_fails("fifo", true, "fifo");
    source_fails("device", true, "device");
    source_fails("stranger", false, "never granted");
    source_fails("plan-stranger", false, "which does not stand in the reference");
    source_fails("std-fs", false, "std::fs");
    source_fails("environment", false, "0 variables");
}

#[test]
fn owners_modes_and_nodes_are_not_for_strangers() {
    source_fails("posix", true, "nothing of POSIX was granted as");
    source_fails(
        "plan-posix",
        true,
        "only plugins of the program itself are granted that",
    );
    source_fails("plan-posix", false, "which is no directory of the plan");
    destination_fails("plan-posix", "only plugins of the program itself are granted that");
}

#[test]
fn sources_that_change_what_they_read() {
    for mode in [
        "write-read-only",
        "stage-read-only",
        "remove-read-only",
        "remove-all-read-only",
        "lock-read-only",
        "make-read-only",
        "open-read-only",
        "file-read-only",
    ] {
        let fragment = if mode == "file-read-only" {
            "place/blob: not open for writing"
        } else {
            "place: granted for reading only"
        };
        source_fails(mode, true, fragment);
    }
    // Nor is more granted to a source that asks for it.
    for mode in ["plan-write", "plan-create", "plan-new"] {
        source_fails(mode, true, "is more than this operation may have");
    }
}

#[test]
fn sources_that_lie() {
    source_fails("wrong-digest", false, "sha256:aaaa");
    source_fails("no-digest", false, "misbehave");
    source_fails("lying-length", true, EMPTY);
    source_fails("lying-offset", true, "misbehave");
    source_fails("streamed", true, EMPTY);
    source_fails("nested", true, "a stream is made of more than 16 others");
    source_fails("produced-fails", false, EMPTY);
    source_fails("produced-panics", false, EMPTY);
    source_fails("produced-endless", false, EMPTY);
    source_fails("copied-short", true, "the stream ended after 2 bytes of 1099511627776");
    source_fails("copied-checksum", true, "checksum-of-the-future");
    source_fails("layers-one", false, "the manifest has 0, there are 1");
    source_fails("layers-no-digest", false, "misbehave");
    source_fails("open-locked", true, "place/blob: locked");
}

#[test]
fn destinations_that_break_the_rules() {
    destination_fails("finish-panics", "plugin misbehave");
    destination_fails("finish-fails", "full");
    destination_fails("commit-panics", "plugin misbehave");
    destination_fails("consume-panics", "plugin misbehave");
    destination_fails("stop-early", "misbehave");
    destination_fails("limited", "misbehave");
    destination_fails("keep-reader", "kept reader");
    destination_fails("keep-file", "kept file");
    destination_fails("keep-writer", "kept writer");
    destination_fails("publish-outside", "outside");
    destination_fails("relock", "misbehave");
}

#[test]
fn a_file_that_is_no_plugin() {
    let scratch = traps();
    let from = scratch.name("dir", "image");
    for (name, bytes) in [("empty", &b""[..]), ("text", b"hello"), ("module", b"\0asm\x01\0\0\0")] {
        let file = scratch.path(name).with_extension("wasm");
        fs::write(&file, bytes).unwrap();
        let plugin = format!("other={}", file.display());
        let tool = scratch
            .longshore()
            .args(["--plugin", &plugin, "copy", &from, "other:x"]);
        tool.run().fails_with(&[&file.display().to_string()]);
    }
}
