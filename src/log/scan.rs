//! Reading one file: a segment's whole frames and what follows the last of them, a checkpoint's blocks. See
//! `FORMAT.md`, "Recovery".

use crate::codec::CodecError;
use crate::error::OpenError;
use crate::identity::Identity;
use crate::revision::Revision;
use crate::storage::{Directory, File, read_all, read_at_most};

use super::checkpoint::{Entry, Fault, IMPOSSIBLE_ENTRY, Reader};
use super::frame::{self, Continued};
use super::header::{self, End, Header, Kind, Unreadable};
use super::record::{self, Operation};
use super::recovery::Cut;

/// What is read from a log, in order: first the entries of a checkpoint, if there is one, then commits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    /// A checkpoint says that it has so many entries, which is not known to be so; it is no more than fit into its file.
    Expected {
        entries: usize,
    },
    Entry(Entry<'a>),
    Commit {
        revision: u64,
        operations: &'a [Operation<'a>],
    },
    /// What was read so far is the state at this revision; what may have been between the last commit and this is not
    /// known.
    Known {
        at: u64,
    },
}

impl Item<'_> {
    /// How many bytes its keys and values have.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.key.len() + entry.value.len(),
            Self::Commit { operations, .. } => operations.iter().map(Operation::bytes).sum(),
            Self::Expected { .. } | Self::Known { .. } => 0,
        }
    }
}

/// Takes one item.
pub(crate) type Apply<'a> = dyn FnMut(Item<'_>) -> Result<(), CodecError> + 'a;

/// What the files have said so far.
#[derive(Default)]
pub(super) struct Progress {
    /// The newest revision of the segments.
    pub(super) newest: u64,
    pub(super) floor: u64,
    pub(super) identity: Option<Identity>,
    /// The revision of the checkpoint: commits up to it are not applied again.
    pub(super) covered: u64,
    /// How many entries the checkpoint has.
    pub(super) entries: u64,
    /// How many commits were applied.
    pub(super) commits: u64,
    /// How many bytes the files have, together.
    pub(super) bytes: u64,
    /// How many bytes follow the ends of segments, zeros and marks not counted.
    pub(super) ignored: u64,
    /// How many segments that are continued lack the mark that says so.
    pub(super) unmarked: u64,
}

/// The codec that the log has to have been written with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codec {
    pub(super) name: &'static str,
    pub(super) field: [u8; 16],
}

impl Codec {
    pub(crate) fn named(name: &'static str) -> Self {
        Self { name, field: header::codec_field(name) }
    }

    /// The one that another log was written with.
    pub(crate) fn same_as(name: &str) -> Self {
        Self { name: "that of the log", field: header::codec_field(name) }
    }
}

/// A file, its header checked.
pub(super) struct Opened {
    pub(super) header: Header,
    /// The checksum of the header.
    pub(super) chain: u32,
    pub(super) file: Box<dyn File>,
    pub(super) len: u64,
}

impl Opened {
    pub(super) fn open(
        directory: &dyn Directory,
        codec: &Codec,
        (kind, number): (Kind, u64),
        progress: &mut Progress,
    ) -> Result<Self, OpenError> {
        let failed = |action| failed(directory, (kind, number), action);
        let file = directory.open_file(&kind.name(number)).map_err(failed("open"))?;
        let len = file.len().map_err(failed("read"))?;
        let mut bytes = [0; header::LEN];
        let read = read_at_most(&*file, &mut bytes, 0).map_err(failed("read"))?;
        progress.bytes += len;
        let damaged = |what| corrupt((kind, number), 0, what);
        let (header, chain) =
            Header::decode(kind, &bytes[..read]).map_err(|unreadable| match unreadable {
                Unreadable::Damaged(what) => damaged(what),
                Unreadable::NewerFormat(found) => {
                    OpenError::NewerFormat { found, supported: header::VERSION }
                }
            })?;
        if header.codec != codec.field {
            let found = String::from_utf8_lossy(&header.codec).trim_end_matches('\0').to_owned();
            return Err(OpenError::OtherCodec { found, expected: codec.name });
        }
        if header.number != number {
            return Err(damaged("its header has another number than its name"));
        }
        if header.newest.max(header.floor) > Revision::MAX.get() {
            return Err(damaged("its revisions are too large"));
        }
        if *progress.identity.get_or_insert(header.identity) != header.identity {
            return Err(damaged("it belongs to another store"));
        }
        Ok(Self { header, chain, file, len })
    }
}

