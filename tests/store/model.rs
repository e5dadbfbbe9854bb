//! Any sequence of operations gives what a map with a counter gives.

use std::collections::BTreeMap;
use std::path::Path;

use ifmatch::{Durability, Precondition, Revision, Store, Versioned, WriteError};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::common::{read_files, scratch, write_files};

#[derive(Clone, Copy, Debug)]
enum Operation {
    Create(usize, u16),
    Put(usize, u16),
    PutIf(usize, u16, Expectation),
    SubmitPutIf(usize, u16, Expectation),
    Delete(usize),
    DeleteIf(usize, Expectation),
    SubmitDeleteIf(usize, Expectation),
    Update(usize, u16),
    GetOrCreate(usize, u16),
    CloseAndReopen,
    CrashAndReopen,
}

#[derive(Clone, Copy, Debug)]
enum Expectation {
    Any,
    Absent,
    Present,
    /// The revision of the entry, if there is one.
    Current,
    /// Any earlier commit on the key, its deletes included.
    Past(prop::sample::Index),
    /// The current revision of another key.
    Other(usize),
    Future,
}

const KEYS: [&str; 5] = ["", "a", "b", "ab", "a much longer key, past any small-string limit"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    revision: Revision,
    created: Revision,
    writes: u64,
    value: u16,
}

impl Entry {
    fn of(versioned: &Versioned<u16>) -> Self {
        Self {
            revision: versioned.revision(),
            created: versioned.created_revision(),
            writes: versioned.write_count(),
            value: **versioned,
        }
    }
}

#[derive(Debug)]
struct Model {
    entries: BTreeMap<&'static str, Entry>,
    past: BTreeMap<&'static str, Vec<Revision>>,
    newest: Revision,
}

impl Model {
    fn precondition(&self, key: &'static str, expectation: Expectation) -> Precondition {
        let current = |key| self.entries.get(key).map(|entry| entry.revision);
        match expectation {
            Expectation::Any => Precondition::Any,
            Expectation::Absent => Precondition::Absent,
            Expectation::Present => Precondition::Present,
            Expectation::Current => current(key).map_or(Precondition::Absent, Into::into),
            Expectation::Past(index) => match self.past.get(key) {
                Some(past) => (*index.get(past)).into(),
                None => Revision::MIN.into(),
            },
            Expectation::Other(index) => current(KEYS[index]).map_or(Precondition::Any, Into::into),
            Expectation::Future => self.newest.next().unwrap().into(),
        }
    }

    fn holds(&self, key: &str, precondition: Precondition) -> bool {
        let current = self.entries.get(key);
        match precondition {
            Precondition::Any => true,
            Precondition::Absent => current.is_none(),
            Precondition::Present => current.is_some(),
            Precondition::Revision(revision) => {
                current.is_some_and(|entry| entry.revision == revision)
            }
        }
    }

    fn commit(&mut self, key: &'static str, revision: Revision) {
        assert_eq!(Some(revision), self.newest.next(), "each commit takes the next revision");
        self.newest = revision;
        self.past.entry(key).or_default().push(revision);
    }

    fn put(&mut self, key: &'static str, value: u16, revision: Revision) {
        self.commit(key, revision);
        let entry = match self.entries.get(key) {
            Some(old) => Entry { revision, value, writes: old.writes + 1, ..*old },
            None => Entry { revision, created: revision, writes: 1, value },
        };
        self.entries.insert(key, entry);
    }

    /// What a conditional put came to is what the model says.
    fn check_put(
        &mut self,
        key: &'static str,
        value: u16,
        precondition: Precondition,
        outcome: Result<Revision, WriteError<String, u16>>,
    ) {
        if self.holds(key, precondition) {
            self.put(key, value, outcome.unwrap());
        } else {
            self.check_conflict(key, Some(value), precondition, outcome.unwrap_err());
        }
    }

    fn check_delete(
        &mut self,
        key: &'static str,
        precondition: Precondition,
        outcome: Result<Option<ifmatch::Deleted<u16>>, WriteError<String, u16>>,
    ) {
        if !self.holds(key, precondition) {
            return self.check_conflict(key, None, precondition, outcome.unwrap_err());
        }
        let deleted = outcome.unwrap();
        assert_eq!(
            deleted.as_ref().map(|deleted| Entry::of(deleted.previous())),
            self.entries.remove(key)
        );
        if let Some(deleted) = deleted {
            self.commit(key, deleted.revision());
        }
    }

