//! One line and one count for each request.
//!
//! Neither tokens nor queries nor bodies are logged. A lost race is what optimistic locking is there for, and neither an
//! error of the server nor of the client: it logs at info.

use std::time::Instant;

use axum::extract::{MatchedPath, OriginalUri, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{debug, error, info};

use super::metrics::Metrics;
use crate::http::around::Around;
use crate::http::caller::Caller;
use crate::http::problem::{ProblemKind, Why};

/// A layer that counts requests in `metrics` and logs them to `tracing`, with the target `ifmatch::request`:
/// `middleware::from_fn_with_state(metrics, observe)`.
///
/// | status | level |
/// | --- | --- |
/// | 5xx | error |
/// | 409, 412, and who is refused: 401, 403, 428, 429 | info |
/// | all else | debug |
///
/// Fields: `method`, `path`, `status`, `elapsed_us` (microseconds until the head of the answer), `problem` (the kind, if it is one),
/// `caller` (the first 32 bits of the SHA-256 of the credential), `cause` of a 5xx that has one: what the store says failed, which
/// the client is not told. A request whose client went away before it was answered
/// counts, and logs, as status 499.
pub async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    Observe(metrics).around(request, next).await
}

/// [`observe()`] as a layer.
#[derive(Clone)]
pub(super) struct Observe(pub(super) Metrics);

impl Around for Observe {
    type Kept = Observed;

    fn before(&self, request: &mut Request) -> Result<Observed, Response> {
        let extensions = request.extensions();
        let original = extensions.get::<OriginalUri>().map(|original| &original.0);
        Ok(Observed {
            uri: original.unwrap_or(request.uri()).clone(),
            route: extensions.get::<MatchedPath>().cloned(),
            method: request.method().clone(),
            metrics: self.0.clone(),
            started: Instant::now(),
            answer: None,
            why: None,
        })
    }

    fn after(mut observed: Observed, response: &mut Response) {
        let extensions = response.extensions();
        observed.answer =
            Some((response.status(), extensions.get().copied(), extensions.get().copied()));
        if response.status().is_server_error() {
            observed.why = extensions.get().cloned();
        }
    }
}

/// A request under way. It is told of when it is dropped, so that one that is given up is, too.
pub(super) struct Observed {
    metrics: Metrics,
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
    started: Instant,
    answer: Option<(StatusCode, Option<ProblemKind>, Option<Caller>)>,
    why: Option<Why>,
}

impl Drop for Observed {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        // What nginx calls a request whose client went away.
        let gone = StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT);
        let (status, problem, caller) = self.answer.unwrap_or((gone, None, None));
        let route = self.route.take();
        self.metrics.observe_request(route, &self.method, status, problem, elapsed);

        let caller = caller.unwrap_or_else(Caller::anonymous).short_id();
        let (method, path) = (self.method.as_str(), self.uri.path());
        let problem = problem.map(ProblemKind::slug);
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let cause = self.why.as_ref().map(Why::as_str);
        macro_rules! tell {
            ($level:ident $(, $more:ident)?) => {
                $level!(
                    target: "ifmatch::request",
                    method, path, status = status.as_u16(), elapsed_us, problem, %caller, $($more,)? "request"
                )
            };
        }
        match status.as_u16() {
            500.. => tell!(error, cause),
            401 | 403 | 409 | 412 | 428 | 429 => tell!(info),
            _ => tell!(debug),
        }
    }
}
