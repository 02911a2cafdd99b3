//! Debian's skopeo and we read what the other writes, and say the same.
//!
//! Where the skopeo this program follows (1.22) and Debian's (1.9.3) differ, the difference is
//! written down at the test that shows it.

use longshore_tests::{DockerRegistry, Finished, ImageSpec, Kind, Layer, Scratch, check_dir, check_layout, entries};

/// One of the two programs.
type Run = fn(&Scratch, &[&str]) -> Finished;

fn spec() -> ImageSpec {
    ImageSpec::new([Layer::new(1, 700_000), Layer::new(2, 20)])
}

fn skopeo(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.peer("skopeo").args(arguments).run()
}

fn longshore(scratch: &Scratch, arguments: &[&str]) -> Finished {
    scratch.longshore().args(arguments).run()
}

#[test]
fn each_reads_what_the_other_writes() {
    for kind in [Kind::Oci, Kind::Docker] {
        let scratch = Scratch::new().unwrap();
        let registry = DockerRegistry::start().unwrap();
        let made = spec().kind(kind).make().unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        let mut from = scratch.name("dir", "made");
        let stops = [
            scratch.name("dir", "one"),
            scratch.name("oci", "two:x"),
            registry.name("three:x"),
            scratch.name("dir", "four"),
        ];
        for runs in [[longshore as Run, skopeo], [skopeo as Run, longshore]] {
            for (to, run) in stops.iter().zip(runs.iter().cycle()) {
                run(
                    &scratch,
                    &["copy", "--src-tls-verify=false", "--dest-tls-verify=false", &from, to],
                )
                .success();
                from.clone_from(to);
            }
            let last = check_dir(&scratch.path("four")).unwrap();
            assert_eq!(last.layers, made.layers(0), "{kind:?}");
        }
    }
}

#[test]
fn both_write_the_same_bytes() {
    for kind in [Kind::Oci, Kind::Docker] {
        let scratch = Scratch::new().unwrap();
        let made = spec().kind(kind).make().unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        let from = scratch.name("dir", "made");
        for (run, name) in [(longshore as Run, "ours"), (skopeo, "theirs")] {
            run(
                &scratch,
                &["copy", &from, &scratch.name("oci", &format!("{name}-oci:x"))],
            )
            .success();
            run(&scratch, &["copy", &from, &scratch.name("dir", &format!("{name}-dir"))]).success();
            let to = scratch.name("dir", &format!("{name}-oci-manifest"));
            run(&scratch, &["copy", "--format=oci", &from, &to]).success();
            let to = scratch.name("dir", &format!("{name}-v2s2"));
            run(&scratch, &["copy", "--format=v2s2", &from, &to]).success();
        }
        let layout = |name: &str| check_layout(&scratch.path(name), "x").unwrap();
        let folder = |name: &str| check_dir(&scratch.path(name)).unwrap();
        let mut pairs = vec![("oci", layout("ours-oci"), layout("theirs-oci"))];
        for form in ["dir", "oci-manifest", "v2s2"] {
            pairs.push((form, folder(&format!("ours-{form}")), folder(&format!("theirs-{form}"))));
        }
        for (form, mut ours, theirs) in pairs {
            if kind == Kind::Docker && form.starts_with("oci") {
                // skopeo writes the config anew when it makes an OCI image of a Docker one; we
                // keep its bytes, and with them its digest.
                assert_eq!(ours.configs, [made.config(0)], "{form}");
                ours.configs.clone_from(&theirs.configs);
                ours.digest.clone_from(&theirs.digest);
            }
            assert_eq!(ours, theirs, "{kind:?} {form}");
        }
    }
}

