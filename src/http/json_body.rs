//! A body in JSON that is a problem document when it is wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::problem::{Problem, ProblemKind};
use super::upload;

/// As axum's `Json` extractor, but what is wrong is a [`Problem`]: 400 if the body is not what `T` reads, 415 if it is not
/// `application/json`, 413 if it is longer than the `DefaultBodyLimit` of the route (2 MB).
///
/// Bad input is never 409: that is for requests that are right, and met another state than they expected.
///
/// ```
/// use axum::{Router, routing::post};
/// use ifmatch::http::JsonBody;
///
/// #[derive(serde::Deserialize)]
/// struct NewUser { name: String }
///
/// async fn register(JsonBody(user): JsonBody<NewUser>) -> String { user.name }
/// # let _: Router = Router::new().route("/users", post(register));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        upload::check_is_whole(request.headers())?;
        upload::check_is_json(request.headers())?;
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            let kind = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::TooLarge,
                _ => ProblemKind::InvalidBody,
            };
            Problem::new(kind, rejection.body_text())
        })?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| Problem::new(ProblemKind::InvalidBody, error.to_string()))
    }
}
