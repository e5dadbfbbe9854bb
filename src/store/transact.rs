//! Transactions as closures: what is read is remembered, and checked when what is written is committed.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;

use triomphe::Arc as Own;

use crate::commit_error::{Cause, CommitError, TransactError, TxError};
use crate::error::Reason;
use crate::key::AsKey;
use crate::precondition::Precondition;
use crate::range::{AsPrefix, AsRange, KeyRange};
use crate::revision::Revision;
use crate::txn::{Requirement, Txn};
use crate::versioned::Versioned;

use super::commit::{Commit, Settled};
use super::pin::Pin;
use super::sequencer::View;
use super::{FastHash, Inner, Store, UPDATE_ATTEMPTS, scan};

/// What a transaction reads: an entry of the store, or what the transaction itself has put.
pub struct Read<V>(Source<V>);

enum Source<V> {
    Stored(Versioned<V>),
    Own(Own<V>),
}

impl<V> Read<V> {
    /// The revision of the entry; `None` if the transaction itself has put it.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.stored().map(Versioned::revision)
    }

    /// The entry, unless the transaction itself has put it.
    #[must_use]
    pub fn stored(&self) -> Option<&Versioned<V>> {
        match &self.0 {
            Source::Stored(entry) => Some(entry),
            Source::Own(_) => None,
        }
    }

    /// The value; the same as dereferencing.
    #[must_use]
    pub fn value(&self) -> &V {
        match &self.0 {
            Source::Stored(entry) => entry.value(),
            Source::Own(value) => value,
        }
    }
}

impl<V> Deref for Read<V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.value()
    }
}

impl<V> Clone for Read<V> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Source::Stored(entry) => Source::Stored(entry.clone()),
            Source::Own(value) => Source::Own(Own::clone(value)),
        })
    }
}

impl<V: fmt::Debug> fmt::Debug for Read<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read")
            .field("revision", &self.revision())
            .field("value", self.value())
            .finish()
    }
}

/// A transaction on its way, in the closure of [`Store::transact`](super::Store::transact).
///
/// It reads the state at one revision, with its own writes on top. All that it reads, ranges included, must still be so
/// when it commits.
pub struct Transaction<K, V, S = FastHash> {
    pin: Pin<K, V, S>,
    /// The revisions of the keys that were read.
    read: BTreeMap<K, Option<Revision>>,
    ranges: Vec<KeyRange<K>>,
    /// Puts, and without a value deletes.
    written: BTreeMap<K, Option<Own<V>>>,
}

impl<K, V, S> Transaction<K, V, S>
where
    K: AsKey<K> + Ord + Clone,
    S: BuildHasher,
{
    fn begin(store: &Inner<K, V, S>) -> Self {
        let pin = Pin::unlimited(&store.map, View::Tellable);
        Self { pin, read: BTreeMap::new(), ranges: Vec::new(), written: BTreeMap::new() }
    }

    /// The revision of the state that is read.
    #[must_use]
    pub fn revision(&self) -> Revision {
        super::stored(self.pin.revision())
    }

    /// The entry of `key`, if there is one.
    ///
    /// # Errors
    /// If the transaction has more than [`Txn::MAX_OPERATIONS`] operations. Pass it on.
    pub fn get(&mut self, key: impl AsKey<K>) -> Result<Option<Read<V>>, TxError> {
        let key = key.into_key();
        if let Some(own) = self.written.get(&key) {
            return Ok(own.clone().map(|value| Read(Source::Own(value))));
        }
        let entry = self.pin.map.at(&key, self.pin.revision());
        self.read.insert(key, entry.as_ref().map(Versioned::revision));
        self.check_size()?;
        Ok(entry.map(|entry| Read(Source::Stored(entry))))
    }

    /// The entries of a range of keys, in the order of their keys.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn range(&mut self, range: impl AsRange<K>) -> Result<Vec<(K, Read<V>)>, TxError> {
        self.read_range(range.into_range())
    }

    /// The entries of the keys with a prefix, in the order of their keys.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn prefix(&mut self, prefix: impl AsPrefix<K>) -> Result<Vec<(K, Read<V>)>, TxError> {
        self.read_range(prefix.into_range())
    }

    fn read_range(&mut self, range: KeyRange<K>) -> Result<Vec<(K, Read<V>)>, TxError> {
        let mut entries = BTreeMap::new();
        scan::for_each(&self.pin.map, &range, self.pin.revision(), |key, entry| {
            entries.insert(key.clone(), Read(Source::Stored(entry)));
        });
        for (key, own) in self.written.iter().filter(|(key, _)| range.contains(key)) {
            match own {
                Some(value) => {
                    entries.insert(key.clone(), Read(Source::Own(Own::clone(value))));
                }
                None => {
                    entries.remove(key);
                }
            }
        }
        self.ranges.push(range);
        self.check_size()?;
        Ok(entries.into_iter().collect())
    }

    /// Puts `value` under `key`, if the transaction commits.
    pub fn put(&mut self, key: impl AsKey<K>, value: V) {
        self.written.insert(key.into_key(), Some(Own::new(value)));
    }

    /// Deletes `key`, if the transaction commits.
    pub fn delete(&mut self, key: impl AsKey<K>) {
        self.written.insert(key.into_key(), None);
    }

    fn check_size(&self) -> Result<(), TxError> {
        let operations = self.read.len() + self.ranges.len() + self.written.len();
        if operations > Txn::<K, V>::MAX_OPERATIONS {
            return Err(TxError(Cause::TooManyOperations(operations)));
        }
        Ok(())
    }

    /// What has to hold, and what is to be written. The state is not kept any longer.
    fn into_txn(self) -> Txn<K, V>
    where
        V: Clone,
    {
        let since = self.revision();
        let keys = self.read.into_iter().map(|(key, revision)| {
            Requirement::Key(key, revision.map_or(Precondition::Absent, Precondition::Revision))
        });
        let ranges = self.ranges.into_iter().map(|range| Requirement::UnchangedIn(range, since));
        let requirements = keys.chain(ranges).collect();
        let owned = |value: Option<Own<V>>| value.map(Own::unwrap_or_clone);
        let changes = self.written.into_iter().map(|(key, value)| (key, owned(value))).collect();
        Txn { requirements, changes }
    }
}

