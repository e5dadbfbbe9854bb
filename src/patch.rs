//! Patches of JSON documents: merge patch (RFC 7396) and JSON patch (RFC 6902).
//!
//! A patch is read first, and what is wrong with its text is an [`InvalidPatch`], whatever the document. Then it is
//! applied, whole or not at all, and what does not fit the document is a [`PatchError`].
//!
//! # Invariants
//! - A patch of few bytes does no unbounded work: operations, depth, the size of the document in between and after, and
//!   what is copied and moved are all bounded.
//! - What a patch does not touch keeps its text and its order.

mod apply;
mod error;
mod json_patch;
mod merge_patch;
mod operation;

pub use error::{InvalidPatch, OperationFault, PatchError, PatchFailure};
pub use json_patch::JsonPatch;
pub use merge_patch::MergePatch;

/// How many operations a JSON patch may have: 1,000.
pub const MAX_OPERATIONS: usize = 1_000;
