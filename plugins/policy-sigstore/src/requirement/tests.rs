#![allow(clippy::expect_used, reason = "a test may fail at any line")]

use longshore_policy::SignedIdentity;

use super::{Material, Requirement, Signer, parse};

fn files(paths: &[&str]) -> Material {
    Material::Files(paths.iter().map(|path| (*path).to_owned()).collect())
}

fn inline(documents: &[&[u8]]) -> Material {
    Material::Inline(documents.iter().map(|document| document.to_vec()).collect())
}

fn read(members: &str) -> Result<Requirement, String> {
    parse(&format!(r#"{{"type":"sigstoreSigned",{members}}}"#))
}

#[test]
fn keys() {
    let rows = [
        (r#""keyPath":"/k""#, files(&["/k"]), None),
        (r#""keyPaths":["/a","/b"]"#, files(&["/a", "/b"]), None),
        (r#""keyData":"AQID""#, inline(&[&[1, 2, 3]]), None),
        (r#""keyData":"""#, inline(&[&[]]), None),
        (r#""keyDatas":["AQ\nI=","AQ=="]"#, inline(&[&[1, 2], &[1]]), None),
        (
            r#""keyPath":"/k","rekorPublicKeyPath":"/r""#,
            files(&["/k"]),
            Some(files(&["/r"])),
        ),
        (
            r#""keyPath":"/k","rekorPublicKeyPaths":["/r","/s"]"#,
            files(&["/k"]),
            Some(files(&["/r", "/s"])),
        ),
        (
            r#""keyPath":"/k","rekorPublicKeyData":"AQ==""#,
            files(&["/k"]),
            Some(inline(&[&[1]])),
        ),
        (
            r#""keyPath":"/k","rekorPublicKeyDatas":["AQ==","Ag=="]"#,
            files(&["/k"]),
            Some(inline(&[&[1], &[2]])),
        ),
    ];
    for (members, keys, log) in rows {
        let expected = Requirement {
            signer: Signer::Keys { keys, log },
            identity: SignedIdentity::MatchRepoDigestOrExact,
        };
        assert_eq!(read(members), Ok(expected), "{members}");
    }
}

#[test]
fn certificates() {
    let fulcio = r#""fulcio":{"caPath":"/c","oidcIssuer":"https://i","subjectEmail":"e@x"},"rekorPublicKeyPath":"/r","signedIdentity":{"type":"matchRepository"}"#;
    let read_fulcio = read(fulcio).expect(fulcio);
    assert_eq!(read_fulcio.files(), ["/c", "/r"]);
    let expected = Requirement {
        signer: Signer::Fulcio {
            authorities: files(&["/c"]),
            issuer: "https://i".to_owned(),
            email: "e@x".to_owned(),
            log: files(&["/r"]),
        },
        identity: SignedIdentity::MatchRepository,
    };
    assert_eq!(read_fulcio, expected);

    let email = Some("e@x".to_owned());
    let host = Some("h".to_owned());
    let rows = [
        (
            r#""caRootsPath":"/c","subjectEmail":"e@x""#,
            files(&["/c"]),
            None,
            email.clone(),
            None,
        ),
        (
            r#""caRootsPath":"/c","caIntermediatesPath":"/i","subjectHostname":"h""#,
            files(&["/c"]),
            Some(files(&["/i"])),
            None,
            host.clone(),
        ),
        (
            r#""caRootsData":"AQ==","caIntermediatesData":"Ag==","subjectEmail":"e@x","subjectHostname":"h""#,
            inline(&[&[1]]),
            Some(inline(&[&[2]])),
            email,
            host,
        ),
    ];
    for (members, roots, intermediates, email, host_name) in rows {
        let pki = format!(r#""pki":{{{members}}}"#);
        let expected = Signer::Pki {
            roots,
            intermediates,
            email,
            host_name,
        };
        assert_eq!(read(&pki).map(|read| read.signer), Ok(expected), "{members}");
    }
}

#[test]
fn refused() {
    let one = "exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio, and pki must be specified";
    let log = "at most one of rekorPublickeyPath";
    let fulcio = r#""fulcio":{"caPath":"/c","oidcIssuer":"i","subjectEmail":"e"}"#;
    let pki = r#""pki":{"caRootsPath":"/c","subjectEmail":"e"}"#;
    let in_fulcio = |members: &str| format!(r#""fulcio":{{{members}}},"rekorPublicKeyPath":"/r""#);
    let in_pki = |members: &str| format!(r#""pki":{{{members}}}"#);
    let many: Vec<_> = (0..17).map(|number| format!("\"/{number}\"")).collect();
    let many = many.join(",");
    let rows = [
        (r#""signedIdentity":{"type":"matchExact"}"#.to_owned(), one),
        (r#""keyPath":"""#.to_owned(), one),
        (r#""keyPath":"/k","keyPaths":["/k"]"#.to_owned(), one),
        (r#""keyPath":"/k","keyData":"AQID""#.to_owned(), one),
        (r#""keyData":"AQID","keyDatas":["AQID"]"#.to_owned(), one),
        (format!(r#""keyPath":"/k",{pki}"#), one),
        (format!(r#""keyPath":"/k",{fulcio},"rekorPublicKeyPath":"/r""#), one),
        (format!(r#"{fulcio},{pki},"rekorPublicKeyPath":"/r""#), one),
        (r#""keyPaths":[]"#.to_owned(), "\"keyPaths\" contains no entries"),
        (r#""keyDatas":[]"#.to_owned(), "\"keyDatas\" contains no entries"),
        (r#""keyPath":null"#.to_owned(), "Key \"keyPath\" is null"),
        (r#""keyPath":["/k"]"#.to_owned(), "keyPath"),
        (r#""keyPaths":"/k""#.to_owned(), "keyPaths"),
        (r#""keyPaths":[null]"#.to_owned(), "keyPaths"),
        (r#""keyData":"AQI""#.to_owned(), "keyData is not valid base64"),
        (r#""keyDatas":["AQID","!"]"#.to_owned(), "keyDatas is not valid base64"),
        (
            r#""keyPath":"/k","keyPath":"/k""#.to_owned(),
            "duplicate key \"keyPath\"",
        ),
        (r#""keyPath":"/k","KeyPath":"/k""#.to_owned(), "Unknown key \"KeyPath\""),
        (
            r#""keyPath":"/k","keyType":"GPGKeys""#.to_owned(),
            "Unknown key \"keyType\"",
        ),
        (
            r#""keyPath":"/k","signedIdentity":null"#.to_owned(),
            "Key \"signedIdentity\" is null",
        ),
        (
            r#""keyPath":"/k","signedIdentity":{"type":"x"}"#.to_owned(),
            "match type \"x\"",
        ),
        (
            r#""keyPath":"/k","rekorPublicKeyPath":"/r","rekorPublicKeyData":"AQID""#.to_owned(),
            log,
        ),
        (
            r#""keyPath":"/k","rekorPublicKeyPaths":["/r"],"rekorPublicKeyDatas":["AQID"]"#.to_owned(),
            log,
        ),
        (
            r#""keyPath":"/k","rekorPublicKeyPaths":[]"#.to_owned(),
            "\"rekorPublicKeyPaths\" contains no entries",
        ),
        (format!(r#""keyPaths":[{many}]"#), "more than 16 files"),
        (fulcio.to_owned(), "must be specified if fulcio is used"),
        (
            format!(r#"{fulcio},"rekorPublicKeyPath":"/r","rekorPublicKeyData":"AQID""#),
            log,
        ),
        (
            in_fulcio(r#""oidcIssuer":"i","subjectEmail":"e""#),
            "At least one of caPath and caData must be specified",
        ),
        (
            in_fulcio(r#""caPath":"/c","caData":"AQID","oidcIssuer":"i","subjectEmail":"e""#),
            "caPath and caData cannot be used simultaneously",
        ),
        (
            in_fulcio(r#""caPath":"/c","subjectEmail":"e""#),
            "oidcIssuer not specified",
        ),
        (
            in_fulcio(r#""caPath":"/c","oidcIssuer":"i","subjectEmail":"""#),
            "subjectEmail not specified",
        ),
        (
            in_fulcio(r#""caPath":"/c","oidcIssuer":"i","subjectEmail":"e","x":1"#),
            "Unknown key \"x\"",
        ),
        (r#""fulcio":[],"rekorPublicKeyPath":"/r""#.to_owned(), "fulcio"),
        (
            in_pki(r#""subjectEmail":"e""#),
            "At least one of caRootsPath and caRootsData must be specified",
        ),
        (
            in_pki(r#""caRootsPath":"/c""#),
            "At least one of subjectEmail, subjectHostname must be specified",
        ),
        (
            in_pki(r#""caRootsPath":"/c","subjectEmail":"""#),
            "At least one of subjectEmail, subjectHostname must be specified",
        ),
        (
            in_pki(r#""caRootsPath":"/c","caRootsData":"AQID","subjectEmail":"e""#),
            "caRootsPath and caRootsData cannot be used simultaneously",
        ),
        (
            in_pki(r#""caRootsPath":"/c","caIntermediatesPath":"/c","caIntermediatesData":"AQID","subjectEmail":"e""#),
            "caIntermediatesPath and caIntermediatesData cannot be used simultaneously",
        ),
        (
            in_pki(r#""caRootsPath":"/c","subjectEmail":"e","oidcIssuer":"i""#),
            "Unknown key \"oidcIssuer\"",
        ),
        (
            format!(r#"{pki},"rekorPublicKeyPath":"/r""#),
            "must not be specified if pki is used",
        ),
    ];
    for (members, fragment) in rows {
        let error = read(&members).expect_err(&members);
        assert!(error.contains(fragment), "{members}: {error}");
    }
    for (json, fragment) in [
        ("", "invalid JSON"),
        ("[]", "invalid JSON"),
        (r#"{"keyPath":"/k"}"#, "Key \"type\" missing"),
        (
            r#"{"type":"signedBy","keyPath":"/k"}"#,
            "Unknown policy requirement type",
        ),
        (r#"{"type":"sigstoreSigned","keyPath":"/k"} x"#, "trailing"),
    ] {
        let error = parse(json).expect_err(json);
        assert!(error.contains(fragment), "{json}: {error}");
    }
}
