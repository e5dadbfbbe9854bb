//! Blocks of the file that a disk or a file system lost: zeroed, or filled with something else.

use ifmatch::OpenError;

use crate::common::Random;
use crate::common::format::{self, SEGMENT_HEADER, at, last_segment, segment_name};
use crate::history::{Bench, History, Outcome, STOPS, Stop};

const BLOCK: usize = 512;

/// Replaces each block of each segment in turn; what was proven is damage, only the last frames may be cut.
fn replace_blocks(what: &str, replace: impl Fn(&mut [u8])) {
    for stop in STOPS {
        let history = History::new(90, 120, stop);
        let last = last_segment(&history.files);
        let bench = Bench::new();
        for number in 1..=last {
            let name = segment_name(number);
            let whole = &history.files[&name];
            let frames = format::frames(whole);
            let end = format::end(whole);
            for start in (0..end).step_by(BLOCK) {
                let case = format!("{stop:?}, segment {number}, {what} from {start}");
                let mut files = history.files.clone();
                let bytes = files.get_mut(&name).unwrap();
                let block = start..(start + BLOCK).min(bytes.len());
                replace(&mut bytes[block.clone()]);
                if bytes == whole {
                    continue;
                }
                // In the last segment a frame is proven by the header of one behind it, if that one is left.
                let proven = frames
                    .iter()
                    .filter(|frame| frame.range.start >= block.end || frame.range.end <= start)
                    .map(|frame| frame.synced)
                    .max();
                let hit = frames.iter().find(|frame| frame.range.end > start);
                let hit = hit.map_or(SEGMENT_HEADER, |frame| frame.range.start);
                let damage = start < SEGMENT_HEADER || number < last || proven > Some(hit);
                match bench.open(&files, &history, &case) {
                    Outcome::Refused(OpenError::Corrupt { segment, offset, .. }) => {
                        assert!(damage && segment == number && offset <= at(block.end), "{case}");
                    }
                    Outcome::Opened { commits, clean: false, .. } if !damage => {
                        assert_eq!(commits, history.commits_within(number, start), "{case}");
                    }
                    other => panic!("{case}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_zeroed_block_is_damage_unless_nothing_after_it_is_left() {
    replace_blocks("zeros", |block| block.fill(0));
}

#[test]
fn a_block_of_noise_is_damage_unless_nothing_after_it_is_left() {
    replace_blocks("noise", |block| {
        let mut random = Random(7);
        block.fill_with(|| random.next().to_le_bytes()[0]);
    });
}

#[test]
fn a_segment_of_zeros_is_damage_whichever_it_is() {
    let history = History::new(90, 120, Stop::Unclean);
    let bench = Bench::new();
    for number in 1..=last_segment(&history.files) {
        let mut files = history.files.clone();
        files.get_mut(&segment_name(number)).unwrap().fill(0);
        let error = bench.refuse(&files, &history, "a segment of zeros");
        assert!(
            matches!(error, OpenError::Corrupt { segment, offset: 0, .. } if segment == number)
        );
    }
}
