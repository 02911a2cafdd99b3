//! Signatures that lie beside a registry: the lookaside storage (RD-05 to RD-07; formats, section 11.1).

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use longshore_config::Environment;
use longshore_registry::Client;
use longshore_types::{Digest, ErrorKind, Reference};
use url::Url;

use super::failed;
use crate::error::TransportError;

/// Most signatures of one manifest; a server that never says no would have endless ones.
const MAX_SIGNATURES: usize = 128;

/// Most bytes that the signatures of one manifest may have together.
const MAX_BYTES: usize = 4 << 20;

/// Where the signatures of one repository's images are.
#[derive(Clone, Debug)]
pub(super) struct Lookaside {
    /// Of the repository: without digest and number.
    base: Url,
}

impl Lookaside {
    /// What is configured for a reference, or else the user's own folder; none if not even that is known.
    pub(super) fn find(
        reference: &Reference,
        configured: Option<&str>,
        environment: &Environment,
    ) -> Result<Option<Self>, TransportError> {
        let base = match configured {
            Some(text) => base(text)?,
            None => match environment.lookaside_folder() {
                Some(folder) => Url::from_directory_path(&folder)
                    .map_err(|()| unusable(&folder.display(), "it is not an absolute path"))?,
                None => return Ok(None),
            },
        };
        Self::below(base, reference.path()).map(Some)
    }

    fn below(mut base: Url, repository: &str) -> Result<Self, TransportError> {
        let text = base.to_string();
        let mut segments = base
            .path_segments_mut()
            .map_err(|()| unusable(&text, "nothing can lie below it"))?;
        segments.pop_if_empty().extend(repository.split('/'));
        drop(segments);
        Ok(Self { base })
    }

    /// Where signature `number`, from 1, of a manifest is.
    fn location(&self, digest: &Digest, number: usize) -> Url {
        let mut url = self.base.clone();
        let path = format!(
            "{}@{}={}/signature-{number}",
            url.path(),
            digest.algorithm(),
            digest.hex()
        );
        url.set_path(&path);
        url
    }

    /// The signatures of a manifest, in their stored form; they end where the first one is missing.
    pub(super) async fn read(&self, client: &Client, digest: &Digest) -> Result<Vec<Vec<u8>>, TransportError> {
        let mut signatures = Vec::new();
        let mut room = MAX_BYTES;
        for number in 1.. {
            let url = self.location(digest, number);
            let found = if url.scheme() == "file" {
                on_disk(&url, move |path| read_file(path, room)).await?
            } else {
                let document = client.external_document(&url, room).await.map_err(failed)?;
                document.map(Vec::from)
            };
            let Some(signature) = found else { break };
            if number > MAX_SIGNATURES {
                let text = format!("{url}: more than {MAX_SIGNATURES} signatures of one manifest");
                return Err(TransportError::new(ErrorKind::InvalidData, text));
            }
            room -= signature.len().min(room);
            signatures.push(signature);
        }
        Ok(signatures)
    }

    /// Replaces the signatures of a manifest.
    pub(super) async fn write(&self, digest: &Digest, signatures: &[Vec<u8>]) -> Result<(), TransportError> {
        self.check_writable()?;
        for (index, signature) in signatures.iter().enumerate() {
            let signature = signature.clone();
            let url = self.location(digest, index + 1);
            on_disk(&url, move |path| write_file(path, &signature)).await?;
        }
        self.remove_from(digest, signatures.len() + 1).await
    }

    /// Removes the signatures of a manifest.
    pub(super) async fn remove(&self, digest: &Digest) -> Result<(), TransportError> {
        self.check_writable()?;
        self.remove_from(digest, 1).await
    }

    async fn remove_from(&self, digest: &Digest, first: usize) -> Result<(), TransportError> {
        for number in first.. {
            let url = self.location(digest, number);
            let removed = on_disk(&url, |path| match fs::remove_file(path) {
                Err(error) if is_missing(&error) => Ok(false),
                removed => removed.map(|()| true),
            });
            if !removed.await? {
                break;
            }
        }
        Ok(())
    }

    fn check_writable(&self) -> Result<(), TransportError> {
        match self.base.scheme() {
            "file" => Ok(()),
            scheme => Err(TransportError::new(
                ErrorKind::Unsupported,
                format!(
                    "Writing directly to a {scheme} lookaside {} is not supported. Configure a lookaside-staging: \
                     location",
                    self.base
                ),
            )),
        }
    }
}

/// Reads a base URL as the configuration has it.
fn base(text: &str) -> Result<Url, TransportError> {
    let url = Url::parse(text).map_err(|error| unusable(&text, &error.to_string()))?;
    match url.scheme() {
        "file" if url.to_file_path().is_err() => Err(unusable(&text, "it is no path of this machine")),
        "file" | "http" | "https" => Ok(url),
        scheme => Err(unusable(&text, &format!("Unsupported scheme {scheme:?}"))),
    }
}

fn unusable(url: &dyn std::fmt::Display, why: &str) -> TransportError {
    TransportError::new(
        ErrorKind::InvalidData,
        format!("invalid signature storage URL {url}: {why}"),
    )
}

