//! The router over a [`Backend`](crate::Backend) of documents.
//!
//! - [`operation`] is the table of what there is; [`mod@router`] and [`openapi`] are made from it; [`options`] is what can
//!   be set;
//! - handlers, by route: [`resource`] (one document, and creating one), [`long_poll`], [`list`], [`history`], [`txn`],
//!   [`watch`], [`health`], [`page`];
//! - what is stored: [`document`] under a [`DocumentKey`](crate::http::DocumentKey), in the [`keyspace`] beside what the server remembers;
//!   [`entry`] is a document with its revisions, as an answer;
//! - [`document_write`] is the one way in which a document is written, on top of what is [`found`]; [`idempotency`] makes it
//!   repeatable, [`turns`] fair,
//!   and [`heavy`] keeps large patches from being in the way;
//! - [`new_document`], [`json_patch`] and [`prefer`] read requests; [`cursor`] and [`pins`] keep a list at one revision;
//! - [`shared`] is what all handlers have.
//!
//! It knows the store as a `Backend` only, and nothing of what stands in front of it.

mod cursor;
mod document;
mod document_write;
pub(super) mod entry;
mod found;
mod health;
mod heavy;
mod history;
mod idempotency;
mod json_patch;
mod keyspace;
mod list;
mod long_poll;
mod new_document;
mod openapi;
mod operation;
pub(super) mod options;
mod page;
mod pins;
mod prefer;
mod resource;
mod router;
mod shared;
mod turns;
mod txn;
mod watch;

pub use self::document::{Document, InvalidJson, Stamp, UnreadableDocument};
pub use self::options::Options;
pub use self::router::{DocumentStore, documents, router};
