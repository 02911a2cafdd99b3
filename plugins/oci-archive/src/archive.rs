use longshore_archive::{Index as Members, Member, ReadAt};
use longshore_guest::{Error, File, Session, code};
use longshore_layout::{BLOBS_DIRECTORY, INDEX_FILE, Index, MAX_DOCUMENT, blob_path};
use longshore_types::Digest;

use crate::ARCHIVE;

/// An archive to read.
pub(crate) struct Archive<F = File> {
    pub(crate) file: F,
    pub(crate) images: Index,
    members: Members,
}

/// The name of a blob's member.
pub(crate) fn blob_name(digest: &Digest) -> String {
    format!("{BLOBS_DIRECTORY}/{}", blob_path(digest))
}

impl Archive {
    pub(crate) fn open(session: &Session) -> Result<Self, Error> {
        Self::read(session.file(ARCHIVE)?)
    }
}

impl<F: ReadAt> Archive<F> {
    fn read(file: F) -> Result<Self, Error> {
        let members = Members::read(&file)?;
        let Some(member) = members.find(INDEX_FILE)? else {
            return Err(Error::new(
                code::NOT_FOUND,
                format_args!("no {INDEX_FILE} in the archive: not an OCI layout"),
            ));
        };
        let images = Index::parse(&member.read(&file, INDEX_FILE, MAX_DOCUMENT.into())?)?;
        Ok(Self { file, images, members })
    }

    /// Where a blob is. Its digest is for the host to check.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Member, Error> {
        let name = blob_name(digest);
        self.members
            .find(&name)?
            .ok_or_else(|| Error::new(code::BLOB_NOT_FOUND, format_args!("{name:?} is not in the archive")))
    }

    /// A manifest or index.
    pub(crate) fn document(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let member = self.blob(digest)?;
        member.read(&self.file, &blob_name(digest), MAX_DOCUMENT.into())
    }
}

#[cfg(test)]
mod tests;
