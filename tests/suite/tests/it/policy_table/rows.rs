//! The rows: scopes, identities, keys, and lists of requirements.

use base64::Engine as _;
use longshore_tests::Scratch;

use super::Row;
use super::world::{FRAMED, SIGNED_NAMES, World};

const ACCEPT: &str = r#"{"type":"insecureAcceptAnything"}"#;
const REJECT: &str = r#"{"type":"reject"}"#;

/// Every row.
pub(super) fn all(world: &World<'_>) -> Vec<Row> {
    let all = [
        scopes(world),
        identities(world),
        keys(world),
        lists(world),
        framings(world),
    ];
    all.into_iter().flatten().collect()
}

/// A scope that accepts where the rest rejects, and the other way round.
fn scopes(world: &World<'_>) -> Vec<Row> {
    let (repository, host) = (world.repository("scope"), world.registry.address().to_string());
    let digest = &world.digest;
    let docker = [
        format!("{repository}:v1"),
        format!("{repository}@{digest}"),
        repository.clone(),
        format!("{host}/team"),
        host.clone(),
        "127.0.0.1".to_owned(),
        format!("{host}/team/sco"),
        format!("{repository}:v2"),
        "*.0.0.1".to_owned(),
        format!("*.0.0.1:{}", world.registry.address().port()),
        "*.1".to_owned(),
        String::new(),
    ];
    let paths = |transport: &str| {
        let image = below(world.scratch, &format!("images/{transport}/image"));
        let parent = below(world.scratch, &format!("images/{transport}"));
        let grandparent = below(world.scratch, "images");
        let scopes = [
            image.clone(),
            format!("{image}:x"),
            format!("{image}/"),
            format!("{image}x"),
            parent,
            grandparent,
            "/".to_owned(),
            "image".to_owned(),
            String::new(),
        ];
        (image, scopes)
    };
    let (dir, dir_scopes) = paths("dir");
    let (oci, oci_scopes) = paths("oci");
    let archive = below(world.scratch, "images/image.tar");
    let images = [
        ("docker", format!("docker://{repository}:v1"), &docker[..]),
        ("docker", format!("docker://{repository}@{digest}"), &docker[..]),
        ("dir", format!("dir:{dir}"), &dir_scopes[..]),
        ("oci", format!("oci:{oci}:x"), &oci_scopes[..]),
        (
            "docker-archive",
            format!("docker-archive:{archive}"),
            &[archive.clone(), String::new()][..],
        ),
    ];
    let mut rows = Vec::new();
    for (number, (transport, image, scopes)) in images.iter().enumerate() {
        for (index, scope) in scopes.iter().enumerate() {
            for (here, elsewhere) in [(ACCEPT, REJECT), (REJECT, ACCEPT)] {
                let section = format!(r#""{transport}":{{"{scope}":[{here}]}}"#);
                rows.push(Row {
                    name: format!("scope {transport} {number} {index} {}", here.len()),
                    policy: format!(r#"{{"default":[{elsewhere}],"transports":{{{section}}}}}"#),
                    image: image.clone(),
                });
            }
        }
    }
    rows
}

fn below(scratch: &Scratch, path: &str) -> String {
    let folder = scratch.path("").canonicalize().unwrap();
    folder.join(path).display().to_string()
}

/// Every type of identity with every name in a signature, the image named by tag and by digest.
fn identities(world: &World<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for signed in SIGNED_NAMES {
        let repository = world.repository(signed);
        let host = world.registry.address();
        let identities = [
            ("default", String::new()),
            ("matchExact", r#""type":"matchExact""#.to_owned()),
            ("repoDigest", r#""type":"matchRepoDigestOrExact""#.to_owned()),
            ("matchRepository", r#""type":"matchRepository""#.to_owned()),
            (
                "exactReference",
                format!(r#""type":"exactReference","dockerReference":"{repository}:v1""#),
            ),
            (
                "exactReference digest",
                format!(
                    r#""type":"exactReference","dockerReference":"{repository}@{}""#,
                    world.digest
                ),
            ),
            (
                "exactRepository",
                format!(r#""type":"exactRepository","dockerRepository":"{repository}""#),
            ),
            (
                "exactRepository elsewhere",
                r#""type":"exactRepository","dockerRepository":"registry.example.com/team/elsewhere""#.to_owned(),
            ),
            (
                "remap host",
                format!(r#""type":"remapIdentity","prefix":"{host}","signedPrefix":"registry.example.com""#),
            ),
            (
                "remap repository",
                format!(
                    r#""type":"remapIdentity","prefix":"{repository}","signedPrefix":"{}""#,
                    world.repository("another")
                ),
            ),
            (
                "remap another",
                format!(r#""type":"remapIdentity","prefix":"{host}/tea","signedPrefix":"registry.example.com""#),
            ),
        ];
        for (identity, members) in identities {
            let members = match members.as_str() {
                "" => String::new(),
                members => format!(r#","signedIdentity":{{{members}}}"#),
            };
            for (form, image) in [("tag", ":v1".to_owned()), ("digest", format!("@{}", world.digest))] {
                let requirement = signed_by(&format!(r#""keyPath":"{}"{members}"#, world.file("good.gpg")));
                rows.push(Row {
                    name: format!("identity {identity}, signed {signed}, by {form}"),
                    policy: format!(r#"{{"default":[{requirement}]}}"#),
                    image: format!("docker://{repository}{image}"),
                });
            }
        }
    }
    rows
}

/// Every source of keys with every state of an image's signatures.
fn keys(world: &World<'_>) -> Vec<Row> {
    let file = |name: &str| world.file(name);
    let data = base64::engine::general_purpose::STANDARD.encode(&world.key);
    let keys = [
        ("good", format!(r#""keyPath":"{}""#, file("good.gpg"))),
        ("other", format!(r#""keyPath":"{}""#, file("other.gpg"))),
        (
            "several",
            format!(r#""keyPaths":["{}","{}"]"#, file("other.gpg"), file("good.gpg")),
        ),
        ("ring", format!(r#""keyPath":"{}""#, file("ring.gpg"))),
        ("data", format!(r#""keyData":"{data}""#)),
        ("old", format!(r#""keyPath":"{}""#, file("old.gpg"))),
        ("empty", format!(r#""keyPath":"{}""#, file("empty.gpg"))),
        (
            "good and missing",
            format!(r#""keyPaths":["{}","{}"]"#, file("good.gpg"), file("missing.gpg")),
        ),
        ("garbage", format!(r#""keyPath":"{}""#, file("garbage.gpg"))),
    ];
    let mut rows = Vec::new();
    for state in &world.states {
        for (name, members) in &keys {
            rows.push(Row {
                name: format!("keys {name}, signatures {state}"),
                policy: format!(r#"{{"default":[{}]}}"#, signed_by(members)),
                image: format!("docker://{}:v1", world.repository(state)),
            });
        }
    }
    rows
}

/// Several requirements, of which each must be met.
fn lists(world: &World<'_>) -> Vec<Row> {
    let good = signed_by(&format!(r#""keyPath":"{}""#, world.file("good.gpg")));
    let other = signed_by(&format!(r#""keyPath":"{}""#, world.file("other.gpg")));
    let base = r#"{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}"#;
    let lists = [
        format!("{good},{ACCEPT}"),
        format!("{ACCEPT},{good}"),
        format!("{good},{REJECT}"),
        format!("{good},{good}"),
        format!("{good},{other}"),
        format!("{good},{base}"),
    ];
    let mut rows = Vec::new();
    for state in ["none", "good", "by-other", "other-then-good"] {
        for (number, requirements) in lists.iter().enumerate() {
            rows.push(Row {
                name: format!("list {number}, signatures {state}"),
                policy: format!(r#"{{"default":[{REJECT}],"transports":{{"docker":{{"":[{requirements}]}}}}}}"#),
                image: format!("docker://{}:v1", world.repository(state)),
            });
        }
    }
    rows
}

/// Every form of stored signatures, where one is needed and where none is.
fn framings(world: &World<'_>) -> Vec<Row> {
    let good = signed_by(&format!(r#""keyPath":"{}""#, world.file("good.gpg")));
    let mut rows = Vec::new();
    for state in FRAMED {
        for (kind, requirement) in [("signedBy", good.as_str()), ("accept", ACCEPT), ("reject", REJECT)] {
            rows.push(Row {
                name: format!("framing {state}, {kind}"),
                policy: format!(r#"{{"default":[{requirement}]}}"#),
                image: format!("docker://{}:v1", world.repository(state)),
            });
        }
    }
    rows
}

fn signed_by(members: &str) -> String {
    format!(r#"{{"type":"signedBy","keyType":"GPGKeys",{members}}}"#)
}
