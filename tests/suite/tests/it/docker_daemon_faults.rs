//! `docker-daemon:` with daemons that fail, and what plugins may not do over HTTP.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use longshore_tests::{Finished, ImageSpec, Layer, Scratch, files_below, test_guest};

const HEAD_END: &[u8] = b"\r\n\r\n";
const BODY_END: &[u8] = b"\r\n0\r\n\r\n";

/// One connection to a scripted daemon.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Reads until `end` came; whether it did.
    fn read_until(&mut self, end: &[u8]) -> bool {
        let mut buffer = [0; 1 << 16];
        let mut from = 0;
        loop {
            if self.read[from..].windows(end.len()).any(|window| window == end) {
                return true;
            }
            from = self.read.len().saturating_sub(end.len());
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return false,
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// The program may have gone already.
    fn answer(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes());
    }
}

/// Starts a daemon that says which version it speaks and does as `script` says with what else it is asked.
fn daemon(script: impl Fn(&mut Connection) + Send + Sync + 'static) -> String {
    daemon_with_ping(
        |_| "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 0\r\n\r\n",
        script,
    )
}

/// The same, with what it says to a ping by a method.
fn daemon_with_ping(
    ping: impl Fn(&str) -> &'static str + Send + Sync + Copy + 'static,
    script: impl Fn(&mut Connection) + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut connection = Connection {
                stream: stream.unwrap(),
                read: Vec::new(),
            };
            let script = Arc::clone(&script);
            std::thread::spawn(move || {
                while connection.read_until(HEAD_END) {
                    let asked = String::from_utf8_lossy(&connection.read).into_owned();
                    let Some((method, _)) = asked.split_once(" /_ping ") else {
                        return script(&mut connection);
                    };
                    connection.read.clear();
                    connection.answer(ping(method));
                }
            });
        }
    });
    address
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn made() -> Scratch {
    let scratch = Scratch::new().unwrap();
    let image = ImageSpec::new([Layer::new(1, 300_000), Layer::new(2, 300_000)])
        .make()
        .unwrap();
    image.write_dir(&scratch.path("made")).unwrap();
    scratch
}

fn load(scratch: &Scratch, address: &str) -> Finished {
    let host = format!("--dest-daemon-host={address}");
    let words = ["copy", &host, "dir:made", "docker-daemon:a:1"];
    scratch.longshore().args(words).run()
}

fn save(scratch: &Scratch, address: &str) -> Finished {
    let host = format!("--src-daemon-host={address}");
    let words = ["copy", &host, "docker-daemon:a:1", "dir:to"];
    scratch.longshore().args(words).run()
}

#[test]
fn loading_fails_as_the_daemon_says() {
    let loading = "{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":1},\"id\":\"a\"}\r\n";
    let failed = "{\"errorDetail\":{\"message\":\"no space left\"},\"error\":\"no space left\"}\r\n";
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{loading}");
    for (said, fragment) in [
        (
            answer("200 OK", &[loading, failed].concat()),
            "Error response from daemon: no space left",
        ),
        (
            answer("404 Not Found", r#"{"message":"page not found"}"#),
            "Error response from daemon: page not found (status 404)",
        ),
        (
            answer("500 Oh", "<html>"),
            "Error response from daemon: <html> (status 500)",
        ),
        (
            answer("200 OK", "<html>"),
            "the daemon's answer to loading: expected value",
        ),
        (answer("200 OK", "{\"stream\":"), "the daemon's answer to loading: EOF"),
        (cut, "POST /v1.41/images/load: "),
        (String::new(), "POST /v1.41/images/load: "),
    ] {
        let address = daemon(move |connection| {
            connection.read_until(BODY_END);
            connection.answer(&said);
        });
        load(&made(), &address).fails_with(&[fragment]);
    }
}

#[test]
fn a_daemon_that_answers_no_head_is_asked_again() {
    let refuses = "HTTP/1.1 405 No\r\nApi-Version: 1.2\r\nContent-Length: 0\r\n\r\n";
    let old = "HTTP/1.1 200 OK\r\nApi-Version: 1.39\r\nContent-Length: 0\r\n\r\n";
    let silent = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (ping, version) in [
        ([refuses, old], "v1.39"),
        ([silent, silent], "v1.51"),
        ([old, refuses], "v1.39"),
    ] {
        let address = daemon_with_ping(
            move |method| ping[usize::from(method == "GET")],
            |connection| {
                let asked = String::from_utf8_lossy(&connection.read).into_owned();
                connection.answer(&answer("500 Oh", asked.split(' ').nth(1).unwrap_or_default()));
            },
        );
        let expected = format!("Error response from daemon: /{version}/images/get?");
        save(&made(), &address).fails_with(&[&expected]);
    }
}

#[test]
fn a_daemon_that_wants_no_more_is_heard() {
    let address = daemon(|connection| {
        connection.answer(&answer("500 Oh", r#"{"message":"no room"}"#));
        connection.read_until(BODY_END);
    });
    let scratch = Scratch::new().unwrap();
    let image = ImageSpec::new((0..8).map(|seed| Layer::new(seed, 2_000_000)))
        .make()
        .unwrap();
    image.write_dir(&scratch.path("made")).unwrap();
    load(&scratch, &address).fails_with(&["no room"]);
}

#[test]
fn nobody_loads_half_an_archive() {
    let (sender, receiver) = channel();
    let address = daemon(move |connection| {
        let is_whole = connection.read_until(BODY_END);
        sender.send((is_whole, connection.read.len())).unwrap();
        connection.answer(&answer("200 OK", ""));
    });
    let scratch = made();
    load(&scratch, &address).success();
    let (is_whole, size) = receiver.recv().unwrap();
    assert!(is_whole && size > 1000, "{size}");

    // The last layer is not what its digest says.
    let files = files_below(&scratch.path("made")).unwrap();
    let mut layers = files.into_iter().filter(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b]));
    let (layer, mut bytes) = layers.next_back().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(scratch.path("made").join(layer), bytes).unwrap();
    load(&scratch, &address).with_status(1);
    assert!(!receiver.recv().unwrap().0);
}

