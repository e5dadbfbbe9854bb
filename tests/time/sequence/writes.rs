//! Writes and transactions, and what they are told.

use std::collections::BTreeMap;
use std::fmt;

use ifmatch::{
    CommitError, Conflict, Precondition, Reason, TransactError, TxError, Txn, WriteError,
};

use crate::common::block_on;
use crate::model::{Demand, Entry, Failing, State, Value, revision};
use crate::span::{Span, demand, read};

use super::Run;
use super::operation::{Closure, Expectation, Key, Way, Wish, Write};

/// An application's own error.
#[derive(Debug, PartialEq, Eq)]
struct Broken(u64);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rule of the application is broken")
    }
}

impl std::error::Error for Broken {}

/// What a transaction read: keys, values, and revisions unless it wrote them itself.
type Seen = Vec<(String, Value, Option<u64>)>;

/// One run of a closure: its revision, and what it read there on top of its own writes.
#[derive(Default)]
struct Ran {
    revision: u64,
    reads: Vec<(Span, BTreeMap<String, Option<Value>>, Seen)>,
}

/// What `span` of `state` shows to a transaction that wrote `own`.
fn overlaid(span: &Span, state: &State, own: &BTreeMap<String, Option<Value>>) -> Seen {
    let mut shown: BTreeMap<String, (Value, Option<u64>)> = span
        .of(state)
        .into_iter()
        .map(|(key, entry)| (key, (entry.value, Some(entry.revision))))
        .collect();
    for (key, value) in own.iter().filter(|(key, _)| span.contains(key)) {
        match value {
            Some(value) => drop(shown.insert(key.clone(), (*value, None))),
            None => drop(shown.remove(key)),
        }
    }
    shown.into_iter().map(|(key, (value, revision))| (key, value, revision)).collect()
}

impl Ran {
    fn check(&self, state: &State) {
        for (span, own, seen) in &self.reads {
            assert_eq!(*seen, overlaid(span, state, own), "{span:?} at {}", self.revision);
        }
    }

    fn agrees(&self, state: &State) -> bool {
        self.reads.iter().all(|(span, own, seen)| *seen == overlaid(span, state, own))
    }
}

impl Run {
    fn next(&self) -> u64 {
        self.model.newest() + 1
    }

    fn put_in_model(&mut self, key: Key, value: Value, told: u64) {
        assert_eq!(told, self.next(), "each commit takes the next revision");
        assert!(self.model.commit(told, [(key.to_owned(), Some(value))]));
    }

    fn check_conflict(
        &self,
        key: Key,
        rejected: Option<Value>,
        expected: Precondition,
        error: &WriteError<String, Value>,
    ) {
        let conflict = error.conflict().expect("the precondition does not hold");
        assert_eq!((conflict.key().as_str(), conflict.expected()), (key, expected));
        let current = conflict.current().map(Entry::of);
        assert_eq!(current.as_ref(), self.model.now().get(key));
        assert_eq!(conflict.rejected().copied(), rejected);
        assert_eq!((conflict.index(), conflict.blocker_count()), (0, 0));
        assert!(conflict.range().is_none() && conflict.blockers().is_empty());
    }

    fn holds(&self, key: Key, precondition: Precondition) -> bool {
        precondition.holds(self.model.now().get(key).map(|entry| revision(entry.revision)))
    }

    pub(super) fn create(&mut self, key: Key, value: Value) {
        match self.store.create(key, value) {
            Ok(told) => {
                assert!(self.holds(key, Precondition::Absent));
                self.put_in_model(key, value, told.get());
            }
            Err(error) => self.check_conflict(key, Some(value), Precondition::Absent, &error),
        }
    }

    pub(super) fn put_if(&mut self, key: Key, value: Value, expectation: Expectation) {
        let precondition = self.precondition(key, expectation);
        let outcome = self.store.put_if(key, value, precondition);
        assert_eq!(outcome.is_ok(), self.holds(key, precondition));
        match outcome {
            Ok(told) => self.put_in_model(key, value, told.get()),
            Err(error) => self.check_conflict(key, Some(value), precondition, &error),
        }
    }

    pub(super) fn delete_if(&mut self, key: Key, expectation: Expectation) {
        let precondition = self.precondition(key, expectation);
        let outcome = self.store.delete_if(key, precondition);
        assert_eq!(outcome.is_ok(), self.holds(key, precondition));
        match outcome {
            Ok(deleted) => {
                let previous = deleted.as_ref().map(|deleted| Entry::of(deleted.previous()));
                assert_eq!(previous.as_ref(), self.model.now().get(key));
                if let Some(deleted) = deleted {
                    assert_eq!(deleted.revision().get(), self.next());
                    assert!(self.model.commit(self.next(), [(key.to_owned(), None)]));
                }
            }
            Err(error) => self.check_conflict(key, None, precondition, &error),
        }
    }

