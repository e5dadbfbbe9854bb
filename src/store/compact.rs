//! Compacting the log: the state at one revision takes the place of the commits that led to it.

use std::hash::{BuildHasher, Hash};

use crate::error::CompactError;
use crate::key::AsKey;
use crate::log::Compaction;
use crate::range::KeyRange;
use crate::sync::Arc;

use super::Store;
use super::journal::EncodeEntry;
use super::map::Map;
use super::pin::Pin;
use super::scan::Scan;
use super::sequencer::View;

/// Replaces what the log has by the state that is shown.
pub(super) fn compact<K, V, S>(
    map: &Arc<Map<K, V, S>>,
    mut compaction: Compaction,
    encode: EncodeEntry<K, V>,
) -> Result<(), CompactError>
where
    K: AsKey<K> + Ord,
    S: BuildHasher,
{
    let Some(continuation) = compaction.begin()? else { return Ok(()) };
    let pin = Arc::new(Pin::unlimited(map, View::Durable));
    let mut checkpoint = compaction.checkpoint(continuation, pin.revision())?;
    let mut scan = Scan::new(pin, KeyRange::all());
    while let Some((key, entry)) = scan.next_shared() {
        encode(&mut checkpoint, &key, &entry)?;
    }
    checkpoint.publish()
}

impl<K, V, S> Store<K, V, S>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// Compacts the log: writes the current state as a checkpoint, and removes the segments that it replaces. On this thread;
    /// reads and writes go on meanwhile. A store does this by itself, on a thread of its own, as
    /// [`Builder::compact_after`](super::Builder::compact_after) says. In memory it does nothing.
    ///
    /// It needs space for the checkpoint beside what there is, and memory for the values that are replaced meanwhile. Closing
    /// the store ends it.
    ///
    /// # Errors
    /// [`CompactError`]; what was written and acknowledged is there as before.
    pub fn compact(&self) -> Result<(), CompactError> {
        match &self.inner.journal {
            None => Ok(()),
            Some(journal) => {
                compact(&self.inner.map, journal.log.compaction()?, journal.encode_entry())
            }
        }
    }
}
