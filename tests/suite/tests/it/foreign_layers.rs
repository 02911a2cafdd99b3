//! Layers that lie elsewhere, at the URLs of their descriptors: fetched, verified, and asked for without credentials (OP-03).

use longshore_tests::{
    Auth, Fault, Finished, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, When, check_dir, files_below,
};
use serde_json::json;

const USER: &str = "user";
const PASSWORD: &str = "pass";

/// An image whose first layer its registry does not have, and the host that has it.
struct Elsewhere {
    made: MadeImage,
    registry: TestRegistry,
    host: TestRegistry,
    scratch: Scratch,
}

impl Elsewhere {
    /// `urls` are paths at the other host; `{}` in them stands for the layer's own.
    fn new(auth: Auth, urls: &[&str]) -> Self {
        let host = TestRegistry::start().unwrap();
        let registry = TestRegistry::builder().auth(auth).start().unwrap();
        let made = ImageSpec::new([Layer::new(1, 200_000), Layer::new(2, 20)])
            .make()
            .unwrap();
        let layer = made.layers(0)[0].clone();
        let own = format!("/v2/files/blobs/{layer}");
        let urls: Vec<String> = urls
            .iter()
            .map(|path| format!("http://{}{}", host.address(), path.replace("{}", &own)))
            .collect();
        let mut made = made.with_manifest(|manifest| {
            let layer = &mut manifest["layers"][0];
            layer["mediaType"] = json!("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
            layer["urls"] = json!(urls);
        });
        host.put_blob("files", made.blobs.remove(&layer).unwrap());
        made.put_into(&registry, "app", "v1");
        Self {
            made,
            registry,
            host,
            scratch: Scratch::new().unwrap(),
        }
    }

    fn layer(&self) -> String {
        self.made.layers(0)[0].clone()
    }

    fn pull(&self, to: &str) -> Finished {
        let tool = self.scratch.longshore().args(["copy", "--src-tls-verify=false"]);
        let creds = format!("--src-creds={USER}:{PASSWORD}");
        tool.args([&creds, &self.registry.name("app:v1"), to]).run()
    }
}

#[test]
fn a_layout_that_has_a_layer_by_its_url_only_gives_it_from_there() {
    let elsewhere = Elsewhere::new(Auth::Open, &["{}"]);
    elsewhere
        .made
        .write_layout(&elsewhere.scratch.path("layout"), "v1")
        .unwrap();
    let copy = |options: &[&str]| {
        let tool = elsewhere.scratch.longshore().arg("copy").args(options);
        tool.args([
            elsewhere.scratch.name("oci", "layout:v1"),
            elsewhere.scratch.name("dir", "to"),
        ])
        .run()
    };
    // Plain http is asked only where the user said that it may be.
    let refused = copy(&[]);
    refused.fails_with(&[&elsewhere.layer()]);
    assert!(!elsewhere.scratch.path("to").exists());
    copy(&["--src-tls-verify=false"]).success();
    let checked = check_dir(&elsewhere.scratch.path("to")).unwrap();
    assert_eq!(checked.digest, elsewhere.made.top.digest);
}

fn basic() -> Auth {
    Auth::Basic {
        user: USER.to_owned(),
        password: PASSWORD.to_owned(),
    }
}

#[test]
fn a_layer_comes_from_its_url_and_its_host_sees_no_credentials() {
    let bearer = Auth::Bearer {
        user: Some((USER.to_owned(), PASSWORD.to_owned())),
    };
    for auth in [basic(), bearer] {
        let elsewhere = Elsewhere::new(auth, &["/v2/files/blobs/nothing", "{}"]);
        elsewhere.pull("dir:to").success();
        let checked = check_dir(&elsewhere.scratch.path("to")).unwrap();
        assert_eq!(checked.digest, elsewhere.made.top.digest);
        let asked = elsewhere.host.requests();
        assert_eq!(asked.len(), 2, "{asked:#?}");
        for request in asked {
            assert_eq!(request.header("authorization"), None, "{request:#?}");
            assert_eq!(request.header("cookie"), None, "{request:#?}");
        }
        assert!(elsewhere.registry.requests_to("GET", &elsewhere.layer()).is_empty());
    }
}

#[test]
fn what_its_host_sends_must_be_the_layer() {
    let faults = [
        Fault::Body("other bytes".into()),
        Fault::Body(vec![0; 1 << 20].into()),
        Fault::Endless { claimed: None },
        Fault::error(500, "UNKNOWN", "out of order"),
        Fault::HangUp,
        Fault::Cut { after: 100 },
    ];
    for fault in faults {
        let elsewhere = Elsewhere::new(basic(), &["{}"]);
        let shown: String = format!("{fault:?}").chars().take(60).collect();
        elsewhere.host.script(When::every("GET", "/v2/files/"), fault);
        let finished = elsewhere.pull("dir:to");
        let story = format!("{shown}\n{}", finished.story());
        assert_eq!(finished.status(), Some(1), "{story}");
        assert_eq!(finished.stderr().matches("level=fatal").count(), 1, "{story}");
        assert!(finished.stderr().contains(&elsewhere.layer()), "{story}");
        assert!(!elsewhere.scratch.path("to").exists(), "{story}");
    }
}

#[test]
fn a_layout_takes_the_url_for_the_layer() {
    let elsewhere = Elsewhere::new(basic(), &["{}"]);
    elsewhere.pull("oci:to:x").success();
    assert!(elsewhere.host.requests().is_empty());
    let files = files_below(&elsewhere.scratch.path("to")).unwrap();
    let has = |digest: &str| files.keys().any(|path| path.ends_with(&digest[7..]));
    assert!(has(&elsewhere.made.top.digest) && has(&elsewhere.made.layers(0)[1]));
    assert!(!has(&elsewhere.layer()), "{:?}", files.keys());
}
