use futures_util::TryStreamExt;
use longshore_types::ErrorKind;

use crate::script::{Script, answer, digest};

#[tokio::test]
async fn bodies_with_and_without_a_size() {
    let registry = Script::start(|seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        target if target.contains("/sized/") => answer(200).body("blob"),
        _ => answer(200).stuck("bl"),
    })
    .await;
    let client = registry.client();
    let body = client.repository("sized").blob(&digest(b"blob")).await.unwrap();
    assert_eq!(body.size(), Some(4));
    let chunks: Vec<_> = body.try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"blob");

    let mut body = client.repository("chunked").blob(&digest(b"blob")).await.unwrap();
    assert_eq!(body.size(), None);
    assert_eq!(body.try_next().await.unwrap().unwrap(), "bl");
}

#[tokio::test]
async fn exists() {
    let registry = Script::start(|seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        target if target.contains("/here/") => answer(200).header("content-length", "77"),
        target if target.contains("/denied/") => answer(403),
        _ => answer(404),
    })
    .await;
    let client = registry.client();
    let blob = digest(b"blob");
    for (name, expected) in [
        ("here", Ok(Some(77))),
        ("gone", Ok(None)),
        ("denied", Err(ErrorKind::AccessDenied)),
    ] {
        let exists = client.repository(name).blob_exists(&blob).await;
        assert_eq!(exists.map_err(|error| error.kind()), expected, "{name}");
    }
}

#[tokio::test]
async fn missing_blobs() {
    let registry = Script::start(|seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        _ => answer(404),
    })
    .await;
    let blob = registry.client().repository("a").blob(&digest(b"blob")).await;
    assert_eq!(blob.err().map(|error| error.kind()), Some(ErrorKind::BlobNotFound));
}

#[tokio::test]
async fn mounts() {
    let registry = Script::start(|seen| match (seen.method.as_str(), seen.target.as_str()) {
        ("POST", target) if target.contains("/mounts/") => answer(201),
        ("POST", target) if target.contains("/opens/") => answer(202).header("location", "u?s=1"),
        ("POST", target) if target.contains("/denies/") => answer(403),
        ("POST", target) if target.contains("/breaks/") => answer(500),
        ("POST", _) => answer(404),
        _ => answer(200),
    })
    .await;
    let client = registry.client();
    let blob = digest(b"blob");
    for (name, expected) in [
        ("mounts", Some(true)),
        ("opens", Some(false)),
        ("denies", Some(false)),
        ("lacks", Some(false)),
        ("breaks", None),
    ] {
        let mounted = client.repository(name).mount(&blob, "from/b").await;
        assert_eq!(mounted.ok(), expected, "{name}");
    }
    let lines = registry.lines();
    let hex = blob.hex();
    let query = format!("?mount=sha256%3A{hex}&from=from%2Fb");
    assert_eq!(lines[0], format!("POST /v2/mounts/blobs/uploads/{query}"));
    assert_eq!(
        lines[2], "DELETE /v2/opens/blobs/uploads/u?s=1",
        "the session is cancelled"
    );
    assert_eq!(lines.len(), 6, "{lines:?}");
}
