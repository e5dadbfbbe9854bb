//! Why a write did not take place, and why a store did not open.
//!
//! A failed write is one of three things, and callers handle them differently: the race was lost
//! ([`Conflict`]: merge and try again), the store refused ([`Refused`]: nothing was written), or nobody knows what
//! became of it ([`OutcomeUnknown`]: the log failed while it was on its way: read after a restart; or a store elsewhere did
//! not answer: read now).

use std::error::Error;
use std::fmt;
use std::io;
#[cfg(feature = "log")]
use std::path::PathBuf;
use std::sync::Arc;

use crate::capability::Capability;
use crate::cause::Cause;
use crate::codec::CodecError;
use crate::conflict::Conflict;
use crate::history::HistoryError;
use crate::revision::Revision;

/// Why a write did not succeed.
#[non_exhaustive]
pub enum WriteError<K, V> {
    /// The precondition failed; nothing was written.
    Conflict(Conflict<K, V>),
    /// The store could not take the write; nothing was written.
    Refused(Refused<V>),
    /// The write may or may not have taken place: the log failed while it was on its way, and it may be there after a
    /// restart; or a store elsewhere did not answer, and it may be there now.
    OutcomeUnknown(OutcomeUnknown),
}

impl<K, V> WriteError<K, V> {
    /// The conflict, if that is what it was.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict<K, V>> {
        match self {
            Self::Conflict(conflict) => Some(conflict),
            _ => None,
        }
    }

    /// The conflict, if that is what it was, by value; else the error again.
    ///
    /// # Errors
    /// The error itself, if it is not a conflict.
    pub fn into_conflict(self) -> Result<Conflict<K, V>, Self> {
        match self {
            Self::Conflict(conflict) => Ok(conflict),
            other => Err(other),
        }
    }

    /// The value that was certainly not written. `None` for a delete and for an unknown outcome.
    #[must_use]
    pub fn into_rejected(self) -> Option<V> {
        match self {
            Self::Conflict(conflict) => conflict.into_parts().1,
            Self::Refused(refused) => refused.rejected.map(|value| *value),
            Self::OutcomeUnknown(_) => None,
        }
    }
}

impl<K, V> fmt::Display for WriteError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(conflict) => conflict.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
            Self::OutcomeUnknown(unknown) => unknown.fmt(f),
        }
    }
}

impl<K, V> fmt::Debug for WriteError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(conflict) => f.debug_tuple("Conflict").field(conflict).finish(),
            Self::Refused(refused) => f.debug_tuple("Refused").field(refused).finish(),
            Self::OutcomeUnknown(unknown) => {
                f.debug_tuple("OutcomeUnknown").field(unknown).finish()
            }
        }
    }
}

/// Its `Display` is that of the variant, whose own `source` it passes on.
impl<K, V> Error for WriteError<K, V> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Conflict(_) => None,
            Self::Refused(refused) => Error::source(&refused.reason),
            Self::OutcomeUnknown(unknown) => Error::source(unknown),
        }
    }
}

/// The store could not take a write; nothing was written, and the value can be had back from
/// [`WriteError::into_rejected`].
pub struct Refused<V> {
    reason: Reason,
    rejected: Option<Box<V>>,
}

impl<V> Refused<V> {
    /// For backends of your own: a refusal, with the value that was not written.
    #[must_use]
    pub fn new(reason: Reason, rejected: Option<V>) -> Self {
        Self { reason, rejected: rejected.map(Box::new) }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Why, by value.
    #[must_use]
    pub fn into_reason(self) -> Reason {
        self.reason
    }
}

impl<V> fmt::Display for Refused<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the write was refused: {}", self.reason)
    }
}

impl<V> fmt::Debug for Refused<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<V> Error for Refused<V> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Error::source(&self.reason)
    }
}

