//! A backend as an outsider would write one, with the public API only: a map under a lock, and the commits that made it.
//! It can be told to have a [`Bug`].

pub(crate) mod bug;
mod snapshot;
mod state;
mod watch;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use ifmatch::{
    Backend, BackendStatus, Capability, CommitError, Conflict, Deleted, HistoryError, Identity,
    KeyHistory, KeyRange, KeyVersion, Precondition, ReadError, Reason, Refused, Requirement,
    Revision, Txn, Versioned, WatchError, WriteError, Written,
};

pub(crate) use self::bug::Bug;
use self::bug::misread;
use self::snapshot::ToySnapshot;
use self::state::{Map, State};
use self::watch::ToyWatch;

pub(crate) type Entry = Versioned<Bytes>;

/// What the toy refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacks {
    Nothing,
    Everything,
}

#[derive(Clone)]
pub(crate) struct Toy {
    identity: Identity,
    lacks: Lacks,
    bug: Option<Bug>,
    state: Arc<Mutex<State>>,
}

static TOYS: AtomicU64 = AtomicU64::new(0);

fn identity() -> Identity {
    let number = u128::from(TOYS.fetch_add(1, Ordering::Relaxed));
    Identity::from_bytes(number.to_be_bytes())
}

impl Toy {
    pub(crate) fn new() -> Self {
        let state = Arc::new(Mutex::new(State::new()));
        Self { identity: identity(), lacks: Lacks::Nothing, bug: None, state }
    }

    pub(crate) fn keeping(self, commits: usize) -> Self {
        self.lock().window = commits;
        self
    }

    pub(crate) fn lacking(self, lacks: Lacks) -> Self {
        Self { lacks, ..self }
    }