    pub(super) fn update(&mut self, key: Key, addend: Value) {
        let change = |value: Option<&Value>| value.copied().unwrap_or(0).wrapping_add(addend);
        let told = self.store.update(key, change).unwrap();
        let value = change(self.model.now().get(key).map(|entry| &entry.value));
        self.put_in_model(key, value, told.get());
    }

    pub(super) fn get_or_create(&mut self, key: Key, value: Value) {
        let entry = Entry::of(&self.store.get_or_create(key, || value).unwrap());
        if !self.model.now().contains_key(key) {
            self.put_in_model(key, value, entry.revision);
        }
        assert_eq!(self.model.now().get(key), Some(&entry));
    }

    pub(super) fn flood(&mut self, writes: u64) {
        for number in 0..writes {
            let key = ["a", "a/x", "b"][usize::try_from(number % 3).unwrap()];
            let told = self.store.put(key, number).unwrap();
            self.put_in_model(key, number, told.get());
        }
    }

    fn resolve(&self, wish: &Wish) -> Demand {
        match wish {
            Wish::Key(key, expectation) => {
                Demand::Key((*key).to_owned(), self.precondition(key, *expectation))
            }
            Wish::NoneIn(span) => Demand::NoneIn(span.clone()),
            Wish::UnchangedIn(span, moment) => {
                Demand::UnchangedIn(span.clone(), self.moment(*moment))
            }
        }
    }

    pub(super) fn commit(&mut self, wishes: &[Wish], writes: &[Write], way: Way) {
        let demands: Vec<Demand> = wishes.iter().map(|wish| self.resolve(wish)).collect();
        let txn = demands.iter().fold(Txn::new(), demand);
        let txn = writes.iter().fold(txn, |txn, (key, value)| match value {
            Some(value) => txn.put(*key, *value),
            None => txn.delete(*key),
        });
        assert_eq!(txn.len(), demands.len() + writes.len());
        assert_eq!(txn.is_empty(), demands.is_empty() && writes.is_empty());
        let why_not = self.why_not(&demands, writes);
        let outcome = match way {
            Way::Commit => self.store.commit(txn),
            Way::Wait => self.store.submit(txn).wait(),
            Way::Await => block_on(self.store.submit(txn)),
        };
        match outcome {
            Ok(told) => {
                assert_eq!(why_not, None, "{demands:?} {writes:?}");
                let next = self.next();
                let owned = writes.iter().map(|(key, value)| ((*key).to_owned(), *value));
                let takes_one = self.model.commit(next, owned);
                assert_eq!(told.get(), self.model.newest(), "takes a revision: {takes_one}");
            }
            Err(error) => {
                assert!(why_not.is_some(), "{error}");
                self.check_failure(&error, &demands, writes);
                let txn = error.into_txn().expect("nothing was written");
                assert_eq!(txn.len(), demands.len() + writes.len(), "all of it comes back");
                let again = self.store.commit(txn).unwrap_err();
                self.check_failure(&again, &demands, writes);
            }
        }
    }

