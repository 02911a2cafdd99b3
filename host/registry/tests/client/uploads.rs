use std::io;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use longshore_registry::{Problem, RegistryError, Repository};
use longshore_types::ErrorKind;

use crate::script::{Answer, Script, Seen, answer, digest, never};

const HERE: &str = "/v2/a/blobs/uploads/";

fn chunks(parts: &[&'static str]) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::iter(parts.iter().map(|part| Ok(Bytes::from(*part))).collect::<Vec<_>>())
}

fn zeros(mebibytes: usize) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let part = Bytes::from(vec![0; 1 << 18]);
    stream::iter((0..mebibytes * 4).map(move |_| Ok(part.clone())))
}

async fn push(
    repository: &Repository,
    body: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    size: Option<u64>,
) -> Result<(), RegistryError> {
    let mut upload = repository.start_upload().await?;
    upload.send(body, size).await?;
    upload.finish(&digest(b"blob")).await
}

/// A registry in order: each answer moves the session on, by a Location of another form.
fn obliging(seen: &Seen) -> Answer {
    match seen.method.as_str() {
        "POST" => answer(202).header("location", "u1?_state=a%2Fb%3D"),
        "PATCH" => answer(202).header("location", format!("{HERE}u2?_state=c&x=")),
        "PUT" => answer(201),
        "DELETE" => answer(204),
        _ => answer(200),
    }
}

#[tokio::test]
async fn in_one_request_with_a_size() {
    let registry = Script::start(obliging).await;
    let repository = registry.client().repository("a");
    push(&repository, chunks(&["bl", "ob"]), Some(4)).await.unwrap();
    let digest = digest(b"blob");
    assert_eq!(
        registry.lines(),
        [
            format!("POST {HERE}"),
            format!("PATCH {HERE}u1?_state=a%2Fb%3D"),
            format!("PUT {HERE}u2?_state=c&x=&digest=sha256%3A{}", digest.hex()),
        ]
    );
    let seen = registry.seen();
    assert_eq!(seen[1].header("content-length"), Some("0"));
    assert_eq!(seen[2].header("content-length"), Some("4"));
    assert_eq!(seen[2].header("content-type"), Some("application/octet-stream"));
    assert_eq!(seen[2].header("content-range"), None);
    assert_eq!(seen[2].body, "blob");
    assert_eq!(seen[3].header("content-length"), Some("0"));
}

#[tokio::test]
async fn in_one_request_without_a_size() {
    let registry = Script::start(obliging).await;
    push(&registry.client().repository("a"), chunks(&["blob"]), None)
        .await
        .unwrap();
    let seen = registry.seen();
    assert_eq!(seen[2].header("content-length"), None);
    assert_eq!(seen[2].header("transfer-encoding"), Some("chunked"));
    assert_eq!(seen[2].body, "blob");
}

#[tokio::test]
async fn an_empty_blob() {
    let registry = Script::start(obliging).await;
    push(&registry.client().repository("a"), chunks(&[]), Some(0))
        .await
        .unwrap();
    assert_eq!(registry.seen()[2].header("content-length"), Some("0"));
}

