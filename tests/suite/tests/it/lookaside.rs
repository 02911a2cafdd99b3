//! Signatures of images in registries, kept in a folder or on a server beside the registry.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use longshore_tests::{DockerRegistry, ImageSpec, Layer, MadeImage, Scratch, check_dir};

const PLAIN_HTTP: [&str; 2] = ["--src-tls-verify=false", "--dest-tls-verify=false"];

/// Two signatures as far as their first byte says.
const SIGNATURES: [&[u8]; 2] = [b"\x90 one", b"\xc4 two"];

/// A folder `made` with an image and signatures of it.
fn scratch_with_signed() -> (Scratch, MadeImage) {
    let scratch = Scratch::new().unwrap();
    let made = ImageSpec::new([Layer::new(1, 1000)]).make().unwrap();
    let folder = scratch.path("made");
    made.write_dir(&folder).unwrap();
    write_signatures(&folder, &SIGNATURES);
    (scratch, made)
}

fn write_signatures(folder: &Path, signatures: &[&[u8]]) {
    for (index, signature) in signatures.iter().enumerate() {
        fs::write(folder.join(format!("signature-{}", index + 1)), signature).unwrap();
    }
}

fn signatures_in(folder: &Path) -> Vec<Vec<u8>> {
    let read = |number: usize| fs::read(folder.join(format!("signature-{number}"))).ok();
    (1..).map_while(read).collect()
}

fn stored(scratch: &Scratch, made: &MadeImage, name: &str) -> PathBuf {
    let digest = made.top.digest.replace(':', "=");
    scratch.path(format!("lookaside/{name}@{digest}"))
}

#[test]
fn signatures_travel_through_a_registry_and_skopeo_finds_them_too() {
    let (scratch, made) = scratch_with_signed();
    let registry = DockerRegistry::start().unwrap();
    let name = registry.name("some/name:v1");
    let copy = |tool: longshore_tests::Tool, from: &str, to: &str| {
        tool.arg("copy").args(PLAIN_HTTP).args([from, to]).run().success()
    };
    copy(scratch.longshore(), &scratch.name("dir", "made"), &name).prints("Storing signatures");
    let folder = stored(&scratch, &made, "some/name");
    assert_eq!(signatures_in(&folder), SIGNATURES);
    copy(scratch.longshore(), &name, &scratch.name("dir", "ours"));
    copy(scratch.peer("skopeo"), &name, &scratch.name("dir", "theirs"));
    for copied in ["ours", "theirs"] {
        check_dir(&scratch.path(copied)).unwrap();
        assert_eq!(signatures_in(&scratch.path(copied)), SIGNATURES, "{copied}");
    }

    // What skopeo stores is read, and a shorter list leaves nothing of the longer one.
    fs::remove_file(scratch.path("theirs/signature-2")).unwrap();
    copy(
        scratch.peer("skopeo"),
        &scratch.name("dir", "theirs"),
        &registry.name("other:v1"),
    );
    copy(
        scratch.longshore(),
        &registry.name("other:v1"),
        &scratch.name("dir", "last"),
    );
    assert_eq!(signatures_in(&scratch.path("last")), SIGNATURES[..1]);
    copy(scratch.longshore(), &scratch.name("dir", "last"), &name);
    assert_eq!(signatures_in(&folder), SIGNATURES[..1]);

    // They go with the image.
    let delete = scratch.longshore().args(["delete", "--tls-verify=false", &name]);
    delete.run().success();
    assert_eq!(signatures_in(&folder), Vec::<Vec<u8>>::new());
}

#[test]
fn another_folder_is_configured_by_an_option() {
    let (scratch, made) = scratch_with_signed();
    let registry = DockerRegistry::start().unwrap();
    let configured = scratch.path("configured");
    fs::create_dir(&configured).unwrap();
    let base = scratch.path("elsewhere");
    let text = format!(
        "docker:\n  {}/some:\n    lookaside: file://{}\n",
        registry.address(),
        base.display()
    );
    fs::write(configured.join("x.yaml"), text).unwrap();
    let copy = |configured: &Path| {
        let tool = scratch.longshore().arg("copy").arg("--registries.d").arg(configured);
        let tool = tool.args(PLAIN_HTTP).arg(scratch.name("dir", "made"));
        tool.arg(registry.name("some/name:v1")).run()
    };
    copy(&configured).success();
    assert!(!scratch.path("lookaside").exists());
    let digest = made.top.digest.replace(':', "=");
    assert_eq!(signatures_in(&base.join(format!("some/name@{digest}"))), SIGNATURES);

    fs::write(configured.join("y.yaml"), "docker: {").unwrap();
    copy(&configured).fails_with(&["y.yaml"]);
}

