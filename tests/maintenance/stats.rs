//! The numbers are those of what is there.

use ifmatch::{Revision, Store, maintenance};

use crate::common::scratch;
use crate::past::{Past, Place, SHAPES, Shape, verify};

#[test]
fn keys_and_values_are_counted_and_measured() {
    let directory = scratch();
    let store: Store<String, String> = Store::builder().open(directory.path()).unwrap();
    for len in 1..=9 {
        store.put("k".repeat(len), "v".repeat(len * 10)).unwrap();
        store.put("k".repeat(len), "v".repeat(len * 20)).unwrap();
    }
    store.put("gone", "x".repeat(250)).unwrap();
    store.delete("gone").unwrap();
    let stats = maintenance::stats(directory.path(), &mut |_| {}).unwrap();
    assert_eq!(stats.keys, 9);
    // The codec's length is one byte of each.
    assert_eq!((stats.key_bytes.total, stats.key_bytes.median), (45 + 9, 5 + 1));
    assert_eq!(stats.key_bytes.largest, 9 + 1);
    assert_eq!((stats.value_bytes.total, stats.value_bytes.median), (900 + 9, 100 + 1));
    assert_eq!(stats.value_bytes.largest, 180 + 1);
    assert_eq!(stats.live_bytes, 9 * 32 + 54 + 909);
    assert_eq!(stats.replayed_commits, 20);
    assert_eq!(stats.newest, store.revision().get());
    assert!(stats.dead_percent > 90, "64 KiB are set aside: {stats:?}");
    assert_eq!(stats.checkpoint, None);
}

#[test]
fn what_a_checkpoint_has_is_not_replayed() {
    for shape in SHAPES {
        let past = Past::new(shape, true);
        let place = Place::new(&past.files);
        let stats = maintenance::stats(place.data(), &mut |_| {}).unwrap();
        let found = verify(&place.data());
        let at = stats.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.revision);
        assert_eq!(at > 0, shape == Shape::Checkpoint);
        let commits = past.revisions_after(at).len();
        assert_eq!(stats.replayed_commits, u64::try_from(commits).unwrap(), "{shape:?}");
        assert_eq!(stats.replayed_revisions, past.newest() - at, "{shape:?}");
        assert_eq!(stats.keys, u64::try_from(past.at(past.newest()).len()).unwrap());
        assert_eq!(stats.revisions_left, Revision::MAX.get() - past.newest());
        assert_eq!((stats.bytes, stats.segments), (found.bytes, found.segments));
    }
}
