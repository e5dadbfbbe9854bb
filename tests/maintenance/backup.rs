//! A backup is one consistent state, not below what was acknowledged before it began, whatever the store does meanwhile.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ifmatch::maintenance::{self, MaintenanceError};
use ifmatch::{Durability, OpenError, Store, Txn};

use crate::common::format::{self, segment_name};
use crate::common::{Raises, from_env, read_files, scratch};
use crate::past::{Past, Place, SHAPES, Shape, builder, names, state, verify};

/// A backup refuses to be opened. Without its mark it shows what it has.
fn opened(copy: &Path) -> Store<String, String> {
    let files = read_files(copy);
    let refused = builder().open(copy).unwrap_err();
    assert!(matches!(refused, OpenError::IsBackup { .. }), "{refused}");
    assert_eq!(read_files(copy), files);
    std::fs::remove_file(copy.join("BACKUP")).unwrap();
    builder().open(copy).unwrap()
}

#[test]
fn a_copy_has_what_the_original_has() {
    for shape in SHAPES {
        for clean in [true, false] {
            let case = format!("{shape:?}, clean: {clean}");
            let past = Past::new(shape, clean);
            let place = Place::new(&past.files);
            let copy = place.path("copy");
            let made = maintenance::backup(place.data(), &copy, &mut |_| {}).unwrap();
            assert_eq!(made.revision, past.newest(), "{case}");
            assert_eq!(read_files(&place.data()), past.files, "{case}: the original is as it was");
            assert_eq!(names(&place.data()).len(), past.files.len(), "{case}: without a lock file");
            assert_eq!(place.names(), ["copy", "data"], "{case}");
            let (found, original) = (verify(&copy), verify(&place.data()));
            assert_eq!((found.bytes, found.clean), (made.bytes, clean), "{case}");
            assert_eq!((found.commits, found.floor), (original.commits, original.floor), "{case}");
            assert_eq!(made.files + 1, format::at(names(&copy).len()), "{case}: and its mark");
            let store = opened(&copy);
            assert_eq!(state(&store), past.at(past.newest()), "{case}");
        }
    }
}

#[test]
fn neither_zeros_nor_a_torn_tail_nor_left_overs_are_copied() {
    let past = Past::new(Shape::Segments, false);
    let mut files = past.files.clone();
    let (name, bytes) = files.iter_mut().next_back().unwrap();
    let end = format::end(bytes);
    assert!(end + 3 < bytes.len(), "space is set aside");
    bytes[end + 2] = 1;
    let name = name.clone();
    files.insert("00000000000000000099.segment.new".to_owned(), vec![1]);
    let place = Place::new(&files);
    let copy = place.path("copy");
    maintenance::backup(place.data(), &copy, &mut |_| {}).unwrap();
    let copied = read_files(&copy);
    assert_eq!(copied[&name], files[&name][..end]);
    assert_eq!(copied.len(), files.len(), "the left-over went, the mark came");
    assert_eq!(verify(&copy).torn_tail, None);
    assert_eq!(state(&opened(&copy)), past.at(past.newest()));
}

