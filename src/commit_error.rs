//! Why a transaction did not take place.

use std::error::Error;
use std::fmt;

use crate::conflict::Conflict;
use crate::error::{OutcomeUnknown, Reason};
use crate::revision::Revision;
use crate::txn::Txn;

/// Why a transaction was not committed. Unless its outcome is unknown nothing of it was written, and
/// [`into_txn`](Self::into_txn) gives it back.
#[non_exhaustive]
pub enum CommitError<K, V> {
    /// Preconditions do not hold.
    #[non_exhaustive]
    Conflicts {
        /// All that do not hold, by index, as they were at one revision.
        conflicts: Vec<Conflict<K, V>>,
        /// What was not committed.
        txn: Box<Txn<K, V>>,
    },
    /// The store could not take the transaction.
    #[non_exhaustive]
    Refused {
        /// Why.
        reason: Reason,
        /// What was not committed.
        txn: Box<Txn<K, V>>,
    },
    /// Whether a range is unchanged since a revision is not known any more. What follows it was not looked at, and
    /// conflicts before it are not told.
    #[non_exhaustive]
    Compacted {
        /// The index of the precondition.
        index: usize,
        /// The oldest revision since which it is known.
        oldest: Revision,
        /// What was not committed.
        txn: Box<Txn<K, V>>,
    },
    /// Whether a range is unchanged since a revision is not known, because the store has not come to that revision. As for
    /// [`Compacted`](Self::Compacted), nothing else is told.
    #[non_exhaustive]
    Future {
        /// The index of the precondition.
        index: usize,
        /// The newest revision.
        newest: Revision,
        /// What was not committed.
        txn: Box<Txn<K, V>>,
    },
    /// All of the transaction or nothing of it may be there: the log failed while it was on its way, and it may be there
    /// after a restart; or a store elsewhere did not answer, and it may be there now.
    OutcomeUnknown(OutcomeUnknown),
}

/// For backends of your own.
impl<K, V> CommitError<K, V> {
    /// Preconditions of `txn` do not hold: `conflicts`, at least one, in the order of their indices.
    #[must_use]
    pub fn conflicting(conflicts: Vec<Conflict<K, V>>, txn: Txn<K, V>) -> Self {
        Self::Conflicts { conflicts, txn: Box::new(txn) }
    }

    /// The backend could not take `txn`.
    #[must_use]
    pub fn refused(reason: Reason, txn: Txn<K, V>) -> Self {
        Self::Refused { reason, txn: Box::new(txn) }
    }

    /// Whether the range of precondition `index` is unchanged is known only since `oldest`.
    #[must_use]
    pub fn compacted(index: usize, oldest: Revision, txn: Txn<K, V>) -> Self {
        Self::Compacted { index, oldest, txn: Box::new(txn) }
    }

    /// Precondition `index` names a revision of the future.
    #[must_use]
    pub fn future(index: usize, newest: Revision, txn: Txn<K, V>) -> Self {
        Self::Future { index, newest, txn: Box::new(txn) }
    }
}

impl<K, V> CommitError<K, V> {
    /// The first precondition that does not hold, if that is what it was.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict<K, V>> {
        self.conflicts().first()
    }

    /// All preconditions that do not hold, by index; empty if it was something else.
    #[must_use]
    pub fn conflicts(&self) -> &[Conflict<K, V>] {
        match self {
            Self::Conflicts { conflicts, .. } => conflicts,
            _ => &[],
        }
    }

    /// Why the store could not take it, if that is what it was.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// Whether others were faster: another attempt may commit.
    pub(crate) fn is_overtaken(&self) -> bool {
        match self {
            Self::Conflicts { .. }
            | Self::Compacted { .. }
            | Self::Refused { reason: Reason::Contended, .. } => true,
            Self::Refused { .. } | Self::Future { .. } | Self::OutcomeUnknown(_) => false,
        }
    }

    /// The transaction, which was certainly not committed; `None` if the outcome is unknown. (If it had nothing to write,
    /// and was refused because the log failed, it comes back empty.)
    #[must_use]
    pub fn into_txn(self) -> Option<Txn<K, V>> {
        match self {
            Self::Conflicts { txn, .. }
            | Self::Refused { txn, .. }
            | Self::Compacted { txn, .. }
            | Self::Future { txn, .. } => Some(*txn),
            Self::OutcomeUnknown(_) => None,
        }
    }
}

impl<K, V> fmt::Display for CommitError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflicts { conflicts, .. } => match conflicts.as_slice() {
                [first] => write!(f, "precondition {}: {first}", first.index()),
                [first, rest @ ..] => {
                    write!(f, "precondition {}: {first}; and {} more", first.index(), rest.len())
                }
                [] => f.write_str("a precondition does not hold"),
            },
            Self::Refused { reason, .. } => write!(f, "the transaction was refused: {reason}"),
            Self::Compacted { index, oldest, .. } => {
                write!(f, "precondition {index}: changes are known only since revision {oldest}")
            }
            Self::Future { index, newest, .. } => {
                write!(f, "precondition {index}: the newest revision is {newest}")
            }
            Self::OutcomeUnknown(unknown) => unknown.fmt(f),
        }
    }
}

