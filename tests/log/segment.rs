//! Segments that are missing, in the wrong place, of another store, of another codec, or no segments.

use std::fs;

use ifmatch::{OpenError, Store};

use crate::common::format::{
    FRAME_HEADER, Kind, SEGMENT_HEADER, at, frames, last_segment, seal, segment_name, u32_at,
};
use crate::common::{Files, read_files, scratch, write_files};
use crate::history::{Bench, History, Outcome, Stop};

fn history() -> History {
    let history = History::new(110, 120, Stop::Clean);
    assert!(last_segment(&history.files) >= 4);
    history
}

#[test]
fn a_missing_segment_is_named() {
    let history = history();
    let bench = Bench::new();
    for number in 1..last_segment(&history.files) {
        let mut files = history.files.clone();
        files.remove(&segment_name(number));
        let error = bench.refuse(&files, &history, "missing");
        assert!(matches!(error, OpenError::MissingSegment { segment } if segment == number));
    }
}

#[test]
fn the_last_segment_is_missed_too() {
    let history = history();
    let last = last_segment(&history.files);
    let mut files = history.files.clone();
    for number in (2..=last).rev() {
        files.remove(&segment_name(number));
        let error = Bench::new().refuse(&files, &history, "without the last");
        assert!(matches!(error, OpenError::MissingSegment { segment } if segment == number));
    }
}

#[test]
fn a_segment_in_another_ones_place_is_damage() {
    let history = history();
    let last = last_segment(&history.files);
    let bench = Bench::new();
    for (case, place, content) in [
        ("the first in the second's place", 2, 1),
        ("the second in the first's place", 1, 2),
        ("the last in the second's place", 2, last),
        ("the second in the last's place", last, 2),
        ("the last twice", last + 1, last),
        ("the first twice", last + 1, 1),
    ] {
        let mut files = history.files.clone();
        files.insert(segment_name(place), history.files[&segment_name(content)].clone());
        let error = bench.refuse(&files, &history, case);
        let OpenError::Corrupt { segment, offset: 0, .. } = error else {
            panic!("{case}: {error}");
        };
        assert_eq!(segment, place, "{case}");
    }
    let mut files = history.files.clone();
    files.insert(segment_name(2), history.files[&segment_name(3)].clone());
    files.insert(segment_name(3), history.files[&segment_name(2)].clone());
    let error = bench.refuse(&files, &history, "two swapped");
    assert!(matches!(error, OpenError::Corrupt { segment: 2, .. }), "{error}");
}

#[test]
fn a_renumbered_segment_does_not_pass_for_another() {
    let history = history();
    let last = last_segment(&history.files);
    let bench = Bench::new();
    for (place, content) in [(2, 3), (last, 2), (last + 1, last), (1, 2)] {
        let mut files = history.files.clone();
        let mut bytes = history.files[&segment_name(content)].clone();
        bytes[32..40].copy_from_slice(&place.to_le_bytes());
        seal(&mut bytes[..SEGMENT_HEADER]);
        files.insert(segment_name(place), bytes);
        let case = format!("{content} renumbered to {place}");
        match bench.refuse(&files, &history, &case) {
            OpenError::Corrupt { .. } => {}
            // What the one before says of the next is looked at first.
            OpenError::MissingSegment { segment } => assert_eq!(segment, place, "{case}"),
            error => panic!("{case}: {error}"),
        }
    }
}

#[test]
fn a_segment_of_another_store_is_refused() {
    let (history, other) = (history(), history());
    let bench = Bench::new();
    for number in 1..=last_segment(&history.files) {
        let mut files = history.files.clone();
        files.insert(segment_name(number), other.files[&segment_name(number)].clone());
        let error = bench.refuse(&files, &history, "of another store");
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    }
}