#[test]
fn it_goes_only_where_nothing_is_and_not_into_the_log() {
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let full = place.path("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("file"), "mine").unwrap();
    let error = maintenance::backup(place.data(), &full, &mut |_| {}).unwrap_err();
    assert!(matches!(error, MaintenanceError::NotEmpty { .. }), "{error}");
    for inside in ["data/copy", "data", "full/../data/copy", "data/../data/copy"] {
        let error = maintenance::backup(place.data(), place.path(inside), &mut |_| {});
        assert!(matches!(error, Err(MaintenanceError::Inside { .. })), "{inside}: {error:?}");
    }
    assert_eq!(read_files(&place.data()), past.files);
    assert_eq!(place.names(), ["data", "full"]);
}

#[test]
fn of_damage_there_is_no_copy_and_no_half_of_one() {
    let past = Past::new(Shape::Segments, true);
    let mut files = past.files.clone();
    files.get_mut(&segment_name(2)).unwrap()[200] ^= 1;
    let place = Place::new(&files);
    let error = maintenance::backup(place.data(), place.path("copy"), &mut |_| {}).unwrap_err();
    assert!(matches!(error, MaintenanceError::Damaged(_)), "{error}");
    assert!(error.to_string().contains(&segment_name(2)), "{error}");
    let nothing = maintenance::backup(place.path("x"), place.path("copy"), &mut |_| {});
    assert!(matches!(nothing, Err(MaintenanceError::Io { .. })), "{nothing:?}");
    let empty = scratch();
    let nothing = maintenance::backup(empty.path(), place.path("copy"), &mut |_| {});
    assert!(matches!(nothing, Err(MaintenanceError::NoLog { .. })), "{nothing:?}");
    assert_eq!(place.names(), ["data"]);
}

/// How many numbers each writer counts through.
const WRITERS: usize = 4;

/// Writers count, each in two keys by one transaction, and compactions follow one another. Each backup is whole: it has as much as
/// was acknowledged before it began, no more of one writer than was written in order, and both keys of each alike.
#[test]
fn while_writers_and_compactions_run_each_backup_is_a_prefix_with_all_that_was_acknowledged() {
    for durability in [Durability::Sync, Durability::Buffered] {
        let folder = scratch();
        let data = folder.path().join("data");
        let store: Store<String, String> = builder().durability(durability).open(&data).unwrap();
        let acknowledged: [AtomicU64; WRITERS] = Default::default();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (store, acknowledged, done) = (&store, &acknowledged, &done);
            for (writer, acknowledged) in acknowledged.iter().enumerate() {
                scope.spawn(move || {
                    let _done = Raises(done);
                    for number in 1_u64.. {
                        if done.load(Ordering::Acquire) {
                            return;
                        }
                        let text = format!("{number:0>200}");
                        let txn = Txn::new()
                            .put(format!("{writer}/one"), text.clone())
                            .put(format!("{writer}/two"), text);
                        store.commit(txn).unwrap();
                        acknowledged.store(number, Ordering::Release);
                    }
                });
            }
            scope.spawn(move || {
                let _done = Raises(done);
                while !done.load(Ordering::Acquire) {
                    store.compact().unwrap();
                }
            });
            let _done = Raises(done);
            let (mut grown, mut round) = (0, 0);
            // However slow the disk is, much has been written in the end; a writer that fails ends it.
            while (round < from_env("IFMATCH_ROUNDS", 60) || grown <= 100)
                && !done.load(Ordering::Acquire)
            {
                let copy = folder.path().join(format!("copy-{round}"));
                let before = acknowledged.each_ref().map(|number| number.load(Ordering::Acquire));
                let shown = store.revision().get();
                let backup = maintenance::backup(&data, &copy, &mut |_| {})
                    .unwrap_or_else(|error| panic!("{durability:?}, round {round}: {error:?}"));
                assert!(backup.revision >= shown, "{backup:?} is below {shown}");
                let copied = opened(&copy);
                for (writer, before) in before.into_iter().enumerate() {
                    let number = |half| {
                        let found = copied.get(format!("{writer}/{half}"));
                        found.map_or(0, |found| found.value().parse::<u64>().unwrap())
                    };
                    let case = format!("{durability:?}, round {round}, writer {writer}");
                    assert!(number("one") >= before, "{case}: {} of {before}", number("one"));
                    assert_eq!(number("one"), number("two"), "{case}");
                    grown = grown.max(number("one"));
                }
                drop(copied);
                std::fs::remove_dir_all(&copy).unwrap();
                round += 1;
            }
        });
        assert_eq!(names(folder.path()), ["data"]);
    }
}

