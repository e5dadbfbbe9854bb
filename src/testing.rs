//! What helps to test what is built on the crate; for `[dev-dependencies]`.
//!
//! It is above the backends, and knows nothing of HTTP. It brings no runtime.

pub mod conformance;

#[cfg(feature = "log")]
pub use crate::storage::disk;
