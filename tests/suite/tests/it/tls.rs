//! Registries with certificates of an authority of their own, and such that want to see ours.

use longshore_tests::{Authority, ImageSpec, Layer, MadeImage, Scratch, TestRegistry, check_layout};

fn image() -> MadeImage {
    ImageSpec::new([Layer::new(1, 100_000)]).make().unwrap()
}

fn serving(authority: &Authority, clients: Option<&Authority>, made: &MadeImage) -> TestRegistry {
    let builder = TestRegistry::builder().tls(authority, clients).unwrap();
    let registry = builder.start().unwrap();
    made.put_into(&registry, "app", "v1");
    registry
}

/// Writes files into a certificate folder below the scratch folder.
fn fill(scratch: &Scratch, folder: &str, files: &[(&str, &str)]) {
    let folder = scratch.path(folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
}

#[test]
fn certificate_folders_open_what_they_are_for() {
    let made = image();
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let us = authority.client().unwrap();
    let them = stranger.client().unwrap();
    let (ca, other_ca) = (authority.pem(), stranger.pem());
    let open = serving(&authority, None, &made);
    let closed = serving(&authority, Some(&authority), &made);
    let trusting = [("ca.crt", ca.as_str())];
    let known = [trusting[0], ("us.cert", &us.certificate), ("us.key", &us.key)];
    let unknown = [trusting[0], ("us.cert", &them.certificate), ("us.key", &them.key)];
    let mixed = [trusting[0], ("us.cert", &us.certificate), ("us.key", &them.key)];
    type Files<'a> = &'a [(&'a str, &'a str)];
    type Expected = Result<(), &'static [&'static str]>;
    let cases: [(&TestRegistry, Files<'_>, Expected); 11] = [
        (&open, &trusting, Ok(())),
        (&open, &known, Ok(())),
        (&closed, &known, Ok(())),
        (&open, &[], Err(&["certificate", "/v2/"])),
        (&open, &[("ca.crt", other_ca.as_str())], Err(&["certificate", "/v2/"])),
        (&closed, &trusting, Err(&["ertificate", "/v2/"])),
        (&closed, &unknown, Err(&["/v2/"])),
        (&open, &mixed, Err(&["us.cert: the key does not fit the certificate"])),
        (
            &open,
            &known[..2],
            Err(&["missing key us.key for client certificate us.cert", "extension .crt"]),
        ),
        (
            &open,
            &[trusting[0], ("us.key", "")],
            Err(&["missing client certificate us.cert for key us.key"]),
        ),
        (
            &open,
            &[(
                "ca.crt",
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            )],
            Err(&["ca.crt: not a PEM certificate"]),
        ),
    ];
    for (registry, files, expected) in cases {
        let names: Vec<_> = files.iter().map(|(name, _)| name).collect();
        let scratch = Scratch::new().unwrap();
        fill(&scratch, "certs", files);
        let tool = scratch.longshore().args(["copy", "--src-cert-dir"]);
        let tool = tool.arg(scratch.path("certs")).arg(registry.name("app:v1"));
        let finished = tool.arg(scratch.name("oci", "to:x")).run();
        match expected {
            Ok(()) => {
                finished.success();
                check_layout(&scratch.path("to"), "x").unwrap();
            }
            Err(fragments) => {
                let story = finished.fails_with(fragments).story();
                assert!(!scratch.path("to").exists(), "{names:?} {story}");
            }
        }
    }
}

#[test]
fn the_users_folder_is_found_by_host_and_port() {
    let made = image();
    let authority = Authority::new().unwrap();
    let registry = serving(&authority, None, &made);
    let ca = authority.pem();
    let host = registry.address().to_string();
    for (folder, found) in [(host.as_str(), true), ("127.0.0.1", false), ("127.0.0.1:1", false)] {
        let scratch = Scratch::new().unwrap();
        let folder = format!("home/.config/containers/certs.d/{folder}");
        fill(&scratch, &folder, &[("ca.crt", &ca)]);
        let tool = scratch.longshore().args(["inspect", "--raw", &registry.name("app:v1")]);
        let finished = tool.run();
        if found {
            finished.success();
        } else {
            finished.fails_with(&["certificate"]);
        }
    }
}

#[test]
fn the_user_agent_has_a_prefix() {
    let registry = TestRegistry::start().unwrap();
    image().put_into(&registry, "app", "v1");
    let scratch = Scratch::new().unwrap();
    let inspect = ["inspect", "--raw", "--tls-verify=false", &registry.name("app:v1")];
    let tool = scratch.longshore().args(["--user-agent-prefix", "ci/7"]).args(inspect);
    tool.run().success();
    let agents = registry.requests();
    assert!(!agents.is_empty());
    for request in agents {
        let agent = request.header("user-agent").unwrap_or_default();
        assert!(agent.starts_with("ci/7 longshore/"), "{agent}");
    }
}
