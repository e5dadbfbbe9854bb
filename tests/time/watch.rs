//! Watching while others write: everything once, in order, transactions whole; too slow is told; every end is clean.
//!
//! `IFMATCH_WRITES` says how many writes the large run makes.

mod ends;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ifmatch::{Commit, Durability, Event, Revision, Store, Txn, Watch, WatchError};

use crate::common::{Raises, RaisesOnPanic, Random, disk, from_env, together, within};
use crate::home::{HOMES, Home, IN_TIME};

type Subject = Store<String, u64>;
type State = BTreeMap<String, (Revision, u64)>;

/// The window of the large run, in changes. The quick watchers are waited for when they are half of it behind.
const WINDOW: usize = 4_096;
const BEHIND: u64 = 512;

fn apply(state: &mut State, commit: &Commit<String, u64>) {
    for event in commit.events() {
        match event {
            Event::Put { key, entry, .. } => {
                state.insert(key.clone(), (entry.revision(), **entry));
            }
            Event::Delete { key, .. } => {
                state.remove(key);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn now(store: &Subject) -> State {
    store.iter().map(|(key, entry)| (key, (entry.revision(), *entry))).collect()
}

/// A commit is whole: one key alone, or the three of a transaction, with one value.
fn assert_whole(commit: &Commit<String, u64>) {
    let mut keys: Vec<&str> = commit.events().iter().map(|event| event.key().as_str()).collect();
    keys.sort_unstable();
    match keys.as_slice() {
        [key] => assert!(key.starts_with("one/"), "{key} is written with two others"),
        [first, second, third] => {
            let stem = first.strip_suffix("/1").expect("a transaction's first key");
            assert!(stem.starts_with("three/"));
            assert_eq!((*second, *third), (&*format!("{stem}/2"), &*format!("{stem}/3")));
            let values = commit.events().iter().map(|event| event.entry().map(|entry| **entry));
            let values: Vec<_> = values.collect();
            assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
        }
        other => panic!("{other:?} were written by nobody"),
    }
    assert!(commit.events().iter().all(|event| event.revision() == commit.revision()));
}

/// What the threads of the large run share.
struct Race<'a> {
    store: &'a Subject,
    writes: u64,
    /// Up to where the quick watchers are.
    positions: [AtomicU64; 2],
    written: AtomicU64,
    has_failed: AtomicBool,
}

impl Race<'_> {
    fn is_over(&self) -> bool {
        assert!(!self.has_failed.load(Ordering::Acquire), "another thread has failed");
        self.written.load(Ordering::Acquire) == self.writes
    }

    /// Writers are never held up by a watcher: that these wait is the test's doing, so that the quick ones keep up.
    fn wait_for_watchers(&self) {
        let lag = || {
            let slowest = self.positions.iter().map(|position| position.load(Ordering::Relaxed));
            self.store.revision().get().saturating_sub(slowest.min().unwrap())
        };
        while lag() > BEHIND && !self.is_over() {
            thread::sleep(Duration::from_micros(50));
        }
    }

    fn write(&self, thread: u64, count: u64) {
        let _tells = RaisesOnPanic(&self.has_failed);
        let mut random = Random(thread);
        for number in 0..count {
            if number % 16 == 0 {
                self.wait_for_watchers();
            }
            let key = random.below(200);
            match random.below(8) {
                0 => {
                    let txn = (1..=3).fold(Txn::new(), |txn, part| {
                        txn.put(format!("three/{key}/{part}"), number)
                    });
                    self.store.commit(txn).unwrap();
                }
                1 => {
                    // Deletes of all three, or of none.
                    let key = format!("three/{key}");
                    let outcome = self.store.transact(|transaction| {
                        for part in 1..=3 {
                            transaction.delete(format!("{key}/{part}"));
                        }
                        Ok(())
                    });
                    outcome.unwrap();
                }
                2 => drop(self.store.delete(format!("one/{key}")).unwrap()),
                _ => drop(self.store.put(format!("one/{key}"), number).unwrap()),
            }
            self.written.fetch_add(1, Ordering::Release);
        }
    }

    /// Takes the next commit. `None` at the end.
    fn next(
        &self,
        watch: &mut Watch<String, u64>,
    ) -> Option<Result<Commit<String, u64>, Revision>> {
        loop {
            let was_over = self.is_over();
            match watch.recv_timeout(Duration::from_millis(2)) {
                Ok(commit) => {
                    assert!(commit.revision() <= self.store.revision(), "what is told is shown");
                    assert_whole(&commit);
                    return Some(Ok(commit));
                }
                Err(WatchError::Lagged { resume, .. }) => return Some(Err(resume)),
                Err(WatchError::Timeout) if was_over => return None,
                Err(WatchError::Timeout) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// Follows quickly: every revision comes, once, in order. With `reconnect`, a new watch begins after so many.
    fn follow(&self, index: usize, reconnect: u64) -> State {
        let _tells = RaisesOnPanic(&self.has_failed);
        let mut state = State::new();
        let mut seen = Revision::MIN;
        let mut events = 0;
        let mut watch = self.store.watch().since(seen).open().unwrap();
        while let Some(told) = self.next(&mut watch) {
            let commit = told.expect("it is waited for");
            assert_eq!(commit.revision().get(), seen.get() + 1, "every revision once, in order");
            seen = commit.revision();
            apply(&mut state, &commit);
            self.positions[index].store(seen.get(), Ordering::Relaxed);
            events += u64::try_from(commit.events().len()).unwrap();
            if events >= reconnect {
                events = 0;
                watch = self.store.watch().since(seen).open().unwrap();
            }
        }
        assert_eq!(seen, self.store.revision());
        state
    }

    /// The state at a snapshot from `resume` on, and a watch that continues it.
    fn catch_up(&self, resume: Revision) -> (State, Watch<String, u64>) {
        loop {
            let snapshot = self.store.snapshot();
            assert!(snapshot.revision() >= resume);
            let entries = snapshot.iter();
            let state = entries.map(|(key, entry)| (key, (entry.revision(), *entry))).collect();
            match self.store.watch().since(snapshot.revision()).open() {
                Ok(watch) => return (state, watch),
                // Reading the snapshot took longer than the window lasts.
                Err(WatchError::Compacted { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// Sleeps until it is told that it missed something, and makes up for that with a snapshot. The state, and how
    /// often that happened.
    fn follow_slowly(&self) -> (State, u64) {
        let _tells = RaisesOnPanic(&self.has_failed);
        let mut state = State::new();
        let mut seen = Revision::MIN;
        let mut lagged = 0;
        let mut watch = self.store.watch().since(seen).open().unwrap();
        let mut until_sleep = 0;
        while let Some(told) = self.next(&mut watch) {
            match told {
                Ok(commit) => {
                    assert_eq!(commit.revision().get(), seen.get() + 1, "no gap but by Lagged");
                    seen = commit.revision();
                    apply(&mut state, &commit);
                }
                Err(resume) => {
                    assert!(resume > seen, "nothing is skipped that was not missed");
                    lagged += 1;
                    (state, watch) = self.catch_up(resume);
                    seen = watch.position();
                }
            }
            until_sleep += 1;
            if until_sleep % 2_000 == 0 {
                let far = self.store.revision().get() + 2 * u64::try_from(WINDOW).unwrap();
                while self.store.revision().get() < far && !self.is_over() {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
        assert_eq!(seen, self.store.revision());
        (state, lagged)
    }
}

fn race(home: Home, writes: u64) {
    const WRITERS: u64 = 4;
    let test = |store: &Subject| {
        let race = Race {
            store,
            writes: writes / WRITERS * WRITERS,
            positions: [const { AtomicU64::new(1) }; 2],
            written: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            let quick = scope.spawn(|| race.follow(0, u64::MAX));
            let reconnecting = scope.spawn(|| race.follow(1, 1_000));
            let slow = scope.spawn(|| race.follow_slowly());
            together(WRITERS, |thread| race.write(thread, writes / WRITERS));
            let expected = now(store);
            assert!(quick.join().unwrap() == expected, "{home:?}: the quick one");
            assert!(reconnecting.join().unwrap() == expected, "{home:?}: the reconnecting one");
            let (state, lagged) = slow.join().unwrap();
            assert!(state == expected, "{home:?}: the slow one");
            assert!(lagged > 0, "{home:?}: it was never too slow");
        });
        let stats = store.stats();
        assert!(stats.window_changes() < WINDOW + 8, "they leave by eights: {stats:?}");
    };
    home.run(|builder| builder.watch_window(WINDOW), test, |_| {});
}

#[test]
fn every_watcher_sees_all_revisions_once_in_order_and_transactions_whole() {
    let writes = from_env("IFMATCH_WRITES", 40_000);
    within(120 + writes / 1_000, move || {
        for home in HOMES {
            race(home, if home == Home::Memory { writes } else { writes / 2 });
        }
    });
}

fn open(store: &Subject) -> Watch<String, u64> {
    store.watch().open().unwrap()
}

#[test]
fn a_watch_begins_now_or_after_the_stated_revision() {
    for home in HOMES {
        let test = |store: &Subject| {
            let first = store.put("a", 1).unwrap();
            let second = store.put("a", 2).unwrap();
            let mut from_now = open(store);
            assert_eq!(from_now.position(), second);
            assert!(matches!(from_now.try_recv(), Err(WatchError::Empty)));
            let third = store.put("a", 3).unwrap();
            for (since, expected) in [
                (Revision::MIN, vec![first, second, third]),
                (first, vec![second, third]),
                (third, vec![]),
            ] {
                let mut watch = store.watch().since(since).open().unwrap();
                for expected in expected {
                    assert_eq!(watch.try_recv().unwrap().revision(), expected, "{home:?}");
                }
                assert!(matches!(watch.try_recv(), Err(WatchError::Empty)), "{home:?}");
            }
            assert_eq!(from_now.try_recv().unwrap().revision(), third, "{home:?}");
            let future = store.watch().since(third.next().unwrap()).open();
            let Err(WatchError::Future { newest, .. }) = future else { panic!("{home:?}") };
            assert_eq!(newest, third);
        };
        home.run(|builder| builder, test, |_| {});
    }
}

#[test]
fn receiving_waits_no_longer_than_it_is_told_and_not_at_all_for_what_is_there() {
    within(60, || {
        let store = Subject::new();
        let mut watch = open(&store);
        let begin = Instant::now();
        let timeout = Duration::from_millis(30);
        assert!(matches!(watch.recv_timeout(timeout), Err(WatchError::Timeout)));
        assert!(begin.elapsed() >= timeout);
        assert!(matches!(watch.recv_timeout(Duration::ZERO), Err(WatchError::Timeout)));
        store.put("a", 1).unwrap();
        assert!(watch.recv_timeout(Duration::ZERO).is_ok(), "what is there is given");
        store.put("a", 2).unwrap();
        // A time that no clock can reach.
        assert_eq!(watch.recv_timeout(Duration::MAX).unwrap().revision().get(), 3);
    });
}

#[test]
fn a_sleeping_watcher_is_woken_by_each_commit() {
    const ROUNDS: u64 = 3_000;
    within(120, || {
        for home in HOMES {
            let rounds = if home == Home::Memory { ROUNDS } else { ROUNDS / 10 };
            let test = |store: &Subject| {
                // Each waits for the other: with one wake-up lost, both sleep for ever.
                let (mut pings, mut pongs) = (
                    store.watch().key("ping").open().unwrap(),
                    store.watch().key("pong").open().unwrap(),
                );
                thread::scope(|scope| {
                    scope.spawn(|| {
                        for round in 0..rounds {
                            assert_eq!(**pings.recv().unwrap().events()[0].entry().unwrap(), round);
                            store.put("pong", round).unwrap();
                        }
                    });
                    for round in 0..rounds {
                        store.put("ping", round).unwrap();
                        assert_eq!(**pongs.recv().unwrap().events()[0].entry().unwrap(), round);
                    }
                });
            };
            home.run(|builder| builder, test, |_| {});
        }
    });
}

#[test]
fn an_event_is_shown_only_when_its_commit_is_durable() {
    within(120, || {
        for durability in [Durability::Sync, IN_TIME, Durability::Buffered] {
            let directory = disk();
            let store = Subject::builder().durability(durability).open(directory.path()).unwrap();
            let mut watch = open(&store);
            thread::scope(|scope| {
                scope.spawn(|| {
                    // Submitted and not waited for, so that many are on their way at once.
                    let pending: Vec<_> = (0..2_000)
                        .map(|number| store.submit(Txn::new().put(format!("{number}"), number)))
                        .collect();
                    pending.into_iter().for_each(|pending| assert!(pending.wait().is_ok()));
                });
                for number in 0..2_000 {
                    let commit = watch.recv().unwrap();
                    let at = commit.revision();
                    assert!(at <= store.revision(), "{durability:?}: it is told and not shown");
                    let event = &commit.events()[0];
                    let entry = store.get(event.key()).expect("what is told is shown");
                    assert_eq!((entry.revision(), *entry), (at, **event.entry().unwrap()));
                    assert_eq!(at.get(), number + 2);
                }
            });
        }
    });
}

#[test]
fn a_watch_from_now_opens_whatever_is_on_its_way_to_the_disk() {
    within(120, || {
        let directory = disk();
        let store = Subject::builder().watch_window(64).open(directory.path()).unwrap();
        store.put("first", 0).unwrap();
        let is_over = AtomicBool::new(false);
        let opened = thread::scope(|scope| {
            scope.spawn(|| {
                let _at_the_end = Raises(&is_over);
                for number in 0..3_000 {
                    let pending = store.submit(Txn::new().put("one", number));
                    if number % 300 == 299 {
                        assert!(pending.wait().is_ok());
                    }
                }
            });
            let mut opened = 0;
            while !is_over.load(Ordering::Acquire) {
                let before = store.revision();
                let mut watch = store.watch().open().expect("there is always a now");
                assert!(watch.position() >= before);
                let stats = store.stats();
                assert!(stats.window_start() <= stats.revision(), "{stats:?}");
                match watch.try_recv() {
                    Ok(commit) => assert!(commit.revision() > before),
                    Err(WatchError::Empty) => {}
                    Err(WatchError::Lagged { resume, .. }) => assert!(resume <= store.revision()),
                    Err(other) => panic!("{other}"),
                }
                opened += 1;
            }
            opened
        });
        assert!(opened > 10, "{opened} watches were opened meanwhile");
    });
}
