//! An entry of a store as a response.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::identity::Identity;
use crate::versioned::Versioned;

use super::etag::ETag;
use super::problem::{Problem, ProblemKind};

/// An entry of a store as a response: its value in JSON, with its `ETag`, and `Cache-Control: no-cache`, so that
/// caches ask before they answer with what may be stale.
///
/// ```
/// use axum::extract::{Path, State};
/// use ifmatch::{Store, http::{Problem, VersionedJson}};
///
/// async fn get_note(
///     State(notes): State<Store<String, Vec<String>>>,
///     Path(name): Path<String>,
/// ) -> Result<VersionedJson<Vec<String>>, Problem> {
///     let note = notes.get(name.as_str()).ok_or_else(|| Problem::not_found(&name))?;
///     Ok(VersionedJson::new(notes.identity(), note))
/// }
/// # let _: axum::Router = axum::Router::new()
/// #     .route("/notes/{name}", axum::routing::get(get_note)).with_state(Store::new());
/// ```
#[derive(Clone, Debug)]
pub struct VersionedJson<V> {
    identity: Identity,
    entry: Versioned<V>,
}

impl<V> VersionedJson<V> {
    /// A response with `entry` of the store `identity`.
    #[must_use]
    pub fn new(identity: Identity, entry: Versioned<V>) -> Self {
        Self { identity, entry }
    }

    /// The tag that the response has.
    #[must_use]
    pub fn etag(&self) -> ETag {
        ETag::new(self.identity, self.entry.revision())
    }
}

impl<V: Serialize> IntoResponse for VersionedJson<V> {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        match serde_json::to_vec(self.entry.value()) {
            Ok(body) => (self.etag(), headers, body).into_response(),
            Err(error) => Problem::new(ProblemKind::Internal, error.to_string()).into_response(),
        }
    }
}