#[tokio::test]
async fn a_location_is_required() {
    let registry = Script::start(|seen| match seen.method.as_str() {
        "POST" => answer(202),
        _ => answer(200),
    })
    .await;
    let error = registry.client().repository("a").start_upload().await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[tokio::test]
async fn what_fails_is_cancelled() {
    type Case = (&'static str, fn(&Seen) -> Answer, Vec<io::Result<Bytes>>, &'static str);
    let blob = || vec![Ok(Bytes::from("blob"))];
    let cases: Vec<Case> = vec![
        ("the registry refuses data", |_| answer(403), blob(), "StatusCode: 403"),
        ("the registry breaks", |_| answer(500), blob(), "StatusCode: 500"),
        (
            "the source fails",
            obliging,
            vec![Ok(Bytes::from("bl")), Err(io::Error::other("disk on fire"))],
            "disk on fire",
        ),
        (
            "the source is short",
            obliging,
            vec![Ok(Bytes::from("bl"))],
            "only 2 of 4 bytes",
        ),
        (
            "the source is long",
            obliging,
            vec![Ok(Bytes::from("blobs"))],
            "more to upload",
        ),
    ];
    for (name, patch, body, expected) in cases {
        let registry = Script::start(move |seen| match seen.method.as_str() {
            "PATCH" => patch(seen),
            _ => obliging(seen),
        })
        .await;
        let repository = registry.client().repository("a");
        let error = push(&repository, stream::iter(body), Some(4)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{name}: {error}");
        let last = registry.lines().pop().unwrap();
        assert_eq!(last, format!("DELETE {HERE}u1?_state=a%2Fb%3D"), "{name}");
    }
}

#[tokio::test]
async fn a_refused_digest_cancels() {
    let registry = Script::start(|seen| match seen.method.as_str() {
        "PUT" => answer(400).body(r#"{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}"#),
        _ => obliging(seen),
    })
    .await;
    let repository = registry.client().repository("a");
    let error = push(&repository, chunks(&["blob"]), Some(4)).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("digest invalid: no") && !text.contains("_state"),
        "{text}"
    );
    assert_eq!(registry.lines().pop().unwrap(), format!("DELETE {HERE}u2?_state=c&x="));
}

#[tokio::test]
async fn a_dropped_upload_is_cancelled_in_the_background() {
    let registry = Script::start(obliging).await;
    let client = registry.client();
    drop(client.repository("a").start_upload().await.unwrap());
    client.settle().await;
    assert_eq!(
        registry.lines().pop().unwrap(),
        format!("DELETE {HERE}u1?_state=a%2Fb%3D")
    );
}

#[tokio::test]
async fn a_registry_that_stops_answering() {
    let registry = Script::start(|seen| match seen.method.as_str() {
        "PATCH" => never(),
        _ => obliging(seen),
    })
    .await;
    let repository = registry.hasty_client().repository("a");
    let error = push(&repository, chunks(&["blob"]), None).await.unwrap_err();
    assert!(matches!(error.problem(), Problem::Stalled(_)), "{error}");
}

#[tokio::test]
async fn a_slow_source_is_no_stall() {
    let registry = Script::start(obliging).await;
    let repository = registry.hasty_client().repository("a");
    // Longer than the client would wait for the registry.
    let slow = stream::once(async {
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        Ok(Bytes::from("blob"))
    });
    push(&repository, slow, None).await.unwrap();
}

/// A registry that insists on ranges.
fn by_ranges(seen: &Seen) -> Answer {
    match (seen.method.as_str(), seen.header("content-range")) {
        ("PATCH", None) => answer(416),
        _ => obliging(seen),
    }
}

#[tokio::test]
async fn a_registry_that_wants_ranges() {
    let registry = Script::start(by_ranges).await;
    let repository = registry.client().repository("a");
    push(&repository, chunks(&["bl", "ob"]), None).await.unwrap();
    push(&repository, chunks(&["blob"]), Some(4)).await.unwrap();
    let methods: Vec<_> = registry.seen().iter().skip(1).map(|seen| seen.method.clone()).collect();
    let first = ["POST", "PATCH", "DELETE", "POST", "PATCH", "PUT"];
    let second = ["POST", "PATCH", "PUT"];
    assert_eq!(methods, [&first[..], &second[..]].concat());
    for index in [5, 8] {
        let seen = &registry.seen()[index];
        assert_eq!(seen.header("content-range"), Some("0-3"));
        assert_eq!(seen.header("content-length"), Some("4"));
        assert_eq!(seen.body, "blob");
    }
}

#[tokio::test]
async fn a_large_blob_goes_in_pieces_when_sent_again() {
    let registry = Script::start_limited(1 << 20, by_ranges).await;
    let repository = registry.client().repository("a");
    let size = 6 << 20;
    let error = push(&repository, zeros(6), Some(size)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    push(&repository, zeros(6), Some(size)).await.unwrap();
    let seen = registry.seen();
    let taken: Vec<_> = seen
        .iter()
        .filter(|seen| seen.method == "PATCH" && !seen.body.is_empty())
        .map(|seen| seen.header("content-range").unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (0..6_u64)
        .map(|n| format!("{}-{}", n << 20, ((n + 1) << 20) - 1))
        .collect();
    assert_eq!(taken, expected);
}

#[tokio::test]
async fn pieces_that_are_taken_in_part_go_on_where_they_ended() {
    let registry = Script::start(|seen| match (seen.method.as_str(), seen.header("content-range")) {
        ("PATCH", None) => answer(416),
        ("PATCH", Some("0-9")) => obliging(seen).header("range", "0-3"),
        ("PATCH", Some("4-9")) => answer(416),
        ("GET", _) if seen.target.starts_with(HERE) => answer(204).header("range", "bytes=0-6"),
        _ => obliging(seen),
    })
    .await;
    let repository = registry.client().repository("a");
    push(&repository, chunks(&["0123456789"]), Some(10)).await.unwrap();
    let seen = registry.seen();
    let sent: Vec<_> = seen
        .iter()
        .filter(|seen| seen.method == "PATCH" && seen.header("content-range").is_some())
        .map(|seen| std::str::from_utf8(&seen.body).unwrap())
        .collect();
    assert_eq!(sent, ["0123456789", "456789", "789"]);
}

#[tokio::test]
async fn pieces_that_get_nowhere_end() {
    type Case = (fn(&Seen) -> Answer, &'static str);
    let cases: [Case; 3] = [
        (|_| answer(416), "StatusCode: 416"),
        (
            |seen| obliging(seen).header("range", "0-99"),
            "says that it has 100 bytes",
        ),
        (|_| answer(507), "StatusCode: 507"),
    ];
    for (patch, expected) in cases {
        let registry = Script::start(move |seen| match (seen.method.as_str(), seen.header("content-range")) {
            ("PATCH", None) => answer(416),
            ("PATCH", Some(_)) => patch(seen),
            ("GET", _) if seen.target.starts_with(HERE) => answer(204),
            _ => obliging(seen),
        })
        .await;
        let repository = registry.client().repository("a");
        let error = push(&repository, chunks(&["blob"]), Some(4)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(registry.lines().pop().unwrap().starts_with("DELETE "), "{expected}");
    }
}