/// Why the store could not take a write.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The store holds as many keys as its builder allows; updates and deletes still work.
    #[error("the store holds {max} keys, its limit")]
    TooManyKeys {
        /// The limit.
        max: u64,
    },
    /// Key and value together encode to more than the builder's limit for one record.
    #[error("the record takes {bytes} bytes, the limit is {max}")]
    RecordTooLarge {
        /// What the record would take, in bytes.
        bytes: u64,
        /// The limit, in bytes.
        max: u64,
    },
    /// The request is larger than a backend that is elsewhere takes. It does not tell what its limit is.
    #[error("the request, with {bytes} bytes of keys and values, is larger than the backend takes")]
    RequestTooLarge {
        /// The keys and values in it, in bytes.
        bytes: u64,
    },
    /// The transaction writes a key twice.
    #[error("writes {first} and {second} of the transaction are of the same key")]
    DuplicateKey {
        /// The place of one among the writes, from 0.
        first: usize,
        /// The place of the other.
        second: usize,
    },
    /// The transaction has more preconditions and writes than a transaction may have. A backend that is elsewhere may count
    /// otherwise: a range that is to be unchanged as each of its keys, for example.
    #[error("the transaction has {operations} operations, the limit is {max}")]
    TooManyOperations {
        /// How many it has.
        operations: usize,
        /// How many it may have.
        max: usize,
    },
    /// Others were faster each time, a hundred times in a row: try again later.
    #[error("too many others write the same keys and ranges")]
    Contended,
    /// Revision 2^53 - 1 has been used: there is no next one.
    #[error("the largest revision has been used")]
    RevisionsExhausted,
    /// Key or value could not be encoded.
    #[error("the record could not be encoded")]
    Encode(#[source] CodecError),
    /// Key or value were encoded, but what came out does not decode, so that the log could not be opened again. Compact
    /// codecs cannot read types that skip fields or that decide while decoding what they are (`skip_serializing_if`,
    /// untagged and flattened types, `serde_json::Value`).
    #[error("the encoded record does not decode again")]
    Unreadable(#[source] CodecError),
    /// Nothing was written, and what is to be told of what is there is not of the types that a
    /// `Typed` backend was told.
    #[error("what is there is not of the backend's types")]
    Undecodable(#[source] CodecError),
    /// There was no room on the disk for the log to grow. Nothing is broken: it works again once
    /// there is.
    #[error("the log cannot grow")]
    NoSpace(#[source] Arc<io::Error>),
    /// An earlier write or sync of the log failed: the store serves reads only, until it is reopened.
    #[error("the store is read-only since its log failed")]
    Poisoned(#[source] LogFailure),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A backend cannot do this.
    #[error("the backend does not support {0}")]
    Unsupported(Capability),
    /// A backend that is elsewhere has no room. Transactions that only delete, and deletes of one key, still work.
    #[error("the backend has no room")]
    Full(#[source] Cause),
    /// A backend that is elsewhere could not be reached, or answered that it takes no writes now.
    #[error("the backend is not available")]
    Unavailable(#[source] Cause),
    /// A backend that is elsewhere does not let this in: a name or a password is wrong, or a permission is missing. It is no
    /// different the next time, until somebody changes that.
    #[error("the backend does not allow it")]
    Denied(#[source] Cause),
}

/// Whether the write took place cannot be known now.
///
/// Of a store in this process: its log failed after the write was ordered and before it was durable. It is read-only from
/// then on, and does not show the write; after a restart it may be there. Of a store elsewhere: no answer came.
#[derive(Clone, Debug, thiserror::Error)]
pub struct OutcomeUnknown {
    revision: Option<Revision>,
    #[source]
    cause: Cause,
}

impl OutcomeUnknown {
    /// For backends of your own: nobody knows what became of the write, because of `cause`.
    pub fn new(revision: Option<Revision>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { revision, cause: Cause::new(cause) }
    }

    /// The revision that the write has if it survived, where that is known. No other commit will ever have it.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.revision
    }
}

impl fmt::Display for OutcomeUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => {
                write!(f, "the outcome of the write at revision {revision} is unknown")
            }
            None => f.write_str("the outcome of the write is unknown"),
        }
    }
}

/// A write or sync of the log that failed. It is never retried, because after a failed `fsync` the
/// kernel may call pages clean that never reached the disk (Rebello et al., "Can Applications Recover
/// from fsync Failures?", USENIX ATC 2020).
#[derive(Clone, Debug, thiserror::Error)]
#[error("{action} failed")]
pub struct LogFailure {
    action: &'static str,
    #[source]
    cause: Arc<io::Error>,
}

impl LogFailure {
    pub(crate) fn new(action: &'static str, cause: io::Error) -> Self {
        Self { action, cause: Arc::new(cause) }
    }

    /// The I/O error.
    #[must_use]
    pub fn io_error(&self) -> &io::Error {
        &self.cause
    }
}

/// Why something could not be read from a [backend](https://docs.rs/ifmatch/latest/ifmatch/trait.Backend.html).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The revision asked for cannot be read.
    #[error(transparent)]
    Revision(#[from] HistoryError),
    /// The backend cannot do this.
    #[error("the backend does not support {0}")]
    Unsupported(Capability),
    /// The backend could not be reached, or answered that it cannot be read now.
    #[error("the backend is not available")]
    Unavailable(#[source] Cause),
    /// The backend does not let this in: a name or a password is wrong, or a permission is missing. It is no different the
    /// next time, until somebody changes that.
    #[error("the backend does not allow it")]
    Denied(#[source] Cause),
    /// What is stored is not of the types that a `Typed` backend was told.
    #[error("what is stored is not of the backend's types")]
    Undecodable(#[source] CodecError),
}

/// Why [`sync`](crate::Store::sync) or [`close`](crate::Store::close) failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The log failed, now or earlier: what was not yet durable may be lost.
    #[error("the log failed")]
    Failed(#[source] LogFailure),
    /// The store was closed before.
    #[error("the store is closed")]
    Closed,
}

#[cfg(feature = "log")]
/// Why the log could not be compacted. It goes on as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// Another compaction is under way.
    #[error("a compaction is under way")]
    Running,
    /// The store was closed, before or meanwhile.
    #[error("the store is closed")]
    Closed,
    /// The log failed, now or earlier.
    #[error("the log failed")]
    Failed(#[source] LogFailure),
    /// The file system refused: there may be no space for the checkpoint.
    #[error("cannot write the checkpoint, or remove what it replaces")]
    Io(#[source] io::Error),
    /// A key or a value cannot be encoded any more, or not read back.
    #[error("cannot encode an entry")]
    Encode(#[source] CodecError),
}

#[cfg(feature = "log")]
/// Why a store did not open. The log in the directory is as it was; at most a lock file, or a segment without a commit,
/// has come or gone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
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
    /// Another store, in this process or another, has the directory open.
    #[error("{} is in use by another process or store", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds a file that is not the store's, so it is probably the wrong directory.
    #[error("{} is not part of a store: is this the right directory?", path.display())]
    ForeignFile {
        /// The file.
        path: PathBuf,
    },
    /// The directory is a [backup](crate::maintenance::backup()): a store that was opened on it would use revisions again that
    /// its original has used since. [`restore`](crate::maintenance::restore()) makes a store of it.
    #[error("{} is a backup: it is to be restored, not opened", path.display())]
    IsBackup {
        /// The directory.
        path: PathBuf,
    },
    /// The log was written by a newer version of the crate.
    #[error("the log has format {found}, this version reads up to {supported}")]
    NewerFormat {
        /// The log's.
        found: u16,
        /// The newest that this version reads.
        supported: u16,
    },
    /// The log was written with another codec.
    #[error("the log is encoded with {found:?}, the store was opened with {expected:?}")]
    OtherCodec {
        /// The log's.
        found: String,
        /// The one that the store was opened with.
        expected: &'static str,
    },
    /// A segment, or a checkpoint, is damaged where the log itself proves that it had been written and synced.
    #[error("{file} is damaged at byte {offset}: {what}")]
    Corrupt {
        /// The segment's number; of a checkpoint, that of the segment that continues it.
        segment: u64,
        /// The name of the file.
        file: String,
        /// Where the damage begins, in bytes from the start of the file.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A segment is not there, though what is there proves that it was.
    #[error("segment {segment} is missing")]
    MissingSegment {
        /// The segment's number.
        segment: u64,
    },
    /// A record is whole, but does not decode into the store's key and value types.
    #[error(
        "the record at byte {offset} of {file} does not decode into the store's types: was it written with others?"
    )]
    Decode {
        /// The segment's number; of a checkpoint, that of the segment that continues it.
        segment: u64,
        /// The name of the file.
        file: String,
        /// Where the record begins, in bytes from the start of the file.
        offset: u64,
        /// Why.
        source: CodecError,
    },
    /// A thread could not be started.
    #[error("cannot start a thread of the log")]
    Thread(#[source] io::Error),
}
