//! Signatures that services have a part in: a log keeps them. Our own policy and OpenSSL judge them.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_tests::{Finished, ImageSpec, Layer, Scratch, SigstoreServices, Spoken};
use serde_json::{Value, json};

const NAME: &str = "example.com/app:1";
const LOG: &str = "POST /api/v1/log/entries";

/// An image `made`, keys `key.private` and `key.pub`, and services.
struct Online {
    scratch: Scratch,
    services: SigstoreServices,
}

impl Online {
    fn new() -> Self {
        let scratch = Scratch::new().unwrap();
        let made = ImageSpec::new([Layer::new(1, 1000)]).make().unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        fs::write(scratch.path("passphrase"), "open-sesame-4711\n").unwrap();
        let make = scratch
            .longshore()
            .args(["generate-sigstore-key", "--output-prefix", "key"]);
        make.args(["--passphrase-file", "passphrase"]).run().success();
        let services = SigstoreServices::start().unwrap();
        fs::write(scratch.path("log.pub"), services.log_pem()).unwrap();
        Self { scratch, services }
    }

    /// Copies `made` to `to`, signed as a file of parameters says; `ONLINE` in it stands for the services.
    fn sign(&self, parameters: &str, options: &[&str]) -> Finished {
        drop(fs::remove_dir_all(self.scratch.path("to")));
        let parameters = parameters.replace("ONLINE", &self.services.url());
        fs::write(self.scratch.path("parameters"), parameters).unwrap();
        let tool = self
            .scratch
            .longshore()
            .args(["copy", "--sign-by-sigstore", "parameters"]);
        let tool = tool.args(["--sign-identity", NAME, "--insecure-policy"]).args(options);
        tool.args(["dir:made", "dir:to"]).run()
    }

    fn with_key(&self) -> Finished {
        self.sign(
            "privateKeyFile: key.private\nprivateKeyPassphraseFile: passphrase\nrekorURL: ONLINE\n",
            &[],
        )
    }

    /// Copies what was signed on, under a policy with one requirement of these members.
    fn judge(&self, members: &str) -> Finished {
        drop(fs::remove_dir_all(self.scratch.path("judged")));
        let folder = self.scratch.path(".").canonicalize().unwrap().display().to_string();
        let identity = json!({"type": "exactReference", "dockerReference": NAME});
        let members = members.replace("FOLDER", &folder);
        let policy = format!(r#"{{"default":[{{"type":"sigstoreSigned",{members},"signedIdentity":{identity}}}]}}"#);
        self.scratch.write_policy(&policy).unwrap();
        self.scratch.longshore().args(["copy", "dir:to", "dir:judged"]).run()
    }

    /// The document of the one signature in `to`; its payload and its bytes go to files for OpenSSL.
    fn stored(&self) -> Value {
        assert!(!self.scratch.path("to/signature-2").exists());
        let stored = fs::read(self.scratch.path("to/signature-1")).unwrap();
        let document: Value = serde_json::from_slice(stored.strip_prefix(b"\0sigstore-json\n").unwrap()).unwrap();
        let decode = |text: &Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
        fs::write(self.scratch.path("payload"), decode(&document["payload"])).unwrap();
        let signature = decode(&document["annotations"]["dev.cosignproject.cosign/signature"]);
        fs::write(self.scratch.path("payload.sig"), signature).unwrap();
        document
    }

    fn verified_by_openssl(&self, key: &str) {
        let openssl = self.scratch.peer("openssl").args(["dgst", "-sha256", "-verify", key]);
        let openssl = openssl.args(["-signature", "payload.sig", "payload"]);
        openssl.run().success().prints("Verified OK");
    }
}

const BY_LOGGED_KEY: &str = r#""keyPath":"FOLDER/key.pub","rekorPublicKeyPath":"FOLDER/log.pub""#;

#[test]
fn a_log_keeps_what_a_key_signs() {
    for conflicting in [false, true] {
        let online = Online::new();
        if conflicting {
            online.services.conflict();
        }
        online.with_key().success();
        let document = online.stored();
        online.verified_by_openssl("key.pub");
        let annotations = document["annotations"].as_object().unwrap();
        assert_eq!(annotations.len(), 2, "{annotations:?}");
        let promise: Value = serde_json::from_str(annotations["dev.sigstore.cosign/bundle"].as_str().unwrap()).unwrap();
        let members: Vec<&String> = promise["Payload"].as_object().unwrap().keys().collect();
        assert_eq!(members, ["body", "integratedTime", "logIndex", "logID"]);
        online.judge(BY_LOGGED_KEY).success();

        // Another log's key is no proof.
        fs::copy(online.scratch.path("key.pub"), online.scratch.path("log.pub")).unwrap();
        online
            .judge(BY_LOGGED_KEY)
            .fails_with(&["verification of Rekor SET failed"]);

        let requests = online.services.requests();
        let lines: Vec<&str> = requests.iter().map(|request| request.line.as_str()).collect();
        assert_eq!(lines.len(), 1 + usize::from(conflicting), "{lines:?}");
        assert_eq!(lines[0], LOG);
        let proposal: Value = serde_json::from_slice(&requests[0].body).unwrap();
        let key = fs::read(online.scratch.path("key.pub")).unwrap();
        assert_eq!(
            proposal["spec"]["signature"]["publicKey"]["content"],
            STANDARD.encode(key)
        );
    }
}

#[test]
fn a_log_that_keeps_nothing_leaves_no_image() {
    let online = Online::new();
    let large = vec![b' '; (1 << 20) + 1];
    for (answer, expected) in [
        (
            Spoken::answer(500, "no\nroom"),
            r#"the server answered 500: "no\\nroom""#,
        ),
        (Spoken::answer(400, ""), "the server answered 400"),
        (Spoken::answer(201, "{}"), "expected 1 Rekor entry, got 0"),
        (Spoken::answer(201, "<html>"), "invalid Rekor entry: "),
        (Spoken::answer(201, large), "the answer has more than"),
        (Spoken::answer(409, "there"), r#"the server answered 409: "there""#),
        (
            Spoken::answer(409, "").header("location", "/api/v1/log/entries/../../secrets?x"),
            "the server answered 409",
        ),
        (
            Spoken::answer(409, "").header("location", "https://elsewhere.test/api/v1/log/entries/abc123"),
            "/api/v1/log/entries/abc123: the server answered 404",
        ),
        (
            Spoken::answer(302, "").header("location", "http://127.0.0.1:9/"),
            "the server answered 302",
        ),
    ] {
        online.services.bend(LOG, answer);
        let finished = online.with_key();
        finished.fails_with(&["Error uploading a log entry: ", expected]);
        assert!(!online.scratch.path("to/manifest.json").exists(), "{expected}");
    }
}