#[test]
fn what_is_saved_badly_is_not_an_image() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc";
    let cut_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\nabc";
    for (said, fragment) in [
        (
            &*answer("404 Not Found", r#"{"message":"no such image"}"#),
            "Error response from daemon: no such image (status 404)",
        ),
        (&answer("500 Oh", "oh\u{1b}[2J"), "Error response from daemon: oh"),
        (
            &answer("200 OK", "{\"message\":\"not a tar\"}"),
            "not a readable tar archive",
        ),
        (cut, "GET /v1.41/images/get: "),
        (cut_chunk, "GET /v1.41/images/get: "),
        ("", "GET /v1.41/images/get: "),
        ("SSH-2.0-x\r\n\r\n", "GET /v1.41/images/get: "),
    ] {
        let own_said = said.to_owned();
        let address = daemon(move |connection| connection.answer(&own_said));
        let scratch = Scratch::new().unwrap();
        let saved = save(&scratch, &address).fails_with(&[fragment]);
        assert!(!saved.stderr().contains('\u{1b}'), "{}", saved.story());
        assert!(!scratch.path("to").exists());
    }
}

#[test]
fn no_redirect_leads_elsewhere() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}/v1.41/images/get", other.local_addr().unwrap());
    let address = daemon(move |connection| {
        connection.answer(&format!(
            "HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        ));
    });
    save(&Scratch::new().unwrap(), &address).fails_with(&["status 302"]);
    other.set_nonblocking(true).unwrap();
    assert_eq!(other.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn waiting_for_a_daemon_can_be_interrupted() {
    // A daemon that says so when it is asked, and then neither reads nor answers until it is left.
    let silent = || {
        let (sender, receiver) = channel();
        let (left, leaving) = channel::<()>();
        let leaving = Mutex::new(leaving);
        let address = daemon(move |connection| {
            sender.send(()).unwrap();
            leaving.lock().unwrap().recv().unwrap();
            connection.read_until(b"what never comes");
            sender.send(()).unwrap();
        });
        (address, receiver, left)
    };
    let interrupted = |words: &[&str], scratch: &Scratch, reached: &Receiver<()>, left: &Sender<()>| {
        let child = scratch.longshore().args(words).start();
        reached.recv().unwrap();
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(killed.unwrap().success());
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130), "{words:?}");
        left.send(()).unwrap();
        reached.recv().unwrap();
    };
    // More than a connection holds that nobody reads from.
    let scratch = Scratch::new().unwrap();
    let image = ImageSpec::new([Layer::new(1, 40_000_000)]).make().unwrap();
    image.write_dir(&scratch.path("made")).unwrap();
    let (address, reached, left) = silent();
    let host = format!("--dest-daemon-host={address}");
    let words = ["copy", &host, "dir:made", "docker-daemon:a:1"];
    interrupted(&words, &scratch, &reached, &left);
    let (address, reached, left) = silent();
    let host = format!("--src-daemon-host={address}");
    let words = ["copy", &host, "docker-daemon:a:1", "dir:to"];
    interrupted(&words, &scratch, &reached, &left);
}

#[test]
fn addresses_that_are_none() {
    let scratch = Scratch::new().unwrap();
    for (address, fragments) in [
        (
            "/var/run/docker.sock",
            &["unable to parse docker host `/var/run/docker.sock`"][..],
        ),
        (
            "npipe:////./pipe/docker",
            &["unable to parse docker host `npipe:////./pipe/docker`"],
        ),
        ("tcp://user@host:1", &["\"https://user@host:1\" is not an origin"]),
        ("unix://relative", &["\"unix://relative\" is not an origin"]),
        (
            "unix:///no/such.sock",
            &[
                "Cannot connect to the Docker daemon at unix:///no/such.sock. Is the docker daemon running?",
                "No such file",
            ],
        ),
        (
            "http://127.0.0.1:1",
            &[
                "Cannot connect to the Docker daemon at http://127.0.0.1:1. Is the docker daemon running?",
                "refused",
            ],
        ),
    ] {
        save(&scratch, address).fails_with(fragments);
    }
}

#[test]
fn strangers_reach_only_what_the_user_named() {
    let address = daemon(|connection| connection.answer(&answer("200 OK", "hello")));
    let scratch = Scratch::new().unwrap();
    let guest = format!("misbehave={}", test_guest("misbehave").display());
    let run = |reference: &str| {
        let words = ["--plugin", &guest, "copy", &format!("misbehave:{reference}"), "dir:to"];
        scratch.longshore().args(words).run()
    };
    run(&format!("http:{address}")).fails_with(&["answered 200: hello"]);
    run(&format!("http-post:{address}")).fails_with(&["POST is more than this operation may send"]);
    run("http-stranger").fails_with(&["asks for \"http://127.0.0.1:9\", which does not stand in the reference"]);
    run(&format!("http-stranger:{address}")).fails_with(&["which does not stand in the reference"]);
    run(&format!("http:{address}/more")).fails_with(&["is not an origin"]);
}
