//! Any sequence of transactions, writes, scans, snapshots, looks into the past and watches gives what a map for every
//! revision gives.
//!
//! `IFMATCH_CASES` says how many sequences in memory; logs get a tenth of it each.

mod operation;
mod reads;
pub(crate) mod watches;
mod writes;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ifmatch::{Builder, Durability, Precondition};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

use crate::common::{eventually, from_env, scratch};
use crate::home::Home;
use crate::model::{Entry, Model, Value, revision};
use crate::span::{Scans, Span, Subject, entries};

use self::operation::{Expectation, KEYS, Moment, Operation, Settings, operations, settings};
use self::reads::{HeldScan, HeldSnapshot};
use self::watches::HeldWatch;

/// A store, what it should be, and all that reads it.
struct Run {
    settings: Settings,
    log: Option<(TempDir, Durability)>,
    store: Subject,
    model: Model,
    /// Nothing is promised of what was before the store was opened.
    opened_at: u64,
    /// Deleted keys and since when; those whose history may be given up, and up to where; both up to a revision.
    deleted: BTreeMap<String, u64>,
    forgotten: BTreeMap<String, u64>,
    noted: u64,
    snapshots: Vec<HeldSnapshot>,
    scans: Vec<HeldScan>,
    watches: Vec<HeldWatch>,
}

fn builder(settings: Settings) -> Builder<String, Value> {
    Subject::builder()
        .shards(settings.shards)
        .segment_bytes(4096)
        .history(settings.history)
        .history_commits(settings.commits)
        .max_deleted(settings.max_deleted)
        .watch_window(settings.window)
}

impl Run {
    fn new(home: Home, settings: Settings) -> Self {
        let log = match home {
            Home::Memory => None,
            Home::Log(durability) => Some((scratch(), durability)),
        };
        let store = match &log {
            None => builder(settings).build(),
            Some((directory, durability)) => {
                builder(settings).durability(*durability).open(directory.path()).unwrap()
            }
        };
        Self {
            settings,
            log,
            store,
            model: Model::new(1),
            opened_at: 1,
            deleted: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            noted: 1,
            snapshots: Vec::new(),
            scans: Vec::new(),
            watches: Vec::new(),
        }
    }

    fn precondition(&self, key: &str, expectation: Expectation) -> Precondition {
        match expectation {
            Expectation::Any => Precondition::Any,
            Expectation::Absent => Precondition::Absent,
            Expectation::Present => Precondition::Present,
            Expectation::Current => match self.model.now().get(key) {
                Some(entry) => revision(entry.revision).into(),
                None => Precondition::Absent,
            },
            Expectation::Past(index) => revision(self.past(index)).into(),
            Expectation::Future => revision(self.model.newest() + 1).into(),
        }
    }

    fn past(&self, index: Index) -> u64 {
        1 + u64::try_from(index.index(usize::try_from(self.model.newest()).unwrap())).unwrap()
    }

