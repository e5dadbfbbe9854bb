//! A versioned key-value store to embed: every write may say *only if the revision is still this one*.
//!
//! Every value carries a [`Revision`], a number that grows with every commit to the store and is never used twice. A
//! write may demand that the key is still at the revision that was read ([`Store::put_if`]); a write that lost the
//! race gets a typed [`Conflict`] with what is there now, so that the caller can merge and try again without another
//! read. This is optimistic locking: nobody holds a lock while a person edits or a request runs, and no update is
//! lost.
//!
//! ```
//! use ifmatch::Store;
//!
//! let store: Store<String, String> = Store::new();
//! let draft = store.create("page", "Hello".to_owned())?;
//!
//! // Somebody else is faster:
//! store.put_if("page", "Hello, world".to_owned(), draft)?;
//!
//! // Our write would overwrite theirs unseen, so it fails, and tells what is there now:
//! let error = store.put_if("page", "Hello, reader".to_owned(), draft).unwrap_err();
//! let conflict = error.conflict().expect("the revision is stale");
//! let current = conflict.current().expect("nobody deleted the page");
//! assert_eq!(current.value(), "Hello, world");
//!
//! // Merge, and write on top of exactly what we have seen:
//! store.put_if("page", format!("{}, dear reader", current.value()), current.revision())?;
//! # Ok::<(), ifmatch::WriteError<String, String>>(())
//! ```
//!
//! # Many keys, order, time
//!
//! A [`Txn`] has preconditions and writes over many keys, also "nothing exists under this prefix", and is committed whole
//! under one revision or not at all; [`Store::transact`] is the same as a closure that reads and writes, and is
//! serializable. Keys have an order: [`Store::range`], [`Store::prefix`]. A [`Snapshot`] is the state at one revision: taking it
//! copies nothing, and [`Store::watch`] tells everything that comes after it, in order, without a gap. With
//! [`Builder::history`] the past can be read.
//!
//! ```
//! use ifmatch::{Precondition, Store, Txn};
//!
//! let store: Store<String, u32> = Store::new();
//! let stock = store.create("stock", 3)?;
//! let order = Txn::new()
//!     .require("stock", stock) // as we have read it
//!     .require("order/1", Precondition::Absent)
//!     .put("stock", 2)
//!     .put("order/1", 1);
//! let revision = store.commit(order)?;
//!
//! let snapshot = store.snapshot();
//! assert_eq!(snapshot.prefix("order/").count(), 1);
//!
//! let mut watch = store.watch().since(snapshot.revision()).open()?;
//! store.delete("order/1")?;
//! assert_eq!(watch.recv()?.events()[0].key(), "order/1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In memory or on a log
//!
//! [`Store::new`] lives in memory and asks nothing of its types but what a map does. [`Builder::open`] puts the same
//! store on an append-only log, if the types have serde; all data is in memory then, too, and the log makes it
//! durable. What survives what is the [`Durability`]; the default, [`Durability::Sync`], acknowledges a write when it
//! is on the disk, and shows nobody anything that a power cut could take back.
//!
//! # Consistency
//!
//! Operations on a key are linearizable, all writes are in one order, and no lock is held while code of yours runs: see
//! [`Store`]. What the log does after a crash, or with damage, is written down with its byte format in
//! [`src/log/FORMAT.md`](https://docs.rs/crate/ifmatch/latest/source/src/log/FORMAT.md).
//!
//! # Running it
//!
//! [`maintenance`] looks after a log's directory, whatever is stored there: verify, dump, statistics, online backups, restore
//! into a new store, repair. [`maintenance::guide`] is the page for whoever runs a store: memory, disks, backups, and what to do
//! when it does not open.
//!
//! # Features
//!
//! The default is the store and the log (`log`), without an async runtime; a write can still be awaited ([`Pending`]).
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `stream` | a [`Watch`] as a futures `Stream` |
//! | `backend` | the async trait that a store here and a store elsewhere both meet |
//! | `testing` | for `[dev-dependencies]`: a model, a recorder and a linearizability checker for concurrent compare-and-swap, the suite that every backend passes, a simulated disk |
//! | `merge` | JSON without loss, three-way merge, merge patch and JSON patch |
//! | `http` | an axum router that answers a lost race with `409 Conflict`, and its pieces for routers of your own |
//! | `client` | the typed client of that |
//! | `tls` | TLS by rustls for what there is of `http`, `client` and `etcd` |
//! | `cli` | the command `ifmatch` |
//! | `postcard` | another codec for the log |
//! | `full` | all of these |
//! | `etcd` | the backend on etcd, `ifmatch serve --backend etcd://..`; its build needs `protoc`, so it is not in `full`. Its documentation: `cargo doc --features full,etcd --open` |
//!
//! # The map of the code
//!
//! [`Revision`], [`Versioned`], [`Precondition`], [`Conflict`] and the errors are small files of their own. `store` has
//! the map and the commit path, `log` the log, `storage` the seam to the file system; `backend`, `http` and `client` are
//! built on it. `ARCHITECTURE.md` says how they hold together and why.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "log"),
    allow(dead_code, unused_imports, reason = "the commit path is one, with or without a log")
)]

