#![allow(clippy::unwrap_used)]

use super::*;

const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

fn entry(digest: &str, name: Option<&str>) -> Entry {
    Entry {
        digest: Digest::parse(digest).unwrap(),
        media_type: media_type::OCI_MANIFEST.to_owned(),
        size: 2,
        name: name.map(str::to_owned),
    }
}

/// The entries as `(first digit, name)`.
fn shape(index: &Index) -> Vec<(char, Option<String>)> {
    index
        .entries()
        .unwrap()
        .into_iter()
        .map(|entry| (entry.digest.hex().chars().next().unwrap(), entry.name))
        .collect()
}

#[test]
fn adding_follows_the_rules_of_the_reference_implementation() {
    let name = |name: &str| Some(name.to_owned());
    let mut index = Index::default();
    index.add(&entry(A, Some("v1")));
    assert_eq!(shape(&index), [('a', name("v1"))]);
    index.add(&entry(B, Some("v1")));
    assert_eq!(shape(&index), [('a', None), ('b', name("v1"))]);
    index.add(&entry(C, Some("v2")));
    assert_eq!(shape(&index), [('a', None), ('b', name("v1")), ('c', name("v2"))]);
    index.add(&entry(C, Some("v2")));
    assert_eq!(shape(&index), [('a', None), ('b', name("v1")), ('c', name("v2"))]);
    index.add(&entry(C, Some("v3")));
    assert_eq!(
        shape(&index),
        [('a', None), ('b', name("v1")), ('c', name("v2")), ('c', name("v3"))]
    );
    index.add(&entry(A, None));
    index.add(&entry(A, None));
    assert_eq!(shape(&index).len(), 4);
    index.remove(0);
    index.remove(99);
    assert_eq!(shape(&index), [('b', name("v1")), ('c', name("v2")), ('c', name("v3"))]);
}

#[test]
fn a_new_index_is_written_as_the_reference_implementation_writes_it() {
    let mut index = Index::default();
    index.add(&entry(A, Some("x")));
    assert_eq!(
        String::from_utf8(index.to_bytes().unwrap()).unwrap(),
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{A}","size":2,"annotations":{{"org.opencontainers.image.ref.name":"x"}}}}]}}"#,
            media_type::OCI_INDEX,
            media_type::OCI_MANIFEST
        )
    );
}

#[test]
fn what_others_wrote_survives() {
    let text = format!(
        r#"{{"schemaVersion":2,"z":{{"k":[1.50]}},"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{A}","size":7,"platform":{{"os":"linux"}},"annotations":{{"o":"1","org.opencontainers.image.ref.name":"x"}}}}],"annotations":{{"q":"r"}}}}"#
    );
    let mut index = Index::parse(text.as_bytes()).unwrap();
    index.add(&entry(B, Some("x")));
    let written = String::from_utf8(index.to_bytes().unwrap()).unwrap();
    for kept in [
        r#""z":{"k":[1.5"#,
        r#""platform":{"os":"linux"}"#,
        r#""annotations":{"o":"1"}"#,
        r#""annotations":{"q":"r"}"#,
    ] {
        assert!(written.contains(kept), "{kept} in {written}");
    }
}

#[test]
fn malformed_indexes_are_refused() {
    for text in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"schemaVersion":1,"manifests":[]}"#,
        r#"{"schemaVersion":2,"schemaVersion":2,"manifests":[]}"#,
        r#"{"schemaVersion":2,"manifests":{}}"#,
        r#"{"schemaVersion":2,"manifests":[1]}"#,
        r#"{"schemaVersion":2,"manifests":[{}]}"#,
        r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:aa","size":1}]}"#,
        r#"{"schemaVersion":2,"manifests":[{"digest":"../../etc/passwd","size":1}]}"#,
        &format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{A}","size":-1}}]}}"#),
        &format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{A}"}}]}}"#),
        &format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{A}","size":1,"mediaType":7}}]}}"#),
        &format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{A}","size":1,"annotations":[]}}]}}"#),
        &format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{A}","size":1,"annotations":{{"a":1}}}}]}}"#),
    ] {
        assert!(Index::parse(text.as_bytes()).is_err(), "{text}");
    }
    for text in [
        r#"{"schemaVersion":2}"#,
        r#"{"schemaVersion":2,"manifests":null}"#,
        r#"{"schemaVersion":2,"manifests":[]}"#,
    ] {
        let mut index = Index::parse(text.as_bytes()).unwrap();
        index.add(&entry(A, None));
        assert_eq!(shape(&index), [('a', None)], "{text}");
    }
}

#[test]
fn selecting() {
    let mut index = Index::default();
    index.add(&entry(A, Some("a")));
    let select = |index: &Index, text: &str| {
        index
            .select(&LayoutReference::parse(text, false).unwrap())
            .map(|(position, _)| position)
            .map_err(|error| error.code)
    };
    let not_found = Err(code::IMAGE_NOT_FOUND.to_owned());
    assert_eq!(select(&index, "l"), Ok(0));
    index.add(&entry(B, None));
    let mut other = entry(C, Some("odd"));
    other.media_type = "application/x".to_owned();
    index.add(&other);
    for (text, expected) in [
        ("l", Err(code::INVALID_REFERENCE.to_owned())),
        ("l:a", Ok(0)),
        ("l:b", not_found.clone()),
        ("l:odd", Err(code::UNSUPPORTED.to_owned())),
        ("l:@1", Ok(1)),
        ("l:@3", Err(code::INVALID_REFERENCE.to_owned())),
    ] {
        assert_eq!(select(&index, text), expected, "{text}");
    }
    assert_eq!(select(&Index::default(), "l"), not_found);
}
