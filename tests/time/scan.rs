//! Scans of many keys, while they come and go: each shows the state of one revision, in order, from both ends, page by
//! page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ifmatch::{KeyRange, Snapshot, Store, Txn};

use crate::common::{Raises, Random, from_env, together, within};
use crate::home::{HOMES, Home};

type Subject = Store<u64, u64>;

/// Enough for many leaves of the index.
const KEYS: u64 = 6_000;

/// A commit: its revision, and for each key that it wrote whether it is there now.
type Wrote = (u64, Vec<(u64, bool)>);

/// What a scan yielded at a revision of the keys from, and to before.
struct Scanned {
    revision: u64,
    from: u64,
    to: u64,
    found: Vec<(u64, u64)>,
}

/// Lets keys come and go, in waves, so that leaves split and merge.
fn write(store: &Subject, thread: u64, commits: u64) -> Vec<Wrote> {
    let mut random = Random(thread);
    let mut wrote = Vec::new();
    for number in 0..commits {
        let fills = (number / 500 + thread).is_multiple_of(2);
        let start = random.below(KEYS);
        let keys: BTreeSet<u64> = match random.below(3) {
            0 => (start..KEYS.min(start + 40)).collect(),
            1 => (0..5).map(|_| random.below(KEYS)).collect(),
            _ => BTreeSet::from([start]),
        };
        if keys.len() == 1 {
            let at = if fills {
                Some(store.put(start, thread).unwrap())
            } else {
                store.delete(start).unwrap().map(|deleted| deleted.revision())
            };
            wrote.extend(at.map(|at| (at.get(), vec![(start, fills)])));
        } else {
            let txn = keys.iter().fold(Txn::new(), |txn, key| match fills {
                true => txn.put(*key, thread),
                false => txn.delete(*key),
            });
            let at = store.commit(txn).unwrap();
            wrote.push((at.get(), keys.into_iter().map(|key| (key, fills)).collect()));
        }
    }
    wrote
}

fn page_by_page(
    snapshot: &Snapshot<u64, u64>,
    range: KeyRange<u64>,
    random: &mut Random,
) -> Vec<(u64, u64)> {
    let (mut front, mut back) = (Vec::new(), Vec::new());
    let mut rest = Some(range);
    while let Some(range) = rest {
        let mut scan = snapshot.range(range);
        for _ in 0..1 + random.below(300) {
            if random.below(3) == 0 {
                back.extend(scan.next_back());
            } else {
                front.extend(scan.next());
            }
        }
        rest = scan.rest();
    }
    back.reverse();
    front.extend(back);
    front.into_iter().map(|(key, entry)| (key, entry.revision().get())).collect()
}

/// Scans, some of it long after the snapshot was taken.
fn scan(store: &Subject, seed: u64, is_over: &AtomicBool) -> Vec<Scanned> {
    let mut random = Random(seed);
    let mut scanned = Vec::new();
    let mut held: Vec<Snapshot<u64, u64>> = Vec::new();
    while !is_over.load(Ordering::Acquire) && scanned.len() < 2_000 {
        let from = random.below(KEYS);
        let to = from + random.below(KEYS - from + 1);
        while held.len() < 4 {
            held.push(store.snapshot());
        }
        let snapshot = match random.below(3) {
            0 => held.swap_remove(usize::try_from(random.below(4)).unwrap()),
            1 => held[0].clone(),
            _ => store.snapshot(),
        };
        let entry = |(key, entry): (u64, ifmatch::Versioned<u64>)| (key, entry.revision().get());
        let found = match random.below(3) {
            0 => snapshot.range(from..to).map(entry).collect(),
            1 => {
                let mut found: Vec<_> = snapshot.range(from..to).rev().map(entry).collect();
                found.reverse();
                found
            }
            _ => page_by_page(&snapshot, ifmatch::AsRange::into_range(from..to), &mut random),
        };
        scanned.push(Scanned { revision: snapshot.revision().get(), from, to, found });
    }
    scanned
}

