//! A restored store has the content, and never hands out a revision that the lost one may have handed out.

use ifmatch::maintenance::{self, DEFAULT_BUMP, MaintenanceError};
use ifmatch::{HistoryError, Precondition, Revision, Store, Txn, WatchError};

use crate::common::{read_files, scratch};
use crate::past::{Past, Place, SHAPES, Shape, builder, names, overlapping, state, verify};

#[test]
fn what_is_restored_is_the_content_with_its_revisions_in_a_store_of_its_own() {
    for shape in SHAPES {
        for clean in [true, false] {
            let case = format!("{shape:?}, clean: {clean}");
            let past = Past::new(shape, clean);
            let place = Place::new(&past.files);
            let target = place.path("restored");
            let before = verify(&place.data());
            let restored =
                maintenance::restore(place.data(), &target, DEFAULT_BUMP, &mut |_| {}).unwrap();
            assert_eq!(restored.revision, past.newest(), "{case}");
            assert_eq!(restored.keys, u64::try_from(past.at(past.newest()).len()).unwrap());
            let known = if clean { before.newest } else { before.floor };
            assert!(restored.next_revision > known + DEFAULT_BUMP, "{case}");
            assert_ne!(restored.identity, before.identity, "{case}");
            assert_eq!(read_files(&place.data()), past.files, "{case}: the backup is as it was");
            assert_eq!(place.names(), ["data", "restored"], "{case}");
            assert!(verify(&target).is_sound() && verify(&target).clean, "{case}");

            // Opened again and again it goes on where it was.
            for round in 0..2 {
                let store = builder().open(&target).unwrap();
                assert!(store.recovery().unwrap().clean, "{case}");
                assert_eq!(store.identity(), restored.identity, "{case}");
                let mut expected = past.at(past.newest());
                let mut found = state(&store);
                assert_eq!(found.remove("new").is_some(), round > 0, "{case}");
                expected.remove("new");
                assert_eq!(found, expected, "{case}");
                let written = store.put("new", String::new()).unwrap().get();
                assert_eq!(written, restored.next_revision + round, "{case}");
                store.close().unwrap();
            }
        }
    }
}

/// The story: a store is lost. It had gone on after the last backup, and clients remember revisions that the backup has
/// never heard of.
#[test]
fn nothing_that_the_lost_store_handed_out_after_the_backup_means_anything_in_the_restored_one() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let lost: Store<String, u32> = Store::builder().open(path("data")).unwrap();
    lost.put("kept", 1).unwrap();
    let kept = lost.put("counter", 1).unwrap();
    maintenance::backup(path("data"), path("backup"), &mut |_| {}).unwrap();
    let later: Vec<Revision> = (2..50).map(|n| lost.put("counter", n).unwrap()).collect();
    let deleted = lost.delete("kept").unwrap().unwrap().revision();

    maintenance::restore(path("backup"), path("new"), DEFAULT_BUMP, &mut |_| {}).unwrap();
    let new: Store<String, u32> = Store::builder().open(path("new")).unwrap();
    assert_ne!(new.identity(), lost.identity(), "so that no old ETag matches");
    let counter = new.get("counter").unwrap();
    assert_eq!((counter.revision(), *counter.value()), (kept, 1));

    for revision in later.iter().copied().chain([deleted]) {
        let error = new.put_if("counter", 0, revision).unwrap_err();
        assert_eq!(error.conflict().unwrap().revision(), Some(kept), "{revision}");
        assert!(new.get_at("counter", revision).is_err(), "{revision}");
        let watch = new.watch().since(revision).open();
        assert!(matches!(watch, Err(WatchError::Compacted { .. })), "{revision}: {watch:?}");
        let txn = Txn::new().require_unchanged_under("c", revision).put("x", 1);
        assert!(new.commit(txn).is_err(), "{revision}");
    }
    // A conditional write on what is in the backup goes through, and its revision is new to everybody.
    let written = new.put_if("counter", 7, Precondition::Revision(kept)).unwrap();
    assert!(written.get() > deleted.get() + DEFAULT_BUMP - (1 << 21));
    assert!(!later.contains(&written));
    let not_kept = new.get_at("counter", deleted);
    assert!(matches!(not_kept, Err(HistoryError::Compacted { .. })), "{not_kept:?}");
}

