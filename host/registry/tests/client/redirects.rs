use futures_util::TryStreamExt;
use longshore_registry::Auth;
use longshore_types::ErrorKind;

use crate::script::{MY_BASIC, PASSWORD, Script, answer, digest, me};

/// A registry that wants [`me`] and sends everybody on to `target`.
async fn redirecting(target: String) -> Script {
    Script::start(move |seen| match (seen.target.as_str(), seen.authorization()) {
        ("/v2/", _) | (_, None) => answer(401).header("www-authenticate", "Basic realm=\"r\""),
        _ => answer(307).header("location", target.clone()),
    })
    .await
}

#[tokio::test]
async fn authorization_stays_with_its_host() {
    let store = Script::start(|_| answer(200).body("blob")).await;
    let registry = redirecting(store.url("/blob?sig=s3cret")).await;
    let repository = registry.client_as(me()).repository("a");
    let body = repository.blob(&digest(b"blob")).await.unwrap();
    assert_eq!(body.size(), Some(4));
    assert_eq!(body.url(), store.url("/blob?..."));
    let chunks: Vec<_> = body.try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"blob");

    assert_eq!(registry.seen()[1].authorization(), Some(MY_BASIC));
    let asked = &store.seen()[0];
    assert_eq!(asked.line(), "GET /blob?sig=s3cret");
    assert_eq!(asked.authorization(), None);
    assert_eq!(asked.header("referer"), None);
}

#[tokio::test]
async fn a_host_that_we_were_sent_to_gets_no_credentials_for_the_asking() {
    let tokens = Script::start(|_| answer(200).body(r#"{"token":"t"}"#)).await;
    let bearer = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    for challenge in ["Basic realm=\"r\"".to_owned(), bearer] {
        let store = Script::start(move |_| answer(401).header("www-authenticate", challenge.clone())).await;
        let registry = redirecting(store.url("/blob")).await;
        let repository = registry.client_as(me()).repository("a");
        let Err(error) = repository.blob(&digest(b"blob")).await else {
            panic!("a 401 is no blob");
        };
        assert_eq!(error.kind(), ErrorKind::AccessDenied);
        assert_eq!(error.url(), Some(store.url("/blob").as_str()));
        assert!(store.seen().iter().all(|seen| seen.authorization().is_none()));
    }
    assert!(tokens.seen().is_empty());
}

#[tokio::test]
async fn a_loop_ends() {
    let registry = Script::start(|seen| match seen.target.as_str() {
        "/v2/" => answer(200),
        target => answer(302).header("location", format!("{target}?again=s3cret")),
    })
    .await;
    let error = registry.client().repository("a").manifest("t").await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("stopped after 10 redirects"), "{text}");
    assert!(text.contains("/v2/a/manifests/t"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(registry.lines().len(), 11);
}

#[tokio::test]
async fn redirects_to_nowhere_are_errors() {
    for target in ["", "file:///etc/passwd", "http://[", "gopher://h/"] {
        let registry = Script::start(move |seen| match seen.target.as_str() {
            "/v2/" => answer(200),
            _ => answer(302).header("location", target),
        })
        .await;
        let error = registry.client().repository("a").manifest("t").await.unwrap_err();
        assert!(error.to_string().contains("/v2/a/manifests/t"), "{error}");
    }
}

#[tokio::test]
async fn token_servers_may_be_elsewhere_and_redirects_from_them_lose_the_password() {
    let elsewhere = Script::start(|_| answer(200).body(r#"{"token":"good"}"#)).await;
    let target = elsewhere.url("/t");
    let tokens = Script::start(move |_| answer(307).header("location", target.clone())).await;
    let realm = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    let registry = Script::start(move |seen| match seen.authorization() {
        Some("Bearer good") => answer(200),
        _ => answer(401).header("www-authenticate", realm.clone()),
    })
    .await;
    registry.client_as(me()).repository("a").manifest("t").await.unwrap();
    assert_eq!(tokens.seen()[0].authorization(), Some(MY_BASIC));
    assert_eq!(elsewhere.seen()[0].authorization(), None);
}

#[tokio::test]
async fn user_information_in_a_realm_is_not_sent() {
    let tokens = Script::start(|_| answer(200).body(r#"{"token":"good"}"#)).await;
    let realm = format!("Bearer realm=\"http://evil:pw@{}/\"", tokens.host());
    let registry = Script::start(move |seen| match seen.authorization() {
        Some("Bearer good") => answer(200),
        _ => answer(401).header("www-authenticate", realm.clone()),
    })
    .await;
    registry.client().repository("a").manifest("t").await.unwrap();
    assert_eq!(tokens.seen()[0].authorization(), None);
}

#[tokio::test]
async fn uploads_elsewhere_carry_no_authorization() {
    let store = Script::start(|seen| match seen.method.as_str() {
        "PATCH" => answer(202),
        "PUT" => answer(401).header("www-authenticate", "Basic realm=\"r\""),
        _ => answer(204),
    })
    .await;
    let place = store.url("/u?s=1");
    let registry = Script::start(move |seen| match seen.method.as_str() {
        "POST" => answer(202).header("location", place.clone()),
        _ => answer(200),
    })
    .await;
    for auth in [me(), Auth::RegistryToken(PASSWORD.into())] {
        let repository = registry.client_as(auth).repository("a");
        let mut upload = repository.start_upload().await.unwrap();
        let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>("blob".into())]);
        upload.send(chunks, Some(4)).await.unwrap();
        let error = upload.finish(&digest(b"blob")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccessDenied);
    }
    let methods: Vec<_> = store.seen().iter().map(|seen| seen.method.clone()).collect();
    assert_eq!(methods, ["PATCH", "PUT", "DELETE", "PATCH", "PUT", "DELETE"]);
    assert!(store.seen().iter().all(|seen| seen.authorization().is_none()));
}
