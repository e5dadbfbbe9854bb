//! The accept loop: HTTP/1.1 and HTTP/2 without TLS, with every wait and every number bounded.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

/// Limits of [`serve`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ServeOptions {
    max_connections: usize,
    header_timeout: Duration,
    write_timeout: Duration,
    drain_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl ServeOptions {
    /// The most connections at a time, at least 1; more wait in the operating system's queue. Default: 10,000.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// How long a connection may take to send the head of a request, and stay idle before one. Default: 30 s.
    ///
    /// A connection of HTTP/2 may stay idle for as long as it answers a ping in that time.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// How long a client may take no byte of an answer that is ready for it. Default: 30 s.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long requests may take to end once the server shuts down. Default: 10 s.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }
}

/// How much room the head of a request has, in bytes; past it the answer is 431.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// How long the loop waits when the system cannot accept, for want of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `shutdown` completes, then lets the requests under way end.
///
/// Returns how many connections were cut because they did not end in time. Writes of theirs may have taken place.
///
/// `axum::serve` has no time limit for the head of a request, so that a few slow clients could hold all connections.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let protocol = protocol(&options);
    let permits = Arc::new(Semaphore::new(options.max_connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await.expect("it is never closed");
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => accepted,
            // Ended connections are taken off the set, or it would grow for ever.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let requested = Arc::new(OnceLock::new());
                let service = Observed {
                    inner: TowerToHyperService::new(router.clone()),
                    requested: Arc::clone(&requested),
                };
                let connection =
                    protocol.serve_connection(io(stream, &options), service).into_owned();
                let connection = graceful.watch(connection);
                let timeout = options.header_timeout;
                connections.spawn(async move {
                    let _permit = permit;
                    let mut connection = pin!(connection);
                    tokio::select! {
                        _ended = &mut connection => return,
                        () = tokio::time::sleep(timeout) => {}
                    }
                    // What hyper does not limit is the time until the first bytes tell the protocol.
                    if requested.get().is_some() {
                        // How a connection ends is its client's business.
                        let _ended = connection.await;
                    }
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(options.drain_timeout, graceful.shutdown()).await;
    let cut = if drained.is_ok() { 0 } else { count_running(&mut connections) };
    connections.shutdown().await;
    cut
}

fn count_running(connections: &mut JoinSet<()>) -> usize {
    while connections.try_join_next().is_some() {}
    connections.len()
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
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX));
    protocol
}

fn io(stream: TcpStream, options: &ServeOptions) -> TokioIo<Pin<Box<TimeoutStream<TcpStream>>>> {
    // Answers are small and complete; waiting for more would only delay them. If it fails, it is but slower.
    let _set = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(options.write_timeout));
    TokioIo::new(Box::pin(stream))
}

/// Whether the connection failed that was to be accepted, and not the accepting.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A service that notes whether there was a request.
struct Observed {
    inner: TowerToHyperService<Router>,
    requested: Arc<OnceLock<()>>,
}

impl Service<Request<Incoming>> for Observed {
    type Response = Response<axum::body::Body>;
    type Error = Infallible;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.requested.get_or_init(|| ());
        self.inner.call(request)
    }
}
