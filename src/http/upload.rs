//! What a request brings along: its body, bounded in size and time, and what it says the body is.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::content_type::ContentType;
use super::problem::{Problem, ProblemKind};
use crate::http::documents::options::Options;

/// The `Content-Type` of the request; `None` if it has none.
///
/// # Errors
/// 400 if it is malformed or there twice.
pub(super) fn content_type(headers: &HeaderMap) -> Result<Option<ContentType>, Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid_header("content-type: it is there twice"));
    }
    let content_type = value.to_str().ok().and_then(|text| ContentType::new(text).ok());
    match content_type {
        Some(content_type) => Ok(Some(content_type)),
        None => Err(invalid_header("content-type: it is not type/subtype with parameters")),
    }
}

/// Refuses what would be lost or misread if the body were stored as it is.
///
/// # Errors
/// 415 for a content coding, because the coding is not stored; 400 for a part of a document (RFC 9110 14.5).
pub(super) fn check_is_whole(headers: &HeaderMap) -> Result<(), Problem> {
    let coded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().any(coded) {
        let detail = "a content coding is not taken: send the body as it is to be stored";
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail)
            .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    if headers.contains_key(header::CONTENT_RANGE) {
        return Err(invalid_header("content-range: a part of a document is not taken"));
    }
    Ok(())
}

/// # Errors
/// 415 if the content type is not `application/json`.
pub(super) fn check_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    if content_type(headers)?.is_some_and(|given| given.is_plain_json()) {
        return Ok(());
    }
    let detail = "the body is to be application/json";
    Err(Problem::new(ProblemKind::UnsupportedMediaType, detail)
        .with_header(header::ACCEPT, HeaderValue::from_static("application/json")))
}

fn invalid_header(detail: &str) -> Problem {
    Problem::new(ProblemKind::InvalidHeader, format!("the header {detail}"))
}

/// Reads the whole body of `request`, within the limits of `options`.
///
/// # Errors
/// As [`body`].
pub(super) async fn body_of(request: Request, options: &Options) -> Result<Bytes, Problem> {
    body(request.into_body(), options.max_body, options.body_timeout).await
}

/// Reads the whole body. It may hold more memory than it has bytes: what is kept of it is to be copied.
///
/// # Errors
/// 413 if it has, or announces, more than `max` bytes; 408 if it takes longer than `timeout`; 400 if it breaks off.
async fn body(body: Body, max: usize, timeout: Duration) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(ProblemKind::TooLarge, format!("the body has more than {max} bytes"));
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > max) {
        return Err(too_large());
    }
    let read = tokio::time::timeout(timeout, Limited::new(body, max).collect()).await;
    match read {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if is_length_limit(&*error) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(ProblemKind::InvalidBody, "the body broke off")),
        Err(_) => {
            let detail = format!("the body did not arrive within {} seconds", timeout.as_secs());
            Err(Problem::new(ProblemKind::RequestTimeout, detail))
        }
    }
}

fn is_length_limit(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.is::<LengthLimitError>()
}