    fn check_conflict(
        &self,
        key: &str,
        rejected: Option<u16>,
        expected: Precondition,
        error: WriteError<String, u16>,
    ) {
        let conflict = error.conflict().expect("the precondition does not hold");
        assert_eq!(conflict.key(), key);
        assert_eq!(conflict.expected(), expected);
        assert_eq!(conflict.current().map(Entry::of).as_ref(), self.entries.get(key));
        assert_eq!(conflict.revision(), self.entries.get(key).map(|entry| entry.revision));
        assert_eq!(conflict.rejected(), rejected.as_ref());
        assert_eq!(error.into_rejected(), rejected);
    }

    fn check_state(&self, store: &Store<String, u16>) {
        assert_eq!(store.revision(), self.newest);
        assert_eq!(store.len(), self.entries.len());
        assert_eq!(store.is_empty(), self.entries.is_empty());
        for key in KEYS {
            let entry = store.get(key);
            assert_eq!(entry.as_ref().map(Entry::of).as_ref(), self.entries.get(key), "{key:?}");
            assert_eq!(store.contains(key), self.entries.contains_key(key), "{key:?}");
        }
    }
}

/// A store, and where it is if that is a log.
struct Subject {
    store: Store<String, u16>,
    log: Option<(TempDir, Durability)>,
}

fn open(directory: &Path, durability: Durability) -> Store<String, u16> {
    let builder = Store::builder().shards(2).segment_bytes(4096);
    builder.durability(durability).open(directory).unwrap()
}

impl Subject {
    fn new(durability: Option<Durability>) -> Self {
        let log = durability.map(|durability| (scratch(), durability));
        let store = match &log {
            Some((directory, durability)) => open(directory.path(), *durability),
            None => Store::builder().shards(2).build(),
        };
        Self { store, log }
    }

    /// Opens what a clean close left; in memory it does nothing.
    fn close_and_reopen(&mut self) {
        let Some((directory, durability)) = &self.log else { return };
        self.store.close().unwrap();
        self.store = open(directory.path(), *durability);
        assert!(self.store.recovery().unwrap().clean);
    }

    /// Opens what a process that was killed at this moment would have left; in memory it does nothing.
    fn crash_and_reopen(&mut self) {
        let Some((directory, durability)) = &mut self.log else { return };
        let after = scratch();
        write_files(after.path(), &read_files(directory.path()));
        self.store = open(after.path(), *durability);
        *directory = after;
        assert!(self.store.recovery().unwrap().cut.is_none());
    }
}

