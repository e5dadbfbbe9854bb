//! What is asked of a store, and what it answers, as far as an order of the calls has to explain it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::txn::Requirement;
use crate::versioned::Versioned;

/// What is asked of a store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreOperation<K, V> {
    /// The entry of a key.
    Get(K),
    /// Whether there is an entry of a key.
    Contains(K),
    /// A write, if the precondition holds.
    Put {
        /// Where.
        key: K,
        /// What.
        value: V,
        /// If this holds.
        precondition: Precondition,
    },
    /// A delete, if the precondition holds.
    Delete {
        /// What.
        key: K,
        /// If this holds.
        precondition: Precondition,
    },
    /// A read, a change and a write in one ([`Store::update`](crate::Store::update)). What it writes, the outcome tells: without
    /// one it is taken to have written nothing, so that one that may have written is to be recorded as a [`Put`](Self::Put).
    Update(K),
    /// A transaction.
    Commit {
        /// What has to hold, by index.
        requirements: Vec<Requirement<K>>,
        /// What is written, and without a value deleted.
        changes: Vec<(K, Option<V>)>,
    },
    /// A closure that reads and writes ([`Store::transact`](crate::Store::transact)): what, the outcome tells. Without one it is
    /// taken to have written nothing, so that one that may have written is to be recorded as a [`Commit`](Self::Commit).
    Transact,
    /// All entries of a range, at one revision.
    Scan(KeyRange<K>),
    /// The next commit in a range after a revision, as a watch is told it.
    ///
    /// Such a call takes place right after the commit, whenever it is told: it begins when the watch was opened for what is
    /// to come, or, if it was opened for the past, before everything.
    Watch {
        /// What is watched.
        range: KeyRange<K>,
        /// The revision of the commit that was told before.
        since: Revision,
    },
    /// How many keys there are.
    Len,
    /// The newest revision.
    Revision,
    /// A restart: the newest revision after it may be higher than that of the newest commit.
    Reopen,
}

/// What a store answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreOutcome<K, V> {
    /// The entry of the key, if there is one.
    Read(Option<Entry<V>>),
    /// Whether there is one.
    Contained(bool),
    /// It was written.
    Written {
        /// The revision of the write.
        revision: Revision,
        /// That of the creation of the key, if it was told.
        created_revision: Option<Revision>,
        /// The writes since, if that was told.
        write_count: Option<u64>,
    },
    /// It was deleted at this revision, and was this; `None`: there was nothing to delete.
    Deleted(Option<(Revision, Entry<V>)>),
    /// It was updated.
    Updated {
        /// What was there.
        read: Option<V>,
        /// What was written.
        value: V,
        /// The revision of the write.
        revision: Revision,
    },
    /// It was committed at this revision; if it changed nothing, it held at this revision.
    Committed(Revision),
    /// The closure has read and written this, at this revision; if it wrote nothing, it read at this revision.
    Transacted {
        /// What was read.
        reads: Vec<RangeRead<K, V>>,
        /// What was written, and without a value deleted.
        changes: Vec<(K, Option<V>)>,
        /// Of the commit.
        revision: Revision,
    },
    /// These preconditions did not hold; all others did. Nothing was written.
    Conflicts(Vec<Failing<K, V>>),
    /// What was in the range.
    Scanned {
        /// At this revision, if it was told.
        revision: Option<Revision>,
        /// In the order of their keys.
        entries: Vec<(K, Entry<V>)>,
    },
    /// A commit: all that it changed in the range, in the order of keys, and without an entry deleted. With no changes: there
    /// was no commit until this revision.
    Watched {
        /// Of the commit.
        revision: Revision,
        /// What it changed.
        changes: Vec<(K, Option<Entry<V>>)>,
    },
    /// So many keys.
    Counted {
        /// At this revision, if it was told.
        revision: Option<Revision>,
        /// How many.
        keys: usize,
    },
    /// The newest revision.
    Revision(Revision),
}

/// A range that was read: a key, if it is as small as that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeRead<K, V> {
    /// The range.
    pub range: KeyRange<K>,
    /// What was in it, in the order of their keys.
    pub entries: Vec<(K, Entry<V>)>,
}

/// An entry as somebody was told it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<V> {
    /// The revision of its newest write.
    pub revision: Revision,
    /// That of its creation.
    pub created_revision: Revision,
    /// The writes since, the creation included.
    pub write_count: u64,
    /// What is there.
    pub value: V,
}

impl<V: Clone> From<&Versioned<V>> for Entry<V> {
    fn from(entry: &Versioned<V>) -> Self {
        Self {
            revision: entry.revision(),
            created_revision: entry.created_revision(),
            write_count: entry.write_count(),
            value: entry.value().clone(),
        }
    }
}

impl<V: fmt::Debug> fmt::Debug for Entry<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, created_revision, write_count, value } = self;
        write!(f, "{value:?} at {revision} (created at {created_revision}, write {write_count})")
    }
}

/// A precondition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing<K, V> {
    /// Which: the index of the requirement, 0 for a write of one key.
    pub index: usize,
    /// The key that is in the way.
    pub key: K,
    /// What is there.
    pub current: Option<Entry<V>>,
    /// How many keys are in a range that was required to be empty; 0 for any other precondition.
    pub blockers: usize,
}
