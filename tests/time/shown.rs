//! While many commits are on their way to the disk, every way to read shows the state at one durable revision, and never
//! an older one than before; writers see the newest, and are told of it when it is durable.

use std::thread;

use ifmatch::{Durability, HistoryError, Precondition, Revision, Txn, Watch, WatchError};

use crate::common::{Random, disk, from_env, within};
use crate::home::IN_TIME;
use crate::model::{Entry, Model, Value, effect, revision};
use crate::sequence::watches::told;
use crate::span::{Scans, Span, Subject, entries};

const KEYS: [&str; 7] = ["a", "a/1", "a/2", "b", "b/1", "c", "c/1"];

/// What the commit with this number does.
fn writes(number: u64) -> Vec<(String, Option<Value>)> {
    let mut random = Random(number);
    let key = || (*Random(number).pick(&KEYS)).to_owned();
    let mut writes = vec![(key(), Some(number))];
    for _ in 0..random.below(3) {
        let other = (*random.pick(&KEYS)).to_owned();
        if writes.iter().all(|(key, _)| *key != other) {
            writes.push((other, (random.below(2) == 0).then_some(number)));
        }
    }
    writes
}

/// All that was submitted, known beforehand.
fn model(commits: u64) -> Model {
    let mut model = Model::new(1);
    for number in 0..commits {
        assert!(model.commit(number + 2, writes(number)), "each has an effect");
    }
    model
}

struct Reader<'a> {
    store: &'a Subject,
    model: &'a Model,
    random: Random,
    watch: Watch<String, Value>,
    /// Up to where the watch has told everything.
    watched: u64,
}

impl Reader<'_> {
    /// Reads in some way what is shown not before `since`. Whatever it was, it is shown afterwards.
    fn read(&mut self, since: u64) {
        let key = *self.random.pick(&KEYS);
        match self.random.below(9) {
            0 => {
                let snapshot = self.store.snapshot();
                let at = self.shown(since, snapshot.revision());
                assert_eq!(entries(snapshot.scan(&Span::All)), Span::All.of(self.model.at(at)));
                assert_eq!(snapshot.len(), self.model.at(at).len());
            }
            1 => {
                let span = Span::Prefix("a".to_owned());
                let scan = self.store.scan(&span);
                let at = self.shown(since, scan.revision());
                assert_eq!(entries(scan), span.of(self.model.at(at)), "at {at}");
            }
            2 => {
                let entry = self.store.get(key).map(|entry| Entry::of(&entry));
                let so = |at: u64| self.model.at(at).get(key) == entry.as_ref();
                assert!(self.was_shown(since, so), "{key}: {entry:?}");
            }
            3 => {
                let len = self.store.len();
                assert!(self.was_shown(since, |at| self.model.at(at).len() == len), "{len} keys");
            }
            4 => self.look_back(key, since),
            5 => {
                let history = self.store.history(key);
                let found: Vec<_> =
                    history.versions().iter().map(|one| one.revision().get()).collect();
                let all = self.model.versions(key);
                let so = |at: u64| {
                    all.iter()
                        .map(|(revision, _)| *revision)
                        .take_while(|one| *one <= at)
                        .eq(found.iter().copied())
                };
                assert!(self.was_shown(since, so), "{key}: {found:?}");
            }
            6 => self.receive(),
            7 => {
                let read = self.store.transact(|transaction| {
                    let found = transaction.get(key)?.map(|read| *read);
                    Ok((transaction.revision(), found))
                });
                let (at, found) = read.unwrap();
                let at = self.shown(since, at);
                assert_eq!(found, self.model.at(at).get(key).map(|entry| entry.value));
            }
            _ => {
                let demands = Txn::new().require(key, Precondition::Absent);
                let outcome = self.store.commit(demands.require_none_under("a"));
                let at = match outcome {
                    Ok(at) => self.shown(since, at),
                    Err(error) => {
                        let at =
                            error.conflicts().iter().filter_map(|conflict| conflict.revision());
                        at.max().map_or(since, |at| self.shown(0, at))
                    }
                };
                assert!(at <= self.model.newest());
            }
        }
    }

    /// `at` is what was read: it is not older than `since`, and is shown by now.
    fn shown(&self, since: u64, at: Revision) -> u64 {
        assert!(since <= at.get() && at <= self.store.revision(), "{at} is shown since {since}");
        at.get()
    }

    /// Whether something was so at a revision that was shown in the meantime.
    fn was_shown(&self, since: u64, was_so: impl Fn(u64) -> bool) -> bool {
        (since..=self.store.revision().get()).any(was_so)
    }

    fn look_back(&mut self, key: &str, since: u64) {
        let at = revision(1 + self.random.below(since + 20));
        match (self.store.get_at(key, at), self.store.snapshot_at(at)) {
            (Ok(entry), Ok(snapshot)) => {
                let at = self.shown(0, at);
                assert_eq!(
                    entry.map(|entry| Entry::of(&entry)).as_ref(),
                    self.model.at(at).get(key)
                );
                assert_eq!(entries(snapshot.iter()), Span::All.of(self.model.at(at)));
            }
            // The second may have come to be shown after the first.
            (Err(HistoryError::Future { newest, .. }), _) => {
                assert!(self.shown(since, newest) < at.get());
            }
            other => panic!("{at}: {other:?}"),
        }
    }

    fn receive(&mut self) {
        for _ in 0..30 {
            match self.watch.try_recv() {
                Ok(commit) => {
                    let at = self.shown(self.watched + 1, commit.revision());
                    assert_eq!(at, self.watched + 1, "each, in order");
                    let before = self.model.at(self.watched);
                    assert_eq!(told(&commit), effect(before, at, writes(at - 2)));
                    self.watched = at;
                }
                Err(WatchError::Empty) => return,
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn what_is_shown_is_the_state_at_one_durable_revision_however_it_is_read() {
    let commits = from_env("IFMATCH_COMMITS", 3_000);
    within(120 + commits / 100, move || {
        for durability in [Durability::Sync, IN_TIME, Durability::Buffered] {
            let directory = disk();
            let builder = Subject::builder().history_commits(1 << 40).watch_window(1 << 30);
            let store = builder.durability(durability).open(directory.path()).unwrap();
            let model = model(commits);
            let mut lagged = 0_u64;
            thread::scope(|scope| {
                scope.spawn(|| {
                    // The first makes room, without which a commit is not decided when it is submitted.
                    let commit = |number: u64| {
                        let txn =
                            writes(number).into_iter().fold(Txn::new(), |txn, write| match write {
                                (key, Some(value)) => txn.put(key, value),
                                (key, None) => txn.delete(key),
                            });
                        store.submit(txn)
                    };
                    let mut last = commit(0).wait().unwrap();
                    for number in 1..commits {
                        let pending = commit(number);
                        if number % 50 == 0 || number + 1 == commits {
                            last = pending.wait().unwrap();
                            assert_eq!(last.get(), number + 2);
                        }
                    }
                    assert_eq!(last.get(), commits + 1);
                });
                let watch = store.watch().since(Revision::MIN).with_previous().open().unwrap();
                let random = Random(7);
                let mut reader = Reader { store: &store, model: &model, random, watch, watched: 1 };
                loop {
                    let since = store.revision().get();
                    reader.read(since);
                    lagged += u64::from(store.revision().get() > since);
                    if since == commits + 1 {
                        break;
                    }
                }
                while reader.watched < commits + 1 {
                    reader.receive();
                }
            });
            let enough = durability != Durability::Sync || lagged > 0;
            assert!(enough, "little was shown while something was read: {lagged}");
        }
    });
}
