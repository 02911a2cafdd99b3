//! Images in a tar archive as `docker save` writes it, with the conventions of containers/image (DA-*, formats 3).
//!
//! The archive keeps no manifest: a reader makes one, a writer takes Docker's type only and forgets it.

mod archive;
mod destination;
mod legacy;
mod source;

pub use archive::{Archive, Item, Selector};
pub use destination::{ArchiveWriter, refuse_signatures};
pub use source::ImageReader;
