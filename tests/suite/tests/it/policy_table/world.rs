//! The images, keys and signatures of the table.

use std::fs;

use longshore_tests::{Gpg, ImageSpec, Layer, Scratch, TestRegistry, sha256};

/// What skopeo's `--faked-system-time` of gpg is for keys and signatures of the past.
const PAST: [&str; 2] = ["--faked-system-time", "20200101T000000"];

/// One image in many repositories, each with other signatures, and keys in files of the scratch folder.
pub(super) struct World<'a> {
    pub(super) scratch: &'a Scratch,
    pub(super) registry: TestRegistry,
    /// Digest of the image's manifest.
    pub(super) digest: String,
    /// The good key in binary form.
    pub(super) key: Vec<u8>,
    pub(super) states: Vec<&'static str>,
}

/// The names that signatures of the identity table bear, in terms of the repository.
pub(super) const SIGNED_NAMES: [&str; 6] = [
    "same",
    "other-tag",
    "other-repository",
    "name-only",
    "digest",
    "elsewhere",
];

/// Repositories with stored signatures of odd forms, before a good one or around it.
pub(super) const FRAMED: [&str; 8] = [
    "named",
    "empty",
    "only-zero",
    "no-newline",
    "unknown-format",
    "no-ascii",
    "text",
    "named-twice",
];

impl<'a> World<'a> {
    pub(super) fn new(scratch: &'a Scratch) -> Self {
        let made = ImageSpec::new([Layer::new(1, 100)]).make().unwrap();
        let registry = TestRegistry::start().unwrap();
        for transport in ["dir", "oci"] {
            fs::create_dir_all(scratch.path(format!("images/{transport}"))).unwrap();
        }
        made.write_dir(&scratch.path("images/dir/image")).unwrap();
        made.write_layout(&scratch.path("images/oci/image"), "x").unwrap();
        let archive = scratch.name("docker-archive", "images/image.tar");
        let copy = ["copy", &scratch.name("dir", "images/dir/image"), &archive];
        let _ = scratch.peer("skopeo").args(copy).run().success();
        let mut world = Self {
            scratch,
            registry,
            digest: made.top.digest.clone(),
            key: Vec::new(),
            states: Vec::new(),
        };
        made.put_into(&world.registry, "team/scope", "v1");
        for (state, signatures) in world.sign() {
            made.put_into(&world.registry, &format!("team/{state}"), "v1");
            let folder = format!("lookaside/team/{state}@{}", world.digest.replace(':', "="));
            let folder = scratch.path(folder);
            fs::create_dir_all(&folder).unwrap();
            for (index, signature) in signatures.iter().enumerate() {
                fs::write(folder.join(format!("signature-{}", index + 1)), signature).unwrap();
            }
            if !SIGNED_NAMES.contains(&state) && !FRAMED.contains(&state) {
                world.states.push(state);
            }
        }
        world
    }

    /// The name of a repository, with its registry.
    pub(super) fn repository(&self, state: &str) -> String {
        format!("{}/team/{state}", self.registry.address())
    }

    /// A file of the scratch folder.
    pub(super) fn file(&self, name: &str) -> String {
        self.scratch.path(name).display().to_string()
    }

