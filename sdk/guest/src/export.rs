//! Between the generated bindings and the traits; used by the export macros.

pub use crate::bindings::{destination, manage, policy, reference, source};

use std::marker::PhantomData;

use crate::bindings::destination::exports::longshore::transport::destination as destination_export;
use crate::bindings::manage::exports::longshore::transport::manage as manage_export;
use crate::bindings::policy::exports::longshore::policy::evaluator as policy_export;
use crate::bindings::reference::exports::longshore::transport::reference as reference_export;
use crate::bindings::source::exports::longshore::transport::source as source_export;
use crate::bindings::transport::longshore::transport::bytes::{Reader, Writer};
use crate::bindings::transport::longshore::transport::session::{Plan, Session};
use crate::bindings::transport::longshore::transport::types::{BlobInfo, Error, Manifest};
use crate::{Blob, BlobWriter, Body, Destination, Evaluator, Identity, Manage, Purpose, Source, Target, Transport};

/// Carries an implementation to the generated exports.
#[derive(Debug)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Transport> reference_export::Guest for Exported<T> {
    fn transports() -> Vec<String> {
        T::NAMES.iter().map(ToString::to_string).collect()
    }

    fn parse(text: String, purpose: Purpose, plan: &Plan) -> Result<(), Error> {
        T::parse(&text, purpose, plan)
    }

    fn identify(session: &Session) -> Result<Identity, Error> {
        T::identify(session)
    }

    fn check_scope(scope: String) -> Result<(), Error> {
        T::check_scope(&scope)
    }
}

/// An open source.
#[derive(Debug)]
pub struct OpenSource<T>(T);

/// A blob of an open source.
#[expect(missing_debug_implementations, reason = "the plugin's own type need not have one")]
pub struct OpenBlob(Box<dyn Blob>);

impl<T: Source> source_export::Guest for Exported<T> {
    type Blob = OpenBlob;
    type ImageSource = OpenSource<T>;
}

impl source_export::GuestBlob for OpenBlob {
    fn body(&self) -> Result<source_export::Body, Error> {
        Ok(match self.0.body()? {
            Body::Range(range) => source_export::Body::Range(range),
            Body::Inline(bytes) => source_export::Body::Inline(bytes),
            Body::Streamed(reader) => source_export::Body::Streamed(reader),
            Body::Produced(size) => source_export::Body::Produced(size),
        })
    }

    fn produce(&self, out: &Writer) -> Result<(), Error> {
        self.0.produce(out)
    }
}

impl<T: Source> source_export::GuestImageSource for OpenSource<T> {
    fn open(session: Session) -> Result<source_export::ImageSource, Error> {
        Ok(source_export::ImageSource::new(Self(T::open(session)?)))
    }

    fn abilities(&self) -> Vec<String> {
        self.0.abilities()
    }

    fn manifest(&self, instance: Option<String>) -> Result<Manifest, Error> {
        self.0.manifest(instance)
    }

    fn blob(&self, info: BlobInfo) -> Result<source_export::Blob, Error> {
        Ok(source_export::Blob::new(OpenBlob(self.0.blob(info)?)))
    }

    fn layers(&self, instance: Option<String>) -> Result<Vec<BlobInfo>, Error> {
        self.0.layers(instance)
    }

    fn signatures(&self, instance: Option<String>) -> Result<Vec<Vec<u8>>, Error> {
        self.0.signatures(instance)
    }
}

/// An open destination.
#[derive(Debug)]
pub struct OpenDestination<T>(T);

/// A blob on its way into an open destination.
#[expect(missing_debug_implementations, reason = "the plugin's own type need not have one")]
pub struct OpenBlobWriter(Box<dyn BlobWriter>);

impl<T: Destination> destination_export::Guest for Exported<T> {
    type BlobWriter = OpenBlobWriter;
    type ImageDestination = OpenDestination<T>;
}

impl destination_export::GuestBlobWriter for OpenBlobWriter {
    fn target(&self) -> Result<destination_export::Target, Error> {
        Ok(match self.0.target()? {
            Target::AlreadyHere => destination_export::Target::AlreadyHere,
            Target::Range(range) => destination_export::Target::Range(range),
            Target::Streamed(writer) => destination_export::Target::Streamed(writer),
            Target::Consumed => destination_export::Target::Consumed,
        })
    }

    fn consume(&self, data: Reader) -> Result<(), Error> {
        self.0.consume(data)
    }

    fn finish(this: destination_export::BlobWriter, digest: String, size: u64) -> Result<(), Error> {
        this.into_inner::<Self>().0.finish(digest, size)
    }
}

impl<T: Destination> destination_export::GuestImageDestination for OpenDestination<T> {
    fn open(session: Session) -> Result<destination_export::ImageDestination, Error> {
        Ok(destination_export::ImageDestination::new(Self(T::open(session)?)))
    }

