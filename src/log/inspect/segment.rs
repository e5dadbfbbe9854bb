//! Reading one segment past damage: frames as far as they are whole, then the next place where one is.

use crate::log::frame::{self, ALIGNMENT, Continued};
use crate::log::header::{self, End, Header};
use crate::log::record;
use crate::log::recovery::Cut;
use crate::log::scan::{Frame, whole_frame};
use crate::storage::read_all;

use super::pinned::{Files, Pinned};
use super::{Damage, Found, InspectError, Place, Walk, failed};

/// How often the newest segment is read again at one place before that is said to be damaged. A writer that was held up within
/// a write may be so during a second read, too.
const REREADS: u32 = 4;

/// Where a segment's frames end.
#[derive(Clone, Copy)]
enum Until {
    /// The next segment says where, and how it is named itself.
    Stated(End, Continued),
    /// There is a next segment, but its header cannot be read.
    Unknown,
    /// It is the newest.
    Open,
}

/// One segment, and how far it was read.
struct Reading<'a> {
    pinned: &'a Pinned,
    name: String,
    epoch: u64,
    bytes: Vec<u8>,
    at: End,
    /// After damage it was not known what the next frame continues.
    lost: bool,
    /// The last frame was a close mark.
    closed: bool,
    /// What the log has of it, in bytes from its start.
    whole_to: u64,
}

impl Reading<'_> {
    fn tail(&self) -> &[u8] {
        let start = usize::try_from(self.at.offset).unwrap_or(usize::MAX);
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Whether there is anything but zeros after where it was read to.
    fn is_written(&self) -> bool {
        self.tail().iter().any(|byte| *byte != 0)
    }

    fn frame(&self, at: &End, newest: u64) -> Result<Frame<'_>, &'static str> {
        whole_frame(&self.bytes, self.epoch, at, newest)
    }

    /// The headers of frames of this segment after where it was read to.
    fn later_headers(&self) -> impl Iterator<Item = (u32, frame::Header)> {
        let start = self.at.offset;
        let end = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        (start..end).step_by(ALIGNMENT).skip(1).filter_map(|at| {
            let bytes = self.bytes.get(usize::try_from(at).ok()?..)?;
            let (header, _) = frame::Header::decode(bytes)?;
            (header.epoch == self.epoch && header.offset == at).then_some((at, header))
        })
    }

    /// The next place where a whole frame is.
    fn resume(&self, newest: u64) -> Option<End> {
        self.later_headers()
            .map(|(offset, header)| End { offset, chain: header.chain })
            .find(|at| self.frame(at, newest).is_ok())
    }

    /// The revision of the commit that is damaged here, if its header holds.
    fn revision(&self) -> Option<u64> {
        let (header, _) = frame::Header::decode(self.tail())?;
        let is_here = header.epoch == self.epoch && header.offset == self.at.offset;
        (is_here && header.kind == frame::Kind::Commit).then_some(header.revision)
    }
}

