//! The contract between a store, wherever it is, and what is built on it.
//!
//! It is asynchronous and needs no runtime. Its vocabulary is that of [`Store`](crate::Store): the same preconditions,
//! conflicts, transactions and commits. It knows nothing of HTTP, nor of how a backend does what it promises.

mod local;

use std::future::Future;

use bytes::Bytes;
use futures_core::Stream;

use crate::capability::Capability;
use crate::commit_error::CommitError;
use crate::error::{ReadError, WriteError};
use crate::event::{Commit, WatchError};
use crate::history::KeyHistory;
use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::store::{Deleted, Stats, Written};
use crate::txn::Txn;
use crate::versioned::Versioned;

/// A versioned key-value store that may be elsewhere.
///
/// [`Store`](crate::Store) is one, for every type of key and value. What is written against `B: Backend`, bytes to bytes,
/// runs on all of them; so does the router of `ifmatch::http`. Cloning a backend gives another handle of the same store.
///
/// # What an implementation must hold
///
/// - Revisions are of the whole store, grow with every commit, and are never used twice. A transaction has one revision.
/// - Writes and transactions are linearizable. A precondition is checked in one step with the write, and against the
///   newest state: no stale reads in any loop of compare and swap.
/// - A conflict carries what is there now, and comes only when nothing was written.
/// - What may or may not have been written is [`OutcomeUnknown`](crate::OutcomeUnknown): never a conflict, never a success.
/// - A watch tells every commit since where it began, each once, in order, whole; or says that it cannot.
/// - What it cannot do it refuses ([`Capability`]).
/// - Dropping a future gives up waiting. A write whose future is dropped may or may not take place.
///
/// The suite in `ifmatch::testing::conformance` (feature `testing`) checks it, and is made a test of yours by
/// `backend_conformance!`. What you return has constructors marked "for backends of your own".
///
/// # What is easily missed
///
/// - An empty store is at a revision, too: 1, if nothing was ever written.
/// - What writes nothing takes no revision: a delete of nothing, a transaction of such deletes only, or without writes.
/// - A transaction that writes a key twice, has too many operations, or needs what is not supported, is refused whatever its
///   preconditions are. If a range cannot be judged ([`Compacted`](crate::CommitError::Compacted),
///   [`Future`](crate::CommitError::Future)), that is the answer; conflicts are told only if all could be judged.
/// - A conflict of a put gives back the value that was not written; one of a transaction does not, because the error has
///   the transaction.
/// - Keys are in the order of their bytes; a range whose start lies after its end is empty.
///
/// ```
/// use ifmatch::{Backend, Precondition, Store, WriteError};
///
/// /// Counts in any store, be it here or elsewhere.
/// async fn count<B: Backend<String, u64>>(backend: &B, key: &str) -> Result<u64, Box<dyn std::error::Error>> {
///     let key = key.to_owned();
///     let mut current = Backend::get(backend, &key).await?;
///     loop {
///         let next = current.as_deref().copied().unwrap_or(0) + 1;
///         let unchanged = current.as_ref().map_or(Precondition::Absent, Precondition::from);
///         match backend.put_if(key.clone(), next, unchanged).await {
///             Ok(_) => return Ok(next),
///             Err(WriteError::Conflict(conflict)) => current = conflict.into_parts().0,
///             Err(other) => return Err(other.into()),
///         }
///     }
/// }
///
/// # async fn both() -> Result<(), Box<dyn std::error::Error>> {
/// assert_eq!(count(&Store::new(), "visits").await?, 1);
/// # Ok(()) }
/// ```
///
/// # From one backend to another
///
/// Everything of one revision, page by page, into a store that has none of it, be that on etcd or behind a server. (`ifmatch
/// export` and `import` do this for the documents of servers, and only for these: they know nothing of the types of a program.)
/// Revisions are those of the new store; histories and write counts begin anew. What comes after the snapshot is in
/// `from.watch(KeyRange::all(), Some(snapshot.revision()))`.
///
/// ```
/// use ifmatch::{Backend, BackendSnapshot, KeyRange, Precondition, Store};
///
/// async fn copy<K, V>(from: &impl Backend<K, V>, to: &impl Backend<K, V>) -> Result<(), Box<dyn std::error::Error>>
/// where
///     K: std::fmt::Debug + Send + 'static,
///     V: std::fmt::Debug + Clone + Send + 'static,
/// {
///     let snapshot = from.snapshot().await?;
///     let mut rest = Some(KeyRange::all());
///     while let Some(range) = rest {
///         let page = snapshot.page(range, 1_000).await?;
///         for (key, entry) in page.entries {
///             to.put_if(key, entry.value().clone(), Precondition::Absent).await?;
///         }
///         rest = page.rest;
///     }
///     Ok(())
/// }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let from: Store<String, u64> = Store::new(); // Store::builder().open("data")?
/// let to: Store<String, u64> = Store::new(); // Typed::new(Etcd::connect("etcd://10.0.0.1").await?)
/// for number in 0..2_500 {
///     from.put(format!("{number}"), number)?;
/// }
/// copy(&from, &to).await?;
/// assert_eq!(to.len(), 2_500);
/// # Ok(()) }
/// # let mut run = std::pin::pin!(run());
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(matches!(run.as_mut().poll(&mut context), std::task::Poll::Ready(Ok(()))));
/// ```
pub trait Backend<K = Bytes, V = Bytes>: Clone + Send + Sync + 'static
where
    K: Send,
    V: Send,
{
    /// The state at one revision.
    type Snapshot: BackendSnapshot<K, V>;

    /// Commits, as they come.
    type Watch: BackendWatch<K, V>;

    /// Which store this is: the same for all its handles, another for every other store.
    fn identity(&self) -> Identity;

    /// Whether it can do this: [`Past`](Capability::Past) is [`get_at`](Self::get_at) and
    /// [`snapshot_at`](Self::snapshot_at), the others are named alike. The answer does not change.
    fn supports(&self, capability: Capability) -> bool;

    /// How it is. It may be asked often, and does not wait for writes.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn status(&self) -> impl Future<Output = Result<BackendStatus, ReadError>> + Send;

    /// The newest entry of `key` that may be shown, if there is one.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    fn get(&self, key: &K) -> impl Future<Output = Result<Option<Versioned<V>>, ReadError>> + Send;

    /// The entry that `key` had at `revision`.
    ///
    /// # Errors
    /// [`ReadError::Revision`] if it is not known, [`ReadError::Unsupported`] if none ever is.
    fn get_at(
        &self,
        key: &K,
        revision: Revision,
    ) -> impl Future<Output = Result<Option<Versioned<V>>, ReadError>> + Send;

    /// What is kept of a key's past.
    ///
    /// # Errors
    /// [`ReadError::Unsupported`], [`ReadError::Unavailable`].
    fn history(&self, key: &K) -> impl Future<Output = Result<KeyHistory<V>, ReadError>> + Send;

    /// The newest state that may be shown. Of a [`Store`](crate::Store) it stays readable for as long as the snapshot is kept; a
    /// store elsewhere may forget it earlier, and says so ([`BackendSnapshot::get`]).
    ///
    /// # Errors
    /// [`ReadError::Revision`] if there are too many snapshots.
    fn snapshot(&self) -> impl Future<Output = Result<Self::Snapshot, ReadError>> + Send;

    /// The state at `revision`.
    ///
    /// # Errors
    /// [`ReadError::Revision`] if it is not known, [`ReadError::Unsupported`] if none ever is.
    fn snapshot_at(
        &self,
        revision: Revision,
    ) -> impl Future<Output = Result<Self::Snapshot, ReadError>> + Send;

    /// Puts `value` under `key` if the precondition holds.
    ///
    /// # Errors
    /// As [`Store::put_if`](crate::Store::put_if).
    fn put_if(
        &self,
        key: K,
        value: V,
        precondition: Precondition,
    ) -> impl Future<Output = Result<Written, WriteError<K, V>>> + Send;

    /// Deletes `key` if the precondition holds. `None` if it holds and there was nothing to delete.
    ///
    /// # Errors
    /// As [`Store::delete_if`](crate::Store::delete_if).
    fn delete_if(
        &self,
        key: K,
        precondition: Precondition,
    ) -> impl Future<Output = Result<Option<Deleted<V>>, WriteError<K, V>>> + Send;

    /// Commits `txn` whole, or not at all. Without writes it takes no revision, and returns one at which it holds.
    ///
    /// # Errors
    /// As [`Store::commit`](crate::Store::commit): of all preconditions that do not hold.
    fn commit(
        &self,
        txn: Txn<K, V>,
    ) -> impl Future<Output = Result<Revision, CommitError<K, V>>> + Send;

    /// The commits with changes in `range`, after `since`, or from now on: after the newest revision that is shown when it is
    /// called, which is then its [`position`](BackendWatch::position).
    ///
    /// # Errors
    /// As [`WatchBuilder::open`](crate::WatchBuilder::open); [`WatchError::Unsupported`], [`WatchError::Unavailable`].
    fn watch(
        &self,
        range: KeyRange<K>,
        since: Option<Revision>,
    ) -> impl Future<Output = Result<Self::Watch, WatchError>> + Send;
}

