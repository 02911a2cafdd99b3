//! `copy` with the flags about compression, and blobs that are found again instead of being made again.

use std::fs;
use std::path::Path;

use longshore_tests::{
    Checked, DockerRegistry, Finished, ImageSpec, Kind, Layer, Packing, Scratch, TestRegistry, check_dir, check_layout,
    check_repository,
};

const LAYERS: [(u64, usize); 2] = [(1, 900_000), (2, 10)];

fn image(packing: Packing, kind: Kind) -> ImageSpec {
    ImageSpec::new(LAYERS.map(|(seed, size)| Layer::new(seed, size).packed(packing))).kind(kind)
}

/// A scratch folder with the image in the folder `made`.
fn scratch_with(packing: Packing, kind: Kind) -> (Scratch, Checked) {
    let scratch = Scratch::new().unwrap();
    let made = image(packing, kind).make().unwrap();
    made.write_dir(&scratch.path("made")).unwrap();
    let checked = check_dir(&scratch.path("made")).unwrap();
    (scratch, checked)
}

fn copy(scratch: &Scratch, flags: &str, to: &str) -> Finished {
    let tool = scratch.longshore().args(["copy", "--dest-tls-verify=false"]);
    let tool = tool.args(flags.split_whitespace());
    tool.arg(scratch.name("dir", "made")).arg(to).run()
}

#[test]
fn a_layout_gets_the_format_asked_for() {
    let rows = [
        (Packing::Plain, Kind::Oci, "--dest-compress-format zstd", "tar+zstd"),
        (
            Packing::Gzip,
            Kind::Oci,
            "--dest-compress-format zstd --dest-compress-level 12",
            "tar+zstd",
        ),
        (Packing::Gzip, Kind::Docker, "--dest-compress-format zstd", "tar+zstd"),
        (
            Packing::Zstd,
            Kind::Oci,
            "--dest-compress-format gzip --dest-compress-level 1",
            "tar+gzip",
        ),
        (Packing::Plain, Kind::Docker, "--dest-compress-level 9", "tar+gzip"),
        (
            Packing::Plain,
            Kind::Oci,
            "--dest-oci-accept-uncompressed-layers",
            "layer.v1.tar\"",
        ),
    ];
    for (packing, kind, flags, ending) in rows {
        let (scratch, source) = scratch_with(packing, kind);
        copy(&scratch, flags, &scratch.name("oci", "to:x")).success();
        let arrived = check_layout(&scratch.path("to"), "x").unwrap();
        assert_eq!(arrived.diff_ids, source.diff_ids, "{packing:?} {flags}");
        let manifest = fs::read_to_string(scratch.path("to/blobs/sha256").join(&arrived.digest[7..])).unwrap();
        assert_eq!(manifest.matches(ending).count(), LAYERS.len(), "{flags}: {manifest}");

        let skopeo = scratch.peer("skopeo").args(["copy", "--dest-decompress"]);
        let theirs = skopeo.args([scratch.name("oci", "to:x"), scratch.name("dir", "theirs")]);
        theirs.run().success();
        assert_eq!(check_dir(&scratch.path("theirs")).unwrap().layers, source.diff_ids);
    }
}

#[test]
fn a_folder_compresses_and_decompresses() {
    let (scratch, source) = scratch_with(Packing::Gzip, Kind::Docker);
    copy(&scratch, "--dest-decompress", &scratch.name("dir", "plain")).success();
    let plain = check_dir(&scratch.path("plain")).unwrap();
    assert_eq!(plain.layers, source.diff_ids);
    let again = scratch.longshore().args(["copy", "--dest-compress"]);
    let again = again.args([scratch.name("dir", "plain"), scratch.name("dir", "again")]);
    again.run().success();
    let again = check_dir(&scratch.path("again")).unwrap();
    assert_eq!(again.diff_ids, source.diff_ids);
    assert_ne!(again.layers, source.diff_ids);

    let to = scratch.name("dir", "no");
    copy(&scratch, "--dest-compress --dest-decompress", &to)
        .fails_with(&["Cannot compress and decompress at the same time"]);
    assert!(!scratch.path("no").exists());
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let (scratch, _) = scratch_with(Packing::Gzip, Kind::Docker);
    let to = scratch.name("dir", "to");
    let rows = [
        ("--dest-compress-format zstd:chunked", "not supported"),
        ("--dest-compress-format lzma", "cannot find compressor for \"lzma\""),
        ("--dest-force-compress-format", "ForceCompressionFormat"),
        ("--dest-compress-format zstd --format v2s2", "manifest"),
    ];
    for (flags, message) in rows {
        copy(&scratch, flags, &to).fails_with(&[message]);
        assert!(!scratch.path("to/manifest.json").exists(), "{flags}");
    }
}

