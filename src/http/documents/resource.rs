//! The handlers of one document, and of creating one.
//!
//! What is wrong with the request itself is answered first, in the order key, query, preconditions, content; only then
//! is the store asked. Nothing blocks: the store is awaited.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::backend::{Backend, BackendSnapshot};
use crate::error::ReadError;
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::document::Document;
use super::document_write::{Change, DocumentWrite, Lost, Outcome};
use super::entry::{Entry, represent};
use super::idempotency::Repeatable;
use super::json_patch::PatchKind;
use super::keyspace::Prefix;
use super::long_poll;
use super::new_document;
use super::prefer;
use super::shared::{COLLECTION, Mount, Shared, key_of};
use crate::document_key::DocumentKey;
use crate::http::caller::Caller;
use crate::http::content_type::ContentType;
use crate::http::guard::Guard;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::query;
use crate::http::serve::shutdown::Shutdown;
use crate::http::upload;
use crate::http::versions;

/// `GET` and `HEAD`.
pub(super) async fn read<B: Backend>(
    State(shared): State<Shared<B>>,
    shutdown: Shutdown,
    request: Request,
) -> Result<Response, Response> {
    let refuse = IntoResponse::into_response;
    let uri = request.uri();
    let key = key_of(uri, COLLECTION).map_err(refuse)?;
    query::allow_only(uri.query(), &["at", "wait", "after"]).map_err(refuse)?;
    let at = query::revision(uri.query(), "at").map_err(refuse)?;
    let poll = long_poll::LongPoll::of(uri.query(), at).map_err(refuse)?;
    let guard = Guard::of(request.headers(), None).map_err(refuse)?;
    drop(request);
    let backend = shared.backend();
    if let Some(poll) = poll {
        // What is rare is boxed, so that the future of what is not is small.
        Box::pin(poll.wait(backend, key.as_bytes(), &shutdown)).await.map_err(refuse)?;
    }
    let stored = match at {
        None => backend.get(key.as_bytes()).await,
        Some(revision) => Box::pin(read_at(&shared, &key, revision)).await,
    };
    let stored = stored
        .map_err(|error| Problem::from(error).with_key(&key).into_response())?
        .ok_or_else(|| Problem::not_found(&key).into_response())?;
    let entry = shared.entry(&key, stored).map_err(refuse)?;
    guard
        .check_read_of(entry.current())
        .map_err(|no_read| no_read.with_key(&key).into_response())?;
    Ok(entry.into_representation())
}

/// What was stored at `revision`. What a list has pinned can be read, however old it is.
async fn read_at<B: Backend>(
    shared: &Shared<B>,
    key: &DocumentKey,
    revision: Revision,
) -> Result<Option<Versioned<Bytes>>, ReadError> {
    match shared.pins().get(revision) {
        Some(snapshot) => snapshot.get(key.as_bytes()).await,
        None => shared.backend().get_at(key.as_bytes(), revision).await,
    }
}

/// `PUT`.
pub(super) async fn put<B: Backend>(
    State(shared): State<Shared<B>>,
    mount: Mount,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let head = Head::of(&shared, mount, caller, &request, &["revision"])?;
    upload::check_is_whole(request.headers())?;
    let content_type =
        upload::content_type(request.headers())?.unwrap_or(ContentType::OCTET_STREAM);
    let body = upload::body_of(request, shared.options()).await?;
    let repeatable = head.repeatable(&body)?;
    let document = Document::new(content_type, body)
        .map_err(|error| Problem::new(ProblemKind::InvalidBody, error.to_string()))?;
    head.write(&shared, Change::Put(document), None, repeatable.as_ref()).await
}

/// `PATCH`.
pub(super) async fn patch<B: Backend>(
    State(shared): State<Shared<B>>,
    mount: Mount,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let head = Head::of(&shared, mount, caller, &request, &["revision"])?;
    upload::check_is_whole(request.headers())?;
    let kind = PatchKind::of(upload::content_type(request.headers())?.as_ref())?;
    let body = upload::body_of(request, shared.options()).await?;
    let repeatable = head.repeatable(&body)?;
    let place = shared.heavy().place(body.len()).await;
    let patch = shared.heavy().read(body.len(), move || kind.parse(&body, place)).await?;
    let change = Change::Patch(patch.into(), shared.options().max_body);
    head.write(&shared, change, None, repeatable.as_ref()).await
}

/// `DELETE`.
pub(super) async fn delete<B: Backend>(
    State(shared): State<Shared<B>>,
    mount: Mount,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let head = Head::of(&shared, mount, caller, &request, &["revision", "unless-prefix"])?;
    let unless = query::parameter(head.uri.query(), "unless-prefix")?
        .map(|text| Prefix::new(text, ProblemKind::InvalidQuery))
        .transpose()?;
    // It could be meant as a condition, and would be ignored.
    if !upload::body_of(request, shared.options()).await?.is_empty() {
        let detail = "a DELETE has no body: what it demands is in the query and in headers";
        return Err(Problem::new(ProblemKind::InvalidBody, detail));
    }
    let repeatable = head.repeatable(&[])?;
    head.write(&shared, Change::Delete, unless.as_ref(), repeatable.as_ref()).await
}

