//! A closure's transaction whose reads and writes are recorded.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::Bound;

use crate::commit_error::TxError;
use crate::key::AsKey;
use crate::precondition::Precondition;
use crate::range::{AsPrefix, AsRange, KeyRange};
use crate::revision::Revision;
use crate::store::{FastHash, Read, Transaction};
use crate::testing::store_model::{Entry, RangeRead};
use crate::txn::Requirement;

/// Puts, and without a value deletes.
type Changes<K, V> = Vec<(K, Option<V>)>;

/// What a closure did, so far as others can know of it.
pub(super) struct Done<K, V> {
    pub(super) reads: Vec<RangeRead<K, V>>,
    pub(super) changes: Changes<K, V>,
    /// Of what was read.
    pub(super) revision: Revision,
}

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

    pub(super) fn into_done(self) -> Done<K, V> {
        let revision = self.transaction.revision();
        Done { reads: self.reads, changes: self.changes, revision }
    }

    /// [`Transaction::revision`].
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.transaction.revision()
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

    /// What the transaction wrote itself is left out: the range is read around it.
    fn record(&mut self, range: KeyRange<K>, found: &[(K, Read<V>)]) {
        let own = self.changes.iter().map(|(key, _)| key).filter(|key| range.contains(key));
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_unstable();
        let stored = |(key, read): &(K, Read<V>)| Some((key.clone(), Entry::from(read.stored()?)));
        let stored: Vec<_> = found.iter().filter_map(stored).collect();
        self.reads.extend(around(range, own).map(|range| {
            let entries = stored.iter().filter(|(key, _)| range.contains(key)).cloned().collect();
            RangeRead { range, entries }
        }));
    }
}

/// What is left of a range without these of its keys, which are in order.
fn around<K: Ord + Clone>(
    range: KeyRange<K>,
    keys: impl IntoIterator<Item = K>,
) -> impl Iterator<Item = KeyRange<K>> {
    let (mut rest, mut pieces) = (range, Vec::new());
    for key in keys {
        pieces.push(KeyRange::new(rest.start().cloned(), Bound::Excluded(key.clone())));
        rest = KeyRange::new(Bound::Excluded(key), rest.end().cloned());
    }
    pieces.push(rest);
    pieces.into_iter().filter(|range| !range.is_empty())
}

/// What has to hold for a read to be as it was: these keys at their revisions, and none beside them.
pub(super) fn as_read<K: Ord + Clone, V>(read: &RangeRead<K, V>) -> Vec<Requirement<K>> {
    let keys = || read.entries.iter().map(|(key, _)| key.clone());
    let found = read
        .entries
        .iter()
        .map(|(key, entry)| Requirement::Key(key.clone(), Precondition::Revision(entry.revision)));
    found.chain(around(read.range.clone(), keys()).map(Requirement::NoneIn)).collect()
}