    fn traits(&self) -> destination_export::Traits {
        self.0.traits()
    }

    fn reuse(&self, info: BlobInfo, substitute: bool) -> Result<Option<BlobInfo>, Error> {
        self.0.reuse(info, substitute)
    }

    fn begin_blob(&self, info: BlobInfo) -> Result<destination_export::BlobWriter, Error> {
        Ok(destination_export::BlobWriter::new(OpenBlobWriter(
            self.0.begin_blob(info)?,
        )))
    }

    fn put_manifest(&self, manifest: Manifest, instance: Option<String>) -> Result<(), Error> {
        self.0.put_manifest(manifest, instance)
    }

    fn put_signatures(&self, signatures: Vec<Vec<u8>>, instance: Option<String>) -> Result<(), Error> {
        self.0.put_signatures(signatures, instance)
    }

    fn commit(&self, top_level: Manifest) -> Result<(), Error> {
        self.0.commit(top_level)
    }
}

impl<T: Manage> manage_export::Guest for Exported<T> {
    fn delete(session: Session) -> Result<(), Error> {
        T::delete(session)
    }

    fn images(session: Session) -> Result<Vec<String>, Error> {
        T::images(session)
    }
}

impl<T: Evaluator> policy_export::Guest for Exported<T> {
    fn requirement_types() -> Vec<String> {
        T::REQUIREMENT_TYPES.iter().map(ToString::to_string).collect()
    }

    fn check(json: String) -> Result<Vec<String>, String> {
        T::check(&json)
    }

    fn evaluate(requirement: crate::Requirement, image: &crate::Image) -> Result<crate::Verdict, String> {
        T::evaluate(requirement, image)
    }
}

/// Exports `interface reference`, implemented by [`Transport`], and writes the
/// package's name, version, licence and description into the component.
#[macro_export]
macro_rules! export_transport {
    ($type:ty) => {
        $crate::embed_metadata!();
        const _: () = {
            type Implementation = $crate::export::Exported<$type>;
            $crate::export::reference::export_reference_binding!(Implementation with_types_in $crate::export::reference);
        };
    };
}

/// Exports `interface source`, implemented by [`Source`].
#[macro_export]
macro_rules! export_source {
    ($type:ty) => {
        const _: () = {
            type Implementation = $crate::export::Exported<$type>;
    $crate::export::source::export_source_binding!(Implementation with_types_in $crate::export::source);
        };
    };
}

/// Exports `interface destination`, implemented by [`Destination`].
#[macro_export]
macro_rules! export_destination {
    ($type:ty) => {
        const _: () = {
            type Implementation = $crate::export::Exported<$type>;
            $crate::export::destination::export_destination_binding!(Implementation with_types_in $crate::export::destination);
        };
    };
}

/// Exports `interface manage`, implemented by [`Manage`].
#[macro_export]
macro_rules! export_manage {
    ($type:ty) => {
        const _: () = {
            type Implementation = $crate::export::Exported<$type>;
    $crate::export::manage::export_manage_binding!(Implementation with_types_in $crate::export::manage);
        };
    };
}

/// Exports a policy evaluator, implemented by [`Evaluator`], and writes the
/// package's name, version, licence and description into the component.
#[macro_export]
macro_rules! export_evaluator {
    ($type:ty) => {
        $crate::embed_metadata!();
        const _: () = {
            type Implementation = $crate::export::Exported<$type>;
    $crate::export::policy::export_policy_binding!(Implementation with_types_in $crate::export::policy);
        };
    };
}

/// Writes what Cargo.toml says about the package into custom sections of the
/// component, where `longshore plugin list` finds it.
#[doc(hidden)]
#[macro_export]
macro_rules! embed_metadata {
    () => {
        $crate::embed_metadata!("longshore:name", env!("CARGO_PKG_NAME"));
        $crate::embed_metadata!("version", env!("CARGO_PKG_VERSION"));
        $crate::embed_metadata!("licenses", env!("CARGO_PKG_LICENSE"));
        $crate::embed_metadata!("description", env!("CARGO_PKG_DESCRIPTION"));
    };
    ($section:literal, $text:expr) => {
        const _: () = {
            const TEXT: &str = $text;
            // SAFETY: a custom section is not memory: plain bytes there cannot
            // break anything.
            #[cfg(target_family = "wasm")]
            #[allow(unsafe_code)]
            #[used]
            #[unsafe(link_section = $section)]
            static SECTION: [u8; TEXT.len()] = {
                let mut bytes = [0; TEXT.len()];
                let mut index = 0;
                while index < bytes.len() {
                    bytes[index] = TEXT.as_bytes()[index];
                    index += 1;
                }
                bytes
            };
        };
    };
}
