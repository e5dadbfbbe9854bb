//! Frames that are whole by themselves but do not belong where they are, or say what cannot be.

use ifmatch::OpenError;

use crate::common::Files;
use crate::common::format::{self, FRAME_HEADER, Kind, at, last_segment, seal, segment_name};
use crate::history::{Bench, History, Outcome, Stop};

/// Writes `frame` over the zeros after the last frame of the last segment.
fn append(files: &mut Files, frame: &[u8]) -> usize {
    let bytes = files.get_mut(&segment_name(last_segment(files))).unwrap();
    let end = format::end(bytes);
    bytes.resize(bytes.len().max(end + frame.len()), 0);
    bytes[end..end + frame.len()].copy_from_slice(frame);
    end
}

#[test]
fn a_frame_of_another_place_is_not_taken_for_a_commit() {
    let history = History::new(70, 120, Stop::Unclean);
    let other_store = History::new(70, 120, Stop::Unclean);
    let last = last_segment(&history.files);
    let commit_of = |history: &History, number, index: usize| {
        let bytes = &history.files[&segment_name(number)];
        let frames = format::frames(bytes);
        let commits: Vec<_> = frames.iter().filter(|frame| frame.kind == Kind::Commit).collect();
        bytes[commits[index].range.clone()].to_vec()
    };
    let cases = [
        ("of this segment, at another offset", commit_of(&history, last, 0)),
        ("of another segment of this store", commit_of(&history, 1, 3)),
        ("of another store", commit_of(&other_store, last, 1)),
    ];
    let bench = Bench::new();
    for (case, frame) in cases {
        let mut files = history.files.clone();
        let end = append(&mut files, &frame);
        match bench.open(&files, &history, case) {
            Outcome::Opened { commits, clean: false, cut: Some(cut) } => {
                assert_eq!(commits, history.revisions.len(), "{case}");
                assert_eq!((cut.segment, cut.offset), (last, at(end)), "{case}");
            }
            other => panic!("{case}: {other:?}"),
        }
    }
}

/// A whole frame that continues the last segment, as `change` makes it before the checksums.
fn forged(history: &History, change: impl FnOnce(&mut [u8], &mut Vec<u8>)) -> Files {
    let mut files = history.files.clone();
    let bytes = &files[&segment_name(last_segment(&files))];
    let frames = format::frames(bytes);
    let model = frames.iter().rfind(|frame| frame.kind == Kind::Commit).unwrap();
    let mut header = bytes[model.range.start..model.range.start + FRAME_HEADER].to_vec();
    let chain = format::u32_at(bytes, frames.last().unwrap().range.start + 44);
    // A delete of key 1, as bincode encodes it.
    let mut payload = vec![2, 1, 0, 0, 0, 1];
    header[8..12].copy_from_slice(&6_u32.to_le_bytes());
    header[12..16].copy_from_slice(&u32::try_from(format::end(bytes)).unwrap().to_le_bytes());
    header[24..32].copy_from_slice(&(history.newest().get() + 1).to_le_bytes());
    header[36..40].copy_from_slice(&chain.to_le_bytes());
    change(&mut header, &mut payload);
    header[40..44].copy_from_slice(&crc32c::crc32c(&payload).to_le_bytes());
    seal(&mut header);
    payload.resize(payload.len() + 64, 0);
    payload.truncate(payload.len() - (FRAME_HEADER + payload.len()) % 16);
    append(&mut files, &[header, payload].concat());
    files
}

#[test]
fn a_forged_frame_is_accepted_only_if_everything_about_it_is_right() {
    let history = History::new(70, 120, Stop::Unclean);
    let bench = Bench::new();
    type Change = fn(&mut [u8], &mut Vec<u8>);
    let cases: [(&str, Change); 8] = [
        ("a length past the file", |header, _| header[8..12].fill(0xff)),
        ("a length past the file by one", |header, _| {
            header[8..12].copy_from_slice(&8_000_u32.to_le_bytes());
        }),
        ("a revision that was used", |header, _| header[24..32].copy_from_slice(&[3; 8])),
        ("revision zero", |header, _| header[24..32].fill(0)),
        ("a revision past the largest", |header, _| {
            header[24..32].copy_from_slice(&(1_u64 << 53).to_le_bytes());
        }),
        ("an unknown kind", |header, _| header[4] = 5),
        ("a broken chain", |header, _| header[36] ^= 1),
        ("another epoch", |header, _| header[16] ^= 1),
    ];
    for (case, change) in cases {
        let files = forged(&history, change);
        match bench.open(&files, &history, case) {
            Outcome::Opened { commits, clean: false, cut: Some(_) } => {
                assert_eq!(commits, history.revisions.len(), "{case}");
            }
            other => panic!("{case}: {other:?}"),
        }
    }
    // The forgery itself is sound: without a flaw it is a commit like any other.
    let files = forged(&history, |_, _| {});
    crate::common::write_files(bench.path(), &files);
    let store = crate::history::open(bench.path()).unwrap();
    assert_eq!(store.recovery().unwrap().commits, 71);
    assert!(!store.contains(1));
}

#[test]
fn a_whole_frame_that_makes_no_sense_is_refused() {
    let history = History::new(70, 120, Stop::Unclean);
    let bench = Bench::new();
    type Change = fn(&mut [u8], &mut Vec<u8>);
    let cases: [(&str, Change, bool); 4] = [
        ("an unknown operation", |_, payload| payload[0] = 3, false),
        ("a key length past the payload", |_, payload| payload[1] = 200, false),
        ("a reservation of another length", |header, _| header[4] = 2, false),
        ("a key that does not decode", |_, payload| payload[1] = 0, true),
    ];
    for (case, change, is_decode) in cases {
        let files = forged(&history, |header, payload| {
            change(header, payload);
            if is_decode {
                payload.truncate(5);
                header[8] = 5;
            }
        });
        match (bench.refuse(&files, &history, case), is_decode) {
            (OpenError::Corrupt { .. }, false) | (OpenError::Decode { .. }, true) => {}
            (error, _) => panic!("{case}: {error}"),
        }
    }
}
