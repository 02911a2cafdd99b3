use crate::bindings::reference::exports::longshore::transport::reference::Identity;
use crate::bindings::transport::longshore::transport::types::Error;

impl Identity {
    /// The identity of an image that is found by its place in the file system:
    /// policy is looked up by the real path, then by its parents without `/`
    /// (DR-07, OC-09).
    pub fn of_path(canonical: String, real_path: String) -> Self {
        let policy_identity = real_path;
        let mut policy_scopes = Vec::new();
        let mut rest = policy_identity.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/')
            && !parent.is_empty()
        {
            policy_scopes.push(parent.to_owned());
            rest = parent;
        }
        Self {
            canonical,
            docker_reference: None,
            policy_identity,
            policy_scopes,
        }
    }

    /// Whether a policy scope is a path that [`Identity::of_path`] can produce:
    /// absolute, not `/`, without empty, `.` and `..` components.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the scope.
    pub fn check_path_scope(scope: &str) -> Result<(), Error> {
        let Some(relative) = scope.strip_prefix('/') else {
            return Err(Error::invalid_reference(format_args!(
                "scope \"{scope}\" must be an absolute path"
            )));
        };
        if relative.is_empty() {
            return Err(Error::invalid_reference(
                "scope \"/\" is not supported, use the generic default scope \"\"",
            ));
        }
        if relative.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(Error::invalid_reference(format_args!(
                "scope \"{scope}\" is not a clean path"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn scopes_are_the_parents() {
        for (path, scopes) in [("/a/b/c", &["/a/b", "/a"][..]), ("/a", &[]), ("/", &[]), ("", &[])] {
            let identity = Identity::of_path(String::new(), path.to_owned());
            assert_eq!(identity.policy_identity, path);
            assert_eq!(identity.policy_scopes, scopes, "{path}");
        }
    }

    #[test]
    fn path_scopes() {
        for (scope, good) in [
            ("/a", true),
            ("/a/b", true),
            ("/", false),
            ("a", false),
            ("/a/", false),
            ("/a//b", false),
            ("/a/../b", false),
            ("/./a", false),
        ] {
            assert_eq!(Identity::check_path_scope(scope).is_ok(), good, "{scope}");
        }
    }
}
