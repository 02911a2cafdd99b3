//! The plugins without a sandbox, by which the benchmark tells what it costs: they do the same copies.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use longshore_tests::{ImageSpec, Kind, Layer, Packing, Scratch, check_dir, files_below};

/// What lies in the folder after an image with a signature was copied, and one went from `dir:` to `oci:` and back; all
/// that twice, the second time over the first.
fn copied(spec: &ImageSpec, kind: &str, flags: &[&str]) -> BTreeMap<PathBuf, Vec<u8>> {
    let scratch = Scratch::new().unwrap();
    for folder in ["made", "signed"] {
        spec.make().unwrap().write_dir(&scratch.path(folder)).unwrap();
    }
    fs::write(scratch.path("signed/signature-1"), b"\x90not a signature").unwrap();
    let copies = [
        (("dir", "signed"), ("dir", "copy")),
        (("dir", "made"), ("oci", "layout:x")),
        (("oci", "layout:x"), ("dir", "back")),
    ];
    for (from, to) in copies.iter().chain(&copies) {
        let names = [from, to].map(|(transport, below)| scratch.name(transport, below));
        let copying = scratch.copy_in_process().arg(kind).args(flags).args(names);
        copying.run().success();
    }
    check_dir(&scratch.path("back")).unwrap();
    let mut left: Vec<_> = fs::read_dir(scratch.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["back", "copy", "home", "layout", "made", "signed"], "{kind}");
    let mut files = files_below(&scratch.path("")).unwrap();
    // It says where the scratch folder is.
    files.retain(|path, _| !path.starts_with("home"));
    files
}

#[test]
fn native_plugins_leave_what_components_leave() {
    let layers = [
        Layer::new(1, 2_500_000),
        Layer::new(2, 10),
        Layer::new(3, 40_000).packed(Packing::Plain),
    ];
    let oci = ImageSpec::new(layers);
    for spec in [oci.clone(), oci.kind(Kind::Docker)] {
        let expected = copied(&spec, "components", &[]);
        for flags in [&[][..], &["--no-sync"]] {
            assert!(copied(&spec, "native", flags) == expected, "{spec:?} {flags:?}");
        }
    }
}
