//! Going from segment to segment under load loses and reorders nothing.

use std::collections::BTreeMap;

use ifmatch::{Precondition, Store};

use crate::common::format::{self, Kind, last_segment, segment_name};
use crate::common::{Random, block_on_all, read_files, scratch, together, within, write_files};
use crate::history::DURABILITIES;

type Entries = BTreeMap<u64, (u64, u64, u64, Vec<u8>)>;

fn entries(store: &Store<u64, Vec<u8>>) -> Entries {
    let entry = |key| {
        let entry = store.get(key)?;
        let numbers = (entry.revision(), entry.created_revision(), entry.write_count());
        Some((key, (numbers.0.get(), numbers.1.get(), numbers.2, entry.value().clone())))
    };
    (0..40).filter_map(entry).collect()
}

/// Puts and deletes, blocking and not, on ten keys of each thread.
fn load(store: &Store<u64, Vec<u8>>, thread: u64) {
    let mut random = Random(thread);
    for round in 0..250 {
        let key = thread * 10 + random.below(10);
        let bytes =
            usize::try_from(random.below(if round % 50 == 0 { 9_000 } else { 200 })).unwrap();
        match random.below(8) {
            0 => drop(store.delete(key).unwrap()),
            1 => {
                let value = |n: u8| vec![n; bytes];
                let pending = (0..5)
                    .map(|n| store.submit_put_if(key, value(n), Precondition::Any))
                    .collect::<Vec<_>>();
                block_on_all(pending).into_iter().for_each(|outcome| assert!(outcome.is_ok()));
            }
            _ => assert!(store.put(key, vec![7; bytes]).is_ok()),
        }
    }
}

#[test]
fn many_segments_under_many_writers_read_back_equal() {
    within(80, || {
        for durability in DURABILITIES {
            let (directory, crashed) = (scratch(), scratch());
            let open = |path| {
                let builder = Store::<u64, Vec<u8>>::builder().segment_bytes(4096);
                builder.durability(durability).open(path).unwrap()
            };
            let store = open(directory.path());
            together(4, |thread| load(&store, thread));
            let (expected, newest) = (entries(&store), store.revision());
            write_files(crashed.path(), &read_files(directory.path()));
            store.close().unwrap();

            let files = read_files(directory.path());
            assert!(last_segment(&files) > 20, "{} segments", last_segment(&files));
            let mut revisions = Vec::new();
            for number in 1..=last_segment(&files) {
                let frames = format::frames(&files[&segment_name(number)]);
                let commits = frames.iter().filter(|frame| frame.kind == Kind::Commit);
                revisions.extend(commits.map(|frame| frame.revision));
            }
            assert!(revisions.iter().copied().eq(2..=newest.get()), "every revision, in order");

            let clean = open(directory.path());
            assert_eq!((entries(&clean), clean.revision()), (expected.clone(), newest));
            assert_eq!(clean.len(), expected.len());
            let unclean = open(crashed.path());
            assert!(!unclean.recovery().unwrap().clean);
            assert_eq!(entries(&unclean), expected, "{durability:?}");
            assert!(unclean.revision() > newest);
        }
    });
}
