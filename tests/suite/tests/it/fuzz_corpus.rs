//! Every parser of foreign bytes, run over a corpus and its mutations: no panic, no endless loop,
//! and what is accepted is stable. The targets take bytes, so that a fuzzer can call them too.

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_config::{Environment, Policy, RequirementCheck, SignatureStorage, StorageUse};
use longshore_registry::Client;
use longshore_runtime::{Evaluator, ImageFacts, Outcome, PluginHost, Requirement};
use longshore_sign::{Payload, UntrustedSignature};
use longshore_tests::{
    CodeAuthority, Fault, ImageSpec, Kind, Layer, SigstoreKey, SigstoreSignature, TestRegistry, When, sha256,
    sigstore_payload,
};
use longshore_types::{Algorithm, Digest, ImageName, LayoutReference, Parsed, RawManifest, Reference};

/// Target: references, transport names, digests and layout references.
fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(parsed) = Reference::parse_normalized(text) {
        for written in [parsed.to_string(), parsed.familiar()] {
            let again = Reference::parse_normalized(&written);
            assert_eq!(again.ok().as_ref(), Some(&parsed), "{text:?} -> {written:?}");
        }
    }
    if let Ok(name) = ImageName::parse(text, ["dir", "docker", "oci"]) {
        assert_eq!(name.to_string(), text);
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    let _ = LayoutReference::parse(text, false);
}

/// Target: manifests and lists.
fn manifest(bytes: &[u8]) {
    for declared in [
        None,
        Some("application/vnd.oci.image.manifest.v1+json"),
        Some("text/plain"),
    ] {
        let Ok(raw) = RawManifest::new(bytes, declared) else {
            continue;
        };
        assert_eq!(raw.bytes(), bytes);
        match raw.parse() {
            Ok(Parsed::Image(image)) => {
                let Ok(written) = image.to_raw() else { continue };
                let Ok(Parsed::Image(again)) = written.parse() else {
                    panic!("{:?} is no image any more", String::from_utf8_lossy(written.bytes()));
                };
                assert_eq!(again.config.digest, image.config.digest);
                assert_eq!(again.layers.len(), image.layers.len());
                assert_eq!(
                    again.to_raw().unwrap().digest(Algorithm::Sha256),
                    written.digest(Algorithm::Sha256)
                );
            }
            Ok(Parsed::List(list)) => {
                let Ok(written) = list.to_raw() else { continue };
                assert!(
                    matches!(written.parse(), Ok(Parsed::List(_))),
                    "{:?}",
                    String::from_utf8_lossy(bytes)
                );
            }
            Err(_) => {}
        }
    }
}

/// Knows the grammar of no requirement and takes all of them.
struct AnyRequirement;

impl RequirementCheck for AnyRequirement {
    fn check_requirement(&self, _: &str, _: &str) -> Option<Result<(), String>> {
        Some(Ok(()))
    }
}

/// Target: policy.json.
fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(policy) = Policy::parse(text, &AnyRequirement) else {
        return;
    };
    // What was read is a policy again, requirement by requirement, and every image has one that decides.
    for requirement in policy.all_requirements() {
        let again = Policy::parse(&format!(r#"{{"default":[{}]}}"#, requirement.json), &AnyRequirement);
        assert_eq!(again.unwrap().all_requirements().next(), Some(requirement), "{text:?}");
    }
    for transport in ["docker", "dir", "none"] {
        let (_, requirements) = policy.requirements(transport, "a/b:c", &["a/b".to_owned(), "a".to_owned()]);
        assert!(!requirements.is_empty(), "{text:?}");
    }
}

/// Target: a file of registries.d, in a folder that is there for it.
fn signature_storage(environment: &Environment, file: &std::path::Path, bytes: &[u8]) {
    std::fs::write(file, bytes).unwrap();
    match SignatureStorage::load(environment) {
        Ok(storage) => {
            let scopes = ["h.test/a/b:1", "h.test/a/b", "h.test"].map(str::to_owned);
            for purpose in [StorageUse::Read, StorageUse::Write] {
                assert_ne!(storage.lookaside(&scopes, purpose), Some(""));
            }
        }
        Err(error) => assert!(error.to_string().contains(&file.display().to_string()), "{error}"),
    }
}

/// Target: a simple signing signature, and the payload in it.
fn untrusted_signature(bytes: &[u8]) {
    let Ok(read) = UntrustedSignature::read(bytes) else {
        return;
    };
    assert_eq!(read.short_key_id.len(), 16);
    assert_eq!(
        Digest::parse(read.manifest_digest.as_str()).ok().as_ref(),
        Some(&read.manifest_digest)
    );
}

/// A generator that gives the same numbers on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit.max(1)
    }
}

