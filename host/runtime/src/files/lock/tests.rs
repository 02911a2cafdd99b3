#![allow(clippy::unwrap_used)]

use std::fs;

use longshore_blob::Durability;

use super::*;
use crate::files::{Directory, Root};

use LockKind::{Flock, Ofd, Posix};

fn place(writable: bool) -> (tempfile::TempDir, Directory) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "0123456789").unwrap();
    let root = Root::open(folder.path(), writable, Durability::Sync, false).unwrap();
    let directory = Directory::of(&root).unwrap();
    (folder, directory)
}

/// Tries once, as another instance.
fn try_lock(directory: &Directory, kind: LockKind, exclusive: bool) -> GuestResult<Lock> {
    directory.lock(b"file", kind, exclusive, &mut HeldLocks::default(), &|| true)
}

fn code<T>(result: GuestResult<T>) -> String {
    result.err().map_or_else(|| "ok".to_owned(), |error| error.code)
}

#[test]
fn kinds_exclude_whom_the_system_says() {
    let (_folder, directory) = place(true);
    for (first, second, free) in [
        ((Flock, false), (Flock, false), true),
        ((Flock, true), (Flock, false), false),
        ((Flock, true), (Ofd, true), true),
        ((Flock, true), (Posix, true), true),
        ((Ofd, false), (Ofd, false), true),
        ((Ofd, false), (Ofd, true), false),
        // To the system these are two owners, as if of two processes.
        ((Ofd, false), (Posix, false), true),
        ((Ofd, true), (Posix, false), false),
        ((Posix, false), (Ofd, true), false),
        // And these are one: the table tells them apart.
        ((Posix, false), (Posix, false), true),
        ((Posix, false), (Posix, true), false),
        ((Posix, true), (Posix, false), false),
    ] {
        let held = try_lock(&directory, first.0, first.1).unwrap();
        let found = try_lock(&directory, second.0, second.1);
        match found {
            Ok(found) => {
                assert!(free, "{first:?} {second:?}");
                drop((held, found));
            }
            Err(error) => {
                // The file of a record lock is not even opened for one of another kind.
                let is_another = matches!((first.0, second.0), (Posix, Flock | Ofd));
                let expected = if is_another { "access-denied" } else { "interrupted" };
                assert!(!free && error.code == expected, "{first:?} {second:?} {error:?}");
                drop(held);
            }
        }
        assert_eq!(code(try_lock(&directory, second.0, true)), "ok", "{first:?} {second:?}");
    }
}

#[test]
fn a_record_lock_is_kept_by_its_last_holder() {
    let (_folder, directory) = place(true);
    let first = try_lock(&directory, Posix, false).unwrap();
    let second = try_lock(&directory, Posix, false).unwrap();
    drop(first);
    assert_eq!(code(try_lock(&directory, Ofd, true)), "access-denied");
    // Nobody gives it up by opening the file.
    assert_eq!(code(directory.open(b"file", false)), "access-denied");
    assert_eq!(code(directory.read(b"file", 10)), "access-denied");
    assert_eq!(second.read(4).unwrap(), b"0123");
    drop(second);
    assert_eq!(directory.read(b"file", 10).unwrap(), b"0123456789");
}

#[test]
fn locks_read_and_write_their_file() {
    let (folder, directory) = place(true);
    for kind in [Flock, Ofd, Posix] {
        fs::write(folder.path().join("file"), "0123456789").unwrap();
        let lock = try_lock(&directory, kind, true).unwrap();
        lock.write(b"abc").unwrap();
        assert_eq!(lock.read(100).unwrap(), b"abc3456789", "{kind:?}");
        assert_eq!(code(lock.write(&vec![0; limits::LOCK_FILE + 1])), "invalid-data");
        drop(lock);
        let shared = try_lock(&directory, kind, false).unwrap();
        assert_eq!(code(shared.write(b"x")), "access-denied", "{kind:?}");
        assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"abc3456789");
    }
}

#[test]
fn what_may_only_be_read_is_not_locked_for_writing() {
    let (_folder, directory) = place(false);
    for (kind, exclusive, expected) in [
        (Flock, true, "ok"),
        (Ofd, true, "access-denied"),
        (Posix, true, "access-denied"),
        (Ofd, false, "ok"),
        (Posix, false, "ok"),
    ] {
        let lock = try_lock(&directory, kind, exclusive);
        if let Ok(lock) = &lock {
            assert_eq!(code(lock.write(b"x")), "access-denied", "{kind:?}");
        }
        assert_eq!(code(lock), expected, "{kind:?}");
    }
}

#[test]
fn directories_are_locked_by_flock_alone() {
    let (folder, directory) = place(true);
    fs::create_dir(folder.path().join("folder")).unwrap();
    for (kind, expected) in [(Flock, "ok"), (Ofd, "invalid-data"), (Posix, "invalid-data")] {
        for path in [&b""[..], b"folder"] {
            let lock = directory.lock(path, kind, true, &mut HeldLocks::default(), &|| true);
            if let Ok(lock) = &lock {
                assert_eq!(code(lock.read(1)), "invalid-data");
                assert_eq!(code(lock.write(b"x")), "invalid-data");
            }
            assert_eq!(code(lock), expected, "{kind:?}");
        }
    }
}

#[test]
fn an_instance_waits_for_none_of_its_own_locks() {
    let (_folder, directory) = place(true);
    for (kind, exclusive) in [(Flock, true), (Ofd, true), (Posix, true), (Posix, false)] {
        let mut own = HeldLocks::default();
        let held = directory.lock(b"file", kind, exclusive, &mut own, &|| false).unwrap();
        assert_eq!(code(directory.lock(b"file", kind, true, &mut own, &|| false)), "other");
        drop(held);
        directory.lock(b"file", kind, true, &mut own, &|| false).unwrap();
    }
}
