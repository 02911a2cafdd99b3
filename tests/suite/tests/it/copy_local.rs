//! `copy` between `dir:` and `oci:`: what arrives is whole and of the form the place wants.

use std::fs;

use longshore_tests::{ImageSpec, Kind, Layer, Packing, Scratch, check_dir, check_layout, entries, files_below};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn image() -> ImageSpec {
    ImageSpec::new([Layer::new(1, 2_500_000), Layer::new(2, 10), Layer::new(1, 2_500_000)])
}

/// The places an image can lie in, one after the other in a scratch folder.
fn copy(scratch: &Scratch, from: &str, to: &str) {
    scratch.longshore().args(["copy", from, to]).run().success();
}

#[test]
fn an_oci_image_keeps_its_digest_everywhere() {
    let scratch = Scratch::new().unwrap();
    let made = image().make().unwrap();
    made.write_layout(&scratch.path("made"), "x").unwrap();
    let stops = [
        scratch.name("oci", "made:x"),
        scratch.name("dir", "one"),
        scratch.name("dir", "two"),
        scratch.name("oci", "three:x"),
        scratch.name("oci", "four:y"),
        scratch.name("dir", "five"),
    ];
    for pair in stops.windows(2) {
        copy(&scratch, &pair[0], &pair[1]);
    }
    for checked in [
        check_dir(&scratch.path("one")),
        check_dir(&scratch.path("two")),
        check_layout(&scratch.path("three"), "x"),
        check_layout(&scratch.path("four"), "y"),
        check_dir(&scratch.path("five")),
    ] {
        let checked = checked.unwrap();
        assert_eq!(checked.digest, made.top.digest);
        assert_eq!(checked.layers, made.layers(0));
    }
}

#[test]
fn a_layout_takes_oci_manifests_and_compressed_layers() {
    let plain = ImageSpec::new([Layer::new(1, 1_500_000).packed(Packing::Plain), Layer::new(2, 100)]);
    let zstd = ImageSpec::new([Layer::new(1, 300_000).packed(Packing::Zstd)]);
    let cases = [
        ("uncompressed", plain.clone(), false),
        ("uncompressed docker", plain.kind(Kind::Docker), false),
        ("docker", image().kind(Kind::Docker), false),
        ("zstd", zstd, true),
    ];
    for (case, spec, kept) in cases {
        let scratch = Scratch::new().unwrap();
        let made = spec.make().unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        copy(&scratch, &scratch.name("dir", "made"), &scratch.name("oci", "to:x"));
        let source = check_dir(&scratch.path("made")).unwrap();
        let arrived = check_layout(&scratch.path("to"), "x").unwrap();
        assert_eq!(arrived.media_type, OCI_MANIFEST, "{case}");
        assert_eq!(arrived.diff_ids, source.diff_ids, "{case}");
        assert_eq!(arrived.digest == source.digest, kept, "{case}");
        let manifest = fs::read_to_string(scratch.path("to/blobs/sha256").join(&arrived.digest[7..])).unwrap();
        assert!(!manifest.contains("layer.v1.tar\""), "{case}: {manifest}");
    }
}

#[test]
fn a_folder_keeps_layers_as_they_are() {
    let scratch = Scratch::new().unwrap();
    let plain = ImageSpec::new([Layer::new(1, 50_000).packed(Packing::Plain)])
        .make()
        .unwrap();
    plain.write_layout(&scratch.path("made"), "x").unwrap();
    copy(&scratch, &scratch.name("oci", "made:x"), &scratch.name("dir", "to"));
    assert_eq!(check_dir(&scratch.path("to")).unwrap().digest, plain.top.digest);
}

#[test]
fn a_format_can_be_asked_for() {
    let scratch = Scratch::new().unwrap();
    image()
        .make()
        .unwrap()
        .write_layout(&scratch.path("made"), "x")
        .unwrap();
    let source = check_layout(&scratch.path("made"), "x").unwrap();
    let made = scratch.name("oci", "made:x");
    for (format, expected) in [("v2s2", DOCKER_MANIFEST), ("oci", OCI_MANIFEST)] {
        let to = scratch.name("dir", format);
        scratch
            .longshore()
            .args(["copy", "--format", format, &made, &to])
            .run()
            .success();
        let arrived = check_dir(&scratch.path(format)).unwrap();
        assert_eq!(arrived.media_type, expected);
        assert_eq!(arrived.layers, source.layers, "{format}");
    }
    // And back: the conversions undo each other.
    copy(&scratch, &scratch.name("dir", "v2s2"), &scratch.name("oci", "back:x"));
    let back = check_layout(&scratch.path("back"), "x").unwrap();
    assert_eq!((back.media_type.as_str(), back.layers), (OCI_MANIFEST, source.layers));
}

