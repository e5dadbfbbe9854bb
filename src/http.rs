//! 409 over HTTP: an axum router over a store of documents, and its parts for routers of your own.
//!
//! Optimistic locking over HTTP is: read (`ETag`), change, write back (`If-Match`). Whoever lost the race is told
//! `409 Conflict` with what is there now, reads it, merges, and tries again.
//!
//! - [`router()`] serves a [`Backend`](crate::Backend), such as a [`DocumentStore`] in this process, as key-value
//!   resources; [`Front`] stands in front of it, or of any router: tokens, hosts and origins, compression, figures and
//!   logs; [`serve()`] serves that on a socket, with all waits bounded.
//! - For routes of your own over a store of your own types: [`Guard`] extracts a request's preconditions, and reads and
//!   writes under them; [`VersionedJson`] and [`Saved`] are its answers; [`ETag`] is the tag of a revision; [`JsonBody`]
//!   is a body whose faults are 400; [`Problem`] is an error that a program can read, with [`Problem::rule`] for your own.
//!   Every error of the store is a response itself, so that a handler can return it.
//! - The [`guide`] says how to have few conflicts, why they are 409, and when not to lock so.
//!
//! ```
//! use axum::{Router, extract::{Path, State}, routing::get};
//! use ifmatch::{Store, http::{Guard, JsonBody, NoRead, Problem, Saved, VersionedJson}};
//!
//! type Notes = Store<String, Vec<String>>;
//!
//! // 200 with an ETag, 304, 404
//! async fn show(
//!     State(notes): State<Notes>,
//!     Path(name): Path<String>,
//!     guard: Guard,
//! ) -> Result<VersionedJson<Vec<String>>, NoRead> {
//!     guard.read(&notes, name).await
//! }
//!
//! // 201 or 204 with the new ETag; 409 with the current one, if If-Match or ?revision= is not it
//! async fn write(
//!     State(notes): State<Notes>,
//!     Path(name): Path<String>,
//!     guard: Guard,
//!     JsonBody(lines): JsonBody<Vec<String>>,
//! ) -> Result<Saved, Problem> {
//!     guard.put(&notes, name, lines).await
//! }
//!
//! let app: Router = Router::new().route("/notes/{name}", get(show).put(write)).with_state(Notes::new());
//! ```

mod around;
mod caller;
mod content_type;
mod date;
mod documents;
mod etag;
mod field;
mod front;
mod guard;
mod json_body;
mod problem;
mod query;
mod saved;
mod serve;
mod tags;
mod upload;
mod versioned_json;
mod versions;

#[cfg(test)]
#[cfg(not(ifmatch_model))]
mod tests;

#[doc = include_str!("http/guide.md")]
pub mod guide {}

pub use self::caller::Caller;
pub use self::content_type::{ContentType, InvalidContentType};
pub use self::documents::{
    Document, DocumentStore, InvalidJson, Options, Stamp, UnreadableDocument, documents, router,
};
pub use self::etag::ETag;
pub use self::front::{
    Figure, Front, InvalidOrigin, InvalidTokens, Metrics, Origins, Tokens, Watcher, authenticate,
    observe, refuse_foreign,
};
pub use self::guard::{Guard, NoRead, PreconditionStatus};
pub use self::json_body::JsonBody;
pub use self::problem::{Problem, ProblemKind, problem_pages};
pub use self::saved::Saved;
pub use self::serve::{ServeOptions, Shutdown, serve};
#[cfg(feature = "tls")]
pub use self::serve::{Tls, TlsError};
pub use self::versioned_json::VersionedJson;
pub use crate::document_key::{DocumentKey, InvalidKey};
