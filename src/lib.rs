//! An embeddable versioned key-value store.
#![forbid(unsafe_code)]

mod codec;
mod conflict;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod identity;
mod key;
mod log;
mod precondition;
mod revision;
mod storage;
mod store;
mod sync;
mod versioned;

#[cfg(feature = "postcard")]
pub use codec::Postcard;
pub use codec::{Bincode, Codec, CodecError, DECODE_LIMIT};
pub use conflict::Conflict;
pub use error::{LogFailure, OpenError, OutcomeUnknown, Reason, Refused, SyncError, WriteError};
pub use identity::Identity;
pub use key::AsKey;
pub use log::{Cut, Durability, Recovery};
pub use precondition::Precondition;
pub use revision::{InvalidRevision, Revision};
pub use store::{Builder, Deleted, FastHash, Pending, Store, UPDATE_ATTEMPTS, Written};
pub use versioned::Versioned;
