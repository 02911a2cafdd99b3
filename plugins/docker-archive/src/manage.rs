use longshore_docker_archive::Archive;
use longshore_guest::{Error, Manage, Session};

use crate::ARCHIVE;

/// Listing. Images are not removed from archives.
pub(crate) struct ArchiveManage;

impl Manage for ArchiveManage {
    fn delete(_session: Session) -> Result<(), Error> {
        Err(Error::unsupported(
            "Deleting images not implemented for docker-archive: images",
        ))
    }

    /// LT-03: tags as they stand there, and positions of what has none.
    fn images(session: Session) -> Result<Vec<String>, Error> {
        let archive = Archive::open(session.file(ARCHIVE)?)?;
        let mut names = Vec::new();
        for (index, item) in archive.items.into_iter().enumerate() {
            if item.repo_tags.is_empty() {
                names.push(format!("@{index}"));
            }
            names.extend(item.repo_tags);
        }
        Ok(names)
    }
}
