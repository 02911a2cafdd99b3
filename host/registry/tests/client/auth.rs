use futures_util::future::join_all;
use longshore_registry::{Access, Auth};
use longshore_types::ErrorKind;

use crate::script::{Answer, MY_BASIC, PASSWORD, Script, Seen, answer, digest, me};

const BASIC: &str = "Basic realm=\"r\"";

fn bearer(seen: &Seen, rest: &str) -> String {
    let host = seen.header("host").unwrap();
    format!("Bearer realm=\"http://{host}/token?x=1\",service=\"s\"{rest}")
}

/// A registry whose token server gives `good`, and that takes nothing else.
fn guarded(seen: &Seen) -> Answer {
    if seen.target.starts_with("/token") {
        return answer(200).body(r#"{"token":"good","expires_in":300}"#);
    }
    match seen.authorization() {
        Some("Bearer good") => answer(200).body("{}"),
        _ => answer(401).header("www-authenticate", bearer(seen, "")),
    }
}

#[tokio::test]
async fn basic() {
    let registry = Script::start(|seen| match seen.authorization() {
        Some(MY_BASIC) => answer(200).body("{}"),
        _ => answer(401).header("www-authenticate", BASIC),
    })
    .await;
    let fetched = registry.client_as(me()).repository("a/b").manifest("t").await;
    assert_eq!(&fetched.unwrap().bytes[..], b"{}");
    let seen = registry.seen();
    assert_eq!(seen[0].line(), "GET /v2/");
    assert_eq!(seen[0].authorization(), None);
    assert_eq!(registry.lines(), ["GET /v2/a/b/manifests/t"]);

    let error = registry.client().repository("a").manifest("t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert_eq!(error.status(), Some(401));
}

#[tokio::test]
async fn bearer_with_password_asks_once_per_scope_set() {
    let registry = Script::start(guarded).await;
    let client = registry.client_as(me());
    let repository = client.repository("a/b");
    let blob = digest(b"{}");
    let heads = join_all((0..6).map(|_| repository.blob_exists(&blob))).await;
    assert!(heads.into_iter().all(|head| head.unwrap() == Some(2)));
    repository.manifest("t").await.unwrap();
    client.repository("a/b").manifest("t").await.unwrap();

    let seen = registry.seen();
    let tokens: Vec<_> = seen.iter().filter(|seen| seen.target.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 1, "{:?}", registry.lines());
    assert_eq!(
        tokens[0].target,
        "/token?x=1&account=me&service=s&scope=repository%3Aa%2Fb%3Apull"
    );
    assert_eq!(tokens[0].authorization(), Some(MY_BASIC));
    let elsewhere = seen.iter().filter(|seen| !seen.target.starts_with("/token"));
    for request in elsewhere {
        assert_ne!(request.authorization(), Some(MY_BASIC), "{}", request.line());
    }
}

#[tokio::test]
async fn scopes_by_operation() {
    let registry = Script::start(|seen| match seen.target.as_str() {
        target if target.contains("/uploads/") => match seen.authorization() {
            Some(_) => answer(201),
            None => answer(401).header("www-authenticate", bearer(seen, "")),
        },
        _ if seen.method == "DELETE" => answer(202),
        _ => guarded(seen),
    })
    .await;
    let client = registry.client();
    let repository = client.repository("a");
    let blob = digest(b"{}");
    repository.tags().await.unwrap();
    repository.put_manifest("t", "{}".into(), "x/y").await.unwrap();
    assert!(repository.mount(&blob, "from/b").await.unwrap());
    repository.delete_manifest(&blob).await.unwrap();
    repository
        .clone()
        .with_access(Access::Delete)
        .manifest("t")
        .await
        .unwrap();
    let lines = registry.lines();
    let tokens: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("GET /token?x=1&service=s&scope="))
        .collect();
    assert_eq!(
        tokens,
        [
            "repository%3Aa%3Apull",
            "repository%3Aa%3Apull%2Cpush",
            "repository%3Aa%3Apull%2Cpush&scope=repository%3Afrom%2Fb%3Apull",
            "repository%3Aa%3A*",
        ]
    );
}

#[tokio::test]
async fn anonymous_token_requests_carry_no_name() {
    let registry = Script::start(guarded).await;
    registry.client().repository("a").manifest("t").await.unwrap();
    let seen = registry.seen();
    let token = seen.iter().find(|seen| seen.target.starts_with("/token")).unwrap();
    assert_eq!(token.target, "/token?x=1&service=s&scope=repository%3Aa%3Apull");
    assert_eq!(token.authorization(), None);
}

#[tokio::test]
async fn identity_tokens_are_exchanged_by_post() {
    let registry = Script::start(|seen| match seen.method.as_str() {
        "POST" => answer(200).body(r#"{"access_token":"good"}"#),
        _ => guarded(seen),
    })
    .await;
    let client = registry.client_as(Auth::IdentityToken("re fresh".into()));
    client.repository("a").manifest("t").await.unwrap();
    let seen = registry.seen();
    let token = seen.iter().find(|seen| seen.method == "POST").unwrap();
    assert_eq!(token.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(
        token.body,
        "grant_type=refresh_token&service=s&client_id=containers%2Fimage\
         &refresh_token=re+fresh&scope=repository%3Aa%3Apull"
    );
}

#[tokio::test]
async fn registry_tokens_are_sent_as_they_are() {
    let registry = Script::start(guarded).await;
    let client = registry.client_as(Auth::RegistryToken("good".into()));
    client.repository("a").manifest("t").await.unwrap();
    let client = registry.client_as(Auth::RegistryToken("bad-secret".into()));
    let error = client.repository("a").manifest("t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert!(!format!("{error} {error:?}").contains("secret"));
    assert_eq!(
        registry.lines(),
        ["GET /v2/a/manifests/t"; 2],
        "no challenge is answered"
    );
}

#[tokio::test]
async fn a_challenge_that_comes_late_is_answered() {
    for (user, challenge) in [(me(), Some(BASIC)), (Auth::Anonymous, None)] {
        let registry = Script::start(move |seen| match seen.target.as_str() {
            "/v2/" => answer(200),
            _ if seen.authorization() == Some(MY_BASIC) => answer(200),
            _ => match challenge {
                Some(challenge) => answer(401).header("www-authenticate", challenge),
                None => guarded(seen),
            },
        })
        .await;
        registry.client_as(user).repository("a").manifest("t").await.unwrap();
    }
}

#[tokio::test]
async fn a_wider_scope_is_asked_for_once() {
    let more = ",scope=\"repository:z:pull\",error=\"insufficient_scope\"";
    let registry = Script::start(move |seen| {
        if seen.target.starts_with("/token") {
            let token = if seen.target.contains("%3Az%3A") {
                "wide"
            } else {
                "narrow"
            };
            return answer(200).body(format!(r#"{{"token":"{token}"}}"#));
        }
        match (seen.target.as_str(), seen.authorization()) {
            ("/v2/a/manifests/t", Some("Bearer wide")) => answer(200),
            _ => answer(401).header("www-authenticate", bearer(seen, more)),
        }
    })
    .await;
    let repository = registry.client().repository("a");
    repository.manifest("t").await.unwrap();

    let before = registry.lines().len();
    let error = repository.manifest("never").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    let lines = registry.lines();
    let asked = lines[before..].iter().filter(|line| line.contains("never")).count();
    assert_eq!(asked, 2, "{lines:?}");
}

#[tokio::test]
async fn a_token_that_the_registry_revoked_is_replaced() {
    let registry = Script::start(|seen| {
        let number = |seen: &Seen| seen.authorization().map(str::to_owned);
        match (seen.target.as_str(), number(seen).as_deref()) {
            ("/v2/a/manifests/t", Some("Bearer good")) => {
                let gone = bearer(seen, ",error=\"invalid_token\"");
                answer(401).header("www-authenticate", gone)
            }
            _ => guarded(seen),
        }
    })
    .await;
    let error = registry.client().repository("a").manifest("t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    let lines = registry.lines();
    let tokens = lines.iter().filter(|line| line.contains("/token")).count();
    assert_eq!((tokens, lines.len()), (2, 5), "{lines:?}");
}

#[tokio::test]
async fn token_servers_that_fail() {
    let huge = format!(r#"{{"token":"{}"}}"#, "s3cret".repeat(300_000));
    let cases: Vec<(Answer, &str)> = vec![
        (answer(401), "unable to retrieve auth token: invalid username/password"),
        (
            answer(500).body("oops"),
            "requesting bearer token: StatusCode: 500, \"oops\"",
        ),
        (
            answer(200).body("{\"token\":\"s3cret\""),
            "not the JSON object expected",
        ),
        (answer(200).body("7"), "not the JSON object expected"),
        (answer(200).body("{}"), "holds no token"),
        (answer(200).body(r#"{"token":""}"#), "holds no token"),
        (
            answer(200).body("{\"token\":\"s3cret\\r\\nX: y\"}"),
            "that no header can have",
        ),
        (answer(200).body(huge), "larger than the limit"),
        (answer(200).endless(), "larger than the limit"),
    ];
    for (token, expected) in cases {
        let token = std::sync::Mutex::new(Some(token));
        let registry = Script::start(move |seen| match seen.target.starts_with("/token") {
            true => token.lock().unwrap().take().unwrap(),
            false => guarded(seen),
        })
        .await;
        let repository = registry.client_as(me()).repository("a");
        let error = repository.manifest("t").await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("s3cret") && !text.contains(PASSWORD), "{text}");
    }
}

#[tokio::test]
async fn challenges_that_lead_nowhere() {
    let cases = [
        ("Bearer service=\"s\"", "missing realm in bearer auth challenge"),
        ("Bearer realm=\"file:///etc/passwd\"", "no http or https URL"),
        ("Negotiate", "StatusCode: 401"),
    ];
    for (challenge, expected) in cases {
        let registry = Script::start(move |_| answer(401).header("www-authenticate", challenge)).await;
        let repository = registry.client_as(me()).repository("a");
        let error = repository.manifest("t").await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