#[test]
fn an_older_copy_of_a_segment_is_damage() {
    let directory = scratch();
    let store = crate::history::open(directory.path()).unwrap();
    store.put(1, vec![1; 100]).unwrap();
    store.put(2, vec![2; 100]).unwrap();
    let early = read_files(directory.path());
    let mut states = Vec::new();
    while read_files(directory.path()).len() < 3 {
        states.push(store.put(3, vec![3; 100]).unwrap());
    }
    store.close().unwrap();
    let mut files = read_files(directory.path());
    files.insert(segment_name(1), early[&segment_name(1)].clone());
    write_files(directory.path(), &files);
    let error = crate::history::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { segment: 1, .. }), "{error}");
    assert_eq!(read_files(directory.path()), files);
}

/// Two copies of a closed log that went different ways have frames of the same segments at the same places.
#[test]
fn a_segment_of_a_diverged_copy_is_damage() {
    let directory = scratch();
    let store = crate::history::open(directory.path()).unwrap();
    store.put(1, vec![1; 100]).unwrap();
    store.close().unwrap();
    let common = read_files(directory.path());
    let diverge = |byte| {
        let directory = scratch();
        write_files(directory.path(), &common);
        let store = crate::history::open(directory.path()).unwrap();
        (0..60).for_each(|_| assert!(store.put(2, vec![byte; 100]).is_ok()));
        store.close().unwrap();
        read_files(directory.path())
    };
    let (one, other) = (diverge(1), diverge(2));
    let previous_end = |files: &Files| u32_at(&files[&segment_name(2)], 80);
    assert_eq!(previous_end(&one), previous_end(&other), "only the content differs");
    for number in 1..=last_segment(&one) {
        let mut files = one.clone();
        files.insert(segment_name(number), other[&segment_name(number)].clone());
        write_files(directory.path(), &files);
        let error = crate::history::open(directory.path()).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{number}: {error}");
        assert_eq!(read_files(directory.path()), files);
    }
}

#[test]
fn the_end_of_a_log_does_not_pass_for_a_log() {
    let history = history();
    let bench = Bench::new();
    for number in 2..=last_segment(&history.files) {
        let mut bytes = history.files[&segment_name(number)].clone();
        bytes[32..40].copy_from_slice(&1_u64.to_le_bytes());
        seal(&mut bytes[..SEGMENT_HEADER]);
        // With its frames, which its header no longer begins, and without.
        for bytes in [bytes.clone(), bytes[..SEGMENT_HEADER].to_vec()] {
            let files = Files::from([(segment_name(1), bytes)]);
            let error = bench.refuse(&files, &history, "renumbered to be the first");
            assert!(matches!(error, OpenError::Corrupt { segment: 1, .. }), "{error}");
        }
    }
}

#[test]
fn an_unfinished_segment_is_removed_once_all_else_is_found_good() {
    let history = history();
    let bench = Bench::new();
    let unfinished = format!("{}.new", segment_name(last_segment(&history.files) + 1));
    let mut files = history.files.clone();
    files.insert(unfinished.clone(), vec![0; 100]);
    match bench.open(&files, &history, "unfinished") {
        Outcome::Opened { commits, clean: true, cut: None } => {
            assert_eq!(commits, history.revisions.len());
        }
        other => panic!("{other:?}"),
    }
    assert!(!read_files(bench.path()).contains_key(&unfinished));
    files.get_mut(&segment_name(1)).unwrap()[200] ^= 1;
    bench.refuse(&files, &history, "unfinished, and damage elsewhere");
}

#[test]
fn a_newer_format_is_told_from_damage() {
    let history = history();
    let bench = Bench::new();
    let mut files = history.files.clone();
    let bytes = files.get_mut(&segment_name(1)).unwrap();
    bytes[8..10].copy_from_slice(&3_u16.to_le_bytes());
    let error = bench.refuse(&files, &history, "a version without its checksum");
    assert!(matches!(error, OpenError::Corrupt { segment: 1, offset: 0, .. }), "{error}");
    seal(&mut files.get_mut(&segment_name(1)).unwrap()[..SEGMENT_HEADER]);
    let error = bench.refuse(&files, &history, "a newer version");
    assert!(matches!(error, OpenError::NewerFormat { found: 3, supported: 2 }), "{error}");
}

