//! Progress out, cancellation in.

/// Watches a transfer and may stop it.
///
/// The methods are called on the transferring thread, often, and must return at once. `()` watches nothing.
pub trait Observer: Send + Sync {
    /// `bytes` more of the source were read.
    fn moved(&self, bytes: u64) {
        let _ = bytes;
    }

    /// Whether the transfer shall end now with [`BlobError::Cancelled`](crate::BlobError::Cancelled).
    ///
    /// It is asked between chunks; a source that waits for its peer must end the wait itself.
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for () {}