/// What parsers trip over, put into the middle of what they expect.
const PIECES: [&str; 20] = [
    "",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "@",
    "/",
    "\\u0000",
    "\u{0}",
    "sha256:",
    "null",
    "-1",
    "1e400",
    "\\",
    "=",
    " ",
    "99999999999999999999",
];

/// Every seed, cut at every place, and with pieces taken out, doubled, put in or exchanged.
fn mutations(seeds: &[&[u8]], rounds: usize) -> Vec<Vec<u8>> {
    let mut numbers = Numbers(1);
    let mut all = Vec::new();
    for seed in seeds {
        all.push(seed.to_vec());
        let step = (seed.len() / 64).max(1);
        all.extend((0..seed.len()).step_by(step).map(|end| seed[..end].to_vec()));
        for _ in 0..rounds {
            let mut bytes = seed.to_vec();
            for _ in 0..=numbers.below(3) {
                let start = numbers.below(bytes.len() + 1);
                let end = (start + numbers.below(12)).min(bytes.len());
                let piece = match numbers.below(4) {
                    0 => Vec::new(),
                    1 => bytes[start..end].repeat(2),
                    2 => PIECES[numbers.below(PIECES.len())].as_bytes().to_vec(),
                    _ => vec![u8::try_from(numbers.below(256)).unwrap_or_default()],
                };
                bytes.splice(start..end, piece);
            }
            all.push(bytes);
        }
    }
    all
}

#[test]
fn references() {
    let hex = "0123456789abcdef".repeat(8);
    let long = format!("localhost:5000/a/b:v1@sha256:{}", &hex[..64]);
    let longer = format!("host/a@sha512:{hex}");
    let seeds = [
        "busybox",
        "docker.io/library/busybox:latest",
        "[2001:db8::1]:5000/a/b",
        "index.docker.io/a__b/c-d.e:T_1-2",
        "docker://quay.io/a/b:c",
        "oci:some/folder:name",
        "dir:/a/b",
        "folder:@3",
        &long,
        &longer,
    ];
    for bytes in mutations(&seeds.map(str::as_bytes), 400) {
        reference(&bytes);
    }
}

#[test]
fn manifests() {
    let layers = [Layer::new(1, 10), Layer::new(2, 10)];
    let made = [
        ImageSpec::new(layers),
        ImageSpec::new(layers).kind(Kind::Docker),
        ImageSpec::new(layers).and_platform("linux", "s390x"),
        ImageSpec::new(layers).kind(Kind::Docker).and_platform("linux", "s390x"),
    ]
    .map(|spec| spec.make().unwrap().top.bytes);
    let signed = br#"{"schemaVersion":1,"name":"a","fsLayers":[],"signatures":[{"header":{},"signature":"","protected":"eyJmb3JtYXRMZW5ndGgiOjUsImZvcm1hdFRhaWwiOiJmUSJ9"}]}"#;
    let mut seeds: Vec<&[u8]> = made.iter().map(AsRef::as_ref).collect();
    seeds.push(signed);
    for bytes in mutations(&seeds, 600) {
        manifest(&bytes);
    }
    let deep = ["[", "{\"a\":"].map(|piece| piece.repeat(100_000));
    for text in deep {
        manifest(text.as_bytes());
    }
}

#[test]
fn policies() {
    let seeds = [
        r#"{"default":[{"type":"reject"}]}"#,
        r#"{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{"a/b":[{"type":"reject"},{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}],"":[{"type":"reject"}]},"dir":{}}}"#,
        "{\n  \"transports\": {\"oci\": {\"/a\": [ {\"type\": \"x\", \"more\": [1, {\"a\": null}]} ]}},\n  \"default\": [{\"type\":\"\\u0078\"}]\n}\n",
    ];
    for bytes in mutations(&seeds.map(str::as_bytes), 800) {
        policy(&bytes);
    }
    for text in ["[", "{\"default\":[", "{\"default\":[{\"type\":"].map(|piece| piece.repeat(100_000)) {
        policy(text.as_bytes());
    }
}