    pub(crate) fn with(self, bug: Bug) -> Self {
        self.lock().bug = Some(bug);
        Self { bug: Some(bug), ..self }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// The precondition of a single write; what is there if it does not hold.
    fn check(
        &self,
        state: &State,
        key: &Bytes,
        precondition: Precondition,
        rejected: Option<Bytes>,
    ) -> Result<(), WriteError<Bytes, Bytes>> {
        let current = state.map.get(key).cloned();
        if precondition.holds(current.as_ref().map(Entry::revision)) {
            return Ok(());
        }
        let is_dead = current.is_none() && matches!(precondition, Precondition::Revision(_));
        if is_dead && self.has(Bug::DeadRevisionIsAccepted) {
            return Ok(());
        }
        let current = current.filter(|_| !self.has(Bug::ConflictIsWithoutCurrent));
        let rejected = rejected.filter(|_| !self.has(Bug::ConflictIsWithoutRejected));
        let conflict = Conflict::new(self.identity, key.clone(), precondition, current, rejected);
        Err(WriteError::Conflict(conflict))
    }

    /// The conflict of a requirement, if it does not hold; or what of it cannot be known.
    fn examine(
        &self,
        state: &State,
        requirement: &Requirement<Bytes>,
    ) -> Result<Option<Conflict<Bytes, Bytes>>, HistoryError> {
        Ok(match requirement {
            Requirement::Key(key, precondition) => self
                .check(state, key, *precondition, None)
                .err()
                .and_then(|e| e.into_conflict().ok()),
            Requirement::NoneIn(range) => {
                let asked = misread(
                    range,
                    self.has(Bug::EmptyRangeExcludesItsEnd),
                    self.has(Bug::EmptyRangeIncludesItsStart),
                );
                let mut there: Vec<_> = state.range(&asked).collect();
                if self.has(Bug::EmptyRangeIsOneTooShort) {
                    there.pop();
                }
                let count = if self.has(Bug::BlockersAreCountedToSixteen) {
                    there.len().min(16)
                } else {
                    there.len()
                };
                there.truncate(16);
                let range = range.clone();
                (count > 0).then(|| Conflict::none_in(self.identity, range, there, count))
            }
            Requirement::UnchangedIn(range, since) => {
                if *since > state.revision && !self.has(Bug::UnchangedSinceTheFuturePasses) {
                    return Err(HistoryError::future(state.revision));
                }
                if *since < state.start && !self.has(Bug::UnchangedSinceTheForgottenPasses) {
                    return Err(HistoryError::compacted(state.start));
                }
                let asked = misread(
                    range,
                    self.has(Bug::UnchangedExcludesItsEnd),
                    self.has(Bug::UnchangedIncludesItsStart),
                );
                let mut events = state.since(*since).flat_map(|commit| commit.events());
                let changed = events.find(|event| {
                    let seen = event.entry().is_some() || !self.has(Bug::UnchangedMissesDeletes);
                    seen && asked.contains(event.key())
                });
                changed.map(|event| {
                    let (key, current) = (event.key().clone(), state.map.get(event.key()).cloned());
                    Conflict::unchanged_in(self.identity, range.clone(), *since, key, current)
                })
            }
        })
    }

    /// Why a transaction cannot be, whatever the state.
    fn refusal(&self, txn: &Txn<Bytes, Bytes>) -> Option<Reason> {
        let max = Txn::<Bytes, Bytes>::MAX_OPERATIONS;
        if txn.len() > max && !self.has(Bug::TooManyOperationsAreAccepted) {
            return Some(Reason::TooManyOperations { operations: txn.len(), max });
        }
        for requirement in txn.requirements() {
            let capability = match requirement {
                Requirement::Key(..) => continue,
                Requirement::NoneIn(_) => Capability::EmptyRange,
                Requirement::UnchangedIn(..) => Capability::UnchangedRange,
            };
            if !self.supports(capability) && !self.has(Bug::UnsupportedConditionIsIgnored) {
                return Some(Reason::Unsupported(capability));
            }
        }
        let keys: Vec<&Bytes> = txn.changes().map(|(key, _)| key).collect();
        let is_first = |key: &Bytes| keys.iter().position(|other| *other == key);
        let twice = |second: usize| Some((is_first(keys[second])?, second));
        let (first, second) =
            (0..keys.len()).filter_map(twice).find(|(first, second)| first != second)?;
        let refused = !self.has(Bug::DuplicateIsAccepted);
        refused.then_some(Reason::DuplicateKey { first, second })
    }

    fn commit_at_once(
        &self,
        txn: Txn<Bytes, Bytes>,
    ) -> Result<Revision, CommitError<Bytes, Bytes>> {
        if let Some(reason) = self.refusal(&txn) {
            return Err(CommitError::refused(reason, txn));
        }
        let mut state = self.lock();
        if self.has(Bug::PreconditionsSeeTheWrites) {
            let changes = txn.clone().into_changes();
            state.commit(changes);
        }
        let mut conflicts = Vec::new();
        for (index, requirement) in txn.requirements().iter().enumerate() {
            if index > 0 && self.has(Bug::PreconditionsAfterTheFirstAreSkipped) {
                break;
            }
            match self.examine(&state, requirement) {
                Ok(conflict) => conflicts.extend(conflict.map(|found| found.at_index(index))),
                Err(HistoryError::Future { newest, .. }) => {
                    return Err(CommitError::future(index, newest, txn));
                }
                Err(HistoryError::Compacted { oldest, .. }) => {
                    return Err(CommitError::compacted(index, oldest, txn));
                }
                Err(other) => unreachable!("{other}"),
            }
        }
        if self.has(Bug::FirstConflictOnly) {
            conflicts.truncate(1);
        }
        if !conflicts.is_empty() {
            if self.has(Bug::FailedTransactionIsHalfApplied) {
                state.commit(txn.clone().into_changes().into_iter().take(1).collect());
            }
            return Err(CommitError::conflicting(conflicts, txn));
        }
        let mut changes = txn.into_changes();
        if changes.is_empty() && self.has(Bug::EmptyTransactionTakesARevision) {
            state.skip();
        }
        if self.has(Bug::TransactionIsVisibleInHalves) && changes.len() > 1 {
            let rest = changes.split_off(changes.len() / 2);
            state.commit(changes);
            drop(state);
            std::thread::sleep(Duration::from_micros(200));
            return Ok(self.lock().commit(rest));
        }
        Ok(state.commit(changes))
    }

    fn past(&self, revision: Revision) -> Result<Map, ReadError> {
        if !self.supports(Capability::Past) {
            return Err(ReadError::Unsupported(Capability::Past));
        }
        let state = self.lock();
        if self.has(Bug::PastIsThePresent) && revision <= state.revision {
            return Ok(state.map.clone());
        }
        if revision > state.revision {
            if self.has(Bug::FutureIsThePresent) {
                return Ok(state.map.clone());
            }
            return Err(HistoryError::future(state.revision).into());
        }
        Ok(state.at(revision).ok_or_else(|| HistoryError::compacted(state.start))?)
    }
}

impl Backend for Toy {
    type Snapshot = ToySnapshot;
    type Watch = ToyWatch;

    fn identity(&self) -> Identity {
        if self.has(Bug::IdentityIsOfTheHandle) { identity() } else { self.identity }
    }

    fn supports(&self, capability: Capability) -> bool {
        capability == Capability::AnyKey || self.lacks == Lacks::Nothing
    }

    async fn status(&self) -> Result<BackendStatus, ReadError> {
        Ok(BackendStatus::new(self.lock().revision, true))
    }

    async fn get(&self, key: &Bytes) -> Result<Option<Entry>, ReadError> {
        let state = self.lock();
        if self.has(Bug::ReadIsStale) {
            return Ok(state.before_last().get(key).cloned());
        }
        Ok(state.map.get(key).cloned())
    }

