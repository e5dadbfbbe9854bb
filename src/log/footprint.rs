//! What the log takes on the disk beside the open segment.

use std::collections::BTreeMap;

/// The sizes of the files, in bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Footprint {
    /// The segments that are not written any more, by their numbers.
    closed: BTreeMap<u64, u64>,
    checkpoint: u64,
}

impl Footprint {
    pub(super) fn new(checkpoint: u64) -> Self {
        Self { closed: BTreeMap::new(), checkpoint }
    }

    /// A segment is not written any more.
    pub(super) fn close(&mut self, number: u64, bytes: u64) {
        self.closed.insert(number, bytes);
    }

    /// A checkpoint replaced the one before, and the segments before this number.
    pub(super) fn replace(&mut self, number: u64, checkpoint: u64) {
        self.closed = self.closed.split_off(&number);
        self.checkpoint = checkpoint;
    }

    pub(super) fn segments(&self) -> u64 {
        u64::try_from(self.closed.len()).unwrap_or(u64::MAX)
    }

    /// What the next checkpoint will replace, not counting the one before.
    pub(super) fn closed_bytes(&self) -> u64 {
        self.closed.values().sum()
    }

    pub(super) fn checkpoint_bytes(&self) -> u64 {
        self.checkpoint
    }
}
