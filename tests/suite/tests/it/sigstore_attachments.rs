//! Sigstore signatures in registries, as attachments: between us and skopeo, added to what is there, and hostile ones.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_tests::{
    DockerRegistry, Finished, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, Tool, check_dir, sha256,
};
use serde_json::{Value, json};

const PLAIN_HTTP: [&str; 2] = ["--src-tls-verify=false", "--dest-tls-verify=false"];
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// A stored simple signing signature, as far as its first byte says.
const SIMPLE: &[u8] = b"\x90 simple";

/// A folder `made` with an image, and a home that wants attachments in the registries at these addresses.
fn scratch_with(addresses: &[&str]) -> (Scratch, MadeImage) {
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 1000)]).make().unwrap();
    made.write_dir(&scratch.path("made")).unwrap();
    let scopes: Vec<String> = addresses
        .iter()
        .map(|address| format!("  {address}:\n    use-sigstore-attachments: true\n"))
        .collect();
    let file = scratch.path("home/.config/containers/registries.d/attachments.yaml");
    fs::write(file, format!("docker:\n{}", scopes.concat())).unwrap();
    (scratch, made)
}

/// The stored form of a sigstore signature.
fn stored(payload: &str, signature: &str) -> Vec<u8> {
    let document = json!({
        "mimeType": PAYLOAD,
        "payload": STANDARD.encode(payload),
        "annotations": {SIGNATURE: signature, "dev.sigstore.cosign/bundle": "{}"},
    });
    format!("\0sigstore-json\n{document}").into_bytes()
}

fn set_signatures(folder: &Path, signatures: &[Vec<u8>]) {
    for number in 1..=4 {
        let file = folder.join(format!("signature-{number}"));
        match signatures.get(number - 1) {
            Some(signature) => fs::write(file, signature).unwrap(),
            None => drop(fs::remove_file(file)),
        }
    }
}

fn signatures_in(folder: &Path) -> Vec<Vec<u8>> {
    let read = |number: usize| fs::read(folder.join(format!("signature-{number}"))).ok();
    (1..).map_while(read).collect()
}

fn copy(tool: Tool, options: &[&str], from: &str, to: &str) -> Finished {
    let tool = tool.arg("copy").args(PLAIN_HTTP).args(options);
    tool.args([from, to]).run()
}

/// The tag of the attachments of an image.
fn tag(made: &MadeImage) -> String {
    format!("{}.sig", made.top.digest.replace(':', "-"))
}

#[test]
fn attachments_travel_between_us_and_skopeo() {
    let registry = DockerRegistry::start().unwrap();
    let (scratch, _) = scratch_with(&[registry.address()]);
    let signatures = vec![SIMPLE.to_vec(), stored("one", "a"), stored("two", "b")];
    set_signatures(&scratch.path("made"), &signatures);
    let stops = [
        (false, registry.name("ours:v1")),
        (true, scratch.name("dir", "theirs")),
        (true, registry.name("theirs:v1")),
        (false, scratch.name("dir", "ours")),
        (false, registry.name("again:v1")),
        (false, scratch.name("dir", "last")),
    ];
    let mut from = scratch.name("dir", "made");
    for (by_skopeo, to) in stops {
        let tool = if by_skopeo {
            scratch.peer("skopeo")
        } else {
            scratch.longshore()
        };
        copy(tool, &[], &from, &to).success();
        from = to;
    }
    for folder in ["theirs", "ours", "last"] {
        check_dir(&scratch.path(folder)).unwrap();
        assert_eq!(signatures_in(&scratch.path(folder)), signatures, "{folder}");
    }

    let without = scratch.name("dir", "without");
    copy(scratch.longshore(), &["--remove-signatures"], &from, &without).success();
    assert_eq!(signatures_in(&scratch.path("without")), Vec::<Vec<u8>>::new());
}

#[test]
fn what_we_add_to_is_kept_by_skopeo_and_the_other_way_round() {
    let registry = DockerRegistry::start().unwrap();
    let (scratch, _) = scratch_with(&[registry.address()]);
    let name = registry.name("some/name:v1");
    let from = scratch.name("dir", "made");
    for (round, tool) in [scratch.peer("skopeo"), scratch.longshore(), scratch.peer("skopeo")]
        .into_iter()
        .enumerate()
    {
        let number = round.to_string();
        set_signatures(&scratch.path("made"), &[stored(&number, "x")]);
        copy(tool, &[], &from, &name).success();
    }
    let expected: Vec<Vec<u8>> = ["0", "1", "2"].iter().map(|payload| stored(payload, "x")).collect();
    for (tool, folder) in [(scratch.peer("skopeo"), "theirs"), (scratch.longshore(), "ours")] {
        copy(tool, &[], &name, &scratch.name("dir", folder)).success();
        assert_eq!(signatures_in(&scratch.path(folder)), expected, "{folder}");
    }
}

/// A scripted registry, and what is done with the image in it.
struct Scripted {
    scratch: Scratch,
    made: MadeImage,
    registry: TestRegistry,
}

