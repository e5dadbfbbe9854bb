//! How the server is, for those who run it: alive, ready, and in figures.

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
use crate::http::problem::{Problem, ProblemKind};
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

/// `GET /readyz`: whether it can do its work: the store is there and takes writes.
pub(super) async fn ready<B: Backend>(
    State(shared): State<Shared<B>>,
    uri: Uri,
) -> Result<Response, Problem> {
    query::allow_only(uri.query(), &[])?;
    let backend = shared.backend();
    let BackendStatus { revision, writable, .. } = backend.status().await?;
    let identity = backend.identity().to_string();
    let supports = NAMED.iter().filter(|(capability, _)| backend.supports(*capability));
    let supports: Vec<&str> = supports.map(|(_, name)| *name).collect();
    if !writable {
        let detail = "the store takes no writes: its log failed, or it has no room";
        return Err(Problem::new(ProblemKind::Unavailable, detail)
            .with_member("revision", &revision)
            .with_member("identity", &identity)
            .with_member("supports", &supports)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("10")));
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
