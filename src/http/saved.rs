//! A write as a response.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::identity::Identity;
use crate::revision::Revision;
use crate::store::Written;

use super::etag::ETag;

/// A put that took place, as a response: 201 if it created the entry, else 204, with the new `ETag`.
///
/// It is what [`Guard::put`](super::Guard::put) returns.
///
/// ```
/// use axum::response::IntoResponse;
/// use ifmatch::{Store, http::Guard};
///
/// # async fn put() -> Result<(), ifmatch::http::Problem> {
/// let notes: Store<String, String> = Store::new();
/// let saved = Guard::default().put(&notes, "a b".to_owned(), "text".to_owned()).await?;
/// let response = saved.at("/notes/a%20b").into_response();
/// assert_eq!(response.status(), 201);
/// assert_eq!(response.headers()["location"], "/notes/a%20b");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Saved {
    etag: ETag,
    is_creation: bool,
    location: Option<HeaderValue>,
}

impl Saved {
    /// The response to `written`, of the store `identity`.
    pub fn new(identity: Identity, written: Written) -> Self {
        let etag = ETag::new(identity, written.revision());
        Self { etag, is_creation: written.is_creation(), location: None }
    }

    /// Where the entry is: the `Location` of what was created.
    ///
    /// # Panics
    /// If it has characters that a header cannot carry. What a URI cannot is to be percent-encoded.
    pub fn at(mut self, location: impl AsRef<str>) -> Self {
        let location = HeaderValue::from_str(location.as_ref()).expect("a location is a URI");
        self.location = Some(location);
        self
    }

    /// The tag of what was written.
    #[must_use]
    pub fn etag(&self) -> ETag {
        self.etag
    }

    /// The revision of the write.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.etag.revision()
    }

    /// Whether it created the entry.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        self.is_creation
    }
}

impl IntoResponse for Saved {
    fn into_response(self) -> Response {
        let status = if self.is_creation { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
        let mut response =
            (status, self.etag, [(header::CACHE_CONTROL, "no-store")]).into_response();
        if let (true, Some(location)) = (self.is_creation, self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
