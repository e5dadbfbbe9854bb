//! A set of keys, for the model, and how it is said to the store.

use std::ops::Bound;

use ifmatch::{Read, Scan, Snapshot, Store, Transaction, TxError, Txn, WatchBuilder};

use crate::model::{Demand, Entry, State, Value};

pub(crate) type Subject = Store<String, Value>;

/// A set of keys, as the API's callers name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    All,
    Only(String),
    Prefix(String),
    Range(Bound<String>, Bound<String>),
}

impl Span {
    pub(crate) fn contains(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == key,
            Self::Prefix(prefix) => key.starts_with(prefix.as_str()),
            Self::Range(start, end) => {
                let after = match start {
                    Bound::Unbounded => true,
                    Bound::Included(start) => key >= start.as_str(),
                    Bound::Excluded(start) => key > start.as_str(),
                };
                let before = match end {
                    Bound::Unbounded => true,
                    Bound::Included(end) => key <= end.as_str(),
                    Bound::Excluded(end) => key < end.as_str(),
                };
                after && before
            }
        }
    }

    /// The entries of `state` in it, in order.
    pub(crate) fn of(&self, state: &State) -> Vec<(String, Entry)> {
        let entries = state.iter().filter(|(key, _)| self.contains(key));
        entries.map(|(key, entry)| (key.clone(), *entry)).collect()
    }
}

/// What can be scanned.
pub(crate) trait Scans {
    fn scan(&self, span: &Span) -> Scan<String, Value>;
}

macro_rules! scans {
    ($type:ty) => {
        impl Scans for $type {
            fn scan(&self, span: &Span) -> Scan<String, Value> {
                match span {
                    Span::All => self.iter(),
                    Span::Only(key) => self.range(key.as_str()..=key.as_str()),
                    Span::Prefix(prefix) => self.prefix(prefix.as_str()),
                    Span::Range(start, end) => self.range((start.clone(), end.clone())),
                }
            }
        }
    };
}

scans!(Subject);
scans!(Snapshot<String, Value>);

pub(crate) fn entries(
    scan: impl Iterator<Item = (String, ifmatch::Versioned<Value>)>,
) -> Vec<(String, Entry)> {
    scan.map(|(key, entry)| (key, Entry::of(&entry))).collect()
}

pub(crate) fn demand(txn: Txn<String, Value>, demand: &Demand) -> Txn<String, Value> {
    match demand {
        Demand::Key(key, precondition) => txn.require(key, *precondition),
        Demand::NoneIn(span) => match span {
            Span::All => txn.require_none_in(..),
            Span::Only(key) => txn.require_none_in(key.as_str()..=key.as_str()),
            Span::Prefix(prefix) => txn.require_none_under(prefix.as_str()),
            Span::Range(start, end) => txn.require_none_in((start.clone(), end.clone())),
        },
        Demand::UnchangedIn(span, since) => {
            let since = crate::model::revision(*since);
            match span {
                Span::All => txn.require_unchanged_in(.., since),
                Span::Only(key) => txn.require_unchanged_in(key.as_str()..=key.as_str(), since),
                Span::Prefix(prefix) => txn.require_unchanged_under(prefix.as_str(), since),
                Span::Range(start, end) => {
                    txn.require_unchanged_in((start.clone(), end.clone()), since)
                }
            }
        }
    }
}

/// Reads a set of keys in a transaction.
pub(crate) fn read(
    transaction: &mut Transaction<String, Value>,
    span: &Span,
) -> Result<Vec<(String, Read<Value>)>, TxError> {
    match span {
        Span::All => transaction.range(..),
        Span::Only(key) => {
            let found = transaction.get(key)?;
            Ok(found.map(|read| (key.clone(), read)).into_iter().collect())
        }
        Span::Prefix(prefix) => transaction.prefix(prefix.as_str()),
        Span::Range(start, end) => transaction.range((start.clone(), end.clone())),
    }
}

pub(crate) fn watching(
    builder: WatchBuilder<String, Value>,
    span: &Span,
) -> WatchBuilder<String, Value> {
    match span {
        Span::All => builder.range(..),
        Span::Only(key) => builder.key(key),
        Span::Prefix(prefix) => builder.prefix(prefix.as_str()),
        Span::Range(start, end) => builder.range((start.clone(), end.clone())),
    }
}
