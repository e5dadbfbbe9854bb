//! The state of a store between two calls.

use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Bound;

use foldhash::fast::FixedState;
use rpds::RedBlackTreeMapSync;

use super::operation::Entry;
use super::revisions::{At, Revisions};
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;

/// The state of a store between two calls: all entries, when deleted ones were deleted, and the newest revision. A clone takes
/// a moment, whatever it holds.
pub struct StoreState<K: Ord, V> {
    slots: RedBlackTreeMapSync<K, Slot<V>>,
    pub(super) newest: At,
    /// What was deleted until this revision is not known.
    past: Revision,
    pub(super) revisions: Revisions,
    /// Of all slots together.
    hash: u64,
    /// How many keys there are.
    live: usize,
}

/// What is known of a key that was written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot<V> {
    /// The newest write, or the delete.
    pub(super) changed: At,
    /// The change before that; `None` if there was none.
    pub(super) before: Option<At>,
    /// `None` if it was deleted.
    pub(super) stored: Option<Stored<V>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored<V> {
    pub(super) created: At,
    pub(super) write_count: u64,
    pub(super) value: V,
}

impl<K: Ord + Clone + Hash, V: Clone + PartialEq> StoreState<K, V> {
    pub(super) fn new(newest: Revision) -> Self {
        Self {
            slots: RedBlackTreeMapSync::new_sync(),
            newest: At::Known(newest),
            past: newest,
            revisions: Revisions::default(),
            hash: 0,
            live: 0,
        }
    }

    /// Puts an entry as it was found.
    pub(super) fn restore(&mut self, key: K, entry: &Entry<V>) {
        let stored = Stored {
            created: At::Known(entry.created_revision),
            write_count: entry.write_count,
            value: entry.value.clone(),
        };
        self.add(
            key,
            Slot { changed: At::Known(entry.revision), before: None, stored: Some(stored) },
        );
    }

    /// How many keys there are.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn slot(&self, key: &K) -> Option<&Slot<V>> {
        self.slots.get(key)
    }

    /// Whether the key may have been deleted after `since`, before anything is known.
    pub(super) fn may_be_deleted(&self, key: &K, since: Revision) -> bool {
        self.slot(key).is_none() && since < self.past
    }

    /// What is there.
    pub(super) fn stored(&self, key: &K) -> Option<(At, &Stored<V>)> {
        let slot = self.slot(key)?;
        Some((slot.changed, slot.stored.as_ref()?))
    }

    pub(super) fn slots_in(&self, range: &KeyRange<K>) -> impl Iterator<Item = (&K, &Slot<V>)> {
        // The map takes no range whose start is after its end.
        let bounds: (Bound<&K>, Bound<&K>) = (range.start(), range.end());
        let slots = (!range.is_empty()).then(|| self.slots.range::<K, _>(bounds));
        slots.into_iter().flatten()
    }

    pub(super) fn stored_in(
        &self,
        range: &KeyRange<K>,
    ) -> impl Iterator<Item = (&K, At, &Stored<V>)> {
        self.slots_in(range)
            .filter_map(|(key, slot)| Some((key, slot.changed, slot.stored.as_ref()?)))
    }

    /// Whether this is what is there, learning the revisions.
    pub(super) fn is_entry(
        revisions: &mut Revisions,
        stored: Option<(At, &Stored<V>)>,
        told: Option<&Entry<V>>,
    ) -> bool {
        match (stored, told) {
            (None, None) => true,
            (Some((at, stored)), Some(told)) => {
                stored.value == told.value
                    && stored.write_count == told.write_count
                    && revisions.is(at, told.revision)
                    && revisions.is(stored.created, told.created_revision)
            }
            _ => false,
        }
    }

    /// Whether the precondition holds, learning the revision.
    pub(super) fn holds(
        revisions: &mut Revisions,
        stored: Option<(At, &Stored<V>)>,
        precondition: Precondition,
    ) -> bool {
        match precondition {
            Precondition::Any => true,
            Precondition::Absent => stored.is_none(),
            Precondition::Present => stored.is_some(),
            Precondition::Revision(expected) => {
                stored.is_some_and(|(at, _)| revisions.is(at, expected))
            }
        }
    }

    /// Writes, and without a value deletes.
    pub(super) fn write(&mut self, key: &K, value: Option<&V>, at: At) {
        let slot = self.slot(key);
        let before = slot.map(|slot| slot.changed);
        let hash_before = slot.map_or(0, |slot| hash(key, slot));
        let stored = value.map(|value| match slot.and_then(|slot| slot.stored.as_ref()) {
            None => Stored { created: at, write_count: 1, value: value.clone() },
            Some(Stored { created, write_count, .. }) => {
                let write_count = write_count.saturating_add(1);
                Stored { created: *created, write_count, value: value.clone() }
            }
        });
        let was_live = usize::from(slot.is_some_and(|slot| slot.stored.is_some()));
        self.hash ^= hash_before;
        self.live -= was_live;
        self.add(key.clone(), Slot { changed: at, before, stored });
    }

    /// Puts a slot there; the hash is without what was there before.
    fn add(&mut self, key: K, slot: Slot<V>) {
        self.hash ^= hash(&key, &slot);
        self.live += usize::from(slot.stored.is_some());
        self.slots.insert_mut(key, slot);
    }
}

/// The part of the state that a key is.
pub(super) fn part<K: Hash>(key: &K) -> u64 {
    FixedState::with_seed(0).hash_one(key)
}

fn hash<K: Hash, V>(key: &K, slot: &Slot<V>) -> u64 {
    FixedState::with_seed(0).hash_one((key, slot.changed, slot.stored.is_some()))
}

impl<K: Ord, V> Clone for StoreState<K, V> {
    fn clone(&self) -> Self {
        Self {
            slots: self.slots.clone(),
            newest: self.newest,
            past: self.past,
            revisions: self.revisions.clone(),
            hash: self.hash,
            live: self.live,
        }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for StoreState<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.newest == other.newest
            && self.revisions == other.revisions
            && self.slots == other.slots
    }
}

impl<K: Ord, V: Eq> Eq for StoreState<K, V> {}

impl<K: Ord, V> Hash for StoreState<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.hash, self.newest, &self.revisions).hash(state);
    }
}

impl<K: Ord + Debug, V: Debug> Debug for StoreState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {}", self.revisions.show(self.newest))?;
        for (key, slot) in &self.slots {
            write!(f, ", {key:?}: {}", show(&self.revisions, slot))?;
        }
        Ok(())
    }
}

/// What is there, for people.
pub(super) fn show<V: Debug>(revisions: &Revisions, slot: &Slot<V>) -> String {
    let at = revisions.show(slot.changed);
    match &slot.stored {
        None => format!("deleted at {at}"),
        Some(Stored { created, write_count, value }) => {
            let created = revisions.show(*created);
            format!("{value:?} at {at} (created at {created}, write {write_count})")
        }
    }
}
