use std::fs::File;
use std::path::Path;

use longshore_blob::{ChunkSource, Durability, FileSink, FileSource, TransferPlan, Transferred};
use longshore_types::BlobInfo;

use super::{BlobJob, Outcome, Shared, Stored};
use crate::error::CopyError;
use crate::event::SkipReason;

impl Shared<'_> {
    /// Changes a layer's compression into a temporary file first, so that the destination can be asked for the result
    /// before it is sent (BR-06), or knows its size before its bytes.
    pub(super) async fn precomputed(
        &self,
        job: &BlobJob<'_>,
        source: Box<dyn ChunkSource>,
        plan: TransferPlan,
        folder: &Path,
    ) -> Result<Outcome, CopyError> {
        let (file, made) = self.compute(job, source, plan, folder).await?;
        let info = BlobInfo {
            digest: Some(made.digest.clone()),
            size: Some(made.size),
            ..job.info.clone()
        };
        let asked = self.step(self.destination.reuse(&info, false)).await?;
        let found = asked.map_err(|error| self.on_destination(job, "looking for", error))?;
        let held = found.is_some_and(|reused| reused.info.digest == info.digest && reused.info.size == info.size);
        if held {
            self.skipped(job, SkipReason::AlreadyExists);
            return Ok(Outcome::Substituted(Box::new(Stored::from(&made))));
        }
        let source = FileSource::new(file, 0, made.size).named(folder);
        let plan = TransferPlan::verify(made.digest.clone(), Some(made.size));
        match self.store(job, &info, Box::new(source), plan).await? {
            Some(_) => Ok(Outcome::Moved(Box::new(made))),
            None => {
                self.skipped(job, SkipReason::AlreadyExists);
                Ok(Outcome::Substituted(Box::new(Stored::from(&made))))
            }
        }
    }

    /// The changed bytes in a file that nobody else sees, and what they are.
    async fn compute(
        &self,
        job: &BlobJob<'_>,
        source: Box<dyn ChunkSource>,
        plan: TransferPlan,
        folder: &Path,
    ) -> Result<(File, Transferred), CopyError> {
        let failed = |source| CopyError::TemporaryFile {
            folder: folder.to_owned(),
            source,
        };
        let file = tempfile::tempfile_in(folder).map_err(failed)?;
        let writer = file.try_clone().map_err(failed)?;
        let sink = FileSink::new(writer, 0, None, Durability::NoSync).named(folder);
        let made = self.transfer(job, source, Box::new(sink), plan).await;
        match made {
            Ok(made) => Ok((file, made)),
            Err(longshore_blob::BlobError::Write(error) | longshore_blob::BlobError::Finish(error)) => {
                Err(failed(error))
            }
            Err(error) => Err(self.on_transfer(job, error, None)),
        }
    }
}
