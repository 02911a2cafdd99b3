//! The example program of the copy library: what an embedder writes works, and the library prints nothing of its own.

use std::fs;
use std::process::Command;

use longshore_tests::{
    Authority, Fault, Gate, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, When, check_layout, test_guest,
};

fn image() -> MadeImage {
    ImageSpec::new([Layer::new(1, 300_000), Layer::new(2, 900)])
        .make()
        .unwrap()
}

/// A scratch folder with an image in `from` and an empty folder of plugins.
fn prepared() -> Scratch {
    let scratch = Scratch::new().unwrap();
    image().write_dir(&scratch.path("from")).unwrap();
    fs::create_dir_all(scratch.path("plugins")).unwrap();
    scratch
}

#[test]
fn it_copies_and_counts_events() {
    let scratch = prepared();
    for said in ["3 blobs moved, 0 reused\n", "0 blobs moved, 3 reused\n"] {
        let tool = scratch.example("copy").arg("plugins");
        let finished = tool.args(["dir:from", "oci:to:x"]).run().success();
        let all = (finished.stdout(), finished.stderr());
        assert_eq!(all, (String::new(), said.to_owned()), "{}", finished.story());
    }
    assert_eq!(
        check_layout(&scratch.path("to"), "x").unwrap().digest,
        image().top.digest
    );
}

#[test]
fn it_reads_through_a_plugin_of_its_own() {
    let scratch = prepared();
    let copy = || scratch.example("copy").args(["plugins", "misbehave:not", "dir:to"]);
    copy().run().fails_with(&["UnknownTransport", "misbehave"]);
    fs::copy(test_guest("misbehave"), scratch.path("plugins/misbehave.wasm")).unwrap();
    let finished = copy().run().success();
    assert_eq!(finished.stderr(), "1 blobs moved, 0 reused\n");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(scratch.path("to/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["layers"], serde_json::json!([]));
}

#[test]
fn ctrl_c_cancels_its_copy() {
    let scratch = prepared();
    let authority = Authority::new().unwrap();
    let registry = TestRegistry::builder().tls(&authority, None).unwrap().start().unwrap();
    image().put_into(&registry, "app", "v1");
    let certificates = format!("home/.config/containers/certs.d/{}", registry.address());
    fs::create_dir_all(scratch.path(&certificates)).unwrap();
    fs::write(scratch.path(&certificates).join("ca.crt"), authority.pem()).unwrap();
    let layer = image().layers(0)[0].clone();
    let stall = Fault::Stall {
        after: 1000,
        gate: Gate::new(),
    };
    registry.script(When::every("GET", &layer), stall);

    let tool = scratch.example("copy").arg("plugins").arg(registry.name("app:v1"));
    let child = tool.arg("dir:to").start();
    registry.wait_for("GET", &layer);
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty() && stderr.contains("Interrupted"), "{stderr}");
    assert!(!scratch.path("to").exists());
}
