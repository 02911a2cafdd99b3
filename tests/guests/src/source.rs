use longshore_guest::{
    Blob, BlobInfo, Body, Content, Directory, Error, FileRange, LockKind, Manifest, Request, Session, Source, Writer,
    copy,
};

use crate::{PLACE, balloon, chatter, flood, mode, open_files, spin};

pub(crate) struct BadSource {
    mode: String,
    directory: Option<Directory>,
}

impl BadSource {
    fn directory(&self) -> Result<&Directory, Error> {
        self.directory
            .as_ref()
            .ok_or_else(|| Error::invalid_reference("this mode needs a path"))
    }
}

impl Source for BadSource {
    fn open(session: Session) -> Result<Self, Error> {
        let mode = mode(&session);
        let directory = session.directory(PLACE).ok();
        match mode.as_str() {
            "loop" => spin(),
            "chatter" => chatter(&session),
            "balloon" => balloon(),
            "sleep" => std::thread::sleep(std::time::Duration::from_secs(1_000_000)),
            "panic" => panic!("as asked"),
            "exit" => std::process::exit(0),
            "handles" => flood(&session.directory(PLACE)?)?,
            "open-files" => open_files(&session.directory(PLACE)?)?,
            "http" => return Err(answered(&session, "GET", "/hello")?),
            "http-post" => return Err(answered(&session, "POST", "/hello")?),
            "stranger" => drop(session.directory("never granted")?),
            "posix" => {
                let tree = session.tree(PLACE)?;
                tree.status(b"")?;
            }
            "retry" => {
                return Err(Error {
                    retryable: true,
                    ..Error::new("other", "not now")
                });
            }
            "interrupted" => return Err(Error::new("interrupted", "nobody asked it to")),
            "code" => return Err(Error::new("a-code-of-the-future", "what is this")),
            _ => {}
        }
        Ok(Self { mode, directory })
    }

