//! Writing an image: layers become objects while they come, and branches name all of it at the end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::SystemTime;

use longshore_guest::posix::Tree;
use longshore_guest::{BlobInfo, BlobWriter, Destination, Error, Manifest, Reader, Session, Target, Traits, code};
use longshore_ostree::{Checksum, Commit, Header, key, mode};
use longshore_types::{Digest, ImageManifest, Parsed, RawManifest, media_type};

use crate::branch;
use crate::import::{Imported, folder_header, import};
use crate::names::Folder;
use crate::reference::OstreeReference;
use crate::repository::{REPOSITORY, Repository};
use crate::staging::Staging;

/// Largest config (PI-06).
const MAX_CONFIG: u64 = 4 << 20;
/// Largest commit that every OSTree reads.
const MAX_COMMIT: usize = 10 << 20;
const IMAGE_FOLDER: u32 = mode::DIRECTORY | 0o755;
const BLOB_FOLDER: u32 = mode::DIRECTORY | 0o700;
const FILE: u32 = mode::REGULAR | 0o644;

/// An image to be.
pub(crate) struct OstreeDestination {
    reference: OstreeReference,
    repository: Repository,
    tree: Rc<Tree>,
    arrived: Rc<Arrived>,
    manifest: RefCell<Option<(Manifest, ImageManifest)>>,
    signatures: RefCell<Vec<Vec<u8>>>,
}

/// Blobs by their digests.
#[derive(Default)]
struct Arrived {
    layers: RefCell<BTreeMap<Digest, (Imported, u64)>>,
    others: RefCell<BTreeMap<Digest, Vec<u8>>>,
    /// Layers that the repository had before.
    reused: RefCell<Vec<Digest>>,
}

impl Destination for OstreeDestination {
    fn open(session: Session) -> Result<Self, Error> {
        Ok(Self {
            reference: OstreeReference::parse(&session.reference())?,
            repository: Repository::to_write(&session)?,
            tree: Rc::new(session.tree(REPOSITORY)?),
            arrived: Rc::default(),
            manifest: RefCell::default(),
            signatures: RefCell::default(),
        })
    }

    fn traits(&self) -> Traits {
        Traits {
            manifest_types: vec![media_type::DOCKER_MANIFEST.to_owned()],
            layer_compression: "preserve".to_owned(),
            abilities: vec!["signatures".to_owned()],
        }
    }

    fn reuse(&self, info: BlobInfo, _substitute: bool) -> Result<Option<BlobInfo>, Error> {
        let Some(digest) = info.digest.as_deref().filter(|_| is_layer(&info)) else {
            return Ok(None);
        };
        let digest = Digest::parse(digest).map_err(Error::invalid_data)?;
        let Some(commit) = self.repository.branch(&branch::of_blob(digest.hex()))? else {
            return Ok(None);
        };
        let uncompressed = commit
            .get(key::UNCOMPRESSED_DIGEST)
            .zip(commit.number(key::UNCOMPRESSED_SIZE));
        let Some(size) = commit.number(key::SIZE).filter(|_| uncompressed.is_some()) else {
            return Ok(None);
        };
        self.arrived.reused.borrow_mut().push(digest);
        Ok(Some(BlobInfo {
            size: Some(size),
            ..info
        }))
    }

