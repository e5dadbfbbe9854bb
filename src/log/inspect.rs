//! Reading a log from outside: without changing anything, whatever the codec, and past damage.
//!
//! [`recover`](super::recovery) stops at the first thing that is wrong; this says it and goes on. It takes no lock, so a
//! server may be writing meanwhile. What that can look like is not mistaken for damage:
//!
//! - all files are opened at once, so that what a clean-up removes can still be read (`pinned`);
//! - what the newest of these segments ends with is read again before anything is said of it: a read that overlaps a write
//!   may see the later part of it and not the earlier one, one after it does not;
//! - a segment that comes later is not read. So the reading ends, however fast somebody writes; and what was acknowledged
//!   before it began is in it.

mod pinned;
mod report;
mod segment;
#[cfg(all(test, not(ifmatch_model)))]
#[allow(clippy::unwrap_used, clippy::unimplemented, reason = "a test may panic")]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use crate::revision::Revision;
use crate::storage::{Directory, File, read_at_most};

use self::pinned::{Files, Pinned};
pub use self::report::{Beyond, CheckpointFile, Damage, Inspection};
use super::checkpoint::{self, Entry, Fault, IMPOSSIBLE_ENTRY};
use super::header::{self, Header, Kind, Unreadable};
use super::record::Operation;

/// Something that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    /// An entry of the checkpoint.
    Entry(Entry<'a>),
    /// A commit. If the checkpoint has it already it is `covered`.
    Commit { revision: u64, operations: &'a [Operation<'a>], covered: bool },
    /// Revisions up to this one are reserved.
    Reserve(u64),
    /// The log was closed in good order.
    Close,
    /// A later segment exists.
    Continued,
    /// Something cannot be read.
    Damage(&'a Damage),
}

/// Where something was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    /// The codec of keys and values; empty if no header says it yet.
    pub(crate) codec: &'a str,
    /// In bytes from the start of the file; of an entry that of its block.
    pub(crate) offset: u64,
}

/// Is told what is found, in order.
pub(crate) trait Visitor {
    /// Something was found.
    fn found(&mut self, _place: Place<'_>, _found: Found<'_>) -> Result<(), Stopped> {
        Ok(())
    }

    /// All of a file was read, and what is before `end` is the log.
    fn file(&mut self, _name: &str, _file: &dyn File, _end: u64) -> Result<(), Stopped> {
        Ok(())
    }

    /// So many bytes were read, of about so many.
    fn progress(&mut self, _done: u64, _total: u64) {}
}

/// The visitor has seen enough.
#[derive(Debug)]
pub(crate) struct Stopped;

/// Why a log could not be read to its end.
#[derive(Debug)]
pub(crate) enum InspectError {
    Io { action: &'static str, path: PathBuf, source: io::Error },
    NewerFormat { file: String, found: u16 },
    Stopped,
}

impl From<Stopped> for InspectError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// Reads all of the log in `directory`.
pub(crate) fn inspect(
    directory: &dyn Directory,
    visitor: &mut dyn Visitor,
) -> Result<Inspection, InspectError> {
    let files = Files::open(directory).map_err(|source| InspectError::Io {
        action: "read",
        path: directory.path().to_owned(),
        source,
    })?;
    let mut walk = Walk {
        directory,
        visitor,
        report: Inspection {
            left_over: files.left_over,
            foreign: files.foreign,
            ..Inspection::default()
        },
        queue: files.files.into(),
        expected: files.first,
        newest: 0,
        covered: 0,
        checkpoint: None,
        end: 0,
        named: false,
        done: 0,
        total: 0,
    };
    for pinned in &walk.queue {
        walk.total += pinned.file.len().map_err(failed(directory, "read", pinned))?;
    }
    walk.run()?;
    Ok(walk.finish())
}

/// The state of one reading.
struct Walk<'a> {
    directory: &'a dyn Directory,
    visitor: &'a mut dyn Visitor,
    report: Inspection,
    /// The files that are still to be read.
    queue: VecDeque<Pinned>,
    /// The number of the segment that comes next.
    expected: u64,
    /// The newest revision of the segments.
    newest: u64,
    /// The revision of the checkpoint.
    covered: u64,
    /// What the checkpoint says, until the segment that continues it was read.
    checkpoint: Option<Header>,
    /// Where the frames of the last segment end.
    end: u64,
    /// Identity and codec are known: some header named them.
    named: bool,
    /// How many bytes were read, and how many there are.
    done: u64,
    total: u64,
}

