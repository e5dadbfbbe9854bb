//! Every limit at its edge: just allowed, just refused, and the store as it was.

use ifmatch::{Builder, Durability, Reason, Revision, Store, UPDATE_ATTEMPTS, WriteError};

use crate::common::{read_files, scratch, write_files};
use crate::home::HOMES;

fn reason<K, V>(error: &WriteError<K, V>) -> &Reason {
    match error {
        WriteError::Refused(refused) => refused.reason(),
        other => panic!("expected a refusal, got {other}"),
    }
}

#[test]
fn a_full_store_refuses_new_keys_only() {
    for home in HOMES {
        let test = |store: &Store<String, u8>| {
            store.create("a", 1).unwrap();
            store.create("b", 1).unwrap();
            let before = store.revision();
            let refused = store.put("c", 9).unwrap_err();
            assert!(matches!(reason(&refused), Reason::TooManyKeys { max: 2 }), "{home:?}");
            assert_eq!(refused.into_rejected(), Some(9), "the value comes back");
            let refused = store.get_or_create("c", || 9).unwrap_err();
            assert!(matches!(reason(&refused), Reason::TooManyKeys { max: 2 }), "{home:?}");
            assert_eq!(store.revision(), before, "a refusal takes no revision");
            assert!(!store.contains("c"), "{home:?}");
            store.put("a", 2).unwrap();
            store.update("b", |_| 2).unwrap();
            store.delete("a").unwrap();
            store.create("c", 3).unwrap();
            let refused = store.create("a", 3).unwrap_err();
            assert!(matches!(reason(&refused), Reason::TooManyKeys { max: 2 }), "{home:?}");
        };
        home.run(|builder| builder.max_keys(2), test, |store| assert_eq!(store.len(), 2));
    }
}

#[test]
fn a_store_for_no_keys_holds_none() {
    for home in HOMES {
        let test = |store: &Store<u8, u8>| {
            assert!(matches!(
                reason(&store.put(1, 1).unwrap_err()),
                Reason::TooManyKeys { max: 0 }
            ));
            assert!(store.delete(1).unwrap().is_none());
        };
        home.run(|builder| builder.max_keys(0), test, |store| assert!(store.is_empty()));
    }
}

/// The window did not take it: each write panicked when it had taken place, and on a log that could not be opened again.
#[test]
fn the_largest_settings_are_taken_as_they_are() {
    for home in HOMES {
        let largest = |builder: Builder<u32, u32>| {
            let builder = builder.watch_window(usize::MAX).history(usize::MAX);
            let builder = builder.history_commits(u64::MAX).max_deleted(usize::MAX);
            builder.max_snapshots(u64::MAX).max_keys(u64::MAX)
        };
        let write = |store: &Store<u32, u32>| {
            let newest = store.revision();
            (0..100).for_each(|key| assert!(store.put(key % 30, key).is_ok()));
            store.delete(7).unwrap();
            assert_eq!((store.len(), store.revision().get()), (29, newest.get() + 101));
            let snapshot = store.snapshot();
            assert_eq!(snapshot.iter().count(), 29);
        };
        home.run(largest, write, |store| assert_eq!(store.len(), 29));
    }
    let directory = scratch();
    for _ in 0..3 {
        let builder = Store::<u32, u32>::builder().segment_bytes(usize::MAX);
        let builder = builder.revision_block(u64::MAX).compact_after(u64::MAX);
        let store = builder.max_record_bytes(u32::MAX).open(directory.path()).unwrap();
        store.put(1, 1).unwrap();
    }
}

#[test]
fn more_keys_on_the_log_than_allowed_are_read_and_none_is_added() {
    let directory = scratch();
    let store = Store::<u8, u8>::builder().open(directory.path()).unwrap();
    (0..4).for_each(|key| assert!(store.create(key, key).is_ok()));
    store.close().unwrap();
    let store = Store::<u8, u8>::builder().max_keys(2).open(directory.path()).unwrap();
    assert_eq!(store.len(), 4);
    assert!(matches!(reason(&store.create(9, 9).unwrap_err()), Reason::TooManyKeys { max: 2 }));
    store.put(1, 7).unwrap();
    for key in 0..3 {
        store.delete(key).unwrap();
    }
    store.create(9, 9).unwrap();
}

/// What the record of a put takes: a tag, two lengths, and the two encodings, which for fewer than 251 bytes have
/// one byte of length each.
fn record_bytes(key: &str, value: &[u8]) -> u64 {
    u64::try_from(1 + 4 + 1 + key.len() + 4 + 1 + value.len()).unwrap()
}

