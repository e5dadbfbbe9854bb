//! Four threads at once, and what they were told replayed in the order of revisions: whatever a call returned was so
//! at one moment between its begin and its end.
//!
//! `IFMATCH_RUNS` says how many runs, `IFMATCH_SEED` the seed of the first.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ifmatch::{
    CommitError, Precondition, Revision, Snapshot, Txn, Versioned, Watch, WatchError, WriteError,
};

use crate::common::{Raises, Random, from_env, together};
use crate::home::{HOMES, Home};
use crate::model::{Demand, Entry, Failing, Model, State, Value, effect, revision};
use crate::sequence::watches::told;
use crate::span::{Scans, Span, Subject, demand, entries, read};

const THREADS: u64 = 4;
const KEYS: [&str; 8] = ["a", "a/x", "a/y", "b", "b/x", "b/y", "c", ""];
const PREFIXES: [&str; 5] = ["a", "a/", "b/", "c", ""];

type Writes = Vec<(String, Option<Value>)>;

/// What a transaction read: ranges, and the keys, revisions and values in them.
type Reads = Vec<(Span, Vec<(String, u64, Value)>)>;

/// What a call was told.
#[derive(Debug)]
enum Told {
    /// A commit, or that there was nothing to do, at this revision.
    Committed { at: u64, demands: Vec<Demand>, writes: Writes, previous: Option<Entry> },
    /// That there was nothing to delete.
    NothingToDelete { demands: Vec<Demand>, key: String },
    /// A conflict: for each failing demand its index, the key, its entry, and how many keys block it.
    Lost { demands: Vec<Demand>, failing: Vec<(usize, String, Option<Entry>, usize)> },
    /// What a transaction read, and that its writes are committed.
    Transacted { reads: Reads, writes: Writes },
}

/// One call, between two revisions that were shown before and after it.
#[derive(Debug)]
struct Call {
    begin: u64,
    end: u64,
    told: Told,
}

/// What one thread has done.
#[derive(Default)]
struct Record {
    calls: Vec<Call>,
    snapshots: Vec<Snapshot<String, Value>>,
}

fn key(random: &mut Random) -> String {
    (*random.pick(&KEYS)).to_owned()
}

fn span(random: &mut Random) -> Span {
    match random.below(4) {
        0 => Span::Only(key(random)),
        1 => Span::Range(
            std::ops::Bound::Included(key(random)),
            std::ops::Bound::Excluded(key(random)),
        ),
        _ => Span::Prefix((*random.pick(&PREFIXES)).to_owned()),
    }
}

fn current(entry: Option<&Versioned<Value>>) -> Precondition {
    entry.map_or(Precondition::Absent, |entry| entry.revision().into())
}

fn some_demand(store: &Subject, random: &mut Random) -> Demand {
    match random.below(5) {
        0 => Demand::NoneIn(span(random)),
        1 => Demand::UnchangedIn(span(random), store.revision().get()),
        _ => {
            let key = key(random);
            let precondition = match random.below(6) {
                0 => Precondition::Absent,
                1 => Precondition::Present,
                2 => Precondition::Any,
                _ => current(store.get(&key).as_ref()),
            };
            Demand::Key(key, precondition)
        }
    }
}

/// Writes of different keys. Each value is written once in a run, so that it tells who wrote it.
fn some_writes(random: &mut Random, count: u64) -> Writes {
    let writes: BTreeMap<String, Option<Value>> =
        (0..count).map(|_| (key(random), (random.below(3) > 0).then(|| random.next()))).collect();
    writes.into_iter().collect()
}

fn write_one(store: &Subject, random: &mut Random) -> Told {
    let key = key(random);
    let precondition = match random.below(3) {
        0 => Precondition::Any,
        _ => current(store.get(&key).as_ref()),
    };
    let value = (random.below(3) > 0).then(|| random.next());
    let writes = vec![(key.clone(), value)];
    let demands = vec![Demand::Key(key.clone(), precondition)];
    let outcome = match value {
        Some(value) => store.put_if(&key, value, precondition).map(|at| Some((at, None))),
        None => store.delete_if(&key, precondition).map(|deleted| {
            deleted.map(|deleted| (deleted.revision(), Some(Entry::of(deleted.previous()))))
        }),
    };
    match outcome {
        Ok(Some((at, previous))) => Told::Committed { at: at.get(), demands, writes, previous },
        Ok(None) => Told::NothingToDelete { demands, key },
        Err(WriteError::Conflict(conflict)) => {
            let entry = conflict.current().map(Entry::of);
            Told::Lost { demands, failing: vec![(0, key, entry, 0)] }
        }
        Err(other) => panic!("{other}"),
    }
}