    fn abilities(&self) -> Vec<String> {
        let mut abilities = vec!["signatures".to_owned(), "ability-of-the-future".to_owned()];
        if self.mode.starts_with("layers-") {
            abilities.push("layers".to_owned());
        }
        abilities
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        let text = |bytes: Vec<u8>| {
            Ok(Manifest {
                bytes,
                media_type: String::new(),
                digest: instance.clone(),
            })
        };
        let read = |path: &[u8]| text(self.directory()?.read(path, 1 << 20)?);
        match self.mode.as_str() {
            "large-manifest" => text(vec![b' '; (4 << 20) + 1]),
            "huge-manifest" => text(vec![b' '; 64 << 20]),
            "wrong-digest" => Ok(Manifest {
                bytes: b"{}".to_vec(),
                media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
                digest: Some("sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()),
            }),
            "no-digest" => Ok(Manifest { bytes: b"{}".to_vec(), media_type: String::new(), digest: Some("x".to_owned()) }),
            "dotdot" => read(b"../secret"),
            "inner-dotdot" => read(b"a/../../secret"),
            "absolute" => read(b"/etc/passwd"),
            "symlink" => read(b"link"),
            "symlink-directory" => read(b"outside/secret"),
            "fifo" => read(b"fifo"),
            "device" => read(b"device"),
            "write-read-only" => self.directory()?.replace(b"new", b"x").and_then(|()| text(Vec::new())),
            "stage-read-only" => self.directory()?.stage().and_then(|_| text(Vec::new())),
            "remove-read-only" => self.directory()?.remove(b"blob").and_then(|()| text(Vec::new())),
            "make-read-only" => self.directory()?.make_directory(b"new").and_then(|()| text(Vec::new())),
            "open-read-only" => self.directory()?.open(b"blob", true).and_then(|_| text(Vec::new())),
            "remove-all-read-only" => self.directory()?.remove_all(b"blob").and_then(|()| text(Vec::new())),
            "lock-read-only" => self
                .directory()?
                .lock(b"blob", LockKind::Posix, true)
                .and_then(|_| text(Vec::new())),
            "open-locked" => {
                let _lock = self.directory()?.lock(b"blob", LockKind::Posix, false)?;
                text(self.directory()?.read(b"blob", 10)?)
            }
            "file-read-only" => {
                let file = self.directory()?.open(b"blob", false)?;
                file.write_at(0, b"x").and_then(|()| text(Vec::new()))
            }
            "std-fs" => match std::fs::read("/etc/passwd") {
                Ok(bytes) => text(bytes),
                Err(error) => Err(Error::new("access-denied", format!("std::fs: {error}"))),
            },
            "environment" => Err(Error::new("other", format!("{} variables", std::env::vars().count()))),
            _ => text(br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#.to_vec()),
        }
    }

    fn blob(&self, _info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        let directory = self
            .directory
            .as_ref()
            .map(|directory| directory.subdirectory(b""))
            .transpose()?;
        Ok(Box::new(BadBlob {
            mode: self.mode.clone(),
            directory,
        }))
    }

    fn layers(&self, _instance: Option<String>) -> Result<Vec<BlobInfo>, Error> {
        let layer = BlobInfo {
            digest: Some("sha256:x".to_owned()).filter(|_| self.mode == "layers-no-digest"),
            size: None,
            media_type: String::new(),
            annotations: Vec::new(),
            urls: Vec::new(),
            extras: Vec::new(),
        };
        Ok(vec![layer])
    }

    fn signatures(&self, _instance: Option<String>) -> Result<Vec<Vec<u8>>, Error> {
        match self.mode.as_str() {
            "large-signatures" => Ok(vec![vec![0; 3 << 20], vec![0; 3 << 20]]),
            _ => Ok(Vec::new()),
        }
    }
}

/// What a server answered, as the message of an error.
fn answered(session: &Session, method: &str, target: &str) -> Result<Error, Error> {
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
    };
    let answer = session.http(PLACE)?.send(&request, Content::None)?;
    let body = answer.body.read(1 << 10)?;
    let text = format!("answered {}: {}", answer.status, String::from_utf8_lossy(&body));
    Ok(Error::new("other", text))
}

struct BadBlob {
    mode: String,
    directory: Option<Directory>,
}

impl Blob for BadBlob {
    fn body(&self) -> Result<Body, Error> {
        let file = || match &self.directory {
            Some(directory) => directory.open(b"blob", false),
            None => Err(Error::invalid_reference("this mode needs a path")),
        };
        match self.mode.as_str() {
            "lying-length" => Ok(Body::Range(FileRange {
                file: file()?,
                offset: 0,
                length: Some(1 << 40),
            })),
            "lying-offset" => Ok(Body::Range(FileRange {
                file: file()?,
                offset: u64::MAX,
                length: None,
            })),
            "large-inline" => Ok(Body::Inline(vec![0; (1 << 20) + 1])),
            "streamed" => {
                let reader = file()?.reader(1, None)?;
                // What was read is gone for the host.
                reader.read(1)?;
                Ok(Body::Streamed(reader))
            }
            "nested" => {
                let mut reader = file()?.reader(0, None)?;
                loop {
                    (reader, _) = longshore_guest::observe(reader, &[])?;
                }
            }
            "produced" | "produced-fails" | "produced-panics" | "produced-endless" | "copied-short"
            | "copied-checksum" => Ok(Body::Produced(Some(8))),
            _ => Ok(Body::Inline(b"{}".to_vec())),
        }
    }

    fn produce(&self, out: &Writer) -> Result<(), Error> {
        out.write(b"abcd")?;
        let copied = |length, checksum: &str| {
            let file = self.directory.as_ref().map(|directory| directory.open(b"blob", false));
            let reader = file.transpose()?.map(|file| file.reader(0, None)).transpose()?;
            match reader {
                Some(reader) => copy(&reader, out, length, &[checksum.to_owned()]).map(|_| ()),
                None => Err(Error::invalid_reference("this mode needs a path")),
            }
        };
        match self.mode.as_str() {
            "copied-short" => return copied(Some(1 << 40), "sha256"),
            "copied-checksum" => return copied(None, "checksum-of-the-future"),
            "produced-fails" => return Err(Error::invalid_data("half of it is broken")),
            "produced-panics" => panic!("half-way"),
            "produced-endless" => loop {
                out.write(&[0; 1 << 16])?;
            },
            _ => {}
        }
        out.write(b"efgh")
    }
}