/// The state of a [`Backend`] at one revision.
pub trait BackendSnapshot<K = Bytes, V = Bytes>: Send + Sync + 'static
where
    K: Send,
    V: Send,
{
    /// The revision that it is the state of.
    fn revision(&self) -> Revision;

    /// The entry of `key` at that revision.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`]; [`ReadError::Revision`], [`Compacted`](crate::HistoryError::Compacted), if a store elsewhere
    /// has forgotten the state: etcd when somebody compacts it, a server some time after it was read last.
    fn get(&self, key: &K) -> impl Future<Output = Result<Option<Versioned<V>>, ReadError>> + Send;

    /// The first `limit` entries of `range`, in the order of their keys; none if `limit` is 0.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn page(
        &self,
        range: KeyRange<K>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<K, V>, ReadError>> + Send;
}

/// The commits that a [`Backend`] tells, in order, each once, each whole.
///
/// It goes on after [`WatchError::Lagged`], and ends after an error that [is final](WatchError::is_final).
pub trait BackendWatch<K = Bytes, V = Bytes>:
    Stream<Item = Result<Commit<K, V>, WatchError>> + Send + Unpin + 'static
{
    /// Everything up to this revision was told, or is of no concern to this watch: another can be opened since it. It is
    /// never past what is still to be told, and comes to pass commits of no concern while the watch waits.
    fn position(&self) -> Revision;
}

/// Some entries of a range.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<K = Bytes, V = Bytes> {
    /// The entries, in the order of their keys.
    pub entries: Vec<(K, Versioned<V>)>,
    /// What of the range comes after them; `None` if there is no more entry.
    pub rest: Option<KeyRange<K>>,
}

impl<K, V> Page<K, V> {
    /// For backends of your own: these entries, and what comes after them.
    #[must_use]
    pub fn new(entries: Vec<(K, Versioned<V>)>, rest: Option<KeyRange<K>>) -> Self {
        Self { entries, rest }
    }
}

/// How a [`Backend`] is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BackendStatus {
    /// The newest revision that is shown.
    pub revision: Revision,
    /// Whether it takes writes.
    pub writable: bool,
    /// What it holds, if it is a [`Store`](crate::Store) in this process.
    pub stats: Option<Stats>,
}

impl BackendStatus {
    /// For backends of your own.
    #[must_use]
    pub fn new(revision: Revision, writable: bool) -> Self {
        Self { revision, writable, stats: None }
    }
}