/// Applies the entries of the checkpoint `number`, and returns its header.
pub(super) fn read_checkpoint(
    directory: &dyn Directory,
    codec: &Codec,
    number: u64,
    progress: &mut Progress,
    apply: &mut Apply<'_>,
) -> Result<Header, OpenError> {
    let name = (Kind::Checkpoint, number);
    let Opened { header, file, len, .. } = Opened::open(directory, codec, name, progress)?;
    let mut reader = Reader::new(&*file, len, Some(header.epoch));
    let entries = reader.expected().map_err(failed(directory, name, "read"))?;
    apply(Item::Expected { entries }).map_err(|source| undecodable(name, 0, source))?;
    loop {
        let offset = reader.offset();
        match reader.next_block() {
            Ok(None) => break,
            Ok(Some(entries)) => {
                for entry in entries {
                    if !entry.can_be(header.newest) {
                        return Err(corrupt(name, offset, IMPOSSIBLE_ENTRY));
                    }
                    let applied = apply(Item::Entry(entry));
                    applied.map_err(|source| undecodable(name, offset, source))?;
                }
            }
            Err(Fault::Damaged(what)) => return Err(corrupt(name, reader.offset(), what)),
            Err(Fault::Io(error)) => return Err(failed(directory, name, "read")(error)),
        }
    }
    apply(Item::Known { at: header.newest }).map_err(|source| undecodable(name, 0, source))?;
    progress.entries = reader.entries();
    progress.covered = header.newest;
    progress.floor = header.floor;
    Ok(header)
}

/// Where reading one segment's frames ended.
pub(super) struct Scan {
    pub(super) end: End,
    /// Some whole frame says that it was synced up to here.
    pub(super) proven: u32,
    /// The last whole frame is a close mark.
    pub(super) closed: bool,
}

/// One segment in memory.
pub(super) struct Loaded {
    pub(super) header: Header,
    chain: u32,
    pub(super) file: Box<dyn File>,
    pub(super) bytes: Vec<u8>,
}

impl Loaded {
    pub(super) fn load(
        directory: &dyn Directory,
        codec: &Codec,
        number: u64,
        progress: &mut Progress,
    ) -> Result<Self, OpenError> {
        let name = (Kind::Segment, number);
        let Opened { header, chain, file, len } = Opened::open(directory, codec, name, progress)?;
        if len > u64::from(header::MAX_LEN) {
            return Err(corrupt(name, 0, "it is larger than a segment can be"));
        }
        let bytes = read_all(&*file).map_err(failed(directory, name, "read"))?;
        Ok(Self { header, chain, file, bytes })
    }

    fn corrupt(&self, offset: u32, what: &'static str) -> OpenError {
        corrupt((Kind::Segment, self.header.number), u64::from(offset), what)
    }

    /// Reads whole frames and applies them, up to `end` if the next segment states one, else as far as they go.
    pub(super) fn scan(
        &self,
        end: Option<u32>,
        progress: &mut Progress,
        apply: &mut Apply<'_>,
    ) -> Result<Scan, OpenError> {
        if self.header.newest < progress.newest {
            return Err(self.corrupt(0, "its revisions go backwards"));
        }
        if self.header.newest > progress.newest.max(progress.covered) {
            let known = apply(Item::Known { at: self.header.newest });
            known.map_err(|source| undecodable((Kind::Segment, self.header.number), 0, source))?;
        }
        progress.newest = self.header.newest;
        progress.floor = progress.floor.max(self.header.floor);
        let mut scan = Scan {
            end: End { offset: header::FIRST_FRAME, chain: self.chain },
            proven: header::FIRST_FRAME,
            closed: false,
        };
        while end.is_none_or(|end| scan.end.offset < end) {
            let frame = match self.whole_frame(&scan.end, progress.newest) {
                Ok(frame) => frame,
                Err(what) if end.is_some() => return Err(self.corrupt(scan.end.offset, what)),
                Err(_) => break,
            };
            self.accept(&frame, &scan, progress, apply)?;
            scan.closed = frame.header.kind == frame::Kind::Close;
            scan.proven = scan.proven.max(frame.header.synced);
            scan.end = frame.end;
        }
        Ok(scan)
    }

    /// The frame at `at`, if every one of its bytes is as it was written.
    fn whole_frame(&self, at: &End, newest: u64) -> Result<Frame<'_>, &'static str> {
        whole_frame(&self.bytes, self.header.epoch, at, newest)
    }

