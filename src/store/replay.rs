//! What a log has becomes what is in memory: the entries, and the window of recent commits, so that who follows goes on
//! where it was before the restart.

use std::hash::BuildHasher;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use triomphe::Arc;

use crate::codec::{Codec, CodecError};
use crate::key::AsKey;
use crate::log::{Entry, Item, Operation};
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::map::Content;
use super::window::{Changes, Evicted, Window};

/// A store that is being read.
pub(super) struct Replay<K, V, S, C> {
    pub(super) content: Content<K, V, S>,
    pub(super) window: Window<K, V>,
    /// How many keys there are.
    pub(super) live: u64,
    codec: PhantomData<fn(C)>,
}

impl<K, V, S, C> Replay<K, V, S, C>
where
    K: AsKey<K> + Clone + Ord + DeserializeOwned,
    V: DeserializeOwned,
    S: BuildHasher,
    C: Codec,
{
    pub(super) fn new(content: Content<K, V, S>, max_changes: usize) -> Self {
        Self { content, window: Window::new(0, max_changes), live: 0, codec: PhantomData }
    }

    pub(super) fn apply(&mut self, item: Item<'_>) -> Result<(), CodecError> {
        match item {
            Item::Entry(entry) => self.entry(&entry),
            Item::Commit { revision, operations } => self.commit(revision, operations),
            Item::Known { at } => {
                self.window.skip_to(at);
                Ok(())
            }
        }
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), CodecError> {
        let (newest, created) = (revision::<C>(entry.revision)?, revision::<C>(entry.created)?);
        let (key, value) = (C::decode(entry.key)?, C::decode(entry.value)?);
        let restored = Versioned::new(value, newest, created, entry.write_count);
        let existed = self.content.restore_entry(key, restored);
        self.live += u64::from(!existed);
        Ok(())
    }

    fn commit(&mut self, number: u64, operations: &[Operation<'_>]) -> Result<(), CodecError> {
        let revision = revision::<C>(number)?;
        let mut changes = Vec::with_capacity(operations.len());
        for operation in operations {
            let (key, value) = match *operation {
                Operation::Put { key, value } => (C::decode(key)?, Some(C::decode(value)?)),
                Operation::Delete { key } => (C::decode(key)?, None),
            };
            let change = self.content.restore(revision, key, value);
            if let Some(change) = &change {
                self.live += u64::from(change.previous.is_none());
                self.live -= u64::from(change.entry.is_none());
            }
            changes.extend(change);
        }
        let changes = match changes.len() {
            1 => Changes::One(changes.remove(0)),
            _ => Changes::Many(Arc::new(changes)),
        };
        self.window.push(number, changes, number, &mut Evicted::new());
        Ok(())
    }
}

fn revision<C: Codec>(number: u64) -> Result<Revision, CodecError> {
    Revision::try_from(number).map_err(|invalid| CodecError::new(C::NAME, invalid.to_string()))
}
