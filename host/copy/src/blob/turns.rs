use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use longshore_types::Digest;
use tokio::sync::OwnedMutexGuard;

/// Sees to it that a destination is never given one digest twice at a time.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits until nobody else writes the blob.
    pub(crate) async fn take(&self, digest: &Digest) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(digest.clone()).or_default())
        };
        turn.lock_owned().await
    }
}
