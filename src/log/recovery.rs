//! Reading a log back: what is whole, what was cut, what is damaged. See `FORMAT.md`, "Recovery".
//!
//! Nothing but an empty lock file is created, and nothing is changed, before everything has been read and found
//! good.

use std::fmt::Debug;
use std::io;

use crate::codec::CodecError;
use crate::error::OpenError;
use crate::identity::{self, Identity};
use crate::revision::Revision;
use crate::storage::{Directory, File, read_all, write_all_at};
use crate::sync::Arc;

use super::frame::{self, Kind};
use super::record::{self, Operation};
use super::segment::{self, Name, Unreadable};
use super::tail::Position;
use super::writer::{NextSegment, Signature, Writer};

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
    /// Revisions up to this one are used or skipped.
    pub(super) newest: u64,
    pub(super) report: Recovery,
}

/// What the segments have said so far.
#[derive(Default)]
struct Progress {
    newest: u64,
    floor: u64,
    identity: Option<Identity>,
    commits: u64,
}

/// Where reading one segment's frames ended.
struct Scan {
    end: segment::End,
    /// Some whole frame says that it was synced up to here.
    proven: u32,
    /// The last whole frame is a close mark.
    closed: bool,
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
            signature.identity = Identity::random();
            (1, first_revision - 1, segment::End::default())
        }
        Some(last) => {
            signature.identity = progress.identity.unwrap_or_default();
            report.cut = last.cut;
            if last.scan.closed && last.cut.is_none() {
                let newest = progress.newest.max(first_revision - 1);
                return Ok(last.reopen(directory, signature, lock, newest, report));
            }
            report.clean = false;
            last.make_durable().map_err(failed("sync the last segment in"))?;
            let newest = progress.floor.max(progress.newest).max(first_revision - 1);
            (last.number + 1, newest, last.scan.end)
        }
    };
    let start = NextSegment::prepare(directory, next, signature, first_allocation)
        .map_err(failed("create a segment in"))?;
    let header = segment::Header {
        codec: signature.codec,
        number: next,
        epoch: start.epoch,
        identity: signature.identity,
        floor: newest,
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
    let file = start.publish(&**directory, &header).map_err(failed("create a segment in"))?;
    Ok(Recovered {
        writer: Writer::new(Arc::clone(directory), file, next, signature, lock),
        position,
        identity: signature.identity,
        newest,
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

struct Codec {
    name: &'static str,
    field: [u8; 16],
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

/// One segment in memory, its header checked.
struct Loaded {
    number: u64,
    header: segment::Header,
    chain: u32,
    file: Box<dyn File>,
    bytes: Vec<u8>,
}

impl Loaded {
    fn load(
        directory: &dyn Directory,
        codec: &Codec,
        number: u64,
        progress: &mut Progress,
    ) -> Result<Self, OpenError> {
        let path = directory.path().join(segment::name(number));
        let failed = |action| {
            let path = path.clone();
            move |source| OpenError::Io { action, path, source }
        };
        let file = directory.open_file(&segment::name(number)).map_err(failed("open"))?;
        if file.len().map_err(failed("read"))? > u64::from(segment::MAX_LEN) {
            return Err(corrupt(number, 0, "it is larger than a segment can be"));
        }
        let bytes = read_all(&*file).map_err(failed("read"))?;
        let (header, chain) =
            segment::Header::decode(&bytes).map_err(|unreadable| match unreadable {
                Unreadable::Damaged(what) => corrupt(number, 0, what),
                Unreadable::NewerFormat(found) => {
                    OpenError::NewerFormat { found, supported: segment::VERSION }
                }
            })?;
        if header.codec != codec.field {
            let found = String::from_utf8_lossy(&header.codec).trim_end_matches('\0').to_owned();
            return Err(OpenError::OtherCodec { found, expected: codec.name });
        }
        if header.number != number {
            return Err(corrupt(number, 0, "its header has another number than its name"));
        }
        if header.newest.max(header.floor) > Revision::MAX.get() {
            return Err(corrupt(number, 0, "its revisions are too large"));
        }
        if *progress.identity.get_or_insert(header.identity) != header.identity {
            return Err(corrupt(number, 0, "it belongs to another store"));
        }
        Ok(Self { number, header, chain, file, bytes })
    }

    /// Reads whole frames and applies them, up to `end` if the next segment states one, else as far as they go.
    fn scan(
        &self,
        end: Option<u32>,
        progress: &mut Progress,
        apply: &mut Apply<'_>,
    ) -> Result<Scan, OpenError> {
        if self.header.newest < progress.newest {
            return Err(corrupt(self.number, 0, "its revisions go backwards"));
        }
        progress.newest = self.header.newest;
        progress.floor = progress.floor.max(self.header.floor);
        let mut scan = Scan {
            end: segment::End { offset: segment::FIRST_FRAME, chain: self.chain },
            proven: segment::FIRST_FRAME,
            closed: false,
        };
        while end.is_none_or(|end| scan.end.offset < end) {
            let frame = match self.whole_frame(&scan.end, progress.newest) {
                Ok(frame) => frame,
                Err(what) if end.is_some() => {
                    return Err(corrupt(self.number, u64::from(scan.end.offset), what));
                }
                Err(_) => break,
            };
            self.accept(&frame, &scan, progress, apply)?;
            scan.closed = frame.header.kind == Kind::Close;
            scan.proven = scan.proven.max(frame.header.synced);
            scan.end = frame.end;
        }
        Ok(scan)
    }

    /// The frame at `at`, if every one of its bytes is as it was written.
    fn whole_frame(&self, at: &segment::End, newest: u64) -> Result<Frame<'_>, &'static str> {
        let start = usize::try_from(at.offset).map_err(|_| "it is too large")?;
        let bytes = self.bytes.get(start..).ok_or("it is cut short")?;
        let (header, checksum) = frame::Header::decode(bytes).ok_or("there is no frame header")?;
        if header.epoch != self.header.epoch || header.offset != at.offset {
            return Err("the frame belongs elsewhere");
        }
        if header.chain != at.chain {
            return Err("the frame does not continue the one before");
        }
        let payload_len = usize::try_from(header.payload_len).map_err(|_| "it is too large")?;
        let body = bytes
            .get(frame::HEADER_LEN..frame::frame_len(payload_len))
            .ok_or("the frame is cut short")?;
        let (payload, padding) = body.split_at(payload_len);
        if crc32c::crc32c(payload) != header.payload_checksum {
            return Err("the frame's checksum does not hold");
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Err("the frame's padding is not zero");
        }
        let in_order = match header.kind {
            Kind::Commit => header.revision > newest,
            Kind::Reserve | Kind::Close => header.revision >= newest,
        };
        if !in_order || header.revision > Revision::MAX.get() {
            return Err("its revision is out of order");
        }
        let frame_len =
            u32::try_from(frame::frame_len(payload_len)).map_err(|_| "it is too large")?;
        let end = segment::End { offset: at.offset + frame_len, chain: checksum };
        Ok(Frame { header, payload, end })
    }

    fn accept(
        &self,
        frame: &Frame<'_>,
        scan: &Scan,
        progress: &mut Progress,
        apply: &mut Apply<'_>,
    ) -> Result<(), OpenError> {
        let offset = u64::from(scan.end.offset);
        progress.newest = frame.header.revision;
        match frame.header.kind {
            Kind::Commit => {
                let operations = record::operations(frame.payload)
                    .ok_or_else(|| corrupt(self.number, offset, "the commit has no operations"))?;
                apply(frame.header.revision, &operations).map_err(|source| OpenError::Decode {
                    segment: self.number,
                    offset,
                    source,
                })?;
                progress.commits += 1;
            }
            Kind::Reserve => {
                let floor = frame.payload.try_into().map(u64::from_le_bytes).map_err(|_| {
                    corrupt(self.number, offset, "the reservation has another length")
                })?;
                progress.floor = progress.floor.max(floor).min(Revision::MAX.get());
            }
            // Nothing above was handed out, so nothing above is skipped.
            Kind::Close => progress.floor = progress.newest,
        }
        Ok(())
    }

    /// What was written after the last whole frame, if nothing proves that it had been synced.
    fn torn_tail(&self, offset: u32) -> Result<Option<Cut>, OpenError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let tail = self.bytes.get(start..).unwrap_or_default();
        let Some(last) = tail.iter().rposition(|byte| *byte != 0) else { return Ok(None) };
        for at in (start..start + last + 1).step_by(frame::ALIGNMENT).skip(1) {
            if let Some((header, _)) = self.bytes.get(at..).and_then(frame::Header::decode)
                && header.epoch == self.header.epoch
                && usize::try_from(header.offset) == Ok(at)
                && header.synced > offset
            {
                let what = "a later frame proves that it had been synced";
                return Err(corrupt(self.number, u64::from(offset), what));
            }
        }
        let bytes = u64::try_from(last + 1).unwrap_or(u64::MAX);
        Ok(Some(Cut { segment: self.number, offset: u64::from(offset), bytes }))
    }
}

struct Frame<'a> {
    header: frame::Header,
    payload: &'a [u8],
    end: segment::End,
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
        report: Recovery,
    ) -> Recovered {
        let offset = usize::try_from(self.scan.end.offset).expect("it was read into memory");
        Recovered {
            writer: Writer::new(Arc::clone(directory), self.file, self.number, signature, lock),
            position: Position {
                epoch: self.epoch,
                offset,
                chain: self.scan.end.chain,
                synced: offset,
                allocated: offset,
            },
            identity: signature.identity,
            newest,
            report,
        }
    }

    /// Writes what nothing proves to be synced once more, and syncs. After a failed sync the kernel may hold
    /// such pages as clean although the disk never got them; writing makes them dirty again.
    fn make_durable(&self) -> io::Result<()> {
        let range = self.scan.proven..self.scan.end.offset;
        let unproven = usize::try_from(range.start)
            .ok()
            .zip(usize::try_from(range.end).ok())
            .and_then(|(start, end)| self.bytes.get(start..end))
            .unwrap_or_default();
        write_all_at(&*self.file, unproven, u64::from(self.scan.proven))?;
        self.file.sync()
    }
}

fn corrupt(segment: u64, offset: u64, what: &'static str) -> OpenError {
    OpenError::Corrupt { segment, offset, what }
}
