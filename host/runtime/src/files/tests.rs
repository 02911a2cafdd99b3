#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use longshore_blob::{ChunkSink as _, ChunkSource as _, Durability};

use super::*;
use crate::limits;

struct Place {
    temporary: tempfile::TempDir,
    root: Arc<Root>,
}

impl Place {
    fn new(writable: bool) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        fs::create_dir(temporary.path().join("in")).unwrap();
        fs::write(temporary.path().join("secret"), "secret").unwrap();
        let root = Root::open(&temporary.path().join("in"), writable, Durability::Sync, false).unwrap();
        Self { temporary, root }
    }

    fn inside(&self) -> std::path::PathBuf {
        self.temporary.path().join("in")
    }

    fn directory(&self) -> Directory {
        Directory::of(&self.root).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.inside()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn code<T>(result: GuestResult<T>) -> String {
    result.err().map_or_else(|| "ok".to_owned(), |error| error.code)
}

#[test]
fn nothing_outside_can_be_reached() {
    let place = Place::new(true);
    let inside = place.inside();
    fs::write(inside.join("file"), "inside").unwrap();
    fs::create_dir(inside.join("sub")).unwrap();
    for (link, target) in [
        ("good", "file"),
        ("up", "../secret"),
        ("absolute", "/etc/passwd"),
        ("outside", ".."),
        ("sub/back", "../file"),
        ("sub/out", "../../secret"),
        ("loop", "loop"),
    ] {
        symlink(target, inside.join(link)).unwrap();
    }
    let directory = place.directory();
    for path in ["file", "good", "sub/back"] {
        assert_eq!(directory.read(path.as_bytes(), 100).unwrap(), b"inside", "{path}");
    }
    for path in [
        "up",
        "absolute",
        "outside/secret",
        "sub/out",
        "../secret",
        "sub/../../secret",
        "/etc/passwd",
        "loop",
    ] {
        assert!(directory.read(path.as_bytes(), 100).is_err(), "{path}");
        assert!(directory.open(path.as_bytes(), true).is_err(), "{path}");
        assert!(directory.stat(path.as_bytes()).is_err(), "{path}");
    }
    for path in ["outside", "..", "outside/in"] {
        assert!(directory.subdirectory(path.as_bytes()).is_err(), "{path}");
        assert!(directory.entries(path.as_bytes()).is_err(), "{path}");
        assert!(
            directory
                .lock(
                    path.as_bytes(),
                    LockKind::Flock,
                    false,
                    &mut HeldLocks::default(),
                    &|| false
                )
                .is_err(),
            "{path}"
        );
    }
    for path in ["../new", "outside/new", "sub/../../new"] {
        assert!(directory.replace(path.as_bytes(), b"x").is_err(), "{path}");
        assert!(directory.make_directory(path.as_bytes()).is_err(), "{path}");
        assert!(directory.remove(path.as_bytes()).is_err(), "{path}");
        let staged = directory.stage().unwrap();
        assert!(staged.publish(&directory, path.as_bytes(), true).is_err(), "{path}");
    }
    // What is replaced or removed is the link, never its target.
    directory.replace(b"up", b"x").unwrap();
    directory.remove(b"absolute").unwrap();
    assert_eq!(
        fs::read_to_string(place.temporary.path().join("secret")).unwrap(),
        "secret"
    );
    assert!(Path::new("/etc/passwd").exists());
    assert!(!place.temporary.path().join("new").exists());
}

#[test]
fn only_regular_files_are_opened() {
    let place = Place::new(true);
    let inside = place.inside();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        inside.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(inside.join("socket")).unwrap();
    fs::create_dir(inside.join("sub")).unwrap();
    let directory = place.directory();
    for name in ["fifo", "socket", "sub"] {
        assert_eq!(code(directory.open(name.as_bytes(), false)), "invalid-data", "{name}");
        assert_eq!(code(directory.open(name.as_bytes(), true)), "invalid-data", "{name}");
        assert_eq!(code(directory.read(name.as_bytes(), 10)), "invalid-data", "{name}");
    }
    assert_eq!(
        code(directory.lock(b"fifo", LockKind::Flock, true, &mut HeldLocks::default(), &|| false)),
        "invalid-data"
    );
    assert_eq!(code(directory.read(b"missing", 10)), "not-found");
    let entries: Vec<_> = directory
        .entries(b"")
        .unwrap()
        .into_iter()
        .map(|(_, entry)| entry)
        .collect();
    assert_eq!(entries, [Entry::Other, Entry::Other, Entry::Directory]);
}

#[test]
fn a_directory_granted_for_reading_cannot_be_changed() {
    let place = Place::new(false);
    fs::write(place.inside().join("file"), "x").unwrap();
    let directory = place.directory();
    assert_eq!(code(directory.replace(b"new", b"x")), "access-denied");
    assert_eq!(code(directory.stage()), "access-denied");
    assert_eq!(code(directory.open(b"file", true)), "access-denied");
    assert_eq!(code(directory.make_directory(b"new")), "access-denied");
    assert_eq!(code(directory.remove(b"file")), "access-denied");
    assert_eq!(
        code(directory.open(b"file", false).unwrap().write_at(0, b"y")),
        "access-denied"
    );
    assert_eq!(
        code(directory.open(b"file", false).unwrap().sink(0, None, Durability::Sync)),
        "access-denied"
    );
    assert_eq!(place.names(), ["file"]);
}

#[test]
fn a_staged_file_is_seen_when_it_is_published() {
    let place = Place::new(true);
    let directory = place.directory();
    let staged = directory.stage().unwrap();
    let file = staged.file().unwrap();
    file.write_at(0, b"content").unwrap();
    assert!(
        directory.entries(b"").unwrap().is_empty(),
        "the guest does not see the staging folder"
    );
    staged.publish(&directory, b"deep/er/name", true).unwrap();
    assert_eq!(fs::read(place.inside().join("deep/er/name")).unwrap(), b"content");
    assert_eq!(
        fs::metadata(place.inside().join("deep/er/name"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o644
    );
    assert_eq!(
        fs::metadata(place.inside().join("deep/er"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o755
    );
    // Its handles have ended.
    assert_eq!(code(file.write_at(0, b"changed")), "other");
    assert_eq!(code(file.sink(0, None, Durability::Sync)), "other");

    let second = directory.stage().unwrap();
    assert_eq!(
        code(second.publish(&directory, b"deep/er/name", false)),
        "already-exists"
    );
    let third = directory.stage().unwrap();
    third.publish(&directory, b"deep/er/name", true).unwrap();
    assert_eq!(fs::read(place.inside().join("deep/er/name")).unwrap(), b"");
    let dropped = directory.stage().unwrap();
    drop(dropped);
    place.root.discard_staged();
    assert_eq!(place.names(), ["deep"]);
}

#[test]
fn streams_of_a_staged_file_end_when_it_is_published() {
    let place = Place::new(true);
    let directory = place.directory();
    let chunk = || bytes::Bytes::from_static(b"later");
    for published in [true, false] {
        let staged = directory.stage().unwrap();
        let file = staged.file().unwrap();
        file.write_at(0, b"content").unwrap();
        let mut sink = file.sink(0, None, Durability::Sync).unwrap();
        let (mut source, _) = file.source(0, None).unwrap();
        if published {
            staged.publish(&directory, b"name", true).unwrap();
        } else {
            drop(staged);
        }
        for ended in [
            sink.write_chunk(chunk()),
            sink.write_chunks(&[chunk()]),
            sink.finish(),
            source.next_chunk().map(drop),
        ] {
            let error = ended.unwrap_err().to_string();
            assert!(error.contains("published already"), "{error}");
        }
    }
    assert_eq!(fs::read(place.inside().join("name")).unwrap(), b"content");
}

#[test]
fn what_is_staged_goes_with_the_operation() {
    let place = Place::new(true);
    let directory = place.directory();
    let staged = directory.stage().unwrap();
    staged.file().unwrap().write_at(0, b"half").unwrap();
    assert_eq!(place.names().len(), 1);
    std::mem::forget(staged);
    place.root.discard_staged();
    assert!(place.names().is_empty());
}

#[test]
fn staging_folders_of_the_dead_are_removed_and_those_of_the_living_kept() {
    let place = Place::new(true);
    fs::create_dir(place.inside().join(".longshore-1-dead")).unwrap();
    fs::write(place.inside().join(".longshore-1-dead/0"), "half").unwrap();
    let first = place.directory().stage().unwrap();
    let other = Root::open(&place.inside(), true, Durability::Sync, false).unwrap();
    let second = Directory::of(&other).unwrap().stage().unwrap();
    assert_eq!(place.names().len(), 2);
    assert!(!place.inside().join(".longshore-1-dead").exists());
    first.publish(&place.directory(), b"first", true).unwrap();
    assert_eq!(
        code(second.publish(&place.directory(), b"second", true)),
        "access-denied",
        "of another grant"
    );
    drop(other);
    place.root.discard_staged();
    assert_eq!(place.names(), ["first"]);
}

#[test]
fn files_changed_in_place_are_synced_at_commit() {
    let place = Place::new(true);
    fs::create_dir(place.inside().join("sub")).unwrap();
    fs::write(place.inside().join("sub/file"), "0123456789").unwrap();
    let below = place.directory().subdirectory(b"sub").unwrap();
    let file = below.open(b"file", true).unwrap();
    let mut stream = file.sink(4, None, Durability::Sync).unwrap();
    let expected = [Path::new("sub/file").to_owned()];
    let to_sync = || place.root.unsynced_files();
    assert!(to_sync().is_empty(), "opening changes nothing");
    file.write_at(0, b"ab").unwrap();
    assert_eq!(to_sync(), expected);
    place.root.sync().unwrap();
    assert!(to_sync().is_empty());
    stream.write_chunk(bytes::Bytes::from_static(b"cd")).unwrap();
    assert_eq!(to_sync(), expected);
    assert_eq!(fs::read(place.inside().join("sub/file")).unwrap(), b"ab23cd6789");
    // What is gone by then needs no sync.
    below.remove(b"file").unwrap();
    place.root.sync().unwrap();
    assert!(to_sync().is_empty());
}

#[test]
fn limits_of_reading() {
    let place = Place::new(true);
    fs::write(place.inside().join("ten"), "0123456789").unwrap();
    let directory = place.directory();
    assert_eq!(directory.read(b"ten", 10).unwrap().len(), 10);
    assert_eq!(code(directory.read(b"ten", 9)), "invalid-data");
    let sparse = fs::File::create(place.inside().join("sparse")).unwrap();
    sparse.set_len(limits::SMALL_FILE as u64 + 1).unwrap();
    assert_eq!(code(directory.read(b"sparse", usize::MAX)), "invalid-data");

    let file = directory.open(b"ten", false).unwrap();
    assert_eq!(file.read_at(8, 100).unwrap(), b"89");
    assert_eq!(file.read_at(u64::MAX, 100).unwrap_or_default(), b"");
    let (mut source, size) = file.source(4, Some(3)).unwrap();
    assert_eq!(size, 3);
    assert_eq!(&source.next_chunk().unwrap().unwrap()[..], b"456");
    assert!(source.next_chunk().unwrap().is_none());
    let (mut lying, _) = file.source(4, Some(7)).unwrap();
    while let Ok(Some(_)) = lying.next_chunk() {}
    assert!(lying.next_chunk().is_err() || file.source(11, None).is_err());
    assert_eq!(code(file.source(11, None)), "invalid-data");
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_may_be_longer_than_it_says() {
    // The kernel says that it is empty; so is a file that grows after it was looked at.
    let root = Root::open(Path::new("/proc/self"), false, Durability::Sync, false).unwrap();
    let directory = Directory::of(&root).unwrap();
    assert_eq!(directory.stat(b"status").unwrap(), (Entry::File, 0));
    let whole = directory.read(b"status", 1 << 20).unwrap();
    assert!(whole.starts_with(b"Name:") && whole.ends_with(b"\n"));
    assert_eq!(code(directory.read(b"status", 10)), "invalid-data");
}

#[test]
fn a_range_takes_no_more_than_its_length() {
    let place = Place::new(true);
    let directory = place.directory();
    let staged = directory.stage().unwrap();
    let mut sink = staged.file().unwrap().sink(2, Some(4), Durability::Sync).unwrap();
    sink.write_chunk(bytes::Bytes::from_static(b"abcd")).unwrap();
    assert!(sink.write_chunk(bytes::Bytes::from_static(b"e")).is_err());
}

#[test]
fn locks_exclude_each_other() {
    let place = Place::new(true);
    let directory = place.directory();
    // Each is another instance, so that none holds a lock itself.
    let lock = |exclusive: bool, cancelled: bool| {
        directory.lock(b"", LockKind::Flock, exclusive, &mut HeldLocks::default(), &|| {
            cancelled
        })
    };
    let shared = lock(false, false).unwrap();
    let second = lock(false, false).unwrap();
    // A waiting lock is given up when the operation is cancelled.
    assert_eq!(code(lock(true, true)), "interrupted");
    drop((shared, second));
    let exclusive = lock(true, false).unwrap();
    assert_eq!(code(lock(false, true)), "interrupted");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lock(false, false).map(drop));
        drop(exclusive);
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn an_instance_does_not_wait_for_itself() {
    let place = Place::new(true);
    let directory = place.directory();
    let mut own = HeldLocks::default();
    let shared = directory
        .lock(b"", LockKind::Flock, false, &mut own, &|| false)
        .unwrap();
    let second = directory
        .lock(b"", LockKind::Flock, false, &mut own, &|| false)
        .unwrap();
    assert_eq!(
        code(directory.lock(b"", LockKind::Flock, true, &mut own, &|| false)),
        "other"
    );
    drop((shared, second));
    let exclusive = directory.lock(b"", LockKind::Flock, true, &mut own, &|| false).unwrap();
    assert_eq!(
        code(directory.lock(b"", LockKind::Flock, false, &mut own, &|| false)),
        "other"
    );
    drop(exclusive);
    directory.lock(b"", LockKind::Flock, true, &mut own, &|| false).unwrap();
}

#[test]
fn trees_are_removed_and_nothing_outside_of_them() {
    let place = Place::new(true);
    let inside = place.inside();
    fs::create_dir_all(inside.join("tree/a/b")).unwrap();
    fs::write(inside.join("tree/a/file"), "x").unwrap();
    symlink(place.temporary.path(), inside.join("tree/a/outside")).unwrap();
    symlink("../kept", inside.join("tree/kept")).unwrap();
    fs::write(inside.join("kept"), "kept").unwrap();
    symlink("..", inside.join("up")).unwrap();
    let directory = place.directory();
    for path in ["", "..", "../secret", "tree/../../secret", "up/secret", "/etc/passwd"] {
        assert_ne!(code(directory.remove_all(path.as_bytes())), "ok", "{path}");
    }
    assert_eq!(code(directory.remove_all(b"missing")), "not-found");
    for path in ["tree", "up"] {
        directory.remove_all(path.as_bytes()).unwrap();
    }
    assert_eq!(place.names(), ["kept"]);
    assert!(place.temporary.path().join("secret").exists());
    let read_only = Place::new(false);
    fs::write(read_only.inside().join("file"), "x").unwrap();
    assert_eq!(code(read_only.directory().remove_all(b"file")), "access-denied");
}

#[test]
fn a_replaced_file_leaves_its_mode() {
    let place = Place::new(true);
    let file = place.inside().join("file");
    fs::write(&file, "old").unwrap();
    for mode in [0o600, 0o640] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        place.directory().replace(b"file", b"new").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, mode);
    }
    fs::remove_file(&file).unwrap();
    symlink("/etc/passwd", &file).unwrap();
    place.directory().replace(b"file", b"new").unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
}
