//! Kinds of misbehaviour times the requests that they can befall.

use bytes::Bytes;
use longshore_tests::{Fault, ImageSpec, Layer, Scratch, TestRegistry, When, check_layout};

use crate::faults::{image, pull_fails, push_fails};

fn answer(status: u16, headers: Vec<(&'static str, String)>) -> Fault {
    let body = Bytes::new();
    Fault::Answer { status, headers, body }
}

/// What can befall any request, and what the error then says.
fn anywhere() -> Vec<(Fault, &'static str)> {
    let challenge = vec![("www-authenticate", "Basic realm=\"r\"".to_owned())];
    vec![
        (Fault::error(500, "UNKNOWN", "no such luck"), "no such luck"),
        (Fault::error(403, "DENIED", "no such luck"), "no such luck"),
        (answer(502, vec![]), "502"),
        (answer(401, challenge), "401"),
        (answer(418, vec![]), "418"),
        (Fault::too_many_requests(0), "429"),
        (Fault::HangUp, ""),
    ]
}

/// What can befall a request for something.
fn reading() -> Vec<(Fault, &'static str)> {
    let leads_to = |target: &str| answer(302, vec![("location", target.to_owned())]);
    let mut faults = anywhere();
    faults.extend([
        (leads_to("file:///etc/passwd"), ""),
        (leads_to("http://["), ""),
        (Fault::Header("x-filling", "x".repeat(1 << 20)), ""),
        (Fault::Cut { after: 10 }, "broke off"),
        (Fault::Endless { claimed: None }, ""),
        (Fault::Endless { claimed: Some(5 << 30) }, ""),
        (Fault::Body("other".into()), ""),
    ]);
    faults
}

#[test]
fn reading_manifests() {
    for (fault, said) in reading() {
        // One that arrives and is none belongs to the image, not to a request.
        let place = match fault {
            Fault::Body(_) => "app:v1",
            _ => "/manifests/v1",
        };
        pull_fails(When::every("GET", "/manifests/"), fault, &[said, place]);
    }
}

#[test]
fn reading_configs() {
    let config = image().config(0);
    for (fault, said) in reading() {
        pull_fails(When::every("GET", &config), fault, &[said, &config]);
    }
}

#[test]
fn reading_layers() {
    let layer = image().layers(0)[0].clone();
    for (fault, said) in reading() {
        pull_fails(When::every("GET", &layer), fault, &[said, &layer]);
    }
}

#[test]
fn writing() {
    for (method, part) in [
        ("HEAD", "/blobs/"),
        ("POST", "/uploads/"),
        ("PUT", "/uploads/"),
        ("PUT", "/manifests/"),
    ] {
        for (fault, said) in anywhere() {
            // An answer to HEAD has no words.
            let said = if method == "HEAD" { "" } else { said };
            push_fails(When::every(method, part), fault, &[said]);
        }
    }
}

#[test]
fn a_cut_download_goes_on() {
    let registry = TestRegistry::start().unwrap();
    let made = ImageSpec::new([Layer::new(1, 1_500_000)]).make().unwrap();
    made.put_into(&registry, "app", "v1");
    let layer = made.layers(0)[0].clone();
    registry.script(When::first("GET", &layer), Fault::Cut { after: 100_000 });
    let scratch = Scratch::new().unwrap();
    let tool = scratch
        .longshore()
        .args(["copy", "--src-tls-verify=false", &registry.name("app:v1")]);
    tool.arg(scratch.name("oci", "to:x")).run().success();
    check_layout(&scratch.path("to"), "x").unwrap();
    let asked = registry.requests_to("GET", &layer);
    assert_eq!(asked.len(), 2);
    let ranges: Vec<&str> = asked.iter().filter_map(|request| request.header("range")).collect();
    assert_eq!(ranges, ["bytes=100000-"]);
}
