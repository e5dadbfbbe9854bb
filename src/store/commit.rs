//! The commit path of a transaction: prepare, attempt, settle, like that of a single write (`write.rs`).
//!
//! An attempt first looks at conditions on ranges, at a pinned revision and without locks (`examine.rs`). Then it locks
//! the shards of all its keys, in their order, checks the conditions on keys, makes room, and takes its turn. Inside the
//! sequencer it matches what was committed since it looked with its ranges; if anything matches it starts again, and if
//! there is too much to match it steps out to do that first.
//!
//! A condition that fails under the locks is looked at again at a pinned revision, with all others, so that what is told
//! of them is the state at one moment.

use std::hash::{BuildHasher, Hash};

use triomphe::Arc;

use crate::commit_error::CommitError;
use crate::error::{LogFailure, OutcomeUnknown, Reason};
use crate::key::AsKey;
use crate::log::Record;
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::txn::{Requirement, Txn};
use crate::versioned::Draft;

use super::examine::{Examined, Unknown, catch_up, examine};
use super::install::{Installed, Locked};
use super::pending::{Pending, Told as Awaited};
use super::settle::{self, Operation, Outcome};
use super::{Inner, Store};

/// A transaction that took place.
pub(crate) struct Committed {
    pub(super) revision: Revision,
    /// Whether it wrote, so that the revision is its own.
    pub(super) wrote: bool,
}

type Told<K, V> = Result<Committed, CommitError<K, V>>;
pub(super) type Settled<K, V> = settle::Settled<Told<K, V>>;

type Attempt<K, V> = settle::Attempt<Told<K, V>>;

impl<K, V> Settled<K, V> {
    /// What holds at a revision was read, and nothing written.
    pub(super) fn read_only(revision: Revision) -> Self {
        Self { outcome: Ok(Committed { revision, wrote: false }), rests_on: Some(revision) }
    }
}

impl<K, V> Outcome for Told<K, V> {
    fn after_failure(self, failure: LogFailure) -> Self {
        match self {
            Ok(Committed { revision, wrote: true }) => {
                Err(CommitError::OutcomeUnknown(OutcomeUnknown::new(Some(revision), failure)))
            }
            Ok(Committed { wrote: false, .. }) => {
                Err(refused(Reason::Poisoned(failure), Txn::new()))
            }
            Err(error) => {
                let txn = error.into_txn().unwrap_or_default();
                Err(refused(Reason::Poisoned(failure), txn))
            }
        }
    }
}

fn refused<K, V>(reason: Reason, txn: Txn<K, V>) -> CommitError<K, V> {
    CommitError::Refused { reason, txn: Box::new(txn) }
}

/// A transaction on its way.
pub(crate) struct Commit<K, V> {
    pub(super) requirements: Vec<Requirement<K>>,
    pub(super) required: Vec<Required>,
    pub(super) writes: Vec<KeyWrite<K, V>>,
    /// The numbers of the shards, ascending, and whether they are written.
    pub(super) shards: Vec<(usize, bool)>,
    /// How many conditions on ranges there are.
    pub(super) ranges: usize,
    pub(super) record: Option<Record>,
}

/// A condition on a key: its place among the requirements.
pub(super) struct Required {
    pub(super) index: usize,
    pub(super) hash: u64,
}

/// What a transaction makes of a key.
pub(super) struct KeyWrite<K, V> {
    pub(super) key: K,
    pub(super) is_new: bool,
    /// Made, under no lock, once it turns out that the key is new.
    pub(super) new_key: Option<Arc<K>>,
    pub(super) hash: u64,
    pub(super) draft: Option<Draft<V>>,
    pub(super) deletes: bool,
}

/// How often an attempt starts again because others were faster, before it is refused as [`Reason::Contended`]. It sleeps
/// between the last ones, 5 ms in all.
const ROUNDS: u32 = 100;