impl<K, V, S> fmt::Debug for Transaction<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("revision", &self.pin.revision())
            .field("read", &self.read.len())
            .field("ranges", &self.ranges.len())
            .field("written", &self.written.len())
            .finish_non_exhaustive()
    }
}

impl<K, V, S> Inner<K, V, S>
where
    K: AsKey<K> + Ord + Clone,
    V: Clone,
    S: BuildHasher,
{
    /// Runs `body` until what it read is still so when what it wrote is committed.
    pub(super) fn transact<A>(
        &self,
        mut body: impl FnMut(&mut Transaction<K, V, S>) -> Result<A, TxError>,
    ) -> Result<(A, Revision), TransactError<K, V>> {
        let mut attempt = 1;
        loop {
            // Then what is newer than what is read can never be told, and stays in the way for ever.
            let is_last = attempt == UPDATE_ATTEMPTS || self.map.sequencer.has_failed();
            let mut transaction = Transaction::begin(self);
            let answer = body(&mut transaction);
            let read = transaction.revision();
            let settled = match &answer {
                Ok(_) if !transaction.written.is_empty() => {
                    match Commit::prepare(self, transaction.into_txn()) {
                        Ok(mut commit) => self.decide(&mut commit),
                        Err(settled) => settled,
                    }
                }
                // What was read is the state at one revision: there is nothing to check.
                Ok(_) | Err(_) => Settled::read_only(read),
            };
            // Whatever is told rests on what was read, a refusal too.
            let rests_on = settled.rests_on.max(Some(read));
            let settled = Settled { rests_on, ..settled };
            let overtaken = matches!(&settled.outcome, Err(error) if error.is_overtaken());
            if !overtaken || is_last {
                let told = self.tell(settled).map_err(TransactError::Commit)?;
                return answer.map(|answer| (answer, told.revision)).map_err(|error| {
                    match error.0 {
                        Cause::Application(error) => TransactError::Aborted(error),
                        Cause::TooManyOperations(operations) => {
                            TransactError::Commit(too_many_operations(operations))
                        }
                    }
                });
            }
            attempt += 1;
            super::back_off(attempt);
        }
    }
}

fn too_many_operations<K, V>(operations: usize) -> CommitError<K, V> {
    let max = Txn::<K, V>::MAX_OPERATIONS;
    let reason = Reason::TooManyOperations { operations, max };
    CommitError::Refused { reason, txn: Box::default() }
}

/// Transactions as code.
impl<K, V, S> Store<K, V, S>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// Runs a transaction as code: `body` reads and writes through the [`Transaction`] it is given, and if nothing that it
    /// read, keys and ranges, was changed by others meanwhile, all that it wrote is committed at once. Else it runs again
    /// on the newer state. So transactions are serializable: the outcome is as if they had run one after another.
    ///
    /// `body` may run several times, and sees the newest state, durable or not, as it was at one moment; `transact`
    /// returns, with an answer or an error, once what it read is durable. It runs under no lock. It must write through the
    /// [`Transaction`]: what it writes to the store itself is not undone, and if the transaction read that key, makes it
    /// run again. (`V: Clone` is asked for because a value that `body` has put and read back may outlive it; others are
    /// not cloned.)
    ///
    /// ```
    /// # let store: ifmatch::Store<String, u64> = ifmatch::Store::new();
    /// # store.put("ada", 10)?; store.put("bob", 0)?;
    /// #[derive(Debug, thiserror::Error)]
    /// #[error("{0} is missing")]
    /// struct Overdrawn(u64);
    ///
    /// let transfer = |amount: u64| {
    ///     store.transact(|t| {
    ///         let ada = t.get("ada")?.map_or(0, |balance| *balance);
    ///         let bob = t.get("bob")?.map_or(0, |balance| *balance);
    ///         t.put("ada", ada.checked_sub(amount).ok_or_else(|| Overdrawn(amount - ada))?);
    ///         t.put("bob", bob + amount);
    ///         Ok(ada - amount)
    ///     })
    /// };
    /// assert_eq!(transfer(7)?, 3);
    /// let error = transfer(7).unwrap_err();
    /// assert_eq!(error.downcast_ref::<Overdrawn>().expect("our own error").0, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`TransactError::Aborted`] with the error that `body` returned; [`TransactError::Commit`] if the commit failed: the
    /// last conflict after [`UPDATE_ATTEMPTS`] lost races in a row, or as for [`commit`](Self::commit).
    pub fn transact<A>(
        &self,
        body: impl FnMut(&mut Transaction<K, V, S>) -> Result<A, TxError>,
    ) -> Result<A, TransactError<K, V>>
    where
        V: Clone,
    {
        self.transact_at(body).map(|(answer, _)| answer)
    }

    /// As [`transact`](Self::transact), and tells the revision of the commit; of a transaction that wrote nothing, the one
    /// that it read.
    ///
    /// # Errors
    /// As for [`transact`](Self::transact).
    pub fn transact_at<A>(
        &self,
        body: impl FnMut(&mut Transaction<K, V, S>) -> Result<A, TxError>,
    ) -> Result<(A, Revision), TransactError<K, V>>
    where
        V: Clone,
    {
        self.inner.transact(body)
    }
}
