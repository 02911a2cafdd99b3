//! `WWW-Authenticate`, read by the crate http-auth: several challenges per header and several
//! headers are understood, unknown schemes are kept out.

use http_auth::parser::ChallengeParser;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// One way in that a registry offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer(Bearer),
}

/// The parameters of a Bearer challenge. What the registry left out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) realm: String,
    pub(crate) service: String,
    pub(crate) scope: String,
    pub(crate) error: String,
}

/// The challenges of an answer that this client can meet, in the registry's order.
pub(crate) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse)
        .collect()
}

fn parse(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    for item in ChallengeParser::new(header) {
        match item {
            Ok(challenge) if challenge.scheme.eq_ignore_ascii_case("basic") => {
                found.push(Challenge::Basic);
            }
            Ok(challenge) if challenge.scheme.eq_ignore_ascii_case("bearer") => {
                let mut bearer = Bearer::default();
                for (key, value) in &challenge.params {
                    let slot = match key.to_ascii_lowercase().as_str() {
                        "realm" => &mut bearer.realm,
                        "service" => &mut bearer.service,
                        "scope" => &mut bearer.scope,
                        "error" => &mut bearer.error,
                        _ => continue,
                    };
                    *slot = value.to_unescaped();
                }
                found.push(Challenge::Bearer(bearer));
            }
            Ok(_) => {}
            // Servers in the field send `Basic realm=Some Words`; the scheme is all that Basic needs.
            Err(_) if found.is_empty() && scheme_is_basic(header) => found.push(Challenge::Basic),
            Err(_) => {}
        }
    }
    found
}

fn scheme_is_basic(header: &str) -> bool {
    header
        .split_ascii_whitespace()
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("basic"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Bearer, Challenge, challenges, parse};
    use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

    fn bearer(realm: &str, service: &str, scope: &str, error: &str) -> Challenge {
        Challenge::Bearer(Bearer {
            realm: realm.into(),
            service: service.into(),
            scope: scope.into(),
            error: error.into(),
        })
    }

    #[test]
    fn forms_seen_in_the_field() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
        let cases = [
            (
                hub,
                vec![bearer("https://auth.docker.io/token", "registry.docker.io", "", "")],
            ),
            (r#"Basic realm="r""#, vec![Challenge::Basic]),
            ("Basic", vec![Challenge::Basic]),
            ("BASIC realm=Some Words", vec![Challenge::Basic]),
            (r#"bearer REALM="a", Service=b"#, vec![bearer("a", "b", "", "")]),
            (r#"Bearer realm="q\"\\x""#, vec![bearer("q\"\\x", "", "", "")]),
            (
                r#"Digest nonce="1", Basic realm="r", Bearer realm="a",scope="p:q:pull,push",error="insufficient_scope""#,
                vec![Challenge::Basic, bearer("a", "", "p:q:pull,push", "insufficient_scope")],
            ),
        ];
        for (header, expected) in cases {
            assert_eq!(parse(header), expected, "{header}");
        }
    }

    #[test]
    fn hostile_forms_give_nothing() {
        let long = format!("Bearer {}", "a=b,".repeat(10_000) + "\u{1}");
        let cases = [
            "",
            ",,,,",
            "=",
            "Bearer realm=\"never closed",
            "Bearer realm=\"x\\",
            "Bearer \"",
            "Bearer realm==",
            long.as_str(),
            "Negotiate YII==",
        ];
        for header in cases {
            assert_eq!(parse(header), [], "{header:.40}");
        }
    }

    #[test]
    fn header_lines_add_up_and_unreadable_ones_are_left_out() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"a\""));
        headers.append(
            WWW_AUTHENTICATE,
            HeaderValue::from_bytes(b"Bearer realm=\"\xff\"").unwrap(),
        );
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"b\""));
        assert_eq!(challenges(&headers), [Challenge::Basic, bearer("b", "", "", "")]);
    }

    #[test]
    fn mutations_of_good_forms_do_no_harm() {
        let corpus = [
            r#"Bearer realm="https://a/t",service="s",scope="repository:x:pull",error="e""#,
            r#"Basic realm="q\"x", Bearer realm=a"#,
        ];
        for good in corpus {
            for position in 0..good.len() {
                parse(&good[..position]);
                for replacement in ["", "\"", "\\", ",", "=", " ", "\t", "\u{0}", "\u{e9}", "\"\"", "a=b"] {
                    let bad = format!("{}{replacement}{}", &good[..position], &good[position + 1..]);
                    let found = parse(&bad);
                    assert!(found.len() <= bad.matches(',').count() + 1, "{bad}");
                }
            }
        }
    }
}
