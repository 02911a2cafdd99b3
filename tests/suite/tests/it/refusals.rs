//! Images that lie, and sources that are not there: one clear error, and the destination as it was.

use std::fs;
use std::path::Path;

use longshore_tests::{ImageSpec, Layer, MadeImage, Packing, Scratch, check_layout, entries, files_below};
use serde_json::{Value, json};

fn image() -> MadeImage {
    ImageSpec::new([Layer::new(1, 1_200_000), Layer::new(2, 500)])
        .make()
        .unwrap()
}

/// Copies from a `dir:` or `oci:` source to both kinds of destination, each already holding
/// another image, and expects that nothing can be seen of the attempt.
fn refused(scratch: &Scratch, from: &str, fragments: &[&str]) {
    let before = ImageSpec::new([Layer::new(9, 100)]).make().unwrap();
    before.write_dir(&scratch.path("dir-to")).unwrap();
    before.write_layout(&scratch.path("oci-to"), "old").unwrap();
    let folder = files_below(&scratch.path("dir-to")).unwrap();
    for to in ["dir-to", "oci-to:new"] {
        let transport = &to[..3];
        let finished = scratch
            .longshore()
            .args(["copy", from, &scratch.name(transport, to)])
            .run();
        finished.fails_with(fragments);
    }
    assert_eq!(files_below(&scratch.path("dir-to")).unwrap(), folder, "{from}");
    let old = vec![(Some("old".to_owned()), before.top.digest.clone())];
    assert_eq!(entries(&scratch.path("oci-to")).unwrap(), old, "{from}");
    let left = unpublished(&scratch.path("."));
    assert_eq!(left, Vec::<String>::new(), "{from}: left behind");
    fs::remove_dir_all(scratch.path("dir-to")).unwrap();
    fs::remove_dir_all(scratch.path("oci-to")).unwrap();
}

