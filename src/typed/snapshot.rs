//! A snapshot of types.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::{BackendSnapshot, Page};
use crate::codec::Codec;
use crate::error::ReadError;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::Types;
use super::key::ByteKey;
use super::translate::{found, range, rest, under_key};

/// The state of a [`Typed`](super::Typed) backend at one revision.
pub struct TypedSnapshot<S, K, V, C> {
    inner: S,
    types: Types<K, V, C>,
}

impl<S, K, V, C> TypedSnapshot<S, K, V, C> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, types: PhantomData }
    }
}

impl<S, K, V, C> BackendSnapshot<K, V> for TypedSnapshot<S, K, V, C>
where
    S: BackendSnapshot,
    K: ByteKey,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    fn revision(&self) -> Revision {
        self.inner.revision()
    }

    async fn get(&self, key: &K) -> Result<Option<Versioned<V>>, ReadError> {
        found::<V, C>(self.inner.get(&key.to_bytes()).await?)
    }

    async fn page(&self, within: KeyRange<K>, limit: usize) -> Result<Page<K, V>, ReadError> {
        let page = self.inner.page(range(within), limit).await?;
        let entries = page.entries.into_iter().map(|(at, there)| under_key::<K, V, C>(at, there));
        let entries = entries.collect::<Result<_, _>>().map_err(ReadError::Undecodable)?;
        let rest = page.rest.map(rest::<K, C>).transpose().map_err(ReadError::Undecodable)?;
        Ok(Page::new(entries, rest))
    }
}

impl<S: fmt::Debug, K, V, C> fmt::Debug for TypedSnapshot<S, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedSnapshot").field(&self.inner).finish()
    }
}
