//! A copy that is ended half-way, by force and by Ctrl-C.

use std::process::{Child, Command};

use longshore_tests::{
    Fault, Gate, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, When, check_dir, check_layout, entries,
    files_below,
};

fn image() -> MadeImage {
    ImageSpec::new([Layer::new(1, 900_000), Layer::new(2, 900_000), Layer::new(3, 50)])
        .make()
        .unwrap()
}

/// A registry that sends half of the second layer and then waits at the gate.
fn stalling(made: &MadeImage) -> (TestRegistry, Gate, String) {
    let registry = TestRegistry::start().unwrap();
    made.put_into(&registry, "app", "v1");
    let gate = Gate::new();
    let layer = made.layers(0)[1].clone();
    registry.script(
        When::every("GET", &layer),
        Fault::Stall {
            after: 200_000,
            gate: gate.clone(),
        },
    );
    (registry, gate, layer)
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

fn pull(scratch: &Scratch, registry: &TestRegistry, to: &str) -> longshore_tests::Tool {
    scratch
        .longshore()
        .args(["copy", "--src-tls-verify=false", &registry.name("app:v1"), to])
}

#[test]
fn killed_half_way_and_then_done_again() {
    let made = image();
    let old = ImageSpec::new([Layer::new(8, 100)]).make().unwrap();
    for transport in ["oci", "dir"] {
        let (registry, gate, layer) = stalling(&made);
        let scratch = Scratch::new().unwrap();
        let (to, before) = if transport == "oci" {
            old.write_layout(&scratch.path("to"), "old").unwrap();
            (scratch.name("oci", "to:new"), None)
        } else {
            old.write_dir(&scratch.path("to")).unwrap();
            (
                scratch.name("dir", "to"),
                Some(files_below(&scratch.path("to")).unwrap()),
            )
        };
        let mut child = pull(&scratch, &registry, &to).start();
        registry.wait_for("GET", &layer);
        child.kill().unwrap();
        child.wait().unwrap();
        match before {
            None => {
                let kept = vec![(Some("old".to_owned()), old.top.digest.clone())];
                assert_eq!(entries(&scratch.path("to")).unwrap(), kept);
                check_layout(&scratch.path("to"), "old").unwrap();
            }
            Some(before) => assert_eq!(files_below(&scratch.path("to")).unwrap(), before),
        }

        gate.open();
        pull(&scratch, &registry, &to).run().success();
        let arrived = match transport {
            "oci" => check_layout(&scratch.path("to"), "new"),
            _ => check_dir(&scratch.path("to")),
        };
        assert_eq!(arrived.unwrap().digest, made.top.digest);
        let left = files_below(&scratch.path(".")).unwrap();
        let staged: Vec<_> = left
            .keys()
            .filter(|path| path.to_string_lossy().contains(".longshore-"))
            .collect();
        assert!(
            staged.is_empty(),
            "what the killed copy left is still there: {staged:?}"
        );
    }
}

#[test]
fn ctrl_c_leaves_nothing_half_published() {
    let made = image();
    for to in ["oci:to:x", "dir:to"] {
        let (registry, _gate, layer) = stalling(&made);
        let scratch = Scratch::new().unwrap();
        let child = pull(&scratch, &registry, to).start();
        registry.wait_for("GET", &layer);
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        let left: Vec<_> = files_below(&scratch.path(".")).unwrap().into_keys().collect();
        let staged: Vec<_> = left.iter().filter(|path| !known(path)).collect();
        assert!(staged.is_empty(), "{to}: {staged:?}");
        assert!(
            !left
                .iter()
                .any(|path| path.ends_with("index.json") || path.ends_with("manifest.json")),
            "{left:?}"
        );
    }
}

/// Whether a file has a name that a format gives, or is the home's.
fn known(path: &std::path::Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let fixed = ["oci-layout", "version"];
    path.starts_with("home")
        || fixed.contains(&name.as_str())
        || (name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[test]
fn ctrl_c_cancels_uploads() {
    let registry = TestRegistry::start().unwrap();
    let gate = Gate::new();
    registry.script(When::every("PATCH", "/uploads/"), Fault::Hold(gate.clone()));
    let scratch = Scratch::new().unwrap();
    image().write_layout(&scratch.path("from"), "x").unwrap();
    let tool = scratch
        .longshore()
        .args(["copy", "--dest-tls-verify=false", &scratch.name("oci", "from:x")]);
    let child = tool.arg(registry.name("app:v1")).start();
    registry.wait_for("PATCH", "/uploads/");
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(registry.tags("app"), Vec::<String>::new());
    registry.wait_for_no_uploads();
    gate.open();
}