    fn begin_blob(&self, info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error> {
        let arrived = Rc::clone(&self.arrived);
        Ok(if is_layer(&info) {
            Box::new(LayerWriter {
                arrived,
                tree: Rc::clone(&self.tree),
                mode: self.repository.mode,
                imported: RefCell::default(),
            })
        } else {
            Box::new(OtherWriter {
                arrived,
                bytes: RefCell::default(),
            })
        })
    }

    fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error> {
        if instance.is_some() {
            return Err(no_lists());
        }
        let raw = RawManifest::new(manifest.bytes.clone(), Some(&manifest.media_type)).map_err(Error::invalid_data)?;
        if raw.media_type() != media_type::DOCKER_MANIFEST {
            return Err(Error::new(
                code::MANIFEST_TYPE_REJECTED,
                "an OSTree repository keeps images with Docker manifests of schema 2",
            ));
        }
        let Parsed::Image(parsed) = raw.parse().map_err(Error::invalid_data)? else {
            return Err(no_lists());
        };
        *self.manifest.borrow_mut() = Some((manifest, parsed));
        Ok(())
    }

    fn put_signatures(&self, signatures: Vec<Vec<u8>>, instance: Option<String>) -> Result<(), Error> {
        if instance.is_some() {
            return Err(no_lists());
        }
        *self.signatures.borrow_mut() = signatures;
        Ok(())
    }

    fn commit(&self, _top_level: Manifest) -> Result<(), Error> {
        let Some((manifest, parsed)) = self.manifest.take() else {
            return Err(Error::invalid_data("there is no manifest"));
        };
        if let Some(digest) = &self.reference.digest
            && !digest.matches(&manifest.bytes)
        {
            return Err(Error::invalid_data(format_args!(
                "the image does not have the digest {digest}"
            )));
        }
        let text = String::from_utf8(manifest.bytes)
            .map_err(|error| Error::invalid_data(format_args!("the manifest is not UTF-8: {error}")))?;
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let new = NewBranches {
            time: time.map_or(0, |time| time.as_secs()),
            small: Staging::new(&self.tree, self.repository.mode)?,
            layers: Vec::new(),
            branches: Vec::new(),
        };
        self.write(new, &parsed, &text)?.publish(&self.repository)
    }
}

impl OstreeDestination {
    fn write(&self, mut new: NewBranches, parsed: &ImageManifest, manifest: &str) -> Result<NewBranches, Error> {
        let mut layers = self.arrived.layers.take();
        let mut written = self.arrived.reused.take();
        for layer in &parsed.layers {
            if let Some((imported, size)) = layers.remove(&layer.digest) {
                new.layer(layer.digest.hex(), imported, size)?;
                written.push(layer.digest.clone());
            } else if !written.contains(&layer.digest) {
                return Err(Error::invalid_data(format_args!(
                    "the manifest names the layer {}, which was not written",
                    layer.digest
                )));
            }
        }
        let others = self.arrived.others.take();
        if !others.contains_key(&parsed.config.digest) {
            return Err(Error::invalid_data("the manifest names a config that was not written"));
        }
        for (digest, bytes) in others {
            let size = bytes.len().to_string();
            new.branch(
                branch::of_blob(digest.hex()),
                BLOB_FOLDER,
                &[("content", &bytes)],
                &[(key::SIZE, &size)],
            )?;
        }
        let signatures = self.signatures.take();
        let names: Vec<_> = (1..=signatures.len())
            .map(|number| format!("signature-{number}"))
            .collect();
        let mut files = vec![("manifest.json", manifest.as_bytes())];
        for (name, signature) in names.iter().zip(&signatures) {
            files.push((name, signature));
        }
        let digest = Digest::sha256(manifest.as_bytes());
        let metadata = [
            (key::MANIFEST, manifest),
            (key::SIGNATURES, &signatures.len().to_string()),
            (key::DIGEST, digest.as_str()),
        ];
        new.branch(branch::of_image(&self.reference.image), IMAGE_FOLDER, &files, &metadata)?;
        Ok(new)
    }
}

/// What a commit of an image adds.
struct NewBranches {
    time: u64,
    /// Everything but layers.
    small: Staging,
    layers: Vec<Staging>,
    /// With their commits, the image's last.
    branches: Vec<(String, Checksum)>,
}

impl NewBranches {
    fn layer(&mut self, hex: &str, layer: Imported, size: u64) -> Result<(), Error> {
        let metadata = [
            (key::SIZE, &*size.to_string()),
            (key::UNCOMPRESSED_SIZE, &layer.size.to_string()),
            (key::UNCOMPRESSED_DIGEST, &layer.digest),
            (key::TAR_SPLIT, &layer.record),
        ];
        let commit = Commit::to_bytes(&metadata, self.time, layer.root.0, layer.root.1);
        if commit.len() > MAX_COMMIT {
            return Err(Error::unsupported(format_args!(
                "the layer {hex} has too many files: the record of its archive takes {} bytes, and a commit of OSTree \
                 at most {MAX_COMMIT}",
                layer.record.len()
            )));
        }
        let commit = layer.staging.object(&commit, "commit")?;
        self.layers.push(layer.staging);
        self.branches.push((branch::of_blob(hex), commit));
        Ok(())
    }

