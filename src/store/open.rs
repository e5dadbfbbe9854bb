//! Opening a store on a log: its settings, how records are made, and how they are read back.

use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError};
use crate::error::{CompactError, OpenError, Reason};
use crate::log::{
    self, Apply, Checkpoint, Durability, Opened, Options, Record, RecordBuilder, Recovery,
    Superseded,
};
use crate::storage::{Directory, Files};
use crate::sync::Arc;
use crate::versioned::Versioned;

use super::compact::compact;
use super::journal::{Encode, EncodeEntry, Journal, Operations};
use super::map::Map;
use super::replay::{Replay, Replayed, feed};
use super::shards::Shards;
use super::{Builder, Inner, Store};

/// What a builder says of the log.
#[derive(Clone, Debug)]
pub(super) struct LogSettings {
    durability: Durability,
    max_record_bytes: u32,
    segment_bytes: usize,
    revision_block: u64,
    compact_after: u64,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            max_record_bytes: 16 << 20,
            segment_bytes: 64 << 20,
            revision_block: 1 << 20,
            compact_after: 64 << 20,
        }
    }
}

/// Settings of the log; they mean nothing in memory.
impl<K, V, S, C> Builder<K, V, S, C> {
    /// Encodes keys and values in the log with the codec `D`. A log written with another is refused.
    #[must_use]
    pub fn codec<D: Codec>(self) -> Builder<K, V, S, D> {
        Builder { hasher: self.hasher, settings: self.settings, log: self.log, types: PhantomData }
    }

    /// When a commit counts as done. Default: [`Durability::Sync`]. It means nothing in memory.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.log.durability = durability;
        self
    }

    /// The most bytes that the encoding of one commit may take, at most 256 MiB; past it a write is refused with
    /// [`Reason::RecordTooLarge`]. Default: 16 MiB. It means nothing in memory.
    #[must_use]
    pub fn max_record_bytes(mut self, max: u32) -> Self {
        self.log.max_record_bytes = max.min(log::MAX_RECORD_BYTES);
        self
    }

    /// At about how many bytes the log starts its next file, between 4 KiB and 1 GiB. Default: 64 MiB.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: usize) -> Self {
        let (min, max) = log::SEGMENT_BYTES.into_inner();
        self.log.segment_bytes = bytes.clamp(min, max);
        self
    }

    /// How many revisions are reserved at once, between 16 and 2^40. An unclean stop skips what is left of them; and each block
    /// costs a sync, ahead of need. Default: 2^20; at a thousand unclean stops a day all revisions last for twenty thousand
    /// years.
    #[must_use]
    pub fn revision_block(mut self, revisions: u64) -> Self {
        let (min, max) = log::REVISION_BLOCK.into_inner();
        self.log.revision_block = revisions.clamp(min, max);
        self
    }

    /// When the log is [compacted](Store::compact) by itself: when the segments that are full have at least so many bytes,
    /// and at least as many as the last checkpoint. That is looked at when a segment is full, after each compaction and when the
    /// store is opened. Default: 64 MiB; `u64::MAX`: never.
    ///
    /// So with a checkpoint of `c` bytes and segments of `s` bytes the log takes at most `c + max(c, bytes) + 2 s`; while
    /// it is compacted in addition the new checkpoint, and what is written meanwhile. A record that is larger than a segment
    /// has one of its own, and counts as `s`.
    #[must_use]
    pub fn compact_after(mut self, bytes: u64) -> Self {
        self.log.compact_after = bytes;
        self
    }
}

