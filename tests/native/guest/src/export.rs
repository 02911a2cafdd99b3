//! What the export macros make of a plugin: constants, behind which its own types do not show.

use crate::{
    Blob, BlobInfo, BlobWriter, Destination, Error, Identity, Manifest, Plan, Purpose, Session, Source, Traits,
    Transport,
};

/// `interface reference` of a plugin.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// Transport names served.
    pub names: &'static [&'static str],
    /// [`Transport::parse`].
    pub parse: fn(&str, Purpose, &Plan) -> Result<(), Error>,
    /// [`Transport::identify`].
    pub identify: fn(&Session) -> Result<Identity, Error>,
}

impl Reference {
    /// That of `T`.
    #[must_use]
    pub const fn of<T: Transport>() -> Self {
        Self {
            names: T::NAMES,
            parse: T::parse,
            identify: T::identify,
        }
    }
}

/// [`Source`] without its constructor.
pub trait OpenSource {
    fn abilities(&self) -> Vec<String>;
    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error>;
    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error>;
    fn signatures(&self, instance: Option<String>) -> Result<Vec<Vec<u8>>, Error>;
}

impl<T: Source> OpenSource for T {
    fn abilities(&self) -> Vec<String> {
        Source::abilities(self)
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        Source::manifest(self, instance)
    }

    fn blob(&self, info: BlobInfo) -> Result<Box<dyn Blob>, Error> {
        Source::blob(self, info)
    }

    fn signatures(&self, instance: Option<String>) -> Result<Vec<Vec<u8>>, Error> {
        Source::signatures(self, instance)
    }
}

/// [`Source::open`] of a plugin.
pub type SourceOpener = fn(Session) -> Result<Box<dyn OpenSource>, Error>;

/// [`Source::open`].
pub fn open_source<T: Source>(session: Session) -> Result<Box<dyn OpenSource>, Error> {
    Ok(Box::new(T::open(session)?))
}

/// [`Destination`] without its constructor.
pub trait OpenDestination {
    fn traits(&self) -> Traits;
    fn reuse(&self, info: BlobInfo, substitute: bool) -> Result<Option<BlobInfo>, Error>;
    fn begin_blob(&self, info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error>;
    fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error>;
    fn put_signatures(&self, signatures: Vec<Vec<u8>>, instance: Option<String>) -> Result<(), Error>;
    fn commit(&self, top_level: Manifest) -> Result<(), Error>;
}

impl<T: Destination> OpenDestination for T {
    fn traits(&self) -> Traits {
        Destination::traits(self)
    }

    fn reuse(&self, info: BlobInfo, substitute: bool) -> Result<Option<BlobInfo>, Error> {
        Destination::reuse(self, info, substitute)
    }

    fn begin_blob(&self, info: BlobInfo) -> Result<Box<dyn BlobWriter>, Error> {
        Destination::begin_blob(self, info)
    }

    fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error> {
        Destination::put_manifest(self, manifest, instance)
    }

    fn put_signatures(&self, signatures: Vec<Vec<u8>>, instance: Option<String>) -> Result<(), Error> {
        Destination::put_signatures(self, signatures, instance)
    }

    fn commit(&self, top_level: Manifest) -> Result<(), Error> {
        Destination::commit(self, top_level)
    }
}

/// [`Destination::open`] of a plugin.
pub type DestinationOpener = fn(Session) -> Result<Box<dyn OpenDestination>, Error>;

/// [`Destination::open`].
pub fn open_destination<T: Destination>(session: Session) -> Result<Box<dyn OpenDestination>, Error> {
    Ok(Box::new(T::open(session)?))
}

/// Makes [`Transport`] the constant `REFERENCE`.
#[macro_export]
macro_rules! export_transport {
    ($type:ty) => {
        /// What the plugin makes of references.
        pub const REFERENCE: $crate::export::Reference = $crate::export::Reference::of::<$type>();
    };
}

/// Makes [`Source`] the constant `SOURCE`.
#[macro_export]
macro_rules! export_source {
    ($type:ty) => {
        /// Opens an image to read.
        pub const SOURCE: $crate::export::SourceOpener = $crate::export::open_source::<$type>;
    };
}

/// Makes [`Destination`] the constant `DESTINATION`.
#[macro_export]
macro_rules! export_destination {
    ($type:ty) => {
        /// Opens a place to write an image to.
        pub const DESTINATION: $crate::export::DestinationOpener = $crate::export::open_destination::<$type>;
    };
}

/// Makes [`Manage`](crate::Manage) the constants `DELETE` and `IMAGES`.
#[macro_export]
macro_rules! export_manage {
    ($type:ty) => {
        /// Removes an image.
        pub const DELETE: fn($crate::Session) -> Result<(), $crate::Error> = <$type as $crate::Manage>::delete;
        /// Lists the images.
        pub const IMAGES: fn($crate::Session) -> Result<Vec<String>, $crate::Error> = <$type as $crate::Manage>::images;
    };
}
