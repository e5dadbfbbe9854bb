//! The files of one log, opened together: what is removed afterwards can still be read.

use std::io;

use crate::log::header::Kind;
use crate::log::names::{self, Name};
use crate::storage::{Directory, File};

/// How often the files are listed again because one of them was gone before it could be opened.
const ATTEMPTS: u32 = 100;

/// An open file of the log.
pub(super) struct Pinned {
    pub(super) kind: Kind,
    pub(super) number: u64,
    pub(super) file: Box<dyn File>,
}

impl Pinned {
    fn open(directory: &dyn Directory, kind: Kind, number: u64) -> io::Result<Self> {
        Ok(Self { kind, number, file: directory.open_to_read(&kind.name(number))? })
    }

    pub(super) fn name(&self) -> String {
        self.kind.name(self.number)
    }
}

/// The log's files: a checkpoint, if there is one, and the segments that continue it.
#[derive(Default)]
pub(super) struct Files {
    /// In the order in which they are to be read.
    pub(super) files: Vec<Pinned>,
    /// The first segment that should be there.
    pub(super) first: u64,
    /// Some segment is missing.
    has_gap: bool,
    pub(super) left_over: Vec<String>,
    pub(super) foreign: Vec<String>,
}

impl Files {
    /// Opens all at one moment, between two clean-ups.
    pub(super) fn open(directory: &dyn Directory) -> io::Result<Self> {
        let mut attempts = 0..ATTEMPTS;
        let mut had_gap = false;
        loop {
            let is_last = attempts.next().is_none();
            match Self::attempt(directory) {
                // One may have been removed between the listing and now. The directory itself was there.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !is_last => {
                    directory.list()?;
                }
                // A listing that is made during a clean-up may have neither the segments nor what replaces them.
                Ok(files) if files.has_gap && !had_gap => had_gap = true,
                done => return done,
            }
        }
    }

    fn attempt(directory: &dyn Directory) -> io::Result<Self> {
        let mut all = Self::default();
        let (mut segments, mut checkpoints) = (Vec::new(), Vec::new());
        for name in directory.list()? {
            match Name::of(&name) {
                Name::Segment(number) => segments.push(number),
                Name::Checkpoint(number) => checkpoints.push(number),
                Name::Unfinished => all.left_over.push(name),
                Name::Lock | Name::Backup | Name::Tolerated => {}
                Name::Foreign => all.foreign.push(name),
            }
        }
        segments.sort_unstable();
        checkpoints.sort_unstable();
        let checkpoint = checkpoints.pop();
        let first = checkpoint.unwrap_or(1);
        all.first = first;
        all.left_over.extend(checkpoints.into_iter().map(names::checkpoint));
        let replaced = segments.partition_point(|number| *number < first);
        all.left_over.extend(segments.drain(..replaced).map(names::segment));

        if let Some(number) = checkpoint {
            all.files.push(Pinned::open(directory, Kind::Checkpoint, number)?);
        }
        let mut expected = first;
        for number in &segments {
            all.has_gap |= *number != expected;
            all.files.push(Pinned::open(directory, Kind::Segment, *number)?);
            expected = number.saturating_add(1);
        }
        all.has_gap |= checkpoint.is_some() && segments.is_empty();
        Ok(all)
    }

    /// Whether there is the segment `number`, or a checkpoint that replaced it.
    pub(super) fn has_had(directory: &dyn Directory, number: u64) -> io::Result<bool> {
        let is_it = |name: &String| match Name::of(name) {
            Name::Segment(at) => at == number,
            Name::Checkpoint(at) => at > number,
            _ => false,
        };
        // A listing that is made while a checkpoint replaces another may have neither.
        for _ in 0..ATTEMPTS {
            if directory.list()?.iter().any(is_it) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