#[test]
fn signature_storages() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("etc/containers/registries.d");
    std::fs::create_dir_all(&folder).unwrap();
    let environment = Environment::empty(root.path());
    let seeds = [
        "default-docker:\n  lookaside: file:///a\n  use-sigstore-attachments: true\n",
        "docker:\n  h.test/a:\n    lookaside: https://s.test/x\n    lookaside-staging: file:///s\n  h.test:\n    sigstore: file:///t\n",
        "a: &a [x, x]\nb: &b [*a, *a]\ndocker: {\"h.test\": {lookaside: \"\", sigstore: 'file:///q'}}\n",
    ];
    for bytes in mutations(&seeds.map(str::as_bytes), 150) {
        signature_storage(&environment, &folder.join("x.yaml"), &bytes);
    }
    let laughs: String = (1..20)
        .map(|level| {
            format!(
                "a{level}: &a{level} [{}]\n",
                vec![format!("*a{}", level - 1); 10].join(",")
            )
        })
        .collect();
    let deep = "[".repeat(100_000);
    for text in [format!("a0: &a0 x\n{laughs}docker: *a19\n"), format!("docker: {deep}")] {
        signature_storage(&environment, &folder.join("x.yaml"), text.as_bytes());
    }
}

#[test]
fn untrusted_signatures() {
    let payload = Payload::new("example.com/a:b", Digest::sha256(b"")).to_json().unwrap();
    let one_pass = [0x90, 13, 3, 0, 8, 22, 1, 2, 3, 4, 5, 6, 7, 8, 1];
    let length = u8::try_from(payload.len() + 6 - 192).unwrap();
    let literal = [0xcb, 192, length, b'b', 0, 0, 0, 0, 0];
    let message = [&one_pass[..], &literal, &payload].concat();
    assert!(UntrustedSignature::read(&message).is_ok());
    let compressed = [&[0xa3, 0][..], &message].concat();
    for bytes in mutations(&[&message, &compressed], 3000) {
        untrusted_signature(&bytes);
    }
}

#[test]
fn challenges() {
    let registry = TestRegistry::start().unwrap();
    let address = registry.address().to_string();
    let realm = format!("http://{address}/token");
    let seeds = [
        format!("Bearer realm=\"{realm}\",service=\"a b\",scope=\"repository:a:pull,push\""),
        format!("Basic realm=\"a\\\"b\", Bearer realm={realm}"),
        "Negotiate, Digest qop=\"auth\"".to_owned(),
    ];
    let seeds: Vec<&[u8]> = seeds.iter().map(String::as_bytes).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for bytes in mutations(&seeds, 60) {
        let Ok(challenge) = String::from_utf8(bytes) else {
            continue;
        };
        let refusal = |challenge: &str| Fault::Answer {
            status: 401,
            headers: vec![("www-authenticate", challenge.to_owned())],
            body: bytes::Bytes::new(),
        };
        registry.script(When::first("GET", "/v2/"), refusal(&challenge));
        registry.script(When::first("GET", "/v2/app/manifests/"), refusal(&challenge));
        let client = Client::builder(address.clone()).tls_verify(false).build().unwrap();
        let fetched = runtime.block_on(client.repository("app").manifest("v1"));
        assert!(fetched.is_err(), "there is no such manifest: {challenge:?}");
    }
}

/// The evaluator of sigstore signatures, a requirement for it and an image.
struct Judge {
    runtime: tokio::runtime::Runtime,
    evaluator: Evaluator,
    requirement: Requirement,
    image: ImageFacts,
}

impl Judge {
    const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;
    const NAME: &str = "example.com/app:1";