impl<K, V> Commit<K, V>
where
    K: AsKey<K> + Clone + Ord,
{
    /// Prepares a transaction: checks it, hashes, and for a log encodes. If it cannot be, it is settled already.
    pub(super) fn prepare<S: BuildHasher>(
        store: &Inner<K, V, S>,
        txn: Txn<K, V>,
    ) -> Result<Self, Settled<K, V>> {
        let (operations, max) = (txn.len(), Txn::<K, V>::MAX_OPERATIONS);
        if operations > max {
            return Err(settled_refused(Reason::TooManyOperations { operations, max }, txn));
        }
        if let Some((first, second)) = duplicate(&txn.changes) {
            return Err(settled_refused(Reason::DuplicateKey { first, second }, txn));
        }
        let record = match &store.journal {
            Some(journal) if !txn.changes.is_empty() => {
                let mut changes = txn.changes.iter().map(|(key, value)| (key, value.as_ref()));
                match journal.encode(&mut changes) {
                    Ok(record) => Some(record),
                    Err(reason) => return Err(settled_refused(reason, txn)),
                }
            }
            _ => None,
        };
        let hasher = &store.map.shards;
        let required =
            txn.requirements.iter().enumerate().filter_map(
                |(index, requirement)| match requirement {
                    Requirement::Key(key, _) => Some(Required { index, hash: hasher.hash(key) }),
                    Requirement::NoneIn(_) | Requirement::UnchangedIn(..) => None,
                },
            );
        let required: Vec<_> = required.collect();
        let ranges = txn.requirements.len() - required.len();
        let writes = txn.changes.into_iter().map(|(key, value)| KeyWrite {
            hash: hasher.hash(&key),
            key,
            new_key: None,
            is_new: false,
            deletes: value.is_none(),
            draft: value.map(Draft::new),
        });
        let writes: Vec<_> = writes.collect();
        let read = required.iter().map(|required| (hasher.number(required.hash), false));
        let written = writes.iter().map(|write| (hasher.number(write.hash), true));
        let mut shards: Vec<_> = read.chain(written).collect();
        // Of the two ways to lock a shard, writing comes last and stays.
        shards.sort_unstable();
        shards.reverse();
        shards.dedup_by_key(|(number, _)| *number);
        shards.reverse();
        let requirements = txn.requirements;
        Ok(Self { requirements, required, writes, shards, ranges, record })
    }

    /// The condition on a key.
    pub(super) fn requirement(&self, required: &Required) -> (&K, Precondition) {
        match &self.requirements[required.index] {
            Requirement::Key(key, precondition) => (key, *precondition),
            _ => unreachable!("it is a condition on a key"),
        }
    }

    fn take_txn(&mut self) -> Txn<K, V> {
        let changes = std::mem::take(&mut self.writes).into_iter().map(|write| {
            debug_assert!(write.deletes || write.draft.is_some(), "it was not installed");
            (write.key, write.draft.map(Draft::into_value))
        });
        let changes = changes.collect();
        Txn { requirements: std::mem::take(&mut self.requirements), changes }
    }

    fn fail(&mut self, error: impl FnOnce(Box<Txn<K, V>>) -> CommitError<K, V>) -> Told<K, V> {
        Err(error(Box::new(self.take_txn())))
    }

    /// Looks at all conditions at one revision, which is returned if they hold.
    fn look<S: BuildHasher>(&mut self, store: &Inner<K, V, S>) -> Result<u64, Box<Attempt<K, V>>> {
        let Examined { at, findings } = examine(&store.map, store.identity, self);
        let outcome = match findings {
            Ok(conflicts) if conflicts.is_empty() => return Ok(at),
            Ok(conflicts) => self.fail(|txn| CommitError::Conflicts { conflicts, txn }),
            Err(Unknown { index, oldest: Some(oldest), .. }) => {
                self.fail(|txn| CommitError::Compacted { index, oldest, txn })
            }
            Err(Unknown { index, newest, .. }) => {
                self.fail(|txn| CommitError::Future { index, newest, txn })
            }
        };
        let rests_on = Some(super::stored(at));
        Err(Box::new(Attempt::Settled(Settled { outcome, rests_on })))
    }

    /// Makes what new keys need, under no lock, because that is the key type's code.
    fn share_keys(&mut self) {
        for write in &mut self.writes {
            if write.is_new && write.new_key.is_none() {
                write.new_key = Some(Arc::new(write.key.clone()));
            }
        }
    }
}

fn settled_refused<K, V>(reason: Reason, txn: Txn<K, V>) -> Settled<K, V> {
    Settled { outcome: Err(refused(reason, txn)), rests_on: None }
}

