//! Every transport through the one table of cases; what one cannot do stands here.

use longshore_tests::{DockerApi, Keeps, Subject, TestRegistry, conforms, peer};

#[test]
fn dir() {
    let subject = Subject::new("dir:{folder}/{image}", Keeps::Manifest);
    conforms(&subject, &["delete"]).unwrap();
}

#[test]
fn oci() {
    let subject = Subject::new("oci:{folder}/layout:{image}", Keeps::OciManifest);
    conforms(&subject, &["name that is not ASCII"]).unwrap();
}

#[test]
fn oci_archive() {
    let subject = Subject::new("oci-archive:{folder}/{image}.tar:x", Keeps::OciManifest);
    conforms(&subject, &["delete"]).unwrap();
}

#[test]
fn docker_archive() {
    let subject = Subject::new(
        "docker-archive:{folder}/{image}.tar:example.com/some:x",
        Keeps::Contents,
    );
    conforms(&subject, &["another image under the same name", "list", "delete"]).unwrap();
}

#[test]
fn containers_storage() {
    let reference = "containers-storage:[overlay@{folder}/graph+{folder}/run]localhost/{image}:x";
    let subject = Subject::new(reference, Keeps::Contents);
    conforms(&subject, &["list", "1000 layers", "name that is not ASCII"]).unwrap();
}

#[test]
fn ostree() {
    for mode in ["archive", "bare-user", "bare"] {
        let subject = Subject::new("ostree:{image}@{folder}/repo", Keeps::Contents).prepared_by(move |folder| {
            let repository = format!("--repo={}", folder.join("repo").display());
            peer("ostree")
                .args(["init", &repository, "--mode", mode])
                .run()
                .success();
            Ok(())
        });
        conforms(&subject, &["list", "delete", "name that is not ASCII"]).unwrap();
    }
}

#[test]
fn docker_daemon() {
    let daemon = DockerApi::dockerd().unwrap();
    let host = daemon.address().to_owned();
    let subject = Subject::new("docker-daemon:some/{image}:x", Keeps::Contents).with_access(move |tool, side| {
        let side = side.map(|side| format!("{side}-")).unwrap_or_default();
        tool.arg(format!("--{side}daemon-host={host}"))
    });
    // dockerd stores images that it does not give back, and no deep ones.
    let refused = [
        "list",
        "delete",
        "image without layers",
        "1000 layers",
        "name that is not ASCII",
    ];
    conforms(&subject, &refused).unwrap();
}

#[test]
fn docker() {
    let registry = TestRegistry::start().unwrap();
    let name = registry.name("some/{image}:x");
    let subject = Subject::new(&name, Keeps::Manifest).with_access(|tool, side| {
        let side = side.map(|side| format!("{side}-")).unwrap_or_default();
        tool.arg(format!("--{side}tls-verify=false"))
    });
    conforms(&subject, &["name that is not ASCII"]).unwrap();
}
