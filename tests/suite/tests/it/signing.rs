//! Signatures made by GnuPG for us, and judged by skopeo.

use std::fs;

use longshore_tests::{DockerRegistry, ImageSpec, Layer, MadeImage, Scratch, Tool};

const PLAIN_HTTP: [&str; 2] = ["--src-tls-verify=false", "--dest-tls-verify=false"];

/// A folder with an image in `made`, and a GnuPG home that has a key without and one with a passphrase.
struct Signed {
    scratch: Scratch,
    made: MadeImage,
}

const PASSPHRASE: &str = "open-sesame-4711";

impl Signed {
    fn new() -> Self {
        let scratch = Scratch::new().unwrap();
        let made = ImageSpec::new([Layer::new(1, 1000)])
            .and_platform("linux", "s390x")
            .make()
            .unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        fs::create_dir(scratch.path("gnupg")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(scratch.path("gnupg"), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let signed = Self { scratch, made };
        for (user, passphrase) in [("plain@example.com", ""), ("locked@example.com", PASSPHRASE)] {
            let gpg = signed
                .gpg()
                .args(["--pinentry-mode", "loopback", "--passphrase", passphrase]);
            gpg.args(["--quick-gen-key", user, "ed25519", "sign"]).run().success();
        }
        fs::write(signed.scratch.path("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        signed
    }

    fn at_home(&self, tool: Tool) -> Tool {
        tool.env("GNUPGHOME", self.scratch.path("gnupg"))
    }

    fn gpg(&self) -> Tool {
        self.at_home(self.scratch.peer("gpg")).args(["--batch", "--quiet"])
    }

    fn longshore(&self) -> Tool {
        self.at_home(self.scratch.longshore())
    }

    fn fingerprint(&self, user: &str) -> String {
        let listed = self
            .gpg()
            .args(["--with-colons", "--list-keys", user])
            .run()
            .success()
            .stdout();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.trim_end_matches(':').rsplit(':').next().unwrap().to_owned()
    }

    /// Has skopeo copy an image under a policy that demands a signature by this key.
    fn skopeo_accepts(&self, user: &str, all: bool, image: &str) -> longshore_tests::Finished {
        let key = self.gpg().args(["--export", user]).run().success();
        fs::write(self.scratch.path("key.gpg"), key.stdout_bytes()).unwrap();
        let policy = serde_json::json!({"default": [{
            "type": "signedBy", "keyType": "GPGKeys", "keyPath": self.scratch.path("key.gpg"),
        }]});
        fs::write(self.scratch.path("policy.json"), policy.to_string()).unwrap();
        let _ = fs::remove_dir_all(self.scratch.path("judged"));
        let tool = self
            .scratch
            .peer("skopeo")
            .arg("--policy")
            .arg(self.scratch.path("policy.json"));
        let tool = tool.arg("copy").args(all.then_some("--all")).args(PLAIN_HTTP);
        tool.args([image, &self.scratch.name("dir", "judged")]).run()
    }
}

#[test]
fn skopeo_accepts_what_we_sign() {
    let signed = Signed::new();
    let registry = DockerRegistry::start().unwrap();
    let name = registry.name("some/name:v1");
    let copy = |user: &str, options: &[&str], to: &str| {
        let tool = signed.longshore().arg("copy").args(PLAIN_HTTP);
        let tool = tool.args(["--sign-by", &signed.fingerprint(user)]).args(options);
        tool.args([&signed.scratch.name("dir", "made"), to]).run()
    };
    let passphrase = signed.scratch.path("passphrase").display().to_string();
    signed
        .skopeo_accepts("plain@example.com", false, "docker://127.0.0.1:9/x")
        .with_status(1);

    let finished = copy("plain@example.com", &[], &name).success();
    finished.prints("Creating signature: Signing image using simple signing");
    signed.skopeo_accepts("plain@example.com", false, &name).success();
    signed.skopeo_accepts("locked@example.com", false, &name).with_status(1);

    // A second signature stands beside the first one; the image is there, and is signed nevertheless.
    let again = signed.longshore().arg("copy").args(PLAIN_HTTP);
    let again = again.args(["--sign-by", &signed.fingerprint("locked@example.com")]);
    let again = again.args(["--sign-passphrase-file", &passphrase, "--debug"]);
    let again = again.args([&name, &registry.name("some/other:v1")]).run().success();
    assert!(!again.stderr().contains(PASSPHRASE), "{}", again.story());
    signed
        .skopeo_accepts("locked@example.com", false, &registry.name("some/other:v1"))
        .success();
    signed
        .skopeo_accepts("plain@example.com", false, &registry.name("some/other:v1"))
        .with_status(1);

    // A list: each image and the list itself.
    copy("plain@example.com", &["--all"], &registry.name("some/list:v1")).success();
    signed
        .skopeo_accepts("plain@example.com", true, &registry.name("some/list:v1"))
        .success();
    let lookaside = fs::read_dir(signed.scratch.path("lookaside/some")).unwrap();
    let lists = lookaside.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("list@")
    });
    assert_eq!(lists.count(), 3);
}

#[test]
fn an_image_gets_another_name_on_demand() {
    let signed = Signed::new();
    let copy = |options: &[&str]| {
        let tool = signed
            .longshore()
            .arg("copy")
            .args(["--sign-by", "plain@example.com"])
            .args(options);
        tool.args([signed.scratch.name("dir", "made"), signed.scratch.name("dir", "to")])
            .run()
    };
    copy(&[]).fails_with(&["Can not sign: Cannot determine canonical Docker reference for destination dir:"]);
    assert!(!signed.scratch.path("to").exists());
    copy(&["--sign-identity", "h.test/x"]).fails_with(&["Sign identity must be a fully specified reference"]);
    copy(&["--sign-identity", "h.test/x:1"]).success();
    let digest = longshore_tests::sha256(&fs::read(signed.scratch.path("to/manifest.json")).unwrap());
    let verify = signed.at_home(signed.scratch.peer("skopeo")).arg("standalone-verify");
    let verify = verify.arg(signed.scratch.path("to/manifest.json")).arg("h.test/x:1");
    let verify = verify
        .arg(signed.fingerprint("plain@example.com"))
        .arg(signed.scratch.path("to/signature-1"));
    verify.run().success().prints(&digest);
}

#[test]
fn signing_that_fails_leaves_nothing() {
    let signed = Signed::new();
    let layout = signed.scratch.name("oci", "layout:x");
    let cases = [
        ("nobody@example.com", "dir:to", "nobody@example.com"),
        ("--output=x", "dir:to", "is no name of a key"),
        ("plain@example.com", layout.as_str(), "Can not sign: oci:"),
    ];
    for (key, to, expected) in cases {
        let tool = signed
            .longshore()
            .args(["copy", "--sign-identity", "h.test/x:1", "--sign-by", key]);
        let finished = tool.args([&signed.scratch.name("dir", "made"), to]).run();
        finished.with_status(1).says(&[expected]);
        assert!(!signed.scratch.path("to").exists() && !signed.scratch.path("layout/index.json").exists());
    }
}

#[test]
fn files_are_signed_for_skopeo() {
    let signed = Signed::new();
    let manifest = signed.scratch.path("made/manifest.json");
    let signature = signed.scratch.path("signature");
    let sign = |words: &[&str]| {
        signed
            .longshore()
            .arg("standalone-sign")
            .arg(&manifest)
            .args(words)
            .run()
    };
    let output = signature.display().to_string();
    let passphrase = signed.scratch.path("passphrase").display().to_string();
    for (user, options) in [
        ("plain@example.com", &["-o", &output][..]),
        (
            "locked@example.com",
            &["--output", &output, "--passphrase-file", &passphrase],
        ),
    ] {
        let finished = sign(&[&["h.test/a:1", user], options].concat()).success();
        assert_eq!(finished.stdout(), "");
        let fingerprint = signed.fingerprint(user);
        let verify = signed
            .at_home(signed.scratch.peer("skopeo"))
            .arg("standalone-verify")
            .arg(&manifest);
        let verify = verify
            .args(["h.test/a:1", &fingerprint])
            .arg(&signature)
            .run()
            .success();
        verify.prints(&signed.made.top.digest);
    }
    sign(&["h.test/a:1", "plain@example.com"]).fails_with(&["Usage: longshore standalone-sign manifest"]);
    sign(&["h.test/A:1", "plain@example.com", "-o", &output]).fails_with(&["docker reference h.test/A:1"]);
    let nowhere = signed.scratch.path("none/signature").display().to_string();
    sign(&["h.test/a:1", "plain@example.com", "-o", &nowhere]).fails_with(&["Error writing signature to", &nowhere]);
}

#[test]
fn files_are_verified_as_skopeo_does() {
    let signed = Signed::new();
    let manifest = signed.scratch.path("made/manifest.json");
    let signature = signed.scratch.path("signature");
    let plain = signed.fingerprint("plain@example.com");
    let locked = signed.fingerprint("locked@example.com");
    let sign = signed
        .at_home(signed.scratch.peer("skopeo"))
        .arg("standalone-sign")
        .arg(&manifest);
    sign.args(["h.test/a:1", &plain, "-o"]).arg(&signature).run().success();
    let keys = signed.gpg().args(["--export", "--armor"]).run().success();
    fs::write(signed.scratch.path("keys.asc"), keys.stdout_bytes()).unwrap();
    let keys = signed.scratch.path("keys.asc").display().to_string();
    let verify = |name: &str, fingerprints: &str, options: &[&str]| {
        let tool = signed.longshore().arg("standalone-verify").args(options);
        tool.arg(&manifest).args([name, fingerprints]).arg(&signature).run()
    };
    let both = format!("{locked},{plain}");
    let said = format!(
        "Signature verified using fingerprint {plain}, digest {}\n",
        signed.made.top.digest
    );
    for (fingerprints, options) in [
        (plain.as_str(), &[][..]),
        (&both, &[]),
        (&both, &["--public-key-file", &keys]),
        ("any", &["--public-key-file", &keys]),
    ] {
        assert_eq!(
            verify("h.test/a:1", fingerprints, options).success().stdout(),
            said,
            "{fingerprints}"
        );
    }
    let stranger = "0123456789012345678901234567890123456789";
    for (name, fingerprints, expected) in [
        ("h.test/a:1", locked.as_str(), "Error verifying signature: "),
        ("h.test/a:2", &plain, "Error verifying signature: "),
        ("h.test/a:1", stranger, "it has no public key"),
        (
            "h.test/a:1",
            "any",
            "Cannot use any fingerprint without a public key file",
        ),
        ("h.test/A:1", &plain, "docker reference h.test/A:1"),
    ] {
        verify(name, fingerprints, &[]).with_status(1).says(&[expected]);
    }
    let mut altered = fs::read(&signature).unwrap();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    fs::write(&signature, altered).unwrap();
    verify("h.test/a:1", &plain, &[])
        .with_status(1)
        .says(&["Error verifying signature: "]);
}