#[test]
fn a_record_may_have_exactly_the_largest_size() {
    let directory = scratch();
    let builder = Store::<String, Vec<u8>>::builder().max_record_bytes(64);
    let store = builder.open(directory.path()).unwrap();
    let fits = vec![7; 64 - 11 - 3];
    assert_eq!(record_bytes("key", &fits), 64);
    let revision = store.put("key", fits.clone()).unwrap();
    let too_large = vec![8; fits.len() + 1];
    let refused = [
        store.put("key", too_large.clone()).unwrap_err(),
        store.submit_put_if("key", too_large.clone(), revision).wait().unwrap_err(),
        store.update("key", |_| too_large.clone()).unwrap_err(),
        store.get_or_create("kez", || too_large.clone()).unwrap_err(),
    ];
    for error in refused {
        let Reason::RecordTooLarge { bytes: 65, max: 64 } = reason(&error) else {
            panic!("another reason: {error}");
        };
        assert_eq!(error.into_rejected().as_ref(), Some(&too_large));
    }
    let long_key = "k".repeat(60);
    let error = store.delete(long_key.as_str()).unwrap_err();
    assert!(matches!(reason(&error), Reason::RecordTooLarge { bytes: 66, max: 64 }), "{error:?}");
    assert_eq!(*store.get("key").unwrap(), fits);
    assert_eq!(store.revision(), revision);
}

#[test]
fn a_record_larger_than_a_segment_is_written_and_read() {
    for durability in [Durability::Sync, Durability::Buffered] {
        let directory = scratch();
        let open = || {
            let builder = Store::<u32, Vec<u8>>::builder().durability(durability);
            builder.segment_bytes(4096).open(directory.path()).unwrap()
        };
        let sizes = [0, 1, 100_000, 5_000_000, 3_900, 4_096, 9_000_000, 10];
        let store = open();
        for (key, size) in (0_u32..).zip(sizes) {
            store.put(key, vec![0xa5; size]).unwrap();
        }
        drop(store);
        let store = open();
        for (key, size) in (0_u32..).zip(sizes) {
            assert!(*store.get(key).unwrap() == vec![0xa5; size], "{size} bytes");
        }
    }
}

#[test]
fn segment_sizes_out_of_range_are_brought_into_it() {
    for (name, bytes, segments) in [
        ("none", 0, 2..40),
        ("one", 1, 2..40),
        ("the least", 4 << 10, 2..40),
        ("the largest", 1 << 30, 1..2),
        ("far too many", usize::MAX, 1..2),
    ] {
        let directory = scratch();
        let open =
            || Store::<u32, u64>::builder().segment_bytes(bytes).open(directory.path()).unwrap();
        let store = open();
        for key in 0..400 {
            store.put(key, 7).unwrap();
        }
        drop(store);
        assert!(segments.contains(&read_files(directory.path()).len()), "{name}");
        assert_eq!(open().len(), 400, "{name}");
    }
}

#[test]
fn past_the_largest_revision_writes_are_refused_and_nothing_else() {
    let first = Revision::try_from(Revision::MAX.get() - 2).unwrap();
    for home in HOMES {
        let test = |store: &Store<String, u8>| {
            assert_eq!(store.create("a", 1).unwrap(), first, "{home:?}");
            store.create("b", 2).unwrap();
            assert_eq!(store.put("a", 3).unwrap(), Revision::MAX, "{home:?}");
        };
        let check = |store: &Store<String, u8>| {
            assert_eq!(store.revision(), Revision::MAX, "{home:?}");
            let refusals = [
                ("put", store.put("a", 9).map(drop)),
                ("create", store.create("c", 9).map(drop)),
                ("delete", store.delete("a").map(drop)),
                ("update", store.update("a", |_| 9).map(drop)),
                ("submit", store.submit_put_if("a", 9, Revision::MAX).wait().map(drop)),
            ];
            for (name, outcome) in refusals {
                let error = outcome.unwrap_err();
                assert!(matches!(reason(&error), Reason::RevisionsExhausted), "{home:?}: {name}");
            }
            let conflict = store.put_if("a", 9, first).unwrap_err().into_conflict().unwrap();
            assert_eq!(conflict.revision(), Some(Revision::MAX), "conflicts still come");
            assert!(store.delete("nothing").unwrap().is_none(), "nothing to delete needs none");
            assert_eq!((*store.get("a").unwrap(), *store.get("b").unwrap()), (3, 2), "{home:?}");
            assert_eq!(store.len(), 2, "{home:?}");
        };
        home.run(|builder| builder.first_revision(first), test, check);
    }
}