    /// A branch with a few small files.
    fn branch(
        &mut self,
        name: String,
        folder_mode: u32,
        files: &[(&str, &[u8])],
        metadata: &[(&str, &str)],
    ) -> Result<(), Error> {
        let mut folder = Folder::new(folder_header(&self.small, folder_mode));
        let header = Header {
            mode: FILE,
            ..folder.header.clone()
        };
        for (name, content) in files {
            folder.put(name, self.small.small_file(&header, content)?);
        }
        let (root, root_metadata) = folder.write(&self.small)?;
        let commit = Commit::to_bytes(metadata, self.time, root, root_metadata);
        if commit.len() > MAX_COMMIT {
            return Err(Error::unsupported(format_args!(
                "branch {name}: a commit of OSTree has at most {MAX_COMMIT} bytes"
            )));
        }
        let commit = self.small.object(&commit, "commit")?;
        self.branches.push((name, commit));
        Ok(())
    }

    /// Nothing that a branch names is missing at any moment.
    fn publish(self, repository: &Repository) -> Result<(), Error> {
        let directory = &repository.directory;
        for staging in self.layers.into_iter().chain([self.small]) {
            staging.publish(directory)?;
        }
        directory.make_directory(b"refs/heads/ociimage")?;
        for (branch, commit) in self.branches {
            let path = format!("refs/heads/{branch}");
            directory.replace(path.as_bytes(), format!("{commit}\n").as_bytes())?;
        }
        Ok(())
    }
}

fn no_lists() -> Error {
    Error::unsupported("an OSTree repository keeps no lists of images")
}

fn is_layer(info: &BlobInfo) -> bool {
    info.extras.iter().any(|(key, value)| key == "role" && value == "layer")
}

/// A layer on its way.
struct LayerWriter {
    arrived: Rc<Arrived>,
    tree: Rc<Tree>,
    mode: crate::config::Mode,
    imported: RefCell<Option<Imported>>,
}

impl BlobWriter for LayerWriter {
    fn target(&self) -> Result<Target, Error> {
        Ok(Target::Consumed)
    }

    fn consume(&self, data: Reader) -> Result<(), Error> {
        *self.imported.borrow_mut() = Some(import(&self.tree, self.mode, data)?);
        Ok(())
    }

    fn finish(self: Box<Self>, digest: String, size: u64) -> Result<(), Error> {
        let digest = Digest::parse(&digest).map_err(Error::invalid_data)?;
        if let Some(imported) = self.imported.take() {
            self.arrived.layers.borrow_mut().insert(digest, (imported, size));
        }
        Ok(())
    }
}

/// Anything else on its way, such as the config.
struct OtherWriter {
    arrived: Rc<Arrived>,
    bytes: RefCell<Vec<u8>>,
}

impl BlobWriter for OtherWriter {
    fn target(&self) -> Result<Target, Error> {
        Ok(Target::Consumed)
    }

    fn consume(&self, data: Reader) -> Result<(), Error> {
        *self.bytes.borrow_mut() = data.whole(MAX_CONFIG)?;
        Ok(())
    }

    fn finish(self: Box<Self>, digest: String, _size: u64) -> Result<(), Error> {
        let digest = Digest::parse(&digest).map_err(Error::invalid_data)?;
        self.arrived.others.borrow_mut().insert(digest, self.bytes.take());
        Ok(())
    }
}
