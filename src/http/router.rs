//! The routes of a store of documents.

use std::collections::hash_map::RandomState;
use std::fmt::Write;

use axum::Router;
use axum::http::{HeaderValue, Uri, header};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use bytes::Bytes;

use crate::backend::Backend;
use crate::store::{Builder, Store};

use super::auth::permit;
use super::options::Options;
use super::problem::{Problem, ProblemKind};
use super::shared::Shared;
use super::{health, history, list, resource, txn, watch};

/// A store in this process for documents: of bytes, because a [`Backend`] is. [`Document::from_stored`] reads them.
///
/// Strangers choose its keys, so that they are hashed with SipHash.
///
/// [`Document::from_stored`]: super::Document::from_stored
pub type DocumentStore = Store<Bytes, Bytes, RandomState>;

/// A builder of a [`DocumentStore`].
///
/// ```
/// let store = ifmatch::http::documents().max_keys(1_000_000).build();
/// assert!(store.is_empty());
/// ```
#[must_use]
pub fn documents() -> Builder<Bytes, Bytes, RandomState> {
    Store::builder().hasher(RandomState::new())
}

/// A router over `backend`:
///
/// | route | what it does |
/// | --- | --- |
/// | `GET`, `HEAD /v1/kv/{key}` | the document with its `ETag`; `If-None-Match`, `If-Modified-Since`: 304, `If-Match`, `If-Unmodified-Since`: 412; `?at=R` as of a revision, or 410; `?wait=30s&after=R` when it has changed |
/// | `PUT /v1/kv/{key}` | writes the body, verbatim: 201 or 204; `?revision=N`, `If-Match`, `If-None-Match`, `If-Unmodified-Since`: 409 |
/// | `PATCH /v1/kv/{key}` | a merge patch (RFC 7396) or JSON patch (RFC 6902): 204; guarded like `PUT` |
/// | `DELETE /v1/kv/{key}` | deletes: 204; guarded like `PUT`, and by `?unless-prefix=`: 409 with the blockers |
/// | `POST /v1/kv` | `{"key": .., "value": ..}` creates: 201, or 409 |
/// | `GET /v1/kv` | `?prefix=&limit=&cursor=`: pages in the order of keys, all at one revision |
/// | `GET /v1/history/{key}` | the versions that are kept |
/// | `POST /v1/txn` | preconditions and operations, all or nothing: 200, or 409 with every failing one |
/// | `GET /v1/watch` | `?prefix=&since=R`: commits as server-sent events |
/// | `GET /healthz`, `/readyz`, `/metrics` | whether the process answers; whether the store takes writes; figures for Prometheus |
/// | `GET /problems/{slug}` | what a `type` of problem means |
///
/// Who may read and write what is said by the [`Caller`](super::Caller) in the extensions of a request: 403.
///
/// Writes take `Prefer: return=representation` and `Idempotency-Key`. All errors are [`Problem`]s, unknown routes
/// included; only what is no HTTP that could be routed (a malformed or too large head) is answered without a body. It can
/// be nested in another router: links and locations have the prefix; `/problems/...` in a problem's `type` has not.
///
/// A failed precondition is 409 rather than RFC 9110's 412, also where it was a header: it means the same as a failed
/// `?revision=`, and the body says what is there now. [`Options::precondition_status`] has it the other way. Only a GET or
/// HEAD with `If-Match` answers 412 always.
///
/// It needs a tokio runtime with time enabled. No thread of that is ever blocked on the disk.
pub fn router<B: Backend>(backend: B, options: Options) -> Router {
    let document = || {
        get(resource::read::<B>)
            .put(resource::put::<B>)
            .patch(resource::patch::<B>)
            .delete(resource::delete::<B>)
            .fallback(|| method_not_allowed("GET, HEAD, PUT, PATCH, DELETE"))
    };
    let collection = post(resource::create::<B>)
        .get(list::list::<B>)
        .fallback(|| method_not_allowed("GET, HEAD, POST"));
    let transactions = post(txn::transact::<B>).fallback(|| method_not_allowed("POST"));
    let read_only =
        |route: MethodRouter<Shared<B>>| route.fallback(|| method_not_allowed("GET, HEAD"));
    let stored = Router::new()
        .route("/v1/kv", collection)
        // The wildcard does not match an empty key, which is to be 400, and not an unknown route.
        .route("/v1/kv/", document())
        .route("/v1/kv/{*key}", document())
        .route("/v1/history/", read_only(get(history::history::<B>)))
        .route("/v1/history/{*key}", read_only(get(history::history::<B>)))
        .route("/v1/txn", transactions)
        .route("/v1/watch", read_only(get(watch::watch::<B>)))
        .route("/metrics", read_only(get(health::metrics::<B>)))
        .route_layer(from_fn(permit));
    stored
        .route("/healthz", read_only(get(health::alive)))
        .route("/readyz", read_only(get(health::ready::<B>)))
        .route("/problems/{slug}", read_only(get(problem_page)))
        .fallback(no_such_route)
        .layer(from_fn(permit))
        .layer(map_response(no_store))
        .with_state(Shared::new(backend, options))
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

async fn problem_page(uri: Uri) -> Response {
    let slug = uri.path().rsplit('/').next().unwrap_or_default();
    let Some(kind) = ProblemKind::ALL.into_iter().find(|kind| kind.slug() == slug) else {
        return Problem::new(ProblemKind::NoSuchRoute, "there is no such kind of problem")
            .into_response();
    };
    let mut page = format!("{}\n\n", kind.title());
    writeln!(page, "Status: {}\n\n{}", kind.status(), kind.advice())
        .expect("a string takes all that is written");
    ([(header::CACHE_CONTROL, "no-cache")], page).into_response()
}
