//! Revisions are reserved in blocks: an unclean stop skips the rest of one, a clean close skips nothing.

use ifmatch::{Revision, Store};

use crate::common::format::{self, Kind, segment_name};
use crate::common::{read_files, scratch, write_files};
use crate::history::{DURABILITIES, open};

/// What a segment reserves: by its header, and by its reserve frames since.
fn floor(segment: &[u8]) -> u64 {
    let frames = format::frames(segment);
    let reserved = frames
        .iter()
        .filter(|frame| frame.kind == Kind::Reserve)
        .map(|frame| format::u64_at(segment, frame.range.start + format::FRAME_HEADER));
    reserved.fold(format::u64_at(segment, 64), u64::max)
}

#[test]
fn a_clean_close_skips_no_revision() {
    let directory = scratch();
    for round in 0..10 {
        let store = open(directory.path()).unwrap();
        assert_eq!(store.put(1, vec![]).unwrap().get(), 2 + round);
        store.close().unwrap();
    }
}

#[test]
fn an_unclean_stop_skips_all_that_was_reserved() {
    for durability in DURABILITIES {
        let (before, after) = (scratch(), scratch());
        let open = |path| Store::<u8, u8>::builder().durability(durability).open(path).unwrap();
        let store = open(before.path());
        let newest = store.put(1, 1).unwrap();
        let files = read_files(before.path());
        write_files(after.path(), &files);

        let floor = floor(&files[&segment_name(1)]);
        assert!(floor > newest.get());
        let store = open(after.path());
        assert!(!store.recovery().unwrap().clean);
        assert_eq!(store.put(1, 2).unwrap().get(), floor + 1, "{durability:?}");
    }
}

#[test]
fn every_revision_is_reserved_before_it_is_handed_out() {
    let directory = scratch();
    let store = Store::<u32, ()>::builder().first_revision(Revision::try_from(1 << 40).unwrap());
    let store = store.open(directory.path()).unwrap();
    for key in 0..100 {
        let revision = store.put(key, ()).unwrap();
        let files = read_files(directory.path());
        let floor = floor(&files[&segment_name(1)]);
        assert!(floor >= revision.get(), "{revision} is above the floor, {floor}");
    }
}

#[test]
fn many_unclean_stops_in_a_row_never_repeat_a_revision() {
    for writes_each in [0, 1, 3] {
        let mut directory = scratch();
        let mut newest = Revision::MIN;
        for round in 0..20_u8 {
            let store = open(directory.path()).unwrap();
            assert_eq!(store.recovery().unwrap().cut, None);
            for _ in 0..writes_each {
                let revision = store.put(1, vec![round]).unwrap();
                assert!(revision > newest, "round {round}: {revision} after {newest}");
                newest = revision;
            }
            let next = scratch();
            write_files(next.path(), &read_files(directory.path()));
            drop(store);
            directory = next;
        }
        let store = open(directory.path()).unwrap();
        assert_eq!(
            store.get(1).map(|entry| entry.write_count()),
            (writes_each > 0).then_some(20 * writes_each)
        );
    }
}