impl<K, V> fmt::Debug for CommitError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflicts { conflicts, .. } => {
                f.debug_tuple("Conflicts").field(conflicts).finish()
            }
            Self::Refused { reason, .. } => f.debug_tuple("Refused").field(reason).finish(),
            Self::Compacted { index, oldest, .. } => f
                .debug_struct("Compacted")
                .field("index", index)
                .field("oldest", oldest)
                .finish_non_exhaustive(),
            Self::Future { index, newest, .. } => f
                .debug_struct("Future")
                .field("index", index)
                .field("newest", newest)
                .finish_non_exhaustive(),
            Self::OutcomeUnknown(unknown) => {
                f.debug_tuple("OutcomeUnknown").field(unknown).finish()
            }
        }
    }
}

/// Its `Display` has that of the reason, whose own `source` it passes on.
impl<K, V> Error for CommitError<K, V> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused { reason, .. } => reason.source(),
            Self::OutcomeUnknown(unknown) => unknown.source(),
            _ => None,
        }
    }
}

/// What the closure of [`Store::transact`](crate::Store::transact) returns to give up: an error of the application, or
/// of the transaction itself.
///
/// Every error type converts into it, so that `?` works in the closure; therefore it is not itself an error, as in the
/// crate `anyhow`. What is not a type that implements `Error` (`Box<dyn Error + Send + Sync>`, a string, `anyhow::Error`)
/// goes in by `map_err(TxError::new)`.
pub struct TxError(pub(crate) Cause);

pub(crate) enum Cause {
    Application(Box<dyn Error + Send + Sync>),
    /// The transaction has too many operations: so many.
    TooManyOperations(usize),
}

impl TxError {
    /// Gives up for a reason of the application's. The same as `error.into()`.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Cause::Application(error.into()))
    }

    /// The application's error, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        match &self.0 {
            Cause::Application(error) => error.downcast_ref(),
            Cause::TooManyOperations(_) => None,
        }
    }

    /// The application's error by value, if it is an `E`.
    ///
    /// # Errors
    /// The error itself, if it is not.
    pub fn downcast<E: Error + 'static>(self) -> Result<E, Self> {
        match self.0 {
            Cause::Application(error) => match error.downcast() {
                Ok(error) => Ok(*error),
                Err(error) => Err(Self(Cause::Application(error))),
            },
            Cause::TooManyOperations(_) => Err(self),
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for TxError {
    fn from(error: E) -> Self {
        Self(Cause::Application(Box::new(error)))
    }
}

impl fmt::Display for TxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Application(error) => error.fmt(f),
            Cause::TooManyOperations(_) => f.write_str("the transaction has too many operations"),
        }
    }
}

impl fmt::Debug for TxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Application(error) => error.fmt(f),
            Cause::TooManyOperations(_) => f.write_str("TooManyOperations"),
        }
    }
}

/// Why [`Store::transact`](crate::Store::transact) did not commit.
#[non_exhaustive]
pub enum TransactError<K, V> {
    /// The closure gave up, with an error of its own. What it had read is durable.
    Aborted(Box<dyn Error + Send + Sync>),
    /// The commit failed: after all attempts it still met other writes, or the store could not take it.
    Commit(CommitError<K, V>),
}

impl<K, V> TransactError<K, V> {
    /// The application's error, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::Aborted(error) => error.downcast_ref(),
            Self::Commit(_) => None,
        }
    }

    /// The application's error by value, if it is an `E`.
    ///
    /// # Errors
    /// The error itself, if it is not.
    pub fn downcast<E: Error + 'static>(self) -> Result<E, Self> {
        match self {
            Self::Aborted(error) => match error.downcast() {
                Ok(error) => Ok(*error),
                Err(error) => Err(Self::Aborted(error)),
            },
            commit @ Self::Commit(_) => Err(commit),
        }
    }

    /// The first key or range that others changed each time, if that is what it was.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict<K, V>> {
        self.conflicts().first()
    }

    /// What others changed before the last attempt; empty if it was something else.
    #[must_use]
    pub fn conflicts(&self) -> &[Conflict<K, V>] {
        match self {
            Self::Aborted(_) => &[],
            Self::Commit(error) => error.conflicts(),
        }
    }
}

impl<K, V> fmt::Display for TransactError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(_) => f.write_str("the transaction gave up"),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

impl<K, V> fmt::Debug for TransactError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(error) => f.debug_tuple("Aborted").field(error).finish(),
            Self::Commit(error) => f.debug_tuple("Commit").field(error).finish(),
        }
    }
}

/// The application's error is its source, so that reporters show it, and what looks through the sources finds it.
impl<K, V> Error for TransactError<K, V> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Aborted(error) => Some(&**error),
            Self::Commit(error) => error.source(),
        }
    }
}
