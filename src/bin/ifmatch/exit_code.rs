//! What the process exits with, so that a script can tell what to do next.
//!
//! # Invariants
//! - A number keeps its meaning for ever; what is new gets a new one.
//! - [`TABLE`] has a line for each.

use std::process::ExitCode;

use ifmatch::client::{ClientError, Outcome};
use ifmatch::maintenance::MaintenanceError;

/// For `--help`.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  done
  1  failed otherwise
  2  wrong arguments; nothing was sent (with --resume only the question which store it is)
  3  conflict: the state disagrees (409, 412); what is there now is said, and was not written over (an import has written
     the lines before it)
  4  no such key
  5  no or wrong credentials, or not allowed (401, 403): what the server tells a client; serve, whose etcd refuses its
     user, is 1
  6  no connection, the server is too busy, or the log is in use; nothing was done, so trying again is safe
  7  compacted: what was asked for is not kept any more (410)
  8  outcome unknown: the write may have taken place; read before writing again
  9  damaged: the log is not as it was written";

/// How a subcommand ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed,
    Usage,
    Conflict,
    NotFound,
    Denied,
    Unreachable,
    Compacted,
    OutcomeUnknown,
    Damaged,
}

impl Exit {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Conflict => 3,
            Self::NotFound => 4,
            Self::Denied => 5,
            Self::Unreachable => 6,
            Self::Compacted => 7,
            Self::OutcomeUnknown => 8,
            Self::Damaged => 9,
        }
    }

    /// What an error of a call means; `writes` is whether the call was to change something.
    pub(crate) fn of(error: &ClientError, writes: bool) -> Self {
        if writes && error.is_outcome_unknown() {
            return Self::OutcomeUnknown;
        }
        match error {
            ClientError::InvalidKey(_) | ClientError::InvalidArgument(_) => Self::Usage,
            ClientError::Conflict(_) | ClientError::Contended { .. } => Self::Conflict,
            ClientError::Compacted { .. } => Self::Compacted,
            ClientError::Problem(problem) if problem.slug() == "not-found" => Self::NotFound,
            ClientError::Problem(problem) => Self::of_status(problem.status()),
            ClientError::Unexpected(answer) => Self::of_status(answer.status()),
            ClientError::Transport(error) if error.outcome() == Outcome::NotSent || !writes => {
                Self::Unreachable
            }
            _ => Self::Failed,
        }
    }

    /// What it means that work on a log was not done.
    pub(crate) fn of_maintenance(error: &MaintenanceError) -> Self {
        match error {
            MaintenanceError::Damaged(_) | MaintenanceError::NothingWhole { .. } => Self::Damaged,
            MaintenanceError::Locked { .. } => Self::Unreachable,
            MaintenanceError::NotEmpty { .. } | MaintenanceError::Changed { .. } => Self::Conflict,
            MaintenanceError::Inside { .. } | MaintenanceError::RevisionsExhausted { .. } => {
                Self::Usage
            }
            _ => Self::Failed,
        }
    }

    /// What a status means whoever gave it. What is stored is told by the server itself only: a 404 may be of a URL that is
    /// wrong, a 409 of a proxy.
    fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Denied,
            429 | 502..=504 => Self::Unreachable,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
