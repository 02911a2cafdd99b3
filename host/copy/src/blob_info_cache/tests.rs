#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Barrier;

use longshore_types::{Compression, Digest};

use super::{BlobInfoCache, Fact, MemoryCache, SqliteCache, Variant};

fn content(blob: &[u8], compression: Compression, plain: &[u8]) -> Fact {
    Fact::Content {
        digest: Digest::sha256(blob),
        compression,
        uncompressed: Digest::sha256(plain),
    }
}

fn location(blob: &[u8], domain: &str, repository: &str) -> Fact {
    Fact::Location {
        digest: Digest::sha256(blob),
        domain: domain.into(),
        repository: repository.into(),
    }
}

fn variant(blob: &[u8], compression: Compression) -> Variant {
    Variant {
        digest: Digest::sha256(blob),
        compression,
    }
}

fn both(folder: &Path) -> [Box<dyn BlobInfoCache>; 2] {
    [
        Box::new(MemoryCache::default()),
        Box::new(SqliteCache::new(folder.join("deep/er/cache.sqlite"))),
    ]
}

#[test]
fn variants_are_found_from_every_side() {
    let folder = tempfile::tempdir().unwrap();
    for cache in both(folder.path()) {
        assert_eq!(cache.variants(&Digest::sha256(b"plain")), []);
        cache.record(&[
            content(b"gz", Compression::Gzip, b"plain"),
            content(b"zst", Compression::Zstd, b"plain"),
            content(b"other", Compression::Gzip, b"other plain"),
        ]);
        let gz = variant(b"gz", Compression::Gzip);
        let zst = variant(b"zst", Compression::Zstd);
        assert_eq!(cache.variants(&Digest::sha256(b"plain")), [zst.clone(), gz.clone()]);
        assert_eq!(cache.variants(&Digest::sha256(b"gz")), std::slice::from_ref(&zst));
        cache.record(&[content(b"plain", Compression::None, b"plain")]);
        let plain = variant(b"plain", Compression::None);
        assert_eq!(cache.variants(&Digest::sha256(b"gz")), [plain, zst]);
        assert_eq!(cache.variants(&Digest::sha256(b"unknown")), []);
    }
}

#[test]
fn locations_belong_to_a_registry_and_the_newest_come_first() {
    let folder = tempfile::tempdir().unwrap();
    for cache in both(folder.path()) {
        let facts: Vec<Fact> = (0..8).map(|i| location(b"x", "h:1", &format!("r{i}"))).collect();
        cache.record(&facts);
        cache.record(&[location(b"x", "h:2", "elsewhere"), location(b"y", "h:1", "y")]);
        let digest = Digest::sha256(b"x");
        assert_eq!(cache.locations(&digest, "h:1"), ["r7", "r6", "r5", "r4", "r3"]);
        assert_eq!(cache.locations(&digest, "h:2"), ["elsewhere"]);
        assert_eq!(cache.locations(&digest, "h"), [""; 0]);
    }
}

#[test]
fn a_file_outlives_its_cache() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    SqliteCache::new(&path).record(&[content(b"gz", Compression::Gzip, b"plain"), location(b"gz", "h", "r")]);
    let again = SqliteCache::new(&path);
    assert_eq!(
        again.variants(&Digest::sha256(b"plain")),
        [variant(b"gz", Compression::Gzip)]
    );
    assert_eq!(again.locations(&Digest::sha256(b"gz"), "h"), ["r"]);
}

#[test]
fn many_at_a_time_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                let cache = SqliteCache::new(path);
                start.wait();
                for i in 0..5 {
                    cache.record(&[location(format!("{writer}.{i}").as_bytes(), "h", "r")]);
                }
            });
        }
    });
    let cache = SqliteCache::new(&path);
    for writer in 0..4 {
        for i in 0..5 {
            let digest = Digest::sha256(format!("{writer}.{i}").as_bytes());
            assert_eq!(cache.locations(&digest, "h"), ["r"], "{writer}.{i}");
        }
    }
}

#[test]
fn unusable_files_stay_as_they_are_and_memory_serves() {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound");
    SqliteCache::new(&sound).record(&[content(b"old", Compression::Gzip, b"plain")]);
    rusqlite::Connection::open(&sound)
        .unwrap()
        .execute_batch("PRAGMA journal_mode = DELETE")
        .unwrap();
    let sound = fs::read(sound).unwrap();
    let mut broken = sound.clone();
    broken[100..].fill(0xff);
    let mut other_version = sound.clone();
    other_version[60..64].copy_from_slice(&2u32.to_be_bytes());
    let rows: [(&str, &[u8]); 4] = [
        ("no database", b"no database, but long enough to look at"),
        ("cut", &sound[..sound.len() / 2]),
        ("broken pages", &broken),
        ("of a later version", &other_version),
    ];
    for (case, bytes) in rows {
        let path = folder.path().join(case);
        fs::write(&path, bytes).unwrap();
        let cache = SqliteCache::new(&path);
        let facts = [content(b"gz", Compression::Gzip, b"plain"), location(b"gz", "h", "r")];
        cache.record(&facts);
        let gz = variant(b"gz", Compression::Gzip);
        assert_eq!(cache.variants(&Digest::sha256(b"plain")), [gz], "{case}");
        assert_eq!(cache.locations(&Digest::sha256(b"gz"), "h"), ["r"], "{case}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{case}");
    }
}

#[test]
fn nonsense_in_rows_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    let cache = SqliteCache::new(&path);
    cache.record(&[content(b"gz", Compression::Gzip, b"plain")]);
    let plain = Digest::sha256(b"plain");
    let insert = format!(
        "INSERT INTO contents (digest, compression, uncompressed) VALUES
         ('sha256:../../x', 'gzip', '{plain}'), ('{}', 'rot13', '{plain}')",
        Digest::sha256(b"y")
    );
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(&insert)
        .unwrap();
    assert_eq!(cache.variants(&plain), [variant(b"gz", Compression::Gzip)]);
}
