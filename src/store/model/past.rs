//! History: what is told of the past is true, or said to be unknown.

use super::{
    Numbers, Past, View, Writer, Writing, assert_nothing_is_left, builder, check, join_all, on,
    open,
};
use crate::log::Durability;
use crate::storage::disk::Disk;
use crate::sync::thread;
use crate::{HistoryError, Precondition, Revision};

const KEYS: [u32; 2] = [0, 100];

fn write(store: &Numbers) -> Vec<Writing> {
    vec![
        Writer::spawn(store, |writer| {
            writer.put(0, 1);
            writer.put(0, 2);
            writer.delete(0);
        }),
        Writer::spawn(store, |writer| writer.commit(&[(0, Some(3)), (100, Some(3))])),
    ]
}

/// What was answered to: what was this key at this revision.
type Answer = (u32, Revision, Result<Option<(Revision, u32)>, HistoryError>);

fn ask(store: &Numbers, key: u32, revision: Revision) -> Answer {
    let told = store.get_at(key, revision);
    let told = told.map(|entry| entry.map(|entry| (entry.revision(), *entry)));
    assert!(told.is_err() || revision <= store.revision(), "it is not yet shown");
    (key, revision, told)
}

/// Those up to now, and two that are perhaps installed but not yet durable.
fn revisions(store: &Numbers) -> impl Iterator<Item = Revision> + use<> {
    let newest = store.revision().get();
    (1..=newest + 2).map(|number| Revision::try_from(number).expect("it is small"))
}

fn assert_out_of_reach(revision: Revision, error: HistoryError) {
    match error {
        HistoryError::Compacted { oldest } => assert!(revision < oldest, "it is known"),
        HistoryError::Future { newest } => assert!(revision > newest, "it is known"),
        error => unreachable!("{error}"),
    }
}

fn assert_true((key, revision, told): Answer, past: &Past) {
    match told {
        Ok(entry) => {
            assert_eq!(entry.as_ref(), past.at(revision).get(&key), "{key} at {revision}");
        }
        Err(error) => assert_out_of_reach(revision, error),
    }
}

/// The revisions of a key's history, and since when it is whole.
type Told = (u32, Vec<(Revision, Option<u32>)>, Revision);

fn history(store: &Numbers, key: u32) -> Told {
    let history = store.history(key);
    let versions = history
        .versions()
        .iter()
        .map(|version| (version.revision(), version.entry().map(|entry| **entry)));
    let versions: Vec<_> = versions.collect();
    let newest = store.revision();
    assert!(versions.iter().all(|(revision, _)| *revision <= newest), "it is not yet shown");
    (key, versions, history.since())
}

fn assert_history((key, told, since): &Told, past: &Past) {
    let all: Vec<_> = past
        .0
        .iter()
        .flat_map(|(revision, changes)| changes.iter().map(|change| (*revision, *change)))
        .filter(|(_, (changed, _))| changed == key)
        .map(|(revision, (_, value))| (revision, value))
        .collect();
    assert!(told.iter().all(|version| all.contains(version)), "{told:?} of {all:?}");
    assert!(told.is_sorted_by(|left, right| left.0 < right.0));
    // What came after the newest that is told may be newer than the question.
    let newest = told.last().map_or(*since, |(revision, _)| *revision);
    for version in all.iter().filter(|(revision, _)| *since < *revision && *revision <= newest) {
        assert!(told.contains(version), "{version:?} is missing in {told:?} since {since}");
    }
}

fn answers_are_true(store: &Numbers) -> Past {
    let writers = write(store);
    let reader = {
        let store = store.clone();
        thread::spawn(move || {
            // What it keeps, others may do without: a hole in the past of a key.
            let _snapshot = store.snapshot();
            assert_now_is_known(&store);
            let told = history(&store, 0);
            (revisions(&store).map(|at| ask(&store, 0, at)).collect::<Vec<_>>(), told)
        })
    };
    let past = Past::of(join_all(writers));
    let (answers, told) = reader.join().expect("no thread panics");
    answers.into_iter().for_each(|answer| assert_true(answer, &past));
    assert_history(&told, &past);
    for key in KEYS {
        assert_history(&history(store, key), &past);
        revisions(store).for_each(|at| assert_true(ask(store, key, at), &past));
    }
    past
}

fn assert_last_two_are_kept(store: &Numbers, past: &Past) {
    for key in KEYS {
        let commits = past.0.values().flatten().filter(|(changed, _)| *changed == key).count();
        assert_eq!(history(store, key).1.len(), commits.min(2), "{key}");
    }
}

#[test]
fn what_history_tells_of_a_key_is_true() {
    check(|| {
        let store = builder().history(2).build();
        let past = answers_are_true(&store);
        assert_last_two_are_kept(&store, &past);
    });
}

#[test]
fn what_history_tells_of_a_key_is_true_on_a_log() {
    check(|| {
        let store = open(builder().history(2), &Disk::new().with_threads(), Durability::Sync);
        let past = answers_are_true(&store);
        assert_last_two_are_kept(&store, &past);
    });
}

