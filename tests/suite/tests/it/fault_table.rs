//! Kinds of misbehaviour times the requests that they can befall.

use bytes::Bytes;
use longshore_tests::{Auth, Fault, ImageSpec, Layer, Scratch, TestRegistry, When, check_layout};

use crate::faults::{image, pull_fails, pull_from_fails, push_fails};

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
        ("PATCH", "/uploads/"),
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
fn asking_for_tokens() {
    let garbage = |text: &'static str| Fault::Body(text.into());
    let mut faults = reading();
    faults.extend([
        (garbage("{\"token\":"), ""),
        (garbage("{}"), ""),
        (garbage("{\"token\":7}"), ""),
        (garbage("{\"token\":\"a\\nb\"}"), ""),
        (Fault::Redirect("http://127.0.0.1:1".to_owned()), ""),
    ]);
    for (fault, said) in faults {
        let bearer = TestRegistry::builder().auth(Auth::Bearer { user: None });
        pull_from_fails(bearer, When::every("GET", "/token"), fault, &[said, "/token"]);
    }
}

#[test]
fn a_token_service_that_leads_elsewhere_gives_no_password_away() {
    let user = Some(("user".to_owned(), "pass".to_owned()));
    let bearer = || Auth::Bearer { user: user.clone() };
    let registry = TestRegistry::builder().auth(bearer()).start().unwrap();
    let other = TestRegistry::builder()
        .auth(bearer())
        .address("127.0.0.2")
        .start()
        .unwrap();
    image().put_into(&registry, "app", "v1");
    let elsewhere = Fault::Redirect(format!("http://{}", other.address()));
    registry.script(When::every("GET", "/token"), elsewhere);
    let scratch = Scratch::new().unwrap();
    let tool = scratch
        .longshore()
        .args(["inspect", "--tls-verify=false", "--creds=user:pass"]);
    tool.arg(registry.name("app:v1")).run().fails_with(&["/token"]);
    for request in other.requests() {
        assert_eq!(request.header("authorization"), None, "{request:#?}");
    }
}

#[test]
fn greeting() {
    for (fault, said) in reading() {
        // What a registry says beside its 200 matters to nobody.
        let harmless = matches!(fault, Fault::Body(_) | Fault::Cut { .. } | Fault::Endless { .. });
        if !harmless {
            pull_fails(When::every("GET", "/v2/"), fault, &[said, "/v2/"]);
        }
    }
}

#[test]
fn listing_tags() {
    let link = |target: &str| Fault::Header("link", format!("<{target}>; rel=\"next\""));
    let mut faults = reading();
    faults.extend([
        (link("/v2/app/tags/list?n=1"), ""),
        (link("http://["), ""),
        (link("http://127.0.0.1:1/v2/app/tags/list"), ""),
        (Fault::Body("{\"name\":\"app\",\"tags\":[7]}".into()), ""),
        (Fault::Body("{\"name\":\"app\",\"tags\":[\"-odd\"]}".into()), ""),
    ]);
    for (fault, said) in faults {
        let shown: String = format!("{fault:?}").chars().take(200).collect();
        let registry = TestRegistry::start().unwrap();
        image().put_into(&registry, "app", "v1");
        registry.script(When::every("GET", "/tags/list"), fault);
        let scratch = Scratch::new().unwrap();
        let tool = scratch
            .longshore()
            .args(["list-tags", "--tls-verify=false", &registry.name("app")]);
        let finished = tool.run();
        let story = format!("{shown}\n{}", finished.story());
        assert_eq!(finished.status(), Some(1), "{story}");
        assert_eq!(finished.stdout(), "", "{story}");
        let fatal = finished.stderr().matches("level=fatal").count();
        let named = finished
            .stderr()
            .contains(&format!("{}/v2/app/tags/list", registry.address()));
        assert!(fatal == 1 && named && finished.stderr().contains(said), "{story}");
    }
}

#[test]
fn uploads_that_are_sent_elsewhere() {
    for (method, target) in [
        ("POST", "http://["),
        ("POST", "file:///etc/passwd"),
        ("POST", "http://127.0.0.1:1/upload"),
        ("POST", ""),
        ("PATCH", "http://["),
        ("PATCH", "file:///etc/passwd"),
        ("PATCH", "http://127.0.0.1:1/upload"),
    ] {
        let registry = TestRegistry::start().unwrap();
        let fault = Fault::Header("location", target.to_owned());
        registry.script(When::every(method, "/uploads/"), fault);
        let scratch = Scratch::new().unwrap();
        image().write_layout(&scratch.path("from"), "x").unwrap();
        let tool = scratch.longshore().args(["copy", "--dest-tls-verify=false"]);
        let finished = tool
            .arg(scratch.name("oci", "from:x"))
            .arg(registry.name("app:new"))
            .run();
        let story = format!("{method} {target}\n{}\n{:#?}", finished.story(), registry.requests());
        assert_eq!(finished.status(), Some(1), "{story}");
        assert_eq!(finished.stderr().matches("level=fatal").count(), 1, "{story}");
        assert!(
            finished.stderr().contains("/v2/app/blobs/uploads/") || finished.stderr().contains(target),
            "{story}"
        );
        assert_eq!(registry.tags("app"), Vec::<String>::new(), "{story}");
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
