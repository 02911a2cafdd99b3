use super::SignedIdentity;
use crate::members::Members;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn identity(json: &str) -> Result<SignedIdentity, String> {
    Members::parse(json.replace("DIGEST", DIGEST).as_bytes()).and_then(SignedIdentity::parse)
}

#[test]
fn grammar() {
    let rows = [
        (r#"{"type":"matchExact"}"#, ""),
        (r#"{"type":"matchRepoDigestOrExact"}"#, ""),
        (r#"{"type":"matchRepository"}"#, ""),
        (r#"{"type":"exactReference","dockerReference":"busybox:1"}"#, ""),
        (r#"{"type":"exactReference","dockerReference":"busybox@DIGEST"}"#, ""),
        (r#"{"type":"exactRepository","dockerRepository":"example.com/a/b"}"#, ""),
        (
            r#"{"type":"remapIdentity","prefix":"example.com","signedPrefix":"docker.io/library"}"#,
            "",
        ),
        (
            r#"{"type":"remapIdentity","prefix":"localhost:5000/a","signedPrefix":"b"}"#,
            "",
        ),
        (r#"{}"#, "Key \"type\" missing"),
        (r#"{"type":""}"#, "Unknown policy reference match type \"\""),
        (
            r#"{"type":"MatchExact"}"#,
            "Unknown policy reference match type \"MatchExact\"",
        ),
        (
            r#"{"type":"matchExact","dockerReference":"busybox:1"}"#,
            "Unknown key \"dockerReference\"",
        ),
        (r#"{"type":"matchExact","type":"matchExact"}"#, "\"type\""),
        (r#"{"type":"exactReference"}"#, "Key \"dockerReference\" missing"),
        (r#"{"type":"exactReference","dockerReference":1}"#, "dockerReference"),
        (
            r#"{"type":"exactReference","dockerReference":null}"#,
            "Key \"dockerReference\" is null",
        ),
        (
            r#"{"type":"exactReference","dockerReference":"busybox"}"#,
            "neither a tag nor digest",
        ),
        (
            r#"{"type":"exactReference","dockerReference":"Busybox:1"}"#,
            "Invalid format of dockerReference",
        ),
        (
            r#"{"type":"exactRepository","dockerRepository":""}"#,
            "Invalid format of dockerRepository",
        ),
        (
            r#"{"type":"exactRepository","dockerReference":"busybox:1"}"#,
            "Key \"dockerRepository\" missing",
        ),
        (
            r#"{"type":"remapIdentity","prefix":"example.com"}"#,
            "Key \"signedPrefix\" missing",
        ),
        (
            r#"{"type":"remapIdentity","prefix":"","signedPrefix":"b"}"#,
            "prefix \"\" is not valid",
        ),
        (
            r#"{"type":"remapIdentity","prefix":"a/","signedPrefix":"b"}"#,
            "is not valid",
        ),
        (
            r#"{"type":"remapIdentity","prefix":"a/b:1","signedPrefix":"b"}"#,
            "is not valid",
        ),
        (
            r#"{"type":"remapIdentity","prefix":"a","signedPrefix":"b@DIGEST"}"#,
            "is not valid",
        ),
    ];
    for (json, fragment) in rows {
        match identity(json) {
            Ok(_) => assert_eq!(fragment, "", "{json}"),
            Err(error) => assert!(!fragment.is_empty() && error.contains(fragment), "{json}: {error}"),
        }
    }
}

#[test]
fn matching() {
    const EXACT: &str = r#"{"type":"matchExact"}"#;
    const DEFAULT: &str = r#"{"type":"matchRepoDigestOrExact"}"#;
    const REPOSITORY: &str = r#"{"type":"matchRepository"}"#;
    const REFERENCE: &str = r#"{"type":"exactReference","dockerReference":"busybox:1"}"#;
    const EXACT_REPOSITORY: &str = r#"{"type":"exactRepository","dockerRepository":"busybox"}"#;
    const REMAP: &str = r#"{"type":"remapIdentity","prefix":"mirror.example/hub","signedPrefix":"docker.io"}"#;
    const REMAP_HOST: &str = r#"{"type":"remapIdentity","prefix":"mirror.example","signedPrefix":"other.example/up"}"#;
    const REMAP_SHORT: &str = r#"{"type":"remapIdentity","prefix":"mirror.example/hub","signedPrefix":"library"}"#;
    let rows = [
        (EXACT, "docker.io/library/busybox:1", "busybox:1", true),
        (
            EXACT,
            "docker.io/library/busybox:1",
            "docker.io/library/busybox:1",
            true,
        ),
        (EXACT, "docker.io/library/busybox:1", "index.docker.io/busybox:1", true),
        (EXACT, "docker.io/library/busybox:1", "busybox:2", false),
        (EXACT, "docker.io/library/busybox:latest", "busybox", false),
        (EXACT, "docker.io/library/busybox@DIGEST", "busybox@DIGEST", true),
        (EXACT, "docker.io/library/busybox@DIGEST", "busybox:1", false),
        (EXACT, "docker.io/library/busybox:1@DIGEST", "busybox:1", false),
        (EXACT, "", "busybox:1", false),
        (DEFAULT, "docker.io/library/busybox:1", "busybox:1", true),
        (DEFAULT, "docker.io/library/busybox:1", "busybox:2", false),
        (DEFAULT, "docker.io/library/busybox:1", "busybox", false),
        (DEFAULT, "docker.io/library/busybox@DIGEST", "busybox:2", true),
        (DEFAULT, "docker.io/library/busybox@DIGEST", "busybox", false),
        (DEFAULT, "docker.io/library/busybox@DIGEST", "other:2", false),
        (DEFAULT, "docker.io/library/busybox:1@DIGEST", "busybox:2", false),
        (DEFAULT, "docker.io/library/busybox:1@DIGEST", "busybox:1@DIGEST", true),
        (DEFAULT, "docker.io/library/busybox", "busybox:1", false),
        (DEFAULT, "", "busybox:1", false),
        (REPOSITORY, "docker.io/library/busybox:1", "busybox", true),
        (REPOSITORY, "docker.io/library/busybox:1", "busybox:2", true),
        (REPOSITORY, "docker.io/library/busybox@DIGEST", "busybox:2", true),
        (
            REPOSITORY,
            "docker.io/library/busybox:1",
            "example.com/library/busybox:1",
            false,
        ),
        (REPOSITORY, "docker.io/library/busybox:1", "Busybox:1", false),
        (REPOSITORY, "", "busybox:1", false),
        (REFERENCE, "", "docker.io/library/busybox:1", true),
        (REFERENCE, "example.com/x:2", "busybox:1", true),
        (REFERENCE, "", "busybox:2", false),
        (REFERENCE, "", "busybox", false),
        (REFERENCE, "", "", false),
        (EXACT_REPOSITORY, "", "busybox", true),
        (EXACT_REPOSITORY, "", "busybox:2", true),
        (EXACT_REPOSITORY, "", "busybox2:2", false),
        (REMAP, "mirror.example/hub/library/busybox:1", "busybox:1", true),
        (REMAP, "mirror.example/hub/library/busybox@DIGEST", "busybox:2", true),
        (REMAP, "mirror.example/hub/library/busybox:1", "busybox:2", false),
        (
            REMAP,
            "mirror.example/hub2/busybox:1",
            "mirror.example/hub2/busybox:1",
            true,
        ),
        (REMAP, "mirror.example/hub2/busybox:1", "docker.io/2/busybox:1", false),
        (
            REMAP,
            "mirror.example/hub/busybox:1",
            "mirror.example/hub/busybox:1",
            false,
        ),
        (REMAP, "mirror.example/hub:1", "docker.io:1", false),
        (REMAP, "", "busybox:1", false),
        (REMAP_HOST, "mirror.example/a/b:1", "other.example/up/a/b:1", true),
        (REMAP_HOST, "mirror.example:5000/a:1", "mirror.example:5000/a:1", true),
        (REMAP_SHORT, "mirror.example/hub/busybox:1", "busybox:1", false),
    ];
    for (json, image, signed, expected) in rows {
        let (image, signed) = (image.replace("DIGEST", DIGEST), signed.replace("DIGEST", DIGEST));
        let image = Some(image).filter(|image| !image.is_empty());
        let accepted = identity(json).map(|identity| identity.accepts(image.as_deref(), &signed));
        assert_eq!(accepted, Ok(expected), "{json} {image:?} {signed}");
    }
}
