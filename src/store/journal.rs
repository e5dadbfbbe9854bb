//! The typed side of the log: a log that takes keys and values of one type.

use crate::error::Reason;
use crate::log::{Log, Record};
use crate::sync::{AtomicU64, Ordering};

/// A log for keys and values of one type. Only making one (`open.rs`) asks for serde, so that a store in memory needs
/// nothing of its types.
pub(super) struct Journal<K, V> {
    pub(super) log: Log,
    encode: Encode<K, V>,
    max_record_bytes: u32,
    futures: AtomicU64,
}

/// Makes the record of puts, and without a value deletes, of at most so many bytes.
pub(super) type Encode<K, V> = fn(&mut Operations<'_, K, V>, u32) -> Result<Record, Reason>;

/// What one commit does.
pub(super) type Operations<'a, K, V> = dyn Iterator<Item = (&'a K, Option<&'a V>)> + 'a;

impl<K, V> Journal<K, V> {
    #[cfg(feature = "log")]
    pub(super) fn new(log: Log, encode: Encode<K, V>, max_record_bytes: u32) -> Self {
        Self { log, encode, max_record_bytes, futures: AtomicU64::new(0) }
    }

    /// The record of a commit.
    pub(super) fn encode(&self, operations: &mut Operations<'_, K, V>) -> Result<Record, Reason> {
        (self.encode)(operations, self.max_record_bytes)
    }

    /// A number that tells one future of this log from another.
    pub(super) fn next_future(&self) -> u64 {
        self.futures.fetch_add(1, Ordering::Relaxed)
    }
}
