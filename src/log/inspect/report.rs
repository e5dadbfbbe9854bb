//! What looking at a log's directory came to.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::identity::Identity;
use crate::log::recovery::Cut;

/// What is in a log's directory, all of it read.
///
/// Numbers are as of the moment when the reading ended; somebody may be writing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The newest format that one of the files has.
    pub format: u16,
    /// The codec of keys and values.
    pub codec: String,
    /// The identity of the store, in JSON as 32 hexadecimal digits.
    #[serde(serialize_with = "in_hexadecimal")]
    pub identity: Identity,
    /// How many bytes the files have that were read, what is set aside for more included.
    pub bytes: u64,
    /// The checkpoint that the log begins with.
    pub checkpoint: Option<CheckpointFile>,
    /// How many segments there are.
    pub segments: u64,
    /// The number of the newest segment.
    pub last_segment: u64,
    /// How many commits the segments have.
    pub commits: u64,
    /// How many bytes the frames of commits after the checkpoint take.
    pub commit_bytes: u64,
    /// The newest revision: of a commit, or skipped.
    pub newest: u64,
    /// Up to where revisions are reserved: after an unclean stop none of them is handed out again.
    pub floor: u64,
    /// Whether it was closed in good order. If not, a store has it open, or its last one was stopped.
    pub clean: bool,
    /// What was written at the end in part, or is being written now. The next opening cuts it.
    pub torn_tail: Option<Cut>,
    /// How many bytes other than zero follow the ends of segments, where nothing of the log is.
    pub ignored: u64,
    /// Files of an interrupted clean-up or creation, which the next opening removes, or that are being made now.
    pub left_over: Vec<String>,
    /// Files that are not the log's: with them no store opens.
    pub foreign: Vec<String>,
    /// All that is not as it was written.
    pub damage: Vec<Damage>,
    /// What comes after the first damage.
    pub beyond: Beyond,
    /// Up to this revision everything was read before the first damage; `None` if not even the checkpoint is whole.
    pub whole_to: Option<u64>,
    /// The highest revision that anything names, damaged or not.
    pub highest: u64,
}

impl Inspection {
    /// Whether a store opens on this log and finds all that was ever synced.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.foreign.is_empty()
    }

    /// The revision that the next commit has: above all that were handed out or reserved.
    #[must_use]
    pub fn next_revision(&self) -> u64 {
        let floor = if self.clean { 0 } else { self.floor };
        self.newest.max(floor) + 1
    }
}

/// A checkpoint: the whole state at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckpointFile {
    /// The file.
    pub file: String,
    /// The segment that continues it.
    pub segment: u64,
    /// Its revision.
    pub revision: u64,
    /// How many entries it has, of those that can be read.
    pub entries: u64,
    /// How many more it has that cannot be read; `None` if that cannot be read either.
    pub lost_entries: Option<u64>,
    /// How many bytes the file has.
    pub bytes: u64,
}

/// A place in a file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes from there on cannot be read.
    pub bytes: u64,
    /// What is wrong.
    pub what: &'static str,
    /// The revision of the commit that was there, if that can still be read.
    pub revision: Option<u64>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, bytes, what, revision } = self;
        if *offset == 0 && *bytes == 0 {
            return write!(f, "{file}: {what}");
        }
        write!(f, "{file} is damaged at byte {offset}: {what}")?;
        if *bytes > 0 {
            write!(f, "; {bytes} bytes cannot be read")?;
        }
        match revision {
            Some(revision) => write!(f, ", of revision {revision}"),
            None => Ok(()),
        }
    }
}

/// What can be read after the first damage. It is whole by itself, but not the state that it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Beyond {
    /// How many commits, those not counted that the checkpoint has.
    pub commits: u64,
    /// The revision of the first.
    pub first: Option<u64>,
    /// The revision of the last.
    pub last: Option<u64>,
}

fn in_hexadecimal<S: Serializer>(identity: &Identity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(identity)
}
