//! Certificates of any other authority (SS-17).

use std::net::IpAddr;

use crate::certificate::Certificate;

/// Whether a certificate is for the owner of an e-mail address, or for a host, or both.
pub(crate) fn check_subject(
    certificate: &Certificate,
    email: Option<&str>,
    host_name: Option<&str>,
) -> Result<(), String> {
    if let Some(email) = email {
        let emails = certificate.emails();
        if !emails.contains(&email) {
            return Err(format!("Required email {email:?} not found (got {emails:?})"));
        }
    }
    if let Some(host) = host_name
        && !is_for_host(certificate, host)
    {
        return Err(format!(
            "Unexpected subject hostname: certificate is valid for {:?}, not {host}",
            certificate.host_names()
        ));
    }
    Ok(())
}

/// As a TLS client compares: addresses by their bytes, names without case, a wildcard for the first label only.
fn is_for_host(certificate: &Certificate, host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Ok(address) = address.unwrap_or(host).parse::<IpAddr>() {
        let addresses = certificate.addresses();
        return match address {
            IpAddr::V4(address) => addresses.contains(&address.octets().as_slice()),
            IpAddr::V6(address) => addresses.contains(&address.octets().as_slice()),
        };
    }
    certificate.host_names().iter().any(|pattern| is_host_of(host, pattern))
}

fn is_host_of(host: &str, pattern: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let (mut host, mut pattern) = (host.split('.'), pattern.split('.'));
    let (Some(first), Some(first_pattern)) = (host.next(), pattern.next()) else {
        return false;
    };
    let same = |one: &str, other: &str| !one.is_empty() && one.eq_ignore_ascii_case(other);
    let rest: (Vec<_>, Vec<_>) = (host.collect(), pattern.collect());
    let (rest, rest_of_pattern) = rest;
    (same(first, first_pattern) || (first_pattern == "*" && !first.is_empty() && !rest.is_empty()))
        && rest.len() == rest_of_pattern.len()
        && rest.iter().zip(&rest_of_pattern).all(|(one, other)| same(one, other))
}

#[cfg(test)]
mod tests {
    use super::is_host_of;

    #[test]
    fn hosts() {
        for (host, pattern, expected) in [
            ("example.com", "example.com", true),
            ("EXAMPLE.com.", "example.COM", true),
            ("a.example.com", "*.example.com", true),
            ("*.example.com", "*.example.com", true),
            ("example.com", "*.example.com", false),
            ("a.b.example.com", "*.example.com", false),
            ("a.example.com", "a.*.com", false),
            ("ab.example.com", "a*.example.com", false),
            ("example", "*", false),
            ("example.com", "example.com.", false),
            ("example.com..", "example.com", false),
            (".example.com", "*.example.com", false),
            ("", "", false),
            ("example.com", "", false),
        ] {
            assert_eq!(is_host_of(host, pattern), expected, "{host} {pattern}");
        }
    }
}