#[test]
fn a_layer_once_compressed_is_found_again() {
    let (scratch, source) = scratch_with(Packing::Plain, Kind::Oci);
    let registry = TestRegistry::start().unwrap();
    let uploads = || registry.requests_to("PATCH", "/blobs/uploads/").len();
    copy(&scratch, "", &registry.name("one:v1")).success();
    let first = check_repository(&registry, "one", "v1").unwrap();
    assert_eq!(first.diff_ids, source.diff_ids);
    let sent = uploads();
    assert_eq!(sent, LAYERS.len() + 1, "the layers and the config");
    copy(&scratch, "", &registry.name("one:v2")).success();
    assert_eq!(check_repository(&registry, "one", "v2").unwrap().layers, first.layers);
    assert_eq!(uploads(), sent, "the second time nothing is sent");

    // From another repository the layers are mounted; only the config is sent, which no cache knows.
    copy(&scratch, "", &registry.name("two:v1")).success();
    assert_eq!(check_repository(&registry, "two", "v1").unwrap().layers, first.layers);
    assert_eq!(uploads(), sent + 1);
    assert_eq!(registry.open_uploads(), 0);

    let forced = "--dest-compress-format zstd --dest-force-compress-format";
    copy(&scratch, forced, &registry.name("one:v3")).success();
    let third = check_repository(&registry, "one", "v3").unwrap();
    assert_eq!(third.diff_ids, source.diff_ids);
    assert!(third.layers.iter().all(|layer| !first.layers.contains(layer)));
}

#[test]
fn precomputed_digests_save_the_upload() {
    let (scratch, _) = scratch_with(Packing::Plain, Kind::Oci);
    let registry = TestRegistry::start().unwrap();
    copy(&scratch, "--dest-precompute-digests", &registry.name("one:v1")).success();
    let first = check_repository(&registry, "one", "v1").unwrap();
    let sent = registry.requests_to("PATCH", "/blobs/uploads/").len();
    assert_eq!(sent, LAYERS.len() + 1, "the layers and the config");
    // Without the cache only the digest can tell.
    fs::remove_dir_all(scratch.path("home/.local/share")).unwrap();
    copy(&scratch, "--dest-precompute-digests", &registry.name("one:v2")).success();
    assert_eq!(check_repository(&registry, "one", "v2").unwrap().layers, first.layers);
    assert_eq!(registry.requests_to("PATCH", "/blobs/uploads/").len(), sent);
}

#[test]
fn large_temporary_files_go_where_the_user_says() {
    let (scratch, _) = scratch_with(Packing::Plain, Kind::Oci);
    let registry = TestRegistry::start().unwrap();
    let folder = scratch.path("roomy");
    let tmpdir = |folder: &Path| format!("--dest-precompute-digests --tmpdir {}", folder.display());
    copy(&scratch, &tmpdir(&folder), &registry.name("one:v1")).fails_with(&["roomy"]);
    fs::create_dir(&folder).unwrap();
    copy(&scratch, &tmpdir(&folder), &registry.name("one:v1")).success();
    check_repository(&registry, "one", "v1").unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_damaged_cache_stops_no_copy() {
    let (scratch, _) = scratch_with(Packing::Plain, Kind::Oci);
    let cache = scratch.path("home/.local/share/containers/cache");
    fs::create_dir_all(&cache).unwrap();
    let file = cache.join("longshore-blob-info-v1.sqlite");
    fs::write(&file, b"this is no database").unwrap();
    copy(&scratch, "", &scratch.name("oci", "to:x")).success();
    check_layout(&scratch.path("to"), "x").unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"this is no database");
}

#[test]
fn skopeo_reads_zstd_from_debians_registry() {
    let (scratch, source) = scratch_with(Packing::Gzip, Kind::Oci);
    let registry = DockerRegistry::start().unwrap();
    let name = registry.name("some/name:v1");
    copy(&scratch, "--dest-compress-format zstd", &name).success();
    let inspect = scratch
        .peer("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", &name]);
    inspect.run().success().prints("tar+zstd");
    let theirs = scratch
        .peer("skopeo")
        .args(["copy", "--src-tls-verify=false", "--dest-decompress"]);
    theirs.arg(&name).arg(scratch.name("dir", "theirs")).run().success();
    assert_eq!(check_dir(&scratch.path("theirs")).unwrap().layers, source.diff_ids);
}

#[test]
fn a_shared_blob_folder_is_read_by_skopeo_and_from_skopeo() {
    let (scratch, source) = scratch_with(Packing::Gzip, Kind::Oci);
    let pool = scratch.path("pool").display().to_string();
    let ours = format!("--dest-shared-blob-dir={pool}");
    copy(&scratch, &ours, &scratch.name("oci", "ours:x")).success();
    assert!(!scratch.path("ours/blobs/sha256").exists());
    let theirs = scratch.peer("skopeo").args(["copy", "--src-shared-blob-dir", &pool]);
    let theirs = theirs.args([scratch.name("oci", "ours:x"), scratch.name("dir", "theirs")]);
    theirs.run().success();
    assert_eq!(check_dir(&scratch.path("theirs")).unwrap().layers, source.layers);

    let theirs = scratch.peer("skopeo").args(["copy", "--dest-shared-blob-dir", &pool]);
    let theirs = theirs.args([scratch.name("dir", "made"), scratch.name("oci", "layout:y")]);
    theirs.run().success();
    let back = scratch.longshore().args(["copy", "--src-shared-blob-dir", &pool]);
    let back = back.args([scratch.name("oci", "layout:y"), scratch.name("dir", "back")]);
    back.run().success();
    assert_eq!(check_dir(&scratch.path("back")).unwrap().layers, source.layers);
}