/// `POST` to the collection.
pub(super) async fn create<B: Backend>(
    State(shared): State<Shared<B>>,
    mount: Mount,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    query::allow_only(request.uri().query(), &[])?;
    let guard = Guard::of(request.headers(), None)?;
    if !guard.is_empty() && !guard.only_demands_absence() {
        let detail = "POST creates a document, which no precondition but \"If-None-Match: *\" fits";
        return Err(Problem::new(ProblemKind::InvalidHeader, detail));
    }
    upload::check_is_whole(request.headers())?;
    upload::check_is_json(request.headers())?;
    let (method, uri, headers) = parts(&request);
    let body = upload::body_of(request, shared.options()).await?;
    let (key, document) = new_document::read(&body)?;
    // A precondition in a header has the status of one; what POST itself demands is the state's disagreement: 409.
    let guard = if guard.is_empty() {
        Guard::absent()
    } else {
        guard.with_status(shared.options().precondition_status)
    };
    let head = Head { key, guard, mount, caller, method, uri, headers };
    let repeatable = head.repeatable(&body)?;
    head.write(&shared, Change::Put(document), None, repeatable.as_ref()).await
}

fn parts(request: &Request) -> (Method, Uri, HeaderMap) {
    (request.method().clone(), request.uri().clone(), request.headers().clone())
}

/// A write of a document but for its content.
struct Head {
    key: DocumentKey,
    guard: Guard,
    mount: Mount,
    caller: Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    fn of<B: Backend>(
        shared: &Shared<B>,
        mount: Mount,
        caller: Caller,
        request: &Request<Body>,
        parameters: &[&str],
    ) -> Result<Self, Problem> {
        let (method, uri, headers) = parts(request);
        let key = key_of(&uri, COLLECTION)?;
        query::allow_only(uri.query(), parameters)?;
        let guard =
            Guard::of(&headers, uri.query())?.with_status(shared.options().precondition_status);
        if guard.is_empty() && shared.options().require_preconditions {
            return Err(Problem::precondition_required().with_key(key));
        }
        Ok(Self { key, guard, mount, caller, method, uri, headers })
    }

    fn repeatable(&self, body: &[u8]) -> Result<Option<Repeatable>, Problem> {
        Repeatable::of(&self.caller, &self.method, &self.uri, &self.headers, body)
    }

    async fn write<B: Backend>(
        &self,
        shared: &Shared<B>,
        change: Change,
        unless: Option<&Prefix>,
        repeatable: Option<&Repeatable>,
    ) -> Result<Response, Problem> {
        let shows = self.caller.may_read();
        let write =
            DocumentWrite { key: &self.key, guard: &self.guard, change, unless, repeatable, shows };
        match write.commit(shared).await {
            Ok(outcome) => Ok(self.done(shared, outcome).await),
            Err(lost) => Err(Box::pin(self.lost(shared, lost)).await),
        }
    }

    async fn done<B: Backend>(&self, shared: &Shared<B>, outcome: Outcome) -> Response {
        let (etag, life) = (outcome.etag, outcome.life);
        // A patched document shows what the patch did not touch.
        let shows = self.caller.may_read() && prefer::wants_representation(&self.headers);
        let representation = match outcome.document {
            _ if !shows => None,
            Some((document, modified)) => Some(represent(etag, &document, Some(modified))),
            None => {
                let written = Box::pin(self.written_at(shared, etag.revision())).await;
                written.map(Entry::into_representation)
            }
        };
        let mut response = match representation {
            Some(mut response) => {
                let (name, value) = prefer::applied();
                response.headers_mut().insert(name, value);
                response
            }
            None => (StatusCode::NO_CONTENT, etag).into_response(),
        };
        versions::tell(response.headers_mut(), etag.revision(), life);
        if outcome.created {
            *response.status_mut() = StatusCode::CREATED;
            let headers = response.headers_mut();
            headers.insert(header::LOCATION, self.mount.location(&self.key));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        response
    }

    /// The problem, with all that a client needs to go on: what is there, where it is, what it was.
    async fn lost<B: Backend>(&self, shared: &Shared<B>, lost: Lost) -> Problem {
        let Lost { mut problem, current } = lost;
        if !self.caller.may_read() {
            return problem;
        }
        problem = problem.with_link(self.mount.document(&self.key));
        if let Some(base) = problem.expected()
            && let Some(then) = self.written_at(shared, base).await
            && self.guard.names(then.etag())
        {
            let base = format!("{}?at={base}", self.mount.document(&self.key));
            problem = problem.with_link_to("base", base);
        }
        let Some(current) = current else { return problem };
        if shared.backend().supports(crate::capability::Capability::History) {
            problem = problem.with_link_to("history", self.mount.history(&self.key));
        }
        if prefer::wants_representation(&self.headers) {
            let (name, value) = prefer::applied();
            problem = problem.with_member("current", &current).with_header(name, value);
        }
        problem
    }

    /// What the document became by the write of this revision, if that can still be read.
    async fn written_at<B: Backend>(
        &self,
        shared: &Shared<B>,
        revision: Revision,
    ) -> Option<Entry> {
        let (backend, key) = (shared.backend(), self.key.as_bytes());
        let is_it = |stored: &Versioned<Bytes>| stored.revision() == revision;
        // No past has to be kept for what is still there.
        let stored = match backend.get(key).await.ok()?.filter(is_it) {
            Some(now) => now,
            None => backend.get_at(key, revision).await.ok()?.filter(is_it)?,
        };
        shared.entry(&self.key, stored).ok()
    }
}
