#![allow(clippy::unwrap_used)]

use super::*;

fn never() -> bool {
    false
}

fn gzip(content: &[u8]) -> Vec<u8> {
    use longshore_blob::{ChunkSink as _, GzipLevel, GzipSink, MemorySink};
    let mut sink = GzipSink::new(
        MemorySink::new(1 << 20),
        GzipLevel::default(),
        std::num::NonZeroUsize::MIN,
    );
    sink.write_chunk(Bytes::copy_from_slice(content)).unwrap();
    sink.finish().unwrap();
    sink.into_inner().into_bytes()
}

fn content(file: &OpenFile) -> Vec<u8> {
    file.read_at(0, 1 << 20).unwrap()
}

#[test]
fn files_are_read_in_place_unless_they_are_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let packed = gzip(b"some text");
    for (stored, inflate, expected, in_place) in [
        (&b"some text"[..], true, &b"some text"[..], true),
        (b"", true, b"", true),
        (&packed, true, b"some text", false),
        (&packed, false, &packed, true),
    ] {
        fs::write(&path, stored).unwrap();
        let file = Input::new(path.clone(), inflate).open(folder.path(), never).unwrap();
        assert_eq!(content(&file), expected);
        assert_eq!(file.modified().unwrap().is_some(), in_place);
    }
    // The copy has no name.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_fifo_is_copied_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let packed = gzip(b"some text");
    for (inflate, expected) in [(true, &b"some text"[..]), (false, &packed)] {
        let (own_path, packed) = (path.clone(), packed.clone());
        let writer = std::thread::spawn(move || fs::write(own_path, packed));
        let mut input = Input::new(path.clone(), inflate);
        let file = input.open(folder.path(), never).unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(content(&file), expected);
        // The stream is gone; its copy is not.
        assert_eq!(content(&input.open(folder.path(), never).unwrap()), expected);
    }
    let error = Input::new(path, false).open(folder.path(), || true).err().unwrap();
    assert_eq!(error.code, "interrupted");
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut");
    let packed = gzip(&vec![7; 100_000]);
    fs::write(&cut, &packed[..packed.len() / 2]).unwrap();
    for (path, code) in [
        (folder.path().join("missing"), "not-found"),
        (folder.path().to_owned(), "invalid-data"),
        (cut, "other"),
    ] {
        let error = Input::new(path.clone(), true).open(folder.path(), never).err().unwrap();
        assert_eq!(error.code, code);
        assert!(error.message.starts_with(path.to_str().unwrap()), "{}", error.message);
    }
}