    fn payload(&self, name: &str, digest: &str) -> String {
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"{name}"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"atomic container signature"}},"optional":{{}}}}"#
        )
    }

    /// Makes the keys and, for each repository, its signatures.
    fn sign(&mut self) -> Vec<(&'static str, Vec<Vec<u8>>)> {
        let gpg = Gpg::new(self.scratch).unwrap();
        let make = |options: &[&str], user, expiry| gpg.make_key(options, user, "ed25519", "cert,sign", expiry);
        let good = make(&[], "good", "never");
        let other = make(&[], "other", "never");
        let expired = make(&PAST, "expired", "1y");
        let lasting = make(&PAST, "lasting", "never");
        let revoked = make(&[], "revoked", "never");
        let sign = |key: &str, payload: &str, options: &[&str]| {
            gpg.process(payload.as_bytes(), &[&["--local-user", key], options].concat())
                .unwrap()
        };
        let usual = |state: &str| self.payload(&format!("{}:v1", self.repository(state)), &self.digest);
        let by = |key: &str, state: &str| sign(key, &usual(state), &["--sign"]);

        let mut altered = sign(&good, &usual("altered"), &["-z0", "--sign"]);
        *altered.last_mut().unwrap() ^= 1;
        let garbage = b"\x90not a signature".to_vec();
        let sigstore = b"\0sigstore-json\n{\"mimeType\":\"a/b\",\"payload\":\"\",\"annotations\":{}}".to_vec();
        let past =
            |key: &str, state: &str, more: &[&str]| sign(key, &usual(state), &[&PAST[..], more, &["--sign"]].concat());
        let framed = |signature: Vec<u8>| [&b"\0simple-signing\n"[..], &signature].concat();
        let wrong_digest = self.payload(&format!("{}:v1", self.repository("wrong-digest")), &sha256(b""));
        let wrong_type = usual("wrong-type").replace("atomic container", "cosign container");
        let named = |name: String| vec![sign(&good, &self.payload(&name, &self.digest), &["--sign"])];
        let here = |state: &str| self.repository(state);
        let signed = vec![
            ("none", vec![]),
            ("good", vec![by(&good, "good")]),
            ("by-other", vec![by(&other, "by-other")]),
            ("altered", vec![altered]),
            (
                "garbage-then-good",
                vec![garbage.clone(), by(&good, "garbage-then-good")],
            ),
            (
                "other-then-good",
                vec![by(&other, "other-then-good"), by(&good, "other-then-good")],
            ),
            (
                "armoured",
                vec![sign(&good, &usual("armoured"), &["--armor", "--sign"])],
            ),
            ("detached", vec![sign(&good, &usual("detached"), &["--detach-sign"])]),
            (
                "double",
                vec![sign(&good, &usual("double"), &["--local-user", &other, "--sign"])],
            ),
            ("by-expired", vec![past(&expired, "by-expired", &[])]),
            ("by-lasting", vec![past(&lasting, "by-lasting", &[])]),
            (
                "expired-signature",
                vec![past(&lasting, "expired-signature", &["--default-sig-expire", "30d"])],
            ),
            ("by-revoked", vec![by(&revoked, "by-revoked")]),
            ("wrong-digest", vec![sign(&good, &wrong_digest, &["--sign"])]),
            ("wrong-type", vec![sign(&good, &wrong_type, &["--sign"])]),
            ("sigstore", vec![sigstore.clone()]),
            ("sigstore-and-good", vec![sigstore, by(&good, "sigstore-and-good")]),
            ("named", vec![framed(by(&good, "named"))]),
            ("empty", vec![Vec::new(), by(&good, "empty")]),
            ("only-zero", vec![b"\0".to_vec(), by(&good, "only-zero")]),
            (
                "no-newline",
                vec![b"\0simple-signing".to_vec(), by(&good, "no-newline")],
            ),
            (
                "unknown-format",
                vec![b"\0other\n{}".to_vec(), by(&good, "unknown-format")],
            ),
            ("no-ascii", vec![b"\0\xff\n{}".to_vec(), by(&good, "no-ascii")]),
            ("text", vec![b"-----BEGIN PGP MESSAGE-----".to_vec(), by(&good, "text")]),
            ("named-twice", vec![framed(framed(by(&good, "named-twice")))]),
            ("same", named(format!("{}:v1", here("same")))),
            ("other-tag", named(format!("{}:v2", here("other-tag")))),
            ("other-repository", named(format!("{}:v1", here("another")))),
            ("name-only", named(here("name-only"))),
            ("digest", named(format!("{}@{}", here("digest"), self.digest))),
            ("elsewhere", named("registry.example.com/team/elsewhere:v1".to_owned())),
        ];
        gpg.revoke(&revoked).unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(self.scratch.path(name), bytes).unwrap();
        let exported = gpg.export(&[&good]);
        write("good.gpg", &exported);
        write("other.gpg", &gpg.export(&[&other]));
        write("ring.gpg", &gpg.export(&[&other, &good]));
        write("old.gpg", &gpg.export(&[&expired, &lasting, &revoked]));
        write("empty.gpg", b"");
        write("garbage.gpg", &garbage);
        self.key = exported;
        signed
    }
}