impl Walk<'_> {
    pub(super) fn segment(&mut self, pinned: &Pinned) -> Result<(), InspectError> {
        let mut reading = self.open_segment(pinned)?;
        let until = self.until(pinned.number)?;
        self.frames(&mut reading, until)?;
        self.end_segment(&mut reading, until)
    }

    fn open_segment<'a>(&mut self, pinned: &'a Pinned) -> Result<Reading<'a>, InspectError> {
        let name = pinned.name();
        let file = pinned.file.len().map_err(failed(self.directory, "read", pinned))?;
        let bytes = if file > u64::from(header::MAX_LEN) {
            let what = "it is larger than a segment can be";
            self.damage(Damage {
                file: name.clone(),
                offset: 0,
                bytes: file,
                what,
                revision: None,
            })?;
            Vec::new()
        } else {
            read_all(&*pinned.file).map_err(failed(self.directory, "read", pinned))?
        };
        let header = self.header(pinned)?;
        let (epoch, chain) = match header {
            Ok((header, chain)) => {
                self.check_header(&name, &header)?;
                self.newest = self.newest.max(header.newest);
                self.report.floor = self.report.floor.max(header.floor);
                (header.epoch, chain)
            }
            Err(what) => {
                let bytes_lost = u64::from(header::FIRST_FRAME).min(file);
                let file = name.clone();
                self.damage(Damage { file, offset: 0, bytes: bytes_lost, what, revision: None })?;
                assume_header(&bytes)
            }
        };
        self.report.segments += 1;
        self.report.last_segment = pinned.number;
        self.checkpoint = None;
        let at = End { offset: header::FIRST_FRAME, chain };
        Ok(Reading { pinned, name, epoch, bytes, at, lost: false, closed: false, whole_to: 0 })
    }

    fn check_header(&mut self, name: &str, header: &Header) -> Result<(), InspectError> {
        let is_first = self.report.segments == 0;
        let what = match self.checkpoint.take() {
            Some(checkpoint) if checkpoint.next_epoch != header.epoch => {
                "it is not the segment that continues the checkpoint"
            }
            Some(checkpoint) if header.newest > checkpoint.newest => {
                "the checkpoint does not reach to where it begins"
            }
            None if is_first
                && self.report.checkpoint.is_none()
                && header.previous != End::default() =>
            {
                "the first segment names one before it"
            }
            _ if header.newest < self.newest => "its revisions go backwards",
            _ => return Ok(()),
        };
        let file = name.to_owned();
        self.damage(Damage { file, offset: 0, bytes: 0, what, revision: None })
    }

    /// Where the segment before the one that is read next ends.
    fn until(&mut self, number: u64) -> Result<Until, InspectError> {
        let Some(next) = self.queue.pop_front() else { return Ok(Until::Open) };
        let until = if next.number == number + 1 {
            match self.header(&next)? {
                Ok((header, _)) => Until::Stated(
                    header.previous,
                    Continued { number: next.number, epoch: header.epoch },
                ),
                Err(_) => Until::Unknown,
            }
        } else {
            Until::Unknown
        };
        self.queue.push_front(next);
        Ok(until)
    }

    fn reload(&mut self, reading: &mut Reading<'_>) -> Result<(), InspectError> {
        let failed = failed(self.directory, "read", reading.pinned);
        reading.bytes = read_all(&*reading.pinned.file).map_err(failed)?;
        Ok(())
    }

    /// Reads frames to the end, to a mark that the segment is continued, or to what may be a torn tail.
    fn frames(&mut self, reading: &mut Reading<'_>, until: Until) -> Result<(), InspectError> {
        let mut reread = (reading.at, 0);
        loop {
            if let Until::Stated(end, _) = until
                && reading.at.offset >= end.offset
            {
                return Ok(());
            }
            let at = reading.at;
            match reading.frame(&at, self.newest) {
                Ok(frame) if frame.header.kind == frame::Kind::Continued => {
                    return Ok(());
                }
                Ok(frame) => {
                    let (end, kind) = (frame.end, frame.header.kind);
                    self.accept(&reading.name, at.offset, &frame)?;
                    reading.closed = kind == frame::Kind::Close;
                    reading.at = end;
                    reading.lost = false;
                }
                Err(_) if !matches!(until, Until::Stated(..)) && !reading.is_written() => {
                    return Ok(());
                }
                Err(_) if matches!(until, Until::Open) && reread != (at, REREADS) => {
                    reread = (at, if reread.0 == at { reread.1 + 1 } else { 1 });
                    self.reload(reading)?;
                }
                Err(what) => {
                    if !self.damaged_frame(reading, until, what)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// What is not whole at the place where the reading is: damage, or the end. Returns whether there is something to go on
    /// with.
    fn damaged_frame(
        &mut self,
        reading: &mut Reading<'_>,
        until: Until,
        what: &'static str,
    ) -> Result<bool, InspectError> {
        let offset = reading.at.offset;
        let proven = match until {
            Until::Stated(..) => true,
            Until::Unknown => true,
            Until::Open => reading.later_headers().any(|(_, header)| header.synced > offset),
        };
        if !proven {
            return Ok(false);
        }
        let limit = match until {
            Until::Stated(end, _) => end.offset,
            _ => u32::try_from(reading.bytes.len()).unwrap_or(u32::MAX),
        };
        let resumed = reading.resume(self.newest).filter(|at| at.offset < limit);
        let revision = reading.revision();
        let next = resumed.map_or(limit, |at| at.offset).max(offset);
        let bytes = u64::from(next - offset);
        let file = reading.name.clone();
        self.damage(Damage { file, offset: offset.into(), bytes, what, revision })?;
        reading.at = resumed.unwrap_or(End { offset: next, chain: 0 });
        reading.lost = resumed.is_none();
        reading.closed = false;
        Ok(resumed.is_some())
    }

    fn accept(&mut self, name: &str, offset: u32, frame: &Frame<'_>) -> Result<(), InspectError> {
        let revision = frame.header.revision;
        let frame_bytes = u64::from(frame.end.offset - offset);
        let place = Place { file: name, codec: &self.report.codec, offset: offset.into() };
        let wrong = |what| Damage {
            file: name.to_owned(),
            offset: offset.into(),
            bytes: frame_bytes,
            what,
            revision: Some(revision),
        };
        match frame.header.kind {
            frame::Kind::Commit => {
                let Some(operations) = record::operations(frame.payload) else {
                    self.damage(wrong("the commit has no operations"))?;
                    return Ok(());
                };
                self.newest = revision;
                let covered = revision <= self.covered;
                self.report.commits += 1;
                self.report.commit_bytes += if covered { 0 } else { frame_bytes };
                if !self.report.damage.is_empty() && !covered {
                    let beyond = &mut self.report.beyond;
                    beyond.commits += 1;
                    beyond.first.get_or_insert(revision);
                    beyond.last = Some(revision);
                }
                let operations = &operations;
                self.visitor.found(place, Found::Commit { revision, operations, covered })?;
            }
            frame::Kind::Reserve => {
                let Ok(floor) = frame.payload.try_into().map(u64::from_le_bytes) else {
                    self.damage(wrong("the reservation has another length"))?;
                    return Ok(());
                };
                self.newest = revision;
                let floor = floor.min(crate::revision::Revision::MAX.get());
                self.report.floor = self.report.floor.max(floor);
                self.visitor.found(place, Found::Reserve(floor))?;
            }
            frame::Kind::Close => {
                self.newest = revision;
                self.report.highest = self.report.highest.max(self.report.floor);
                // Nothing above was handed out, so nothing above is skipped.
                self.report.floor = revision;
                self.visitor.found(place, Found::Close)?;
            }
            frame::Kind::Continued => {}
        }
        Ok(())
    }

    /// What follows the last frame.
    fn end_segment(&mut self, reading: &mut Reading<'_>, until: Until) -> Result<(), InspectError> {
        if let Until::Stated(end, _) = until
            && reading.at != end
            && !reading.lost
        {
            let what = "it is not the segment that the next one continues";
            let (file, offset) = (reading.name.clone(), reading.at.offset.into());
            self.damage(Damage { file, offset, bytes: 0, what, revision: None })?;
        }
        let is_continued = self.continued(reading, until)?;
        let rest = reading.tail();
        let written = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let written = u64::try_from(written).unwrap_or(u64::MAX);
        if is_continued || !matches!(until, Until::Open) {
            let ignored = rest.iter().filter(|byte| **byte != 0).count();
            self.report.ignored += u64::try_from(ignored).unwrap_or(u64::MAX);
        } else {
            self.report.clean = reading.closed && rest.is_empty();
            let later = reading.later_headers().map(|(_, header)| header.revision).max();
            self.report.highest = self.report.highest.max(later.unwrap_or(0));
            if written > 0 && !reading.lost {
                self.report.torn_tail = Some(Cut {
                    segment: reading.pinned.number,
                    offset: reading.at.offset.into(),
                    bytes: written,
                });
            }
        }
        self.end = reading.at.offset.into();
        self.read(u64::try_from(reading.bytes.len()).unwrap_or(u64::MAX));
        if self.report.damage.is_empty() {
            self.visitor.file(&reading.name, &*reading.pinned.file, reading.whole_to)?;
        }
        Ok(())
    }

    /// Whether the frames are followed by the mark that the segment is continued; then what follows the mark is looked at next.
    fn continued(&mut self, reading: &mut Reading<'_>, until: Until) -> Result<bool, InspectError> {
        let offset = u64::from(reading.at.offset);
        reading.whole_to = offset;
        let mark = reading.frame(&reading.at, self.newest).ok();
        let Some(mark) = mark.filter(|mark| mark.header.kind == frame::Kind::Continued) else {
            return Ok(false);
        };
        let (named, end) = (Continued::decode(mark.payload), mark.end);
        let place = Place { file: &reading.name, codec: &self.report.codec, offset };
        self.visitor.found(place, Found::Continued)?;
        match until {
            Until::Stated(_, next) if named != Some(next) => {
                let what = "it is continued by another segment";
                let file = reading.name.clone();
                self.damage(Damage { file, offset, bytes: 0, what, revision: None })?;
            }
            Until::Stated(..) => reading.whole_to = end.offset.into(),
            Until::Unknown => {}
            // Only a writer that went on meanwhile can have made the next one, which is not read.
            Until::Open => self.check_continued(reading.pinned.number + 1)?,
        }
        reading.at = end;
        Ok(true)
    }

    /// A segment that is proven to exist is missing, unless it has come since the files were opened, and perhaps gone.
    fn check_continued(&mut self, number: u64) -> Result<(), InspectError> {
        let exists = Files::has_had(self.directory, number).map_err(|source| InspectError::Io {
            action: "list",
            path: self.directory.path().to_owned(),
            source,
        })?;
        if exists { Ok(()) } else { self.missing(number) }
    }
}

/// Epoch and checksum of a header that cannot be read, as the frames have them.
fn assume_header(bytes: &[u8]) -> (u64, u32) {
    let mut frames = (header::LEN..bytes.len()).step_by(ALIGNMENT).filter_map(|at| {
        let (frame, _) = frame::Header::decode(bytes.get(at..)?)?;
        (usize::try_from(frame.offset) == Ok(at)).then_some(frame)
    });
    match frames.next() {
        Some(frame) if frame.offset == header::FIRST_FRAME => (frame.epoch, frame.chain),
        Some(frame) => (frame.epoch, 0),
        None => (0, 0),
    }
}
