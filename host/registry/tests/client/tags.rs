use longshore_registry::{MAX_TAG_PAGES, Problem};
use longshore_types::ErrorKind;

use crate::script::{Script, answer, digest};

/// A registry whose tag list is this page.
async fn listing(page: String) -> Script {
    Script::start(move |seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        _ => answer(200).body(page.clone()),
    })
    .await
}

#[tokio::test]
async fn pages_are_followed_by_path_and_query_alone() {
    let elsewhere = Script::start(|_| answer(200)).await;
    let absolute = format!("<{}>; rel=\"next\"", elsewhere.url("/v2/a/tags/list?last=2"));
    let registry = Script::start(move |seen| match seen.target.as_str() {
        "/v2/a/tags/list" => answer(200)
            .header("link", "</v2/a/tags/list?last=1&n=%2F>; rel=\"next\"")
            .body(r#"{"name":"a","tags":["b","a"]}"#),
        "/v2/a/tags/list?last=1&n=%2F" => answer(200).header("link", absolute.clone()).body(r#"{"tags":["c"]}"#),
        "/v2/a/tags/list?last=2" => answer(200).body(r#"{"tags":null}"#),
        _ => answer(200),
    })
    .await;
    let tags = registry.client().repository("a").tags().await.unwrap();
    assert_eq!(tags, ["b", "a", "c"]);
    assert_eq!(registry.lines().len(), 3);
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn entries() {
    let looks_like_a_digest = format!(r#"{{"tags":["","{}","v1"]}}"#, digest(b"x"));
    let cases = [
        (looks_like_a_digest, Ok(vec!["v1"])),
        ("{}".to_owned(), Ok(vec![])),
        (
            r#"{"tags":["a b"]}"#.to_owned(),
            Err("registry returned invalid tag \"a b\""),
        ),
        (
            "{\"tags\":[\"a\\u001b\"]}".to_owned(),
            Err("registry returned invalid tag"),
        ),
        (r#"{"tags":[1]}"#.to_owned(), Err("the answer is no list of tags")),
        ("<html>".to_owned(), Err("the answer is no list of tags")),
    ];
    for (page, expected) in cases {
        let registry = listing(page).await;
        match (registry.client().repository("a").tags().await, expected) {
            (Ok(tags), Ok(expected)) => assert_eq!(tags, expected),
            (Err(error), Err(expected)) => {
                let text = error.to_string();
                assert!(text.contains(expected) && !text.contains('\u{1b}'), "{text}");
                assert_eq!(error.kind(), ErrorKind::InvalidData);
            }
            (got, _) => panic!("{got:?}"),
        }
    }
}

#[tokio::test]
async fn circles() {
    let registry = Script::start(|seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        "/v2/a/tags/list?p=1" => answer(200).header("link", "<?p=2>; rel=next").body("{}"),
        _ => answer(200).header("link", "<?p=1>; rel=next").body("{}"),
    })
    .await;
    let error = registry.client().repository("a").tags().await.unwrap_err();
    assert!(error.to_string().contains("have no end"), "{error}");
    assert_eq!(registry.lines().len(), 4);
}

#[tokio::test]
async fn all_pages_together_are_limited() {
    let page = format!(r#"{{"tags":["a"],"x":"{}"}}"#, " ".repeat(MAX_TAG_PAGES / 3));
    let registry = Script::start(move |seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        target => answer(200)
            .header("link", format!("<list?p={}>; rel=next", target.len()))
            .header("link", format!("<list?{}>; rel=next", "p".repeat(target.len())))
            .body(page.clone()),
    })
    .await;
    let error = registry.client().repository("a").tags().await.unwrap_err();
    assert!(
        matches!(error.problem(), Problem::TooLarge { limit: MAX_TAG_PAGES }),
        "{error}"
    );

    let registry = Script::start(|seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        _ => answer(200).endless(),
    })
    .await;
    let error = registry.client().repository("a").tags().await.unwrap_err();
    assert!(
        matches!(error.problem(), Problem::TooLarge { limit: MAX_TAG_PAGES }),
        "{error}"
    );
}

#[tokio::test]
async fn refusals() {
    let unknown = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known"}]}"#;
    let registry = Script::start(move |seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        _ => answer(404).body(unknown),
    })
    .await;
    let error = registry.client().repository("a").tags().await.unwrap_err();
    let expected = format!(
        "fetching tags list of {}/a: name unknown: repository name not known",
        registry.host()
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}