/// Names below a folder that no format knows: what an attempt that failed must not leave.
fn unpublished(folder: &Path) -> Vec<String> {
    let known = |name: &str| {
        let hex = name.trim_end_matches(".manifest.json");
        let fixed = ["version", "manifest.json", "index.json", "oci-layout"];
        fixed.contains(&name) || (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let mut names: Vec<_> = files_below(folder).unwrap().into_keys().collect();
    // What the home holds was there before.
    names.retain(|path| !path.starts_with("home"));
    let name = |path: std::path::PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    names.into_iter().map(name).filter(|name| !known(name)).collect()
}

#[test]
fn more_signatures_than_fit_in_memory() {
    for (count, size, fragment) in [
        (
            70,
            4 << 20,
            "signature-2: the signatures are larger than 4194304 bytes together",
        ),
        (129, 1, "signature-129: more than 128 signatures"),
    ] {
        let scratch = Scratch::new().unwrap();
        image().write_dir(&scratch.path("from")).unwrap();
        for number in 1..=count {
            let signature = fs::File::create(scratch.path(format!("from/signature-{number}"))).unwrap();
            signature.set_len(size).unwrap();
        }
        let words = ["copy", &scratch.name("dir", "from"), &scratch.name("dir", "to")];
        scratch.longshore().args(words).run().fails_with(&[fragment]);
        assert!(!scratch.path("to").exists());
    }
}

#[test]
fn a_blob_that_is_not_what_its_digest_says() {
    let made = image();
    let layer = &made.layers(0)[0];
    let config = made.config(0);
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let cases: [(&str, &str, Damage); 5] = [
        ("altered", layer, |mut bytes| {
            bytes[5_000] ^= 1;
            bytes
        }),
        ("too short", layer, |bytes| bytes[..bytes.len() - 1].to_vec()),
        ("empty", layer, |_| Vec::new()),
        ("too long", layer, |bytes| [bytes, vec![0]].concat()),
        ("altered config", &config, |mut bytes| {
            bytes[5] ^= 1;
            bytes
        }),
    ];
    for (case, digest, damage) in cases {
        // The folder's name tells the case in a failure's story.
        let from = case.replace(' ', "-");
        let scratch = Scratch::new().unwrap();
        made.write_dir(&scratch.path(&from)).unwrap();
        let file = scratch.path(&from).join(&digest[7..]);
        let bytes = damage(fs::read(&file).unwrap());
        fs::write(&file, bytes).unwrap();
        refused(&scratch, &scratch.name("dir", &from), &[&digest[7..]]);
    }
}

#[test]
fn a_blob_that_is_missing() {
    let made = image();
    let scratch = Scratch::new().unwrap();
    made.write_layout(&scratch.path("from"), "x").unwrap();
    let layer = made.layers(0)[1][7..].to_owned();
    fs::remove_file(scratch.path("from/blobs/sha256").join(&layer)).unwrap();
    refused(&scratch, &scratch.name("oci", "from:x"), &[&layer]);
}

#[test]
fn a_manifest_that_lies() {
    type Edit = fn(&mut Value);
    let cases: [(&str, Edit); 8] = [
        ("layer size too small", |manifest| {
            manifest["layers"][0]["size"] = json!(10)
        }),
        ("layer size too large", |manifest| {
            manifest["layers"][0]["size"] = json!(9_999_999)
        }),
        ("negative size", |manifest| manifest["layers"][0]["size"] = json!(-1)),
        ("config size", |manifest| manifest["config"]["size"] = json!(1)),
        ("digest of no algorithm", |manifest| {
            manifest["layers"][0]["digest"] = json!("md5:1234")
        }),
        ("digest with a path", |manifest| {
            manifest["layers"][0]["digest"] = json!("sha256:../../x")
        }),
        ("a manifest and an index at once", |manifest| {
            manifest["manifests"] = json!([])
        }),
        ("layers that are none", |manifest| manifest["layers"] = json!("none")),
    ];
    for (case, edit) in cases {
        // The folder's name tells the case in a failure's story.
        let from = case.replace(' ', "-");
        let scratch = Scratch::new().unwrap();
        image().with_manifest(edit).write_dir(&scratch.path(&from)).unwrap();
        refused(&scratch, &scratch.name("dir", &from), &["level=fatal"]);
    }
}

#[test]
fn a_manifest_that_is_none() {
    let long = vec![b' '; (4 << 20) + 1];
    let cases: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("truncated", br#"{"schemaVersion":2,"#),
        ("text", b"hello"),
        ("an unknown schema", br#"{"schemaVersion":3}"#),
        ("too large", &long),
    ];
    for (case, bytes) in cases {
        // The folder's name tells the case in a failure's story.
        let from = case.replace(' ', "-");
        let scratch = Scratch::new().unwrap();
        image().write_dir(&scratch.path(&from)).unwrap();
        fs::write(scratch.path(&from).join("manifest.json"), bytes).unwrap();
        refused(&scratch, &scratch.name("dir", &from), &["level=fatal"]);
    }
}

#[test]
fn a_layout_whose_manifest_was_exchanged() {
    let scratch = Scratch::new().unwrap();
    let made = image();
    made.write_layout(&scratch.path("from"), "x").unwrap();
    let other = ImageSpec::new([Layer::new(3, 10)]).make().unwrap();
    let file = scratch.path("from/blobs/sha256").join(&made.top.digest[7..]);
    fs::write(file, &other.top.bytes).unwrap();
    refused(&scratch, &scratch.name("oci", "from:x"), &[&made.top.digest]);
}

#[test]
fn a_layer_that_is_packed_otherwise_than_it_says() {
    // Its digest is right; the bytes decide what it is, and the layout must tell the truth.
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 50_000).packed(Packing::Plain)])
        .make()
        .unwrap();
    let lying = made.with_manifest(|manifest| {
        manifest["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
    });
    lying.write_dir(&scratch.path("from")).unwrap();
    let tool = scratch
        .longshore()
        .args(["copy", &scratch.name("dir", "from"), &scratch.name("oci", "to:x")]);
    tool.run().success();
    check_layout(&scratch.path("to"), "x").unwrap();
}

#[test]
fn a_source_that_is_not_there() {
    let scratch = Scratch::new().unwrap();
    image().write_layout(&scratch.path("from"), "x").unwrap();
    let cases = [
        (scratch.name("oci", "from:y"), 2, "\"y\""),
        (scratch.name("oci", "nowhere:x"), 1, "nowhere"),
        (scratch.name("dir", "nowhere"), 1, "nowhere"),
        (scratch.name("oci", "from:@7"), 1, "index 7 is too large"),
        (
            "from".to_owned(),
            1,
            "Invalid source name from: Invalid image name \"from\", expected colon-separated transport:reference",
        ),
        ("nix:from".to_owned(), 1, "unknown transport \"nix\""),
    ];
    for (from, status, fragment) in cases {
        let tool = scratch.longshore().args(["copy", &from, &scratch.name("dir", "to")]);
        tool.run().with_status(status).says(&[fragment]);
        assert!(!scratch.path("to").exists());
    }
}
