//! What is asked of a disk, and what can go wrong with it.

use std::fmt;
use std::io;

/// A kind of call to the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Call {
    /// Creating the directory, with its parents.
    Create,
    /// Making it durable that the directory exists.
    SyncParents,
    /// Listing the directory.
    List,
    /// Taking the lock, whose file is created if there is none.
    Lock,
    /// Creating a file.
    CreateFile,
    /// Opening a file.
    OpenFile,
    /// Asking for a file's length.
    Len,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Cutting or extending a file.
    SetLen,
    /// Making a file's content and length durable.
    Sync,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Making creations, renames and removals durable.
    SyncDirectory,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Create,
        Self::SyncParents,
        Self::List,
        Self::Lock,
        Self::CreateFile,
        Self::OpenFile,
        Self::Len,
        Self::Read,
        Self::Write,
        Self::SetLen,
        Self::Sync,
        Self::Rename,
        Self::Remove,
        Self::SyncDirectory,
    ];

    /// Whether it changes nothing.
    fn only_looks(self) -> bool {
        matches!(self, Self::List | Self::OpenFile | Self::Len | Self::Read)
    }

    fn transfers(self) -> bool {
        matches!(self, Self::Read | Self::Write)
    }
}

/// How a call goes wrong.
///
/// Whether and how far a call that fails did its work all the same is up to chance: a part of the bytes may be written,
/// a file created, renamed or removed. A failed sync makes some of the content durable, and all of it clean: a later
/// sync that succeeds does not write it, only writing it again does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// It fails: `EIO`.
    Io,
    /// It fails for want of space: `ENOSPC`.
    NoSpace,
    /// It is interrupted before it did anything: `EINTR`.
    Interrupted,
    /// It reads or writes less than it was asked to, and says so.
    Short,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Io, Self::NoSpace, Self::Interrupted, Self::Short];

    /// Whether that can happen to such a call. A fault planned for another call does nothing.
    #[must_use]
    pub fn applies_to(self, call: Call) -> bool {
        match self {
            Self::Io => true,
            Self::NoSpace => !call.only_looks(),
            // The standard library tries the others again by itself.
            Self::Interrupted | Self::Short => call.transfers(),
        }
    }

    /// The error of a call that fails like this; a short one does not fail.
    pub(super) fn error(self) -> Option<io::Error> {
        match self {
            Self::Io => Some(io::Error::other("the simulated disk failed, as planned")),
            Self::NoSpace => Some(io::ErrorKind::StorageFull.into()),
            Self::Interrupted => Some(io::ErrorKind::Interrupted.into()),
            Self::Short => None,
        }
    }
}

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Step<'a> {
    /// How many calls the disk had before.
    pub number: u64,
    /// What is asked.
    pub call: Call,
    /// Of which file; empty if it is about the directory, or if the file has no name any more. Of a rename it is the old
    /// name.
    pub file: &'a str,
    /// How it will go wrong, if that is planned.
    pub fault: Option<Fault>,
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?} {}", self.number, self.call, self.file)?;
        match self.fault {
            Some(fault) => write!(f, ", {fault:?}"),
            None => Ok(()),
        }
    }
}
