//! The HTTP client underneath: TLS, proxies, redirects, and the rules about where secrets go.

use std::net::IpAddr;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use rustls::crypto::{CryptoProvider, ring};
use url::{Host, Url};

use crate::fault::causes;
use crate::limits::{CONNECT_TIMEOUT, HTTP2_CONNECTION_WINDOW, MAX_REDIRECTS};
use crate::tls::Certificates;

/// Builds the HTTP client of one registry. System roots are read here, and only with
/// verification.
pub(crate) fn client(
    host: &Url,
    verify: bool,
    user_agent: &str,
    certificates: &Certificates,
) -> Result<reqwest::Client, String> {
    ensure_crypto_provider();
    let mut headers = HeaderMap::new();
    headers.insert(
        HeaderName::from_static("docker-distribution-api-version"),
        HeaderValue::from_static("registry/2.0"),
    );
    let mut builder = reqwest::Client::builder()
        .user_agent(user_agent)
        .default_headers(headers)
        .connect_timeout(CONNECT_TIMEOUT)
        .tls_danger_accept_invalid_certs(!verify)
        .referer(false)
        .tcp_nodelay(true)
        .http2_initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        // Features unify across a build: were another crate to switch decoding on, digests would
        // no longer match.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .redirect(Policy::custom(move |attempt| redirect(attempt, verify)));
    if certificates.only {
        builder = builder.tls_certs_only(certificates.roots.iter().cloned());
    } else if !certificates.roots.is_empty() {
        builder = builder.tls_certs_merge(certificates.roots.iter().cloned());
    }
    if let Some(client) = &certificates.client {
        builder = builder.identity(client.clone());
    }
    if is_loopback(host) {
        // Go programs never send loopback traffic to a proxy, and users rely on it.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| causes(&error))
}

/// Makes sure that TLS has an implementation to work with.
pub fn ensure_crypto_provider() {
    if CryptoProvider::get_default().is_none() {
        // An embedder, or another thread just now, may have installed one: theirs is as good.
        let _ = ring::default_provider().install_default();
    }
}

/// Follows redirects; reqwest drops the Authorization header when scheme, host or port change.
fn redirect(attempt: Attempt<'_>, verify: bool) -> reqwest::redirect::Action {
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error(format!("stopped after {MAX_REDIRECTS} redirects"));
    }
    let from_https = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if verify && from_https && attempt.url().scheme() != "https" {
        let target = crate::fault::shown(attempt.url());
        return attempt.error(format!("redirected from https to {target}"));
    }
    attempt.follow()
}

/// Whether a URL leads to this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Whether both URLs are served by the same party: scheme, host and port are equal. Only such a
/// party may see the other one's authorization.
pub(crate) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Where a registry's `Location` leads, resolved against the URL that was asked.
///
/// Behind a reverse proxy a registry often names itself with plain http; the same host is then
/// asked over https as before. Any other step down from https is refused while certificates are
/// verified.
pub(crate) fn location(asked: &Url, value: &str, verify: bool) -> Result<Url, String> {
    let mut url = asked
        .join(value)
        .map_err(|error| format!("the Location header is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("the Location header is no http or https URL".to_owned());
    }
    // Neither fails for a URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    if asked.scheme() == "https" && url.scheme() == "http" {
        if url.host() == asked.host() && url.port() == asked.port() {
            // From http to https is always possible.
            let _ = url.set_scheme("https");
        } else if verify {
            return Err("the Location header leads from https to http".to_owned());
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{is_loopback, location, same_origin};
    use url::Url;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn locations() {
        let http = "http://h:5/v2/a/blobs/uploads/";
        let https = "https://h/v2/a/blobs/uploads/";
        let cases = [
            (
                http,
                "/v2/u?_state=a%2Fb%3D&x=",
                Ok("http://h:5/v2/u?_state=a%2Fb%3D&x="),
            ),
            (http, "u1", Ok("http://h:5/v2/a/blobs/uploads/u1")),
            (http, "?s=1", Ok("http://h:5/v2/a/blobs/uploads/?s=1")),
            (http, "https://o/u", Ok("https://o/u")),
            (http, "http://user:pw@h:5/u#f", Ok("http://h:5/u")),
            (https, "http://h/u?s=1", Ok("https://h/u?s=1")),
            (https, "//o/u", Ok("https://o/u")),
            (https, "http://o/u", Err("leads from https to http")),
            (https, "http://h:81/u", Err("leads from https to http")),
            (http, "file:///etc/passwd", Err("no http or https URL")),
            (http, "http://[", Err("no URL")),
        ];
        for (asked, value, expected) in cases {
            match (location(&url(asked), value, true), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got.as_str(), expected, "{value}"),
                (Err(got), Err(expected)) => assert!(got.contains(expected), "{value}: {got}"),
                (got, _) => panic!("{value}: {got:?}"),
            }
        }
        assert!(location(&url(https), "http://o/u", false).is_ok());
    }

    #[test]
    fn origins() {
        let cases = [
            ("https://h/a", "https://h:443/b?c", true),
            ("https://h/a", "http://h/a", false),
            ("http://h:1/", "http://h:2/", false),
            ("http://h/", "http://h.evil/", false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(same_origin(&url(one), &url(other)), expected, "{one} {other}");
        }
    }

    #[test]
    fn loopback_hosts() {
        for (text, expected) in [
            ("http://127.0.0.1:5/", true),
            ("http://127.9.0.1/", true),
            ("http://[::1]:5/", true),
            ("http://localhost/", true),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback(&url(text)), expected, "{text}");
        }
    }
}
