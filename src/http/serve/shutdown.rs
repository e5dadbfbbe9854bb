//! How what runs long learns that the server is about to end.

use std::convert::Infallible;
use std::future::{Future, pending};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::sync::watch;

/// Whether the server is about to end: an answer without an end of its own ends then.
///
/// [`serve`](crate::http::serve()) puts it into each request's extensions, and a handler takes it as an argument. Under another
/// server it never says so.
///
/// ```
/// use ifmatch::http::Shutdown;
///
/// async fn events(shutdown: Shutdown) -> &'static str {
///     tokio::select! {
///         () = shutdown.requested() => "the server ends; resume elsewhere",
///         () = std::future::pending() => unreachable!(),
///     }
/// }
/// # let _: axum::routing::MethodRouter = axum::routing::get(events);
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown(Option<watch::Receiver<bool>>);

/// The other end of [`Shutdown`].
#[derive(Debug)]
pub(super) struct ShutdownSource(watch::Sender<bool>);

impl ShutdownSource {
    pub(super) fn new() -> Self {
        Self(watch::channel(false).0)
    }

    pub(super) fn subscribe(&self) -> Shutdown {
        Shutdown(Some(self.0.subscribe()))
    }

    pub(super) fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// One that never comes.
    #[must_use]
    pub fn never() -> Self {
        Self(None)
    }

    /// Whether the server is about to end.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        // A server that is gone has ended. The one change is never marked as seen, and looking for it takes no lock.
        self.0.as_ref().is_some_and(|receiver| !matches!(receiver.has_changed(), Ok(false)))
    }

    /// Waits until the server is about to end; it does not borrow.
    pub fn requested(&self) -> impl Future<Output = ()> + Send + use<> {
        let receiver = self.0.clone();
        async move {
            let Some(mut receiver) = receiver else { return pending().await };
            let _requested_or_gone = receiver.wait_for(|requested| *requested).await;
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Shutdown {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(Self::never))
    }
}