impl<K, V, S, C> Builder<K, V, S, C>
where
    K: Clone + Hash + Ord + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
    C: Codec,
{
    /// Opens the store on the log in `directory`, which is created if it does not exist. All data is read into
    /// memory. What was found is told by [`Store::recovery`].
    ///
    /// The log knows its codec, not its types. Opened with other types than it was written with, it may fail to decode,
    /// or, if the bytes happen to fit, be misread: give a type that changes its shape another directory.
    ///
    /// # Errors
    /// [`OpenError`]; the log in the directory is then as it was.
    pub fn open(self, directory: impl AsRef<Path>) -> Result<Store<K, V, S>, OpenError> {
        self.open_in(Arc::new(Files::new(directory.as_ref())))
    }

    /// Opens the store on a simulated disk, which fails as planned and can lose power at any call.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[cfg(any(test, feature = "testing"))]
    pub fn open_on(self, disk: &crate::storage::disk::Disk) -> Result<Store<K, V, S>, OpenError> {
        self.open_in(disk.directory())
    }

    pub(crate) fn open_in(
        self,
        directory: Arc<dyn Directory>,
    ) -> Result<Store<K, V, S>, OpenError> {
        // A log that keeps a part of the name only could be taken for one of another codec.
        const {
            assert!(
                C::NAME.len() <= 16 && C::NAME.is_ascii(),
                "Codec::NAME is at most 16 bytes of ASCII"
            );
        }
        let started = Instant::now();
        let Self { hasher, settings, log: log_settings, .. } = self;
        let options = Options {
            codec: log::Codec::named(C::NAME),
            durability: log_settings.durability,
            segment_bytes: log_settings.segment_bytes,
            revision_block: log_settings.revision_block,
            compact_after: log_settings.compact_after,
            first_revision: settings.first_revision.get(),
        };
        let shards = Shards::new(settings.shards(), hasher);
        let read = |apply: &mut Apply<'_>| Opened::open(directory, options, apply);
        let (opened, replay) =
            feed::<K, V, S, C, _, _>(&shards, Replay::new(&shards, settings.window), read)?;
        let newest = opened.newest();
        let Replayed { index, window, live } = replay.finish(newest);
        let identity = opened.identity();
        let recovery = Recovery { elapsed: started.elapsed(), ..opened.report().clone() };
        let frontier = opened.frontier(live);
        let log_end = Some(Arc::clone(&frontier));
        let sequencer = settings.sequencer(newest, live, window, log_end);
        let map = Arc::new(Map::new(shards, index, sequencer));
        // Weak, so that the log's threads do not keep the values.
        let followed = Arc::downgrade(&map);
        let follow = move |superseded: &[Superseded]| {
            followed.upgrade().map(|map| map.follow(superseded)).unwrap_or_default()
        };
        let compacted = Arc::downgrade(&map);
        let compact = move |compaction| {
            if let Some(map) = compacted.upgrade() {
                // Who wants to know asks for the store's statistics.
                let _counted = compact(&map, compaction, encode_entry::<K, V, C>);
            }
        };
        let log = opened.start(frontier, Box::new(follow), Arc::new(compact))?;
        let encode: (Encode<K, V>, EncodeEntry<K, V>) =
            (encode::<K, V, C>, encode_entry::<K, V, C>);
        Ok(Store::from_inner(Inner {
            map,
            journal: Some(Journal::new(log, encode, log_settings.max_record_bytes)),
            identity,
            recovery: Some(recovery),
        }))
    }
}

/// Encodes what one commit does.
fn encode<K, V, C>(operations: &mut Operations<'_, K, V>, max: u32) -> Result<Record, Reason>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    C: Codec,
{
    let most = usize::try_from(max).unwrap_or(usize::MAX);
    let mut builder = RecordBuilder::default();
    for (key, value) in operations {
        let key = |out: &mut Vec<u8>| encode_field::<K, C>(key, out, most);
        match value {
            Some(value) => builder.put(key, |out| encode_field::<V, C>(value, out, most))?,
            None => builder.delete(key)?,
        }
    }
    builder
        .finish(max)
        .map_err(|too_large| Reason::RecordTooLarge { bytes: too_large.bytes, max: u64::from(max) })
}

/// Encodes a key or a value of a record of at most so many bytes: what is longer is not read back, for it is going to be
/// refused.
fn encode_field<T, C>(value: &T, out: &mut Vec<u8>, most: usize) -> Result<(), Reason>
where
    T: Serialize + DeserializeOwned,
    C: Codec,
{
    let start = out.len();
    C::encode(value, out).map_err(Reason::Encode)?;
    if out.len() > most {
        Ok(())
    } else {
        read_back::<T, C>(&out[start..]).map_err(Reason::Unreadable)
    }
}

/// Decodes what was encoded just now: what is acknowledged must not turn out unreadable when the log is opened next. Compact
/// codecs cannot read back every type that they write (one that skips fields, or needs to look before it decodes).
fn read_back<T: DeserializeOwned, C: Codec>(bytes: &[u8]) -> Result<(), CodecError> {
    C::decode::<T>(bytes).map(drop)
}

/// Reads back, too: it takes the place of what was read back when it was written.
fn encode_entry<K, V, C>(
    checkpoint: &mut Checkpoint<'_>,
    key: &K,
    entry: &Versioned<V>,
) -> Result<(), CompactError>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
    C: Codec,
{
    fn encode<T, C>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError>
    where
        T: Serialize + DeserializeOwned,
        C: Codec,
    {
        let start = out.len();
        C::encode(value, out)?;
        read_back::<T, C>(&out[start..])
    }
    let numbers = [entry.revision().get(), entry.created_revision().get(), entry.write_count()];
    checkpoint.push(
        numbers,
        |out| encode::<K, C>(key, out),
        |out| encode::<V, C>(entry.value(), out),
    )
}
