//! Trust policies.

use super::{Case, case, fails};

/// The policy of a name.
///
/// # Panics
/// There is none.
pub(super) fn policy(name: &str) -> String {
    let accept = r#"[{"type":"insecureAcceptAnything"}]"#;
    let reject = r#"[{"type":"reject"}]"#;
    let default = |default: &str, transports: &str| format!(r#"{{"default":{default},"transports":{{{transports}}}}}"#);
    let scoped = |transport: &str, scope: &str| default(reject, &format!(r#""{transport}":{{"{scope}":{accept}}}"#));
    match name {
        "reject" => default(reject, ""),
        "dir" => scoped("dir", ""),
        "dir-exact" => scoped("dir", "{d}/plain"),
        "dir-parent" => scoped("dir", "{d}"),
        "dir-other" => scoped("dir", "{d}/pla"),
        "oci-exact" => scoped("oci", "{d}/plain"),
        "oci-name" => scoped("oci", "{d}/plain:x"),
        "docker" => scoped("docker", ""),
        "docker-tag" => scoped("docker", "{r}/plain:v1"),
        "docker-name" => scoped("docker", "{r}/plain"),
        "docker-namespace" => scoped("docker", "{r}"),
        "docker-other-tag" => scoped("docker", "{r}/plain:v2"),
        "dir-relative" => scoped("dir", "plain"),
        "both" => default(
            &format!("[{},{}]", &accept[1..accept.len() - 1], &reject[1..reject.len() - 1]),
            "",
        ),
        "accepting" => default(accept, ""),
        "specific-reject" => default(accept, &format!(r#""dir":{{"":{accept},"{{d}}/plain":{reject}}}"#)),
        "empty-requirements" => default("[]", ""),
        "no-default" => r#"{"transports":{}}"#.to_owned(),
        "unknown-key" => format!(r#"{{"default":{accept},"more":1}}"#),
        "unknown-type" => default(r#"[{"type":"trustEverybody"}]"#, ""),
        "extra-in-requirement" => default(r#"[{"type":"reject","why":"so"}]"#, ""),
        "duplicate" => format!(r#"{{"default":{accept},"default":{accept}}}"#),
        "trailing" => format!(r#"{{"default":{accept}}} x"#),
        "cut" => r#"{"default":["#.to_owned(),
        "unknown-transport" => scoped("carrier-pigeon", ""),
        "signed-by" => default(
            r#"[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/nowhere/key.gpg"}]"#,
            "",
        ),
        other => panic!("no policy {other}"),
    }
}

const REJECTED: &str = "is rejected by policy";

pub(super) const CASES: &[Case] = &[
    fails(
        "policy-reject",
        "dir:plain policy:reject",
        "copy dir:plain dir:to",
        REJECTED,
    ),
    fails(
        "policy-reject-reg",
        "reg:plain policy:reject",
        "copy !s docker://{r}/plain:v1 oci:to:x",
        REJECTED,
    ),
    fails(
        "policy-reject-words",
        "dir:plain policy:reject",
        "copy dir:plain dir:to",
        "Source image rejected: Running image dir:",
    ),
    case(
        "policy-insecure",
        "dir:plain policy:reject",
        "--insecure-policy copy dir:plain dir:to",
    ),
    case(
        "policy-named",
        "dir:plain policy:reject",
        "--policy /etc/containers/policy.json copy dir:plain dir:to",
    ),
    case(
        "policy-missing",
        "dir:plain",
        "--policy nowhere.json copy dir:plain dir:to",
    ),
    case(
        "policy-no-json",
        "dir:plain file:policy.json",
        "--policy policy.json copy dir:plain dir:to",
    ),
    case("policy-dir", "dir:plain policy:dir", "copy dir:plain oci:to:x"),
    fails(
        "policy-dir-for-oci",
        "oci:plain policy:dir",
        "copy oci:plain:x dir:to",
        REJECTED,
    ),
    case(
        "policy-dir-exact",
        "dir:plain policy:dir-exact",
        "copy dir:plain dir:to",
    ),
    case(
        "policy-dir-parent",
        "dir:plain policy:dir-parent",
        "copy dir:plain dir:to",
    ),
    fails(
        "policy-dir-other",
        "dir:plain policy:dir-other",
        "copy dir:plain dir:to",
        REJECTED,
    ),
    case(
        "policy-oci-exact",
        "oci:plain policy:oci-exact",
        "copy oci:plain:x dir:to",
    ),
    case(
        "policy-oci-name",
        "oci:plain policy:oci-name",
        "copy oci:plain:x dir:to",
    ),
    case(
        "policy-docker",
        "reg:plain policy:docker",
        "copy !s docker://{r}/plain:v1 dir:to",
    ),
    case(
        "policy-docker-tag",
        "reg:plain policy:docker-tag",
        "copy !s docker://{r}/plain:v1 dir:to",
    ),
    case(
        "policy-docker-name",
        "reg:plain policy:docker-name",
        "copy !s docker://{r}/plain:v1 dir:to",
    ),
    case(
        "policy-docker-namespace",
        "reg:plain policy:docker-namespace",
        "copy !s docker://{r}/plain:v1 dir:to",
    ),
    fails(
        "policy-docker-other-tag",
        "reg:plain policy:docker-other-tag",
        "copy !s docker://{r}/plain:v1 dir:to",
        REJECTED,
    ),
    case(
        "policy-docker-digest",
        "reg:plain policy:docker-name",
        "copy !s docker://{r}/plain@{digest:plain} dir:to",
    ),
    case(
        "policy-dir-relative",
        "dir:plain policy:dir-relative",
        "copy dir:plain dir:to",
    ),
    fails(
        "policy-both",
        "dir:plain policy:both",
        "copy dir:plain dir:to",
        REJECTED,
    ),
    fails(
        "policy-specific-reject",
        "dir:plain policy:specific-reject",
        "copy dir:plain dir:to",
        REJECTED,
    ),
    case(
        "policy-accepting",
        "dir:plain policy:accepting",
        "copy dir:plain dir:to",
    ),
    fails(
        "policy-unsigned",
        "dir:plain policy:signed-by",
        "copy dir:plain dir:to",
        "Source image rejected",
    ),
    fails(
        "policy-empty",
        "dir:plain policy:empty-requirements",
        "copy dir:plain dir:to",
        "invalid policy in",
    ),
    fails(
        "policy-no-default",
        "dir:plain policy:no-default",
        "copy dir:plain dir:to",
        "Default policy is missing",
    ),
    fails(
        "policy-unknown-key",
        "dir:plain policy:unknown-key",
        "copy dir:plain dir:to",
        "Unknown key \"more\"",
    ),
    fails(
        "policy-unknown-type",
        "dir:plain policy:unknown-type",
        "copy dir:plain dir:to",
        "Unknown policy requirement type \"trustEverybody\"",
    ),
    fails(
        "policy-extra",
        "dir:plain policy:extra-in-requirement",
        "copy dir:plain dir:to",
        "Unknown key \"why\"",
    ),
    fails(
        "policy-duplicate",
        "dir:plain policy:duplicate",
        "copy dir:plain dir:to",
        "Duplicate key \"default\"",
    ),
    fails(
        "policy-trailing",
        "dir:plain policy:trailing",
        "copy dir:plain dir:to",
        "invalid policy in",
    ),
    fails(
        "policy-cut",
        "dir:plain policy:cut",
        "copy dir:plain dir:to",
        "invalid policy in",
    ),
    case(
        "policy-unknown-transport",
        "dir:plain policy:unknown-transport",
        "copy dir:plain dir:to",
    ),
    case(
        "policy-of-inspect",
        "reg:plain policy:cut",
        "inspect ! docker://{r}/plain:v1",
    ),
    case(
        "policy-of-delete",
        "reg:plain policy:reject",
        "delete ! docker://{r}/plain:v1",
    ),
];