fn check(mut wrote: Vec<Wrote>, mut scanned: Vec<Scanned>, home: Home) {
    wrote.sort_unstable();
    scanned.sort_unstable_by_key(|scanned| scanned.revision);
    let mut state = BTreeMap::new();
    let mut commits = wrote.into_iter().peekable();
    for Scanned { revision, from, to, found } in scanned {
        while let Some((at, keys)) = commits.next_if(|(at, _)| *at <= revision) {
            for (key, exists) in keys {
                match exists {
                    true => drop(state.insert(key, at)),
                    false => drop(state.remove(&key)),
                }
            }
        }
        let expected: Vec<(u64, u64)> =
            state.range(from..to).map(|(key, at)| (*key, *at)).collect();
        assert!(found == expected, "{home:?}: {from} to {to} at {revision}");
    }
}

#[test]
fn a_scan_among_writers_is_the_state_of_its_revision_in_order() {
    let commits = from_env("IFMATCH_COMMITS", 3_000);
    within(120 + commits / 100, move || {
        for home in HOMES {
            let commits = if home == Home::Memory { commits } else { commits / 5 };
            let test = |store: &Subject| {
                let is_over = AtomicBool::new(false);
                let (wrote, scanned) = thread::scope(|scope| {
                    let is_over = &is_over;
                    let scanners: Vec<_> = (0..2)
                        .map(|seed| scope.spawn(move || scan(store, seed, is_over)))
                        .collect();
                    let wrote = {
                        let _at_the_end = Raises(is_over);
                        together(3, |thread| write(store, thread, commits))
                    };
                    let scanned = scanners.into_iter().flat_map(|scanner| scanner.join().unwrap());
                    (wrote.concat(), scanned.collect::<Vec<_>>())
                });
                assert!(scanned.len() > 20, "{home:?}: only {} scans", scanned.len());
                check(wrote, scanned, home);
                assert_eq!(store.iter().count(), store.len(), "{home:?}");
            };
            home.run(|builder| builder, test, |_| {});
        }
    });
}

#[test]
fn a_scan_outlives_its_snapshot_and_its_store() {
    for home in HOMES {
        let mut scan = None;
        let test = |store: &Subject| {
            let txn = (0..2_000).fold(Txn::new(), |txn, key| txn.put(key, key));
            let at = store.commit(txn).unwrap();
            let mut begun = store.snapshot().range(10..);
            assert_eq!(begun.next().unwrap().0, 10);
            let snapshot = store.snapshot();
            (0..2_000).for_each(|key| drop(store.delete(key).unwrap()));
            assert_eq!(begun.revision(), at);
            let mut keys = 0..2_000;
            for (key, entry) in &snapshot {
                assert_eq!((Some(key), *entry), (keys.next(), key));
            }
            assert_eq!(keys.next(), None);
            scan = Some(begun);
        };
        home.run(|builder| builder, test, |store| assert!(store.is_empty()));
        let keys: Vec<u64> = scan.unwrap().map(|(key, _)| key).collect();
        assert_eq!(keys, (11..2_000).collect::<Vec<_>>(), "{home:?}");
    }
}

#[test]
fn both_ends_of_a_scan_meet_once_and_it_stays_at_its_end() {
    let store = Subject::new();
    let txn = (0..1_500).fold(Txn::new(), |txn, key| txn.put(key, key));
    store.commit(txn).unwrap();
    for total in [0, 1, 2, 3, 511, 512, 513, 1_500] {
        for backwards_each in [1, 2, 3, 1_000] {
            let mut scan = store.range(0..total);
            let mut found = BTreeSet::new();
            for step in 1..=total {
                let (key, _) = match step % backwards_each {
                    0 => scan.next_back(),
                    _ => scan.next(),
                }
                .expect("not all were yielded");
                assert!(found.insert(key), "{key} was yielded twice");
            }
            assert_eq!(found, (0..total).collect());
            for _ in 0..3 {
                assert!(scan.next().is_none() && scan.next_back().is_none());
            }
            assert!(scan.rest().is_none());
        }
    }
}
