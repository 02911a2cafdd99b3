//! `--retry-times` and `--command-timeout` against a registry that comes back, or never does (F-12, F-13, G-10, PI-09).

use bytes::Bytes;
use longshore_tests::{
    Fault, Finished, Gate, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, Tool, When, check_layout,
    check_repository, files_below,
};

/// Enough for every request that is not held back, also on a busy machine.
const TIMEOUT: &str = "--command-timeout=10s";

fn image() -> MadeImage {
    ImageSpec::new([Layer::new(1, 300_000), Layer::new(2, 900)])
        .make()
        .unwrap()
}

/// A registry that holds an image, and a scratch folder that holds one to push.
fn prepared() -> (TestRegistry, Scratch) {
    let registry = TestRegistry::start().unwrap();
    image().put_into(&registry, "app", "v1");
    let scratch = Scratch::new().unwrap();
    image().write_layout(&scratch.path("from"), "x").unwrap();
    (registry, scratch)
}

/// One of the commands that talk to a registry, with the options of its own.
fn command(scratch: &Scratch, registry: &TestRegistry, name: &str) -> Tool {
    let there = registry.name("app:v1");
    // One blob after another, so that each attempt meets one fault.
    let copy = |option| scratch.longshore().args(["copy", "--image-parallel-copies=1", option]);
    let plain = |image: String| scratch.longshore().args([name, "--tls-verify=false", &image]);
    match name {
        "pull" => copy("--src-tls-verify=false").args([there, scratch.name("oci", "to:x")]),
        "push" => copy("--dest-tls-verify=false").args([scratch.name("oci", "from:x"), registry.name("new:v1")]),
        "list-tags" => plain(registry.name("app")),
        _ => plain(there),
    }
}

/// The warnings that announce another attempt.
fn announced(finished: &Finished) -> usize {
    finished.stderr().matches("Failed, retrying in 1ms ... (").count()
}

/// The requests so far, for a story.
fn requests(registry: &TestRegistry) -> Vec<String> {
    let requests = registry.requests();
    requests
        .iter()
        .map(|seen| format!("{} {}", seen.method, seen.path))
        .collect()
}

fn answer(status: u16) -> Fault {
    Fault::Answer {
        status,
        headers: vec![],
        body: Bytes::new(),
    }
}

#[test]
fn what_fails_as_often_as_allowed_succeeds_and_once_more_is_an_error() {
    let layer = image().layers(0)[0].clone();
    let rows = [
        ("pull", "GET", "/manifests/v1", answer(503)),
        (
            "pull",
            "GET",
            "/manifests/v1",
            Fault::error(500, "UNKNOWN", "out of order"),
        ),
        ("pull", "GET", &layer, answer(502)),
        ("push", "POST", "/blobs/uploads/", answer(504)),
        ("push", "PATCH", "/blobs/uploads/", answer(503)),
        ("push", "PATCH", "/blobs/uploads/", Fault::HangUp),
        ("push", "PUT", "/manifests/v1", answer(503)),
        ("inspect", "GET", "/manifests/v1", answer(503)),
        ("list-tags", "GET", "/tags/list", answer(503)),
        ("delete", "DELETE", "/manifests/", answer(503)),
    ];
    for (name, method, part, fault) in rows {
        for (failures, status) in [(2, 0), (3, 1)] {
            let (registry, scratch) = prepared();
            registry.script(When::first(method, part).times(failures), fault.clone());
            let tool = command(&scratch, &registry, name).args(["--retry-times=2", "--retry-delay=1ms"]);
            let finished = tool.run();
            let shown = format!("{name}, {failures} times {method} {part} {fault:?}");
            let story = format!("{shown}\n{}\n{:?}", finished.story(), requests(&registry));
            assert_eq!(finished.status(), Some(status), "{story}");
            assert_eq!(announced(&finished), 2, "{story}");
            let copied = |by: &str| name == by && status == 0;
            assert_eq!(
                check_layout(&scratch.path("to"), "x").is_ok(),
                copied("pull"),
                "{story}"
            );
            assert_eq!(
                check_repository(&registry, "new", "v1").is_ok(),
                copied("push"),
                "{story}"
            );
            assert_eq!(registry.open_uploads(), 0, "{story}");
            if status == 1 {
                finished.says(&["level=fatal", &registry.address().to_string()]);
            }
        }
    }
}

