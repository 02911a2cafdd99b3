use std::io::{self, Read};

use longshore_archive::Writer;
use longshore_docker_archive::{ArchiveWriter, refuse_signatures};
use longshore_guest::{BlobInfo, BlobWriter, Destination, Error, Manifest, ReaderIo, Session, Traits};
use serde::Deserialize;

use crate::daemon::{Daemon, accepted};
use crate::reference::DaemonReference;

/// Most that a daemon may say about one image. It goes by, but not for ever.
const MAX_PROGRESS: u64 = 64 << 20;

/// An archive on its way into the daemon.
pub(crate) struct DaemonDestination(ArchiveWriter);

impl Destination for DaemonDestination {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = DaemonReference::parse(&session.reference())?;
        let name = reference.name_to_write()?.clone();
        let writer = Writer::into_request(Daemon::connect(&session)?.load()?)?;
        // The daemon undoes the compression of layers itself.
        Ok(Self(ArchiveWriter::new(writer, vec![name], "preserve")))
    }

    fn traits(&self) -> Traits {
        self.0.traits()
    }

    fn begin_blob(&self, info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error> {
        self.0.begin_blob(info)
    }

    fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error> {
        self.0.put_manifest(manifest, instance)
    }

    fn put_signatures(&self, signatures: Vec<Vec<u8>>, _instance: Option<String>) -> Result<(), Error> {
        refuse_signatures(&signatures)
    }

    fn commit(&self, _top_level: Manifest) -> Result<(), Error> {
        let Some(answer) = self.0.commit()? else {
            return Err(Error::invalid_data("the archive went nowhere"));
        };
        check_progress(ReaderIo(&accepted(answer)?.body), MAX_PROGRESS)
    }
}

/// One of the objects that the daemon answers with while it loads; what is no error is of no interest.
#[derive(Deserialize)]
struct Progress {
    error: Option<String>,
    #[serde(rename = "errorDetail")]
    detail: Option<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    message: String,
}

/// Reads to the end what the daemon says of loading: an error is in there, whatever the status was (formats 4.5).
fn check_progress(answer: impl Read, limit: u64) -> Result<(), Error> {
    let mut answer = Bounded(answer.take(limit));
    for progress in serde_json::Deserializer::from_reader(io::BufReader::new(&mut answer)).into_iter::<Progress>() {
        let progress =
            progress.map_err(|error| Error::invalid_data(format_args!("the daemon's answer to loading: {error}")))?;
        let message = progress.detail.map(|detail| detail.message).or(progress.error);
        if let Some(message) = message {
            return Err(Error::new(
                longshore_guest::code::OTHER,
                format_args!("Error response from daemon: {message}"),
            ));
        }
    }
    Ok(())
}

/// Fails where a limit cuts it off: what follows could be the error.
struct Bounded<R>(io::Take<R>);

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Ok(0) if self.0.limit() == 0 && !buffer.is_empty() => Err(io::Error::other("it does not end")),
            read => read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_among_the_progress() {
        let loaded = "{\"stream\":\"Loaded image: a:1\\n\"}\r\n";
        let layer = "{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":1,\"total\":2},\"id\":\"a\"}\r\n";
        let failed = "{\"errorDetail\":{\"message\":\"no space\"},\"error\":\"no space\"}\r\n";
        for (answer, expected) in [
            (String::new(), None),
            (loaded.to_owned(), None),
            ([layer, layer, loaded].concat(), None),
            ([layer, failed].concat(), Some("Error response from daemon: no space")),
            ([failed, loaded].concat(), Some("Error response from daemon: no space")),
            (
                "{\"error\":\"old\"}".to_owned(),
                Some("Error response from daemon: old"),
            ),
            (
                [layer, "{\"stream\":"].concat(),
                Some("the daemon's answer to loading: EOF"),
            ),
            (
                [loaded, "<html>"].concat(),
                Some("the daemon's answer to loading: expected value"),
            ),
            (
                format!("\"{}", "a".repeat(10)),
                Some("the daemon's answer to loading: "),
            ),
        ] {
            let found = check_progress(answer.as_bytes(), 1 << 20)
                .err()
                .map(|error| error.message);
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(expected)) => assert!(found.starts_with(expected), "{found}"),
                _ => panic!("{answer}: {found:?}"),
            }
        }
    }

    #[test]
    fn what_does_not_end_is_an_error() {
        let endless = io::repeat(b' ');
        let found = check_progress(endless, 1 << 20).err().map(|error| error.message);
        assert!(found.is_some_and(|found| found.contains("it does not end")));
    }
}