#[test]
fn signatures_that_cannot_be_kept_stop_the_copy() {
    let (scratch, _) = scratch_with_signed();
    let registry = DockerRegistry::start().unwrap();
    let copy = || {
        let tool = scratch.longshore().arg("copy").args(PLAIN_HTTP);
        tool.args([scratch.name("dir", "made"), registry.name("some/name:v1")])
            .run()
    };
    write_signatures(&scratch.path("made"), &[b"\0sigstore-json\n{}"]);
    copy().fails_with(&["writing sigstore attachments is disabled by configuration"]);
    write_signatures(&scratch.path("made"), &SIGNATURES);
    scratch.write_lookaside("http://127.0.0.1:9/x").unwrap();
    copy().fails_with(&["Writing directly to a http lookaside", "lookaside-staging"]);
    scratch.write_lookaside("ftp://127.0.0.1/x").unwrap();
    copy().fails_with(&["ftp://127.0.0.1/x", "Unsupported scheme"]);
}

#[test]
fn a_server_may_have_the_signatures() {
    let (scratch, made) = scratch_with_signed();
    let registry = DockerRegistry::start().unwrap();
    let name = registry.name("some/name:v1");
    let copy = |from: &str, to: &str| {
        let tool = scratch.longshore().arg("copy").args(PLAIN_HTTP);
        tool.args([from, to]).run()
    };
    copy(&scratch.name("dir", "made"), &name).success();
    let digest = made.top.digest.replace(':', "=");
    for (server, expected) in [
        (Server::Files, Ok(SIGNATURES.map(<[u8]>::to_vec).to_vec())),
        (Server::Broken, Err("the server answered 500")),
        (Server::Endless, Err("more than 128 signatures")),
        (Server::Huge, Err("4194304")),
    ] {
        let address = server.serve(scratch.path("lookaside"));
        scratch.write_lookaside(&format!("http://{address}/base")).unwrap();
        let _ = fs::remove_dir_all(scratch.path("to"));
        let finished = copy(&name, &scratch.name("dir", "to"));
        match expected {
            Ok(signatures) => {
                finished.success();
                assert_eq!(signatures_in(&scratch.path("to")), signatures);
            }
            Err(text) => {
                let url = format!("http://{address}/base/some/name@{digest}/signature-");
                finished.fails_with(&[text, &url]);
                assert!(!scratch.path("to").exists());
            }
        }
    }
}

/// How a lookaside server answers.
#[derive(Clone, Copy)]
enum Server {
    Files,
    Broken,
    Endless,
    Huge,
}

impl Server {
    /// Serves a folder below `/base/` until the test ends.
    fn serve(self, folder: PathBuf) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that has left early is the test's business.
                let _ = stream.and_then(|stream| self.answer(stream, &folder));
            }
        });
        address
    }

    fn answer(self, mut stream: TcpStream, folder: &Path) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        for line in lines {
            let line = line?;
            assert!(!line.to_lowercase().starts_with("authorization"), "{line}");
            if line.is_empty() {
                break;
            }
        }
        let path = request.split(' ').nth(1).and_then(|path| path.strip_prefix("/base/"));
        let found = path.and_then(|path| fs::read(folder.join(path)).ok());
        let (status, body) = match (self, found) {
            (Self::Files, Some(body)) => ("200 OK", body),
            (Self::Files, None) => ("404 Not Found", Vec::new()),
            (Self::Broken, _) => ("500 Internal Server Error", Vec::new()),
            (Self::Endless, _) => ("200 OK", b"\x90".to_vec()),
            (Self::Huge, _) => ("200 OK", vec![0x90; (4 << 20) + 1]),
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )?;
        stream.write_all(&body)
    }
}