/// Works on the file that a URL names, on a thread that may block.
async fn on_disk<T: Send + 'static>(
    url: &Url,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, TransportError> {
    let path: PathBuf = url
        .to_file_path()
        .map_err(|()| unusable(&url, "it is no path of this machine"))?;
    let name = path.display().to_string();
    let worked = tokio::task::spawn_blocking(move || work(&path)).await;
    let worked = worked.map_err(|error| TransportError::wrap(ErrorKind::Other, error))?;
    worked.map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::AccessDenied,
            io::ErrorKind::StorageFull => ErrorKind::NoSpace,
            io::ErrorKind::InvalidData => ErrorKind::InvalidData,
            _ => ErrorKind::Other,
        };
        TransportError::new(kind, format!("signature {name}: {error}"))
    })
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn read_file(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    // Opening a FIFO would wait for its writer.
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file")),
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        let text = format!("the signatures of the manifest have more than {MAX_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(Some(bytes))
}

/// Writes a whole file in one step.
fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".signature-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tempfile::TempDir;

    use super::*;

    fn client() -> Client {
        Client::builder("localhost:1").build().unwrap()
    }

    fn digest() -> Digest {
        Digest::sha256(b"manifest")
    }

    fn lookaside(base_url: &str, repository: &str) -> Lookaside {
        Lookaside::below(base(base_url).unwrap(), repository).unwrap()
    }

    #[test]
    fn locations() {
        let hex = digest().hex().to_owned();
        let rows = [
            ("file:///a/b", "library/busybox", "file:///a/b/library/busybox"),
            ("file:///a/b/", "x", "file:///a/b/x"),
            ("https://h:1", "x/y", "https://h:1/x/y"),
            ("http://h/%20/", "x", "http://h/%20/x"),
        ];
        for (base, repository, expected) in rows {
            let url = lookaside(base, repository).location(&digest(), 3);
            assert_eq!(url.as_str(), format!("{expected}@sha256={hex}/signature-3"), "{base}");
        }
        for bad in ["", "/a", "ftp://h/", "file://other/a", "data:x"] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_configured_wins_over_the_users_folder() {
        let environment = Environment::empty("/").with("HOME", "/home/me");
        let reference = Reference::parse_normalized("h.test/a/b:1").unwrap();
        let found = |configured, environment: &Environment| {
            let found = Lookaside::find(&reference, configured, environment).unwrap();
            found.map(|found| found.base.to_string())
        };
        let own = "file:///home/me/.local/share/containers/sigstore/a/b".to_owned();
        assert_eq!(found(None, &environment), Some(own));
        assert_eq!(found(None, &Environment::empty("/")), None);
        let configured = found(Some("https://s.test/x"), &environment);
        assert_eq!(configured, Some("https://s.test/x/a/b".into()));
    }

    #[tokio::test]
    async fn files_are_replaced_and_removed_as_a_whole() {
        let folder = TempDir::new().unwrap();
        let lookaside = lookaside(&format!("file://{}", folder.path().display()), "a/b");
        let (client, digest) = (client(), digest());
        let read = async || lookaside.read(&client, &digest).await.unwrap();
        assert_eq!(read().await, Vec::<Vec<u8>>::new());
        for signatures in [vec![b"one".to_vec(), b"two".to_vec()], vec![b"three".to_vec()], vec![]] {
            lookaside.write(&digest, &signatures).await.unwrap();
            assert_eq!(read().await, signatures);
        }
        lookaside.write(&digest, &[b"one".to_vec()]).await.unwrap();
        lookaside.remove(&digest).await.unwrap();
        assert_eq!(read().await, Vec::<Vec<u8>>::new());
    }

    #[tokio::test]
    async fn too_many_too_large_and_no_files() {
        let folder = TempDir::new().unwrap();
        let lookaside = lookaside(&format!("file://{}", folder.path().display()), "a");
        let (client, digest) = (client(), digest());
        let read = async || {
            lookaside
                .read(&client, &digest)
                .await
                .map_err(|error| error.to_string())
        };
        let many = vec![b"x".to_vec(); MAX_SIGNATURES];
        lookaside.write(&digest, &many).await.unwrap();
        assert_eq!(read().await, Ok(many.clone()));
        let more = [many, vec![b"x".to_vec()]].concat();
        lookaside.write(&digest, &more).await.unwrap();
        assert!(read().await.unwrap_err().contains("more than 128 signatures"));

        let large = vec![0; MAX_BYTES / 2 + 1];
        lookaside.write(&digest, &[large.clone(), large]).await.unwrap();
        let error = read().await.unwrap_err();
        assert!(
            error.contains("signature-2") && error.contains("more than 4194304 bytes"),
            "{error}"
        );

        lookaside.remove(&digest).await.unwrap();
        let path = lookaside.location(&digest, 1).to_file_path().unwrap();
        fs::create_dir_all(&path).unwrap();
        let error = read().await.unwrap_err();
        assert!(error.contains("signature-1: not a regular file"), "{error}");
    }

    #[tokio::test]
    async fn nothing_is_written_to_a_server() {
        let lookaside = lookaside("https://h.test/x", "a");
        let error = lookaside.write(&digest(), &[]).await.unwrap_err();
        assert!(
            error.to_string().contains("Writing directly to a https lookaside"),
            "{error}"
        );
        assert!(lookaside.remove(&digest()).await.is_err());
    }
}
