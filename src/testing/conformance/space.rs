//! Where a case works: a backend, and a part of it that nobody else uses.

use std::any::Any;
use std::ops::Bound::{self, Excluded, Included};
use std::sync::Arc;

use bytes::Bytes;

use crate::backend::{Backend, BackendSnapshot};
use crate::conflict::Conflict;
use crate::error::WriteError;
use crate::precondition::Precondition;
use crate::range::{AsPrefix, KeyRange};
use crate::store::{Deleted, Written};
use crate::txn::Txn;
use crate::versioned::Versioned;

use super::failure::{Failure, Verdict, ensure, refused, some, unexpected};

pub(super) type Entry = Versioned<Bytes>;
pub(super) type Transaction = Txn<Bytes, Bytes>;

/// A backend, and the keys of it that a case has for itself.
///
/// Cases use no keys but those with its prefix, and expect only them to stand still: revisions may grow meanwhile because of
/// others.
pub struct Space<B> {
    backend: B,
    prefix: Bytes,
    is_shared: bool,
    /// Dropped last.
    kept: Option<Arc<dyn Any + Send + Sync>>,
}

impl<B: Backend> Space<B> {
    /// A store that nobody else uses, and that is empty.
    #[must_use]
    pub fn new(backend: B) -> Self {
        Self { backend, prefix: Bytes::from_static(b"case/"), is_shared: false, kept: None }
    }

    /// The keys with `prefix` of a store that others use, too. There are none yet.
    #[must_use]
    pub fn shared(backend: B, prefix: impl Into<Bytes>) -> Self {
        Self { backend, prefix: prefix.into(), is_shared: true, kept: None }
    }

    /// Keeps something, a temporary directory for example, for as long as the backend is used.
    #[must_use]
    pub fn keeping(mut self, kept: impl Any + Send + Sync) -> Self {
        self.kept = Some(Arc::new(kept));
        self
    }

    pub(super) fn backend(&self) -> &B {
        &self.backend
    }

    /// Whether commits of others come between.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub(super) fn key(&self, name: impl AsRef<[u8]>) -> Bytes {
        [&self.prefix, name.as_ref()].concat().into()
    }

    /// All keys of the space that begin with `name`.
    pub(super) fn under(&self, name: &str) -> KeyRange<Bytes> {
        AsPrefix::into_range(self.key(name))
    }

    /// All ranges from one of these keys to one of them, each with its bounds and without; some are of nothing.
    pub(super) fn ranges(&self, starts: &[&str], ends: &[&str]) -> Vec<KeyRange<Bytes>> {
        let bounds = |names: &[&str]| -> Vec<_> {
            let keys = names.iter().map(|name| self.key(name));
            keys.flat_map(|key| [Included(key.clone()), Excluded(key)]).collect()
        };
        let (starts, ends) = (bounds(starts), bounds(ends));
        let with =
            |start: &Bound<Bytes>, end: &Bound<Bytes>| KeyRange::new(start.clone(), end.clone());
        starts.iter().flat_map(|start| ends.iter().map(move |end| with(start, end))).collect()
    }

    pub(super) async fn put(&self, name: &str, value: &str) -> Verdict<Written> {
        Ok(self.put_if(name, value, Precondition::Any).await?)
    }

    pub(super) async fn put_if(
        &self,
        name: &str,
        value: &str,
        precondition: impl Into<Precondition>,
    ) -> Result<Written, WriteError<Bytes, Bytes>> {
        let value = Bytes::copy_from_slice(value.as_bytes());
        self.backend.put_if(self.key(name), value, precondition.into()).await
    }

    pub(super) async fn get(&self, name: &str) -> Verdict<Option<Entry>> {
        Ok(self.backend.get(&self.key(name)).await?)
    }

    /// An entry that must be there.
    pub(super) async fn entry(&self, name: &str) -> Verdict<Entry> {
        some(name, self.get(name).await?)
    }

    pub(super) async fn delete(&self, name: &str) -> Verdict<Option<Deleted<Bytes>>> {
        Ok(self.backend.delete_if(self.key(name), Precondition::Any).await?)
    }

    /// Deletes what must be there.
    pub(super) async fn remove(&self, name: &str) -> Verdict<Deleted<Bytes>> {
        some("what was deleted", self.delete(name).await?)
    }

    /// All entries of the space, by pages of a snapshot.
    pub(super) async fn entries(&self) -> Verdict<Vec<(Bytes, Entry)>> {
        all(&self.backend.snapshot().await?, self.under("")).await
    }

    /// The conflicts of a transaction that must have some.
    pub(super) async fn conflicts(&self, txn: Transaction) -> Verdict<Vec<Conflict<Bytes, Bytes>>> {
        match refused("a transaction that cannot hold", self.backend.commit(txn).await)? {
            crate::commit_error::CommitError::Conflicts { conflicts, .. } => {
                ensure(!conflicts.is_empty(), "a conflict names what does not hold")?;
                Ok(conflicts)
            }
            other => unexpected("the error is not of conflicts", &other),
        }
    }
}

impl<B: Backend> Clone for Space<B> {
    fn clone(&self) -> Self {
        Self {
            backend: self.backend.clone(),
            prefix: self.prefix.clone(),
            is_shared: self.is_shared,
            kept: self.kept.clone(),
        }
    }
}

impl<B> std::fmt::Debug for Space<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space")
            .field("prefix", &self.prefix)
            .field("is_shared", &self.is_shared)
            .finish_non_exhaustive()
    }
}

/// A conflict of a single write, that must be one.
#[track_caller]
pub(super) fn conflict<T>(
    result: Result<T, WriteError<Bytes, Bytes>>,
) -> Verdict<Conflict<Bytes, Bytes>> {
    match refused("a write whose precondition does not hold", result)?.into_conflict() {
        Ok(conflict) => Ok(conflict),
        Err(other) => unexpected("the error is no conflict", &other),
    }
}

/// All entries of `range`, by pages; refuses pages that do not come to an end.
pub(super) async fn all<S: BackendSnapshot>(
    snapshot: &S,
    range: KeyRange<Bytes>,
) -> Verdict<Vec<(Bytes, Entry)>> {
    let mut entries = Vec::new();
    let mut rest = Some(range);
    while let Some(range) = rest {
        let page = snapshot.page(range, 100).await?;
        if page.entries.is_empty() && page.rest.is_some() {
            return Err(Failure::new("a page without entries has something after it"));
        }
        entries.extend(page.entries);
        rest = page.rest;
    }
    Ok(entries)
}

/// The keys and values of entries, to compare.
pub(super) fn contents(entries: &[(Bytes, Entry)]) -> Vec<(Bytes, Bytes)> {
    entries.iter().map(|(key, entry)| (key.clone(), entry.value().clone())).collect()
}
