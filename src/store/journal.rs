//! The typed side of the log: commits to records and back.

use std::hash::BuildHasher;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError};
use crate::error::Reason;
use crate::key::AsKey;
use crate::log::{Log, Operation, Record, RecordBuilder, operations};
use crate::revision::Revision;
use crate::sync::{AtomicU64, Ordering};

use super::shards::Shards;

/// A log that takes keys and values of one type. Only making one asks for serde, so that a store in memory needs
/// nothing of its types.
pub(super) struct Journal<K, V> {
    pub(super) log: Log,
    encode: Encode<K, V>,
    max_record_bytes: u32,
    futures: AtomicU64,
}

type Encode<K, V> = fn(&K, Option<&V>, u32) -> Result<Record, Reason>;

impl<K, V> Journal<K, V> {
    pub(super) fn new<C: Codec>(log: Log, max_record_bytes: u32) -> Self
    where
        K: Serialize + DeserializeOwned,
        V: Serialize + DeserializeOwned,
    {
        Self { log, encode: encode::<K, V, C>, max_record_bytes, futures: AtomicU64::new(0) }
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

/// Encodes, and decodes again: what is acknowledged must not turn out unreadable when the log is opened next. Compact
/// codecs cannot read back every type that they write (one that skips fields, or needs to look before it decodes).
fn encode<K, V, C>(key: &K, value: Option<&V>, max: u32) -> Result<Record, Reason>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    C: Codec,
{
    let mut builder = RecordBuilder::default();
    let encoded = match value {
        Some(value) => builder.put(|out| C::encode(key, out), |out| C::encode(value, out)),
        None => builder.delete(|out| C::encode(key, out)),
    };
    encoded.map_err(Reason::Encode)?;
    let record = builder.finish(max).map_err(|too_large| Reason::RecordTooLarge {
        bytes: too_large.bytes,
        max: u64::from(max),
    })?;
    check::<K, V, C>(&record).map_err(Reason::Unreadable)?;
    Ok(record)
}

fn check<K, V, C>(record: &Record) -> Result<(), CodecError>
where
    K: DeserializeOwned,
    V: DeserializeOwned,
    C: Codec,
{
    for operation in operations(record.payload()).unwrap_or_default() {
        match operation {
            Operation::Put { key, value } => {
                C::decode::<K>(key)?;
                C::decode::<V>(value)?;
            }
            Operation::Delete { key } => {
                C::decode::<K>(key)?;
            }
        }
    }
    Ok(())
}

/// Installs a commit that was read from the log; `live` is the number of keys.
pub(super) fn replay<K, V, S, C>(
    shards: &Shards<K, V, S>,
    revision: u64,
    operations: &[Operation<'_>],
    live: &mut u64,
) -> Result<(), CodecError>
where
    K: AsKey<K> + DeserializeOwned,
    V: DeserializeOwned,
    S: BuildHasher,
    C: Codec,
{
    let revision = Revision::try_from(revision)
        .map_err(|invalid| CodecError::new(C::NAME, invalid.to_string()))?;
    for operation in operations {
        match *operation {
            Operation::Put { key, value } => {
                let existed = shards.restore(revision, C::decode(key)?, Some(C::decode(value)?));
                *live += u64::from(!existed);
            }
            Operation::Delete { key } => {
                let existed = shards.restore(revision, C::decode(key)?, None);
                *live -= u64::from(existed);
            }
        }
    }
    Ok(())
}
