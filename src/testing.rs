//! What helps to test what many use at once, and what is built on the crate; for `[dev-dependencies]`.
//!
//! It is above the backends, and knows nothing of HTTP. It brings no runtime. Begin with the [`guide`].

mod check;
pub mod conformance;
mod history;
mod model;
mod plan;
mod recorded;
mod recorder;
mod report;
mod specification;
mod store_model;
pub mod strategies;

pub use self::check::{
    Blocked, CheckError, CheckErrorOf, Checker, Linearization, Violation, check,
};
pub use self::history::{Call, History};
pub use self::model::{Model, Step};
pub use self::plan::{Expect, Planned, PlannedRequirement, PlannedTxn, Plans, Player};
pub use self::recorded::{
    PendingClient, RecordedBackend, SnapshotClient, StoreClient, TransactionClient, WatchClient,
};
pub use self::recorder::{Client, OpenCall, Recorder};
pub use self::specification::Specification;
pub use self::store_model::{
    Entry, Failing, RangeRead, StoreModel, StoreOperation, StoreOutcome, StoreState,
};
#[cfg(feature = "log")]
pub use crate::storage::disk;

#[doc = include_str!("testing/guide.md")]
pub mod guide {}
