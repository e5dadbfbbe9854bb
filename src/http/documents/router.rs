//! The routes of a store of documents.

use std::collections::hash_map::RandomState;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter};

use bytes::Bytes;

use crate::backend::Backend;
use crate::store::{Builder, Store};

use super::operation::{Operation, Resource};
use super::options::Options;
use super::shared::Shared;
use super::{health, history, list, openapi, page, resource, txn, watch};
use crate::http::around::{Around, AroundLayer};
use crate::http::front::auth::Permit;
use crate::http::problem::{self, Problem, ProblemKind};

/// A store in this process for documents: of bytes, because a [`Backend`] is. [`Document::from_stored`] reads them.
///
/// Strangers choose its keys, so that they are hashed with SipHash.
///
/// [`Document::from_stored`]: crate::http::Document::from_stored
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
/// | `GET /v1/kv` | `?prefix=&limit=&cursor=`: pages in the order of keys, all at one revision; a cursor is `next` of a page, or `@R` for the list as of a revision, `@R/KEY` from that key on |
/// | `GET /v1/history/{key}` | the versions that are kept |
/// | `POST /v1/txn` | preconditions and operations, all or nothing: 200, or 409 with every failing one |
/// | `GET /v1/watch` | `?prefix=&since=R`: commits as server-sent events |
/// | `GET /` | a page to look at all that, in a browser |
/// | `GET /healthz`, `/readyz`, `/metrics` | whether the process answers; whether the store takes writes, which it is and what it can do; figures for Prometheus |
/// | `GET /problems/`, `/problems/{slug}` | what a `type` of problem means, as text or HTML |
/// | `GET /openapi.json` | all this as an OpenAPI 3.1 document |
///
/// Who may read and write what is said by the [`Caller`](crate::http::Caller) in the extensions of a request: 403.
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
    let (open, stored): (Vec<_>, Vec<_>) =
        Resource::ALL.into_iter().partition(|resource| resource.is_open());
    let no_store = || AroundLayer(NoStore);
    let stored = routes::<B>(stored).route_layer((no_store(), AroundLayer(Permit)));
    routes(open)
        .fallback(no_such_route)
        .layer(no_store())
        .merge(stored)
        .with_state(Shared::new(backend, options))
}

/// All routes of `resources`.
fn routes<B: Backend>(resources: Vec<Resource>) -> Router<Shared<B>> {
    resources.into_iter().fold(Router::new(), |router, resource| {
        let add = |router: Router<_>, route: &&str| router.route(route, methods::<B>(resource));
        resource.routes().iter().fold(router, add)
    })
}

/// The operations of `resource`; all other methods are refused.
fn methods<B: Backend>(resource: Resource) -> MethodRouter<Shared<B>> {
    let allow = resource.allow();
    resource
        .operations()
        .iter()
        .fold(MethodRouter::new(), |methods, operation| handle(methods, *operation))
        .fallback(move || std::future::ready(method_not_allowed(&allow)))
}

fn handle<B: Backend>(
    methods: MethodRouter<Shared<B>>,
    operation: Operation,
) -> MethodRouter<Shared<B>> {
    let filter = MethodFilter::try_from(operation.method()).expect("axum knows all of ours");
    match operation {
        Operation::Look => methods.on(filter, page::page),
        Operation::Read => methods.on(filter, resource::read::<B>),
        Operation::Put => methods.on(filter, resource::put::<B>),
        Operation::Patch => methods.on(filter, resource::patch::<B>),
        Operation::Delete => methods.on(filter, resource::delete::<B>),
        Operation::List => methods.on(filter, list::list::<B>),
        Operation::Create => methods.on(filter, resource::create::<B>),
        Operation::History => methods.on(filter, history::history::<B>),
        Operation::Transact => methods.on(filter, txn::transact::<B>),
        Operation::Watch => methods.on(filter, watch::watch::<B>),
        Operation::Alive => methods.on(filter, health::alive),
        Operation::Ready => methods.on(filter, health::ready::<B>),
        Operation::Metrics => methods.on(filter, health::metrics::<B>),
        Operation::Describe => methods.on(filter, openapi::describe::<B>),
        Operation::Problems => methods.on(filter, problem::pages::list),
        Operation::Problem => methods.on(filter, problem::pages::page),
    }
}

/// Only what says otherwise may be kept: a read from a cache after a 409 would be as stale as the one before.
#[derive(Clone)]
struct NoStore;

impl Around for NoStore {
    type Kept = ();

    fn before(&self, _: &mut Request) -> Result<(), Response> {
        Ok(())
    }

    fn after((): (), response: &mut Response) {
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(no_store);
    }
}

fn method_not_allowed(allow: &str) -> Problem {
    let value = HeaderValue::try_from(allow).expect("names of methods, and commas");
    Problem::new(ProblemKind::MethodNotAllowed, format!("the resource has {allow}"))
        .with_header(header::ALLOW, value)
}

async fn no_such_route() -> Problem {
    Problem::new(ProblemKind::NoSuchRoute, "documents are at /v1/kv/{key}")
}