fn commit(store: &Subject, random: &mut Random) -> Told {
    let demands: Vec<Demand> = (0..random.below(4)).map(|_| some_demand(store, random)).collect();
    let count = random.below(4);
    let writes = some_writes(random, count);
    let txn = demands.iter().fold(Txn::new(), demand);
    let txn = writes.iter().fold(txn, |txn, (key, value)| match value {
        Some(value) => txn.put(key, *value),
        None => txn.delete(key),
    });
    match store.commit(txn) {
        Ok(at) => Told::Committed { at: at.get(), demands, writes, previous: None },
        Err(error @ CommitError::Conflicts { .. }) => {
            let failing = error.conflicts().iter().map(|conflict| {
                let entry = conflict.current().map(Entry::of);
                (conflict.index(), conflict.key().clone(), entry, conflict.blocker_count())
            });
            Told::Lost { demands, failing: failing.collect() }
        }
        Err(other) => panic!("{other}"),
    }
}

/// Reads some keys and ranges, and writes on top of them.
fn transact(store: &Subject, random: &mut Random) -> Told {
    let spans: Vec<Span> = (0..1 + random.below(3)).map(|_| span(random)).collect();
    let count = random.below(3);
    let mut writes = some_writes(random, count);
    if let Some((_, value)) = writes.first_mut() {
        // At least one value, by which the commit is found again.
        *value = Some(random.next());
    }
    let mut reads = Reads::new();
    let outcome = store.transact(|transaction| {
        reads.clear();
        for span in &spans {
            let found = read(transaction, span)?.into_iter().map(|(key, found)| {
                (key, found.revision().expect("nothing was written yet").get(), *found)
            });
            reads.push((span.clone(), found.collect()));
        }
        for (key, value) in &writes {
            match value {
                Some(value) => transaction.put(key, *value),
                None => transaction.delete(key),
            }
        }
        Ok(())
    });
    outcome.unwrap();
    Told::Transacted { reads, writes }
}

fn act(store: &Subject, random: &mut Random, record: &mut Record) {
    let begin = store.revision().get();
    let told = match random.below(10) {
        0..=3 => write_one(store, random),
        4..=6 => commit(store, random),
        7 | 8 => transact(store, random),
        _ => {
            if random.below(2) == 0 {
                record.snapshots.push(store.snapshot());
            } else {
                let past = begin - random.below(begin.min(8));
                record.snapshots.push(store.snapshot_at(revision(past)).unwrap());
            }
            return;
        }
    };
    record.calls.push(Call { begin, end: store.revision().get(), told });
}

impl Call {
    /// Whether this is the call that committed what the model has at `at`.
    fn made(&self, model: &Model, at: u64) -> bool {
        let before = model.at(at - 1);
        let (writes, could) = match &self.told {
            Told::Committed { demands, writes, previous, .. } => {
                let previous_is = |previous: &Entry| before.get(&writes[0].0) == Some(previous);
                let could = model.failing(demands, at - 1).is_empty()
                    && previous.as_ref().is_none_or(previous_is);
                (writes, could)
            }
            Told::Transacted { reads, writes } => (writes, agree(reads, before)),
            _ => return false,
        };
        let made = model.after(at - 1).next() == Some((at, &effect(before, at, writes.clone())));
        made && could && self.begin < at && at <= self.end
    }

    /// Whether what was told was so at `at`, without a commit.
    fn was_so(&self, model: &Model, at: u64) -> bool {
        let state = model.at(at);
        match &self.told {
            Told::Committed { at: told, demands, writes, .. } => {
                *told == at
                    && model.failing(demands, at).is_empty()
                    && effect(state, at, writes.clone()).is_empty()
            }
            Told::NothingToDelete { demands, key } => {
                model.failing(demands, at).is_empty() && !state.contains_key(key)
            }
            Told::Lost { demands, failing } => {
                let expected = model.failing(demands, at);
                let same =
                    |(told, expected): (&(usize, String, Option<Entry>, usize), &Failing)| {
                        told.0 == expected.index
                            && expected.keys.contains(&told.1)
                            && told.2.as_ref() == state.get(&told.1)
                            && told.3 == expected.blockers.len()
                    };
                failing.len() == expected.len() && failing.iter().zip(&expected).all(same)
            }
            Told::Transacted { reads, writes } => writes.is_empty() && agree(reads, state),
        }
    }
}

fn agree(reads: &Reads, state: &State) -> bool {
    reads.iter().all(|(span, found)| {
        let expected = span.of(state).into_iter();
        let expected = expected.map(|(key, entry)| (key, entry.revision, entry.value));
        found.iter().cloned().eq(expected)
    })
}