/// The places of a key that is written twice.
fn duplicate<K: Ord, V>(changes: &[(K, Option<V>)]) -> Option<(usize, usize)> {
    let mut places: Vec<_> = (0..changes.len()).collect();
    places.sort_by(|a, b| changes[*a].0.cmp(&changes[*b].0));
    let same = places.windows(2).find(|pair| changes[pair[0]].0 == changes[pair[1]].0)?;
    Some((same[0].min(same[1]), same[0].max(same[1])))
}

impl<K, V> Operation<K, V> for Commit<K, V>
where
    K: AsKey<K> + Clone + Ord,
{
    type Outcome = Told<K, V>;

    fn attempt<S: BuildHasher>(&mut self, store: &Inner<K, V, S>) -> Attempt<K, V> {
        if self.writes.is_empty() {
            return match self.look(store) {
                Ok(at) => Attempt::Settled(Settled::read_only(super::stored(at))),
                Err(failed) => *failed,
            };
        }
        let mut checked = 0;
        if self.ranges > 0 {
            match self.look(store) {
                Ok(at) => checked = at,
                Err(failed) => return *failed,
            }
        }
        for round in 0..ROUNDS {
            let mut locked = Locked::default();
            let installed = locked.install(self, store, checked, round);
            let (mut aftermath, removed) = locked.unlock();
            store.map.settle(&mut aftermath);
            drop(removed);
            match installed {
                Installed::Done(committed) => {
                    let rests_on = Some(committed.revision);
                    return Attempt::Settled(Settled { outcome: Ok(committed), rests_on });
                }
                Installed::NoRoom => return Attempt::NoRoom,
                Installed::Refused(reason, rests_on) => {
                    let outcome = self.fail(|txn| CommitError::Refused { reason, txn });
                    return Attempt::Settled(Settled { outcome, rests_on });
                }
                Installed::NewKeys => {
                    self.share_keys();
                    continue;
                }
                Installed::Behind => {
                    if let Some(at) = catch_up(&store.map, &self.requirements, checked) {
                        checked = at;
                        continue;
                    }
                }
                Installed::Overtaken => {}
            }
            super::back_off(round);
            match self.look(store) {
                Ok(at) => checked = at,
                Err(failed) => return *failed,
            }
        }
        let outcome = self.fail(|txn| CommitError::Refused { reason: Reason::Contended, txn });
        Attempt::Settled(Settled { outcome, rests_on: None })
    }

    fn record_len(&self) -> usize {
        self.record.as_ref().map_or(0, |record| record.payload().len())
    }

    fn refuse(&mut self, reason: Reason) -> Settled<K, V> {
        let outcome = self.fail(|txn| CommitError::Refused { reason, txn });
        Settled { outcome, rests_on: None }
    }
}

/// Transactions: many keys, all or nothing, one revision.
impl<K, V, S> Store<K, V, S>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// Commits a transaction. Returns its revision; a transaction that writes nothing takes none, and returns the revision
    /// at which its preconditions held; they are looked at without a lock on a shard for writing.
    ///
    /// # Errors
    /// [`CommitError::Conflicts`] with every precondition that does not hold; [`CommitError::Compacted`] or
    /// [`CommitError::Future`] if it cannot be known whether a range is unchanged; [`CommitError::Refused`] if the store
    /// cannot take the transaction; [`CommitError::OutcomeUnknown`] if the log failed meanwhile.
    pub fn commit(&self, txn: Txn<K, V>) -> Result<Revision, CommitError<K, V>> {
        let settled = match Commit::prepare(&self.inner, txn) {
            Ok(mut commit) => self.inner.decide(&mut commit),
            Err(settled) => settled,
        };
        self.inner.tell(settled).map(|committed| committed.revision)
    }

    /// [`commit`](Self::commit) as a [`Pending`] transaction: await it, as [`Pending`] says. It does not wait for the disk; it does take locks of memory,
    /// and if others change the ranges that it requires again and again, sleeps for up to 5 ms before it is refused.
    pub fn submit(&self, txn: Txn<K, V>) -> Pending<K, V, Revision, S> {
        let commit = Commit::prepare(&self.inner, txn);
        Pending::commit(self, commit, |told: Awaited<K, V>| {
            told.commit().map(|Committed { revision, .. }| revision)
        })
    }
}
