#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{Reference, ReferenceError, is_domain, is_repository_path, is_tag};
use crate::{Digest, DigestError};

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parse(text: &str) -> Result<Reference, ReferenceError> {
    Reference::parse_normalized(text)
}

#[test]
fn normal_and_familiar_forms() {
    let rows = [
        ("busybox", "docker.io/library/busybox", "busybox"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("user/app", "docker.io/user/app", "user/app"),
        ("library/busybox", "docker.io/library/busybox", "busybox"),
        ("library/a/b", "docker.io/library/a/b", "library/a/b"),
        ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
        ("index.docker.io/busybox:x", "docker.io/library/busybox:x", "busybox:x"),
        ("index.docker.io/u/a", "docker.io/u/a", "u/a"),
        ("localhost/a", "localhost/a", "localhost/a"),
        ("localhost:5000/a:b", "localhost:5000/a:b", "localhost:5000/a:b"),
        ("host/a", "docker.io/host/a", "host/a"),
        ("host:80/a", "host:80/a", "host:80/a"),
        ("EXAMPLE.com/a", "EXAMPLE.com/a", "EXAMPLE.com/a"),
        ("[::1]:5000/a/b:T.-_", "[::1]:5000/a/b:T.-_", "[::1]:5000/a/b:T.-_"),
        ("[fe80::AB]/a", "[fe80::AB]/a", "[fe80::AB]/a"),
        (
            "quay.io/a.b_c__d---e/f",
            "quay.io/a.b_c__d---e/f",
            "quay.io/a.b_c__d---e/f",
        ),
        // Without the domain these would be read as something else.
        (
            "docker.io/localhost/a",
            "docker.io/localhost/a",
            "docker.io/localhost/a",
        ),
        ("docker.io/a.b/c", "docker.io/a.b/c", "docker.io/a.b/c"),
    ];
    for (text, canonical, familiar) in rows {
        let reference = parse(text).unwrap();
        assert_eq!(reference.to_string(), canonical);
        assert_eq!(reference.familiar(), familiar);
        assert_eq!(format!("{}/{}", reference.domain(), reference.path()), reference.name());
    }
}

#[test]
fn tags_and_digests() {
    let digest = Digest::sha256(b"");
    let both = parse(&format!("quay.io/a:t@{digest}")).unwrap();
    assert_eq!(
        (both.tag(), both.digest(), both.tag_or_digest()),
        (Some("t"), Some(&digest), Some(digest.as_str()))
    );
    let digest_only = parse(&format!("a@{digest}")).unwrap();
    assert_eq!((digest_only.tag(), digest_only.digest()), (None, Some(&digest)));
    assert_eq!(digest_only.clone().with_default_tag(), digest_only);

    let name = both.without_tag_and_digest();
    assert!(name.is_name_only());
    assert_eq!(name.clone().with_default_tag().to_string(), "quay.io/a:latest");
    assert_eq!(name.clone().with_tag("x").unwrap().tag_or_digest(), Some("x"));
    assert_eq!(name.clone().with_tag("-x"), Err(ReferenceError::Tag));
    assert_eq!(
        name.with_digest(digest.clone()).to_string(),
        format!("quay.io/a@{digest}")
    );
}

#[test]
fn hostile_texts() {
    use ReferenceError::{Format, LooksLikeId, TooLong, Uppercase};
    let rows: Vec<(String, ReferenceError)> = vec![
        (String::new(), Format),
        (":".into(), Format),
        ("@".into(), Format),
        ("/".into(), Format),
        ("/a".into(), Format),
        ("a/".into(), Format),
        ("a//b".into(), Format),
        ("a:".into(), Format),
        ("a@".into(), Format),
        ("a:b:c".into(), Format),
        ("a/b:c/d".into(), Format),
        (" a".into(), Format),
        ("a\n".into(), Format),
        ("a\0".into(), Format),
        ("-a".into(), Format),
        ("a-".into(), Format),
        ("a..b".into(), Format),
        ("a___b".into(), Format),
        ("a._b".into(), Format),
        ("a-_b".into(), Format),
        ("../a".into(), Format),
        ("./a".into(), Format),
        ("a/..".into(), Format),
        ("bücher".into(), Format),
        ("ａ".into(), Format),
        ("a:ü".into(), Format),
        ("a:.b".into(), Format),
        ("foo_bar.com/a".into(), Format),
        ("-x.com/a".into(), Format),
        ("x-.com/a".into(), Format),
        ("x..com/a".into(), Format),
        ("host:/a".into(), Format),
        ("host:8a/a".into(), Format),
        ("host:80:80/a".into(), Format),
        ("[::1/a".into(), Format),
        ("[]:1/a".into(), Format),
        ("[::g]/a".into(), Format),
        ("[::1]x/a".into(), Format),
        ("https://example.com/a".into(), Format),
        ("a@b".into(), Format),
        ("a@sha256:".into(), Format),
        (format!("a@sha256:{}", &HEX[..31]), Format),
        (format!("a@sha256:{}", "g".repeat(64)), Format),
        (format!("a@:{HEX}"), Format),
        (format!("a@sha256:{HEX}@sha256:{HEX}"), Format),
        (format!("a@sha256:{HEX}:t"), Format),
        (format!("a@sha256:{}", &HEX[1..]), DigestError::Length.into()),
        (format!("a@sha256:{}", HEX.to_uppercase()), DigestError::Format.into()),
        (
            format!("a@sha1:{}", &HEX[..40]),
            DigestError::UnsupportedAlgorithm.into(),
        ),
        (format!("a@a.b+c:{HEX}"), DigestError::UnsupportedAlgorithm.into()),
        (format!("a:{}", "t".repeat(129)), Format),
        ("A".into(), Uppercase),
        ("Uppercase/a".into(), Uppercase),
        ("quay.io/A:t".into(), Uppercase),
        ("É".into(), Uppercase),
        (HEX.into(), LooksLikeId(HEX.into())),
        (format!("quay.io/{}", "a".repeat(248)), TooLong),
        (format!("docker.io/{}", "a".repeat(238)), TooLong),
        ("a".repeat(1 << 20), TooLong),
    ];
    for (text, expected) in rows {
        assert_eq!(
            parse(&text),
            Err(expected),
            "{:?}",
            text.chars().take(100).collect::<String>()
        );
    }
}

#[test]
fn the_longest_that_is_allowed() {
    for text in [
        format!("quay.io/{}", "a".repeat(247)),
        "a".repeat(237),
        format!("a:{}", "t".repeat(128)),
        format!("quay.io/{HEX}"),
        format!("{HEX}:t"),
    ] {
        assert!(parse(&text).is_ok(), "{text}");
    }
    assert_eq!(parse(&"a".repeat(237)).unwrap().name().len(), 255);
}

#[test]
fn an_id_behind_a_domain_keeps_it_in_the_familiar_form() {
    assert_eq!(
        parse(&format!("docker.io/library/{HEX}")).unwrap().familiar(),
        format!("docker.io/library/{HEX}")
    );
}

#[test]
fn policy_names() {
    let digest = Digest::sha256(b"");
    let rows: [(&str, &[&str]); 5] = [
        (
            "busybox:1",
            &["docker.io/library/busybox", "docker.io/library", "docker.io", "*.io"],
        ),
        (
            "a.b.example.com:8443/ns/team/app:1",
            &[
                "a.b.example.com:8443/ns/team/app",
                "a.b.example.com:8443/ns/team",
                "a.b.example.com:8443/ns",
                "a.b.example.com:8443",
                "*.b.example.com",
                "*.example.com",
                "*.com",
            ],
        ),
        ("localhost/a:1", &["localhost/a", "localhost"]),
        ("localhost:5000/a:1", &["localhost:5000/a", "localhost:5000"]),
        ("[::1]:5000/a:1", &["[::1]:5000/a", "[::1]:5000"]),
    ];
    for (text, scopes) in rows {
        let reference = parse(text).unwrap();
        assert_eq!(reference.policy_scopes(), scopes);
        assert_eq!(reference.policy_identity().unwrap(), reference.to_string());
    }
    let name = parse("quay.io/a").unwrap();
    assert!(matches!(
        name.policy_identity(),
        Err(ReferenceError::NeitherTagNorDigest(_))
    ));
    assert_eq!(
        name.clone().with_digest(digest.clone()).policy_identity().unwrap(),
        format!("quay.io/a@{digest}")
    );
    let both = name.with_digest(digest).with_default_tag().with_tag("t").unwrap();
    assert!(matches!(both.policy_identity(), Err(ReferenceError::TagAndDigest(_))));
}

const DOMAIN: &str =
    "(localhost|([a-zA-Z0-9](-?[a-zA-Z0-9]){0,4}\\.){1,3}[a-z]{2,3}|\\[[0-9a-f]{0,4}:[0-9a-f:]{1,6}\\])(:[0-9]{1,5})?";
const PATH: &str = "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}(/[a-z0-9]{1,5}){0,3}";
/// A path whose first component is no domain.
const SHORT: &str = "[a-z0-9]{1,5}((_|__|-{1,3})[a-z0-9]{1,3}){0,2}(/[a-z0-9]{1,5}(\\.[a-z0-9]{1,3})?){0,3}";
const TAG: &str = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}";