#[test]
fn an_unclean_stop_near_the_largest_revision_leaves_a_store_that_reads() {
    let first = Revision::try_from(Revision::MAX.get() - 100).unwrap();
    let open = |path: &std::path::Path| {
        Store::<String, u8>::builder().first_revision(first).open(path).unwrap()
    };
    let (before, after) = (scratch(), scratch());
    let store = open(before.path());
    store.create("a", 1).unwrap();
    write_files(after.path(), &read_files(before.path()));
    let store = open(after.path());
    assert_eq!(*store.get("a").unwrap(), 1);
    assert_eq!(store.revision(), Revision::MAX, "the rest of the block is skipped");
    assert!(matches!(reason(&store.put("a", 2).unwrap_err()), Reason::RevisionsExhausted));
    store.close().unwrap();
    assert_eq!(*open(after.path()).get("a").unwrap(), 1);
}

#[test]
fn the_first_revision_is_the_stated_one_and_never_below_two() {
    for (stated, expected) in [(1, 2), (2, 2), (3, 3), (1 << 50, 1 << 50)] {
        let stated = Revision::try_from(stated).unwrap();
        for home in HOMES {
            let test = |store: &Store<u8, u8>| {
                assert_eq!(store.revision().get(), expected - 1, "{home:?}");
                assert_eq!(store.put(1, 1).unwrap().get(), expected, "{home:?}");
            };
            let check =
                |store: &Store<u8, u8>| assert_eq!(store.revision().get(), expected, "{home:?}");
            home.run(|builder| builder.first_revision(stated), test, check);
        }
    }
}

#[test]
fn an_existing_log_goes_on_above_a_higher_first_revision_and_ignores_a_lower_one() {
    let directory = scratch();
    let mut newest = 0;
    for (first, expected) in
        [(10, 10), (5, 11), (1_000, 1_000), (2, 1_001), (10_000_000, 10_000_000)]
    {
        let first = Revision::try_from(first).unwrap();
        let builder = Store::<u8, u8>::builder().first_revision(first);
        let store = builder.open(directory.path()).unwrap();
        let revision = store.put(1, 1).unwrap().get();
        assert_eq!(revision, expected);
        assert!(revision > newest);
        newest = revision;
    }
}

#[test]
fn any_number_of_shards_holds_everything() {
    for (name, shards) in
        [("none", 0), ("one", 1), ("three", 3), ("the most", 1 << 16), ("too many", usize::MAX)]
    {
        let store = Store::<u64, u64>::builder().shards(shards).build();
        for key in 0..5_000 {
            store.create(key, key * 2).unwrap();
        }
        for key in (0..5_000).step_by(3) {
            store.delete(key).unwrap();
        }
        assert_eq!(store.len(), 5_000 - 1_667, "{name}");
        for key in 0..5_000 {
            let expected = (key % 3 != 0).then_some(key * 2);
            assert_eq!(store.get(key).map(|entry| *entry), expected, "{name}");
        }
    }
}

#[test]
fn keys_and_values_of_no_length_are_keys_and_values() {
    for home in HOMES {
        let test = |store: &Store<Vec<u8>, Vec<u8>>| {
            assert!(store.get(b"").is_none());
            store.create(b"", vec![]).unwrap();
            store.create(b"\0", vec![1]).unwrap();
            assert!(store.create(b"", vec![2]).is_err());
        };
        let check = |store: &Store<Vec<u8>, Vec<u8>>| {
            assert!(store.get(b"").unwrap().is_empty(), "{home:?}");
            assert_eq!(store.get(b"\0").unwrap().value(), &[1], "{home:?}");
            assert_eq!(store.len(), 2, "{home:?}");
        };
        home.run(|builder| builder, test, check);
    }
}

#[test]
fn types_that_encode_to_nothing_are_stored() {
    for home in HOMES {
        let test = |store: &Store<(), ()>| {
            let revision = store.create((), ()).unwrap();
            store.put_if((), (), revision).unwrap();
        };
        let check = |store: &Store<(), ()>| {
            assert_eq!(store.get(()).unwrap().write_count(), 2, "{home:?}");
        };
        home.run(|builder| builder, test, check);
    }
}

/// It would have tried for ever, and no test lost that often.
#[test]
fn an_update_that_always_loses_gives_up_with_the_conflict() {
    let store = Store::<String, u64>::new();
    let mut runs = 0_u32;
    let outcome = store.update("a", |_| {
        runs += 1;
        // Not for ever, or who tries for ever would be waited for here.
        if runs <= 2 * UPDATE_ATTEMPTS {
            store.put("a", runs.into()).unwrap();
        }
        7
    });
    assert_eq!(runs, UPDATE_ATTEMPTS);
    let error = outcome.unwrap_err();
    let conflict = error.conflict().expect("it lost its last race, too");
    assert_eq!(conflict.current().map(|entry| **entry), Some(UPDATE_ATTEMPTS.into()));
    assert_eq!(conflict.rejected(), Some(&7));
    assert_eq!(*store.get("a").unwrap(), u64::from(UPDATE_ATTEMPTS));
}
