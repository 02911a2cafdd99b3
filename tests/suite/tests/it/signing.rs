//! Signatures made by GnuPG for us, and judged by skopeo.

use std::fs;
use std::path::PathBuf;

use longshore_tests::{DockerRegistry, Finished, Gpg, ImageSpec, Layer, MadeImage, Scratch, Tool};

const PLAIN_HTTP: [&str; 2] = ["--src-tls-verify=false", "--dest-tls-verify=false"];

/// An image in the folder `made`, and GnuPG with a key without and one with a passphrase.
struct Signed<'a> {
    scratch: &'a Scratch,
    made: MadeImage,
    gpg: Gpg<'a>,
    plain: String,
    locked: String,
}

const PASSPHRASE: &str = "open-sesame-4711";

impl<'a> Signed<'a> {
    fn new(scratch: &'a Scratch) -> Self {
        let made = ImageSpec::new([Layer::new(1, 1000)])
            .and_platform("linux", "s390x")
            .make()
            .unwrap();
        made.write_dir(&scratch.path("made")).unwrap();
        fs::write(scratch.path("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        let gpg = Gpg::new(scratch).unwrap();
        let plain = gpg.make_key(&[], "plain@example.com", "ed25519", "sign", "never");
        let passphrase = ["--passphrase", PASSPHRASE];
        let locked = gpg.make_key(&passphrase, "locked@example.com", "ed25519", "sign", "never");
        Self {
            scratch,
            made,
            gpg,
            plain,
            locked,
        }
    }

    fn at_home(&self, tool: Tool) -> Tool {
        tool.env("GNUPGHOME", self.scratch.path("gnupg"))
    }

    fn longshore(&self) -> Tool {
        self.at_home(self.scratch.longshore())
    }

    fn skopeo(&self) -> Tool {
        self.gpg.peer("skopeo")
    }

    /// Writes a policy that demands a signature by this key.
    fn policy(&self, key: &str) -> PathBuf {
        fs::write(self.scratch.path("key.gpg"), self.gpg.export(&[key])).unwrap();
        let policy = serde_json::json!({"default": [{
            "type": "signedBy", "keyType": "GPGKeys", "keyPath": self.scratch.path("key.gpg"),
        }]});
        let path = self.scratch.path("policy.json");
        fs::write(&path, policy.to_string()).unwrap();
        path
    }

    /// Has a program copy an image under that policy.
    fn judged_by(&self, judge: Tool, key: &str, all: bool, image: &str) -> Finished {
        let _ = fs::remove_dir_all(self.scratch.path("judged"));
        let tool = judge.arg("--policy").arg(self.policy(key)).arg("copy");
        let tool = tool.args(all.then_some("--all")).args(PLAIN_HTTP);
        tool.args([image, &self.scratch.name("dir", "judged")]).run()
    }

    /// Has skopeo do so, and us: both must agree.
    fn is_accepted(&self, key: &str, all: bool, image: &str) -> bool {
        let theirs = self.judged_by(self.skopeo(), key, all, image);
        let ours = self.judged_by(self.longshore(), key, all, image);
        assert_eq!(theirs.status(), ours.status(), "{}\n{}", theirs.story(), ours.story());
        if ours.status() != Some(0) {
            ours.fails_with(&["Source image rejected: "]);
            return false;
        }
        true
    }
}

#[test]
fn skopeo_accepts_what_we_sign() {
    let scratch = Scratch::new().unwrap();
    let signed = Signed::new(&scratch);
    let registry = DockerRegistry::start().unwrap();
    let name = registry.name("some/name:v1");
    let copy = |user: &str, options: &[&str], to: &str| {
        let tool = signed.longshore().arg("copy").args(PLAIN_HTTP);
        let tool = tool.args(["--sign-by", user]).args(options);
        tool.args([&signed.scratch.name("dir", "made"), to]).run()
    };
    let passphrase = signed.scratch.path("passphrase").display().to_string();
    let finished = copy(&signed.plain, &[], &name).success();
    finished.prints("Creating signature: Signing image using simple signing");
    assert!(signed.is_accepted(&signed.plain, false, &name));
    assert!(!signed.is_accepted(&signed.locked, false, &name));

    // A second signature stands beside the first one; the image is there, and is signed nevertheless.
    let again = signed.longshore().arg("copy").args(PLAIN_HTTP);
    let again = again.args(["--sign-by", &signed.locked]);
    let again = again.args(["--sign-passphrase-file", &passphrase, "--debug"]);
    let again = again.args([&name, &registry.name("some/other:v1")]).run().success();
    assert!(!again.stderr().contains(PASSPHRASE), "{}", again.story());
    assert!(signed.is_accepted(&signed.locked, false, &registry.name("some/other:v1")));
    assert!(!signed.is_accepted(&signed.plain, false, &registry.name("some/other:v1")));

    // A list: each image and the list itself.
    copy(&signed.plain, &["--all"], &registry.name("some/list:v1")).success();
    assert!(signed.is_accepted(&signed.plain, true, &registry.name("some/list:v1")));
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
fn what_skopeo_signs_is_accepted() {
    let scratch = Scratch::new().unwrap();
    let signed = Signed::new(&scratch);
    let registry = DockerRegistry::start().unwrap();
    let name = registry.name("some/name:v1");
    let copy = signed
        .skopeo()
        .args(["copy", "--all", "--sign-by", &signed.plain])
        .args(PLAIN_HTTP);
    copy.args([&scratch.name("dir", "made"), &name]).run().success();
    for all in [false, true] {
        assert!(signed.is_accepted(&signed.plain, all, &name));
        assert!(!signed.is_accepted(&signed.locked, all, &name));
    }
    // The same images under a name that nobody signed.
    let copy = scratch.longshore().args(["copy", "--all"]).args(PLAIN_HTTP);
    copy.args([&name, &registry.name("some/other:v1")]).run().success();
    assert!(!signed.is_accepted(&signed.plain, false, &registry.name("some/other:v1")));
}

#[test]
fn an_image_gets_another_name_on_demand() {
    let scratch = Scratch::new().unwrap();
    let signed = Signed::new(&scratch);
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
    let verify = signed.skopeo().arg("standalone-verify");
    let verify = verify.arg(signed.scratch.path("to/manifest.json")).arg("h.test/x:1");
    let verify = verify.arg(&signed.plain).arg(signed.scratch.path("to/signature-1"));
    verify.run().success().prints(&digest);
}

#[test]
fn signing_that_fails_leaves_nothing() {
    let scratch = Scratch::new().unwrap();
    let signed = Signed::new(&scratch);
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
    let scratch = Scratch::new().unwrap();
    let signed = Signed::new(&scratch);
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
    for (key, options) in [
        (&signed.plain, &["-o", &output][..]),
        (&signed.locked, &["--output", &output, "--passphrase-file", &passphrase]),
    ] {
        let finished = sign(&[&["h.test/a:1", key], options].concat()).success();
        assert_eq!(finished.stdout(), "");
        let verify = signed.skopeo().arg("standalone-verify").arg(&manifest);
        let verify = verify.args(["h.test/a:1", key]).arg(&signature).run().success();
        verify.prints(&signed.made.top.digest);
    }
    sign(&["h.test/a:1", "plain@example.com"]).fails_with(&["Usage: longshore standalone-sign manifest"]);
    sign(&["h.test/A:1", "plain@example.com", "-o", &output]).fails_with(&["docker reference h.test/A:1"]);
    let nowhere = signed.scratch.path("none/signature").display().to_string();
    sign(&["h.test/a:1", "plain@example.com", "-o", &nowhere]).fails_with(&["Error writing signature to", &nowhere]);
}

#[test]
fn files_are_verified_as_skopeo_does() {
    let scratch = Scratch::new().unwrap();
    let signed = Signed::new(&scratch);
    let manifest = signed.scratch.path("made/manifest.json");
    let signature = signed.scratch.path("signature");
    let plain = signed.plain.clone();
    let locked = signed.locked.clone();
    let sign = signed.skopeo().arg("standalone-sign").arg(&manifest);
    sign.args(["h.test/a:1", &plain, "-o"]).arg(&signature).run().success();
    let keys = signed.gpg.run(&["--export", "--armor"]);
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
        // Good enough for GnuPG, and not for saying whose signature it is.
        (
            "h.test/a:1",
            "plain@example.com",
            "is not the fingerprint of a primary key",
        ),
        ("h.test/a:1", "example", "is not the fingerprint of a primary key"),
        ("h.test/a:1", &plain[24..], "is not the fingerprint of a primary key"),
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
