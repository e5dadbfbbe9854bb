//! Reading a log back: what is whole, what was cut, what is damaged. See `FORMAT.md`, "Recovery".
//!
//! Nothing but an empty lock file is created, and nothing is changed, before everything has been read and found
//! good.

use std::fmt::Debug;
use std::io;

use crate::codec::CodecError;
use crate::error::OpenError;
use crate::identity::{self, Identity};
use crate::storage::{Directory, File, write_all_at};
use crate::sync::Arc;

use super::record::Operation;
use super::scan::{Codec, Loaded, Progress, Scan, corrupt};
use super::segment::{self, Name};
use super::tail::{Position, next_floor};
use super::writer::{NextSegment, Signature, Writer, count};

/// What opening a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// How many commits were read.
    pub commits: u64,
    /// How many segments the log had.
    pub segments: u64,
    /// Whether the log had been closed in good order (a new one counts as such). If not, the revisions
    /// reserved at the time are skipped.
    pub clean: bool,
    /// A torn tail that was cut: what the last batches before an unclean stop had written, and nothing proves
    /// to have been synced.
    pub cut: Option<Cut>,
}

/// A torn tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The number of the segment.
    pub segment: u64,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes were written there.
    pub bytes: u64,
}

/// Installs one commit.
pub(crate) type Apply<'a> = dyn FnMut(u64, &[Operation<'_>]) -> Result<(), CodecError> + 'a;

/// A log that was read and is ready to be written.
pub(super) struct Recovered {
    pub(super) writer: Writer,
    pub(super) position: Position,
    pub(super) identity: Identity,
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
    codec: &'static str,
    first_revision: u64,
    first_allocation: usize,
    apply: &mut Apply<'_>,
) -> Result<Recovered, OpenError> {
    let failed = |action| move |source| io_error(&**directory, action, source);
    directory.create().map_err(failed("create"))?;
    list(&**directory)?;
    let lock = directory.lock(segment::LOCK).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked { path: directory.path().to_owned() },
        _ => failed("lock")(error),
    })?;
    let Listing { segments, unfinished } = list(&**directory)?;

    let codec = Codec { name: codec, field: segment::codec_field(codec) };
    let mut progress = Progress::default();
    let last = read_segments(&**directory, &codec, &segments, &mut progress, apply)?;

    for name in unfinished {
        directory.remove(&name).map_err(failed("clean up"))?;
    }
    let mut report = Recovery {
        commits: progress.commits,
        segments: u64::try_from(segments.len()).unwrap_or(u64::MAX),
        clean: true,
        cut: None,
    };
    let mut signature =
        Signature { codec: codec.field, identity: Identity::default(), seed: identity::random() };
    let (next, newest, previous) = match last {
        None => {
            directory.sync_parents().map_err(failed("sync the parent of"))?;
            signature.identity = Identity::random();
            (1, first_revision - 1, segment::End::default())
        }
        Some(last) => {
            signature.identity = progress.identity.unwrap_or_default();
            report.cut = last.cut;
            if last.scan.closed && last.cut.is_none() {
                let newest = progress.newest.max(first_revision - 1);
                return Ok(last.reopen(
                    directory,
                    signature,
                    lock,
                    newest,
                    (report, progress.bytes),
                ));
            }
            report.clean = false;
            last.make_durable().map_err(failed("sync the last segment in"))?;
            let newest = progress.floor.max(progress.newest).max(first_revision - 1);
            (last.number + 1, newest, last.scan.end)
        }
    };
    let start = NextSegment::prepare(directory, next, signature, first_allocation)
        .map_err(failed("create a segment in"))?;
    // The header reserves the first block, so that a new segment can be written to at once.
    let floor = next_floor(newest);
    let header = segment::Header {
        codec: signature.codec,
        number: next,
        epoch: start.epoch,
        identity: signature.identity,
        floor,
        newest,
        previous,
    };
    let (header, chain) = header.encode();
    let position = Position {
        epoch: start.epoch,
        offset: segment::HEADER_LEN,
        chain,
        synced: segment::HEADER_LEN,
        allocated: start.allocated,
    };
    let start_bytes = start.allocated;
    let file = start.publish(&**directory, &header).map_err(failed("create a segment in"))?;
    Ok(Recovered {
        writer: Writer::new(Arc::clone(directory), file, next, signature, lock)
            .with_files(progress.bytes, start_bytes),
        position,
        identity: signature.identity,
        reopened: None,
        newest,
        floor,
        report,
    })
}

