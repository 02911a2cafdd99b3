//! Sigstore signatures that we make: judged by OpenSSL, carried on by skopeo.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_tests::{
    DockerRegistry, Finished, ImageSpec, Layer, MadeImage, Scratch, Terminal, TestRegistry, Tool, sha256,
};
use serde_json::{Value, json};

const PLAIN_HTTP: [&str; 2] = ["--src-tls-verify=false", "--dest-tls-verify=false"];
const PASSPHRASE: &str = "open-sesame-4711";

/// A folder `made` with a list of two images, and keys `key.private` and `key.pub`.
struct Signed {
    scratch: Scratch,
    made: MadeImage,
}

impl Signed {
    fn new() -> Self {
        let scratch = Scratch::new().unwrap();
        let made = ImageSpec::new([Layer::new(1, 1000)]);
        let made = made.and_platform("linux", "s390x").make().unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        fs::write(scratch.path("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        let signed = Self { scratch, made };
        signed.generate("key", &["--passphrase-file", "passphrase"]).success();
        signed
    }

    fn generate(&self, prefix: &str, options: &[&str]) -> Finished {
        let tool = self.scratch.longshore().arg("generate-sigstore-key");
        tool.args(["--output-prefix", prefix]).args(options).run()
    }

    /// `copy` from `made`, signed with the key.
    fn sign(&self, options: &[&str], to: &str) -> Finished {
        let key = ["--sign-by-sigstore-private-key", "key.private"];
        let tool = self.copy(&key).args(["--sign-passphrase-file", "passphrase"]);
        tool.args(options).args([&self.scratch.name("dir", "made"), to]).run()
    }

    fn copy(&self, options: &[&str]) -> Tool {
        self.scratch.longshore().arg("copy").args(PLAIN_HTTP).args(options)
    }

    /// Has OpenSSL verify a stored signature with a public key; gives the payload.
    fn verified(&self, stored: &Path, public: &str) -> Value {
        let stored = fs::read(stored).unwrap();
        let document = stored.strip_prefix(b"\0sigstore-json\n").unwrap();
        let document: Value = serde_json::from_slice(document).unwrap();
        assert_eq!(document["mimeType"], "application/vnd.dev.cosign.simplesigning.v1+json");
        let decode = |text: &Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
        let annotations = document["annotations"].as_object().unwrap();
        assert_eq!(annotations.len(), 1);
        let payload = decode(&document["payload"]);
        fs::write(self.scratch.path("payload"), &payload).unwrap();
        let signature = decode(&annotations["dev.cosignproject.cosign/signature"]);
        fs::write(self.scratch.path("payload.sig"), signature).unwrap();
        self.openssl(public).success().prints("Verified OK");
        serde_json::from_slice(&payload).unwrap()
    }

    fn openssl(&self, public: &str) -> Finished {
        let openssl = self.scratch.peer("openssl").args(["dgst", "-sha256"]);
        openssl
            .args(["-verify", public, "-signature", "payload.sig", "payload"])
            .run()
    }

    /// A home that wants attachments in the registry at this address.
    fn attach(&self, address: &str) {
        let file = self
            .scratch
            .path("home/.config/containers/registries.d/attachments.yaml");
        fs::write(
            file,
            format!("docker:\n  {address}:\n    use-sigstore-attachments: true\n"),
        )
        .unwrap();
    }
}

fn critical(reference: &str, digest: &str) -> Value {
    json!({
        "identity": {"docker-reference": reference},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    })
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn keys_are_made_once() {
    let signed = Signed::new();
    let path = |name: &str| signed.scratch.path(name);
    let read = || ["key.private", "key.pub"].map(|name| fs::read_to_string(path(name)).unwrap());
    let [private, public] = read();
    assert_eq!((mode(&path("key.private")), mode(&path("key.pub"))), (0o600, 0o644));
    assert!(
        private.starts_with("-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\n"),
        "{private}"
    );
    let openssl = signed
        .scratch
        .peer("openssl")
        .args(["pkey", "-pubin", "-in", "key.pub", "-text", "-noout"]);
    openssl.run().success().prints("prime256v1");

    let existing = signed.generate("key", &["--passphrase-file", "passphrase"]);
    existing.fails_with(&["Refusing to overwrite existing", "key.pub"]);
    assert_eq!(read(), [private, public]);
    fs::write(path("other.private"), "mine").unwrap();
    let existing = signed.generate("other", &["--passphrase-file", "passphrase"]);
    existing.fails_with(&["Refusing to overwrite existing", "other.private"]);
    assert!(!path("other.pub").exists());

    let said = signed.generate("more", &["--passphrase-file", "passphrase"]).success();
    assert_eq!(said.stdout(), "Key written to \"more.private\" and \"more.pub\"\n");
    for (prefix, options, expected) in [
        (
            "",
            &[][..],
            "Usage: longshore generate-sigstore-key --output-prefix PREFIX",
        ),
        (
            "new",
            &["word"],
            "Usage: longshore generate-sigstore-key --output-prefix PREFIX",
        ),
        (
            "new",
            &[],
            "Cannot prompt for a passphrase for key new.private, standard input is not a TTY",
        ),
        (
            "new",
            &["--passphrase-file", "absent"],
            "reading a passphrase from absent: ",
        ),
        (
            "none/new",
            &["--passphrase-file", "passphrase"],
            "Error writing private key to \"none/new.private\"",
        ),
    ] {
        signed.generate(prefix, options).fails_with(&[expected]);
        assert!(
            !path("new.private").exists() && !path("new.pub").exists(),
            "{options:?}"
        );
    }
}

#[test]
fn a_passphrase_is_asked_for_and_not_shown() {
    let signed = Signed::new();
    let path = |name: &str| signed.scratch.path(name).display().to_string();
    let answered = |tool: Tool, keys: &[&str], end: &str| {
        let terminal = Terminal::start(&signed.scratch, tool, 80, 24).unwrap();
        terminal.wait_for("Passphrase for key ");
        terminal.press(keys);
        let screen = terminal.wait_for(end);
        assert!(!screen.contains(PASSPHRASE), "{screen}");
        terminal.wait_for("modes opost isig icanon echo");
        screen
    };
    let make = signed.scratch.longshore().arg("generate-sigstore-key");
    let make = make.args(["--output-prefix", &path("typed")]);
    let screen = answered(make, &[PASSPHRASE, "Enter"], "ended with 0");
    assert!(screen.contains("Key written to"), "{screen}");

    let copy = |to: &str| {
        let tool = signed.copy(&["--sign-identity", "h.test/a:1"]);
        let tool = tool.args(["--sign-by-sigstore-private-key", &path("typed.private")]);
        tool.args([signed.scratch.name("dir", "made"), signed.scratch.name("dir", to)])
    };
    answered(copy("to"), &[PASSPHRASE, "Enter"], "ended with 0");
    signed.verified(&signed.scratch.path("to/signature-1"), "typed.pub");
    answered(copy("never"), &["wrong", "Enter"], "ended with 1");
    // Who leaves instead gets the terminal back as it was.
    answered(copy("never"), &["C-c"], "ended with 130");
    assert!(!signed.scratch.path("never").exists());
}

#[test]
fn openssl_verifies_what_we_sign() {
    let signed = Signed::new();
    let to = signed.scratch.name("dir", "to");
    let finished = signed
        .sign(&["--sign-identity", "h.test/a:1", "--debug"], &to)
        .success();
    assert!(!finished.story().contains(PASSPHRASE), "{}", finished.story());
    let finished = finished.prints("Creating signature: Signing image using a sigstore signature");
    drop(finished.prints("Storing signatures"));
    let digest = sha256(&fs::read(signed.scratch.path("to/manifest.json")).unwrap());
    let payload = signed.verified(&signed.scratch.path("to/signature-1"), "key.pub");
    assert_eq!(payload["critical"], critical("h.test/a:1", &digest));
    assert!(
        payload["optional"]["creator"]
            .as_str()
            .unwrap()
            .starts_with("longshore ")
    );

    // The checker checks.
    fs::write(signed.scratch.path("payload"), "another").unwrap();
    assert!(!signed.openssl("key.pub").stdout().contains("Verified OK"));
    signed.generate("other", &["--passphrase-file", "passphrase"]).success();
    signed.verified(&signed.scratch.path("to/signature-1"), "key.pub");
    assert!(!signed.openssl("other.pub").stdout().contains("Verified OK"));
}

#[test]
fn lists_are_signed_with_each_of_their_images() {
    let signed = Signed::new();
    let to = signed.scratch.name("dir", "to");
    signed.sign(&["--all", "--sign-identity", "h.test/a:1"], &to).success();
    let instances = signed.made.instances.iter().map(|instance| instance.digest.clone());
    for digest in instances.chain([signed.made.top.digest.clone()]) {
        let prefix = if digest == signed.made.top.digest {
            String::new()
        } else {
            format!("{}.", digest.trim_start_matches("sha256:"))
        };
        let payload = signed.verified(&signed.scratch.path(format!("to/{prefix}signature-1")), "key.pub");
        assert_eq!(payload["critical"], critical("h.test/a:1", &digest));
    }
}

#[test]
fn what_we_sign_in_a_registry_is_carried_on_by_skopeo() {
    let signed = Signed::new();
    let registry = DockerRegistry::start().unwrap();
    signed.attach(registry.address());
    let name = registry.name("some/name:v1");
    signed.sign(&[], &name).success();
    // Again: the digest is the same, the time of the signature is another one or not.
    signed
        .generate("second", &["--passphrase-file", "passphrase"])
        .success();
    let again = signed.copy(&["--sign-by-sigstore-private-key", "second.private"]);
    let again = again.args(["--sign-passphrase-file", "passphrase"]);
    again.args(["dir:made", &name]).run().success();

    let skopeo = signed.scratch.peer("skopeo").arg("copy").args(PLAIN_HTTP);
    skopeo.args([&name, "dir:theirs"]).run().success();
    let digest = sha256(&fs::read(signed.scratch.path("theirs/manifest.json")).unwrap());
    let reference = name.trim_start_matches("docker://");
    for (number, public) in [(1, "key.pub"), (2, "second.pub")] {
        let signature = signed.scratch.path(format!("theirs/signature-{number}"));
        assert_eq!(
            signed.verified(&signature, public)["critical"],
            critical(reference, &digest)
        );
    }
    assert!(!signed.scratch.path("theirs/signature-3").exists());
}

#[test]
fn a_file_of_parameters_may_name_the_key() {
    let signed = Signed::new();
    let copy = |parameters: &str, to: &str| {
        fs::write(signed.scratch.path("parameters"), parameters).unwrap();
        let tool = signed.copy(&["--sign-by-sigstore", "parameters", "--sign-identity", "h.test/a:1"]);
        tool.args(["dir:made", to]).run()
    };
    let good = "privateKeyFile: key.private\nprivateKeyPassphraseFile: passphrase\n";
    copy(good, "dir:to").success();
    signed.verified(&signed.scratch.path("to/signature-1"), "key.pub");
    for (parameters, expected) in [
        (
            format!("{good}rekorURL: file:///h.test\n"),
            "rekorURL: \"file:///h.test\" is no address of a service",
        ),
        (
            "fulcio: {oidcMode: deviceGrant}\n".to_owned(),
            "fulcio is not supported",
        ),
        (format!("{good}unknown: 1\n"), "parsing parameter file parameters: "),
        (good.replace("key.private", "absent"), "reading private key absent: "),
    ] {
        let finished = copy(&parameters, "dir:never");
        finished.fails_with(&["Error using --sign-by-sigstore: ", expected]);
        assert!(!signed.scratch.path("never").exists());
    }
}

#[test]
fn signing_that_fails_leaves_nothing() {
    let signed = Signed::new();
    fs::write(signed.scratch.path("wrong"), "wrong-4712\n").unwrap();
    fs::write(
        signed.scratch.path("plain"),
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    let identity = ["--sign-identity", "h.test/a:1"];
    let run = |key: &str, passphrase: &str, more: &[&str], to: &str| {
        let tool = signed.copy(&[
            "--sign-by-sigstore-private-key",
            key,
            "--sign-passphrase-file",
            passphrase,
        ]);
        tool.args(more).args(["--debug", "dir:made", to]).run()
    };
    for (key, passphrase, more, to, expected) in [
        (
            "key.private",
            "wrong",
            &identity[..],
            "dir:never",
            "initializing private key key.private: the passphrase is wrong",
        ),
        (
            "key.private",
            "absent",
            &identity,
            "dir:never",
            "reading a passphrase from absent: ",
        ),
        (
            "absent",
            "passphrase",
            &identity,
            "dir:never",
            "reading private key absent: ",
        ),
        ("key.pub", "passphrase", &identity, "dir:never", "but \"PUBLIC KEY\""),
        ("plain", "passphrase", &identity, "dir:never", "but \"PRIVATE KEY\""),
        (
            "key.private",
            "passphrase",
            &[],
            "dir:never",
            "Can not sign: Cannot determine canonical Docker reference",
        ),
        (
            "key.private",
            "passphrase",
            &identity,
            "oci:never:x",
            "Can not sign: oci:",
        ),
        (
            "key.private",
            "passphrase",
            &[&identity[..], &["--sign-by", "me@example.com"]].concat(),
            "dir:never",
            "Only one of --sign-by and sign-by-sigstore-private-key can be used with sign-passphrase-file",
        ),
    ] {
        let finished = run(key, passphrase, more, to);
        for secret in [PASSPHRASE, "wrong-4712", "c2VjcmV0"] {
            assert!(!finished.story().contains(secret), "{}", finished.story());
        }
        finished.with_status(1).says(&[expected]);
        assert!(!signed.scratch.path("never/index.json").exists() && !signed.scratch.path("never/version").exists());
    }
    let tool = signed.copy(&["--sign-by-sigstore-private-key", "key.private"]);
    let finished = tool.args(["dir:made", "dir:never"]).run();
    finished.fails_with(&["Cannot prompt for a passphrase for key key.private, standard input is not a TTY"]);

    // Known before anything is sent.
    let registry = TestRegistry::start().unwrap();
    let finished = signed.sign(&[], &registry.name("app:v1"));
    finished.fails_with(&[
        "Can not sign: docker://",
        "writing sigstore attachments is disabled by configuration",
    ]);
    assert!(registry.requests_to("POST", "").is_empty() && registry.requests_to("PUT", "").is_empty());
}
