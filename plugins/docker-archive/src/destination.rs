use longshore_archive::Writer;
use longshore_docker_archive::{ArchiveWriter, Selector, refuse_signatures};
use longshore_guest::{BlobInfo, BlobWriter, Destination, Error, Manifest, Session, Traits, code};
use longshore_types::Reference;

use crate::ARCHIVE;
use crate::reference::ArchiveReference;

/// Setting with more names for the image (CP-01).
const ADDITIONAL_TAGS: &str = "additional-tags";

/// An archive with one image to write.
pub(crate) struct ArchiveDestination(ArchiveWriter);

impl Destination for ArchiveDestination {
    fn open(session: Session) -> Result<Self, Error> {
        let reference = ArchiveReference::parse(&session.reference())?;
        let mut tags = Vec::new();
        if let Selector::Named(name) = reference.selector {
            tags.push(name);
        }
        for tag in session.setting(ADDITIONAL_TAGS).unwrap_or_default().split_whitespace() {
            let tag = Reference::parse_normalized(tag).map_err(Error::invalid_reference)?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        let writer = Writer::open(session, ARCHIVE).map_err(|error| match error.code.as_str() {
            code::ALREADY_EXISTS => Error::new(
                code::ALREADY_EXISTS,
                "docker-archive doesn't support modifying existing images",
            ),
            _ => error,
        })?;
        Ok(Self(ArchiveWriter::new(writer, tags, "decompress")))
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
        self.0.commit().map(drop)
    }
}
