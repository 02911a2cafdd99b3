use futures_util::TryStreamExt;
use longshore_registry::{Client, Problem};
use longshore_types::{ErrorKind, MAX_MANIFEST_SIZE};

use crate::script::{Answer, OCI_MANIFEST, Script, answer, digest, hang_up, never};

/// A registry that is in order until it is asked for more than a ping.
async fn after_ping(misdeed: impl Fn() -> Answer + Send + Sync + 'static) -> Script {
    Script::start(move |seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        _ => misdeed(),
    })
    .await
}

#[tokio::test]
async fn statuses() {
    let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
    let cases = [
        (
            403,
            "",
            ErrorKind::AccessDenied,
            "StatusCode: 403, \"\"",
            "403 Forbidden",
        ),
        (
            404,
            unknown,
            ErrorKind::ImageNotFound,
            "manifest unknown: manifest unknown",
            "404 Not Found",
        ),
        (
            500,
            "<p>",
            ErrorKind::Other,
            "StatusCode: 500, \"<p>\"",
            "500 Internal Server Error",
        ),
        (204, "", ErrorKind::Other, "StatusCode: 204, \"\"", "204 No Content"),
    ];
    for (status, body, kind, problem, reason) in cases {
        let registry = after_ping(move || answer(status).body(body)).await;
        let error = registry.client().repository("a").manifest("t").await.unwrap_err();
        let (host, url) = (registry.host(), registry.url("/v2/a/manifests/t"));
        let expected = format!("reading manifest t in {host}/a: {problem} (GET {url}: {reason})");
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), kind);
        assert_eq!(error.is_retryable(), status == 500);
    }
}

#[tokio::test]
async fn too_many_requests_are_repeated_a_few_times() {
    let registry = after_ping(|| answer(429).header("retry-after", "0")).await;
    let error = registry.client().repository("a").manifest("t").await.unwrap_err();
    assert_eq!(error.status(), Some(429));
    assert!(error.is_retryable());
    assert_eq!(registry.lines(), ["GET /v2/a/manifests/t"; 5]);

    let count = std::sync::atomic::AtomicUsize::new(0);
    let registry = after_ping(move || match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 | 1 => answer(429).header("retry-after", "0"),
        _ => answer(200).body("{}"),
    })
    .await;
    registry.client().repository("a").manifest("t").await.unwrap();
    assert_eq!(registry.lines().len(), 3);
}

#[tokio::test]
async fn manifests_without_end() {
    let misdeeds: [fn() -> Answer; 2] = [
        || answer(200).endless(),
        || {
            answer(200)
                .header("content-length", (5_u64 << 30).to_string())
                .stuck("{")
        },
    ];
    for misdeed in misdeeds {
        let registry = after_ping(misdeed).await;
        let error = registry.client().repository("a").manifest("t").await.unwrap_err();
        assert!(matches!(
            error.problem(),
            Problem::TooLarge {
                limit: MAX_MANIFEST_SIZE
            }
        ));
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("/v2/a/manifests/t"), "{error}");
    }
}

#[tokio::test]
async fn the_largest_manifest_is_read() {
    let registry = after_ping(|| answer(200).body(vec![b' '; MAX_MANIFEST_SIZE])).await;
    let fetched = registry.client().repository("a").manifest("t").await.unwrap();
    assert_eq!(fetched.bytes.len(), MAX_MANIFEST_SIZE);
    let registry = after_ping(|| answer(200).body(vec![b' '; MAX_MANIFEST_SIZE + 1])).await;
    registry.client().repository("a").manifest("t").await.unwrap_err();
}

#[tokio::test]
async fn bodies_that_break_off() {
    type Case = (fn() -> Answer, &'static str);
    let cases: [Case; 2] = [
        (
            || answer(200).header("content-length", "100").cut("only this"),
            "after 9 of 100 bytes",
        ),
        (|| answer(200).cut("only this"), "after 9 bytes"),
    ];
    for (misdeed, expected) in cases {
        let registry = after_ping(misdeed).await;
        let repository = registry.client().repository("a");
        let error = repository.manifest("t").await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.is_retryable());

        let mut body = repository.blob(&digest(b"blob")).await.unwrap();
        assert_eq!(body.try_next().await.unwrap().unwrap(), "only this");
        let error = body.try_next().await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(expected) && text.contains("/v2/a/blobs/sha256:"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn error_bodies_without_end_and_cut_ones() {
    let misdeeds: [fn() -> Answer; 2] = [|| answer(500).endless(), || answer(500).cut("half")];
    for misdeed in misdeeds {
        let registry = after_ping(misdeed).await;
        let error = registry.client().repository("a").manifest("t").await.unwrap_err();
        assert_eq!(error.status(), Some(500));
        assert!(error.to_string().len() < 500);
    }
}

#[tokio::test]
async fn registries_that_fall_silent() {
    let misdeeds: [fn() -> Answer; 2] = [never, || answer(200).stuck("{")];
    for misdeed in misdeeds {
        let registry = after_ping(misdeed).await;
        let error = registry.hasty_client().repository("a").manifest("t").await.unwrap_err();
        assert!(matches!(error.problem(), Problem::Stalled(_)), "{error}");
        assert!(error.to_string().contains("/v2/a/manifests/t"), "{error}");
    }
}

#[tokio::test]
async fn nobody_there() {
    // A port that was ours a moment ago.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    for verify in [true, false] {
        let client = Client::builder(&host).tls_verify(verify).build().unwrap();
        let error = client.repository("a").manifest("t").await.unwrap_err();
        let text = error.to_string();
        let stage = format!("reading manifest t in {host}/a: pinging container registry {host}");
        assert!(text.starts_with(&stage) && text.contains("refused"), "{text}");
        assert_eq!(text.contains("and so does http"), !verify, "{text}");
        assert_eq!(error.kind(), ErrorKind::Other);
    }
}

#[tokio::test]
async fn plain_http_is_not_spoken_unless_allowed() {
    let registry = Script::start(|_| answer(200)).await;
    let client = Client::builder(registry.host()).build().unwrap();
    let error = client.repository("a").manifest("t").await.unwrap_err();
    let text = error.to_string();
    let expected = format!(
        "pinging container registry {host}: http: server gave HTTP response to HTTPS client (GET https://{host}/v2/a/manifests/t)",
        host = registry.host()
    );
    assert!(text.ends_with(&expected), "{text}");
    assert!(registry.seen().is_empty());
}

#[tokio::test]
async fn a_ping_that_is_refused() {
    let registry = Script::start(|_| answer(404).body("no registry")).await;
    let error = registry.client().repository("a").manifest("t").await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("StatusCode: 404, \"no registry\""), "{text}");
    assert_eq!(
        error.kind(),
        ErrorKind::Other,
        "that no registry is there is no missing image"
    );
}

#[tokio::test]
async fn a_connection_that_closes_under_a_request_is_made_again_once() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let registry = after_ping(move || match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => hang_up(),
        _ => answer(200).body("{}"),
    })
    .await;
    registry.client().repository("a").manifest("t").await.unwrap();

    let registry = after_ping(hang_up).await;
    let repository = registry.client().repository("a");
    let error = repository.manifest("t").await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_eq!(registry.lines().len(), 2);
    repository
        .put_manifest("t", "{}".into(), OCI_MANIFEST)
        .await
        .unwrap_err();
    assert_eq!(
        registry.lines().len(),
        3,
        "what may have changed something is not sent again"
    );
}