    async fn get_at(&self, key: &Bytes, revision: Revision) -> Result<Option<Entry>, ReadError> {
        let found = self.past(revision)?.get(key).cloned();
        let is_told = |entry: &Entry| {
            entry.revision() == revision || !self.has(Bug::PastEntryIsOnlyWhereItWasWritten)
        };
        Ok(found.filter(is_told))
    }

    async fn history(&self, key: &Bytes) -> Result<KeyHistory<Bytes>, ReadError> {
        if !self.supports(Capability::History) {
            return Err(ReadError::Unsupported(Capability::History));
        }
        let state = self.lock();
        let events = state.since(state.start).flat_map(|commit| commit.events());
        let mut versions: Vec<KeyVersion<Bytes>> = events
            .filter(|event| event.key() == key)
            .map(|event| KeyVersion::new(event.revision(), event.entry().cloned()))
            .collect();
        if self.has(Bug::HistoryIsBackwards) {
            versions.reverse();
        }
        Ok(KeyHistory::new(versions, state.start))
    }

    async fn snapshot(&self) -> Result<ToySnapshot, ReadError> {
        let state = self.lock();
        Ok(ToySnapshot { toy: self.clone(), revision: state.revision, map: state.map.clone() })
    }

    async fn snapshot_at(&self, revision: Revision) -> Result<ToySnapshot, ReadError> {
        let mut map = self.past(revision)?;
        if self.has(Bug::PastSnapshotIsWhatWasWrittenThen) {
            map.retain(|_, entry| entry.revision() == revision);
        }
        Ok(ToySnapshot { toy: self.clone(), revision, map })
    }

    async fn put_if(
        &self,
        key: Bytes,
        value: Bytes,
        precondition: Precondition,
    ) -> Result<Written, WriteError<Bytes, Bytes>> {
        let mut state = self.lock();
        if let Err(lost) = self.check(&state, &key, precondition, Some(value.clone())) {
            if self.has(Bug::ConflictThoughWritten) {
                state.commit(vec![(key, Some(value))]);
            }
            return Err(lost);
        }
        if self.has(Bug::PreconditionIsCheckedBefore) {
            drop(state);
            std::thread::sleep(Duration::from_micros(200));
            state = self.lock();
        }
        if self.has(Bug::SuccessThoughUnknown) && state.revision.get().is_multiple_of(7) {
            let revision = state.skip();
            return Ok(Written::new(revision, revision, 1));
        }
        let revision = state.commit(vec![(key.clone(), Some(value))]);
        match state.map.get(&key) {
            Some(entry) => {
                Ok(Written::new(revision, entry.created_revision(), entry.write_count()))
            }
            None => Ok(Written::new(revision, revision, 1)),
        }
    }

    async fn delete_if(
        &self,
        key: Bytes,
        precondition: Precondition,
    ) -> Result<Option<Deleted<Bytes>>, WriteError<Bytes, Bytes>> {
        let mut state = self.lock();
        self.check(&state, &key, precondition, None)?;
        let Some(previous) = state.map.get(&key).cloned() else {
            if self.has(Bug::DeleteOfNothingTakesARevision) {
                state.skip();
            }
            return Ok(None);
        };
        Ok(Some(Deleted::new(state.commit(vec![(key, None)]), previous)))
    }

    async fn commit(&self, txn: Txn<Bytes, Bytes>) -> Result<Revision, CommitError<Bytes, Bytes>> {
        if self.has(Bug::FutureLeavesHalf) && txn.changes().len() == 2 {
            let mut first = txn.clone().into_changes();
            let last = first.split_off(1);
            self.lock().commit(first);
            let mut polled = false;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut polled, true) {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
            return Ok(self.lock().commit(last));
        }
        self.commit_at_once(txn)
    }

    async fn watch(
        &self,
        range: KeyRange<Bytes>,
        since: Option<Revision>,
    ) -> Result<ToyWatch, WatchError> {
        if !self.supports(Capability::Watch) {
            return Err(WatchError::Unsupported(Capability::Watch));
        }
        let state = self.lock();
        let position = since.unwrap_or(state.revision);
        if position > state.revision && !self.has(Bug::WatchOfTheFutureIsNow) {
            return Err(WatchError::future(state.revision));
        }
        if position < state.start && !self.has(Bug::WatchLagsInSilence) {
            return Err(WatchError::compacted(state.start));
        }
        drop(state);
        Ok(ToyWatch::new(Arc::clone(&self.state), self.bug, range, position))
    }
}

/// A refusal can be made, too; the toy has no reason to.
#[test]
fn a_refusal_gives_the_value_back() {
    let value = Bytes::from_static(b"value");
    let refused =
        Refused::new(Reason::Unavailable(ifmatch::Cause::new("gone")), Some(value.clone()));
    let error: WriteError<Bytes, Bytes> = WriteError::Refused(refused);
    assert_eq!(error.into_rejected(), Some(value));
}
