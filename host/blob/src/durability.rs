//! Whether written files must survive a power cut.

/// Whether data must be on stable storage when a sink finishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// `finish` returns only when the data is on stable storage.
    #[default]
    Sync,
    /// `finish` leaves the data to the operating system's own pace.
    NoSync,
}
