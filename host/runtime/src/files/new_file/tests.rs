#![allow(clippy::unwrap_used)]

use super::*;

fn begin(path: &Path, replace: bool) -> GuestResult<NewFile> {
    NewFile::create(path, replace, Durability::Sync, &|| false)
}

fn write(file: &NewFile, content: &[u8]) {
    match file.sink().unwrap() {
        Sink::File(file) => file.write_at(0, content).unwrap(),
        Sink::Stream(mut stream) => stream.write_chunk(Bytes::copy_from_slice(content)).unwrap(),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_there_after_commit_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    for commit in [false, true] {
        let file = begin(&path, false).unwrap();
        write(&file, b"content");
        assert!(!path.exists());
        let Sink::File(handle) = file.sink().unwrap() else {
            panic!("a regular file is no stream")
        };
        if commit {
            file.commit().unwrap();
        } else {
            drop(file);
        }
        assert!(handle.write_at(0, b"late").is_err());
        assert_eq!(path.exists(), commit);
    }
    assert_eq!(fs::read(&path).unwrap(), b"content");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(names(folder.path()), ["new"]);
}

#[test]
fn what_is_there_gives_way_only_if_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (old, replace, code) in [
        (&b"old"[..], false, Some("already-exists")),
        (b"", false, None),
        (b"old", true, None),
    ] {
        fs::write(&path, old).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = begin(&path, replace);
        assert_eq!(file.as_ref().err().map(|error| error.code.as_str()), code);
        if let Ok(file) = file {
            write(&file, b"new");
            assert_eq!(fs::read(&path).unwrap(), old);
            file.commit().unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        }
        assert_eq!(names(folder.path()), ["file"]);
    }
    let error = begin(folder.path(), true).err().unwrap();
    assert_eq!(error.code, "invalid-data");
}

#[test]
fn what_came_to_be_there_meanwhile_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (before, replace) in [(None, false), (None, true), (Some(""), false)] {
        let _ = fs::remove_file(&path);
        if let Some(before) = before {
            fs::write(&path, before).unwrap();
        }
        let file = begin(&path, replace).unwrap();
        write(&file, b"new");
        fs::write(&path, b"another").unwrap();
        let error = file.commit().unwrap_err();
        assert_eq!(error.kind(), longshore_types::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"another");
        assert_eq!(names(folder.path()), ["file"]);
    }
}

#[test]
fn a_link_leads_to_the_file_that_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&path, b"old").unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    let file = begin(&link, true).unwrap();
    write(&file, b"new");
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert!(link.is_symlink());
}

#[test]
fn a_fifo_takes_what_comes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let error = NewFile::create(&path, false, Durability::Sync, &|| true).err().unwrap();
    assert_eq!(error.code, "interrupted");
    let own_path = path.clone();
    let reader = std::thread::spawn(move || fs::read(own_path));
    let file = begin(&path, false).unwrap();
    write(&file, b"one");
    write(&file, b"two");
    file.commit().unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), b"onetwo");
}
