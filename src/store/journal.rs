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

/// Makes the record of a put, or without a value of a delete, of at most so many bytes.
pub(super) type Encode<K, V> = fn(&K, Option<&V>, u32) -> Result<Record, Reason>;

impl<K, V> Journal<K, V> {
    #[cfg(feature = "log")]
    pub(super) fn new(log: Log, encode: Encode<K, V>, max_record_bytes: u32) -> Self {
        Self { log, encode, max_record_bytes, futures: AtomicU64::new(0) }
    }

    /// The record of a put, or without a value of a delete.
    pub(super) fn encode(&self, key: &K, value: Option<&V>) -> Result<Record, Reason> {
        (self.encode)(key, value, self.max_record_bytes)
    }

    /// A number that tells one future of this log from another.
    pub(super) fn next_future(&self) -> u64 {
        self.futures.fetch_add(1, Ordering::Relaxed)
    }
}
