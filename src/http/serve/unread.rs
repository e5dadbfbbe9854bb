//! A request whose body was not read, because it was refused before.
//!
//! What comes after it on the connection can only be told from it once it has been read. hyper looks once whether it is
//! there already, and else closes the connection without a word, so that a client that sends its next request meets an
//! end of file. So a little is read here; and a client whose body is longer is told that the connection ends, which then
//! [waits](super::linger) until it has read that.
//!
//! By HTTP/2 requests are told apart, but a client that still sends is told to stop after the answer, and some, such as
//! curl, then take the answer for lost, which RFC 9113 8.1 forbids. A little is read there, too.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, Version, header};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

use super::linger::Unread;

/// How much of a body is read that nobody wants.
const MAX_BYTES: usize = 64 << 10;

/// How long that may take.
const TIMEOUT: Duration = Duration::from_millis(250);

/// Whether there is nothing of it that could be left.
pub(super) fn is_read<B: HttpBody>(request: &Request<B>) -> bool {
    request.body().is_end_stream()
}

/// Whether what comes after a request can be told from it, whatever is read of it.
pub(super) fn is_told_apart<B: HttpBody>(request: &Request<B>) -> bool {
    request.version() > Version::HTTP_11 || request.body().is_end_stream()
}

/// Reads the rest of what `answer` did not read of the request, or says that the connection ends.
pub(super) async fn finish<E, F>(
    request: Request<Body>,
    answer: impl FnOnce(Request<Body>) -> F,
    unread: Unread,
) -> Result<Response, E>
where
    F: Future<Output = Result<Response, E>>,
{
    // Whoever waits for the word to go on has sent nothing, and reading would give it.
    let waits = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let is_told_apart = parts.version > Version::HTTP_11;
    let body = Shared(Arc::new(Mutex::new(Reading { body, ended: false })));
    let request = Request::from_parts(parts, Body::new(body.clone()));
    let mut response = answer(request).await?;
    // Who answers before it has read all may have it read by another, or be its own answer.
    let is_let_go = Arc::strong_count(&body.0) == 1;
    let is_read = body.is_end_stream() || (is_let_go && !waits && body.read_to_end().await);
    if !is_read && !is_told_apart {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        unread.store(true, Ordering::Relaxed);
    }
    Ok(response)
}

/// A body that can be read on when the handler has let it go.
#[derive(Clone)]
struct Shared(Arc<Mutex<Reading>>);

struct Reading {
    body: Body,
    /// A body without a length does not know that it came to its end.
    ended: bool,
}

impl Shared {
    /// Reads the rest. Whether it came to the end.
    async fn read_to_end(mut self) -> bool {
        let max = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
        if self.size_hint().lower() > max {
            return false;
        }
        let rest = async {
            let mut bytes = 0;
            while bytes <= MAX_BYTES {
                let frame = std::future::poll_fn(|context| Pin::new(&mut self).poll_frame(context));
                match frame.await {
                    None => return true,
                    Some(Err(_)) => return false,
                    Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
                }
            }
            false
        };
        tokio::time::timeout(TIMEOUT, rest).await.unwrap_or(false)
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut reading = self.reading();
        let polled = Pin::new(&mut reading.body).poll_frame(context);
        reading.ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        let reading = self.reading();
        reading.ended || reading.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.reading().body.size_hint()
    }
}
