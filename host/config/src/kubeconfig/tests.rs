#![allow(clippy::unwrap_used)]

use tempfile::TempDir;

use super::*;

/// A file in which the current context has this cluster and this user, each in YAML's flow style.
fn file(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\npreferences: {{}}\ncurrent-context: c\n\
         clusters:\n- {{name: other, cluster: {{server: 'https://other'}}}}\n- {{name: k, cluster: {{{cluster}}}}}\n\
         users:\n- {{name: u, user: {{{user}}}}}\n\
         contexts:\n- {{name: c, context: {{cluster: k, user: u, namespace: n}}}}\n"
    )
}

fn load(folder: &TempDir, files: &[(&str, &str)], variable: &str) -> Result<ApiServer, String> {
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let here = folder.path().display().to_string();
    let environment = Environment::empty("/").with("KUBECONFIG", variable.replace("HERE", &here));
    let loaded = ApiServer::load(&environment.with("HOME", folder.path()));
    loaded.map_err(|error| error.to_string().replace(&here, "HERE"))
}

fn summary(server: &ApiServer) -> String {
    let shown = |file: &PemFile| String::from_utf8_lossy(&file.bytes).into_owned();
    let credentials = match &server.credentials {
        None => String::new(),
        Some(ApiCredentials::Token(token)) => format!(" token {token}"),
        Some(ApiCredentials::Basic { username, password }) => format!(" basic {username}|{password}"),
    };
    let roots = server.roots.as_ref().map(|file| format!(" roots {}", shown(file)));
    let client = server.client.as_ref();
    let client = client.map(|client| format!(" client {}+{}", shown(&client.certificate), shown(&client.key)));
    let verify = if server.tls_verify { "" } else { " unverified" };
    let (roots, client) = (roots.unwrap_or_default(), client.unwrap_or_default());
    format!("{}{verify}{roots}{client}{credentials}", server.url)
}

#[test]
fn clusters_and_users() {
    let secure = "server: 'https://h:8443'";
    let with = |more: &str| format!("{secure}, {more}");
    let both = "client-certificate: cert.pem, client-key: key.pem";
    let rows = [
        (secure.to_owned(), "token: hunter2", "https://h:8443 token hunter2"),
        (
            secure.to_owned(),
            "username: me, password: hunter2",
            "https://h:8443 basic me|hunter2",
        ),
        (
            secure.to_owned(),
            "token: null, username: me",
            "https://h:8443 basic me|",
        ),
        (secure.to_owned(), both, "https://h:8443 client CERT+KEY"),
        (
            secure.to_owned(),
            "client-certificate-data: Qw==, client-key-data: Sw==",
            "https://h:8443 client C+K",
        ),
        (secure.to_owned(), "exec: {command: x}", "https://h:8443"),
        (with("certificate-authority: ca.pem"), "", "https://h:8443 roots CA"),
        (with("certificate-authority-data: Uk9P\"\""), "", ""),
        (
            with("certificate-authority-data: 'Uk9P VA=='"),
            "",
            "https://h:8443 roots ROOT",
        ),
        (
            with("insecure-skip-tls-verify: true"),
            "token: t",
            "https://h:8443 unverified token t",
        ),
        // Nothing secret goes over plain HTTP.
        ("server: 'http://h'".to_owned(), "token: hunter2", "http://h"),
        ("server: 'h:80'".to_owned(), "token: hunter2", "http://h:80"),
        ("server: ''".to_owned(), "token: hunter2", "http://localhost:8080"),
    ];
    for (cluster, user, expected) in rows {
        let folder = TempDir::new().unwrap();
        let text = file(&cluster, user);
        let files = [
            ("config", text.as_str()),
            ("cert.pem", "CERT"),
            ("key.pem", "KEY"),
            ("ca.pem", "CA"),
        ];
        let loaded = load(&folder, &files, "HERE/config");
        if expected.is_empty() {
            loaded.unwrap_err();
            continue;
        }
        let loaded = loaded.unwrap();
        assert_eq!(summary(&loaded), expected);
        assert!(!format!("{loaded:?}").contains("hunter2"), "{loaded:?}");
    }
}

#[test]
fn the_first_file_that_says_something_counts() {
    let one = file("server: 'https://one'", "token: a");
    let two = file("server: 'https://two'", "token: b");
    let nothing = "# nothing\n";
    let context = "current-context: d\ncontexts:\n- {name: d, context: {cluster: other}}\n";
    for (files, variable, expected) in [
        (
            &[("1", one.as_str()), ("2", &two)][..],
            "HERE/1:HERE/2",
            "https://one token a",
        ),
        (
            &[("1", &one), ("2", &two)],
            "HERE/missing::HERE/2:HERE/1",
            "https://two token b",
        ),
        (&[("1", nothing), ("2", &two)], "HERE/1:HERE/2", "https://two token b"),
        (&[("1", context), ("2", &two)], "HERE/1:HERE/2", "https://other"),
        (&[("1", "")], "HERE/1", "http://localhost:8080"),
        (&[("1", "current-context: nowhere")], "HERE/1", "http://localhost:8080"),
        (&[], "HERE/missing", "http://localhost:8080"),
    ] {
        let folder = TempDir::new().unwrap();
        assert_eq!(
            summary(&load(&folder, files, variable).unwrap()),
            expected,
            "{variable}"
        );
    }

    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join(".kube")).unwrap();
    let loaded = load(&folder, &[(".kube/config", &one)], "").unwrap();
    assert_eq!(summary(&loaded), "https://one token a");
}

#[test]
fn what_does_not_fit_is_refused_without_quoting_secrets() {
    let secure = "server: 'https://h'";
    let with = |more: &str| file(&format!("{secure}, {more}"), "");
    let user = |user: &str| file(secure, user);
    let large = " ".repeat(usize::try_from(MAX_FILE).unwrap() + 1);
    for (text, expected) in [
        (
            user("token: hunter2, username: me"),
            "more than one authentication method found for u",
        ),
        (
            user("client-certificate-data: Qw=="),
            "client-key-data or client-key must be specified for u",
        ),
        (user("client-certificate: gone, client-key: k"), "reading HERE/gone:"),
        (
            user("client-certificate-data: Qw==, client-key-data: hunter2!"),
            "client-key-data of u is no base64",
        ),
        (
            user("client-certificate-data: Qw==, client-key: k, client-key-data: Sw=="),
            "are both specified for u",
        ),
        (
            user("client-certificate: '/', client-key: k"),
            "reading /: not a regular file",
        ),
        (
            with("certificate-authority: c, certificate-authority-data: Qw=="),
            "are both specified for k (HERE/config)",
        ),
        (
            with("insecure-skip-tls-verify: hunter2"),
            "it is no kubeconfig file at line 7",
        ),
        (user("token: [hunter2]"), "it is no kubeconfig file at line 9"),
        (
            "users: {hunter2".to_owned(),
            "Error loading config file \"HERE/config\": it is no kubeconfig file",
        ),
        ("- hunter2".to_owned(), "it is no kubeconfig file"),
        (large, "HERE/config: the file is larger than the limit of 4194304 bytes"),
    ] {
        let folder = TempDir::new().unwrap();
        let error = load(&folder, &[("config", &text)], "HERE/config").unwrap_err();
        assert!(
            error.contains(expected) && !error.contains("hunter2"),
            "{expected}: {error}"
        );
    }
}