proptest! {
    #[test]
    fn references_round_trip(domain in DOMAIN, path in PATH, tag in proptest::option::of(TAG), data in proptest::option::of(any::<u64>())) {
        let digest = data.map(|data| Digest::sha256(&data.to_be_bytes()));
        let mut text = format!("{domain}/{path}");
        if let Some(tag) = &tag {
            text += &format!(":{tag}");
        }
        if let Some(digest) = &digest {
            text += &format!("@{digest}");
        }
        let reference = parse(&text).unwrap();
        prop_assert_eq!(reference.domain(), &domain);
        prop_assert_eq!(reference.tag(), tag.as_deref());
        prop_assert_eq!(reference.digest(), digest.as_ref());
        prop_assert_eq!(parse(&reference.to_string()), Ok(reference.clone()));
        prop_assert_eq!(parse(&reference.familiar()), Ok(reference.clone()));
        prop_assert_eq!(&reference.policy_scopes()[0], &reference.name());
    }

    #[test]
    fn short_names_round_trip(path in SHORT, tag in proptest::option::of(TAG)) {
        let text = tag.map_or(path.clone(), |tag| format!("{path}:{tag}"));
        let reference = parse(&text).unwrap();
        prop_assert_eq!(parse(&reference.to_string()), Ok(reference.clone()));
        prop_assert_eq!(parse(&reference.familiar()), Ok(reference));
    }

    #[test]
    fn anything_accepted_reads_back(text in "[a-zA-Z0-9.:/@_\\[\\]-]{0,40}|\\PC{0,20}") {
        if let Ok(reference) = parse(&text) {
            prop_assert!(is_domain(reference.domain()) && is_repository_path(reference.path()) && reference.tag().is_none_or(is_tag));
            prop_assert_eq!(parse(&reference.to_string()), Ok(reference.clone()));
            prop_assert_eq!(parse(&reference.familiar()), Ok(reference));
        }
    }
}
