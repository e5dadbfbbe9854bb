//! What a log has becomes what is in memory: the entries, and the window of recent commits, so that who follows goes on
//! where it was before the restart.
//!
//! Reading, decoding and allocating take about as long as finding the places of what was read. So they are done by two threads,
//! once there is much ([`mod@feed`]).

mod content;
mod feed;

use std::hash::BuildHasher;

use serde::de::DeserializeOwned;
use smallvec::SmallVec;
use triomphe::Arc;

use crate::codec::{Codec, CodecError};
use crate::key::AsKey;
use crate::log::{Item, Operation};
use crate::revision::Revision;
use crate::versioned::{Draft, Versioned};

use self::content::Content;
pub(super) use self::feed::feed;
use super::index::Index;
use super::shards::Shards;
use super::window::{Changes, Evicted, Window};

/// An item of a log, decoded. Keys come with their hashes: whoever looks for their places need not look at them then, for they
/// are in another processor's cache.
enum Step<K, V> {
    /// So many entries are to come.
    Expect(usize),
    Entry(Hashed<Arc<K>>, Versioned<V>),
    Commit(Revision, SmallVec<[Write<K, V>; 1]>),
    Known(u64),
}

/// A key, behind its hash.
type Hashed<K> = (u64, K);

/// What a commit puts under a key; or it deletes it.
type Write<K, V> = (Hashed<K>, Option<Draft<V>>);

/// Decodes an item.
fn decoded<K, V, C>(item: Item<'_>, hash: impl Fn(&K) -> u64) -> Result<Step<K, V>, CodecError>
where
    K: DeserializeOwned,
    V: DeserializeOwned,
    C: Codec,
{
    let decode_key = |key| C::decode(key).map(|key| (hash(&key), key));
    Ok(match item {
        Item::Expected { entries } => Step::Expect(entries),
        Item::Entry(entry) => {
            let (newest, created) = (revision::<C>(entry.revision)?, revision::<C>(entry.created)?);
            let ((hash, key), value) = (decode_key(entry.key)?, C::decode(entry.value)?);
            let entry = Versioned::new(value, newest, created, entry.write_count);
            Step::Entry((hash, Arc::new(key)), entry)
        }
        Item::Commit { revision: number, operations } => {
            let mut writes = SmallVec::with_capacity(operations.len());
            for operation in operations {
                writes.push(match *operation {
                    Operation::Put { key, value } => {
                        (decode_key(key)?, Some(Draft::new(C::decode(value)?)))
                    }
                    Operation::Delete { key } => (decode_key(key)?, None),
                });
            }
            Step::Commit(revision::<C>(number)?, writes)
        }
        Item::Known { at } => Step::Known(at),
    })
}

fn revision<C: Codec>(number: u64) -> Result<Revision, CodecError> {
    Revision::try_from(number).map_err(|invalid| CodecError::new(C::NAME, invalid.to_string()))
}

/// A store that is being read.
pub(super) struct Replay<'a, K, V, S> {
    content: Content<'a, K, V, S>,
    window: Window<K, V>,
    /// How many keys there are.
    live: u64,
}

/// What was read, beside the shards.
pub(super) struct Replayed<K, V> {
    pub(super) index: Index<K>,
    pub(super) window: Window<K, V>,
    /// How many keys there are.
    pub(super) live: u64,
}

impl<'a, K, V, S> Replay<'a, K, V, S> {
    /// Into shards that are empty.
    pub(super) fn new(shards: &'a Shards<K, V, S>, max_changes: usize) -> Self {
        let content = Content::new(shards);
        Self { content, window: Window::new(0, max_changes), live: 0 }
    }

    /// What was read; the order of commits goes on after the revision `newest`.
    pub(super) fn finish(self, newest: u64) -> Replayed<K, V>
    where
        K: Ord + Send + Sync,
    {
        let Self { content, mut window, live } = self;
        window.skip_to(newest);
        Replayed { index: content.index(), window, live }
    }
}

impl<K: AsKey<K>, V, S: BuildHasher> Replay<'_, K, V, S> {
    fn apply(&mut self, step: Step<K, V>) {
        match step {
            Step::Expect(entries) => self.content.expect(entries),
            Step::Entry(key, entry) => {
                let existed = self.content.restore_entry(key, entry);
                self.live += u64::from(!existed);
            }
            Step::Commit(revision, writes) => self.commit(revision, writes),
            Step::Known(at) => self.window.skip_to(at),
        }
    }

    fn commit(&mut self, revision: Revision, writes: impl IntoIterator<Item = Write<K, V>>) {
        let writes = writes.into_iter();
        let mut changes: SmallVec<[_; 1]> =
            writes.filter_map(|(key, draft)| self.content.restore(revision, key, draft)).collect();
        for change in &changes {
            self.live += u64::from(change.previous.is_none());
            self.live -= u64::from(change.entry.is_none());
        }
        let changes = match changes.len() {
            1 => Changes::One(changes.remove(0)),
            _ => Changes::Many(Arc::new(changes.into_vec())),
        };
        self.window.push(revision.get(), changes, revision.get(), &mut Evicted::new());
    }
}