fn failed(
    directory: &dyn Directory,
    action: &'static str,
    pinned: &Pinned,
) -> impl FnOnce(io::Error) -> InspectError {
    let path = directory.path().join(pinned.name());
    move |source| InspectError::Io { action, path, source }
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), InspectError> {
        while let Some(pinned) = self.queue.pop_front() {
            match pinned.kind {
                Kind::Checkpoint => self.checkpoint(&pinned)?,
                Kind::Segment => {
                    if pinned.number != self.expected {
                        self.missing(self.expected)?;
                    }
                    self.segment(&pinned)?;
                    self.expected = pinned.number.saturating_add(1);
                }
            }
        }
        // A checkpoint is never without the segment that continues it.
        if self.report.checkpoint.is_some() && self.report.segments == 0 {
            self.missing(self.expected)?;
        } else if self.newest < self.covered && self.report.damage.is_empty() {
            self.damage(Damage {
                file: Kind::Segment.name(self.report.last_segment),
                offset: self.end,
                bytes: 0,
                what: "commits that the checkpoint proves to have been synced are missing",
                revision: None,
            })?;
        }
        Ok(())
    }

    fn finish(self) -> Inspection {
        let mut report = self.report;
        report.newest = self.newest.max(self.covered);
        report.bytes = self.done;
        report.highest = report.highest.max(report.newest).max(report.floor);
        if report.damage.is_empty() {
            report.whole_to = Some(report.newest);
        }
        report
    }

    fn missing(&mut self, number: u64) -> Result<(), InspectError> {
        self.damage(Damage {
            file: Kind::Segment.name(number),
            offset: 0,
            bytes: 0,
            what: "it is missing",
            revision: None,
        })
    }

    fn damage(&mut self, damage: Damage) -> Result<(), InspectError> {
        if self.report.damage.is_empty() {
            let whole = self.newest.max(self.covered);
            self.report.whole_to = (whole > 0).then_some(whole);
        }
        self.report.highest = self.report.highest.max(damage.revision.unwrap_or(0));
        let place = Place { file: &damage.file, codec: &self.report.codec, offset: damage.offset };
        self.visitor.found(place, Found::Damage(&damage))?;
        self.report.damage.push(damage);
        Ok(())
    }

    fn read(&mut self, bytes: u64) {
        self.done += bytes;
        self.total = self.total.max(self.done);
        self.visitor.progress(self.done, self.total);
    }

    /// The header at the start of a file and its checksum, if it holds and fits the others.
    fn header(
        &mut self,
        pinned: &Pinned,
    ) -> Result<Result<(Header, u32), &'static str>, InspectError> {
        let mut bytes = [0; header::LEN];
        let read = read_at_most(&*pinned.file, &mut bytes, 0).map_err(failed(
            self.directory,
            "read",
            pinned,
        ))?;
        let (header, chain) = match Header::decode(pinned.kind, &bytes[..read]) {
            Ok(decoded) => decoded,
            Err(Unreadable::Damaged(what)) => return Ok(Err(what)),
            Err(Unreadable::NewerFormat(found)) => {
                return Err(InspectError::NewerFormat { file: pinned.name(), found });
            }
        };
        self.report.format = self.report.format.max(u16::from_le_bytes([bytes[8], bytes[9]]));
        if header.number != pinned.number {
            return Ok(Err("its header has another number than its name"));
        }
        if header.newest.max(header.floor) > Revision::MAX.get() {
            return Ok(Err("its revisions are too large"));
        }
        let codec = String::from_utf8_lossy(&header.codec).trim_end_matches('\0').to_owned();
        if !std::mem::replace(&mut self.named, true) {
            (self.report.identity, self.report.codec) = (header.identity, codec);
        } else if header.identity != self.report.identity {
            return Ok(Err("it belongs to another store"));
        } else if codec != self.report.codec {
            return Ok(Err("it has another codec"));
        }
        Ok(Ok((header, chain)))
    }

    fn checkpoint(&mut self, pinned: &Pinned) -> Result<(), InspectError> {
        let name = pinned.name();
        let directory = self.directory;
        let unreadable = |source| failed(directory, "read", pinned)(source);
        let len = pinned.file.len().map_err(unreadable)?;
        let mut found = CheckpointFile {
            file: name.clone(),
            segment: pinned.number,
            revision: 0,
            entries: 0,
            lost_entries: None,
            bytes: len,
        };
        let header = self.header(pinned)?;
        let epoch = match header {
            Ok((header, _)) => {
                found.revision = header.newest;
                self.covered = header.newest;
                self.report.floor = header.floor;
                self.checkpoint = Some(header);
                Some(header.epoch)
            }
            Err(what) => {
                self.damaged_checkpoint(&name, 0, u64::from(header::FIRST_FRAME), what)?;
                None
            }
        };
        self.read(u64::from(header::FIRST_FRAME).min(len));
        let mut reader = checkpoint::Reader::new(&*pinned.file, len, epoch);
        loop {
            let offset = reader.offset();
            let fault = match reader.next_block() {
                Ok(None) => break,
                Ok(Some(entries)) => {
                    // Without the header its revision is not known.
                    let newest = epoch.map_or(Revision::MAX.get(), |_| self.covered);
                    if entries.iter().all(|entry| entry.can_be(newest)) {
                        for entry in entries {
                            self.report.highest = self.report.highest.max(entry.revision);
                            let place = Place { file: &name, codec: &self.report.codec, offset };
                            self.visitor.found(place, Found::Entry(entry))?;
                        }
                        None
                    } else {
                        Some(IMPOSSIBLE_ENTRY)
                    }
                }
                Err(Fault::Damaged(what)) => {
                    let resumed = reader.skip_damage().map_err(unreadable)?;
                    self.damaged_checkpoint(&name, offset, reader.offset() - offset, what)?;
                    self.read(reader.offset() - offset);
                    if resumed { continue } else { break }
                }
                Err(Fault::Io(error)) => return Err(unreadable(error)),
            };
            if let Some(what) = fault {
                self.damaged_checkpoint(&name, offset, reader.offset() - offset, what)?;
            }
            self.read(reader.offset() - offset);
        }
        // The end block, which the reader does not go beyond.
        self.read(len.saturating_sub(reader.offset()));
        found.entries = reader.entries();
        found.lost_entries =
            reader.stated_entries().map(|stated| stated.saturating_sub(found.entries));
        self.report.checkpoint = Some(found);
        if self.report.damage.is_empty() {
            self.visitor.file(&name, &*pinned.file, len)?;
        }
        Ok(())
    }

    /// A checkpoint is one whole: of one that is damaged anywhere nothing is whole.
    fn damaged_checkpoint(
        &mut self,
        file: &str,
        offset: u64,
        bytes: u64,
        what: &'static str,
    ) -> Result<(), InspectError> {
        let is_first = self.report.damage.is_empty();
        let file = file.to_owned();
        self.damage(Damage { file, offset, bytes, what, revision: None })?;
        if is_first {
            self.report.whole_to = None;
        }
        Ok(())
    }
}
