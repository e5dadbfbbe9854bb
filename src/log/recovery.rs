//! Reading a log back: what is whole, what was cut, what is damaged. See `FORMAT.md`, "Recovery".
//!
//! Nothing but an empty lock file is created, and nothing is changed, before everything has been read and found
//! good.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::error::OpenError;
use crate::identity::{self, Identity};
use crate::revision::Revision;
use crate::storage::{Directory, File, write_all_at};
use crate::sync::Arc;

use super::Options;
use super::footprint::Footprint;
use super::frame::Continued;
use super::header::{self, End, Header, Kind};
use super::scan::{Apply, Codec, Loaded, Progress, Scan, corrupt, read_checkpoint};
use super::survey::{Survey, io_error};
use super::tail::{Position, next_floor};
use super::writer::{NextSegment, Signature, Writer, count, end_segment};

/// What opening a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// How many commits were read, beside those that the checkpoint has.
    pub commits: u64,
    /// How many segments the log had.
    pub segments: u64,
    /// The revision of the checkpoint that the log began with.
    pub checkpoint: Option<Revision>,
    /// How many entries that had.
    pub entries: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// Whether the log had been closed in good order (a new one counts as such). If not, the revisions
    /// reserved at the time are skipped.
    pub clean: bool,
    /// A torn tail that was cut: what the last batches before an unclean stop had written, and nothing proves
    /// to have been synced.
    pub cut: Option<Cut>,
    /// How many bytes other than zero follow the ends of segments, where nothing of the log is. After a stop while a
    /// segment was being started there may be some; else they are damage that does no harm.
    pub ignored: u64,
    /// How many segments lack the mark that they are continued, though the next one is there: the process stopped before it
    /// was written, or they are of format version 1, or it is damage that does no harm.
    pub unmarked: u64,
    /// How many left-over files of an interrupted clean-up or creation were removed.
    pub removed: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// A torn tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cut {
    /// The number of the segment.
    pub segment: u64,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes were written there.
    pub bytes: u64,
}

/// A log that was read and is ready to be written.
pub(super) struct Recovered {
    pub(super) writer: Writer,
    pub(super) position: Position,
    pub(super) footprint: Footprint,
    /// The number of the checkpoint.
    pub(super) checkpoint: Option<u64>,
    /// Of a log that was closed in good order: what ends it and is not known to be synced, the close mark at least.
    pub(super) reopened: Option<Vec<u8>>,
    /// Revisions up to this one are used or skipped.
    pub(super) newest: u64,
    /// And up to this one they are reserved.
    pub(super) floor: u64,
    pub(super) report: Recovery,
}

pub(super) fn recover(
    directory: &Arc<dyn Directory>,
    options: &Options,
    apply: &mut Apply<'_>,
) -> Result<Recovered, OpenError> {
    let failed = |action| move |source| io_error(&**directory, action, source);
    directory.create().map_err(failed("create"))?;
    // Before the lock file is created: another program's directory stays as it is.
    match Survey::of(&**directory) {
        // Or somebody who has the log open replaces segments just now.
        Ok(_) | Err(OpenError::MissingSegment { .. }) => {}
        Err(error) => return Err(error),
    }
    let lock = super::lock(&**directory)?;
    let survey = Survey::of(&**directory)?;

    let Options { codec, first_revision, .. } = *options;
    let mut progress = Progress::default();
    let contents = read(&**directory, &codec, &survey, &mut progress, apply)?;

    // A process that was killed may not have come to this. Names that are added or removed now could otherwise survive a
    // power cut that takes those which they build on: a segment, or the checkpoint that replaces others.
    let clean = contents.last.as_ref().is_none_or(Last::is_clean);
    if !clean || !survey.left_over.is_empty() {
        directory.sync().map_err(failed("sync"))?;
    }
    for name in &survey.left_over {
        directory.remove(name).map_err(failed("clean up"))?;
    }
    let mut report = Recovery {
        commits: progress.commits,
        segments: count(survey.segments.len()),
        checkpoint: survey.checkpoint.and_then(|_| Revision::try_from(progress.covered).ok()),
        entries: progress.entries,
        bytes: progress.bytes,
        clean: true,
        cut: None,
        ignored: progress.ignored,
        unmarked: progress.unmarked,
        removed: count(survey.left_over.len()),
        // Who opens goes on after this.
        elapsed: Duration::ZERO,
    };
    let identity = progress.identity.unwrap_or_else(Identity::random);
    let signature = Signature { codec: codec.field, identity, seed: identity::random() };
    let checkpoint = survey.checkpoint;
    let opening = Opening { directory, options, signature, lock, checkpoint };
    let Contents { last, footprint } = contents;
    let Some(last) = last else {
        directory.sync_parents().map_err(failed("sync the parent of"))?;
        return opening.start(None, first_revision - 1, footprint, report);
    };
    report.cut = last.cut;
    if clean {
        let newest = progress.newest.max(first_revision - 1);
        return Ok(opening.go_on(last, newest, footprint, report));
    }
    report.clean = false;
    last.make_durable().map_err(failed("sync the last segment in"))?;
    let newest = progress.floor.max(progress.newest).max(first_revision - 1);
    opening.start(Some(&last), newest, footprint, report)
}

