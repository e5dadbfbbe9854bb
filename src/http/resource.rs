//! The handlers: one document, and the collection.
//!
//! What is wrong with the request itself is answered first, in the order key, query, preconditions, content; only then
//! is the store asked. Nothing blocks: writes are awaited.

use axum::body::Body;
use axum::extract::{FromRequestParts, OriginalUri, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::content_type::ContentType;
use super::document::Document;
use super::document_key::DocumentKey;
use super::etag::ETag;
use super::guard::Guard;
use super::new_document;
use super::problem::{Problem, ProblemKind};
use super::query;
use super::router::Shared;
use super::upload;

const COLLECTION: &str = "/v1/kv";

/// Where the router is mounted, so that what it links to resolves.
pub(super) struct Mount(String);

impl Mount {
    fn link(&self, key: &DocumentKey) -> String {
        format!("{}{COLLECTION}/{}", self.0, key.to_path())
    }

    fn location(&self, key: &DocumentKey) -> HeaderValue {
        HeaderValue::try_from(self.link(key)).expect("a path is ASCII, the key is encoded")
    }
}

impl<S: Sync> FromRequestParts<S> for Mount {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let original = parts.extensions.get::<OriginalUri>().map_or("", |uri| uri.path());
        Ok(Self(original.strip_suffix(parts.uri.path()).unwrap_or_default().to_owned()))
    }
}

/// The key in the path. It is taken from there by hand, because strict decoding is ours.
fn key_of(uri: &Uri) -> Result<DocumentKey, Problem> {
    let path = uri.path().strip_prefix(COLLECTION).unwrap_or_default();
    DocumentKey::from_path(path.strip_prefix('/').unwrap_or_default())
        .map_err(|error| Problem::new(ProblemKind::InvalidKey, error.to_string()))
}

/// `GET` and `HEAD`.
pub(super) async fn read(
    State(Shared { store, .. }): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let refuse = IntoResponse::into_response;
    let key = key_of(&uri).map_err(refuse)?;
    query::allow_only(uri.query(), &[]).map_err(refuse)?;
    let guard = Guard::of(&headers, None).map_err(refuse)?;
    let entry = store.get(&key).ok_or_else(|| Problem::not_found(&key).into_response())?;
    guard
        .check_read(store.identity(), entry.revision())
        .map_err(|no_read| no_read.with_key(&key).into_response())?;
    let headers = [
        (header::CONTENT_TYPE, entry.content_type().into()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        // Whoever may write could otherwise have a browser run a document, in the name of the server.
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox")),
    ];
    let etag = ETag::new(store.identity(), entry.revision());
    Ok((etag, headers, entry.body().clone()).into_response())
}

/// `PUT`.
pub(super) async fn put(
    State(Shared { store, options }): State<Shared>,
    uri: Uri,
    mount: Mount,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = key_of(&uri)?;
    query::allow_only(uri.query(), &["revision"])?;
    let guard = Guard::of(&headers, uri.query())?;
    upload::check_is_whole(&headers)?;
    let content_type = upload::content_type(&headers)?.unwrap_or(ContentType::OCTET_STREAM);
    let body = upload::body(body, options.max_body, options.body_timeout).await?;
    let document = Document::new(content_type, body)
        .map_err(|error| Problem::new(ProblemKind::InvalidBody, error.to_string()))?;

    let written = guard
        .put(&store, key.clone(), document)
        .await
        .map_err(|problem| problem.with_link(mount.link(&key)))?;
    let etag = ETag::new(store.identity(), written.revision());
    Ok(if written.is_creation() {
        created(etag, &mount, &key)
    } else {
        (StatusCode::NO_CONTENT, etag).into_response()
    })
}

/// `DELETE`.
pub(super) async fn delete(
    State(Shared { store, .. }): State<Shared>,
    uri: Uri,
    mount: Mount,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = key_of(&uri)?;
    query::allow_only(uri.query(), &["revision"])?;
    let guard = Guard::of(&headers, uri.query())?;
    let deleted = guard
        .delete(&store, key.clone())
        .await
        .map_err(|problem| problem.with_link(mount.link(&key)))?;
    let etag = ETag::new(store.identity(), deleted.revision());
    Ok((StatusCode::NO_CONTENT, etag).into_response())
}

/// `POST` to the collection.
pub(super) async fn create(
    State(Shared { store, options }): State<Shared>,
    uri: Uri,
    mount: Mount,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    query::allow_only(uri.query(), &[])?;
    let guard = Guard::of(&headers, None)?;
    if !guard.is_empty() && !guard.only_demands_absence() {
        let detail = "POST creates a document, which no precondition but \"If-None-Match: *\" fits";
        return Err(Problem::new(ProblemKind::InvalidHeader, detail));
    }
    upload::check_is_whole(&headers)?;
    if !upload::content_type(&headers)?.is_some_and(|given| given.is_plain_json()) {
        let detail = "the body is to be application/json";
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail)
            .with_header(header::ACCEPT, HeaderValue::from_static("application/json")));
    }
    let body = upload::body(body, options.max_body, options.body_timeout).await?;
    let (key, document) = new_document::read(&body)?;
    drop(body);

    let written = store
        .submit_put_if(&key, document, crate::precondition::Precondition::Absent)
        .await
        .map_err(|error| Problem::from(error).with_key(&key).with_link(mount.link(&key)))?;
    Ok(created(ETag::new(store.identity(), written.revision()), &mount, &key))
}

fn created(etag: ETag, mount: &Mount, key: &DocumentKey) -> Response {
    (StatusCode::CREATED, etag, [(header::LOCATION, mount.location(key))]).into_response()
}
