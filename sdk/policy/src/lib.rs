//! What evaluators of signatures share: how a signature is stored ([`recognise`]), what it says ([`Payload`]), whether
//! that name speaks for an image ([`SignedIdentity`]), and the strict JSON of all this ([`Members`]).

mod base64;
mod identity;
mod members;
mod payload;
mod stored;

pub use base64::decode_base64;
pub use identity::SignedIdentity;
pub use members::Members;
pub use payload::{Payload, PayloadKind};
pub use stored::{Stored, recognise};
