//! The typed side of the log: commits to records and back.

use std::hash::BuildHasher;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError};
use crate::error::Reason;
use crate::key::AsKey;
use crate::log::{Log, Operation, Record, RecordBuilder};
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

type Encode<K, V> = fn(&K, Option<&V>) -> Result<RecordBuilder, CodecError>;

impl<K, V> Journal<K, V> {
    pub(super) fn new<C: Codec>(log: Log, max_record_bytes: u32) -> Self
    where
        K: Serialize,
        V: Serialize,
    {
        Self { log, encode: encode::<K, V, C>, max_record_bytes, futures: AtomicU64::new(0) }
    }

    /// The record of a put, or without a value of a delete.
    pub(super) fn encode(&self, key: &K, value: Option<&V>) -> Result<Record, Reason> {
        let builder = (self.encode)(key, value).map_err(Reason::Encode)?;
        let max = self.max_record_bytes;
        builder.finish(max).map_err(|too_large| Reason::RecordTooLarge {
            bytes: too_large.bytes,
            max: u64::from(max),
        })
    }

    /// A number that tells one future of this log from another.
    pub(super) fn next_future(&self) -> u64 {
        self.futures.fetch_add(1, Ordering::Relaxed)
    }
}

fn encode<K, V, C>(key: &K, value: Option<&V>) -> Result<RecordBuilder, CodecError>
where
    K: Serialize,
    V: Serialize,
    C: Codec,
{
    let mut builder = RecordBuilder::default();
    match value {
        Some(value) => builder.put(|out| C::encode(key, out), |out| C::encode(value, out))?,
        None => builder.delete(|out| C::encode(key, out))?,
    }
    Ok(builder)
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
