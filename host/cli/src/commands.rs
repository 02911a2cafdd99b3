//! One module for each command: its flags, what they resolve to, and the work.

pub(crate) mod copy;
pub(crate) mod delete;
pub(crate) mod generate;
pub(crate) mod generate_sigstore_key;
pub(crate) mod input;
pub(crate) mod inspect;
pub(crate) mod layers;
pub(crate) mod list_tags;
pub(crate) mod manifest_digest;
pub(crate) mod plugin;
pub(crate) mod standalone_sign;
pub(crate) mod standalone_verify;
pub(crate) mod untrusted_signature_dump;
pub(crate) mod verify;