fn apply(operation: Operation, subject: &mut Subject, model: &mut Model) {
    let store = &subject.store;
    match operation {
        Operation::Create(key, value) => {
            let outcome = store.create(KEYS[key], value);
            model.check_put(KEYS[key], value, Precondition::Absent, outcome);
        }
        Operation::Put(key, value) => {
            let outcome = store.put(KEYS[key], value);
            model.check_put(KEYS[key], value, Precondition::Any, outcome);
        }
        Operation::PutIf(key, value, expectation) => {
            let precondition = model.precondition(KEYS[key], expectation);
            let outcome = store.put_if(KEYS[key], value, precondition);
            model.check_put(KEYS[key], value, precondition, outcome);
        }
        Operation::SubmitPutIf(key, value, expectation) => {
            let precondition = model.precondition(KEYS[key], expectation);
            let outcome = store.submit_put_if(KEYS[key], value, precondition).wait();
            let written = outcome.as_ref().ok().copied();
            model.check_put(KEYS[key], value, precondition, outcome.map(|w| w.revision()));
            if let Some(written) = written {
                let entry = model.entries[KEYS[key]];
                assert_eq!(written.created_revision(), entry.created);
                assert_eq!(written.write_count(), entry.writes);
                assert_eq!(written.is_creation(), entry.writes == 1);
            }
        }
        Operation::Delete(key) => {
            let outcome = store.delete(KEYS[key]);
            model.check_delete(KEYS[key], Precondition::Any, outcome);
        }
        Operation::DeleteIf(key, expectation) => {
            let precondition = model.precondition(KEYS[key], expectation);
            let outcome = store.delete_if(KEYS[key], precondition);
            model.check_delete(KEYS[key], precondition, outcome);
        }
        Operation::SubmitDeleteIf(key, expectation) => {
            let precondition = model.precondition(KEYS[key], expectation);
            let outcome = store.submit_delete_if(KEYS[key], precondition).wait();
            model.check_delete(KEYS[key], precondition, outcome);
        }
        Operation::Update(key, addend) => {
            let mut seen = Vec::new();
            let outcome = store.update(KEYS[key], |current| {
                seen.push(current.copied());
                current.copied().unwrap_or(0).wrapping_add(addend)
            });
            let before = model.entries.get(KEYS[key]).map(|entry| entry.value);
            assert_eq!(seen, [before], "without a race the closure runs once");
            let value = before.unwrap_or(0).wrapping_add(addend);
            model.check_put(KEYS[key], value, Precondition::Any, outcome);
        }
        Operation::GetOrCreate(key, value) => {
            let mut asked = false;
            let outcome = store.get_or_create(KEYS[key], || {
                asked = true;
                value
            });
            let entry = Entry::of(&outcome.unwrap());
            assert_eq!(asked, !model.entries.contains_key(KEYS[key]));
            if asked {
                model.put(KEYS[key], value, entry.revision);
            }
            assert_eq!(entry, model.entries[KEYS[key]]);
        }
        Operation::CloseAndReopen => subject.close_and_reopen(),
        Operation::CrashAndReopen => {
            subject.crash_and_reopen();
            let shown = subject.store.revision();
            assert!(shown >= model.newest, "no revision is handed out again");
            model.newest = shown;
        }
    }
    model.check_state(&subject.store);
}

fn check(operations: Vec<Operation>, durability: Option<Durability>) {
    let mut subject = Subject::new(durability);
    let newest = Revision::MIN;
    let mut model = Model { entries: BTreeMap::new(), past: BTreeMap::new(), newest };
    model.check_state(&subject.store);
    for operation in operations {
        apply(operation, &mut subject, &mut model);
    }
}

fn expectation() -> impl Strategy<Value = Expectation> {
    prop_oneof![
        1 => Just(Expectation::Any),
        1 => Just(Expectation::Absent),
        1 => Just(Expectation::Present),
        3 => Just(Expectation::Current),
        3 => any::<prop::sample::Index>().prop_map(Expectation::Past),
        1 => (0..KEYS.len()).prop_map(Expectation::Other),
        1 => Just(Expectation::Future),
    ]
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let key = || 0..KEYS.len();
    let operation = prop_oneof![
        2 => (key(), any::<u16>()).prop_map(|(key, value)| Operation::Create(key, value)),
        2 => (key(), any::<u16>()).prop_map(|(key, value)| Operation::Put(key, value)),
        4 => (key(), any::<u16>(), expectation())
            .prop_map(|(key, value, expectation)| Operation::PutIf(key, value, expectation)),
        2 => (key(), any::<u16>(), expectation())
            .prop_map(|(key, value, expectation)| Operation::SubmitPutIf(key, value, expectation)),
        2 => key().prop_map(Operation::Delete),
        2 => (key(), expectation())
            .prop_map(|(key, expectation)| Operation::DeleteIf(key, expectation)),
        1 => (key(), expectation())
            .prop_map(|(key, expectation)| Operation::SubmitDeleteIf(key, expectation)),
        2 => (key(), any::<u16>()).prop_map(|(key, value)| Operation::Update(key, value)),
        2 => (key(), any::<u16>()).prop_map(|(key, value)| Operation::GetOrCreate(key, value)),
        1 => Just(Operation::CloseAndReopen),
        1 => Just(Operation::CrashAndReopen),
    ];
    prop::collection::vec(operation, 1..120)
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_store_in_memory_behaves_as_a_map_with_a_counter(operations in operations()) {
        check(operations, None);
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_store_on_a_synced_log_behaves_as_a_map_that_survives(operations in operations()) {
        check(operations, Some(Durability::Sync));
    }

    #[test]
    fn a_store_on_a_buffered_log_behaves_as_a_map_that_survives(operations in operations()) {
        check(operations, Some(Durability::Buffered));
    }
}
