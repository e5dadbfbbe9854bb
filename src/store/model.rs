//! The commit path under a model checker: the same code, its locks and atomics replaced by shuttle's (`sync.rs`).
//!
//! Run by `cargo model` for a moment, and by `cargo campaign schedules` for long. Each test states one protocol. Sizes are
//! tiny, so that schedules are many: two shards, two or three threads, a few operations, and bounds that are reached by them
//! (`sync::size`). How schedules are chosen: `schedules.rs`. The smallest protocols run in every schedule that there is
//! (`exhaustive.rs`); in others the power goes at any call of the disk (`crashes.rs`); and any operations at all are
//! recorded and checked for linearizability (`linearizable.rs`).
//!
//! Writers say what they committed, under which revision. That is the [`Past`]: whatever a snapshot, a scan, a watch or
//! the history showed to others meanwhile has to be what the commits up to its revision make, replayed one by one.
//!
//! A thread that waits in vain is seen as a deadlock, so that a lost wake-up fails a test: but only while nothing else
//! wakes it, such as the store's end.
//!
//! # What is not explored
//!
//! Shuttle runs one thread at a time, and switches at each lock, wait and atomic. So it tries interleavings, all of them
//! sequentially consistent: what a weaker memory ordering would allow in addition it does not know. The store's orderings are
//! weaker than `SeqCst`, and need no more, for these reasons. All data is behind locks. An atomic is either a number that
//! is published by itself (`visible`, `live`, the log's `durable`: stored under a lock with `Release`, in growing order, and
//! read with `Acquire` by who then takes the locks of what it stands for), or a hint or a count that nothing follows from
//! (`keeps`, the numbers of futures: `Relaxed`). And wherever one thread stores and then looks, while another does it the
//! other way round, which is where `SeqCst` would matter - a watch that goes to sleep while a commit is published, or it is
//! cancelled; a committer that waits while its batch becomes durable - both looks are under one lock. What covers the
//! rest is real threads: `tests/store/race.rs`, `tests/time/replay.rs`, `src/store/tests/threads.rs`.
//!
//! Time does not pass: a wait with a deadline waits for a wake-up, and who looks a few times before it sleeps, or waits for
//! company (`log/muster.rs`), does so once. What is done by so many at once (`sync::size`) is done by each: commits leave the
//! window one by one, and each batch that is only written is worth a sync. So what is left over of such a group is covered by
//! ordinary tests. The two threads that read a log, and the two that put its keys in order, are none of a schedule's: they
//! share channels and results, and no lock. Drops of `Arc` are no switches. Code outside of `sync.rs`, such as the allocator,
//! is taken to work.

mod compaction;
mod conflicts;
mod crashes;
mod durable;
mod exhaustive;
mod failures;
#[cfg(feature = "testing")]
mod linearizable;
mod past;
mod quiet;
mod schedules;
mod snapshots;
mod transactions;
mod updates;
mod watches;
mod writes;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

use crate::log::Durability;
use crate::storage::disk::Disk;
use crate::sync::thread;
use crate::{Builder, Commit, Revision, Store};

pub(super) use self::schedules::check;
use self::schedules::{exhaust, exhaust_preempting};

type Numbers = Store<u32, u32, ByKey>;
type Snapshot = crate::Snapshot<u32, u32, ByKey>;
type Txn = crate::Txn<u32, u32>;

const WORKS: &str = "there is no limit, and the disk works";

/// Puts even and odd keys into different shards. Keys a hundred apart have the same hash. (And every run is the same, so
/// that a schedule that failed can be run again.)
#[derive(Clone, Debug, Default)]
struct ByKey;

struct KeyHasher(u64);

impl BuildHasher for ByKey {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(0)
    }
}

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        (self.0 << 57) | (self.0 << 40) | self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers")
    }

    fn write_u32(&mut self, key: u32) {
        self.0 = u64::from(key % 100);
    }
}

fn builder() -> Builder<u32, u32, ByKey> {
    Store::<u32, u32>::builder().shards(2).hasher(ByKey)
}

fn in_memory() -> Numbers {
    builder().build()
}

fn on(disk: &Disk, durability: Durability) -> Numbers {
    open(builder(), disk, durability)
}

fn open(builder: Builder<u32, u32, ByKey>, disk: &Disk, durability: Durability) -> Numbers {
    let builder = builder.durability(durability).segment_bytes(4096);
    builder.open_on(disk).expect("the disk works")
}

fn join_all<T: 'static>(threads: Vec<thread::JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
}

/// Puts, and without a value deletes.
type Changes = Vec<(u32, Option<u32>)>;

/// Commits, and remembers them.
struct Writer {
    store: Numbers,
    commits: Vec<(Revision, Changes)>,
}

impl Writer {
    fn new(store: &Numbers) -> Self {
        Self { store: store.clone(), commits: Vec::new() }
    }

