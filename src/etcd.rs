//! The backend on etcd, for data and availability past one process. **Its build needs `protoc`** (Debian:
//! `protobuf-compiler`), and therefore the feature `etcd` is not in `full`.
//!
//! [`Etcd`] is a [`Backend`](crate::Backend): what is written against the trait runs on it as it runs on a
//! [`Store`](crate::Store). etcd is the engine, with the semantics of this crate: one revision for the whole cluster, compare and
//! transact in one step, a watch without a gap.
//!
//! ```no_run
//! use bytes::Bytes;
//! use ifmatch::etcd::Etcd;
//! use ifmatch::{Backend, Precondition, WriteError};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let etcd = Etcd::connect("etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379/apps/blue").await?;
//! let key = Bytes::from_static(b"page");
//! let draft = etcd.put_if(key.clone(), "Hello".into(), Precondition::Absent).await?;
//! etcd.put_if(key.clone(), "Hello, world".into(), draft.revision().into()).await?;
//!
//! match etcd.put_if(key, "Hello, reader".into(), draft.revision().into()).await {
//!     Err(WriteError::Conflict(lost)) => println!("it is {:?} now", lost.current()),
//!     other => println!("{other:?}"),
//! }
//! # Ok(()) }
//! ```
//!
//! # Keys and values
//!
//! | etcd | what |
//! | --- | --- |
//! | `ifmatch/` + key | the value, byte for byte: of the example above `etcdctl get ifmatch/page` prints `Hello, world`, and what `etcdctl put ifmatch/page ..` writes is read |
//! | `ifmatch/` + key of a document | of a server (`ifmatch serve`, `ifmatch::http::router`): `FF 01`, 8 bytes of time, 6 random ones, the length of the content type in one, the content type, and then the body. `ifmatch::http::Document` has the form |
//! | `ifmatch/` + `00` + `idempotency/..`, `ifmatch/` + `00` + `idempotency-time/..` | of a server: what came of a write that had an `Idempotency-Key`, as each of the client and of the command has, and its place in the order of time. For 24 hours, the newest 100,000; they take of etcd's quota, too |
//! | `ifmatch.identity` | 32 hexadecimal digits, drawn at random by the first that connects. [Which store it is](crate::Identity), as `/readyz` says it, is this number XOR the number of the cluster |
//!
//! `ifmatch/` is the [namespace](Builder::namespace). Revision, created revision and write count are etcd's `mod_revision`,
//! `create_revision` and `version`, so that revisions grow also by what others write in the cluster.
//!
//! What `etcdctl` wrote is read by a server as a document of type `application/octet-stream`, if the key may be that of a
//! document (`ifmatch::http::DocumentKey`). **Other keys a server passes over**: those with an empty segment, `.` or `..`
//! (`ifmatch/a//b`), control characters, or what is not UTF-8 are in none of its lists, watches and exports. An [`Etcd`], also
//! under [`Typed`](crate::typed::Typed), reads and writes keys of all bytes.
//!
//! # What is different from a store in this process
//!
//! | | `Store` | `Etcd` | test |
//! | --- | --- | --- | --- |
//! | [history](crate::Capability::History) | as configured | unsupported: etcd does not tell when a key was deleted | `what_is_not_supported_is_refused` |
//! | the past, snapshots | kept while they are held, or as configured | until somebody compacts etcd; then [`Compacted`](crate::HistoryError::Compacted), also of a snapshot that is held | `a_snapshot_that_is_compacted_says_so` |
//! | a range is unchanged | no key was changed since | all keys are as they were: one that was created and deleted again in between is not noticed | `a_key_that_came_and_went_does_not_change_a_range` |
//! | operations of a transaction | 4,096 | 128 by default (`--max-txn-ops`), counted by etcd: the most of preconditions, writes, and reads for conflicts. A range that must not change has one precondition for each key in it; what a server writes with an `Idempotency-Key` has two more | `a_transaction_may_have_as_many_operations_as_etcd_takes` |
//! | size of a write | as configured | 1.5 MiB by default: [`RequestTooLarge`](crate::Reason::RequestTooLarge) | `what_etcd_finds_too_large_is_refused_as_such` |
//! | a [`position`](crate::BackendWatch::position) passes commits of no concern | at once | when etcd says so, each 10 minutes by default | `alone::a_position_passes_what_is_of_no_concern`, of an etcd that says so each 100 ms |
//! | an unknown outcome | the log failed | a connection was lost, a leader, or time ran out | `a_write_whose_answer_is_lost_is_unknown_and_not_repeated` |
//! | conflict of a range that was to be unchanged | names the key that changed first | names the changed key with the lowest revision, or else a deleted one | `an_unchanged_range_notices_creations_changes_and_deletes` |
//!
//! The tests are in `tests/etcd`, those with long names without a file in its `conformance`, which is the suite of
//! `ifmatch::testing::conformance`.
//!
//! # Consistency
//!
//! All reads are linearizable, so is every transaction, and a conflict has what was there when the precondition was judged:
//! it comes from the same transaction. Only what was certainly not carried out is tried again; a write whose answer did not
//! come is [`OutcomeUnknown`](crate::OutcomeUnknown), and is not repeated.
//!
//! A member that does not answer is left for the next, also if who asked gives up first, after a second or more. While none
//! does, a call takes up to [`retry_for`](Builder::retry_for), and as long as it takes to give up the last attempt: with
//! the defaults 15 s while connections are refused, and some 20 s while members hang.
//!
//! A write that etcd carried out while it ran out of space is answered as if it were refused, and of an answer that is larger
//! than [may be read](Builder::max_response_bytes) nobody knows what it says; this module looks what is there. If the write
//! certainly did not take place it is [`Full`](crate::Reason::Full), or else [`Unavailable`](crate::Reason::Unavailable); if it
//! may have, [`OutcomeUnknown`](crate::OutcomeUnknown).
//!
//! Servers before 3.4.34 and 3.5.16 can lose a delete to a watch that has fallen behind inside the server when a compaction
//! ends exactly at it (etcd#18089). A watch of this module does not fall behind because its reader is slow, and never resumes
//! at such a place, but it cannot see what a server loses while it sends.
//!
//! `etcdctl snapshot restore` takes revisions back. Restore into a cluster with another token
//! (`--initial-cluster-token`), or delete `ifmatch.identity`: then it is another store, and no old revision or `ETag`
//! matches. Who was connected before has to connect again, and is told so: every answer says of which cluster it is, and
//! [`status`](crate::Backend::status), and so `/readyz`, reads `ifmatch.identity`. From the first answer on that is of another
//! store, reads, writes and new watches are [`Unavailable`](crate::ReadError::Unavailable), for ever; of another cluster, open
//! watches, too, as soon as they hear of it. The write to which that was the answer went into the new store, and is
//! [`OutcomeUnknown`](crate::OutcomeUnknown). A cluster that is made anew at the same place with the same token has the same
//! number: it is noticed when somebody asks for the status, and what was written before that went into the new store.