#[test]
fn a_restore_of_a_restore_goes_up_again() {
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let mut from = place.data();
    let mut next = past.newest() + 1;
    for round in 0..3 {
        let to = place.path(&format!("restored-{round}"));
        let restored = maintenance::restore(&from, &to, 1000, &mut |_| {}).unwrap();
        assert!(restored.next_revision > next + 999, "{restored:?}");
        assert_eq!(state(&builder().open(&to).unwrap()), past.at(past.newest()));
        (from, next) = (to, restored.next_revision);
    }
}

#[test]
fn past_the_largest_revision_there_is_no_restore() {
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let highest = verify(&place.data()).highest;
    let target = place.path("restored");
    let largest = Revision::MAX.get() - highest - 1;
    for bump in [largest + 1, u64::MAX] {
        let error = maintenance::restore(place.data(), &target, bump, &mut |_| {}).unwrap_err();
        assert!(
            matches!(error, MaintenanceError::RevisionsExhausted { highest: h, bump: b }
                if h == highest && b == bump),
            "{error}"
        );
        assert_eq!(place.names(), ["data"], "nothing is left");
    }
    let restored = maintenance::restore(place.data(), &target, largest, &mut |_| {}).unwrap();
    assert_eq!(restored.next_revision, Revision::MAX.get());
    let store = builder().open(&target).unwrap();
    assert_eq!(store.put("last", String::new()).unwrap(), Revision::MAX);
    assert!(store.put("none", String::new()).is_err());
}

#[test]
fn it_goes_only_where_nothing_is() {
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    for name in ["file", ".hidden"] {
        let target = place.path("full");
        std::fs::create_dir_all(&target).unwrap();
        std::fs::write(target.join(name), "mine").unwrap();
        let error = maintenance::restore(place.data(), &target, 0, &mut |_| {}).unwrap_err();
        assert!(matches!(error, MaintenanceError::NotEmpty { .. }), "{error}");
        assert_eq!(names(&target), [name]);
        std::fs::remove_dir_all(&target).unwrap();
    }
    let inside = maintenance::restore(place.data(), place.path("data/new"), 0, &mut |_| {});
    assert!(matches!(inside, Err(MaintenanceError::Inside { .. })), "{inside:?}");
    assert_eq!(read_files(&place.data()), past.files);
    // Where somebody made the directory already:
    let target = place.path("empty");
    std::fs::create_dir(&target).unwrap();
    maintenance::restore(place.data(), &target, 0, &mut |_| {}).unwrap();
    assert!(verify(&target).is_sound());
    // What an interrupted restore has left is replaced; what somebody else has there is not.
    let half = place.path("again.partial");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("00000000000000000001.segment"), "half").unwrap();
    maintenance::restore(place.data(), place.path("again"), 0, &mut |_| {}).unwrap();
    assert_eq!(place.names(), ["again", "data", "empty"]);
    let theirs = place.path("theirs.partial");
    std::fs::create_dir(&theirs).unwrap();
    std::fs::write(theirs.join("notes.txt"), "mine").unwrap();
    let error =
        maintenance::restore(place.data(), place.path("theirs"), 0, &mut |_| {}).unwrap_err();
    assert!(matches!(error, MaintenanceError::NotEmpty { .. }), "{error}");
    assert_eq!(names(&theirs), ["notes.txt"]);
}

#[test]
fn of_a_damaged_backup_nothing_is_made() {
    let past = Past::new(Shape::Checkpoint, true);
    let mut files = past.files.clone();
    for bytes in files.values_mut() {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }
    let place = Place::new(&files);
    let error = maintenance::restore(place.data(), place.path("new"), 0, &mut |_| {}).unwrap_err();
    let MaintenanceError::Damaged(found) = error else { panic!("{error}") };
    assert!(found.damage.len() >= 2);
    assert_eq!(place.names(), ["data"]);
}

/// An entry that was written three times would count four.
#[test]
fn commits_that_a_checkpoint_has_already_are_not_applied_again() {
    let (place, expected) = overlapping();
    let stats = maintenance::stats(place.data(), &mut |_| {}).unwrap();
    assert!(stats.replayed_commits < verify(&place.data()).commits);
    maintenance::restore(place.data(), place.path("restored"), 0, &mut |_| {}).unwrap();
    assert_eq!(state(&builder().open(place.path("restored")).unwrap()), expected);
}