    fn spawn(store: &Numbers, body: impl FnOnce(&mut Self) + Send + 'static) -> Writing {
        let mut writer = Self::new(store);
        thread::spawn(move || {
            body(&mut writer);
            writer.commits
        })
    }

    fn put(&mut self, key: u32, value: u32) {
        let revision = self.store.put(key, value).expect(WORKS);
        self.commits.push((revision, vec![(key, Some(value))]));
    }

    fn delete(&mut self, key: u32) {
        if let Some(deleted) = self.store.delete(key).expect(WORKS) {
            self.commits.push((deleted.revision(), vec![(key, None)]));
        }
    }

    /// Commits a transaction. It has to take a revision.
    fn commit(&mut self, changes: &[(u32, Option<u32>)]) {
        let revision = self.store.commit(txn(changes)).expect(WORKS);
        self.commits.push((revision, changes.to_vec()));
    }
}

fn txn(changes: &[(u32, Option<u32>)]) -> Txn {
    changes.iter().fold(Txn::new(), |txn, (key, value)| match value {
        Some(value) => txn.put(*key, *value),
        None => txn.delete(*key),
    })
}

type Writing = thread::JoinHandle<Vec<(Revision, Changes)>>;

/// The entries of a store: revision and value by key.
type State = BTreeMap<u32, (Revision, u32)>;

/// All commits, in their order.
struct Past(BTreeMap<Revision, Changes>);

impl Past {
    fn of(writers: Vec<Vec<(Revision, Changes)>>) -> Self {
        let mut commits = BTreeMap::new();
        for (revision, changes) in writers.into_iter().flatten() {
            assert!(commits.insert(revision, changes).is_none(), "two commits are at {revision}");
        }
        Self(commits)
    }

    fn at(&self, revision: Revision) -> State {
        let mut state = State::new();
        for (revision, changes) in self.0.range(..=revision) {
            for (key, value) in changes {
                match value {
                    Some(value) => state.insert(*key, (*revision, *value)),
                    None => state.remove(key),
                };
            }
        }
        state
    }

    fn newest(&self) -> Option<Revision> {
        self.0.last_key_value().map(|(revision, _)| *revision)
    }

    /// What a watch has to tell of all commits after a revision.
    fn told_after(&self, position: Revision) -> Vec<Told> {
        let after = self.0.iter().filter(|(revision, _)| **revision > position);
        after
            .map(|(revision, changes)| {
                let before = self.at(Revision::try_from(revision.get() - 1).expect("not 0"));
                let changes = changes.iter().map(|(key, value)| {
                    let previous = before.get(key).copied();
                    (*key, (value.map(|value| (*revision, value)), previous))
                });
                let effective =
                    changes.filter(|(_, (now, before))| now.is_some() || before.is_some());
                (*revision, effective.collect())
            })
            .collect()
    }

    /// Whether the state is that of some revision, `least` or later.
    fn comes_to(&self, state: &State, least: Revision) -> bool {
        let later = self.0.keys().copied().filter(|revision| *revision > least);
        std::iter::once(least).chain(later).any(|revision| self.at(revision) == *state)
    }
}

/// A commit as a watch tells it: what became of each key, and what it was.
type Told = (Revision, BTreeMap<u32, (Option<(Revision, u32)>, Option<(Revision, u32)>)>);

fn told(commit: Commit<u32, u32>) -> Told {
    let revision = commit.revision();
    let mut events = BTreeMap::new();
    for event in commit.events() {
        assert_eq!(event.revision(), revision);
        let [now, before] = [event.entry(), event.previous()]
            .map(|entry| entry.map(|entry| (entry.revision(), **entry)));
        assert!(events.insert(*event.key(), (now, before)).is_none(), "a key is told twice");
    }
    (revision, events)
}

/// All that a snapshot shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    revision: Revision,
    state: State,
    len: usize,
}

impl View {
    fn of(snapshot: &Snapshot) -> Self {
        let found = entries(snapshot.iter());
        assert_eq!(snapshot.is_empty(), found.is_empty());
        Self { revision: snapshot.revision(), len: snapshot.len(), state: found }
    }

    fn is_in(&self, past: &Past) {
        assert_eq!(self.state, past.at(self.revision), "at {}", self.revision);
        assert_eq!(self.len, self.state.len(), "at {}", self.revision);
    }
}

fn entries(scan: impl Iterator<Item = (u32, crate::Versioned<u32>)>) -> State {
    let found: Vec<_> = scan.map(|(key, entry)| (key, (entry.revision(), *entry))).collect();
    assert!(found.is_sorted_by(|left, right| left.0 < right.0), "{found:?}");
    found.into_iter().collect()
}

/// With nobody at work and nothing to be kept, nothing is kept.
fn assert_nothing_is_left(store: &Numbers) {
    let stats = store.stats();
    assert_eq!(stats.snapshots(), 0);
    assert_eq!(stats.superseded(), 0, "an older version, or a tombstone, was left");
    assert_eq!(store.inner.map.index.len(), stats.keys());
}