mod backend;
mod builder;
mod commit;
mod condition;
mod connect_error;
mod entry;
mod fault;
mod identity;
mod limits;
mod members;
mod namespace;
mod read;
mod settle;
mod snapshot;
mod url;
mod watch;
mod write;

use std::fmt;
use std::time::Duration;

use etcd_client::proto::PbResponseHeader;

use crate::cause::Cause;
use crate::identity::Identity;
use crate::revision::Revision;
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering};

pub use self::builder::Builder;
#[cfg(feature = "tls")]
pub use self::builder::Tls;
pub use self::connect_error::ConnectError;
pub use self::namespace::InvalidNamespace;
pub use self::snapshot::EtcdSnapshot;
pub use self::watch::EtcdWatch;

use self::fault::Fault;
use self::members::Members;
use self::namespace::Namespace;

/// A store in etcd. Clones are handles of the same, and share its connections.
///
/// It is used on a tokio runtime with time and I/O enabled. A future that is dropped gives up waiting: a write that was sent
/// may take place.
#[derive(Clone)]
pub struct Etcd {
    shared: Arc<Shared>,
}

struct Shared {
    members: Members,
    namespace: Namespace,
    identity: Identity,
    reconnect_for: Duration,
    /// The largest revision that etcd has told.
    seen: AtomicU64,
    /// The most operations in a transaction, once they are known; 0 before.
    max_operations: AtomicU64,
    /// Whether etcd was seen to have another store in its place. It stays so: what was read of that one is not of this.
    is_replaced: AtomicBool,
}

impl Etcd {
    /// Connects to `etcd://host[:port][,host[:port]...][/namespace]`; `etcds` is TLS, with what the system trusts. The port is
    /// 2379 if it is not said.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Builder::from_url(url)?.connect().await
    }

    /// Says how to connect to the members of a cluster: `http://host:port`, `https://host:port`, `host:port`, or `host`, whose
    /// port is 2379.
    #[must_use]
    pub fn builder<E: AsRef<str>>(endpoints: impl IntoIterator<Item = E>) -> Builder {
        Builder::new(endpoints)
    }

    /// As [`builder`](Self::builder), from what [`connect`](Self::connect) takes.
    ///
    /// # Errors
    /// [`ConnectError::InvalidUrl`].
    pub fn builder_from_url(url: &str) -> Result<Builder, ConnectError> {
        Builder::from_url(url)
    }

    /// What the keys of the store begin with in etcd.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.shared.namespace.as_str()
    }

    async fn open(
        members: Members,
        namespace: Namespace,
        reconnect_for: Duration,
    ) -> Result<Self, ConnectError> {
        let identity = identity::find(&members, &namespace).await?;
        let (seen, max_operations) = (AtomicU64::new(Revision::MIN.get()), AtomicU64::new(0));
        let is_replaced = AtomicBool::new(false);
        let shared = Shared {
            members,
            namespace,
            identity,
            reconnect_for,
            seen,
            max_operations,
            is_replaced,
        };
        let etcd = Self { shared: Arc::new(shared) };
        etcd.newest().await?;
        Ok(etcd)
    }
}

const REPLACED: &str = "it is another store than the one that was connected to: the cluster or its identity in etcd has changed, or is gone. Connect again";

impl Shared {
    /// A revision that etcd has come to.
    fn seen(&self) -> Revision {
        Revision::try_from(self.seen.load(Ordering::Relaxed)).unwrap_or(Revision::MIN)
    }

    /// What every answer is looked at for: the revision that etcd has come to, and whether it is another cluster.
    ///
    /// # Errors
    /// If it is another: what it says is not of this store.
    fn hear(&self, header: Option<&PbResponseHeader>) -> Result<(), Fault> {
        if header.is_some_and(|header| self.members.is_foreign(header.cluster_id)) {
            return Err(self.replaced());
        }
        if let Ok(at) = entry::revision_of(header) {
            self.seen.fetch_max(at.get(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// # Errors
    /// If etcd was seen to have another store in its place.
    fn check_is_there(&self) -> Result<(), Fault> {
        if self.is_replaced.load(Ordering::Relaxed) { Err(self.replaced()) } else { Ok(()) }
    }

    /// Revisions and tags of the store that was there may match what they were never of.
    fn replaced(&self) -> Fault {
        self.is_replaced.store(true, Ordering::Relaxed);
        Fault::Refused(Cause::new(REPLACED))
    }
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("members", &self.shared.members)
            .field("namespace", &self.namespace())
            .finish_non_exhaustive()
    }
}
