//! The tests' own tools, judged by peers: an image maker or a registry that nobody else
//! understands would prove nothing.

use std::fs;

use longshore_tests::{
    Auth, DockerRegistry, Fault, ImageSpec, Kind, Layer, Locations, Packing, Scratch, TestRegistry, When, check_dir,
    check_layout, check_repository,
};

fn image() -> ImageSpec {
    ImageSpec::new([Layer::new(1, 200_000), Layer::new(2, 10)])
}

#[test]
fn skopeo_reads_what_the_maker_writes() {
    let scratch = Scratch::new().unwrap();
    let zstd = ImageSpec::new([Layer::new(1, 5_000).packed(Packing::Zstd)]);
    let cases = [
        ("oci", image()),
        ("list", image().and_platform("linux", "s390x")),
        ("docker", image().kind(Kind::Docker)),
        ("docker-list", image().kind(Kind::Docker).and_platform("linux", "s390x")),
        ("zstd", zstd),
    ];
    for (case, spec) in cases {
        let made = spec.make().unwrap();
        made.write_layout(&scratch.path(case), "x").unwrap();
        let checked = check_layout(&scratch.path(case), "x").unwrap();
        assert_eq!(checked.digest, made.top.digest);
        made.write_dir(&scratch.path(format!("{case}-dir"))).unwrap();
        let mut sources = vec![scratch.name("dir", &format!("{case}-dir"))];
        // This skopeo finds no Docker manifests in an OCI layout.
        if !case.starts_with("docker") {
            sources.push(scratch.name("oci", &format!("{case}:x")));
        }
        for from in sources {
            let to = scratch.name("dir", &format!("{case}-copied"));
            let skopeo = scratch.peer("skopeo").args(["copy", "--all", &from, &to]);
            skopeo.run().success();
            let copied = check_dir(&scratch.path(format!("{case}-copied"))).unwrap();
            assert_eq!(copied.digest, made.top.digest, "{from}");
        }
    }
}

#[test]
fn umoci_unpacks_what_the_maker_writes() {
    let scratch = Scratch::new().unwrap();
    image()
        .make()
        .unwrap()
        .write_layout(&scratch.path("made"), "x")
        .unwrap();
    let layout = format!("{}:x", scratch.path("made").display());
    let bundle = scratch.path("bundle");
    let umoci = scratch.peer("umoci").args(["unpack", "--rootless", "--image", &layout]);
    umoci.arg(&bundle).run().success();
    let text = fs::read_to_string(bundle.join("rootfs/layer-1/link")).unwrap();
    assert_eq!(text, "layer 1 of 200000 bytes\n");
}

#[test]
fn skopeo_uses_the_test_registry() {
    let user = ("user".to_owned(), "pass".to_owned());
    let basic = Auth::Basic {
        user: user.0.clone(),
        password: user.1.clone(),
    };
    for auth in [Auth::Open, basic, Auth::Bearer { user: Some(user) }] {
        let scratch = Scratch::new().unwrap();
        let made = image().and_platform("linux", "s390x").make().unwrap();
        made.write_layout(&scratch.path("made"), "x").unwrap();
        let registry = TestRegistry::builder()
            .auth(auth.clone())
            .locations(Locations::Relative)
            .page_size(1)
            .start()
            .unwrap();
        let skopeo = |arguments: &[&str]| scratch.peer("skopeo").args(arguments).run();
        let made_name = scratch.name("oci", "made:x");
        for tag in ["v1", "v2"] {
            let to = registry.name(&format!("some/app:{tag}"));
            let target = ["--dest-tls-verify=false", "--dest-creds=user:pass"];
            skopeo(&["copy", "--all", target[0], target[1], &made_name, &to]).success();
            let pushed = check_repository(&registry, "some/app", tag).unwrap();
            assert_eq!(pushed.digest, made.top.digest, "{auth:?}");
        }
        assert_eq!(registry.open_uploads(), 0);
        let back = scratch.name("dir", "back");
        let side = ["--src-tls-verify=false", "--src-creds=user:pass"];
        let from = registry.name("some/app:v2");
        skopeo(&["copy", "--all", side[0], side[1], &from, &back]).success();
        assert_eq!(check_dir(&scratch.path("back")).unwrap().digest, made.top.digest);

        let one = ["--tls-verify=false", "--creds=user:pass"];
        let tags = skopeo(&["list-tags", one[0], one[1], &registry.name("some/app")]).success();
        assert!(
            tags.stdout().contains("v1") && tags.stdout().contains("v2"),
            "{}",
            tags.story()
        );
        skopeo(&["delete", one[0], one[1], &registry.name("some/app:v1")]).success();
        assert_eq!(registry.tags("some/app"), Vec::<String>::new());

        if auth != Auth::Open {
            let wrong = ["--src-tls-verify=false", "--src-creds=user:wrong"];
            let refused = skopeo(&["copy", wrong[0], wrong[1], &from, &back]);
            assert_eq!(refused.status(), Some(1), "{}", refused.story());
        }
    }
}

