//! A closure's transaction whose reads and writes are recorded.

use std::fmt;
use std::hash::{BuildHasher, Hash};

use crate::commit_error::TxError;
use crate::key::AsKey;
use crate::range::{AsPrefix, AsRange, KeyRange};
use crate::store::{FastHash, Read, Transaction};
use crate::testing::store_model::{Entry, RangeRead};

/// Puts, and without a value deletes.
type Changes<K, V> = Vec<(K, Option<V>)>;

/// A [`Transaction`] whose reads and writes are recorded: the same methods. What it reads of what it wrote itself is not.
pub struct TransactionClient<'a, K, V, S = FastHash> {
    transaction: &'a mut Transaction<K, V, S>,
    reads: Vec<RangeRead<K, V>>,
    changes: Changes<K, V>,
}

impl<K, V, S> fmt::Debug for TransactionClient<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionClient").finish_non_exhaustive()
    }
}

impl<'a, K, V, S> TransactionClient<'a, K, V, S>
where
    K: Clone + Hash + Ord,
    V: Clone,
    S: BuildHasher,
{
    pub(super) fn new(transaction: &'a mut Transaction<K, V, S>) -> Self {
        Self { transaction, reads: Vec::new(), changes: Vec::new() }
    }

    pub(super) fn into_parts(self) -> (Vec<RangeRead<K, V>>, Changes<K, V>) {
        (self.reads, self.changes)
    }

    /// [`Transaction::get`].
    ///
    /// # Errors
    /// As there.
    pub fn get(&mut self, key: impl AsKey<K>) -> Result<Option<Read<V>>, TxError> {
        let key = key.into_key();
        let read = self.transaction.get(key.clone())?;
        let found = read.iter().map(|read| (key.clone(), read.clone())).collect::<Vec<_>>();
        self.record(KeyRange::only(key), &found);
        Ok(read)
    }

    /// [`Transaction::range`].
    ///
    /// # Errors
    /// As there.
    pub fn range(&mut self, range: impl AsRange<K>) -> Result<Vec<(K, Read<V>)>, TxError> {
        let range = range.into_range();
        let found = self.transaction.range(range.clone())?;
        self.record(range, &found);
        Ok(found)
    }

    /// [`Transaction::prefix`].
    ///
    /// # Errors
    /// As there.
    pub fn prefix(&mut self, prefix: impl AsPrefix<K>) -> Result<Vec<(K, Read<V>)>, TxError> {
        self.range(prefix.into_range())
    }

    /// [`Transaction::put`].
    pub fn put(&mut self, key: impl AsKey<K>, value: V) {
        let key = key.into_key();
        self.transaction.put(key.clone(), value.clone());
        self.change(key, Some(value));
    }

    /// [`Transaction::delete`].
    pub fn delete(&mut self, key: impl AsKey<K>) {
        let key = key.into_key();
        self.transaction.delete(key.clone());
        self.change(key, None);
    }

    fn change(&mut self, key: K, value: Option<V>) {
        match self.changes.iter_mut().find(|(changed, _)| *changed == key) {
            Some(change) => change.1 = value,
            None => self.changes.push((key, value)),
        }
    }

    /// Unless it is in part what the transaction wrote itself.
    fn record(&mut self, range: KeyRange<K>, found: &[(K, Read<V>)]) {
        if self.changes.iter().any(|(key, _)| range.contains(key)) {
            return;
        }
        let entries =
            found.iter().filter_map(|(key, read)| Some((key.clone(), Entry::from(read.stored()?))));
        let entries = entries.collect();
        self.reads.push(RangeRead { range, entries });
    }
}
