//! One connection, from its first byte to its last.
//!
//! What hyper bounds is the time for the head of a request of HTTP/1.1 and the size of all heads. What is bounded here: the
//! time until the first bytes tell the protocol, a handshake of TLS, a stalled write, and an idle connection of HTTP/2.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response, header};
use axum::response::IntoResponse;
use axum::routing::future::RouteFuture;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::Service as HyperService;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

use super::ServeOptions;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::serve::linger::{Linger, Unread};
use crate::http::serve::shutdown::Shutdown;
use crate::http::serve::unread;

/// How much room the head of a request has, in bytes; past it the answer is 431.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// How many requests one connection of HTTP/2 may have under way.
const MAX_STREAMS: u32 = 200;

/// After how many seconds a client may come back to whatever runs here next.
const RETRY_AFTER_END: HeaderValue = HeaderValue::from_static("1");

/// What all connections of a server have in common.
pub(super) struct Server {
    router: Router,
    protocol: auto::Builder<TokioExecutor>,
    options: ServeOptions,
    shutdown: Shutdown,
}

impl Server {
    pub(super) fn new(router: Router, options: ServeOptions, shutdown: Shutdown) -> Self {
        let protocol = protocol(&options);
        Self { router, protocol, options, shutdown }
    }

    /// Serves one connection until it ends. How it ends is its client's business.
    pub(super) async fn run(&self, stream: TcpStream) {
        let _one_more = self.options.metrics.as_ref().map(|metrics| metrics.connection());
        // Answers are small and complete; waiting for more would only delay them. If it fails, it is but slower.
        let _set = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.options.write_timeout));
        let unread = Unread::default();
        let stream = Linger::new(Box::pin(stream), Arc::clone(&unread));
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.options.tls {
            let handshake = tokio::time::timeout(self.options.header_timeout, tls.accept(stream));
            let shaken = tokio::select! {
                shaken = handshake => shaken,
                () = self.shutdown.requested() => return,
            };
            if let Ok(Ok(stream)) = shaken {
                self.run_on(stream, unread).await;
            }
            return;
        }
        self.run_on(stream, unread).await;
    }

    async fn run_on(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        unread: Unread,
    ) {
        let activity = Arc::new(Activity::default());
        let service = Observed {
            router: self.router.clone(),
            activity: Arc::clone(&activity),
            shutdown: self.shutdown.clone(),
            unread,
        };
        let connection = self.protocol.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut requested = pin!(self.shutdown.requested());
        let mut ending = false;
        loop {
            tokio::select! {
                _ended = connection.as_mut() => return,
                () = &mut requested, if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = tokio::time::sleep(self.options.header_timeout), if !ending => {
                    if activity.is_idle() {
                        ending = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}

fn protocol(options: &ServeOptions) -> auto::Builder<TokioExecutor> {
    let mut protocol = auto::Builder::new(TokioExecutor::new());
    protocol
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(MAX_HEAD_BYTES);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(options.header_timeout)
        .keep_alive_timeout(options.header_timeout)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX));
    protocol
}

/// Whether anything goes on. Each request under way, until the end of its answer, has a reference.
#[derive(Debug, Default)]
struct Activity {
    /// Since the last look.
    requested: AtomicBool,
}

impl Activity {
    /// Whether there was no request since the last time that this was asked, and none is under way.
    fn is_idle(self: &Arc<Self>) -> bool {
        // Who asks and the service have one reference each.
        let under_way = Arc::strong_count(self) > 2;
        !self.requested.swap(false, Ordering::Relaxed) && !under_way
    }
}

/// The router, as one connection sees it.
struct Observed {
    router: Router,
    activity: Arc<Activity>,
    shutdown: Shutdown,
    unread: Unread,
}

impl HyperService<Request<Incoming>> for Observed {
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = UnderWay;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let activity = Arc::clone(&self.activity);
        activity.requested.store(true, Ordering::Relaxed);
        if self.shutdown.is_requested() {
            if !unread::is_told_apart(&request) {
                self.unread.store(true, Ordering::Relaxed);
            }
            let answer = Answer::There { answer: Some(ending()) };
            return UnderWay { answer, activity: Some(activity) };
        }
        request.extensions_mut().insert(self.shutdown.clone());
        let mut router = self.router.clone();
        let answer = if unread::is_read(&request) {
            Answer::Router { answer: router.call(request.map(Body::new)) }
        } else {
            let answer = move |request| router.call(request);
            let unread = Arc::clone(&self.unread);
            let finish = unread::finish(request.map(Body::new), answer, unread);
            Answer::Finished { answer: Box::pin(finish) }
        };
        UnderWay { answer, activity: Some(activity) }
    }
}

pin_project! {
    /// A request under way.
    struct UnderWay {
        #[pin]
        answer: Answer,
        activity: Option<Arc<Activity>>,
    }
}

pin_project! {
    #[project = Answering]
    enum Answer {
        Router { #[pin] answer: RouteFuture<Infallible> },
        // Few requests have a body, and the future is large.
        Finished { answer: Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>> },
        There { answer: Option<Response<Body>> },
    }
}

impl Future for UnderWay {
    type Output = Result<Response<Tracked>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.answer.project() {
            Answering::Router { answer } => ready!(answer.poll(context))?,
            Answering::Finished { answer } => ready!(answer.as_mut().poll(context))?,
            Answering::There { answer } => answer.take().expect(ENDED),
        };
        let activity = this.activity.take().expect(ENDED);
        Poll::Ready(Ok(response.map(|body| Tracked { body, _activity: activity })))
    }
}

const ENDED: &str = "a future is not polled after its end";

fn ending() -> Response<Body> {
    Problem::new(ProblemKind::Unavailable, "the server is shutting down")
        .with_header(header::RETRY_AFTER, RETRY_AFTER_END)
        .into_response()
}

/// A body that counts as activity until it was sent.
struct Tracked {
    body: Body,
    _activity: Arc<Activity>,
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
