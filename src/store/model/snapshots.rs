//! Snapshots and scans: what they see stays, and what only they kept goes with them.

use super::{
    Past, Snapshot, View, Writer, assert_nothing_is_left, builder, check, entries, in_memory,
    join_all,
};
use crate::sync::thread;

/// Reads it in every way there is, twice: others may have taken something out meanwhile.
fn read_thoroughly(snapshot: &Snapshot) -> View {
    let view = View::of(snapshot);
    let backwards = snapshot.iter().rev().map(|(key, entry)| (key, (entry.revision(), *entry)));
    assert_eq!(backwards.collect::<super::State>(), view.state);
    for key in [0, 1, 100] {
        let found = snapshot.get(key).map(|entry| (entry.revision(), *entry));
        assert_eq!(found.as_ref(), view.state.get(&key));
    }
    view
}

#[test]
fn no_version_that_a_snapshot_sees_is_freed() {
    check(|| {
        let store = in_memory();
        let mut first = Writer::new(&store);
        first.put(0, 1);
        let writers = vec![
            Writer::spawn(&store, |writer| {
                writer.put(0, 2);
                writer.delete(0);
                writer.put(0, 3);
            }),
            // Of the same hash, so that the two are visited together.
            Writer::spawn(&store, |writer| {
                writer.put(100, 1);
                writer.delete(100);
            }),
        ];
        let readers = (0..2)
            .map(|_| {
                let store = store.clone();
                thread::spawn(move || {
                    let snapshot = store.snapshot();
                    let before = read_thoroughly(&snapshot);
                    let clone = snapshot.clone();
                    drop(snapshot);
                    assert_eq!(read_thoroughly(&clone), before);
                    before
                })
            })
            .collect();
        let mut commits = join_all(writers);
        commits.push(first.commits);
        let past = Past::of(commits);
        for view in join_all::<View>(readers) {
            view.is_in(&past);
        }
        assert_nothing_is_left(&store);
    });
}

/// Each list of what a snapshot kept moves to the next older one, or is given back, whatever goes first.
#[test]
fn snapshots_dropped_in_any_order_give_back_all_they_kept() {
    check(|| {
        let store = in_memory();
        let mut writer = Writer::new(&store);
        let mut snapshots = Vec::new();
        for value in 0..2 {
            writer.put(0, value);
            writer.put(100, value);
            snapshots.push(store.snapshot());
        }
        writer.delete(100);
        let writing = Writer::spawn(&store, |writer| {
            writer.put(0, 7);
            writer.delete(0);
            writer.put(100, 7);
        });
        snapshots.push(store.snapshot());
        let droppers = snapshots
            .into_iter()
            .map(|snapshot| {
                thread::spawn(move || {
                    let view = View::of(&snapshot);
                    drop(snapshot);
                    view
                })
            })
            .collect();
        let views: Vec<View> = join_all(droppers);
        let past = Past::of(vec![writer.commits, writing.join().expect("no thread panics")]);
        views.iter().for_each(|view| view.is_in(&past));
        assert_nothing_is_left(&store);
    });
}

/// With one snapshot still there, what it sees stays and nothing else.
#[test]
fn what_the_last_snapshot_sees_stays_and_nothing_else() {
    check(|| {
        let store = in_memory();
        let mut writer = Writer::new(&store);
        writer.put(0, 1);
        let stays = store.snapshot();
        writer.put(0, 2);
        let goes = store.snapshot();
        let dropper = thread::spawn(move || drop(goes));
        writer.put(0, 3);
        writer.put(0, 4);
        let reader = {
            let store = store.clone();
            thread::spawn(move || drop(store.snapshot()))
        };
        writer.delete(0);
        writer.put(0, 5);
        join_all(vec![dropper, reader]);
        assert_eq!(store.stats().superseded(), 1, "the version of the one that stays");
        View::of(&stays).is_in(&Past::of(vec![writer.commits]));
        drop(stays);
        assert_nothing_is_left(&store);
    });
}

#[test]
fn a_scan_sees_what_was_there_while_keys_come_and_go() {
    check(|| {
        let store = in_memory();
        let mut first = Writer::new(&store);
        first.commit(&[(0, Some(0)), (2, Some(0)), (4, Some(0))]);
        let writers = vec![
            Writer::spawn(&store, |writer| {
                writer.put(1, 1);
                writer.delete(2);
            }),
            Writer::spawn(&store, |writer| {
                writer.put(3, 1);
                writer.delete(3);
                writer.delete(4);
            }),
        ];
        let reader = {
            let store = store.clone();
            thread::spawn(move || {
                let backwards = store.iter();
                let at = backwards.revision();
                let mut found: Vec<_> =
                    backwards.rev().map(|(key, entry)| (key, (entry.revision(), *entry))).collect();
                found.reverse();
                (at, found.into_iter().collect())
            })
        };
        // From both ends, and then as pages.
        let snapshot = store.snapshot();
        let mut scan = snapshot.iter();
        let mut ends = Vec::new();
        ends.extend(scan.next());
        ends.extend(scan.next_back());
        let middle = scan.rest().map(|rest| snapshot.range(rest)).into_iter().flatten();
        let found =
            ends.into_iter().chain(middle).map(|(key, entry)| (key, (entry.revision(), *entry)));
        let both = (snapshot.revision(), found.collect::<super::State>());
        drop((scan, snapshot));

        let mut commits = join_all(writers);
        commits.push(first.commits);
        let past = Past::of(commits);
        for (revision, state) in [both, reader.join().expect("no thread panics")] {
            assert_eq!(state, past.at(revision), "at {revision}");
        }
        assert_eq!(entries(store.iter()), past.at(store.revision()));
        assert_nothing_is_left(&store);
    });
}

#[test]
fn there_are_never_more_snapshots_than_allowed() {
    check(|| {
        let store = builder().max_snapshots(1).build();
        let takers = (0..2)
            .map(|key| {
                let store = store.clone();
                thread::spawn(move || {
                    let snapshot = store.try_snapshot();
                    // Writing pins, too, but is never refused.
                    store.transact(|t| Ok(t.put(key, 1))).expect("no limit");
                    snapshot.ok()
                })
            })
            .collect();
        let taken: Vec<Snapshot> = join_all(takers).into_iter().flatten().collect();
        assert_eq!(taken.len(), 1);
        assert!(store.try_snapshot().is_err());
        drop(taken);
        assert_nothing_is_left(&store);
        assert!(store.try_snapshot().is_ok());
    });
}