#[test]
fn what_is_no_segment_is_refused_by_what_it_is() {
    let history = history();
    let bench = Bench::new();
    for (case, bytes) in [
        ("empty", vec![]),
        ("one byte short of a header", history.files[&segment_name(1)][..127].to_vec()),
        ("text", b"Dear diary, \n".repeat(100)),
        ("zeros", vec![0; 4096]),
    ] {
        for number in [1, 2, last_segment(&history.files)] {
            let mut files = history.files.clone();
            files.insert(segment_name(number), bytes.clone());
            let error = bench.refuse(&files, &history, case);
            assert!(
                matches!(error, OpenError::Corrupt { segment, offset: 0, .. } if segment == number),
                "{case}: {error}"
            );
        }
    }
}

#[test]
fn a_file_larger_than_a_segment_can_be_is_refused_unread() {
    let history = history();
    let bench = Bench::new();
    write_files(bench.path(), &history.files);
    let path = bench.path().join(segment_name(1));
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let error = crate::history::open(bench.path()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { segment: 1, offset: 0, .. }), "{error}");
    assert_eq!(fs::metadata(path).unwrap().len(), 1 << 40);
}

#[test]
fn another_codec_is_named() {
    let history = history();
    let bench = Bench::new();
    let mut files = history.files.clone();
    for bytes in files.values_mut() {
        bytes[16..32].copy_from_slice(b"json-1\0\0\0\0\0\0\0\0\0\0");
        seal(&mut bytes[..SEGMENT_HEADER]);
    }
    match bench.refuse(&files, &history, "another codec") {
        OpenError::OtherCodec { found, expected: "bincode-2" } => assert_eq!(found, "json-1"),
        error => panic!("{error}"),
    }
}

#[test]
fn records_of_other_types_are_refused_and_the_files_stay() {
    let directory = scratch();
    let store = Store::<String, u64>::builder().open(directory.path()).unwrap();
    store.put("key", 7).unwrap();
    store.close().unwrap();
    let files: Files = read_files(directory.path());
    let error = Store::<String, String>::builder().open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Decode { segment: 1, .. }), "{error}");
    assert_eq!(read_files(directory.path()), files);
    let store = Store::<String, u64>::builder().open(directory.path()).unwrap();
    assert_eq!(*store.get("key").unwrap(), 7);
}

#[cfg(feature = "postcard")]
#[test]
fn a_log_of_one_codec_is_refused_by_the_other_and_read_by_its_own() {
    use ifmatch::{Bincode, Postcard};

    let directory = scratch();
    let builder = Store::<String, u64>::builder;
    let store = builder().codec::<Postcard>().open(directory.path()).unwrap();
    store.put("key", u64::MAX).unwrap();
    store.close().unwrap();
    let files = read_files(directory.path());
    match builder().codec::<Bincode>().open(directory.path()).unwrap_err() {
        OpenError::OtherCodec { found, expected: "bincode-2" } => assert_eq!(found, "postcard-1"),
        error => panic!("{error}"),
    }
    assert_eq!(read_files(directory.path()), files);
    let store = builder().codec::<Postcard>().open(directory.path()).unwrap();
    assert_eq!(*store.get("key").unwrap(), u64::MAX);
}

/// Whoever reads it knows where to look: it is not the next segment that is wrong.
#[test]
fn damage_before_the_end_of_a_segment_says_what_is_wrong_there() {
    let history = history();
    let mut files = history.files.clone();
    let bytes = files.get_mut(&segment_name(1)).unwrap();
    let last = frames(bytes).into_iter().rfind(|frame| frame.kind == Kind::Commit).unwrap();
    bytes[last.range.start + FRAME_HEADER] ^= 1;
    let error = Bench::new().refuse(&files, &history, "a flipped bit");
    let OpenError::Corrupt { offset, what, .. } = error else { panic!("{error}") };
    assert_eq!((offset, what), (at(last.range.start), "the frame's checksum does not hold"));
}
