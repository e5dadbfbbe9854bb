//! 409 over HTTP: an axum router over a store of documents, and its parts for routers of your own.
//!
//! Optimistic locking over HTTP is: read (`ETag`), change, write back (`If-Match`). Whoever lost the race is told
//! `409 Conflict` with what is there now, reads it, merges, and tries again.
//!
//! - [`router()`] serves a [`DocumentStore`] as key-value resources; [`serve()`] serves any router on a socket, with all
//!   waits bounded.
//! - For routes of your own over a store of your own types: [`Guard`] extracts a request's preconditions and writes
//!   under them; [`ETag`] is the tag of a revision, and sets the header; [`VersionedJson`] is an entry with its tag;
//!   [`Problem`] is an error that a program can read. [`Conflict`](crate::Conflict) and
//!   [`WriteError`](crate::WriteError) are responses themselves, so that a handler can return them.
//!
//! ```
//! use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
//! use ifmatch::{Store, WriteError, http::ETag};
//!
//! type Users = Store<String, String>;
//!
//! // 201 with an ETag, or 409 with the current revision if the name is taken.
//! async fn register(
//!     State(users): State<Users>,
//!     Json((name, email)): Json<(String, String)>,
//! ) -> Result<(StatusCode, ETag), WriteError<String, String>> {
//!     let written = users.submit_put_if(name, email, ifmatch::Precondition::Absent).await?;
//!     Ok((StatusCode::CREATED, ETag::new(users.identity(), written.revision())))
//! }
//!
//! let app: Router = Router::new().route("/users", post(register)).with_state(Users::new());
//! ```

mod caller;
mod content_type;
mod cursor;
mod date;
mod document;
mod document_key;
mod document_write;
mod entry;
mod etag;
mod guard;
mod history;
mod idempotency;
mod json_patch;
mod keyspace;
mod list;
mod long_poll;
mod new_document;
mod options;
mod percent;
mod pins;
mod prefer;
mod problem;
mod query;
mod resource;
mod router;
mod serve;
mod shared;
mod tags;
mod turns;
mod txn;
mod upload;
mod versioned_json;
mod watch;

#[cfg(test)]
#[cfg(not(ifmatch_model))]
mod tests;

pub use self::caller::Caller;
pub use self::content_type::{ContentType, InvalidContentType};
pub use self::document::{Document, InvalidJson, UnreadableDocument};
pub use self::document_key::{DocumentKey, InvalidKey};
pub use self::etag::ETag;
pub use self::guard::{Guard, NoRead, PreconditionStatus};
pub use self::options::Options;
pub use self::problem::{Problem, ProblemKind};
pub use self::router::{DocumentStore, documents, router};
pub use self::serve::{ServeOptions, serve};
pub use self::versioned_json::VersionedJson;
