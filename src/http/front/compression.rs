//! Compression of what has no `ETag`: lists, histories, pages.
//!
//! A strong tag says that bytes are equal, and compressed ones are not (RFC 9110, section 8.8.3.3). A proxy that
//! compresses anyway has to weaken the tag, which then never matches in `If-Match`. So whatever carries a tag is sent as
//! it is.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use tower_http::compression::Compression;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_service::Service;

use crate::http::around::Around;

/// Smaller bodies gain nothing, in bytes.
const MIN_BYTES: u64 = 512;

/// Compresses by gzip what may be, for who accepts it.
#[derive(Clone)]
pub(super) struct Compress;

impl Around for Compress {
    /// Whether gzip is accepted.
    type Kept = bool;

    fn before(&self, request: &mut Request) -> Result<bool, Response> {
        Ok(accepts_gzip(request.headers()))
    }

    fn after(accepted: bool, response: &mut Response) {
        // Most answers have a tag, and go by.
        if has_no_tag(response) && predicate().should_compress(response) {
            let coding = HeaderValue::from_static(if accepted { "gzip" } else { "identity" });
            let whole = std::mem::take(response);
            *response = compressed(whole, coding);
        }
    }
}

fn has_no_tag(response: &Response) -> bool {
    !response.headers().contains_key(header::ETAG)
}

fn predicate() -> impl Predicate {
    SizeAbove::new(MIN_BYTES).and(NotForContentType::SSE).and(NotForContentType::IMAGES)
}

/// The answer as the service of `tower_http` makes it, for a request that accepts `coding`.
fn compressed(response: Response, coding: HeaderValue) -> Response {
    let mut service = Compression::new(Answer(Some(response))).compress_when(predicate());
    let mut request = axum::http::Request::new(());
    request.headers_mut().insert(header::ACCEPT_ENCODING, coding);
    let compressed = pin!(service.call(request));
    match compressed.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response.map(Body::new),
        Poll::Pending => unreachable!("the answer is there"),
    }
}

/// A service whose answer is there already.
struct Answer(Option<Response>);

impl<R> Service<R> for Answer {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: R) -> Self::Future {
        ready(Ok(self.0.take().expect("it is asked once")))
    }
}

/// RFC 9110, section 12.5.3. What is malformed accepts nothing.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut named, mut any) = (None, None);
    let fields =
        headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|field| field.to_str().ok());
    for item in fields.flat_map(|field| field.split(',')) {
        let (coding, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let accepted = weight
            .trim()
            .strip_prefix(['q', 'Q'])
            .and_then(|rest| rest.trim_start().strip_prefix('='))
            .and_then(|quality| quality.trim().parse::<f32>().ok())
            .is_some_and(|quality| quality > 0.0);
        match coding.trim() {
            "*" => any = Some(accepted),
            coding if ["gzip", "x-gzip"].iter().any(|gzip| coding.eq_ignore_ascii_case(gzip)) => {
                named = Some(accepted);
            }
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_only_to_who_accepts_it() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static(value),
            )]))
        };
        for value in [
            "gzip",
            "br, GZIP",
            "gzip;q=0.5",
            "*",
            "identity;q=0, *;q=0.1",
            "x-gzip",
            "gzip ; q = 1",
        ] {
            assert!(accepts(value), "{value}");
        }
        for value in [
            "",
            "br",
            "gzip;q=0",
            "*, gzip;q=0",
            "gzip;q=0.000",
            "identity;q=0",
            "gzip;q=x",
            "*;q=0",
        ] {
            assert!(!accepts(value), "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