impl Scripted {
    fn new() -> Self {
        let registry = TestRegistry::start().unwrap();
        let (scratch, made) = scratch_with(&[&registry.address().to_string()]);
        Self {
            scratch,
            made,
            registry,
        }
    }

    fn push(&self, signatures: &[Vec<u8>]) -> Finished {
        set_signatures(&self.scratch.path("made"), signatures);
        let from = self.scratch.name("dir", "made");
        copy(self.scratch.longshore(), &[], &from, &self.registry.name("app:v1"))
    }

    fn pull(&self, options: &[&str]) -> Finished {
        let _ = fs::remove_dir_all(self.scratch.path("to"));
        let to = self.scratch.name("dir", "to");
        copy(self.scratch.longshore(), options, &self.registry.name("app:v1"), &to)
    }

    fn attachments(&self) -> Value {
        self.registry.manifest("app", &tag(&self.made)).unwrap().json()
    }

    /// Stores a manifest as that of the attachments.
    fn attach(&self, media_type: &str, manifest: &Value) {
        let bytes = manifest.to_string();
        self.registry
            .put_manifest("app", Some(&tag(&self.made)), media_type, bytes);
    }

    /// A descriptor of a blob that the registry has.
    fn blob(&self, media_type: &str, bytes: &str) -> Value {
        let digest = self.registry.put_blob("app", bytes.to_owned());
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn manifest(&self, config: &str, layers: &[Value]) -> Value {
        let config = self.blob("application/vnd.oci.image.config.v1+json", config);
        json!({"schemaVersion": 2, "mediaType": OCI, "config": config, "layers": layers})
    }
}

#[test]
fn what_is_written_is_what_other_tools_write() {
    let scripted = Scripted::new();
    scripted.push(&[stored("payload", "c2ln")]).success();
    let digest = sha256(b"payload");
    let config = format!(r#"{{"architecture":"","os":"","rootfs":{{"type":"layers","diff_ids":["{digest}"]}}}}"#);
    let written = scripted.registry.manifest("app", &tag(&scripted.made)).unwrap();
    assert_eq!(written.media_type, OCI);
    let expected = json!({
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": sha256(config.as_bytes()),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": PAYLOAD,
            "digest": digest,
            "size": 7,
            "annotations": {SIGNATURE: "c2ln", "dev.sigstore.cosign/bundle": "{}"},
        }],
    });
    assert_eq!(String::from_utf8_lossy(&written.bytes), expected.to_string());
    let blob = |digest: &str| scripted.registry.blob("app", digest).unwrap();
    assert_eq!(blob(&sha256(config.as_bytes())), config);
    assert_eq!(blob(&digest), "payload");
    assert_eq!(scripted.registry.open_uploads(), 0);
}

#[test]
fn signatures_are_added_once_and_nothing_else_changes() {
    let scripted = Scripted::new();
    let foreign = json!({"mediaType": "text/x-other", "digest": scripted.registry.put_blob("app", "other"), "size": 5});
    let config = r#"{"created":"2026-01-01T00:00:00Z","own":{"a":1},"rootfs":{"type":"layers","diff_ids":["x"]}}"#;
    let mut before = scripted.manifest(config, std::slice::from_ref(&foreign));
    before["annotations"] = json!({"kept": "yes"});
    before["unknown"] = json!([1]);
    scripted.attach(OCI, &before);

    scripted
        .push(&[stored("one", "a"), stored("one", "a"), stored("one", "b")])
        .success();
    let added = scripted.attachments();
    assert_eq!(added["layers"].as_array().unwrap().len(), 3);
    assert_eq!(added["layers"][0], foreign);
    assert_eq!(
        (&added["annotations"], &added["unknown"]),
        (&before["annotations"], &before["unknown"])
    );
    let config = scripted
        .registry
        .blob("app", added["config"]["digest"].as_str().unwrap())
        .unwrap();
    let one = sha256(b"one");
    let expected = json!({
        "created": "2026-01-01T00:00:00Z",
        "own": {"a": 1},
        "rootfs": {"type": "layers", "diff_ids": ["x", one, one]},
    });
    assert_eq!(config, expected.to_string());

    // Whatever was attached comes along with the signatures.
    scripted.pull(&[]).success();
    assert_eq!(signatures_in(&scripted.scratch.path("to")).len(), 3);
    let puts = || scripted.registry.requests_to("PUT", ".sig").len();
    let before = puts();
    scripted.push(&signatures_in(&scripted.scratch.path("to"))).success();
    assert_eq!((puts(), scripted.attachments()), (before, added));
}

#[test]
fn attachments_go_with_the_image() {
    let scripted = Scripted::new();
    let delete = || {
        let tool = scripted.scratch.longshore().args(["delete", "--tls-verify=false"]);
        tool.arg(scripted.registry.name("app:v1")).run().success()
    };
    scripted.push(&[stored("one", "a")]).success();
    assert_eq!(scripted.registry.tags("app").len(), 2);
    delete();
    assert_eq!(scripted.registry.tags("app"), Vec::<String>::new());
    scripted.push(&[]).success();
    delete();
    assert_eq!(scripted.registry.tags("app"), Vec::<String>::new());
}

