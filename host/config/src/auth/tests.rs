#![allow(clippy::unwrap_used)]

use std::fs;

use tempfile::TempDir;

use super::*;

/// `user:secret`
const USER_SECRET: &str = "dXNlcjpzZWNyZXQ=";

fn basic(username: &str, password: &str) -> Credentials {
    Credentials::Basic {
        username: username.to_owned(),
        password: password.to_owned(),
    }
}

fn lookup(content: &str, name: &str) -> Result<Option<Credentials>, AuthError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("auth.json");
    fs::write(&path, content).unwrap();
    AuthStore::load(Some(&path), &Environment::empty(folder.path())).lookup(name)
}

/// An entry whose user name is `name`.
fn entry(name: &str) -> String {
    use base64::Engine;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{name}:secret"));
    format!(r#"{{"auth":"{auth}"}}"#)
}

#[test]
fn the_most_specific_key_wins() {
    let keys = [
        "example.com",
        "example.com/team",
        "example.com/team/app",
        "example.com:5000",
        "https://index.docker.io/v1/",
        "http://plain.example/v2/whatever",
        "registry-1.docker.io/namespaced",
    ];
    let entries: Vec<_> = keys.iter().map(|key| format!("{key:?}:{}", entry(key))).collect();
    let document = format!(r#"{{"HttpHeaders":{{"a":"b"}},"auths":{{{}}}}}"#, entries.join(","));
    let cases = [
        ("example.com", Some("example.com")),
        ("example.com/other", Some("example.com")),
        ("example.com/team", Some("example.com/team")),
        ("example.com/team/app", Some("example.com/team/app")),
        ("example.com/team/app/deep", Some("example.com/team/app")),
        ("example.com/team/application", Some("example.com/team")),
        ("example.com:5000/team/app", Some("example.com:5000")),
        ("example.com:5001/team/app", None),
        ("docker.io/library/busybox", Some("https://index.docker.io/v1/")),
        ("plain.example/x", Some("http://plain.example/v2/whatever")),
        ("elsewhere.example/example.com", None),
    ];
    for (name, key) in cases {
        let expected = key.map(|key| {
            // A URL's colon ends the user name, as it would for docker.
            let (username, rest) = key.split_once(':').unwrap_or((key, ""));
            let password = if rest.is_empty() {
                "secret".to_owned()
            } else {
                format!("{rest}:secret")
            };
            basic(username, &password)
        });
        assert_eq!(lookup(&document, name).unwrap(), expected, "{name}");
    }
}

#[test]
fn entries_and_what_they_mean() {
    let token = |username: &str| Credentials::IdentityToken {
        username: username.to_owned(),
        token: "abc".to_owned(),
    };
    let cases = [
        (format!(r#"{{"auth":"{USER_SECRET}"}}"#), Some(basic("user", "secret"))),
        // user:se:cret and trailing zero bytes, which old docker wrote.
        (
            r#"{"auth":"dXNlcjpzZTpjcmV0AAA="}"#.to_owned(),
            Some(basic("user", "se:cret")),
        ),
        (
            format!(r#"{{"auth":"{USER_SECRET}","identitytoken":"abc"}}"#),
            Some(token("user")),
        ),
        (r#"{"identitytoken":"abc"}"#.to_owned(), Some(token(""))),
        (
            format!(r#"{{"auth":"{USER_SECRET}","identitytoken":""}}"#),
            Some(basic("user", "secret")),
        ),
        // Plain fields count where there is nothing else.
        (
            r#"{"username":"user","password":"secret"}"#.to_owned(),
            Some(basic("user", "secret")),
        ),
        (
            format!(r#"{{"auth":"{USER_SECRET}","username":"other","password":"word"}}"#),
            Some(basic("user", "secret")),
        ),
        (
            r#"{"username":"user","identitytoken":"abc"}"#.to_owned(),
            Some(token("")),
        ),
        (r#"{"username":"user"}"#.to_owned(), None),
        (r#"{"username":"","password":"secret"}"#.to_owned(), None),
        // Text without a colon is ignored.
        (r#"{"auth":"dXNlcg=="}"#.to_owned(), None),
        (r#"{"auth":""}"#.to_owned(), None),
        ("{}".to_owned(), None),
        ("null".to_owned(), None),
    ];
    for (entry, expected) in cases {
        let document = format!(r#"{{"auths":{{"example.com":{entry}}}}}"#);
        assert_eq!(lookup(&document, "example.com/x").unwrap(), expected, "{entry}");
    }
}

#[test]
fn files_without_credentials() {
    for content in [
        "",
        " \n",
        "{}",
        r#"{"auths":null}"#,
        r#"{"auths":{}}"#,
        r#"{"credsStore":"desktop"}"#,
    ] {
        assert_eq!(lookup(content, "example.com").unwrap(), None, "{content:?}");
    }
}

#[test]
fn broken_files_are_errors_that_quote_nothing() {
    let secret = "c2VjcmV0c2VjcmV0";
    let cases = [
        (format!(r#"{{"auths":"{secret}"}}"#), "line 1"),
        (format!("{{\"auths\":{{\n\"example.com\":\"{secret}\"}}}}"), "line 2"),
        (
            format!(r#"{{"auths":{{"example.com":{{"auth":["{secret}"]}}}}}}"#),
            "line 1",
        ),
        (
            format!(r#"{{"auths":{{"example.com":{{"auth":"{secret}!"}}}}}}"#),
            "base64",
        ),
        (r#"{"auths":{"example.com":{"auth":"/////w=="}}}"#.to_owned(), "base64"),
        (
            format!(r#"{{"auths":{{"example.com":{{"auth":"{secret}"#),
            "unexpected end",
        ),
        (secret.to_owned(), "invalid JSON"),
        ("[]".to_owned(), "another type"),
    ];
    for (content, expected) in cases {
        let error = lookup(&content, "example.com").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains(secret), "{text}");
            assert!(text.contains("auth.json"), "{text}");
        }
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// Looks up with a helper `test` that answers with the name that it is asked for, except for `locked.example` and
/// `empty.example`.
#[cfg(unix)]
fn lookup_with_helper(content: &str, name: &str) -> Result<Option<Credentials>, AuthError> {
    let test = helper::testing::helper(
        r#"read -r host
case $host in
  locked.example) echo locked; exit 1;;
  empty.example) echo credentials not found in native keychain; exit 1;;
esac
printf '{"Username":"%s","Secret":"secret"}' "$host""#,
    );
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("auth.json");
    fs::write(&path, content).unwrap();
    AuthStore::load(Some(&path), &test.environment).lookup(name)
}

#[test]
#[cfg(unix)]
fn helpers_and_stores_are_asked() {
    let helpers = format!(
        r#"{{"auths":{{"a.example":{{"auth":"{USER_SECRET}"}},"b.example":{{"auth":"{USER_SECRET}"}}}},
            "credHelpers":{{"b.example":"test","empty.example":"test","locked.example":"test","c.example":"none"}}}}"#
    );
    let store = format!(
        r#"{{"auths":{{"a.example":{{"auth":"{USER_SECRET}"}},"b.example":{{}},"locked.example":{{}}}},
            "credsStore":"test"}}"#
    );
    let unmarked = r#"{"credsStore":"test"}"#;
    let missing = r#"{"auths":{"b.example":{}},"credsStore":"none"}"#;
    let cases = [
        (helpers.as_str(), "a.example/x", Ok(Some(basic("user", "secret")))),
        (&helpers, "b.example/x", Ok(Some(basic("b.example", "secret")))),
        (&helpers, "empty.example/x", Ok(None)),
        (
            &helpers,
            "locked.example/x",
            Err("docker-credential-test failed: locked"),
        ),
        (&helpers, "c.example/x", Err("no such program")),
        (&store, "a.example/x", Ok(Some(basic("user", "secret")))),
        (&store, "b.example/x", Ok(Some(basic("b.example", "secret")))),
        (&store, "other.example/x", Ok(Some(basic("other.example", "secret")))),
        (
            &store,
            "docker.io/library/busybox",
            Ok(Some(Credentials::Basic {
                username: "https://index.docker.io/v1/".to_owned(),
                password: "secret".to_owned(),
            })),
        ),
        (&store, "locked.example/x", Err("locked")),
        (unmarked, "locked.example/x", Ok(None)),
        (missing, "a.example/x", Ok(None)),
        (missing, "b.example/x", Err("no such program")),
    ];
    for (content, name, expected) in cases {
        match (lookup_with_helper(content, name), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
            (Err(error), Err(expected)) => {
                let text = error.to_string();
                assert!(text.contains(expected) && text.contains("auth.json"), "{name}: {text}");
                assert_eq!(error.kind(), ErrorKind::AccessDenied);
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[test]
fn debug_shows_no_secret() {
    let token = Credentials::IdentityToken {
        username: "user".to_owned(),
        token: "secret".to_owned(),
    };
    for credentials in [basic("user", "secret"), token] {
        let text = format!("{credentials:?}");
        assert!(text.contains("user") && !text.contains("secret"), "{text}");
    }
}

/// A home with a file for each given relative path, whose only entry is named after the path.
fn home(paths: &[&str]) -> (TempDir, Environment) {
    let folder = TempDir::new().unwrap();
    for path in paths {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let entries = format!(r#"{{"example.com":{}}}"#, entry(path));
        let flat = path.ends_with(".dockercfg");
        let content = if flat {
            entries
        } else {
            format!(r#"{{"auths":{entries}}}"#)
        };
        fs::write(file, content).unwrap();
    }
    let environment = Environment::empty(folder.path())
        .with("HOME", folder.path())
        .with("XDG_RUNTIME_DIR", folder.path().join("runtime"));
    (folder, environment)
}

#[test]
#[cfg(target_os = "linux")]
fn files_are_asked_in_order() {
    let order = [
        "runtime/containers/auth.json",
        ".config/containers/auth.json",
        ".docker/config.json",
        ".dockercfg",
    ];
    for first in 0..order.len() {
        let (_folder, environment) = home(&order[first..]);
        let found = AuthStore::load(None, &environment).lookup("example.com/x").unwrap();
        assert_eq!(found, Some(basic(order[first], "secret")));
    }
    let (_folder, environment) = home(&[]);
    assert_eq!(AuthStore::load(None, &environment).lookup("example.com").unwrap(), None);
}

#[test]
fn an_entry_without_credentials_leaves_the_next_file_to_be_asked() {
    let (folder, environment) = home(&[".docker/config.json"]);
    fs::create_dir_all(folder.path().join(".config/containers")).unwrap();
    let first = folder.path().join(".config/containers/auth.json");
    fs::write(first, r#"{"auths":{"example.com":{}}}"#).unwrap();
    let found = AuthStore::load(None, &environment).lookup("example.com").unwrap();
    assert_eq!(found, Some(basic(".docker/config.json", "secret")));
}

#[test]
fn a_named_file_is_the_only_one() {
    let (folder, environment) = home(&[".docker/config.json", "mine.json", "other.json"]);
    let mine = folder.path().join("mine.json");
    let found = |store: AuthStore| store.lookup("example.com").unwrap();
    assert_eq!(
        found(AuthStore::load(Some(&mine), &environment)),
        Some(basic("mine.json", "secret"))
    );
    let with_variable = environment
        .clone()
        .with("REGISTRY_AUTH_FILE", folder.path().join("other.json"));
    assert_eq!(
        found(AuthStore::load(None, &with_variable)),
        Some(basic("other.json", "secret"))
    );
    assert_eq!(
        found(AuthStore::load(Some(&mine), &with_variable)),
        Some(basic("mine.json", "secret"))
    );
    // A missing one means no credentials, not those of the usual places (AF-01).
    let missing = folder.path().join("missing.json");
    assert_eq!(found(AuthStore::load(Some(&missing), &environment)), None);
}

#[test]
fn the_old_flat_format_knows_hosts_only() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(".dockercfg");
    let content = format!(
        r#"{{"https://a.example/v1/":{},"b.example/team":{}}}"#,
        entry("a"),
        entry("b")
    );
    fs::write(file, content).unwrap();
    let environment = Environment::empty(folder.path()).with("HOME", folder.path());
    let store = AuthStore::load(None, &environment);
    assert_eq!(store.lookup("a.example/x/y").unwrap(), Some(basic("a", "secret")));
    assert_eq!(store.lookup("b.example/team").unwrap(), Some(basic("b", "secret")));
}

#[test]
fn references_are_looked_up_by_repository() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("auth.json");
    fs::write(&path, format!(r#"{{"auths":{{"docker.io/library":{}}}}}"#, entry("me"))).unwrap();
    let store = AuthStore::load(Some(&path), &Environment::empty(folder.path()));
    let reference = Reference::parse_normalized("busybox:1").unwrap();
    assert_eq!(store.lookup_reference(&reference).unwrap(), Some(basic("me", "secret")));
}

#[test]
fn a_folder_in_a_files_place_is_an_error() {
    let folder = TempDir::new().unwrap();
    let store = AuthStore::load(Some(folder.path()), &Environment::empty("/"));
    let error = store.lookup("example.com").unwrap_err();
    assert!(matches!(error, AuthError::Read { .. }));
    assert!(error.to_string().contains(&folder.path().display().to_string()));
}