    fn moment(&self, moment: Moment) -> u64 {
        let newest = self.model.newest();
        let number = match moment {
            Moment::Now => newest,
            Moment::Ago(revisions) => newest.saturating_sub(revisions),
            Moment::Past(index) => self.past(index),
            Moment::WindowStart => self.store.stats().window_start().get(),
            Moment::BeforeWindow => self.store.stats().window_start().get() - 1,
            Moment::Oldest => self.store.stats().oldest_at().get(),
            Moment::BeforeOldest => self.store.stats().oldest_at().get() - 1,
            Moment::Future(revisions) => newest + revisions,
        };
        number.max(1)
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Create(key, value) => self.create(key, value),
            Operation::PutIf(key, value, expectation) => self.put_if(key, value, expectation),
            Operation::DeleteIf(key, expectation) => self.delete_if(key, expectation),
            Operation::Update(key, addend) => self.update(key, addend),
            Operation::GetOrCreate(key, value) => self.get_or_create(key, value),
            Operation::Commit(wishes, writes, way) => self.commit(&wishes, &writes, way),
            Operation::Transact(closure) => self.transact(&closure),
            Operation::Flood(writes) => self.flood(writes),
            Operation::Snapshot => self.take_snapshot(),
            Operation::CloneSnapshot(index) => self.clone_snapshot(index),
            Operation::SnapshotAt(moment) => self.snapshot_at(self.moment(moment)),
            Operation::ReadSnapshot(index, span) => self.read_snapshot(index, &span),
            Operation::DropSnapshot(index) => remove(&mut self.snapshots, index),
            Operation::Scan(index, span) => self.open_scan(index, &span),
            Operation::Step(index, steps) => self.step(index, &steps),
            Operation::Page(index) => self.page(index),
            Operation::DropScan(index) => remove(&mut self.scans, index),
            Operation::GetAt(key, moment) => self.get_at(key, self.moment(moment)),
            Operation::History(key) => self.history(key),
            Operation::Watch(spans, since, previous) => {
                let since = since.map(|moment| self.moment(moment));
                self.watch(spans, since, previous);
            }
            Operation::Receive(index, count) => self.receive(index, count),
            Operation::Cancel(index) => self.cancel(index),
            Operation::DropWatch(index) => remove(&mut self.watches, index),
            Operation::Sync => self.store.sync().unwrap(),
            Operation::Reopen => self.reopen(),
        }
        self.note_forgotten();
        self.check_now();
    }

    /// Closes a log and opens it again; in memory it does nothing. What reads the old store goes on to see it.
    fn reopen(&mut self) {
        let Some((directory, durability)) = &self.log else { return };
        self.store.close().unwrap();
        let path = directory.path();
        let opened = builder(self.settings).durability(*durability).open(path).unwrap();
        let closed = std::mem::replace(&mut self.store, opened);
        for held in &self.snapshots {
            held.check(&self.model);
        }
        self.scans.clear();
        self.snapshots.clear();
        for held in std::mem::take(&mut self.watches) {
            held.check_end(&self.model);
        }
        drop(closed);
        self.opened_at = self.model.newest();
        self.deleted.clear();
        assert_eq!(self.store.revision().get(), self.opened_at, "it was closed in good order");
    }

    /// The newest state is what the model says.
    fn check_now(&self) {
        let state = self.model.now();
        assert_eq!(self.store.revision().get(), self.model.newest());
        assert_eq!(self.store.len(), state.len());
        for key in KEYS {
            let entry = self.store.get(key);
            assert_eq!(entry.as_ref().map(Entry::of).as_ref(), state.get(key), "{key:?}");
        }
    }

    /// What the store says of itself is so.
    fn check_stats(&self) {
        let stats = self.store.stats();
        assert_eq!(stats.keys(), self.model.now().len());
        assert_eq!(stats.revision().get(), self.model.newest());
        let window_start = stats.window_start().get();
        assert_eq!(stats.window_changes(), self.model.changes_after(window_start));
        let (oldest, newest) = (stats.oldest_at().get(), self.model.newest());
        assert!(oldest <= newest);
        let promised = newest.saturating_sub(self.settings.commits.saturating_sub(1));
        if self.history_is_whole() {
            assert!(oldest <= promised.max(self.opened_at), "{stats:?}");
        }
        let of_snapshots = self.snapshots.iter().map(|held| &held.token);
        let tokens = of_snapshots.chain(self.scans.iter().map(|held| &held.token));
        let pinned: HashSet<_> = tokens.map(Arc::as_ptr).collect();
        assert_eq!(stats.snapshots(), u64::try_from(pinned.len()).unwrap());
        if self.settings.history == 1 && self.settings.commits == 0 {
            let most = self.most_superseded();
            self.gives_back_all_but(most);
        }
    }

    /// With everything dropped that reads the past, nothing of it is kept that was not asked for.
    fn check_end(mut self) {
        let all = entries(self.store.iter());
        assert_eq!(all, Span::All.of(self.model.now()), "an index entry for each key and no other");
        assert_eq!(entries(self.store.scan(&Span::All).rev()).len(), all.len());
        self.check_stats();
        self.scans.clear();
        for held in self.snapshots.drain(..) {
            held.check(&self.model);
        }
        self.check_stats();
        for held in std::mem::take(&mut self.watches) {
            let held = self.drain(held);
            drop(held);
        }
        self.gives_back_all_but(self.most_kept());
    }

    /// No more versions are kept than these. A log gives back what superseded versions were kept for its readers on
    /// whichever thread made their successors durable, and that may be a little later.
    fn gives_back_all_but(&self, most: u64) {
        let is_given_back = || self.store.stats().superseded() <= most;
        if self.log.is_some() && !is_given_back() {
            self.store.sync().unwrap();
            eventually(&format!("{:?}, at most {most}", self.store.stats()), is_given_back);
        }
        assert!(is_given_back(), "{:?}, at most {most}", self.store.stats());
    }

    /// The most versions that history keeps once nobody else needs any.
    fn most_kept(&self) -> u64 {
        let Settings { history, commits, .. } = self.settings;
        let newest = self.model.newest();
        let mut most = 0;
        for key in KEYS {
            let versions = self.model.versions(key);
            let until = versions.iter().skip(1).map(|(revision, _)| *revision);
            let recent = until.filter(|until| commits > 0 && *until + commits > newest).count();
            // One more for the tombstone of a deleted key.
            let by_count = (versions.len() - 1.min(versions.len())).min(history - 1);
            let by_count = if history == 1 { 0 } else { by_count + 1 };
            let by_commits = if commits == 0 { 0 } else { recent + 2 };
            most += by_count.max(by_commits).max(recent);
        }
        u64::try_from(most).unwrap()
    }
}

fn remove<T>(held: &mut Vec<T>, index: Index) {
    if !held.is_empty() {
        held.swap_remove(index.index(held.len()));
    }
}

fn pick<T>(held: &mut [T], index: Index) -> Option<&mut T> {
    if held.is_empty() { None } else { Some(index.get_mut(held)) }
}

fn check(home: Home, cases: u32) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_time: 20_000,
        ..ProptestConfig::default()
    };
    let sequences = (settings(), operations());
    let outcome = TestRunner::new(config).run(&sequences, |(settings, operations)| {
        let mut run = Run::new(home, settings);
        for (index, operation) in operations.into_iter().enumerate() {
            run.apply(operation);
            if index % 8 == 0 {
                run.check_stats();
            }
        }
        run.check_end();
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn cases() -> u32 {
    u32::try_from(from_env("IFMATCH_CASES", 150)).unwrap()
}

#[test]
fn in_memory_any_sequence_gives_what_a_map_for_every_revision_gives() {
    check(Home::Memory, cases());
}

#[test]
fn on_a_synced_log_any_sequence_gives_what_a_map_for_every_revision_gives() {
    check(Home::Log(Durability::Sync), cases().div_ceil(10));
}

#[test]
fn on_a_buffered_log_any_sequence_gives_what_a_map_for_every_revision_gives() {
    check(Home::Log(Durability::Buffered), cases().div_ceil(10));
}
