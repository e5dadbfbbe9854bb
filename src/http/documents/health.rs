//! How the server is, for those who run it: alive, ready, and in figures.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::backend::{Backend, BackendStatus};
use crate::capability::NAMED;
use crate::revision::Revision;

use super::list::json;
use super::shared::Shared;
use crate::http::front::metrics::{Figure, Metrics};
use crate::http::problem::{Problem, ProblemKind, RETRY_UNAVAILABLE};
use crate::http::query;

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    revision: Revision,
    identity: String,
    supports: Vec<&'static str>,
}

/// `GET /healthz`: whether the process answers. Restarting it helps if it does not.
pub(super) async fn alive(uri: Uri) -> Result<Response, Problem> {
    query::allow_only(uri.query(), &[])?;
    Ok(json(&Alive { status: "ok" }))
}

/// Who asks whether it is ready does not wait for long; a store that takes longer is of no use now.
const READY_WITHIN: Duration = Duration::from_secs(2);

fn late() -> Problem {
    let detail = format!("the store did not answer within {} seconds", READY_WITHIN.as_secs());
    Problem::new(ProblemKind::Unavailable, detail)
        .with_header(header::RETRY_AFTER, RETRY_UNAVAILABLE)
}

/// `GET /readyz`: whether it can do its work: the store is there and takes writes.
pub(super) async fn ready<B: Backend>(
    State(shared): State<Shared<B>>,
    uri: Uri,
) -> Result<Response, Problem> {
    query::allow_only(uri.query(), &[])?;
    let backend = shared.backend();
    let asked = tokio::time::timeout(READY_WITHIN, backend.status()).await;
    let BackendStatus { revision, writable, stats, .. } = asked.map_err(|_| late())??;
    let identity = backend.identity().to_string();
    let supports = NAMED.iter().filter(|(capability, _)| backend.supports(*capability));
    let supports: Vec<&str> = supports.map(|(_, name)| *name).collect();
    if !writable {
        let detail = match stats {
            Some(_) => "the store takes no writes, because its log failed; it can be read",
            None => {
                "the backend takes no writes: it has no room (then deletes pass), or its log failed; it can be read"
            }
        };
        return Err(Problem::new(ProblemKind::Unavailable, detail)
            .with_member("revision", &revision)
            .with_member("identity", &identity)
            .with_member("supports", &supports)
            .with_header(header::RETRY_AFTER, RETRY_UNAVAILABLE));
    }
    Ok(json(&Ready { status: "ready", revision, identity, supports }))
}

/// `GET /metrics`: what an operator asks, in the text format of OpenMetrics.
pub(super) async fn metrics<B: Backend>(
    State(shared): State<Shared<B>>,
    uri: Uri,
) -> Result<Response, Problem> {
    query::allow_only(uri.query(), &[])?;
    let status = shared.backend().status().await?;
    let figures: Vec<Figure> = match status.stats {
        Some(stats) => stats.into(),
        None => {
            let revision = status.revision.get();
            vec![Figure::level("ifmatch_revision", "The newest revision", revision)]
        }
    };
    let text = shared.options().metrics.render(&figures);
    let headers = [
        (header::CONTENT_TYPE, Metrics::CONTENT_TYPE),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    Ok((headers, text).into_response())
}
