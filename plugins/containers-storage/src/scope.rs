//! Scopes of policy.json that can match an image here (CS-06).

use longshore_guest::Error;
use longshore_types::Digest;

/// `[[DRIVER@]GRAPHROOT]` and perhaps a name, which may have a digest and an ID.
pub(crate) fn check(scope: &str) -> Result<(), Error> {
    let invalid = |what: &str| Err(Error::invalid_reference(format_args!("scope \"{scope}\": {what}")));
    let Some((store, name)) = scope.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return invalid("it does not begin with a store in brackets");
    };
    let root = match store.split_once('@') {
        Some(("", _)) => return invalid("its driver is empty"),
        Some((_, root)) => root,
        None => store,
    };
    if !root.starts_with('/') {
        return invalid("path name is not absolute");
    }
    let mut parts = name.splitn(3, '@').skip(1);
    let (first, second) = (parts.next(), parts.next());
    match (first, second) {
        (None, _) => Ok(()),
        (Some(only), None) if is_id(only) || is_digest(only) => Ok(()),
        (Some(digest), Some(id)) if is_digest(digest) && is_id(id) => Ok(()),
        _ => invalid("what stands behind its @ is neither a digest nor an image ID"),
    }
}

fn is_digest(text: &str) -> bool {
    Digest::parse(text).is_ok()
}

fn is_id(text: &str) -> bool {
    is_digest(&format!("sha256:{text}"))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn scopes() {
        let id = "a".repeat(64);
        for (scope, good) in [
            ("[/a]".to_owned(), true),
            ("[overlay@/a]".to_owned(), true),
            ("[overlay@/a]docker.io/library/busybox:latest".to_owned(), true),
            (format!("[overlay@/a]docker.io/b@{id}"), true),
            (format!("[overlay@/a]docker.io/b@sha256:{id}"), true),
            (format!("[overlay@/a]docker.io/b:1@sha256:{id}@{id}"), true),
            ("busybox".to_owned(), false),
            ("[/a".to_owned(), false),
            ("[]".to_owned(), false),
            ("[a]".to_owned(), false),
            ("[@/a]".to_owned(), false),
            ("[overlay@a]".to_owned(), false),
            ("[/a]b@c".to_owned(), false),
            (format!("[/a]b@{id}@{id}"), false),
        ] {
            assert_eq!(check(&scope).is_ok(), good, "{scope}");
        }
    }
}