#[test]
fn both_keep_the_same_entries_in_a_layout() {
    let scratch = Scratch::new().unwrap();
    for (index, seed) in [(0, 1), (1, 2)] {
        let made = ImageSpec::new([Layer::new(seed, 100)]).make().unwrap();
        made.write_layout(&scratch.path(format!("made{index}")), "x").unwrap();
    }
    for (run, to) in [(longshore as Run, "ours"), (skopeo, "theirs")] {
        for (index, name) in [(0, ":v1"), (1, ":v1"), (0, ":v2"), (1, ""), (1, "")] {
            let from = scratch.name("oci", &format!("made{index}:x"));
            run(&scratch, &["copy", &from, &scratch.name("oci", &format!("{to}{name}"))]).success();
        }
    }
    assert_eq!(
        entries(&scratch.path("ours")).unwrap(),
        entries(&scratch.path("theirs")).unwrap()
    );
}

#[test]
fn both_say_the_same_of_an_image() {
    let scratch = Scratch::new().unwrap();
    let registry = DockerRegistry::start().unwrap();
    for (kind, name) in [(Kind::Oci, "oci:v1"), (Kind::Docker, "docker:v1")] {
        let made = spec().kind(kind).make().unwrap();
        made.write_dir(&scratch.path(name)).unwrap();
        let pushed = registry.name(name);
        skopeo(
            &scratch,
            &["copy", "--dest-tls-verify=false", &scratch.name("dir", name), &pushed],
        )
        .success();
        for options in [&["--raw"][..], &["--config"], &["--raw", "--config"]] {
            let arguments = [&["inspect", "--tls-verify=false"][..], options, &[&pushed]].concat();
            let ours = longshore(&scratch, &arguments).success();
            let theirs = skopeo(&scratch, &arguments).success();
            assert_eq!(ours.stdout(), theirs.stdout(), "{options:?}");
        }
        let arguments = ["inspect", "--tls-verify=false", &pushed];
        let parsed =
            |finished: Finished| -> serde_json::Value { serde_json::from_str(&finished.success().stdout()).unwrap() };
        let mut ours = parsed(longshore(&scratch, &arguments));
        let theirs = parsed(skopeo(&scratch, &arguments));
        // LayersData came after 1.9.3.
        ours.as_object_mut().unwrap().remove("LayersData").unwrap();
        assert_eq!(ours, theirs);
    }
    let name = registry.name("oci");
    let ours = longshore(&scratch, &["list-tags", "--tls-verify=false", &name]).success();
    let theirs = skopeo(&scratch, &["list-tags", "--tls-verify=false", &name]).success();
    assert_eq!(ours.stdout(), theirs.stdout());
}

#[test]
fn both_compute_the_same_manifest_digest() {
    let scratch = Scratch::new().unwrap();
    spec().make().unwrap().write_dir(&scratch.path("made")).unwrap();
    let file = scratch.path("made/manifest.json").display().to_string();
    let ours = longshore(&scratch, &["manifest-digest", &file]).success();
    let theirs = skopeo(&scratch, &["manifest-digest", &file]).success();
    assert_eq!(ours.stdout(), theirs.stdout());
}

#[test]
fn a_folder_signed_by_others_keeps_its_signatures() {
    let scratch = Scratch::new().unwrap();
    spec().make().unwrap().write_dir(&scratch.path("made")).unwrap();
    // A stored signature is copied as it is; whether anybody trusts it is another question.
    let signature = [
        &b"\x00sigstore-json\n"[..],
        br#"{"mimeType":"a/b","payload":"","annotations":{}}"#,
    ]
    .concat();
    std::fs::write(scratch.path("made/signature-1"), &signature).unwrap();
    let from = scratch.name("dir", "made");
    longshore(&scratch, &["copy", &from, &scratch.name("dir", "kept")]).success();
    assert_eq!(std::fs::read(scratch.path("kept/signature-1")).unwrap(), signature);
    longshore(
        &scratch,
        &["copy", "--remove-signatures", &from, &scratch.name("dir", "bare")],
    )
    .success();
    assert!(!scratch.path("bare/signature-1").exists());
    let refused = longshore(&scratch, &["copy", &from, &scratch.name("oci", "layout:x")]);
    refused.fails_with(&["signatures"]);
    assert!(!scratch.path("layout/index.json").exists());
}