#[test]
fn nobody_looks_for_attachments_unasked() {
    let scripted = Scripted::new();
    scripted.push(&[stored("one", "a")]).success();
    let asked = || scripted.registry.requests_to("GET", ".sig").len();
    let before = asked();
    fs::remove_file(
        scripted
            .scratch
            .path("home/.config/containers/registries.d/attachments.yaml"),
    )
    .unwrap();
    scripted.pull(&[]).success();
    assert_eq!(signatures_in(&scripted.scratch.path("to")), Vec::<Vec<u8>>::new());
    let refused = scripted.push(&[stored("one", "a")]);
    refused.fails_with(&[
        "Can not copy signatures to docker:",
        "writing sigstore attachments is disabled by configuration",
    ]);
    assert_eq!(asked(), before);
}

#[test]
fn signatures_in_no_known_form_are_not_stored() {
    let scripted = Scripted::new();
    for (signature, expected) in [
        (&b"\0other\n{}"[..], "unsupported signature format \"other\""),
        (b"\0sigstore-json\n{", "invalid JSON"),
        (
            b"\0sigstore-json\n{\"mimeType\":\"\",\"payload\":\"?\"}",
            "its payload: ",
        ),
    ] {
        scripted.push(&[signature.to_vec()]).fails_with(&[expected]);
        assert!(scripted.registry.manifest("app", &tag(&scripted.made)).is_none());
    }
}

#[test]
fn hostile_attachments_stop_the_copy() {
    let scripted = Scripted::new();
    scripted.push(&[]).success();
    let layer = |bytes: &str| scripted.blob(PAYLOAD, bytes);
    let lying = |key: &str, value: Value| {
        let mut layer = layer("payload");
        layer[key] = value;
        scripted.manifest("{}", &[layer])
    };
    let absent = sha256(b"absent");
    let wrong = sha256(b"wrong");
    scripted.registry.put_wrong_blob("app", &wrong, "payload");
    let huge = |size: u64| {
        let mut layer = layer("payload");
        layer["size"] = size.into();
        layer
    };
    let list = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []});
    // It fits as it is, but not in its stored form.
    let large = layer(&"x".repeat(3_500_000));
    let many = vec![layer("payload"); 129];
    for (media_type, manifest, expected) in [
        (OCI, lying("size", 6.into()), "more than the 6 bytes it should have"),
        (OCI, lying("size", 8.into()), "is not what that names"),
        (OCI, lying("size", (-1).into()), "a size cannot be negative"),
        (OCI, lying("digest", wrong.into()), "is not what that names"),
        (OCI, lying("digest", absent.into()), "blob unknown"),
        (OCI, lying("digest", "sha256:12".into()), "digest"),
        (
            OCI,
            scripted.manifest("{}", &[huge(4 << 20), huge(1)]),
            "more than 4194304 bytes together",
        ),
        (
            OCI,
            scripted.manifest("{}", &vec![huge(u64::MAX / 2); 3]),
            "more than 4194304 bytes together",
        ),
        (
            OCI,
            scripted.manifest("{}", &[large]),
            "more than 4194304 bytes together",
        ),
        (OCI, scripted.manifest("{}", &many), "they are more than 128"),
        (OCI, json!({"schemaVersion": 2}), "required field \"config\" is missing"),
        (OCI, json!([]), "sigstore attachments"),
        ("application/vnd.oci.image.index.v1+json", list, "unexpected MIME type"),
    ] {
        scripted.attach(media_type, &manifest);
        let finished = scripted.pull(&[]);
        let tag = tag(&scripted.made);
        finished.fails_with(&[expected]).says(&["reading signatures"]);
        assert!(!scripted.scratch.path("to").exists(), "{tag} {manifest}");
        // Those who want no signatures have read them for their policy nevertheless.
        scripted.pull(&["--remove-signatures"]).fails_with(&[expected]);
    }
}

#[test]
fn attachments_that_cannot_be_added_to_are_left_alone() {
    let scripted = Scripted::new();
    let config = |text: &str| scripted.manifest(text, &[]);
    let mut huge = config("{}");
    huge["config"]["size"] = json!((4 << 20) + 1);
    let full: Vec<Value> = (0..128).map(|n| scripted.blob(PAYLOAD, &n.to_string())).collect();
    for (manifest, expected) in [
        (config("[]"), "their config is no JSON object"),
        (config("{"), "their config: invalid JSON"),
        (config(r#"{"rootfs":1}"#), "diff_ids that are no list"),
        (config(r#"{"rootfs":{"diff_ids":{}}}"#), "diff_ids that are no list"),
        (huge, "their config has more than 4194304 bytes"),
        (scripted.manifest("{}", &full), "they would be more than 128"),
    ] {
        scripted.attach(OCI, &manifest);
        scripted
            .push(&[stored("new", "x")])
            .fails_with(&[expected, "sigstore attachments"]);
        assert_eq!(scripted.attachments(), manifest);
    }
}