    /// Why a transaction must fail, if it must.
    fn why_not(&self, demands: &[Demand], writes: &[Write]) -> Option<&'static str> {
        let window_start = self.store.stats().window_start().get();
        let since = |demand: &Demand| match demand {
            Demand::UnchangedIn(_, since) => Some(*since),
            _ => None,
        };
        if (1..writes.len())
            .any(|index| writes[..index].iter().any(|(key, _)| *key == writes[index].0))
        {
            return Some("a duplicate");
        }
        if demands.iter().filter_map(since).any(|since| since < window_start) {
            return Some("compacted");
        }
        if demands.iter().filter_map(since).any(|since| since > self.model.newest()) {
            return Some("in the future");
        }
        let failing = self.model.failing(demands, self.model.newest());
        (!failing.is_empty()).then_some("a conflict")
    }

    fn check_failure(
        &self,
        error: &CommitError<String, Value>,
        demands: &[Demand],
        writes: &[Write],
    ) {
        let stats = self.store.stats();
        let newest = self.model.newest();
        let since = |index: usize| match &demands[index] {
            Demand::UnchangedIn(_, since) => *since,
            other => panic!("{other:?} cannot be compacted"),
        };
        match error {
            CommitError::Conflicts { .. } => {
                let failing = self.model.failing(demands, newest);
                assert_eq!(error.conflicts().len(), failing.len(), "all that fail, no others");
                assert!(!failing.is_empty());
                for (conflict, failing) in error.conflicts().iter().zip(&failing) {
                    self.check_one(conflict, failing);
                }
                let first = error.conflict().map(Conflict::index);
                assert_eq!(first, failing.first().map(|failing| failing.index));
            }
            CommitError::Refused { reason, .. } => {
                let Reason::DuplicateKey { first, second } = reason else {
                    panic!("refused: {reason}")
                };
                assert!(first < second);
                assert_eq!(writes[*first].0, writes[*second].0);
            }
            CommitError::Compacted { index, oldest, .. } => {
                assert!(since(*index) < oldest.get());
                assert_eq!(*oldest, stats.window_start());
                let asked_for = self.model.changes_after(since(*index));
                assert!(
                    since(*index) < self.opened_at || asked_for > self.settings.window.max(64),
                    "the window must hold {asked_for} changes"
                );
            }
            CommitError::Future { index, newest: told, .. } => {
                assert!(since(*index) > newest);
                assert_eq!(told.get(), newest);
            }
            other => panic!("{other}"),
        }
    }

    fn check_one(&self, conflict: &Conflict<String, Value>, failing: &Failing) {
        assert_eq!((conflict.index(), conflict.expected()), (failing.index, failing.expected));
        assert!(failing.keys.contains(conflict.key()), "{conflict:?} {failing:?}");
        let current = conflict.current().map(Entry::of);
        assert_eq!(current.as_ref(), self.model.now().get(conflict.key()), "{failing:?}");
        let told = conflict.blockers().iter();
        let told: Vec<_> = told.map(|(key, entry)| (key.clone(), Entry::of(entry))).collect();
        let shown = failing.blockers.len().min(16);
        assert_eq!(told, failing.blockers[..shown]);
        assert_eq!(conflict.blocker_count(), failing.blockers.len());
        assert!(conflict.rejected().is_none());
    }

    pub(super) fn transact(&mut self, closure: &Closure) {
        let mut runs: Vec<Ran> = Vec::new();
        let mut interfered = None;
        let store = &self.store;
        let outcome = store.transact(|transaction| {
            let mut ran = Ran { revision: transaction.revision().get(), reads: Vec::new() };
            let mut own = BTreeMap::new();
            let mut look = |own: &BTreeMap<_, _>, transaction: &mut _| -> Result<(), TxError> {
                for span in &closure.reads {
                    let found = read(transaction, span)?.into_iter().map(|(key, read)| {
                        (key, *read, read.revision().map(ifmatch::Revision::get))
                    });
                    ran.reads.push((span.clone(), own.clone(), found.collect()));
                }
                Ok(())
            };
            look(&own, transaction)?;
            if runs.is_empty()
                && let Some((key, value)) = closure.interference
            {
                interfered = Some(match value {
                    Some(value) => Some(store.put(key, value).unwrap()),
                    None => store.delete(key).unwrap().map(|deleted| deleted.revision()),
                });
            }
            for (key, value) in &closure.writes {
                match value {
                    Some(value) => transaction.put(*key, *value),
                    None => transaction.delete(*key),
                }
                own.insert((*key).to_owned(), *value);
            }
            look(&own, transaction)?;
            runs.push(ran);
            if closure.aborts { Err(Broken(7).into()) } else { Ok(runs.len()) }
        });
        if let Some(told) = interfered {
            let (key, value) = closure.interference.unwrap();
            let next = self.next();
            let takes_one = self.model.commit(next, [(key.to_owned(), value)]);
            assert_eq!(told.map(ifmatch::Revision::get), takes_one.then_some(next));
        }
        for ran in &runs {
            ran.check(self.model.at(ran.revision));
        }
        let most = 1 + usize::from(closure.interference.is_some());
        assert!((1..=most).contains(&runs.len()), "{} runs", runs.len());
        let last = runs.last().unwrap();
        match outcome {
            Ok(answer) => {
                assert!(!closure.aborts);
                assert_eq!(answer, runs.len(), "the answer is the last run's");
                let owned = closure.writes.iter().map(|(key, value)| ((*key).to_owned(), *value));
                let next = self.next();
                let before = self.model.now().clone();
                if self.model.commit(next, owned) {
                    assert!(last.agrees(&before), "what it read was so when it was committed");
                }
            }
            Err(error) => {
                assert!(closure.aborts, "{error}");
                assert_eq!(runs.len(), 1, "what the application gave up is not tried again");
                assert!(matches!(error, TransactError::Aborted(_)), "{error}");
                assert_eq!(error.downcast_ref::<Broken>(), Some(&Broken(7)));
                assert!(error.conflict().is_none() && error.conflicts().is_empty());
                assert_eq!(error.downcast::<Broken>().unwrap(), Broken(7));
            }
        }
    }
}
