//! The routes of a store of documents.

use std::collections::hash_map::RandomState;
use std::fmt::Write;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::store::{Builder, Store};

use super::document::Document;
use super::document_key::DocumentKey;
use super::problem::{Problem, ProblemKind};
use super::resource;

/// A store of documents. Strangers choose its keys, so that they are hashed with SipHash.
pub type DocumentStore = Store<DocumentKey, Document, RandomState>;

/// A builder of a [`DocumentStore`].
///
/// ```
/// let store = ifmatch::http::documents().max_keys(1_000_000).build();
/// assert!(store.is_empty());
/// ```
#[must_use]
pub fn documents() -> Builder<DocumentKey, Document, RandomState> {
    Store::builder().hasher(RandomState::new())
}

/// Limits of the [`router`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Options {
    pub(super) max_body: usize,
    pub(super) body_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_body: 8 << 20, body_timeout: Duration::from_secs(60) }
    }
}

impl Options {
    /// The most bytes that the body of a request may have; past it the answer is 413. Default: 8 MiB.
    ///
    /// A store on a log also has to take records of that size and a little more:
    /// [`Builder::max_record_bytes`](crate::Builder::max_record_bytes).
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How long the body of a request may take to arrive; past it the answer is 408. Default: 60 s.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }
}

/// What the handlers share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) store: DocumentStore,
    pub(super) options: Options,
}

/// A router over `store`:
///
/// | route | what it does |
/// | --- | --- |
/// | `GET`, `HEAD /v1/kv/{key}` | the document with its `ETag`; `If-None-Match`: 304, `If-Match`: 412 |
/// | `PUT /v1/kv/{key}` | writes the body, verbatim: 201 or 204; `?revision=N`, `If-Match`, `If-None-Match`: 409 |
/// | `DELETE /v1/kv/{key}` | deletes: 204; guarded like `PUT` |
/// | `POST /v1/kv` | `{"key": .., "value": ..}` creates: 201, or 409 |
/// | `GET /problems/{slug}` | what a `type` of problem means |
///
/// All errors are [`Problem`]s, unknown routes included; only what is no HTTP that could be routed (a malformed or too
/// large head) is answered without a body. It can be nested in another router: links and locations have the prefix;
/// `/problems/...` in a problem's `type` has not.
///
/// A failed precondition is 409 rather than RFC 9110's 412, also where it was a header: it means the same as a failed
/// `?revision=`, and the body says what is there now. Only a GET or HEAD with `If-Match` answers 412.
///
/// It needs a tokio runtime with time enabled. No thread of that is ever blocked on the disk.
pub fn router(store: DocumentStore, options: Options) -> Router {
    let document = || {
        get(resource::read)
            .put(resource::put)
            .delete(resource::delete)
            .fallback(|| method_not_allowed("GET, HEAD, PUT, DELETE"))
    };
    let collection = post(resource::create).fallback(|| method_not_allowed("POST"));
    let pages = get(problem_page).fallback(|| method_not_allowed("GET, HEAD"));
    Router::new()
        .route("/v1/kv", collection)
        // The wildcard does not match an empty key, which is to be 400, and not an unknown route.
        .route("/v1/kv/", document())
        .route("/v1/kv/{*key}", document())
        .route("/problems/{slug}", pages)
        .fallback(no_such_route)
        .layer(map_response(no_store))
        .with_state(Shared { store, options })
}

/// Only what says otherwise may be kept: a read from a cache after a 409 would be as stale as the one before.
async fn no_store(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn method_not_allowed(allow: &'static str) -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed, format!("the resource has {allow}"))
        .with_header(header::ALLOW, HeaderValue::from_static(allow))
}

async fn no_such_route() -> Problem {
    Problem::new(ProblemKind::NoSuchRoute, "documents are at /v1/kv/{key}")
}

async fn problem_page(Path(slug): Path<String>) -> Response {
    let Some(kind) = ProblemKind::ALL.into_iter().find(|kind| kind.slug() == slug) else {
        return Problem::new(ProblemKind::NoSuchRoute, "there is no such kind of problem")
            .into_response();
    };
    let mut page = format!("{}\n\n", kind.title());
    writeln!(page, "Status: {}\n\n{}", kind.status(), kind.advice())
        .expect("a string takes all that is written");
    page.into_response()
}
