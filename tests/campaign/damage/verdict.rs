//! What an opening of a damaged log comes to, and whether that may be.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ifmatch::testing::disk::Disk;
use ifmatch::{OpenError, Recovery};

use crate::common::Files;
use crate::common::format::{self, FRAME_HEADER};

use super::image::{Image, State, Stop, files, open, state};

/// How it ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Refused, and nothing changed.
    Corrupt,
    Missing,
    OtherRefusal,
    /// Everything is there, and the damage is reported.
    Harmless,
    /// Everything is there, and all that changed is how many zeros are set aside after the end.
    Zeros,
    /// What nothing proves to have been synced is cut, and that is reported.
    Cut,
    /// The log is, to the byte, what a stop left earlier.
    Earlier,
}

pub(crate) const VERDICTS: [(Verdict, &str); 7] = [
    (Verdict::Corrupt, "Corrupt"),
    (Verdict::Missing, "Missing"),
    (Verdict::OtherRefusal, "refused"),
    (Verdict::Harmless, "harmless"),
    (Verdict::Zeros, "zeros"),
    (Verdict::Cut, "cut"),
    (Verdict::Earlier, "earlier"),
];

/// What opening a log came to.
pub(crate) struct Opened {
    state: State,
    report: Recovery,
}

pub(crate) fn recover(disk: &Disk) -> Result<Opened, OpenError> {
    let store = open(disk)?;
    let report = store.recovery().expect("it is on a log").clone();
    Ok(Opened { state: state(&store), report })
}

/// What the report says of damage.
fn damage(report: &Recovery) -> (bool, Option<ifmatch::Cut>, [u64; 3]) {
    (report.clean, report.cut, [report.ignored, report.unmarked, report.removed])
}

/// The undamaged image opens, and says what it should.
pub(crate) fn sound(image: &Image) -> Result<Recovery, String> {
    let found =
        recover(&Disk::with_files(image.files.clone())).map_err(|error| error.to_string())?;
    let Opened { state, report } = found;
    let torn = image.stop == Stop::Torn;
    let expected = (image.stop == Stop::Clean, torn, [0; 3]);
    let (clean, cut, rest) = damage(&report);
    if state != *image.whole() || (clean, cut.is_some(), rest) != expected {
        return Err(format!("the undamaged log opens as {report:?}"));
    }
    Ok(report)
}

/// Opens the damaged files, twice if they open, and judges.
pub(crate) fn judge(
    image: &Image,
    damaged: &Files,
    undamaged: &Recovery,
) -> Result<Verdict, String> {
    let disk = Disk::with_files(damaged.clone());
    let outcome = catch_unwind(AssertUnwindSafe(|| recover(&disk)));
    let Ok(outcome) = outcome else { return Err("it panicked".to_owned()) };
    let Opened { state, report } = match outcome {
        Ok(opened) => opened,
        Err(error) if files(&disk) != *damaged => {
            return Err(format!("it was refused ({error}), and files changed"));
        }
        Err(OpenError::Corrupt { .. }) => return Ok(Verdict::Corrupt),
        Err(OpenError::MissingSegment { .. }) => return Ok(Verdict::Missing),
        Err(_) => return Ok(Verdict::OtherRefusal),
    };
    let again = recover(&disk).map_err(|error| format!("opened again it is refused: {error}"))?;
    if again.state != state || !again.report.clean {
        return Err("opened again it has something else".to_owned());
    }
    if state == *image.whole() {
        let is_reported =
            damage(&report) != damage(undamaged) || only_the_cut_changed(image, damaged, &report);
        return match (is_reported, only_zeros_changed(image, damaged)) {
            (true, _) => Ok(Verdict::Harmless),
            (false, true) => Ok(Verdict::Zeros),
            (false, false) => Err(format!("nothing is lost, and nothing reported: {report:?}")),
        };
    }
    if is_earlier(image, damaged, &state) {
        return Ok(Verdict::Earlier);
    }
    may_be_cut(image, damaged, &state, &report)
        .map(|()| Verdict::Cut)
        .map_err(|why| format!("something is lost: {why}: {report:?}"))
}

/// All that changed is how many zeros follow what segments have.
fn only_zeros_changed(image: &Image, damaged: &Files) -> bool {
    let content = |files: &Files| -> Files {
        let mut files = files.clone();
        for (name, bytes) in &mut files {
            if name.ends_with(".segment") {
                let content = bytes.iter().rposition(|byte| *byte != 0);
                bytes.truncate(content.map_or(0, |last| last + 1));
            }
        }
        files
    };
    content(&image.files) == content(damaged)
}

/// All that changed is in the torn tail, which is reported.
fn only_the_cut_changed(image: &Image, damaged: &Files, report: &Recovery) -> bool {
    let Some(cut) = report.cut else { return false };
    let end = usize::try_from(cut.offset).expect("it is in memory");
    let before = |files: &Files| {
        let mut files = files.clone();
        files.entry(image.last()).or_default().truncate(end);
        files
    };
    before(&image.files) == before(damaged)
}

/// The last segment is as a close left it earlier, and so is all else: nothing can tell that from this.
fn is_earlier(image: &Image, damaged: &Files, state: &State) -> bool {
    let last = image.last();
    let others =
        image.files.iter().all(|(name, bytes)| *name == last || damaged.get(name) == Some(bytes));
    others
        && image.earlier.iter().any(|(revision, earlier)| {
            earlier.get(&last).is_some()
                && earlier.get(&last) == damaged.get(&last)
                && image.states.range(..=*revision).next_back().map(|(_, state)| state)
                    == Some(state)
        })
}

/// Whether the end of the log may be cut: the first frame of the last segment that was hit, and all behind it, of which none
/// that is left proves it to have been synced.
fn may_be_cut(
    image: &Image,
    damaged: &Files,
    state: &State,
    report: &Recovery,
) -> Result<(), String> {
    let last = image.last();
    let changed = image
        .files
        .iter()
        .find(|(name, bytes)| **name != last && damaged.get(*name) != Some(bytes));
    if let Some((name, _)) = changed {
        return Err(format!("{name} was damaged"));
    }
    let was = &image.files[&last];
    let is = damaged.get(&last).ok_or("the last segment is gone")?;
    let intact = |range: std::ops::Range<usize>| is.get(range.clone()) == Some(&was[range]);
    let frames = format::frames(was);
    let hit = frames.iter().find(|frame| !intact(frame.range.clone()));
    let offset = hit.ok_or("no frame was hit")?.range.start;
    let proof = frames.iter().find(|frame| {
        let header = frame.range.start..frame.range.start + FRAME_HEADER;
        frame.range.start > offset && frame.synced > offset && intact(header)
    });
    if let Some(proof) = proof {
        return Err(format!("the frame at {} proves what was at {offset}", proof.range.start));
    }
    if *state != *image.state_at(offset) {
        return Err(format!("it is not the state at {offset}"));
    }
    if report.clean {
        return Err("and not reported".to_owned());
    }
    Ok(())
}
