//! A watch goes on across a restart, without a gap, or is told that it cannot.

use std::path::Path;

use ifmatch::{Builder, CommitError, Durability, Event, Revision, Store, Txn, WatchError};

use crate::common::{Files, read_files, scratch, write_files};

type Numbers = Store<u64, u64>;

fn builder() -> Builder<u64, u64> {
    Store::builder().segment_bytes(4 << 10).durability(Durability::Buffered)
}

fn plus(revision: Revision, more: u64) -> Revision {
    Revision::try_from(revision.get() + more).unwrap()
}

/// What came after a revision: for each commit its revision, and each key with what it has and had.
type Told = Vec<(u64, Vec<(u64, Option<u64>, Option<u64>)>)>;

fn told(store: &Numbers, since: Revision) -> Result<Told, WatchError> {
    let mut watch = store.watch().with_previous().since(since).open()?;
    let mut told = Vec::new();
    loop {
        let commit = match watch.try_recv() {
            Ok(commit) => commit,
            Err(WatchError::Empty) => return Ok(told),
            Err(other) => return Err(other),
        };
        let events = commit.events().iter().map(|event| match event {
            Event::Put { key, entry, previous, .. } => {
                (*key, Some(**entry), previous.as_ref().map(|previous| **previous))
            }
            Event::Delete { key, previous, .. } => {
                (*key, None, previous.as_ref().map(|previous| **previous))
            }
            other => panic!("{other:?}"),
        });
        told.push((commit.revision().get(), events.collect()));
    }
}

/// Writes something of every kind, and returns the revisions.
fn write(store: &Numbers, from: u64) -> Vec<Revision> {
    let mut revisions = Vec::new();
    for number in from..from + 40 {
        let key = number % 7;
        revisions.push(match number % 5 {
            0 => match store.delete(key).unwrap() {
                Some(deleted) => deleted.revision(),
                None => continue,
            },
            1 => store.commit(Txn::new().put(key, number).put(key + 10, number)).unwrap(),
            _ => store.put(key, number).unwrap(),
        });
    }
    revisions
}

fn reopened(directory: &Path, files: &Files, builder: Builder<u64, u64>) -> Numbers {
    write_files(directory, files);
    builder.open(directory).unwrap()
}

#[test]
fn what_was_told_before_a_restart_is_told_again_the_same() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    let store = builder().open(&directory).unwrap();
    let begin = store.revision();
    let mut revisions = vec![begin];
    for round in 0..3 {
        revisions.extend(write(&store, round * 100));
    }
    let expected: Vec<_> = revisions.iter().map(|since| told(&store, *since).unwrap()).collect();
    assert_eq!(expected[0].len(), revisions.len() - 1);
    let unclean = read_files(&directory);
    store.close().unwrap();
    let clean = read_files(&directory);
    drop(store);
    for files in [clean, unclean] {
        let store = reopened(&directory, &files, builder());
        for (since, expected) in revisions.iter().zip(&expected) {
            assert_eq!(told(&store, *since).unwrap(), *expected, "since {since}");
        }
        drop(store);
    }
}

#[test]
fn what_may_have_been_lost_is_compacted_and_what_was_opened_is_known() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    let store = builder().open(&directory).unwrap();
    let first = write(&store, 0);
    let files = read_files(&directory);
    // Told, and lost by the crash.
    let lost = store.put(1, 1).unwrap();
    drop(store);
    let store = reopened(&directory, &files, builder());
    let last = *first.last().unwrap();
    let opened = store.revision();
    assert!(opened > lost);
    let unknown =
        [lost, plus(lost, 1), plus(lost, 1000), Revision::try_from(opened.get() - 1).unwrap()];
    let check = |store: &Numbers| {
        for unknown in unknown {
            let Err(WatchError::Compacted { oldest, .. }) = told(store, unknown) else {
                panic!("{unknown} is not known")
            };
            assert_eq!(oldest, opened);
            let txn = Txn::new().require_unchanged_in(.., unknown).put(1, 1);
            let error = store.commit(txn).unwrap_err();
            assert!(matches!(error, CommitError::Compacted { oldest, .. } if oldest == opened));
        }
    };
    check(&store);
    assert_eq!(told(&store, opened).unwrap(), []);
    assert_eq!(told(&store, last).unwrap(), []);
    let second = write(&store, 100);
    check(&store);
    let since = told(&store, last).unwrap();
    assert_eq!(since, told(&store, opened).unwrap());
    assert_eq!(since.len(), second.len());
    // The gap is remembered by the log, too.
    let files = read_files(&directory);
    drop(store);
    let store = reopened(&directory, &files, builder());
    check(&store);
    assert_eq!(told(&store, last).unwrap(), since);
    assert_eq!(told(&store, opened).unwrap(), since);
    assert_eq!(told(&store, first[3]).unwrap().len(), first.len() - 4 + second.len());
}

#[test]
fn the_window_that_is_read_ends_at_its_bound_and_at_the_checkpoint() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    let store = builder().open(&directory).unwrap();
    write(&store, 0);
    let compacted = store.revision();
    store.compact().unwrap();
    let after: Vec<Revision> = (0..5).flat_map(|round| write(&store, round * 100)).collect();
    let newest = store.revision();
    let files = read_files(&directory);
    drop(store);
    let store = reopened(&directory, &files, builder());
    assert_eq!(told(&store, compacted).unwrap().len(), after.len());
    let before = Revision::try_from(compacted.get() - 1).unwrap();
    assert!(
        matches!(told(&store, before), Err(WatchError::Compacted { oldest, .. }) if oldest == compacted)
    );
    drop(store);
    let store = reopened(&directory, &files, builder().watch_window(64));
    let start = store.stats().window_start();
    assert!(start > compacted && start < newest);
    let rest = after.iter().filter(|revision| **revision > start).count();
    assert_eq!(told(&store, start).unwrap().len(), rest);
    let before = Revision::try_from(start.get() - 1).unwrap();
    assert!(matches!(told(&store, before), Err(WatchError::Compacted { .. })));
}