/// All commits, as a watcher was told of them, each checked to follow from the one before. It ends when there is
/// nothing more and `is_over`.
fn watched(mut watch: Watch<String, Value>, store: &Subject, is_over: impl Fn() -> bool) -> Model {
    let mut model = Model::new(1);
    loop {
        let was_over = is_over();
        match watch.recv_timeout(Duration::from_millis(2)) {
            Ok(commit) => {
                let changes = told(&commit);
                let writes = changes
                    .iter()
                    .map(|change| (change.key.clone(), change.now.map(|now| now.value)));
                let at = commit.revision().get();
                assert!(at <= store.revision().get(), "what is told is shown");
                assert_eq!(effect(model.now(), at, writes.clone()), changes);
                assert!(model.commit(at, writes), "no commit is empty");
            }
            Err(WatchError::Timeout) if was_over => return model,
            Err(WatchError::Timeout) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// Every call was told what was so, and every commit was somebody's.
fn check(records: Vec<Record>, model: &Model, name: &str) {
    let commits = || model.after(0);
    let mut by_value = BTreeMap::new();
    for (at, changes) in commits() {
        let values = changes.iter().filter_map(|change| change.now);
        by_value.extend(values.map(|entry| (entry.value, at)));
    }
    let mut claims: BTreeMap<u64, Vec<Call>> = BTreeMap::new();
    for record in records {
        for snapshot in record.snapshots {
            let at = snapshot.revision().get();
            let expected = Span::All.of(model.at(at));
            assert_eq!(entries(snapshot.scan(&Span::All)), expected, "{name}: snapshot at {at}");
            assert_eq!(snapshot.len(), expected.len(), "{name}: snapshot at {at}");
        }
        for call in record.calls {
            let claimed = match &call.told {
                Told::Committed { at, .. } => Some(*at),
                Told::Transacted { writes, .. } => {
                    writes.iter().find_map(|(_, value)| value.map(|value| by_value[&value]))
                }
                _ => None,
            };
            match claimed {
                Some(at) => claims.entry(at).or_default().push(call),
                None => assert!(
                    (call.begin..=call.end).any(|at| call.was_so(model, at)),
                    "{name}: never so from {} to {}: {:?}",
                    call.begin,
                    call.end,
                    call.told
                ),
            }
        }
    }
    for (at, _) in commits() {
        let mut claiming = claims.remove(&at).unwrap_or_default();
        // More than one may look like the maker: whoever deletes what is deleted by then is told this revision, too.
        let others_were_so = |one: usize| {
            let mut others = claiming.iter().enumerate().filter(|(other, _)| *other != one);
            others.all(|(_, call)| call.was_so(model, at))
        };
        let made =
            (0..claiming.len()).find(|&one| claiming[one].made(model, at) && others_were_so(one));
        let made = made.unwrap_or_else(|| {
            let (_, changes) = model.after(at - 1).next().expect("it is a commit");
            panic!("{name}: nobody, or nobody who could, made {at}: {changes:?} by {claiming:?}")
        });
        claiming.swap_remove(made);
        claims.insert(at, claiming);
    }
    for (at, calls) in claims {
        for call in calls {
            assert!(call.was_so(model, at), "{name}: not so at {at}: {:?}", call.told);
            assert!(call.begin <= at && at <= call.end, "{name}: {at} is not its time");
        }
    }
}

fn run(home: Home, seed: u64, steps: u64) {
    let seen = RefCell::new((Model::new(1), Vec::new()));
    let name = format!("{home:?}, seed {seed}");
    let test = |store: &Subject| {
        let over = AtomicBool::new(false);
        let watch = store.watch().with_previous().open().unwrap();
        *seen.borrow_mut() = thread::scope(|scope| {
            let watcher = scope.spawn(|| watched(watch, store, || over.load(Ordering::Acquire)));
            let at_the_end = Raises(&over);
            let records = together(THREADS, |thread| {
                let mut random = Random(seed.wrapping_mul(THREADS) + thread);
                let mut record = Record::default();
                for _ in 0..steps {
                    act(store, &mut random, &mut record);
                }
                record
            });
            drop(at_the_end);
            (watcher.join().unwrap(), records)
        });
        let again = store.watch().with_previous().since(Revision::MIN).open().unwrap();
        assert_eq!(watched(again, store, || true), seen.borrow().0, "told again is told the same");
    };
    let final_state = |store: &Subject| {
        let mut kept = seen.borrow_mut();
        let records = std::mem::take(&mut kept.1);
        if !records.is_empty() {
            check(records, &kept.0, &name);
        }
        assert_eq!(entries(store.iter()), Span::All.of(kept.0.now()), "{name}");
        assert_eq!(store.revision().get(), kept.0.newest(), "{name}");
    };
    let settings = |builder: ifmatch::Builder<String, Value>| {
        builder.watch_window(1 << 20).history_commits(1 << 20)
    };
    home.run(settings, test, final_state);
}

#[test]
fn whatever_racing_threads_are_told_was_so_at_one_moment() {
    let seed = from_env("IFMATCH_SEED", 1);
    for seed in seed..seed + from_env("IFMATCH_RUNS", 12) {
        for home in HOMES {
            let steps = if home == Home::Memory { 300 } else { 100 };
            run(home, seed, steps);
        }
    }
}
