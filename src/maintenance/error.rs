//! Why work on a log's directory was not done.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::log::{InspectError, Inspection};

/// Why work on a log's directory was not done. Nothing was changed, unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaintenanceError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// There is no log in the directory.
    #[error("there is no log in {}", path.display())]
    NoLog {
        /// The directory.
        path: PathBuf,
    },
    /// The store is in memory.
    #[error("the store is in memory: there is no log")]
    InMemory,
    /// A store has the directory open, or a copy is being made there.
    #[error("{} is in use by another process or store", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A newer version wrote it.
    #[error("{file} has format {found}, this version reads up to {supported}")]
    NewerFormat {
        /// The file.
        file: String,
        /// Its format.
        found: u16,
        /// The newest that this version reads.
        supported: u16,
    },
    /// The log is damaged, or has files that are not its own.
    #[error("{}", first_of(.0))]
    Damaged(Box<Inspection>),
    /// Nothing is damaged: there is nothing to repair.
    #[error("{} is sound: there is nothing to repair", path.display())]
    NothingToRepair {
        /// The directory.
        path: PathBuf,
    },
    /// The checkpoint is damaged, or what the log begins with: no state is whole.
    #[error(
        "nothing before the damage is whole: {entries} entries and {commits} commits can still be read one by one; if only \
         entries of the checkpoint are lost, all others can be kept (--without-lost-entries)"
    )]
    NothingWhole {
        /// How many entries of the checkpoint can be read.
        entries: u64,
        /// How many commits can be.
        commits: u64,
    },
    /// What was found is not what was planned for.
    #[error("{} has changed since it was looked at", path.display())]
    Changed {
        /// The directory.
        path: PathBuf,
    },
    /// Something is there already.
    #[error("{} is there already, and not empty", path.display())]
    NotEmpty {
        /// Where.
        path: PathBuf,
    },
    /// The destination is within the log's directory, where only the log's files may be.
    #[error("{} is within the log's directory", path.display())]
    Inside {
        /// The destination.
        path: PathBuf,
    },
    /// There would be no revision left above those that may have been handed out.
    #[error(
        "revision {highest} was used and {bump} may have been since: past 2^53 - 1 there is none"
    )]
    RevisionsExhausted {
        /// The highest that is known.
        highest: u64,
        /// How many above it are left out.
        bump: u64,
    },
    /// The log could not be opened.
    #[error("cannot open the log")]
    Open(#[source] OpenError),
    /// The log could not be compacted.
    #[error("cannot compact the log")]
    Compact(#[source] crate::error::CompactError),
    /// The log could not be closed in good order.
    #[error("cannot close the log")]
    Close(#[source] crate::error::SyncError),
}

impl MaintenanceError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Of a visitor that never stops by itself.
    pub(super) fn of(error: InspectError) -> Self {
        match error {
            InspectError::Io { action, path, source } => Self::Io { action, path, source },
            InspectError::NewerFormat { file, found } => {
                Self::NewerFormat { file, found, supported: crate::log::FORMAT_VERSION }
            }
            InspectError::Stopped => unreachable!("the visitor does not stop"),
        }
    }
}

impl From<OpenError> for MaintenanceError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Locked { path } => Self::Locked { path },
            other => Self::Open(other),
        }
    }
}

/// The first thing that is wrong, and how many more there are.
fn first_of(inspection: &Inspection) -> String {
    let first = match (inspection.damage.first(), inspection.foreign.first()) {
        (Some(damage), _) => damage.to_string(),
        (None, Some(file)) => format!("{file} is not part of a store"),
        (None, None) => "it is damaged".to_owned(),
    };
    match inspection.damage.len() + inspection.foreign.len() {
        0 | 1 => first,
        more => format!("{first}; and {} more", more - 1),
    }
}
