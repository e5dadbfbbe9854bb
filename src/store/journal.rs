//! The typed side of the log: a log that takes keys and values of one type.

#[cfg(feature = "log")]
use crate::error::CompactError;
use crate::error::Reason;
#[cfg(feature = "log")]
use crate::log::Checkpoint;
use crate::log::{Log, Record};
use crate::sync::{AtomicU64, Ordering};
#[cfg(feature = "log")]
use crate::versioned::Versioned;

/// A log for keys and values of one type. Only making one (`open.rs`) asks for serde, so that a store in memory needs
/// nothing of its types.
pub(super) struct Journal<K, V> {
    pub(super) log: Log,
    encode: Encode<K, V>,
    #[cfg(feature = "log")]
    encode_entry: EncodeEntry<K, V>,
    max_record_bytes: u32,
    futures: AtomicU64,
}

/// Makes the record of puts, and without a value deletes, of at most so many bytes.
pub(super) type Encode<K, V> = fn(&mut Operations<'_, K, V>, u32) -> Result<Record, Reason>;

/// Puts an entry into a checkpoint.
#[cfg(feature = "log")]
pub(super) type EncodeEntry<K, V> =
    fn(&mut Checkpoint<'_>, &K, &Versioned<V>) -> Result<(), CompactError>;

/// What one commit does.
pub(super) type Operations<'a, K, V> = dyn Iterator<Item = (&'a K, Option<&'a V>)> + 'a;

impl<K, V> Journal<K, V> {
    #[cfg(feature = "log")]
    pub(super) fn new(
        log: Log,
        (encode, encode_entry): (Encode<K, V>, EncodeEntry<K, V>),
        max_record_bytes: u32,
    ) -> Self {
        Self { log, encode, encode_entry, max_record_bytes, futures: AtomicU64::new(0) }
    }

    /// How an entry is put into a checkpoint.
    #[cfg(feature = "log")]
    pub(super) fn encode_entry(&self) -> EncodeEntry<K, V> {
        self.encode_entry
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