#[test]
fn the_test_registry_bends_its_answers() {
    let cases: [(When, Fault); 6] = [
        (
            When::first("GET", "/manifests/"),
            Fault::error(500, "UNKNOWN", "out of order"),
        ),
        (When::every("GET", "/blobs/"), Fault::Cut { after: 100 }),
        (When::every("GET", "/blobs/"), Fault::Body("something else".into())),
        (When::every("GET", "/blobs/"), Fault::HangUp),
        (When::first("GET", "/manifests/"), Fault::Endless { claimed: None }),
        (
            When::first("GET", "/manifests/"),
            Fault::Endless { claimed: Some(5 << 30) },
        ),
    ];
    for (when, fault) in cases {
        let scratch = Scratch::new().unwrap();
        let registry = TestRegistry::start().unwrap();
        image().make().unwrap().put_into(&registry, "app", "v1");
        let shown = format!("{when:?} {fault:?}");
        registry.script(when, fault);
        let skopeo = scratch.peer("skopeo").args(["copy", "--src-tls-verify=false"]);
        let copied = skopeo.arg(registry.name("app:v1")).arg(scratch.name("dir", "to")).run();
        assert_eq!(copied.status(), Some(1), "{shown}\n{}", copied.story());
    }
}

#[test]
fn skopeo_uses_debians_registry_with_and_without_password() {
    let scratch = Scratch::new().unwrap();
    let made = image().make().unwrap();
    made.write_layout(&scratch.path("made"), "x").unwrap();
    let open = DockerRegistry::start().unwrap();
    let closed = DockerRegistry::start_with_password("user", "pass").unwrap();
    let push = |registry: &DockerRegistry, creds: &str| {
        let skopeo = scratch.peer("skopeo").args(["copy", "--dest-tls-verify=false", creds]);
        skopeo
            .arg(scratch.name("oci", "made:x"))
            .arg(registry.name("app:v1"))
            .run()
    };
    push(&open, "--dest-no-creds").success();
    push(&closed, "--dest-creds=user:pass").success();
    push(&closed, "--dest-creds=user:wrong").with_status(1);
}

#[test]
fn the_check_sees_what_is_wrong() {
    let made = image().make().unwrap();
    let layer = made.layers(0)[0].trim_start_matches("sha256:").to_owned();
    type Break = fn(&std::path::Path);
    let cases: [(&str, Break); 3] = [
        ("holds bytes of", |file| fs::write(file, "altered").unwrap()),
        ("cannot read", |file| fs::remove_file(file).unwrap()),
        ("holds bytes of", |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[1..]).unwrap();
        }),
    ];
    for (expected, damage) in cases {
        let scratch = Scratch::new().unwrap();
        made.write_dir(&scratch.path("folder")).unwrap();
        damage(&scratch.path("folder").join(&layer));
        let error = check_dir(&scratch.path("folder")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let scratch = Scratch::new().unwrap();
    let lying = made.with_manifest(|manifest| manifest["layers"][0]["size"] = 5.into());
    lying.write_dir(&scratch.path("folder")).unwrap();
    let error = check_dir(&scratch.path("folder")).unwrap_err().to_string();
    assert!(error.ends_with("not 5"), "{error}");
}
