//! The tags of a repository (formats, section 10.5).

use std::collections::HashSet;

use longshore_types::Digest;
use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::error::{Problem, RegistryError, Subject};
use crate::fault::Fault;
use crate::limits::{MAX_QUOTED, MAX_TAG_PAGE_COUNT, MAX_TAG_PAGES};
use crate::refusal::printable;
use crate::reply::Reply;
use crate::repository::Repository;
use crate::request::Call;
use crate::scope::Access;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Repository {
    /// All tags, in the registry's order, over all pages (OP-08).
    ///
    /// Empty entries and digests are left out; anything else that is no tag is an error (LT-05),
    /// and so are pages that go round in circles or are larger together than [`MAX_TAG_PAGES`].
    pub async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        self.all_tags().await.map_err(|fault| {
            let operation = format!("fetching tags list of {}", self.name());
            fault.during(Subject::Other, operation)
        })
    }

    async fn all_tags(&self) -> Result<Vec<String>, Fault> {
        let scopes = self.scopes(Access::Read);
        let mut reply = self.get(["tags", "list"], HeaderMap::new()).await?;
        let first = self.url(["tags", "list"]).await?;
        let mut url = first.clone();
        let mut tags = Vec::new();
        let mut seen = HashSet::new();
        let mut room = MAX_TAG_PAGES;
        loop {
            if reply.status() != StatusCode::OK {
                return Err(reply.refused().await);
            }
            let next = next_page(&reply, &first)?;
            // The addresses that we remember are the registry's choice, too.
            let spent = url.as_str().len();
            let line = reply.line();
            if !seen.insert(url) || seen.len() > MAX_TAG_PAGE_COUNT {
                return Err(reply.malformed("the pages of the list have no end"));
            }
            let too_large = reply.fault(Problem::TooLarge { limit: MAX_TAG_PAGES });
            let body = match reply.body(room).await {
                Err(fault) if matches!(fault.problem(), Problem::TooLarge { .. }) => {
                    return Err(too_large);
                }
                body => body?,
            };
            room = room.saturating_sub(body.len() + spent);
            let page: Page = serde_json::from_slice(&body).map_err(|error| {
                let text = format!("the answer is no list of tags: {error}");
                Fault::new(Problem::Malformed(printable(&text, MAX_QUOTED)), line.clone())
            })?;
            for tag in page.tags.unwrap_or_default() {
                if is_tag(&tag) {
                    tags.push(tag);
                } else if !tag.is_empty() && Digest::parse(&tag).is_err() {
                    let text = format!("registry returned invalid tag {:?}", printable(&tag, 128));
                    return Err(Fault::new(Problem::Malformed(text), line));
                }
            }
            let Some(next) = next else {
                return Ok(tags);
            };
            let call = Call::new(Method::GET, next.clone(), &scopes);
            (url, reply) = (next, self.client.send(call).await?);
        }
    }
}

/// The address of the next page. Only path and query are the registry's to say.
fn next_page(reply: &Reply, first: &Url) -> Result<Option<Url>, Fault> {
    let links = reply.headers().get_all(LINK).iter();
    let mut links = links.filter_map(|value| value.to_str().ok());
    let Some(target) = links.find_map(next_link) else {
        return Ok(None);
    };
    let target = reply.url().join(target);
    let target = target.map_err(|_| reply.malformed("the Link header leads to no URL"))?;
    let mut url = first.clone();
    url.set_path(target.path());
    url.set_query(target.query());
    Ok(Some(url))
}

/// The target of `<TARGET>; rel="next"` in a Link header that may hold several links. A link that
/// names no relation counts, as it does for skopeo.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        // Parameters reach to the next link; the `<` that starts it cannot be in a parameter.
        let parameters = after.split_once('<').map_or(after, |(before, _)| before);
        let relation = parameters.split([';', ',']).find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            let is_relation = key.trim().eq_ignore_ascii_case("rel");
            is_relation.then(|| value.trim().trim_matches('"'))
        });
        if relation.is_none_or(|relation| relation.eq_ignore_ascii_case("next")) {
            return Some(target);
        }
        rest = after;
    }
}

/// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}` (formats, section 10.3).
fn is_tag(text: &str) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bytes = text.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(word)
        && bytes.iter().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::{is_tag, next_link};

    #[test]
    fn links() {
        let cases = [
            (
                r#"</v2/a/tags/list?last=b&n=1>; rel="next""#,
                Some("/v2/a/tags/list?last=b&n=1"),
            ),
            (r#"<x,y;z>;foo=bar; Rel=NEXT"#, Some("x,y;z")),
            (r#"<a>; rel="prev", <b>; rel="next""#, Some("b")),
            (r#"<a>; rel="prev""#, None),
            ("<a>", Some("a")),
            ("<a; rel=next", None),
            ("a>; rel=next", None),
            ("", None),
        ];
        for (header, expected) in cases {
            assert_eq!(next_link(header), expected, "{header}");
        }
    }

    #[test]
    fn tag_grammar() {
        let longest = "a".repeat(128);
        for tag in ["latest", "v1.0-rc_1", "_", "0", longest.as_str()] {
            assert!(is_tag(tag), "{tag}");
        }
        let too_long = "a".repeat(129);
        for text in ["", ".a", "-a", "a b", "a/b", "ä", "a\n", too_long.as_str()] {
            assert!(!is_tag(text), "{text}");
        }
    }
}