#[test]
fn a_store_backs_itself_up() {
    let past = Past::new(Shape::Checkpoint, true);
    let place = Place::new(&past.files);
    let store = builder().open(place.data()).unwrap();
    let newest = store.put("one more", "v".to_owned()).unwrap();
    let made = store.backup(place.path("copy"), &mut |_| {}).unwrap();
    assert_eq!(made.revision, newest.get());
    assert_eq!(state(&opened(&place.path("copy"))), state(&store));
    let inside = store.backup(place.data().join("copy"), &mut |_| {});
    assert!(matches!(inside, Err(MaintenanceError::Inside { .. })), "{inside:?}");
    let in_memory = builder().build().backup(place.path("another"), &mut |_| {});
    assert!(matches!(in_memory, Err(MaintenanceError::InMemory)), "{in_memory:?}");
    assert_eq!(place.names(), ["copy", "data"]);
}

/// One of them removed what the other had copied, which then gave its name to the rest, and said that it was whole.
#[cfg(unix)]
#[test]
fn of_two_backups_to_one_place_at_a_time_one_is_refused_and_the_other_whole() {
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let (data, copy) = (place.data(), place.path("copy"));
    let mut refused = 0;
    let made = maintenance::backup(&data, &copy, &mut |_| {
        let other = maintenance::backup(&data, &copy, &mut |_| {});
        assert!(matches!(other, Err(MaintenanceError::Locked { .. })), "{other:?}");
        refused += 1;
    });
    assert!(refused > 0);
    assert_eq!(made.unwrap().revision, past.newest());
    assert_eq!(state(&opened(&copy)), past.at(past.newest()));
    let restored = place.path("restored");
    maintenance::restore(&data, &restored, 1, &mut |_| {
        let other = maintenance::restore(&data, &restored, 1, &mut |_| {});
        assert!(matches!(other, Err(MaintenanceError::Locked { .. })), "{other:?}");
    })
    .unwrap();
    assert!(verify(&restored).is_sound());
    assert_eq!(place.names(), ["copy", "data", "restored"]);
}

#[test]
fn the_directories_above_a_copy_are_made() {
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let copy = place.path("a/b/copy");
    maintenance::backup(place.data(), &copy, &mut |_| {}).unwrap();
    assert_eq!(verify(&copy).newest, past.newest());
    let inside = maintenance::backup(place.data(), place.data().join("a/b"), &mut |_| {});
    assert!(matches!(inside, Err(MaintenanceError::Inside { .. })), "{inside:?}");
    let nowhere = maintenance::backup(place.data(), place.path("no/.."), &mut |_| {});
    assert!(matches!(nowhere, Err(MaintenanceError::Io { .. })), "{nowhere:?}");
}

/// It was taken for what an interrupted backup had left, and removed under the store that had it open.
#[test]
fn a_store_that_has_such_a_name_is_not_taken_for_a_left_over() {
    let past = Past::new(Shape::Checkpoint, true);
    let place = Place::new(&past.files);
    let store = Store::<u64, u64>::builder().open(place.path("copy.partial")).unwrap();
    store.put(1, 1).unwrap();
    let files = read_files(&place.path("copy.partial"));
    let made = maintenance::backup(place.data(), place.path("copy"), &mut |_| {});
    assert!(matches!(made, Err(MaintenanceError::Locked { .. })), "{made:?}");
    assert_eq!(read_files(&place.path("copy.partial")), files);
    store.put(1, 2).unwrap();
    store.close().unwrap();
}

#[cfg(unix)]
#[test]
fn what_others_may_not_read_they_may_not_read_in_a_copy() {
    use std::os::unix::fs::PermissionsExt;
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let mode =
        |name: &str| std::fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    // Who may not write to it could not restore it.
    for (original, allowed) in [(0o700, 0o700), (0o750, 0o750), (0o550, 0o750)] {
        std::fs::set_permissions(place.data(), PermissionsExt::from_mode(original)).unwrap();
        let (copy, restored) = (format!("copy{original}"), format!("restored{original}"));
        maintenance::backup(place.data(), place.path(&copy), &mut |_| {}).unwrap();
        maintenance::restore(place.path(&copy), place.path(&restored), 1, &mut |_| {}).unwrap();
        assert_eq!((mode(&copy), mode(&restored)), (allowed, allowed));
    }
}
