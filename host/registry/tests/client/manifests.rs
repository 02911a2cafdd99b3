use longshore_registry::Problem;
use longshore_types::ErrorKind;

use crate::script::{OCI_MANIFEST, Script, answer, digest};

#[tokio::test]
async fn six_types_are_asked_for_in_lines_of_their_own() {
    let registry = Script::start(|_| {
        let body = answer(200).body("{ }");
        body.header("content-type", format!("{OCI_MANIFEST}; charset=utf-8"))
    })
    .await;
    let fetched = registry.client().repository("a/b").manifest("v1").await.unwrap();
    assert_eq!(&fetched.bytes[..], b"{ }");
    assert_eq!(fetched.media_type.as_deref(), Some(OCI_MANIFEST));
    assert_eq!(fetched.url, registry.url("/v2/a/b/manifests/v1"));

    let seen = &registry.seen()[0];
    let accepted: Vec<_> = seen.headers.get_all("accept").iter().collect();
    assert_eq!(
        accepted,
        [
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "application/vnd.docker.distribution.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.oci.image.index.v1+json",
        ]
    );
    assert_eq!(seen.header("docker-distribution-api-version"), Some("registry/2.0"));
    assert!(seen.header("user-agent").unwrap().starts_with("longshore/"));
    assert_eq!(seen.header("accept-encoding"), None);
}

#[tokio::test]
async fn a_manifest_by_digest_has_that_digest() {
    let registry = Script::start(|_| answer(200).body("{}")).await;
    let repository = registry.client().repository("a");
    repository.manifest(digest(b"{}").as_str()).await.unwrap();
    let other = digest(b"{ }");
    let error = repository.manifest(other.as_str()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let expected = format!("manifest does not match provided manifest digest {other}");
    assert!(error.to_string().contains(&expected), "{error}");
}

#[tokio::test]
async fn head() {
    let registry = Script::start(|seen| match seen.target.as_str() {
        "/v2/a/manifests/t" => answer(200)
            .header("docker-content-digest", digest(b"{}").to_string())
            .header("content-type", OCI_MANIFEST)
            .header("content-length", "4321"),
        "/v2/" => answer(200),
        _ => answer(404),
    })
    .await;
    let repository = registry.client().repository("a");
    let head = repository.manifest_head("t").await.unwrap();
    assert_eq!(head.digest, Some(digest(b"{}")));
    assert_eq!(head.size, Some(4321));
    assert_eq!(head.media_type.as_deref(), Some(OCI_MANIFEST));
    let error = repository.manifest_head("u").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ImageNotFound);
}

#[tokio::test]
async fn put() {
    let invalid = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"no"}]}"#;
    let registry = Script::start(move |seen| match seen.target.as_str() {
        "/v2/a/manifests/bad" => answer(400).body(invalid),
        "/v2/" => answer(200),
        _ => answer(201),
    })
    .await;
    let repository = registry.client().repository("a");
    repository.put_manifest("t", "{}".into(), OCI_MANIFEST).await.unwrap();
    let seen = &registry.seen()[1];
    assert_eq!(seen.line(), "PUT /v2/a/manifests/t");
    assert_eq!(seen.header("content-type"), Some(OCI_MANIFEST));
    assert_eq!(seen.header("content-length"), Some("2"));
    assert_eq!(seen.body, "{}");

    let error = repository
        .put_manifest("bad", "{}".into(), OCI_MANIFEST)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ManifestTypeRejected);
    let url = registry.url("/v2/a/manifests/bad");
    let host = registry.host();
    assert_eq!(
        error.to_string(),
        format!("uploading manifest bad to {host}/a: manifest invalid: no (PUT {url}: 400 Bad Request)")
    );
    let error = repository.put_manifest("t", "{}".into(), "a\nb").await.unwrap_err();
    assert!(matches!(error.problem(), Problem::Setup(_)));
}

#[tokio::test]
async fn delete_succeeds_with_202_alone() {
    for (status, kind) in [
        (202, None),
        (200, Some(ErrorKind::Other)),
        (404, Some(ErrorKind::ImageNotFound)),
        (405, Some(ErrorKind::Unsupported)),
    ] {
        let registry = Script::start(move |seen| match seen.method.as_str() {
            "DELETE" => answer(status),
            _ => answer(200),
        })
        .await;
        let deleted = registry.client().repository("a").delete_manifest(&digest(b"{}")).await;
        assert_eq!(deleted.err().map(|error| error.kind()), kind, "{status}");
        assert_eq!(registry.lines(), [format!("DELETE /v2/a/manifests/{}", digest(b"{}"))]);
    }
}

#[tokio::test]
async fn names_cannot_leave_their_place_in_the_path() {
    let registry = Script::start(|seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        _ => answer(404),
    })
    .await;
    for (path, reference) in [("a", "../../x"), ("a?b", "t"), ("a#b", "t"), ("a", "t?x=y")] {
        let _ = registry.client().repository(path).manifest(reference).await;
    }
    for line in registry.lines() {
        assert!(line.contains("/manifests/") && !line.contains(['?', '#']), "{line}");
    }
}
