//! Texts of policy.json, right and wrong. The image does not exist, which is found out only under a policy that loads.

use super::Row;

/// Requirements that are right.
const RIGHT: [&str; 16] = [
    r#"{"type":"insecureAcceptAnything"}"#,
    r#" { "type" : "reject" } "#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}"#,
    r#"{"keyPath":"/k","keyType":"GPGKeys","type":"signedBy"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPaths":["/k"]}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyData":"AQID"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyData":"AQ\nID"}"#,
    r#"{"type":"signedBy","keyType":"X509Certificates","keyPath":"/k"}"#,
    r#"{"type":"signedBy","keyType":"signedByGPGKeys","keyPath":"/k"}"#,
    r#"{"type":"signedBy","keyType":"signedByX509CAs","keyPath":"/k"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"matchExact"}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"matchRepository"}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"exactReference","dockerReference":"a:b"}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"exactRepository","dockerRepository":"a/b"}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"remapIdentity","prefix":"a.com/b","signedPrefix":"c:5"}}"#,
    r#"{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}"#,
];

/// Requirements that are wrong.
const WRONG: [&str; 38] = [
    "{}",
    "null",
    "[]",
    "1",
    r#""reject""#,
    r#"{"type":null}"#,
    r#"{"type":1}"#,
    r#"{"type":""}"#,
    r#"{"type":"Reject"}"#,
    r#"{"Type":"reject"}"#,
    r#"{"type":"reject","type":"reject"}"#,
    r#"{"type":"reject","more":1}"#,
    r#"{"type":"insecureAcceptAnything","more":null}"#,
    r#"{"type":"signedBy"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys"}"#,
    r#"{"type":"signedBy","keyPath":"/k"}"#,
    r#"{"type":"signedBy","keyType":"gpgKeys","keyPath":"/k"}"#,
    r#"{"type":"signedBy","keyType":1,"keyPath":"/k"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":1}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","keyPath":"/k"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keypath":"/k"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","keyData":"AQID"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","keyPaths":["/k"]}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPaths":[]}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPaths":"/k"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyData":"A"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyData":"*"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":"matchExact"}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"matchAll"}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"matchExact","more":1}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"exactReference"}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"exactReference","dockerReference":"a"}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"exactReference","dockerReference":"A:b"}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"exactRepository","dockerRepository":""}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"remapIdentity","prefix":"a:b/c:d","signedPrefix":"c"}}"#,
    r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"remapIdentity","prefix":"a.com"}}"#,
    r#"{"type":"signedBaseLayer"}"#,
];

/// Whole texts, `R` for a requirement that is right.
const TEXTS: [&str; 26] = [
    "",
    " ",
    "null",
    "[]",
    "{}",
    r#"{"default":null}"#,
    r#"{"default":{}}"#,
    r#"{"default":[]}"#,
    r#"{"default":[R],}"#,
    r#"{"default":[R]} x"#,
    r#"{"default":[R]}{}"#,
    r#"{"default":[R],"default":[R]}"#,
    r#"{"Default":[R]}"#,
    r#"{"default":[R],"more":1}"#,
    r#"{"default":[R],"transports":[]}"#,
    r#"{"default":[R],"transports":{}}"#,
    r#"{"default":[R],"transports":{"docker":{}}}"#,
    r#"{"default":[R],"transports":{"docker":[]}}"#,
    r#"{"default":[R],"transports":{"docker":{"":[]}}}"#,
    r#"{"default":[R],"transports":{"docker":{},"docker":{}}}"#,
    r#"{"default":[R],"transports":{"docker":{"a":[R],"a":[R]}}}"#,
    r#"{"default":[R],"transports":{"pigeon":{"of any kind":[R]}}}"#,
    r#"{"default":[R],"transports":{"dir":{"relative":[R]}}}"#,
    r#"{"default":[R],"transports":{"dir":{"/a/../b":[R]}}}"#,
    r#"{"default":[R],"transports":{"docker-archive":{"/a":[R]}}}"#,
    r#"{"transports":{"docker":{"":[R]}}}"#,
];

/// Every text, and every requirement at two places.
pub(super) fn rows() -> Vec<Row> {
    let row = |name: String, policy: String| Row {
        name,
        policy,
        image: "dir:nowhere".to_owned(),
    };
    let mut rows = Vec::new();
    for (index, text) in TEXTS.iter().enumerate() {
        rows.push(row(format!("text {index}"), text.replace('R', RIGHT[0])));
    }
    for (kind, requirements) in [("right", &RIGHT[..]), ("wrong", &WRONG[..])] {
        for (index, requirement) in requirements.iter().enumerate() {
            let default = format!(r#"{{"default":[{requirement}]}}"#);
            let scope = format!(
                r#"{{"default":[{}],"transports":{{"docker":{{"a.b/c":[{}, {requirement}]}}}}}}"#,
                RIGHT[0], RIGHT[0]
            );
            rows.push(row(format!("{kind} {index} as default"), default));
            rows.push(row(format!("{kind} {index} in a scope"), scope));
        }
    }
    rows
}
