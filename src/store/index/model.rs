//! The index under the model checker: leaves of two keys, which split and merge below the readers.

use super::*;
use crate::store::model::check;
use crate::sync::{Arc as Shared, thread};

#[test]
fn pages_have_every_key_that_stays_while_leaves_split_and_merge() {
    check(|| {
        let index: Shared<Index<u32>> = Shared::new(Index::with_leaves_of(2));
        for key in [0, 10, 20] {
            index.insert(Arc::new(key));
        }
        let writers: Vec<_> = [[5, 12], [11, 25]]
            .into_iter()
            .map(|own| {
                let index = Shared::clone(&index);
                thread::spawn(move || {
                    own.iter().for_each(|key| index.insert(Arc::new(*key)));
                    let removed = index.remove(&own[0]).expect("nobody else removes it");
                    assert_eq!(*removed, own[0]);
                })
            })
            .collect();
        for is_ascending in [true, false] {
            let mut out = Vec::new();
            if is_ascending {
                index.ascending(Unbounded, Unbounded, 100, &mut out);
            } else {
                index.descending(Unbounded, Unbounded, 100, &mut out);
                out.reverse();
            }
            let found: Vec<u32> = out.iter().map(|key| **key).collect();
            assert!(found.is_sorted_by(|left, right| left < right), "{found:?}");
            assert!([0, 10, 20].iter().all(|key| found.contains(key)), "{found:?}");
        }
        for writer in writers {
            writer.join().expect("no thread panics");
        }
        let mut out = Vec::new();
        index.ascending(Unbounded, Unbounded, 100, &mut out);
        assert_eq!(out.iter().map(|key| **key).collect::<Vec<_>>(), [0, 10, 12, 20, 25]);
        assert_eq!(index.len(), 5);
    });
}

/// Both let go of the leaf to take the lock of all, and by then it may be elsewhere.
#[test]
fn a_key_goes_where_its_leaf_has_moved() {
    check(|| {
        let index: Shared<Index<u32>> = Shared::new(Index::with_leaves_of(2));
        for key in [0, 10, 20, 30, 40, 50] {
            index.insert(Arc::new(key));
        }
        let mover = {
            let index = Shared::clone(&index);
            thread::spawn(move || {
                index.insert(Arc::new(5));
                for key in [10, 0] {
                    index.remove(&key).expect("nobody else removes it");
                }
            })
        };
        index.remove(&20).expect("nobody else removes it");
        index.insert(Arc::new(45));
        mover.join().expect("no thread panics");
        let mut out = Vec::new();
        index.ascending(Unbounded, Unbounded, 100, &mut out);
        assert_eq!(out.iter().map(|key| **key).collect::<Vec<_>>(), [5, 30, 40, 45, 50]);
    });
}