fn io_error(directory: &dyn Directory, action: &'static str, source: io::Error) -> OpenError {
    OpenError::Io { action, path: directory.path().to_owned(), source }
}

struct Listing {
    /// In ascending order, without a gap, from 1.
    segments: Vec<u64>,
    unfinished: Vec<String>,
}

fn list(directory: &dyn Directory) -> Result<Listing, OpenError> {
    let names = directory.list().map_err(|source| io_error(directory, "list", source))?;
    let mut listing = Listing { segments: Vec::new(), unfinished: Vec::new() };
    for name in names {
        match Name::of(&name) {
            Name::Segment(number) => listing.segments.push(number),
            Name::Unfinished => listing.unfinished.push(name),
            Name::Lock | Name::Tolerated => {}
            Name::Foreign => {
                return Err(OpenError::ForeignFile { path: directory.path().join(name) });
            }
        }
    }
    listing.segments.sort_unstable();
    for (expected, number) in (1..).zip(&listing.segments) {
        if *number != expected {
            return Err(OpenError::MissingSegment { segment: expected });
        }
    }
    Ok(listing)
}

/// The last segment, read.
struct Last {
    number: u64,
    epoch: u64,
    file: Box<dyn File>,
    bytes: Vec<u8>,
    scan: Scan,
    cut: Option<Cut>,
}

fn read_segments(
    directory: &dyn Directory,
    codec: &Codec,
    numbers: &[u64],
    progress: &mut Progress,
    apply: &mut Apply<'_>,
) -> Result<Option<Last>, OpenError> {
    let mut numbers = numbers.iter().copied().peekable();
    let Some(first) = numbers.next() else { return Ok(None) };
    let mut current = Loaded::load(directory, codec, first, progress)?;
    if current.header.previous != segment::End::default() {
        return Err(corrupt(first, 0, "the first segment names one before it"));
    }
    for number in numbers {
        let next = Loaded::load(directory, codec, number, progress)?;
        let end = next.header.previous;
        let scan = current.scan(Some(end.offset), progress, apply)?;
        if scan.end != end {
            return Err(corrupt(
                current.number,
                u64::from(scan.end.offset),
                "it is not the segment that the next one continues",
            ));
        }
        current = next;
    }
    let scan = current.scan(None, progress, apply)?;
    let cut = current.torn_tail(scan.end.offset)?;
    Ok(Some(Last {
        number: current.number,
        epoch: current.header.epoch,
        file: current.file,
        bytes: current.bytes,
        scan,
        cut,
    }))
}

impl Last {
    /// Goes on in this segment, after its close mark, without touching it: space and revisions are taken with the
    /// first commit.
    fn reopen(
        self,
        directory: &Arc<dyn Directory>,
        signature: Signature,
        lock: Box<dyn Debug + Send>,
        newest: u64,
        (report, bytes): (Recovery, u64),
    ) -> Recovered {
        let offset = usize::try_from(self.scan.end.offset).expect("it was read into memory");
        let reopened = self.unproven().to_vec();
        Recovered {
            writer: Writer::new(Arc::clone(directory), self.file, self.number, signature, lock)
                .with_files(bytes.saturating_sub(count(self.bytes.len())), self.bytes.len()),
            position: Position {
                epoch: self.epoch,
                offset,
                chain: self.scan.end.chain,
                synced: offset - reopened.len(),
                allocated: offset,
            },
            identity: signature.identity,
            reopened: Some(reopened),
            newest,
            floor: newest,
            report,
        }
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
