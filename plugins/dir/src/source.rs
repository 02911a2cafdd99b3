use longshore_guest::{
    Blob, BlobInfo, Body, Context as _, Directory, Error, FileRange, Manifest, Session, Source, code,
};

use crate::IMAGE;
use crate::layout::{self, MAX_DOCUMENT, MAX_VERSION_FILE, VERSION, Version};

/// More signatures than any image has; a directory with more is not read on.
const MAX_SIGNATURES: usize = 128;

/// An image to read.
pub(crate) struct DirSource {
    directory: Directory,
}

impl Source for DirSource {
    fn open(session: Session) -> Result<Self, Error> {
        let directory = session.directory(IMAGE)?;
        if let Some(version) = directory.read(VERSION, MAX_VERSION_FILE).optional()? {
            Version::parse(&version)?;
        }
        Ok(Self { directory })
    }

    fn abilities(&self) -> Vec<String> {
        vec!["signatures".to_owned()]
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        let digest = instance.as_deref().map(layout::digest).transpose()?;
        let bytes = self.directory.read(&layout::manifest(digest.as_ref()), MAX_DOCUMENT)?;
        Ok(Manifest {
            bytes,
            media_type: String::new(),
            digest: instance,
        })
    }

    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        let digest = info
            .digest
            .ok_or_else(|| Error::unsupported("a blob is found by its digest only"))?;
        let name = layout::blob(&layout::digest(&digest)?);
        Ok(Box::new(DirBlob {
            directory: self.directory.subdirectory(b"")?,
            name,
        }))
    }

    fn signatures(&self, instance: Option<String>) -> Result<Vec<Vec<u8>>, Error> {
        let digest = instance.as_deref().map(layout::digest).transpose()?;
        let mut signatures = Vec::new();
        let mut left = u64::from(MAX_DOCUMENT);
        loop {
            let name = layout::signature(digest.as_ref(), signatures.len() + 1);
            let Some(stat) = self.directory.stat(&name).optional()? else {
                return Ok(signatures);
            };
            let name_for_people = String::from_utf8_lossy(&name);
            if signatures.len() == MAX_SIGNATURES {
                return Err(Error::invalid_data(format_args!(
                    "{name_for_people}: more than {MAX_SIGNATURES} signatures"
                )));
            }
            // It is looked at first: all of them together would not fit in memory.
            if stat.size > left {
                return Err(Error::invalid_data(format_args!(
                    "{name_for_people}: the signatures are larger than {MAX_DOCUMENT} bytes together"
                )));
            }
            let signature = self.directory.read(&name, MAX_DOCUMENT)?;
            left = left.saturating_sub(signature.len() as u64);
            signatures.push(signature);
        }
    }
}

struct DirBlob {
    directory: Directory,
    name: Vec<u8>,
}

impl Blob for DirBlob {
    fn body(&self) -> Result<Body, Error> {
        let file = self
            .directory
            .open(&self.name, false)
            .missing_is(code::BLOB_NOT_FOUND)?;
        Ok(Body::Range(FileRange::whole(file)))
    }
}
