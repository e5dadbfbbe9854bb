//! Reading one segment: which frames are whole, and what follows the last of them. See `FORMAT.md`, "Recovery".

use crate::error::OpenError;
use crate::identity::Identity;
use crate::revision::Revision;
use crate::storage::{Directory, File, read_all};

use super::frame::{self, Kind};
use super::record;
use super::recovery::{Apply, Cut};
use super::segment::{self, Unreadable};

/// What the segments have said so far.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) newest: u64,
    pub(super) floor: u64,
    pub(super) identity: Option<Identity>,
    pub(super) commits: u64,
    /// What the files have, together.
    pub(super) bytes: u64,
}

/// Where reading one segment's frames ended.
pub(super) struct Scan {
    pub(super) end: segment::End,
    /// Some whole frame says that it was synced up to here.
    pub(super) proven: u32,
    /// The last whole frame is a close mark.
    pub(super) closed: bool,
}

/// The codec that the log has to have been written with.
pub(super) struct Codec {
    pub(super) name: &'static str,
    pub(super) field: [u8; 16],
}

/// One segment in memory, its header checked.
pub(super) struct Loaded {
    pub(super) number: u64,
    pub(super) header: segment::Header,
    pub(super) chain: u32,
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
        progress.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
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
    pub(super) fn scan(
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

pub(super) fn corrupt(segment: u64, offset: u64, what: &'static str) -> OpenError {
    OpenError::Corrupt { segment, offset, what }
}
