//! What is done around a request and waits for nothing: a layer of functions.
//!
//! `axum::middleware::from_fn` takes any future; for that it boxes one for each request, and what is within, which a
//! router has to copy for each. What only looks at heads needs neither.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// What is done before a request goes on, and with its answer.
pub(super) trait Around: Clone + Send + Sync + 'static {
    /// What is kept while the request is under way. It is dropped, with nothing after, if the request is given up.
    type Kept: Send + 'static;

    /// # Errors
    /// The answer, if the request does not go on.
    #[expect(clippy::result_large_err, reason = "an answer is what a request comes to")]
    fn before(&self, request: &mut Request) -> Result<Self::Kept, Response>;

    fn after(kept: Self::Kept, response: &mut Response);

    /// The same, as `from_fn` has it.
    async fn around(&self, mut request: Request, next: Next) -> Response {
        match self.before(&mut request) {
            Ok(kept) => {
                let mut response = next.run(request).await;
                Self::after(kept, &mut response);
                response
            }
            Err(refused) => refused,
        }
    }
}

/// The layer of an [`Around`].
#[derive(Clone)]
pub(super) struct AroundLayer<A>(pub(super) A);

impl<A: Clone, S> Layer<S> for AroundLayer<A> {
    type Service = Surrounded<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Surrounded { around: self.0.clone(), inner }
    }
}

/// A service with something around it.
#[derive(Clone)]
pub(super) struct Surrounded<A, S> {
    around: A,
    inner: S,
}

impl<A, S> Service<Request> for Surrounded<A, S>
where
    A: Around,
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = UnderWay<A, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match self.around.before(&mut request) {
            Ok(kept) => UnderWay::Inner { inner: self.inner.call(request), kept: Some(kept) },
            Err(refused) => UnderWay::Refused { refused: Some(refused) },
        }
    }
}

pin_project! {
    /// A request under way.
    #[project = Projected]
    pub(super) enum UnderWay<A: Around, F> {
        Inner { #[pin] inner: F, kept: Option<A::Kept> },
        Refused { refused: Option<Response> },
    }
}

const ENDED: &str = "a future is not polled after its end";

impl<A: Around, F: Future<Output = Result<Response, E>>, E> Future for UnderWay<A, F> {
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Inner { inner, kept } => {
                let mut response = ready!(inner.poll(context))?;
                A::after(kept.take().expect(ENDED), &mut response);
                Poll::Ready(Ok(response))
            }
            Projected::Refused { refused } => Poll::Ready(Ok(refused.take().expect(ENDED))),
        }
    }
}
