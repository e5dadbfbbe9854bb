//! The accept loop: HTTP/1.1 and HTTP/2, with or without TLS, with every wait and every number bounded.
//!
//! [`connection`] is one connection from its first byte to its last, [`tls`] what comes before that byte, [`unread`] what
//! is left of a request that was refused, [`linger`] the end of a connection whose client is still sending.

mod connection;
mod linger;
pub(super) mod shutdown;
#[cfg(feature = "tls")]
mod tls;
mod unread;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::connection::Server;
pub use self::shutdown::Shutdown;
use self::shutdown::ShutdownSource;
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsError};
use super::front::Metrics;

/// Limits of [`serve`], and what it is to do beside serving.
#[derive(Clone, Debug)]
#[must_use]
pub struct ServeOptions {
    max_connections: usize,
    header_timeout: Duration,
    write_timeout: Duration,
    drain_timeout: Duration,
    metrics: Option<Metrics>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            metrics: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl ServeOptions {
    /// The most connections at a time, at least 1; more wait in the operating system's queue. Default: 10,000.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// How long a connection may take to send the head of a request, and for the handshake of TLS before it, and how long
    /// it may stay idle between two requests; idle connections of HTTP/2 may take up to twice as long. Default: 30 s.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// How long a client may take no byte of an answer that is ready for it. Default: 30 s.
    ///
    /// It is of the connection: over HTTP/2 a client can leave one answer and take another.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long requests may take to end once the server shuts down. Default: 10 s.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Where open connections are counted.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Speaks TLS, and nothing else.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }
}

/// How long the loop waits when the system cannot accept, for want of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `shutdown` completes, then lets the requests under way end.
///
/// From then on no connection is accepted, idle ones are closed, handlers are told by [`Shutdown`], and
/// requests that are first read whole after that are answered 503 with `Retry-After`.
///
/// Returns how many connections were cut because they did not end in time. Writes of theirs may have taken place. If it
/// is dropped all are cut.
///
/// `axum::serve` has no time limit for the head of a request, so that a few slow clients could hold all connections.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let source = ShutdownSource::new();
    let permits = Arc::new(Semaphore::new(options.max_connections));
    let drain_timeout = options.drain_timeout;
    let server = Arc::new(Server::new(router, options, source.subscribe()));
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
                let server = Arc::clone(&server);
                connections.spawn(async move {
                    server.run(stream).await;
                    drop(permit);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(target: "ifmatch::serve", %error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    source.request();
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let drained = tokio::time::timeout(drain_timeout, all_ended).await;
    let cut = if drained.is_ok() { 0 } else { count_running(&mut connections) };
    connections.shutdown().await;
    cut
}

fn count_running(connections: &mut JoinSet<()>) -> usize {
    while connections.try_join_next().is_some() {}
    connections.len()
}

/// Whether the connection failed that was to be accepted, and not the accepting.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
