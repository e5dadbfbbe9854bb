//! The typed client of the server: read, change, write back, and merge when somebody came between.
//!
//! It knows the server by its HTTP only, so that it works with any that keeps the contract, and is async, on tokio. Values
//! are any serde types, or [`Document`]s of any content.
//!
//! ```
//! use ifmatch::client::Client;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
//! struct User {
//!     name: String,
//!     email: String,
//! }
//!
//! # #[cfg(not(feature = "http"))] fn main() {}
//! # #[cfg(feature = "http")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}", listener.local_addr()?);
//! # let router = ifmatch::http::router(ifmatch::http::documents().build(), Default::default());
//! # tokio::spawn(ifmatch::http::serve(listener, router, Default::default(), std::future::pending()));
//! let client = Client::new(url)?;
//! let ann = User { name: "Ann".to_owned(), email: "ann@example.org".to_owned() };
//! client.create("users/ann", &ann).await?;
//!
//! // Two people read the same, and change it.
//! let base = client.get::<User>("users/ann").await?.expect("it was created");
//! let theirs = User { email: "ann@example.com".to_owned(), ..ann.clone() };
//! client.put_if("users/ann", &theirs, &base).await?;
//!
//! // The second is told, and nothing is lost ..
//! let mine = User { name: "Anna".to_owned(), ..ann };
//! let error = client.put_if("users/ann", &mine, &base).await.unwrap_err();
//! assert!(error.conflict().is_some());
//!
//! // .. or has it merged: they changed different members.
//! let merged = client.update_merging(&base, &mine, &Default::default()).await?;
//! assert_eq!(merged.value(), &User { name: "Anna".to_owned(), ..theirs });
//!
//! // What can be computed from what is there needs nobody to decide.
//! client.update("visits", |visits: Option<&u64>| visits.copied().unwrap_or(0) + 1).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is retried
//! - A lost race by [`Client::update`], [`Client::update_merging`] and their like only: they read what is there, and make
//!   the value anew. Nothing is ever written again on top of something else.
//! - A connection that failed where that is safe: reads; writes that never left; writes with an `Idempotency-Key`, which
//!   every write has unless [told otherwise](ClientBuilder::idempotency_keys). The server knows it again, and answers as it
//!   did, or would have, the first time.
//! - What the server asks to: 429 and 503 with `Retry-After`.
//!
//! All waits are random and grow ([`Backoff`]), all attempts are counted. When they are used up, the error says whether the
//! write may have taken place: [`ClientError::is_outcome_unknown`].

mod backoff;
mod builder;
mod conflict;
mod entry;
mod error;
mod history;
mod list;
mod problem;
mod read;
#[cfg(feature = "backend")]
mod remote;
mod send;
mod sse;
mod tag;
#[cfg(feature = "tls")]
mod tls;
mod txn;
mod unfold;
mod update;
mod value;
mod watch;
mod wire;
mod write;

use std::fmt;
use std::sync::Arc;

pub use self::backoff::Backoff;
pub use self::builder::{BuildError, ClientBuilder};
pub use self::conflict::{ClientConflict, ConflictKind, FailedPrecondition};
pub use self::entry::{Document, Entry, EntryHead};
pub use self::error::{ClientError, DecodeError, Outcome, TransportError, UnexpectedAnswer};
pub use self::history::{ClientHistory, ClientVersion};
pub use self::list::{List, ListPage};
pub use self::problem::ProblemDocument;
pub use self::read::IfChanged;
#[cfg(feature = "backend")]
pub use self::remote::{Remote, RemoteSnapshot, RemoteWatch};
pub use self::tag::{ClientPrecondition, EntityTag, InvalidEntityTag};
pub use self::txn::ClientTxn;
pub use self::update::{MergeClashes, MergeError, UpdateError};
pub use self::value::{ReadValue, WriteValue};
pub use self::watch::{ClientCommit, ClientEvent, Watch};
pub use self::write::ClientWritten;
pub use crate::document_key::{DocumentKey, InvalidKey};

/// A client of one server. Clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<send::Shared>);

impl Client {
    /// A client of the server at `url`: `http://host:port`, with a path if the server's routes are nested under one. It
    /// has no token, and the default limits.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(url: impl Into<String>) -> Result<Self, BuildError> {
        Self::builder(url).build()
    }

    /// A builder of a client of the server at `url`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url)
    }
}

/// Without the token.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.0.base).finish_non_exhaustive()
    }
}