/// What was read, and applied.
struct Contents {
    /// The last segment, if there is any.
    last: Option<Last>,
    footprint: Footprint,
}

/// The last segment, read.
struct Last {
    number: u64,
    epoch: u64,
    file: Box<dyn File>,
    bytes: Vec<u8>,
    scan: Scan,
    newest: u64,
    cut: Option<Cut>,
}

/// Reads the whole log, and changes nothing.
fn read(
    directory: &dyn Directory,
    codec: &Codec,
    survey: &Survey,
    progress: &mut Progress,
    apply: &mut Apply<'_>,
) -> Result<Contents, OpenError> {
    let checkpoint = match survey.checkpoint {
        Some(number) => Some(read_checkpoint(directory, codec, number, progress, apply)?),
        None => None,
    };
    let mut footprint = Footprint::new(progress.bytes);
    let mut numbers = survey.segments.iter().copied();
    let Some(first) = numbers.next() else { return Ok(Contents { last: None, footprint }) };
    let mut current = Loaded::load(directory, codec, first, progress)?;
    check_first(&current.header, checkpoint.as_ref())?;
    for number in numbers {
        let next = Loaded::load(directory, codec, number, progress)?;
        let end = next.header.previous;
        let scan = current.scan(Some(end.offset), progress, apply)?;
        let name = (Kind::Segment, current.header.number);
        if scan.end != end {
            let what = "it is not the segment that the next one continues";
            return Err(corrupt(name, u64::from(scan.end.offset), what));
        }
        current.after_end(end, &next.header, progress)?;
        footprint.close(current.header.number, count(current.bytes.len()));
        current = next;
    }
    let scan = current.scan(None, progress, apply)?;
    let number = current.header.number;
    if progress.newest < progress.covered {
        let what = "commits that the checkpoint proves to have been synced are missing";
        return Err(corrupt((Kind::Segment, number), u64::from(scan.end.offset), what));
    }
    let cut = current.torn_tail(scan.end.offset)?;
    let Loaded { header, file, bytes, .. } = current;
    let newest = progress.newest;
    let last = Last { number, epoch: header.epoch, file, bytes, scan, newest, cut };
    Ok(Contents { last: Some(last), footprint })
}

/// Whether a segment is the one that the log begins with.
fn check_first(first: &Header, checkpoint: Option<&Header>) -> Result<(), OpenError> {
    let what = match checkpoint {
        None if first.previous != End::default() => "the first segment names one before it",
        Some(checkpoint) if first.epoch != checkpoint.next_epoch => {
            "it is not the segment that continues the checkpoint"
        }
        Some(checkpoint) if first.newest > checkpoint.newest => {
            "the checkpoint does not reach to where it begins"
        }
        _ => return Ok(()),
    };
    Err(corrupt((Kind::Segment, first.number), 0, what))
}

