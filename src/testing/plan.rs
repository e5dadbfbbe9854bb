//! What clients are going to do, planned before anybody knows a revision.
//!
//! Which precondition matters depends on revisions, and those are known only when a write has been told its own. So a plan
//! says which revision is meant - the one this client saw last, one that is dead, one of the future - and a [`Player`] fills
//! it in.
//!
//! Nothing here starts a thread but `threads.rs`, or knows of any but that and `gate.rs`.

mod gate;
mod later;
mod memory;
mod player;
mod threads;

use std::fmt::Debug;

pub use self::player::Player;
use crate::range::KeyRange;

/// One step of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Planned<K, V> {
    /// Reads a key.
    Get(K),
    /// Asks whether a key is there.
    Contains(K),
    /// Writes, if what is expected is so.
    Put {
        /// Where.
        key: K,
        /// What.
        value: V,
        /// If this is so.
        expect: Expect,
    },
    /// Deletes, if what is expected is so.
    Delete {
        /// What.
        key: K,
        /// If this is so.
        expect: Expect,
    },
    /// Reads and writes in one ([`Store::update`](crate::Store::update)).
    Update {
        /// Where.
        key: K,
        /// What.
        value: V,
    },
    /// Commits a transaction.
    Commit(PlannedTxn<K, V>),
    /// Commits one without waiting for it: it is waited for after the step that comes next.
    Submit(PlannedTxn<K, V>),
    /// Writes without waiting for it, if what is expected is so: it is waited for after the step that comes next.
    SubmitPut {
        /// Where.
        key: K,
        /// What.
        value: V,
        /// If this is so.
        expect: Expect,
    },
    /// Deletes without waiting for it, if what is expected is so: it is waited for after the step that comes next.
    SubmitDelete {
        /// What.
        key: K,
        /// If this is so.
        expect: Expect,
    },
    /// Reads ranges and writes, in one closure ([`Store::transact`](crate::Store::transact)).
    Transact {
        /// What is read.
        reads: Vec<KeyRange<K>>,
        /// What is written, and without a value deleted; no key twice.
        changes: Vec<(K, Option<V>)>,
    },
    /// Reads a range, at one revision.
    Scan(KeyRange<K>),
    /// Takes a snapshot, whose range is read, and whose keys are counted, after the step that comes next.
    Snapshot(KeyRange<K>),
    /// Counts all keys.
    Len,
    /// Asks for the newest revision.
    Revision,
}

/// A transaction whose revisions are not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTxn<K, V> {
    /// What has to hold.
    pub requirements: Vec<PlannedRequirement<K>>,
    /// What is written, and without a value deleted; no key twice.
    pub changes: Vec<(K, Option<V>)>,
}

/// A precondition of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlannedRequirement<K> {
    /// Of one key.
    Key(K, Expect),
    /// No key is in the range.
    NoneIn(KeyRange<K>),
    /// Nothing in the range changed since the newest revision that this client knows.
    UnchangedIn(KeyRange<K>),
}

/// What a client expects of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// Nothing.
    Any,
    /// That it is not there.
    Absent,
    /// That it is there.
    Present,
    /// What this client saw last: the revision, or that it is not there. One that it never saw is not there.
    Seen,
    /// The revision that this client saw before the last: one that is dead, if it was not the only one.
    Stale,
    /// The revision after the newest that this client knows: one that nobody knows yet, or just somebody else.
    Future,
}

/// A plan for each of several clients.
///
/// [`strategies`](super::strategies) makes them up, and shrinks them. By hand:
///
/// ```
/// use ifmatch::Store;
/// use ifmatch::testing::{Expect, Planned, Plans, StoreModel, check};
///
/// let put = |value| Planned::Put { key: "a".to_owned(), value, expect: Expect::Seen };
/// let plans = Plans::from(vec![vec![put(1), put(2)], vec![put(3), Planned::Revision]]);
///
/// let store: Store<String, u64> = Store::new();
/// let history = plans.run(&store);
/// check(&StoreModel::new(), &history).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Plans<K, V> {
    clients: Vec<Vec<Planned<K, V>>>,
}

impl<K, V> Plans<K, V> {
    /// What each client is going to do.
    #[must_use]
    pub fn clients(&self) -> &[Vec<Planned<K, V>>] {
        &self.clients
    }
}

impl<K, V> From<Vec<Vec<Planned<K, V>>>> for Plans<K, V> {
    fn from(clients: Vec<Vec<Planned<K, V>>>) -> Self {
        Self { clients }
    }
}

/// A line for each step.
impl<K: Debug, V: Debug> Debug for Plans<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, plan) in self.clients.iter().enumerate() {
            writeln!(f, "client {number}:")?;
            plan.iter().try_for_each(|step| writeln!(f, "    {step:?}"))?;
        }
        Ok(())
    }
}
