//! What helps to test what many use at once, and what is built on the crate; for `[dev-dependencies]`.
//!
//! It is above the backends, and knows nothing of HTTP. It brings no runtime.

mod check;
pub mod conformance;
mod history;
mod model;
mod recorded;
mod recorder;
mod report;
mod store_model;

pub use self::check::{
    Blocked, CheckError, CheckErrorOf, Checker, Linearization, Violation, check,
};
pub use self::history::{Call, History};
pub use self::model::{Model, Step};
pub use self::recorded::{RecordedBackend, StoreClient, TransactionClient};
pub use self::recorder::{Client, OpenCall, Recorder};
pub use self::store_model::{Entry, Failing, StoreModel, StoreOperation, StoreOutcome, StoreState};
#[cfg(feature = "log")]
pub use crate::storage::disk;
