//! A watch of types.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use crate::backend::BackendWatch;
use crate::codec::Codec;
use crate::event::{Commit, WatchError};
use crate::revision::Revision;

use super::Types;
use super::key::ByteKey;
use super::translate::commit;

/// The commits of a [`Typed`](super::Typed) backend.
pub struct TypedWatch<W, K, V, C> {
    inner: W,
    types: Types<K, V, C>,
}

impl<W, K, V, C> TypedWatch<W, K, V, C> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, types: PhantomData }
    }
}

impl<W, K, V, C> Stream for TypedWatch<W, K, V, C>
where
    W: BackendWatch,
    K: ByteKey,
    V: DeserializeOwned,
    C: Codec,
{
    type Item = Result<Commit<K, V>, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.inner)
            .poll_next(context)
            .map(|told| told.map(|told| told.and_then(commit::<K, V, C>)))
    }
}

impl<W, K, V, C> BackendWatch<K, V> for TypedWatch<W, K, V, C>
where
    W: BackendWatch,
    K: ByteKey,
    V: DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    fn position(&self) -> Revision {
        self.inner.position()
    }
}

impl<W: fmt::Debug, K, V, C> fmt::Debug for TypedWatch<W, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedWatch").field(&self.inner).finish()
    }
}
