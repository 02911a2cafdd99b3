//! umoci and we read each other's layouts.

use std::fs;

use longshore_tests::{ImageSpec, Layer, Packing, Scratch, check_layout};

#[test]
fn umoci_unpacks_what_we_write() {
    let scratch = Scratch::new().unwrap();
    let plain = Layer::new(1, 400_000).packed(Packing::Plain);
    ImageSpec::new([plain, Layer::new(2, 30)])
        .make()
        .unwrap()
        .write_dir(&scratch.path("made"))
        .unwrap();
    let to = scratch.name("oci", "layout:x");
    scratch
        .longshore()
        .args(["copy", &scratch.name("dir", "made"), &to])
        .run()
        .success();
    let image = format!("{}:x", scratch.path("layout").display());
    let unpack = scratch.peer("umoci").args(["unpack", "--rootless", "--image", &image]);
    unpack.arg(scratch.path("bundle")).run().success();
    let unpacked = fs::read(scratch.path("bundle/rootfs/layer-1/data")).unwrap();
    assert_eq!(unpacked.len(), 400_000);
    assert_eq!(
        fs::read_link(scratch.path("bundle/rootfs/layer-2/link"))
            .unwrap()
            .to_str(),
        Some("about.txt")
    );
}

#[test]
fn we_read_and_extend_what_umoci_writes() {
    let scratch = Scratch::new().unwrap();
    let layout = scratch.path("layout").display().to_string();
    let image = format!("{layout}:x");
    let umoci = |arguments: &[&str]| scratch.peer("umoci").args(arguments).run();
    umoci(&["init", "--layout", &layout]).success();
    umoci(&["new", "--image", &image]).success();
    let bundle = scratch.path("bundle").display().to_string();
    umoci(&["unpack", "--rootless", "--image", &image, &bundle]).success();
    fs::write(scratch.path("bundle/rootfs/hello"), "hello").unwrap();
    umoci(&["repack", "--refresh-bundle", "--image", &image, &bundle]).success();
    let written = check_layout(&scratch.path("layout"), "x").unwrap();

    let from = scratch.name("oci", "layout:x");
    scratch
        .longshore()
        .args(["copy", &from, &scratch.name("oci", "copied:x")])
        .run()
        .success();
    assert_eq!(
        check_layout(&scratch.path("copied"), "x").unwrap().digest,
        written.digest
    );

    // A second name in umoci's own layout, which umoci must still read.
    scratch
        .longshore()
        .args(["copy", &from, &scratch.name("oci", "layout:y")])
        .run()
        .success();
    let list = umoci(&["list", "--layout", &layout]).success();
    assert_eq!(list.stdout().lines().collect::<Vec<_>>(), ["x", "y"]);
    umoci(&["gc", "--layout", &layout]).success();
    assert_eq!(
        check_layout(&scratch.path("layout"), "y").unwrap().digest,
        written.digest
    );
}
