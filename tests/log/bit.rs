//! No flipped bit goes unnoticed, and none that can be proven to be damage is passed over.

use ifmatch::OpenError;

use crate::common::format::{self, SEGMENT_HEADER, at, last_segment, segment_name};
use crate::history::{Bench, History, Outcome, STOPS, Stop};

/// What a flip at a byte of a segment may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    /// The byte belongs to the log, and something later proves it.
    Damage,
    /// The byte belongs to the last frame, or to the nothing after it.
    Cut,
    /// The byte lies after the end of a segment that has a successor.
    Nothing,
}

fn allowed(history: &History, number: u64, byte: usize) -> Allowed {
    let bytes = &history.files[&segment_name(number)];
    let frames = format::frames(bytes);
    let last = frames.last().unwrap();
    let is_last_segment = number == last_segment(&history.files);
    match (is_last_segment, byte) {
        (_, byte) if byte < SEGMENT_HEADER => Allowed::Damage,
        (true, byte) if byte < last.range.start => Allowed::Damage,
        (true, _) => Allowed::Cut,
        (false, byte) if byte < last.range.end => Allowed::Damage,
        (false, _) => Allowed::Nothing,
    }
}

#[test]
fn every_flipped_bit_is_damage_or_a_reported_cut_of_the_last_frame() {
    for stop in STOPS {
        let history = History::new(62, 100, stop);
        let segments = last_segment(&history.files);
        assert_eq!(segments, 2);
        let total = history.revisions.len();
        let bench = Bench::new();
        let mut flipped = [0, 0, 0];
        for number in 1..=segments {
            let name = segment_name(number);
            let mut files = history.files.clone();
            let last_commit = history.commits_within(number, usize::MAX);
            let end = format::end(&files[&name]);
            // All that was written; and of the zeros after it a part, for they are all alike.
            let bits = 0..(end + 200).min(files[&name].len()) * 8;
            for bit in bits {
                let (byte, mask) = (bit / 8, 1 << (bit % 8));
                let case = format!("{stop:?}, segment {number}, byte {byte}, bit {}", bit % 8);
                files.get_mut(&name).unwrap()[byte] ^= mask;
                match (allowed(&history, number, byte), bench.open(&files, &history, &case)) {
                    (
                        Allowed::Damage,
                        Outcome::Refused(OpenError::Corrupt { segment, offset, .. }),
                    ) => {
                        assert_eq!(segment, number, "{case}");
                        assert!(offset <= at(byte), "{case}: reported at {offset}");
                        flipped[0] += 1;
                    }
                    (Allowed::Cut, Outcome::Opened { commits, clean: false, cut: Some(cut) }) => {
                        assert_eq!(cut.segment, number, "{case}");
                        // What is cut ends with the last byte that is not zero.
                        let is_zero = files[&name][byte] == 0;
                        let is_cut = is_zero || at(byte) < cut.offset + cut.bytes;
                        assert!(cut.offset <= at(byte) && is_cut, "{case}: {cut:?}");
                        let whole = if byte < end && stop == Stop::Unclean { 1 } else { 0 };
                        assert_eq!(commits, last_commit - whole, "{case}");
                        flipped[1] += 1;
                    }
                    (Allowed::Nothing, Outcome::Opened { commits, cut: None, .. }) => {
                        assert_eq!(commits, total, "{case}");
                        flipped[2] += 1;
                    }
                    (allowed, outcome) => panic!("{case}: {allowed:?} expected, {outcome:?}"),
                }
                files.get_mut(&name).unwrap()[byte] ^= mask;
            }
        }
        assert!(flipped[0] > 10_000, "{stop:?}: {flipped:?}");
    }
}
