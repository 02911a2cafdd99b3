use futures_util::TryStreamExt;
use longshore_registry::RegistryError;

use crate::script::{Answer, Script, Seen, answer, digest, me};

/// Reads a blob of a registry that breaks off after `first` and then answers by `rest`.
async fn read(first: &'static str, rest: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> (Script, Read) {
    let registry = Script::start(move |seen| match (seen.target.as_str(), seen.header("range")) {
        ("/v2/", _) => answer(200),
        (_, None) => answer(200).header("content-length", "8").cut(first),
        _ => rest(seen),
    })
    .await;
    let body = registry.client().repository("a").blob(&digest(b"blobblob")).await;
    let chunks: Result<Vec<_>, _> = body.unwrap().try_collect().await;
    (registry, chunks.map(|chunks| chunks.concat()))
}

type Read = Result<Vec<u8>, RegistryError>;

fn partial(range: &'static str) -> Answer {
    answer(206).header("content-range", range)
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let (registry, read) = read("blo", |_| partial("bytes 3-7/8").body("bblob")).await;
    assert_eq!(read.unwrap(), b"blobblob");
    assert_eq!(registry.seen().last().unwrap().header("range"), Some("bytes=3-"));
}

#[tokio::test]
async fn what_is_not_the_rest_is_refused() {
    type Case = (fn() -> Answer, &'static str);
    let cases: [Case; 7] = [
        (|| answer(200).body("blobblob"), "ignores the Range header"),
        (|| answer(206).body("bblob"), "without a Content-Range"),
        (|| partial("bytes 0-7/8").body("blobblob"), "bytes 0-7/8"),
        (|| partial("bytes 3-8/9").body("bblob!"), "bytes 3-8/9"),
        (|| answer(416), "416"),
        (|| answer(404), "404"),
        // It broke twice, and little came in between.
        (
            || partial("bytes 3-7/8").header("content-length", "5").cut("b"),
            "broke off after 1 of 5",
        ),
    ];
    for (rest, expected) in cases {
        let (registry, read) = read("blo", move |_| rest()).await;
        let error = read.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(text.contains("/v2/a/blobs/sha256:"), "{text}");
        assert!(error.is_retryable(), "{text}");
        assert_eq!(registry.lines().len(), 2, "{text}");
    }
}

#[tokio::test]
async fn external_blobs_are_asked_for_without_credentials() {
    let elsewhere = Script::start(|seen| match seen.target.as_str() {
        "/blob" => answer(200).body("blob"),
        "/guarded" => answer(401).header("www-authenticate", "Basic realm=\"r\""),
        _ => answer(404),
    })
    .await;
    let registry = Script::start(|_| answer(401).header("www-authenticate", "Basic realm=\"r\"")).await;
    let client = registry.client_as(me());
    let url = |path: &str| elsewhere.url(path);
    let with_user = url("/blob").replace("//", "//who:what@");
    let cases = [
        (vec![], Ok(None)),
        (
            vec![
                "ftp://h/blob".to_owned(),
                "file:///etc/passwd".to_owned(),
                "//h/x".to_owned(),
            ],
            Ok(None),
        ),
        (vec![url("/blob")], Ok(Some("blob"))),
        (vec![with_user], Ok(Some("blob"))),
        (vec!["ftp://h/".to_owned(), url("/no"), url("/blob")], Ok(Some("blob"))),
        (vec![url("/no"), url("/guarded")], Err("401")),
        (vec![url("/no")], Err("404")),
        (vec![url("/no"); 9], Err("404")),
    ];
    for (urls, expected) in cases {
        let before = elsewhere.seen().len();
        let read = match client.external_blob(&digest(b"blob"), &urls).await {
            Ok(None) => Ok(None),
            Ok(Some(body)) => body.try_collect().await.map(|chunks: Vec<_>| Some(chunks.concat())),
            Err(error) => Err(error),
        };
        match (read, expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read.as_deref(), expected.map(str::as_bytes), "{urls:?}"),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (read, _) => panic!("{urls:?}: {read:?}"),
        }
        assert!(elsewhere.seen().len() - before <= 8, "{urls:?}");
    }
    assert!(elsewhere.seen().iter().all(|seen| seen.authorization().is_none()));
    assert!(registry.seen().is_empty(), "the registry has no part in it");

    let strict = longshore_registry::Client::builder(registry.host()).build().unwrap();
    let refused = strict.external_blob(&digest(b"blob"), &[url("/blob")]).await;
    assert!(
        refused.unwrap().is_none(),
        "http is no way while certificates are verified"
    );
}