#[test]
fn of_a_list_the_instance_for_the_platform_is_copied() {
    for kind in [Kind::Oci, Kind::Docker] {
        let scratch = Scratch::new().unwrap();
        let made = image().kind(kind).and_platform("linux", "s390x").make().unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        let from = scratch.name("dir", "made");
        copy(&scratch, &from, &scratch.name("dir", "running"));
        let other = scratch.name("dir", "other");
        scratch
            .longshore()
            .args(["--override-arch=s390x", "copy", &from, &other])
            .run()
            .success();
        assert_eq!(
            check_dir(&scratch.path("running")).unwrap().digest,
            made.instances[0].digest
        );
        assert_eq!(
            check_dir(&scratch.path("other")).unwrap().digest,
            made.instances[1].digest
        );

        let missing = scratch.name("dir", "missing");
        let finished = scratch
            .longshore()
            .args(["copy", "--override-arch=mips", &from, &missing])
            .run();
        finished.fails_with(&["for architecture \"mips\""]);
        assert!(!scratch.path("missing").exists());
    }
}

#[test]
fn a_new_image_takes_the_name_and_the_old_one_stays_without() {
    let scratch = Scratch::new().unwrap();
    let images: Vec<_> = (1..4)
        .map(|seed| ImageSpec::new([Layer::new(seed, 100)]).make().unwrap())
        .collect();
    for (index, made) in images.iter().enumerate() {
        made.write_layout(&scratch.path(format!("made{index}")), "x").unwrap();
    }
    for (index, name) in [(0, "v1"), (1, "v1"), (2, "v2"), (2, "v2"), (2, "v3")] {
        copy(
            &scratch,
            &scratch.name("oci", &format!("made{index}")),
            &scratch.name("oci", &format!("to:{name}")),
        );
    }
    let digest = |index: usize| images[index].top.digest.clone();
    let named = |name: &str| Some(name.to_owned());
    let expected = [
        (None, digest(0)),
        (named("v1"), digest(1)),
        (named("v2"), digest(2)),
        (named("v3"), digest(2)),
    ];
    assert_eq!(entries(&scratch.path("to")).unwrap(), expected);
}

#[test]
fn a_folder_is_replaced_as_a_whole() {
    let scratch = Scratch::new().unwrap();
    let old = ImageSpec::new([Layer::new(1, 100), Layer::new(2, 100)]).make().unwrap();
    let new = ImageSpec::new([Layer::new(2, 100), Layer::new(3, 100)]).make().unwrap();
    old.write_dir(&scratch.path("to")).unwrap();
    new.write_dir(&scratch.path("from")).unwrap();
    copy(&scratch, &scratch.name("dir", "from"), &scratch.name("dir", "to"));
    assert_eq!(
        files_below(&scratch.path("to")).unwrap(),
        files_below(&scratch.path("from")).unwrap()
    );
}

#[test]
fn a_folder_with_other_things_is_left_alone() {
    let scratch = Scratch::new().unwrap();
    image().make().unwrap().write_dir(&scratch.path("from")).unwrap();
    fs::create_dir(scratch.path("mine")).unwrap();
    fs::write(scratch.path("mine/letter.txt"), "dear").unwrap();
    let finished = scratch
        .longshore()
        .args(["copy", &scratch.name("dir", "from"), &scratch.name("dir", "mine")]);
    finished
        .run()
        .fails_with(&["not a containers image directory, don't want to overwrite important data"]);
    let left = files_below(&scratch.path("mine")).unwrap();
    assert_eq!(
        left.into_iter().collect::<Vec<_>>(),
        [("letter.txt".into(), b"dear".to_vec())]
    );
}

#[test]
fn the_report_has_skopeos_lines() {
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 100)]).make().unwrap();
    made.write_layout(&scratch.path("made"), "x").unwrap();
    let from = scratch.name("oci", "made:x");
    let finished = scratch
        .longshore()
        .args(["copy", &from, &scratch.name("dir", "to")])
        .run()
        .success();
    let expected = format!(
        "Getting image source signatures\nCopying blob {}\nCopying config {}\n\
         Writing manifest to image destination\n",
        made.layers(0)[0],
        made.config(0)
    );
    assert_eq!(finished.stdout(), expected, "{}", finished.story());

    let quiet = scratch
        .longshore()
        .args(["copy", "-q", &from, &scratch.name("dir", "quiet")])
        .run()
        .success();
    assert_eq!((quiet.stdout(), quiet.stderr()), (String::new(), String::new()));
}

#[test]
fn the_digest_of_what_was_written_goes_to_a_file() {
    let scratch = Scratch::new().unwrap();
    image()
        .kind(Kind::Docker)
        .make()
        .unwrap()
        .write_dir(&scratch.path("made"))
        .unwrap();
    let file = scratch.path("digest");
    let tool = scratch.longshore().args(["copy", "--digestfile"]).arg(&file);
    tool.args([scratch.name("dir", "made"), scratch.name("oci", "to:x")])
        .run()
        .success();
    let checked = check_layout(&scratch.path("to"), "x").unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), checked.digest);
}
