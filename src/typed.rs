//! Types of yours over a backend of bytes, wherever that is.
//!
//! [`Typed`] is a [`Backend`](crate::Backend) for keys and values of types, over one of bytes: what is written against
//! `B: Backend<String, User>` runs on a [`Store`](crate::Store) of this process, and on etcd. (Features `backend` and `log`, whose codecs
//! it uses.)
//!
//! ```
//! use bytes::Bytes;
//! use ifmatch::typed::Typed;
//! use ifmatch::{Backend, Precondition, Store, WriteError};
//!
//! #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct User {
//!     email: String,
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! // Or, when one process is not enough: `Etcd::connect("etcd://...").await?`
//! let bytes: Store<Bytes, Bytes> = Store::new();
//! let users: Typed<_, String, User> = Typed::new(bytes);
//!
//! let ada = User { email: "ada@example.org".into() };
//! let created = users.put_if("ada".into(), ada, Precondition::Absent).await?;
//! let read = users.get(&"ada".into()).await?.expect("it was put");
//! assert_eq!(read.email, "ada@example.org");
//!
//! let other = User { email: "ada@example.com".into() };
//! users.put_if("ada".into(), other.clone(), created.revision().into()).await?;
//! let Err(WriteError::Conflict(lost)) = users.put_if("ada".into(), read.value().clone(), created.revision().into()).await else {
//!     panic!("it was changed");
//! };
//! assert_eq!(lost.current().map(|current| current.value()), Some(&other));
//! # Ok(()) }
//! ```
//!
//! # What is stored
//!
//! Keys are [`ByteKey`]s, whose bytes are in the order of the keys, so that ranges are ranges; strings are their UTF-8. Values
//! are encoded by the [`Codec`], [`Bincode`] if no other is named.
//!
//! Something else may write to the same backend. What does not decode is `Undecodable`
//! ([`ReadError`](crate::ReadError::Undecodable), [`Reason`](crate::Reason::Undecodable),
//! [`WatchError`](crate::WatchError::Undecodable)): never passed over. Only when a delete took place, and what it removed does not
//! decode, the error is [`OutcomeUnknown`](crate::OutcomeUnknown), with the revision of the delete.

mod backend;
mod key;
mod snapshot;
mod translate;
mod watch;

use std::fmt;
use std::marker::PhantomData;

use crate::codec::{Bincode, Codec};

pub use self::key::ByteKey;
pub use self::snapshot::TypedSnapshot;
pub use self::watch::TypedWatch;

/// It has none of them.
type Types<K, V, C> = PhantomData<fn() -> (K, V, C)>;

/// A backend of `K` and `V`, over one of bytes. Clones are handles of the same store.
pub struct Typed<B, K, V, C = Bincode> {
    inner: B,
    types: Types<K, V, C>,
}

impl<B, K, V> Typed<B, K, V> {
    /// Over `inner`, with values in bincode.
    #[must_use]
    pub fn new(inner: B) -> Self {
        Self::with_codec(inner)
    }
}

impl<B, K, V, C: Codec> Typed<B, K, V, C> {
    /// Over `inner`, with values encoded by `C`.
    #[must_use]
    pub fn with_codec(inner: B) -> Self {
        Self { inner, types: PhantomData }
    }

    /// The backend of bytes.
    #[must_use]
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B: Clone, K, V, C> Clone for Typed<B, K, V, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), types: PhantomData }
    }
}

impl<B: fmt::Debug, K, V, C> fmt::Debug for Typed<B, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Typed").field(&self.inner).finish()
    }
}