#[test]
fn a_layer_that_breaks_off_for_good_is_asked_for_by_a_new_attempt() {
    let (registry, scratch) = prepared();
    let layer = image().layers(0)[0].clone();
    // The second break so soon is not resumed (PI-07).
    registry.script(When::first("GET", &layer).times(2), Fault::Cut { after: 1000 });
    let tool = command(&scratch, &registry, "pull").args(["--retry-times=1", "--retry-delay=1ms"]);
    let finished = tool.run().success();
    assert_eq!(announced(&finished), 1, "{}", finished.story());
    check_layout(&scratch.path("to"), "x").unwrap();
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    for (status, code) in [
        (401, "UNAUTHORIZED"),
        (403, "DENIED"),
        (404, "NAME_UNKNOWN"),
        (404, "MANIFEST_UNKNOWN"),
    ] {
        let (registry, scratch) = prepared();
        let fault = Fault::error(status, code, "no such luck");
        registry.script(When::first("GET", "/manifests/"), fault);
        let tool = command(&scratch, &registry, "inspect").args(["--retry-times=3", "--retry-delay=1ms"]);
        let finished = tool.run().says(&["no such luck"]);
        assert_ne!(finished.status(), Some(0), "{}", finished.story());
        assert_eq!(announced(&finished), 0, "{}", finished.story());
        assert_eq!(registry.requests_to("GET", "/manifests/").len(), 1, "{code}");
    }
}

#[test]
fn a_command_ends_when_its_time_is_up() {
    let layer = image().layers(0)[0].clone();
    let rows = [
        ("pull", "GET", "/v2/", None),
        ("pull", "GET", "/manifests/", None),
        ("pull", "GET", layer.as_str(), Some(1000)),
        ("push", "HEAD", "/blobs/", None),
        ("push", "PATCH", "/uploads/", None),
        ("inspect", "GET", "/manifests/", None),
        ("list-tags", "GET", "/tags/list", None),
        ("delete", "DELETE", "/manifests/", None),
    ];
    // Side by side, since each takes its time.
    std::thread::scope(|scope| {
        for (name, method, part, after) in rows {
            scope.spawn(move || time_is_up(name, method, part, after));
        }
    });
}

/// Runs a command whose matching requests get no whole answer.
fn time_is_up(name: &str, method: &'static str, part: &str, after: Option<usize>) {
    let (registry, scratch) = prepared();
    let gate = Gate::new();
    let fault = match after {
        None => Fault::Hold(gate.clone()),
        Some(after) => Fault::Stall {
            after,
            gate: gate.clone(),
        },
    };
    registry.script(When::every(method, part), fault);
    let tool = command(&scratch, &registry, name).args([TIMEOUT, "--retry-times=1000"]);
    let finished = tool.run().fails_with(&["level=fatal", "context deadline exceeded"]);
    let story = format!(
        "{name} {method} {part}\n{}\n{:?}",
        finished.story(),
        requests(&registry)
    );
    assert!(!registry.requests_to(method, part).is_empty(), "{story}");
    let mut left = files_below(&scratch.path("to")).unwrap();
    // A layout may keep blobs that arrived whole, which no name leads to.
    left.retain(|path, _| path.ends_with("index.json") || path.to_string_lossy().contains(".longshore-"));
    assert!(left.is_empty(), "{:?}\n{story}", left.keys());
    assert_eq!(registry.tags("new"), Vec::<String>::new(), "{story}");
    // The upload's end waits behind the request that is held back.
    gate.open();
    registry.wait_for_no_uploads();
}

#[test]
fn time_is_up_while_waiting_for_another_attempt() {
    let (registry, scratch) = prepared();
    registry.script(When::every("GET", "/manifests/"), answer(503));
    for name in ["pull", "inspect"] {
        let tool = command(&scratch, &registry, name).args([TIMEOUT, "--retry-times=3", "--retry-delay=100h"]);
        let finished = tool.run().fails_with(&["level=fatal", "context deadline exceeded"]);
        finished.says(&["level=warning", "Failed, retrying in ", "503"]);
    }
    assert!(!scratch.path("to/index.json").exists());
}
