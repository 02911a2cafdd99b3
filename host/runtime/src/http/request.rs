//! Requests as guests put them, checked.

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::bindings::transport::longshore::transport::http::Request as GuestRequest;
use crate::files::{GuestResult, guest_error};
use crate::limits;

/// Header fields that say how the host talks to the server.
const OWN: [&str; 8] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
];

/// A request that may be sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// For messages: the method and the path, as the guest has them.
    pub(super) shown: String,
}

impl Request {
    /// Checks a request for the origin that `base` is the URL of.
    pub(super) fn check(request: &GuestRequest, base: &str, read_only: bool) -> GuestResult<Self> {
        let invalid = |text: String| guest_error("invalid-data", text);
        let method = match request.method.as_str() {
            "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" if read_only => {
                let text = format!("{} is more than this operation may send", request.method);
                return Err(guest_error("access-denied", text));
            }
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            "OPTIONS" => Method::OPTIONS,
            _ => return Err(invalid("unknown request method".to_owned())),
        };
        let target = &request.target;
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\';
        if !target.starts_with('/') || target.len() > limits::HTTP_TARGET || !target.bytes().all(plain) {
            return Err(invalid("malformed request target".to_owned()));
        }
        let url = Url::parse(&format!("{base}{target}")).map_err(|error| invalid(error.to_string()))?;
        Ok(Self {
            shown: format!("{method} {}", target.split('?').next().unwrap_or_default()),
            method,
            url,
            headers: headers(&request.headers)?,
        })
    }
}

fn headers(given: &[(String, String)]) -> GuestResult<HeaderMap> {
    let invalid = |text: String| guest_error("invalid-data", text);
    let size: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if given.len() > limits::HTTP_REQUEST_HEADERS || size > limits::HTTP_REQUEST_HEADER_BYTES {
        return Err(invalid("too many header fields in a request".to_owned()));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let parsed = HeaderName::from_lowercase(name.as_bytes());
        let parsed = parsed.map_err(|_| invalid("malformed name of a header field".to_owned()))?;
        if OWN.contains(&parsed.as_str()) || parsed == "upgrade" || parsed.as_str().starts_with("proxy-") {
            return Err(invalid(format!("the header field {parsed} is the host's own")));
        }
        let visible = value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        let value = HeaderValue::from_str(value).ok().filter(|_| visible);
        let value = value.ok_or_else(|| invalid(format!("malformed value of the header field {parsed}")))?;
        headers.append(parsed, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, target: &str, headers: &[(&str, &str)], read_only: bool) -> Result<String, String> {
        let request = GuestRequest {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let checked = Request::check(&request, "http://h:5", read_only);
        checked
            .map(|request| request.url.to_string())
            .map_err(|error| error.code)
    }

    #[test]
    fn targets_stay_at_the_origin() {
        for (target, expected) in [
            ("/", Ok("http://h:5/")),
            ("/a/b?c=d%2Fe", Ok("http://h:5/a/b?c=d%2Fe")),
            ("//other/a", Ok("http://h:5//other/a")),
            ("/../../a", Ok("http://h:5/a")),
            ("/@other", Ok("http://h:5/@other")),
            ("", Err("invalid-data")),
            ("@other/", Err("invalid-data")),
            ("0/", Err("invalid-data")),
            ("http://other/", Err("invalid-data")),
            ("/a#b", Err("invalid-data")),
            ("/a b", Err("invalid-data")),
            ("/\\other", Err("invalid-data")),
            ("/a\r\nhost: other", Err("invalid-data")),
            ("/\u{e9}", Err("invalid-data")),
        ] {
            let found = check("GET", target, &[], false);
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{target}");
        }
        assert!(check("GET", &format!("/{}", "a".repeat(limits::HTTP_TARGET)), &[], false).is_err());
    }

    #[test]
    fn methods() {
        for (method, read_only, expected) in [
            ("GET", true, None),
            ("HEAD", true, None),
            ("POST", false, None),
            ("POST", true, Some("access-denied")),
            ("DELETE", true, Some("access-denied")),
            ("CONNECT", false, Some("invalid-data")),
            ("TRACE", false, Some("invalid-data")),
            ("get", false, Some("invalid-data")),
            ("GET /a HTTP/1.1", false, Some("invalid-data")),
        ] {
            let found = check(method, "/", &[], read_only).err();
            assert_eq!(found.as_deref(), expected, "{method}");
        }
    }

    #[test]
    fn header_fields() {
        let long = "a".repeat(limits::HTTP_REQUEST_HEADER_BYTES);
        let many = vec![("a", "b"); limits::HTTP_REQUEST_HEADERS + 1];
        for (headers, good) in [
            (&[("content-type", "application/x-tar"), ("x-a", "b c\td")][..], true),
            (&[("Content-Type", "a")], false),
            (&[("host", "other")], false),
            (&[("transfer-encoding", "chunked")], false),
            (&[("content-length", "5")], false),
            (&[("upgrade", "tcp")], false),
            (&[("proxy-authorization", "a")], false),
            (&[("a b", "c")], false),
            (&[("", "c")], false),
            (&[("a", "b\r\nc: d")], false),
            (&[("a", "\u{e9}")], false),
            (&[("a", &long)], false),
            (&many, false),
        ] {
            assert_eq!(check("GET", "/", headers, false).is_ok(), good, "{headers:?}");
        }
    }
}