    fn accept(
        &self,
        frame: &Frame<'_>,
        scan: &Scan,
        progress: &mut Progress,
        apply: &mut Apply<'_>,
    ) -> Result<(), OpenError> {
        let offset = scan.end.offset;
        let revision = frame.header.revision;
        progress.newest = revision;
        match frame.header.kind {
            frame::Kind::Commit => {
                let operations = record::operations(frame.payload)
                    .ok_or_else(|| self.corrupt(offset, "the commit has no operations"))?;
                if revision > progress.covered {
                    let applied = apply(Item::Commit { revision, operations: &operations });
                    let name = (Kind::Segment, self.header.number);
                    applied.map_err(|source| undecodable(name, u64::from(offset), source))?;
                    progress.commits += 1;
                }
            }
            frame::Kind::Reserve => {
                let floor = frame
                    .payload
                    .try_into()
                    .map(u64::from_le_bytes)
                    .map_err(|_| self.corrupt(offset, "the reservation has another length"))?;
                progress.floor = progress.floor.max(floor).min(Revision::MAX.get());
            }
            // Nothing above was handed out, so nothing above is skipped.
            frame::Kind::Close => progress.floor = progress.newest,
            // It follows the end that the next segment states; so there is none.
            frame::Kind::Continued => {
                return Err(OpenError::MissingSegment { segment: self.header.number + 1 });
            }
        }
        Ok(())
    }

    /// What follows the `end` that the `next` segment states: a mark that names that segment, and nothing else. The mark is
    /// missing if the process stopped before it was written.
    pub(super) fn after_end(
        &self,
        end: End,
        next: &Header,
        progress: &mut Progress,
    ) -> Result<(), OpenError> {
        let mut start = end.offset;
        if let Ok(frame) = self.whole_frame(&end, progress.newest)
            && frame.header.kind == frame::Kind::Continued
        {
            let named = Some(Continued { number: next.number, epoch: next.epoch });
            if Continued::decode(frame.payload) != named {
                return Err(self.corrupt(end.offset, "it is continued by another segment"));
            }
            start = frame.end.offset;
        } else {
            progress.unmarked += 1;
        }
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let rest = self.bytes.get(start..).unwrap_or_default();
        let ignored = rest.iter().filter(|byte| **byte != 0).count();
        progress.ignored += u64::try_from(ignored).unwrap_or(u64::MAX);
        Ok(())
    }

    /// What was written after the last whole frame, if nothing proves that it had been synced.
    pub(super) fn torn_tail(&self, offset: u32) -> Result<Option<Cut>, OpenError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let tail = self.bytes.get(start..).unwrap_or_default();
        let Some(last) = tail.iter().rposition(|byte| *byte != 0) else { return Ok(None) };
        for at in (start..start + last + 1).step_by(frame::ALIGNMENT).skip(1) {
            if let Some((header, _)) = self.bytes.get(at..).and_then(frame::Header::decode)
                && header.epoch == self.header.epoch
                && usize::try_from(header.offset) == Ok(at)
                && header.synced > offset
            {
                return Err(self.corrupt(offset, "a later frame proves that it had been synced"));
            }
        }
        let bytes = u64::try_from(last + 1).unwrap_or(u64::MAX);
        Ok(Some(Cut { segment: self.header.number, offset: u64::from(offset), bytes }))
    }
}

/// The frame at `at` of a segment with this `epoch`, if every one of its bytes is as it was written, and its revision is above
/// `newest`.
pub(super) fn whole_frame<'a>(
    segment: &'a [u8],
    epoch: u64,
    at: &End,
    newest: u64,
) -> Result<Frame<'a>, &'static str> {
    let start = usize::try_from(at.offset).map_err(|_| "it is too large")?;
    let bytes = segment.get(start..).ok_or("it is cut short")?;
    let (header, checksum) = frame::Header::decode(bytes).ok_or("there is no frame header")?;
    if header.epoch != epoch || header.offset != at.offset {
        return Err("the frame belongs elsewhere");
    }
    if header.chain != at.chain {
        return Err("the frame does not continue the one before");
    }
    if header.payload_len > super::MAX_RECORD_BYTES {
        return Err("it is larger than a record can be");
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
        frame::Kind::Commit => header.revision > newest,
        _ => header.revision >= newest,
    };
    if !in_order || header.revision > Revision::MAX.get() {
        return Err("its revision is out of order");
    }
    let frame_len = u32::try_from(frame::frame_len(payload_len)).map_err(|_| "it is too large")?;
    let end = End { offset: at.offset + frame_len, chain: checksum };
    Ok(Frame { header, payload, end })
}

/// A frame that is whole.
pub(super) struct Frame<'a> {
    pub(super) header: frame::Header,
    pub(super) payload: &'a [u8],
    pub(super) end: End,
}

pub(super) fn corrupt((kind, number): (Kind, u64), offset: u64, what: &'static str) -> OpenError {
    OpenError::Corrupt { segment: number, file: kind.name(number), offset, what }
}

fn undecodable((kind, number): (Kind, u64), offset: u64, source: CodecError) -> OpenError {
    OpenError::Decode { segment: number, file: kind.name(number), offset, source }
}

fn failed(
    directory: &dyn Directory,
    (kind, number): (Kind, u64),
    action: &'static str,
) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = directory.path().join(kind.name(number));
    move |source| OpenError::Io { action, path, source }
}