/// Without history, too: what is not known is not made up.
#[test]
fn without_history_nothing_is_made_up() {
    check(|| {
        let store = builder().build();
        answers_are_true(&store);
        assert_nothing_is_left(&store);
    });
}

fn deleted_keys_are_forgotten(store: &Numbers) {
    let reader = {
        let store = store.clone();
        thread::spawn(move || {
            let snapshot = store.snapshot();
            let view = View::of(&snapshot);
            let told = history(&store, 0);
            assert_now_is_known(&store);
            (view, told, ask(&store, 0, snapshot.revision()))
        })
    };
    let writers = (1..3).map(|value| {
        Writer::spawn(store, move |writer| {
            writer.put(0, value);
            writer.delete(0);
        })
    });
    let writers = writers.collect();
    assert_now_is_known(store);
    let past = Past::of(join_all(writers));
    let (view, told, answer) = reader.join().expect("no thread panics");
    view.is_in(&past);
    assert_history(&told, &past);
    assert_true(answer, &past);
    assert_nothing_is_left(store);
}

/// Whatever is forgotten, it is not what is shown now.
fn assert_now_is_known(store: &Numbers) {
    let stats = store.stats();
    assert!(stats.oldest_at() <= stats.revision(), "{stats:?}");
    assert!(stats.window_start() <= stats.revision(), "{stats:?}");
}

#[test]
fn without_history_nothing_is_made_up_on_a_log() {
    check(|| {
        let store = on(&Disk::new().with_threads(), Durability::Sync);
        answers_are_true(&store);
        assert_nothing_is_left(&store);
    });
}

/// Versions that share a batch of the log replace each other before any is shown; when the last one is, those between are
/// not known. Nobody waits, so that one batch fills up while another is written.
#[test]
fn what_was_replaced_before_it_was_shown_is_not_made_up() {
    check(|| {
        let store = on(&Disk::new().with_threads(), Durability::Sync);
        let mut first = Writer::new(&store);
        first.put(1, 0);
        let reader = {
            let store = store.clone();
            thread::spawn(move || {
                let ask_all = || revisions(&store).map(|at| ask(&store, 0, at)).collect::<Vec<_>>();
                [ask_all(), ask_all()].concat()
            })
        };
        let pending: Vec<_> =
            (0..4).map(|value| store.submit_put_if(0, value, Precondition::Any)).collect();
        let written = pending.into_iter().zip(0..).map(|(put, value)| {
            (put.wait().expect("the disk works").revision(), vec![(0, Some(value))])
        });
        let past = Past::of(vec![written.collect(), first.commits]);
        for answer in reader.join().expect("no thread panics") {
            assert_true(answer, &past);
        }
    });
}

/// A key comes and goes while its past is given up and others hold snapshots of it.
#[test]
fn deleted_keys_lose_their_history_and_their_memory() {
    check(|| deleted_keys_are_forgotten(&builder().history(2).max_deleted(0).build()));
}

#[test]
fn deleted_keys_lose_their_history_and_their_memory_on_a_log() {
    check(|| {
        let builder = builder().history(2).max_deleted(0);
        deleted_keys_are_forgotten(&open(builder, &Disk::new().with_threads(), Durability::Sync));
    });
}

fn snapshots_of_the_past_are_true(store: &Numbers) {
    let writers = write(store);
    let reader = {
        let store = store.clone();
        thread::spawn(move || {
            let past = revisions(&store).filter_map(|at| match store.snapshot_at(at) {
                Ok(snapshot) => {
                    assert!(at <= store.revision(), "it is not yet shown");
                    Some(View::of(&snapshot))
                }
                Err(error) => {
                    assert_out_of_reach(at, error);
                    None
                }
            });
            past.collect::<Vec<_>>()
        })
    };
    let past = Past::of(join_all(writers));
    reader.join().expect("no thread panics").iter().for_each(|view| view.is_in(&past));
    let newest = store.revision();
    assert_eq!(Some(newest), past.newest());
    let before = Revision::try_from(newest.get() - 1).expect("there were several");
    for kept in [before, newest] {
        let snapshot = store.snapshot_at(kept).expect("two are kept");
        View::of(&snapshot).is_in(&past);
        KEYS.into_iter().for_each(|key| assert_true(ask(store, key, kept), &past));
    }
    assert!(store.snapshot_at(newest.next().expect("it is small")).is_err());
    assert!(store.stats().superseded() <= 4, "more than what two commits replaced");
}

#[test]
fn a_snapshot_of_the_past_is_true() {
    check(|| snapshots_of_the_past_are_true(&builder().history_commits(2).build()));
}

#[test]
fn a_snapshot_of_the_past_is_true_on_a_log() {
    check(|| {
        let store =
            open(builder().history_commits(2), &Disk::new().with_threads(), Durability::Sync);
        snapshots_of_the_past_are_true(&store);
    });
}
