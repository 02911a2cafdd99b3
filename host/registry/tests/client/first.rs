//! The first request to a registry: the reading itself, where nobody has credentials.

use longshore_types::ErrorKind;

use crate::script::{Script, answer};

const BASIC: &str = "Basic realm=\"r\"";

/// What was asked for, the ping included.
fn asked(registry: &Script) -> Vec<String> {
    registry.seen().iter().map(|seen| seen.line()).collect()
}

#[tokio::test]
async fn a_ping_is_made_only_where_the_reading_tells_too_little() {
    let manifest = "GET /v2/a/manifests/t";
    let ping = "GET /v2/";
    // Answers to the ping and to the reading, the outcome, and what was asked.
    let cases = [
        (200, 200, Ok(()), vec![manifest]),
        (500, 200, Ok(()), vec![manifest]),
        (200, 404, Err(ErrorKind::ImageNotFound), vec![manifest, ping]),
        (404, 404, Err(ErrorKind::Other), vec![manifest, ping]),
        (200, 500, Err(ErrorKind::Other), vec![manifest, ping]),
        (401, 404, Err(ErrorKind::ImageNotFound), vec![manifest, ping, manifest]),
        (200, 401, Err(ErrorKind::AccessDenied), vec![manifest, manifest]),
        (200, 403, Err(ErrorKind::AccessDenied), vec![manifest, ping]),
    ];
    for (to_ping, to_reading, expected, lines) in cases {
        let registry = Script::start(move |seen| {
            let status = if seen.target == "/v2/" { to_ping } else { to_reading };
            let answer = answer(status).body("{}");
            if status == 401 {
                answer.header("www-authenticate", BASIC)
            } else {
                answer
            }
        })
        .await;
        let outcome = registry.client().repository("a").manifest("t").await;
        let outcome = outcome.map(drop).map_err(|error| error.kind());
        assert_eq!(outcome, expected, "{to_ping} {to_reading}");
        assert_eq!(asked(&registry), lines, "{to_ping} {to_reading}");
    }
}

#[tokio::test]
async fn one_request_is_the_first_of_many_at_a_time() {
    let registry = Script::start(|_| answer(200).body("{}")).await;
    let repository = registry.client().repository("a");
    let (manifest, tags) = tokio::join!(repository.manifest("t"), repository.tags());
    assert!(manifest.is_ok() && tags.is_ok());
    assert_eq!(asked(&registry).len(), 2);
}
