use crate::bindings::destination::exports::longshore::transport::destination::Traits;
use crate::bindings::reference::exports::longshore::transport::reference::{Identity, Purpose};
use crate::bindings::transport::longshore::transport::bytes::{Reader, Writer};
use crate::bindings::transport::longshore::transport::session::{Plan, Session};
use crate::bindings::transport::longshore::transport::storage::FileRange;
use crate::bindings::transport::longshore::transport::types::{BlobInfo, Error, Manifest};

/// `interface reference`: names and references. Export it by
/// [`export_transport!`](crate::export_transport).
pub trait Transport {
    /// Transport names served, such as `oci`.
    const NAMES: &'static [&'static str];

    /// Checks the text after the transport name and puts on `plan` what it needs.
    ///
    /// # Errors
    ///
    /// Usually [`Error::invalid_reference`].
    fn parse(text: &str, purpose: Purpose, plan: &Plan) -> Result<(), Error>;

    /// Canonical form and policy identity, from what was granted.
    ///
    /// # Errors
    ///
    /// Fails if the storage cannot be asked.
    fn identify(session: &Session) -> Result<Identity, Error>;

    /// Whether a policy scope can ever match. Any text can, unless overridden.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the scope.
    fn check_scope(_scope: &str) -> Result<(), Error> {
        Ok(())
    }
}

/// Where the bytes of a blob are.
#[derive(Debug)]
pub enum Body {
    /// In a file.
    Range(FileRange),
    /// Here; at most 1 MiB.
    Inline(Vec<u8>),
    /// In a stream that the host made.
    Streamed(Reader),
    /// [`Blob::produce`] writes them; the size, if known.
    Produced(Option<u64>),
}

/// A blob of a source.
pub trait Blob {
    /// Where the bytes are; may be asked again.
    ///
    /// # Errors
    ///
    /// `blob-not-found`, or why it cannot be read.
    fn body(&self) -> Result<Body, Error>;

    /// Writes the bytes, after [`Body::Produced`] was answered.
    ///
    /// # Errors
    ///
    /// Fails with the writer, or because the storage cannot be read.
    fn produce(&self, _out: &Writer) -> Result<(), Error> {
        Err(Error::unsupported("this blob is not produced by the plugin"))
    }
}

/// `interface source`: reading an image. Export it by
/// [`export_source!`](crate::export_source).
pub trait Source: Sized + 'static {
    /// Opens the image.
    ///
    /// # Errors
    ///
    /// `image-not-found`, or why it cannot be read.
    fn open(session: Session) -> Result<Self, Error>;

    /// Open set: `signatures` ([`Source::signatures`] is asked for them) and `layers` ([`Source::layers`] is asked).
    fn abilities(&self) -> Vec<String> {
        Vec::new()
    }

    /// The manifest, or that of an instance of an index.
    ///
    /// # Errors
    ///
    /// Fails if it is missing or cannot be read.
    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error>;

    /// A blob that a manifest names.
    ///
    /// # Errors
    ///
    /// `blob-not-found`, or why it cannot be read.
    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error>;

    /// The layers that can be read, where they are not those that the manifest names.
    ///
    /// # Errors
    ///
    /// `unsupported` unless overridden.
    fn layers(&self, _instance: Option<String>) -> Result<Vec<BlobInfo>, Error> {
        Err(Error::unsupported("layers are those of the manifest"))
    }

    /// Stored signatures in storage order.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be read.
    fn signatures(&self, _instance: Option<String>) -> Result<Vec<Vec<u8>>, Error> {
        Ok(Vec::new())
    }
}

/// Where the host is to put the bytes of a blob.
#[derive(Debug)]
pub enum Target {
    /// Nowhere: it is here.
    AlreadyHere,
    /// Into a staged file.
    Range(FileRange),
    /// Into a stream that the host made.
    Streamed(Writer),
    /// [`BlobWriter::consume`] reads them.
    Consumed,
}

/// A blob on its way into a destination; dropped before `finish`, it never was.
pub trait BlobWriter {
    /// Where to put the bytes; asked once.
    ///
    /// # Errors
    ///
    /// Fails if there is no place for them.
    fn target(&self) -> Result<Target, Error>;

    /// Reads the bytes to the end, after [`Target::Consumed`] was answered.
    ///
    /// # Errors
    ///
    /// Fails with the reader, or because the storage cannot be written.
    fn consume(&self, _data: Reader) -> Result<(), Error> {
        Err(Error::unsupported("this blob is not consumed by the plugin"))
    }

    /// The bytes are in place and have this digest and size.
    ///
    /// # Errors
    ///
    /// Fails if the blob cannot be kept.
    fn finish(self: Box<Self>, digest: String, size: u64) -> Result<(), Error>;
}

/// `interface destination`: writing an image. Export it by
/// [`export_destination!`](crate::export_destination).
pub trait Destination: Sized + 'static {
    /// Opens the storage for one image.
    ///
    /// # Errors
    ///
    /// Fails if it cannot take an image.
    fn open(session: Session) -> Result<Self, Error>;

    /// What can be stored. Abilities are an open set: `signatures`, `lists`,
    /// `one-at-a-time`, `foreign-layers`, as `destination.wit` has them.
    fn traits(&self) -> Traits;

    /// Whether a blob is here already, and its true size.
    ///
    /// # Errors
    ///
    /// Fails if the storage cannot be asked.
    fn reuse(&self, _info: BlobInfo, _substitute: bool) -> Result<Option<BlobInfo>, Error> {
        Ok(None)
    }

    /// A blob is coming.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be taken.
    fn begin_blob(&self, info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error>;

    /// The image's manifest, or that of an instance.
    ///
    /// # Errors
    ///
    /// `manifest-type-rejected`, or why it cannot be kept.
    fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error>;

    /// Signatures in order, replacing those there.
    ///
    /// # Errors
    ///
    /// `unsupported` unless overridden.
    fn put_signatures(&self, _signatures: Vec<Vec<u8>>, _instance: Option<String>) -> Result<(), Error> {
        Err(Error::unsupported("signatures cannot be stored"))
    }

    /// Makes the image visible, in one step, as the last thing that can fail.
    /// `top_level` is what was put without an instance. The host has all that was
    /// published on disk before the copy counts as done.
    ///
    /// # Errors
    ///
    /// Whatever keeps the image from being visible: nothing that readers find may
    /// have changed then.
    fn commit(&self, top_level: Manifest) -> Result<(), Error>;
}

/// `interface manage`: deleting and listing. Export it by
/// [`export_manage!`](crate::export_manage).
pub trait Manage {
    /// Removes the image and what only it needed.
    ///
    /// # Errors
    ///
    /// `unsupported` unless overridden.
    fn delete(_session: Session) -> Result<(), Error> {
        Err(Error::unsupported("images cannot be deleted"))
    }

    /// Names of the images behind the reference.
    ///
    /// # Errors
    ///
    /// `unsupported` unless overridden.
    fn images(_session: Session) -> Result<Vec<String>, Error> {
        Err(Error::unsupported("images cannot be listed"))
    }
}
