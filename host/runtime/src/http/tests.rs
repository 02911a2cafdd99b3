#![allow(clippy::unwrap_used)]

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use longshore_blob::{ChunkSink as _, ChunkSource, SliceSource};
use tempfile::TempDir;

use super::{Client, Content, HttpGrant, HttpWish};
use crate::bindings::transport::longshore::transport::http::Request;
use crate::control::Control;

/// A server for one connection, which does as `script` says and answers with all that it read.
struct Server {
    client: Client,
    thread: JoinHandle<String>,
    _folder: TempDir,
}

fn server(stall: Duration, script: impl FnOnce(&mut Connection) + Send + 'static) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut connection = Connection {
            stream,
            read: Vec::new(),
        };
        script(&mut connection);
        String::from_utf8_lossy(&connection.read).into_owned()
    });
    let wish = HttpWish {
        label: String::new(),
        origin: format!("unix://{}", path.display()),
        extras: Vec::new(),
    };
    let grant = HttpGrant::of(wish, false).unwrap();
    Server {
        client: Client::new(&grant, false, stall).unwrap(),
        thread,
        _folder: folder,
    }
}

struct Connection {
    stream: UnixStream,
    read: Vec<u8>,
}

impl Connection {
    /// Reads until `end` was read, or as far as it goes.
    fn read_until(&mut self, end: &[u8]) {
        let mut buffer = [0; 4096];
        while !self.read.windows(end.len()).any(|window| window == end) {
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn answer(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }
}

const HEAD_END: &[u8] = b"\r\n\r\n";
const BODY_END: &[u8] = b"\r\n0\r\n\r\n";
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

fn request(method: &str, target: &str) -> Request {
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: vec![("x-test".to_owned(), "yes".to_owned())],
    }
}

fn control() -> Arc<Control> {
    Arc::new(Control::default())
}

fn text(mut body: impl ChunkSource) -> io::Result<String> {
    let mut all = Vec::new();
    while let Some(chunk) = body.next_chunk()? {
        all.extend(chunk);
    }
    Ok(String::from_utf8_lossy(&all).into_owned())
}

#[test]
fn answers_come_as_they_are() {
    let server = server(LONG, |connection| {
        connection.read_until(HEAD_END);
        connection
            .answer("HTTP/1.1 302 Found\r\nLocation: http://other/\r\nContent-Length: 3\r\nX-Bad: \u{e9}\r\n\r\nabc");
    });
    let answer = server
        .client
        .send(&request("GET", "/a?b"), Content::None, &control())
        .unwrap();
    assert_eq!(answer.status, 302);
    let header = |name: &str| answer.headers.iter().find(|(key, _)| key == name);
    assert_eq!(header("location").unwrap().1, "http://other/");
    assert!(header("x-bad").is_none());
    assert_eq!(text(answer.body).unwrap(), "abc");
    let asked = server.thread.join().unwrap();
    assert!(asked.starts_with("GET /a?b HTTP/1.1\r\n"), "{asked}");
    for field in ["x-test: yes\r\n", "host: localhost\r\n", "user-agent: longshore/"] {
        assert!(asked.contains(field), "{asked}");
    }
}

#[test]
fn bodies_of_requests() {
    struct Broken;
    impl ChunkSource for Broken {
        fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let long = vec![b'x'; 700_000];
    // What is sent, and what the server got of the body; none: the request failed, with this message.
    for (content, expected) in [
        (Content::Inline(b"abc".to_vec()), Ok("\r\n\r\nabc".to_owned())),
        (
            Content::Streamed(Box::new(SliceSource::new(b"abcd".to_vec()))),
            Ok("4\r\nabcd\r\n0\r\n\r\n".to_owned()),
        ),
        (
            Content::Streamed(Box::new(SliceSource::new(long))),
            Ok("x\r\n0\r\n\r\n".to_owned()),
        ),
        (Content::Streamed(Box::new(Broken)), Err("the disk is gone")),
    ] {
        let is_whole = matches!(content, Content::Inline(_));
        let server = server(LONG, move |connection| {
            connection.read_until(if is_whole { b"\r\n\r\nabc" } else { BODY_END });
            // Whoever broke off does not read it.
            let _ = connection.stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        });
        let answered = server.client.send(&request("POST", "/"), content, &control());
        let got = server.thread.join().unwrap();
        match expected {
            Ok(expected) => {
                assert_eq!(answered.unwrap().status, 204);
                assert!(got.ends_with(&expected), "{got}");
            }
            Err(expected) => {
                assert_eq!(answered.err().unwrap().message, expected);
                assert!(!got.contains("\r\n0\r\n"), "{got}");
            }
        }
    }
}

#[test]
fn uploads_are_whole_or_broken_off() {
    for finish in [true, false] {
        let server = server(LONG, |connection| {
            connection.read_until(BODY_END);
            let _ = connection
                .stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        let upload = server.client.upload(&request("POST", "/"), &control()).unwrap();
        let mut first = upload.sink();
        for piece in ["ab", "", "cd"] {
            first.write_chunk(Bytes::from_static(piece.as_bytes())).unwrap();
        }
        upload.sink().write_chunk(Bytes::from_static(b"ef")).unwrap();
        if finish {
            assert_eq!(text(upload.finish().unwrap().body).unwrap(), "ok");
        } else {
            drop(upload);
        }
        assert!(first.write_chunk(Bytes::from_static(b"more")).is_err());
        let got = server.thread.join().unwrap();
        assert_eq!(
            got.ends_with("2\r\nab\r\n2\r\ncd\r\n2\r\nef\r\n0\r\n\r\n"),
            finish,
            "{got}"
        );
        assert_eq!(got.contains("\r\n0\r\n"), finish, "{got}");
    }
}

#[test]
fn an_early_answer_ends_the_upload() {
    let server = server(LONG, |connection| {
        connection.read_until(HEAD_END);
        connection.answer("HTTP/1.1 500 Oh\r\nContent-Length: 7\r\n\r\nno room");
        connection.read_until(BODY_END);
    });
    let upload = server.client.upload(&request("POST", "/a?b"), &control()).unwrap();
    let mut sink = upload.sink();
    let refused = std::iter::repeat_with(|| sink.write_chunk(Bytes::from_static(&[0; 1000]))).find_map(Result::err);
    let refused = refused.unwrap().to_string();
    let expected = "POST /a: answered 500 Internal Server Error before it had everything: no room";
    assert!(refused.ends_with(expected), "{refused}");
    let answer = upload.finish().unwrap();
    assert_eq!((answer.status, text(answer.body).unwrap()), (500, "no room".to_owned()));
}

#[test]
fn a_lost_connection_ends_the_upload() {
    let server = server(LONG, |connection| connection.read_until(HEAD_END));
    let upload = server.client.upload(&request("POST", "/"), &control()).unwrap();
    let mut sink = upload.sink();
    let lost = std::iter::repeat_with(|| sink.write_chunk(Bytes::from_static(&[0; 1000]))).find_map(Result::err);
    assert!(lost.unwrap().to_string().contains("POST /: "));
    assert!(upload.finish().is_err());
}

#[test]
fn servers_that_fail() {
    let large = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(70_000));
    // What the server says before it goes, and the code and a part of the message.
    for (said, code, part) in [
        ("", "other", "GET /: "),
        ("220 ready\r\n", "other", "GET /: "),
        (
            &large,
            "invalid-data",
            "GET /: an answer with header fields of more than 65536 bytes",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "body", "GET /: "),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "body",
            "GET /: ",
        ),
    ] {
        let said = said.to_owned();
        let server = server(LONG, move |connection| {
            connection.read_until(HEAD_END);
            connection.answer(&said);
        });
        let answered = server
            .client
            .send(&request("GET", "/?secret"), Content::None, &control());
        let (found, message) = match answered {
            Err(error) => (error.code, error.message),
            Ok(answer) => ("body".to_owned(), text(answer.body).unwrap_err().to_string()),
        };
        assert_eq!(found, code, "{message}");
        assert!(message.contains(part) && !message.contains("secret"), "{message}");
    }
}

#[test]
fn nobody_there() {
    let server = server(LONG, |_| {});
    drop(server.client.send(&request("GET", "/"), Content::None, &control()));
    server.thread.join().unwrap();
    // The listener is gone with its thread.
    let error = server
        .client
        .send(&request("GET", "/"), Content::None, &control())
        .err()
        .unwrap();
    assert_eq!((error.code.as_str(), error.retryable), ("unreachable", true));
}

#[test]
fn silence_has_an_end() {
    for said in ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"] {
        let server = server(SHORT, move |connection| {
            connection.read_until(HEAD_END);
            connection.answer(said);
            connection.read_until(b"what never comes");
        });
        let message = match server.client.send(&request("GET", "/"), Content::None, &control()) {
            Err(error) => error.message,
            Ok(answer) => text(answer.body).unwrap_err().to_string(),
        };
        assert!(message.contains("nothing came for"), "{message}");
    }
}

#[test]
fn waiting_is_cancelled() {
    for said in ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"] {
        let control = control();
        let own_control = Arc::clone(&control);
        let server = server(LONG, move |connection| {
            connection.read_until(HEAD_END);
            connection.answer(said);
            own_control.cancel();
            connection.read_until(b"what never comes");
        });
        match server.client.send(&request("GET", "/"), Content::None, &control) {
            Err(error) => assert_eq!(error.code, "interrupted"),
            Ok(answer) => assert_eq!(text(answer.body).unwrap_err().kind(), io::ErrorKind::Interrupted),
        }
        // The connection is broken off, or this would wait for good.
        server.thread.join().unwrap();
    }
}
