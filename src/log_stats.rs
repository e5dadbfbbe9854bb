//! What the log has done, in numbers.

use std::time::Duration;

/// What a store's log takes on the disk, and how its syncs went since the store was opened.
///
/// As of the last write or sync: what is under way does not count yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// How many bytes the files of the log have, what is set aside for more included.
    pub bytes: u64,
    /// How many of these the checkpoint has; 0 if there is none.
    pub checkpoint_bytes: u64,
    /// How many segments there are.
    pub segments: u64,
    /// How many syncs succeeded.
    pub syncs: u64,
    /// How long those took together.
    pub sync_time: Duration,
    /// How long the longest took.
    pub longest_sync: Duration,
    /// How the compactions went.
    pub compactions: Compactions,
    /// Whether the log failed, so that the store takes no writes any more.
    pub poisoned: bool,
}

#[cfg_attr(
    not(feature = "log"),
    allow(dead_code, reason = "without a log there is nothing to count")
)]
impl LogStats {
    /// A sync succeeded.
    pub(crate) fn count_sync(&mut self, took: Duration) {
        self.syncs += 1;
        self.sync_time = self.sync_time.saturating_add(took);
        self.longest_sync = self.longest_sync.max(took);
    }
}

/// How often the log was compacted since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compactions {
    /// How often it succeeded.
    pub succeeded: u64,
    /// How often it failed, which makes no difference but that the log keeps growing: disk full, for example. Being ended by
    /// a close counts, too.
    pub failed: u64,
}
