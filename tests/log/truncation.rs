//! A log that was cut short anywhere opens as a prefix of what was written, or says that it is damaged.

use ifmatch::OpenError;

use crate::common::format::{self, SEGMENT_HEADER, at, last_segment, segment_name};
use crate::common::write_files;
use crate::history::{Bench, History, Outcome, STOPS, Stop, open};

fn history(stop: Stop) -> History {
    let history = History::new(90, 120, stop);
    assert!(last_segment(&history.files) >= 3, "several segments");
    history
}

#[test]
fn a_cut_of_the_last_segment_at_any_byte_leaves_the_whole_commits_before_it() {
    for stop in STOPS {
        let history = history(stop);
        let last = last_segment(&history.files);
        let name = segment_name(last);
        let whole = history.files[&name].clone();
        let ends: Vec<usize> = format::frames(&whole).iter().map(|frame| frame.range.end).collect();
        let end = format::end(&whole);
        let bench = Bench::new();
        let mut files = history.files.clone();
        for bytes in 0..whole.len() {
            let case = format!("{stop:?}, cut at {bytes}");
            files.insert(name.clone(), whole[..bytes].to_vec());
            match bench.open(&files, &history, &case) {
                Outcome::Refused(OpenError::Corrupt { segment, .. }) => {
                    assert!(bytes < SEGMENT_HEADER && segment == last, "{case}");
                }
                Outcome::Refused(error) => panic!("{case}: {error}"),
                Outcome::Opened { commits, clean, cut } => {
                    assert!(bytes >= SEGMENT_HEADER, "{case}");
                    assert_eq!(commits, history.commits_within(last, bytes), "{case}");
                    assert!(!clean, "{case}: something is missing");
                    let between = bytes == SEGMENT_HEADER || bytes >= end || ends.contains(&bytes);
                    assert_eq!(cut.is_none(), between, "{case}: {cut:?}");
                    if let Some(cut) = cut {
                        let start = ends.iter().rev().find(|end| **end < bytes);
                        let start = start.copied().unwrap_or(SEGMENT_HEADER);
                        assert_eq!((cut.segment, cut.offset), (last, at(start)), "{case}");
                        assert!(cut.bytes > 0 && cut.offset + cut.bytes <= at(bytes), "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn after_a_cut_of_the_last_segment_no_revision_is_used_again() {
    let history = history(Stop::Unclean);
    let name = segment_name(last_segment(&history.files));
    let whole = &history.files[&name];
    let bench = Bench::new();
    for bytes in (SEGMENT_HEADER..format::end(whole)).step_by(13) {
        let mut files = history.files.clone();
        files.insert(name.clone(), whole[..bytes].to_vec());
        write_files(bench.path(), &files);
        let store = open(bench.path()).unwrap();
        let next = store.put(1, vec![]).unwrap();
        assert!(next > history.newest(), "cut at {bytes}: {next}");
    }
}

#[test]
fn a_cut_of_any_other_segment_is_damage_down_to_the_byte() {
    for stop in STOPS {
        let history = history(stop);
        let bench = Bench::new();
        for number in 1..last_segment(&history.files) {
            let name = segment_name(number);
            let whole = &history.files[&name];
            let end = format::end(whole);
            let mut files = history.files.clone();
            for bytes in 0..whole.len() {
                let case = format!("{stop:?}, segment {number} cut at {bytes} of {end}");
                files.insert(name.clone(), whole[..bytes].to_vec());
                match bench.open(&files, &history, &case) {
                    Outcome::Refused(OpenError::Corrupt { segment, offset, .. }) => {
                        assert!(bytes < end, "{case}: nothing is missing");
                        assert_eq!(segment, number, "{case}");
                        assert!(offset <= at(bytes), "{case}: damaged at {offset}");
                    }
                    Outcome::Refused(error) => panic!("{case}: {error}"),
                    Outcome::Opened { commits, .. } => {
                        assert!(bytes >= end, "{case}: opened");
                        assert_eq!(commits, history.revisions.len(), "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_log_that_ends_in_any_segment_at_any_byte_opens_as_the_prefix_up_to_there() {
    let history = history(Stop::Clean);
    let bench = Bench::new();
    for number in 1..last_segment(&history.files) {
        let name = segment_name(number);
        let whole = &history.files[&name];
        // It ends with the mark that the next one exists: with it, that one is missed.
        let mark = whole.len() - 64;
        let mut files = history.files.clone();
        files.retain(|other, _| *other <= name);
        let error = bench.refuse(&files, &history, "with its mark");
        assert!(matches!(error, OpenError::MissingSegment { segment } if segment == number + 1));
        for bytes in (SEGMENT_HEADER..=mark).step_by(3) {
            let case = format!("segment {number}, the last, ends at {bytes}");
            files.insert(name.clone(), whole[..bytes].to_vec());
            match bench.open(&files, &history, &case) {
                Outcome::Opened { commits, clean, .. } => {
                    assert_eq!(commits, history.commits_within(number, bytes), "{case}");
                    assert!(!clean, "{case}: something is missing");
                }
                Outcome::Refused(error) => panic!("{case}: {error}"),
            }
        }
    }
}