#[cfg(feature = "backend")]
mod backend;
mod capability;
mod cause;
#[cfg(feature = "client")]
pub mod client;
mod codec;
mod commit_error;
mod conflict;
#[cfg(any(feature = "http", feature = "client"))]
mod document_key;
mod error;
#[cfg(feature = "etcd")]
pub mod etcd;
mod event;
mod history;
#[cfg(feature = "http")]
pub mod http;
mod identity;
#[cfg(feature = "merge")]
pub mod json;
mod key;
#[cfg(feature = "log")]
mod log;
#[cfg(not(feature = "log"))]
#[path = "log/absent.rs"]
mod log;
mod log_stats;
#[cfg(feature = "log")]
pub mod maintenance;
#[cfg(feature = "merge")]
pub mod merge;
#[cfg(feature = "merge")]
pub mod patch;
#[cfg(any(feature = "http", feature = "client"))]
mod percent;
mod precondition;
mod range;
mod revision;
#[cfg(feature = "log")]
mod storage;
mod store;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod txn;
#[cfg(all(feature = "backend", feature = "log"))]
pub mod typed;
mod versioned;

#[cfg(feature = "backend")]
pub use backend::{Backend, BackendSnapshot, BackendStatus, BackendWatch, Page};
pub use capability::Capability;
pub use cause::Cause;
#[cfg(feature = "postcard")]
pub use codec::Postcard;
pub use codec::{Bincode, CodecError};
#[cfg(feature = "log")]
pub use codec::{Codec, DECODE_LIMIT};
pub use commit_error::{CommitError, TransactError, TxError};
pub use conflict::Conflict;
#[cfg(feature = "log")]
pub use error::{CompactError, OpenError};
pub use error::{LogFailure, OutcomeUnknown, ReadError, Reason, Refused, SyncError, WriteError};
pub use event::{Commit, Event, WatchError};
pub use history::{HistoryError, KeyHistory, KeyVersion, TooManySnapshots};
pub use identity::Identity;
pub use key::AsKey;
#[cfg(feature = "log")]
pub use log::{Cut, Durability, Recovery};
pub use log_stats::{Compactions, LogStats};
pub use precondition::Precondition;
pub use range::{AsPrefix, AsRange, KeyRange};
pub use revision::{InvalidRevision, Revision};
pub use store::{
    Builder, Canceller, Deleted, FastHash, Pending, Read, Scan, Snapshot, Stats, Store, Submitted,
    Transaction, UPDATE_ATTEMPTS, Watch, WatchBuilder, Written,
};
pub use txn::{Requirement, Txn};
pub use versioned::Versioned;

/// The README's programs compile and run.
#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../README.md")]
struct Readme;
