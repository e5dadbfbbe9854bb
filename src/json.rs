//! JSON without loss: what is read and written back is the same document, numbers to the letter.
//!
//! # Invariants
//! - A number keeps its text. `1.50`, `1e400` and `12345678901234567890123` survive, which they would not as an `f64`.
//! - An object keeps the order of its members, and has each name once.
//! - What is read from text is nested at most [`MAX_DEPTH`] deep, so recursion over it is bounded.
//!
//! `serde_json` judges the syntax and reads and writes the strings; the tree is ours, because its own keeps numbers only
//! under a feature that changes every other user of `serde_json` in the same program.

mod equality;
mod invalid;
mod number;
mod object;
mod pointer;
mod read;
mod tree;
mod write;

pub use invalid::InvalidJson;
pub use number::{InvalidNumber, Number};
pub use object::Object;
pub use pointer::{InvalidPointer, JsonPointer};
pub use tree::Json;

pub(crate) use pointer::index;
pub(crate) use write::string_len;

/// How deep arrays and objects may be nested in a document that is read: 128.
pub const MAX_DEPTH: usize = 128;
