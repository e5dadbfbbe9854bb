//! What a log amounts to: the live keys, as bytes; and a new log that begins with them.

use std::collections::BTreeMap;

use crate::error::CompactError;
use crate::identity::Identity;
use crate::log::{
    Checkpoint, Codec, Durability, Entry, Found, Item, Log, Opened, Operation, Options, Place,
    REVISION_BLOCK, SEGMENT_BYTES, Stopped, Visitor,
};
use crate::storage::Directory;
use crate::sync::Arc;

use super::{MaintenanceError, OnProgress, Progress};

/// A live key's numbers and value.
#[derive(Debug)]
struct Live {
    revision: u64,
    created: u64,
    write_count: u64,
    value: Box<[u8]>,
}

/// The live keys at some revision.
#[derive(Debug, Default)]
pub(super) struct State(BTreeMap<Box<[u8]>, Live>);

impl State {
    pub(super) fn keys(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    fn restore(&mut self, entry: &Entry<'_>) {
        let Entry { revision, created, write_count, key, value } = *entry;
        self.0.insert(key.into(), Live { revision, created, write_count, value: value.into() });
    }

    fn apply(&mut self, revision: u64, operations: &[Operation<'_>]) {
        for operation in operations {
            match *operation {
                Operation::Put { key, value } => {
                    let (created, write_count) = match self.0.get(key) {
                        None => (revision, 1),
                        // The last of two in one commit, which is one write.
                        Some(live) if live.revision == revision => (live.created, live.write_count),
                        Some(live) => (live.created, live.write_count + 1),
                    };
                    let live = Live { revision, created, write_count, value: value.into() };
                    self.0.insert(key.into(), live);
                }
                Operation::Delete { key } => {
                    self.0.remove(key);
                }
            }
        }
    }

    pub(super) fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Entry(entry) => self.restore(&entry),
            Item::Commit { revision, operations } => self.apply(revision, operations),
            Item::Expected { .. } | Item::Known { .. } => {}
        }
    }

    /// Writes all entries into a checkpoint.
    fn write_to(&self, checkpoint: &mut Checkpoint<'_>) -> Result<(), CompactError> {
        for (key, live) in &self.0 {
            let append = |bytes: &[u8], out: &mut Vec<u8>| {
                out.extend_from_slice(bytes);
                Ok(())
            };
            checkpoint.push(
                [live.revision, live.created, live.write_count],
                |out| append(key, out),
                |out| append(&live.value, out),
            )?;
        }
        Ok(())
    }

    /// Makes a new store in an empty directory: this state, in a log of a new identity whose next revision is `first`.
    pub(super) fn found(
        &self,
        directory: Arc<dyn Directory>,
        codec: &str,
        first: u64,
    ) -> Result<Identity, MaintenanceError> {
        let opened = open(directory, codec, first, |_| {})?;
        let identity = opened.identity();
        run(opened, self.keys(), |log, newest| {
            let mut compaction = log.compaction()?;
            let continuation = compaction.begin_with_state()?;
            let mut checkpoint = compaction.checkpoint(continuation, newest)?;
            self.write_to(&mut checkpoint)?;
            checkpoint.publish()
        })?;
        Ok(identity)
    }

    /// Replaces the log that this state was read from.
    pub(super) fn compact(&self, opened: Opened) -> Result<(), MaintenanceError> {
        run(opened, self.keys(), |log, newest| {
            let mut compaction = log.compaction()?;
            let Some(continuation) = compaction.begin()? else { return Ok(()) };
            let mut checkpoint = compaction.checkpoint(continuation, newest)?;
            self.write_to(&mut checkpoint)?;
            checkpoint.publish()
        })
    }
}

/// Opens the log in `directory`, or makes one.
pub(super) fn open(
    directory: Arc<dyn Directory>,
    codec: &str,
    first_revision: u64,
    mut apply: impl FnMut(Item<'_>),
) -> Result<Opened, MaintenanceError> {
    let options = Options {
        codec: Codec::same_as(codec),
        durability: Durability::Sync,
        segment_bytes: *SEGMENT_BYTES.end(),
        revision_block: *REVISION_BLOCK.start(),
        compact_after: u64::MAX,
        first_revision,
    };
    let apply = &mut |item: Item<'_>| {
        apply(item);
        Ok(())
    };
    Ok(Opened::open(directory, options, apply)?)
}

/// Starts a log, has it compacted, and closes it.
fn run(
    opened: Opened,
    keys: u64,
    compact: impl FnOnce(&Log, u64) -> Result<(), CompactError>,
) -> Result<(), MaintenanceError> {
    let newest = opened.newest();
    let frontier = opened.frontier(keys);
    // Nobody waits for its commits, because there are none.
    let log = opened.start(frontier, Box::new(|_| Vec::new()), Arc::new(|_| {}))?;
    compact(&log, newest).map_err(MaintenanceError::Compact)?;
    log.close().map_err(MaintenanceError::Close)
}

/// Collects the state of a log up to the first damage, or of all that can be read.
pub(super) struct Replay<'a, 'b> {
    pub(super) state: State,
    past_damage: bool,
    damaged: bool,
    progress: &'a mut OnProgress<'b>,
}

impl<'a, 'b> Replay<'a, 'b> {
    pub(super) fn new(progress: &'a mut OnProgress<'b>) -> Self {
        Self { state: State::default(), past_damage: false, damaged: false, progress }
    }

    pub(super) fn past_damage(mut self, past_damage: bool) -> Self {
        self.past_damage = past_damage;
        self
    }
}

impl Visitor for Replay<'_, '_> {
    fn found(&mut self, _: Place<'_>, found: Found<'_>) -> Result<(), Stopped> {
        match found {
            Found::Damage(_) => self.damaged = true,
            _ if self.damaged && !self.past_damage => {}
            Found::Entry(entry) => self.state.restore(&entry),
            Found::Commit { revision, operations, covered: false } => {
                self.state.apply(revision, operations);
            }
            _ => {}
        }
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64) {
        (self.progress)(Progress { done, total });
    }
}