    fn new(members: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let found = runtime.block_on(PluginHost::builder().build().evaluator("sigstoreSigned"));
        let identity = format!(r#"{{"type":"exactReference","dockerReference":"{}"}}"#, Self::NAME);
        Self {
            runtime,
            evaluator: found.unwrap().expect("it is built in"),
            requirement: Requirement {
                json: format!(r#"{{"type":"sigstoreSigned",{members},"signedIdentity":{identity}}}"#),
                files: Vec::new(),
            },
            image: ImageFacts {
                transport: "dir".to_owned(),
                policy_identity: String::new(),
                docker_reference: None,
                name: "dir:x".to_owned(),
                manifest: RawManifest::new(Self::MANIFEST, None).unwrap(),
                index: None,
                signatures: Vec::new(),
                config: Arc::new(|| Err("there is none".to_owned())),
                now: SystemTime::now(),
            },
        }
    }

    fn payload() -> String {
        sigstore_payload(Self::NAME, &sha256(Self::MANIFEST.as_bytes()))
    }

    /// Target: a stored signature. Whatever it is, there is a verdict.
    fn accepts(&self, stored: Vec<u8>) -> bool {
        let image = ImageFacts {
            signatures: vec![stored],
            ..self.image.clone()
        };
        let judged = self
            .runtime
            .block_on(self.evaluator.evaluate(self.requirement.clone(), image));
        judged.unwrap().unwrap().outcome == Outcome::AcceptedSigned
    }
}

fn inline(pem: &str) -> String {
    STANDARD.encode(pem)
}

#[test]
fn sigstore_payloads() {
    let key = SigstoreKey::new().unwrap();
    let judge = Judge::new(&format!(r#""keyData":"{}""#, inline(&key.pem())));
    let payload = Judge::payload();
    let signed = |payload: &str| SigstoreSignature::by_key(&key, payload).unwrap().stored();
    let said = |text: &str| serde_json::from_str::<serde_json::Value>(text).map(|said| said["critical"].clone());
    assert!(judge.accepts(signed(&payload)));
    for bytes in mutations(&[payload.as_bytes()], 100) {
        let Ok(text) = String::from_utf8(bytes) else { continue };
        if judge.accepts(signed(&text)) {
            assert_eq!(said(&text).ok(), said(&payload).ok(), "{text:?}");
        }
    }
    for bytes in mutations(&[&signed(&payload)], 100) {
        let _ = judge.accepts(bytes);
    }
}

#[test]
fn log_entries() {
    let (key, log) = (SigstoreKey::new().unwrap(), SigstoreKey::new().unwrap());
    let (key_data, log_data) = (inline(&key.pem()), inline(&log.pem()));
    let judge = Judge::new(&format!(r#""keyData":"{key_data}","rekorPublicKeyData":"{log_data}""#));
    let signature = SigstoreSignature::by_logged_key(&key, &log, &Judge::payload()).unwrap();
    assert!(judge.accepts(signature.stored()));
    let promise = signature.annotation("bundle").to_owned();
    let said = |text: &str| serde_json::from_str::<serde_json::Value>(text).map(|said| said["Payload"].clone());
    for bytes in mutations(&[promise.as_bytes()], 200) {
        let Ok(altered) = String::from_utf8(bytes) else {
            continue;
        };
        if judge.accepts(signature.clone().with("bundle", &altered).stored()) {
            assert_eq!(said(&altered).ok(), said(&promise).ok(), "{altered:?}");
        }
    }
    assert!(!judge.accepts(signature.without("bundle").stored()));
}

#[test]
fn certificate_chains() {
    let authority = CodeAuthority::new().unwrap();
    let judge = Judge::new(&format!(
        r#""pki":{{"caRootsData":"{}","subjectEmail":"me@example.com"}}"#,
        inline(&authority.pem())
    ));
    let signature = SigstoreSignature::by_pki(&authority, "me@example.com", &Judge::payload()).unwrap();
    assert!(judge.accepts(signature.stored()));
    let pem = |der: &[u8]| {
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(der)
        )
    };
    let der = |pem: &str| {
        let lines = pem.lines().skip(1).take_while(|line| !line.starts_with('-'));
        STANDARD.decode(lines.collect::<String>()).unwrap()
    };
    let leaf = der(signature.annotation("certificate"));
    for bytes in mutations(&[&leaf], 200) {
        let accepted = judge.accepts(signature.clone().with("certificate", &pem(&bytes)).stored());
        assert_eq!(accepted, bytes == leaf, "{}", pem(&bytes));
    }
    let intermediate = der(signature.annotation("chain"));
    for bytes in mutations(&[&intermediate], 200) {
        let chain = pem(&bytes) + &authority.pem();
        let accepted = judge.accepts(signature.clone().with("chain", &chain).stored());
        assert_eq!(accepted, bytes == intermediate, "{chain}");
    }
}