/// What is needed to go on.
struct Opening<'a> {
    directory: &'a Arc<dyn Directory>,
    options: &'a Options,
    signature: Signature,
    lock: Box<dyn Debug + Send>,
    checkpoint: Option<u64>,
}

impl Opening<'_> {
    /// Starts a new segment after the `last` one, with revisions above `newest`.
    fn start(
        self,
        last: Option<&Last>,
        newest: u64,
        mut footprint: Footprint,
        report: Recovery,
    ) -> Result<Recovered, OpenError> {
        let Self { directory, options, signature, lock, checkpoint } = self;
        let failed = |action| move |source| io_error(&**directory, action, source);
        let number = last.map_or(1, |last| last.number + 1);
        let allocated = (64 << 10).min(options.segment_bytes);
        let next = NextSegment::prepare(directory, number, signature, allocated)
            .map_err(failed("create a segment in"))?;
        // The header reserves the first block, so that a new segment can be written to at once.
        let floor = next_floor(newest, options.revision_block);
        let header = Header {
            kind: Kind::Segment,
            codec: signature.codec,
            number,
            epoch: next.epoch,
            identity: signature.identity,
            floor,
            newest,
            previous: last.map_or(End::default(), |last| last.scan.end),
            next_epoch: 0,
        };
        let (header, chain) = header.encode();
        let position = Position {
            epoch: next.epoch,
            offset: header::LEN,
            chain,
            synced: header::LEN,
            allocated: next.allocated,
        };
        let file = next.publish(&**directory, &header).map_err(failed("create a segment in"))?;
        if let Some(last) = last {
            let mark = Continued { number, epoch: position.epoch };
            let mark = mark.encode(last.epoch, last.scan.end, last.newest);
            let end = end_segment(&*last.file, &mark, last.scan.end.offset)
                .map_err(failed("end the last segment in"))?;
            footprint.close(last.number, end);
        }
        let allocated = position.allocated;
        Ok(Recovered {
            writer: Writer::new(Arc::clone(directory), (file, number, allocated), signature, lock),
            position,
            footprint,
            checkpoint,
            reopened: None,
            newest,
            floor,
            report,
        })
    }

    /// Goes on in the last segment, after its close mark, without touching it: space and revisions are taken with the
    /// first commit.
    fn go_on(self, last: Last, newest: u64, footprint: Footprint, report: Recovery) -> Recovered {
        let Self { directory, signature, lock, checkpoint, .. } = self;
        let offset = usize::try_from(last.scan.end.offset).expect("it was read into memory");
        let reopened = last.unproven().to_vec();
        let open = (last.file, last.number, last.bytes.len());
        Recovered {
            writer: Writer::new(Arc::clone(directory), open, signature, lock),
            position: Position {
                epoch: last.epoch,
                offset,
                chain: last.scan.end.chain,
                synced: offset - reopened.len(),
                allocated: offset,
            },
            footprint,
            checkpoint,
            reopened: Some(reopened),
            newest,
            floor: newest,
            report,
        }
    }
}

impl Last {
    /// Whether the log was closed in good order: the close mark ends the file. If there is anything behind it, and be it zeros,
    /// somebody went on after that close.
    fn is_clean(&self) -> bool {
        self.scan.closed && usize::try_from(self.scan.end.offset) == Ok(self.bytes.len())
    }

    /// Writes what nothing proves to be synced once more, and syncs. After a failed sync the kernel may hold
    /// such pages as clean although the disk never got them; writing makes them dirty again.
    fn make_durable(&self) -> io::Result<()> {
        write_all_at(&*self.file, self.unproven(), u64::from(self.scan.proven))?;
        self.file.sync()
    }

    /// The end of the log that no frame proves to be synced.
    fn unproven(&self) -> &[u8] {
        let range =
            usize::try_from(self.scan.proven).ok().zip(usize::try_from(self.scan.end.offset).ok());
        range.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default()
    }
}
