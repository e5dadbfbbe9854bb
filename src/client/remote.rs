//! The client as a [`Backend`](crate::Backend): what is written against the trait runs on a store behind a server.
//!
//! Keys are what keys of documents may be, values are the bodies of documents. Nothing is known of the server but its HTTP.

mod backend;
mod commit;
mod fault;
mod history;
mod read;
mod snapshot;
mod span;
mod watch;
mod write;

use std::fmt;
use std::sync::Arc;

use crate::capability::{Capability, NAMED};
use crate::identity::Identity;

pub use self::snapshot::RemoteSnapshot;
pub use self::watch::RemoteWatch;

use super::Client;
use super::error::ClientError;
use read::Readiness;

/// A store behind a server. Clones are handles of the same.
///
/// ```
/// use bytes::Bytes;
/// use ifmatch::client::{Client, Remote};
/// use ifmatch::{Backend, Precondition, WriteError};
///
/// # #[cfg(not(feature = "http"))] fn main() {}
/// # #[cfg(feature = "http")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("http://{}", listener.local_addr()?);
/// # let router = ifmatch::http::router(ifmatch::http::documents().build(), Default::default());
/// # tokio::spawn(ifmatch::http::serve(listener, router, Default::default(), std::future::pending()));
/// let store = Remote::connect(Client::new(url)?).await?;
/// let key = Bytes::from_static(b"page");
/// let draft = store.put_if(key.clone(), "Hello".into(), Precondition::Absent).await?;
/// store.put_if(key.clone(), "Hello, world".into(), draft.revision().into()).await?;
///
/// match store.put_if(key, "Hello, reader".into(), draft.revision().into()).await {
///     Err(WriteError::Conflict(lost)) => assert_eq!(lost.current().unwrap()[..], *b"Hello, world"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }
/// ```
///
/// # Keys and values
///
/// A key is UTF-8 of 1 to 1,024 bytes without control characters, and none of its segments, which `/` separates, is empty, `.`
/// or `..`; others are refused as [`Capability::AnyKey`]. A value is written as `application/octet-stream`; what others wrote is
/// read as its body, whatever its content type (of JSON a list and a watch leave out the white space around it).
///
/// # What is different from a store in this process
///
/// | | `Store` | `Remote` | test |
/// | --- | --- | --- | --- |
/// | keys | of all bytes | of documents: [`Capability::AnyKey`] | `keys_of_all_bytes_are_kept_in_the_order_of_bytes` |
/// | what the server's store lacks | nothing | the same is lacking here: [history](Capability::History) over etcd, for example | `what_is_not_supported_is_refused` |
/// | a snapshot | is kept while it is held | while it is read at least each 60 s (`http::Options::pin_timeout`), or as the server's store keeps its past; then [`Compacted`](crate::HistoryError::Compacted) | `a_snapshot_that_is_not_read_for_long_says_so` |
/// | snapshots at a time | 1,048,576 by default | at 1,024 revisions (`http::Options::max_pins`), of all clients together, each counted for 60 s after it was read last; then [`TooManySnapshots`](crate::HistoryError::TooManySnapshots) | `past_the_limit_of_pins_a_snapshot_says_so` |
/// | conditions on ranges | any range | those of a prefix; others are [`Unsupported`](crate::Reason::Unsupported) | `a_condition_on_what_is_no_prefix_is_refused` |
/// | operations of a transaction | 4,096 | 4,093, of them 16 that a prefix is empty, and what the server's store takes, of which the `Idempotency-Key` has two: 126 over an etcd that takes 128 | `a_transaction_may_have_as_many_operations_as_the_server_takes` |
/// | size of a write | as configured | 8 MiB, as the server is configured: [`RequestTooLarge`](crate::Reason::RequestTooLarge) | `what_the_server_finds_too_large_is_refused_as_such` |
/// | a [`position`](crate::BackendWatch::position) passes commits of no concern | at once | when the server says so, each 15 s (`http::Options::keep_alive`) | `a_position_passes_what_is_of_no_concern`, of a server that says so each 20 ms |
/// | a delete | one step | a read, and a delete on condition that nothing has changed, up to 100 times; then [`Contended`](crate::Reason::Contended) | `a_write_takes_place_exactly_if_its_precondition_holds` |
/// | a history | whole as kept | the newest 1,000 versions, and 8 MiB of them | `a_history_begins_where_all_of_it_is_shown` |
/// | an unknown outcome | the log failed | no answer came, in as many attempts as the client makes | `a_write_whose_answer_is_lost_is_never_a_conflict` |
///
/// # Lost answers
///
/// A write whose answer is lost is repeated with the same `Idempotency-Key`, so that the server says what came of it. Without a
/// key ([`idempotency_keys`](super::ClientBuilder::idempotency_keys)), or if no attempt is answered, it is
/// [`OutcomeUnknown`](crate::OutcomeUnknown). A transaction of deletes only never has a key, whose record would be a write where
/// there may be nothing to delete. A conflict that answers a repeat is an unknown outcome, too, if the precondition could still
/// come to hold for the attempt that was not answered, as one that the key is absent can.
///
/// # Which store it is
///
/// [`connect`](Self::connect) asks once. If a server comes back with another store, as one that runs in memory does,
/// [`status`](crate::Backend::status) and a watch that it has not the past for say so; connect again. Revisions of
/// such a server are never used twice, but those of a server whose log was replaced by another may be.
#[derive(Clone)]
pub struct Remote {
    client: Client,
    known: Arc<Known>,
}

struct Known {
    identity: Identity,
    supports: Vec<Capability>,
}

impl Remote {
    /// Asks the server which store it has, and what that can do.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Unexpected`] if it does not say.
    pub async fn connect(client: Client) -> Result<Self, ClientError> {
        let Readiness { identity, supports, .. } = Readiness::of(&client).await?;
        let named = NAMED.iter().filter(|(_, name)| supports.iter().any(|text| text == name));
        let supports = named.map(|(capability, _)| *capability).collect();
        Ok(Self { client, known: Arc::new(Known { identity, supports }) })
    }

    /// The client that it uses.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn can(&self, capability: Capability) -> bool {
        self.known.supports.contains(&capability)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("client", &self.client)
            .field("identity", &self.known.identity)
            .finish_non_exhaustive()
    }
}
