//! `GET /v1/kv`: the documents with a prefix, in order, a page at a time, all pages at one revision.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::backend::{Backend, BackendSnapshot};
use crate::error::ReadError;
use crate::history::HistoryError;
use crate::range::KeyRange;
use crate::revision::Revision;

use super::cursor::Cursor;
use super::entry::Entry;
use super::keyspace::Prefix;
use super::shared::Shared;
use crate::document_key::DocumentKey;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::query;

pub(super) const DEFAULT_LIMIT: usize = 100;
pub(super) const MAX_LIMIT: usize = 1_000;

/// A page that has so many bytes of documents has no more, whatever its limit. One document it always has.
pub(super) const PAGE_BYTES: usize = 8 << 20;

/// How many are looked up at a time.
const STEP: usize = 100;

/// Where a page begins.
struct Start {
    prefix: Prefix,
    begin: Begin,
}

enum Begin {
    First,
    /// With this, or what comes after it.
    From(Prefix),
    After(DocumentKey),
}

#[derive(Serialize)]
struct Body {
    revision: Revision,
    items: Vec<Entry>,
    next: Option<String>,
}

/// `GET` of the collection.
pub(super) async fn list<B: Backend>(
    State(shared): State<Shared<B>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = uri.query();
    query::allow_only(query, &["prefix", "limit", "cursor"])?;
    let limit = limit(query)?;
    let cursor = query::parameter(query, "cursor")?.map(|text| Goal::read(&text)).transpose()?;
    let prefix = query::parameter(query, "prefix")?;
    let (start, snapshot) = match cursor {
        Some(Goal::Next(cursor)) => resume(&shared, cursor, prefix).await?,
        Some(Goal::At(revision, from)) => {
            let prefix = Prefix::new(prefix.unwrap_or_default(), ProblemKind::InvalidQuery)?;
            (Start { prefix, begin: Begin::From(from) }, state(&shared, revision).await?)
        }
        None => {
            let prefix = Prefix::new(prefix.unwrap_or_default(), ProblemKind::InvalidQuery)?;
            let snapshot = shared.backend().snapshot().await?;
            (Start { prefix, begin: Begin::First }, Arc::new(snapshot))
        }
    };
    let body = page(&shared, &start, &snapshot, limit).await?;
    if body.next.is_some() {
        shared.pins().keep(body.revision, snapshot).map_err(|error| {
            Problem::new(ProblemKind::TooManyRequests, error.to_string())
                .with_member("max_pins", &error.max)
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("60"))
        })?;
    }
    Ok(json(&body))
}

/// An answer in JSON that no cache may give without asking.
pub(super) fn json(body: &impl Serialize) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox")),
    ];
    match serde_json::to_vec(body) {
        Ok(body) => (headers, body).into_response(),
        Err(error) => Problem::new(ProblemKind::Internal, error.to_string()).into_response(),
    }
}

fn limit(query: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = query::parameter(query, "limit")? else { return Ok(DEFAULT_LIMIT) };
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| query::invalid(format!("limit: it is a number from 1 to {MAX_LIMIT}")))
}

/// What a cursor says.
enum Goal {
    /// `next` of a page.
    Next(Cursor),
    /// `@7`, the list as of revision 7, or `@7/users`, the same from that text on.
    At(Revision, Prefix),
}

impl Goal {
    fn read(text: &str) -> Result<Self, Problem> {
        let invalid = || {
            let detail = "cursor: it is what \"next\" of a page was, or @ and a revision";
            query::invalid(detail.into())
        };
        let Some(place) = text.strip_prefix('@') else {
            return Cursor::decode(text).map(Self::Next).ok_or_else(invalid);
        };
        let (revision, from) = place.split_once('/').unwrap_or((place, ""));
        let revision = revision.parse().map_err(|_| invalid())?;
        Ok(Self::At(revision, Prefix::new(from.to_owned(), ProblemKind::InvalidQuery)?))
    }
}

/// The state at `revision`, if it is pinned or kept.
async fn state<B: Backend>(
    shared: &Shared<B>,
    revision: Revision,
) -> Result<Arc<B::Snapshot>, Problem> {
    match shared.pins().get(revision) {
        Some(snapshot) => Ok(snapshot),
        None => Ok(Arc::new(shared.backend().snapshot_at(revision).await?)),
    }
}

/// The state that a cursor is pinned to.
async fn resume<B: Backend>(
    shared: &Shared<B>,
    cursor: Cursor,
    prefix: Option<String>,
) -> Result<(Start, Arc<B::Snapshot>), Problem> {
    if prefix.is_some_and(|prefix| prefix != cursor.prefix()) {
        return Err(query::invalid("prefix: the cursor is of a list with another".into()));
    }
    let prefix = Prefix::new(cursor.prefix().to_owned(), ProblemKind::InvalidQuery)?;
    let gone = || {
        let detail = "the revision of the cursor is not kept any more: begin the list anew";
        Problem::new(ProblemKind::Compacted, detail)
    };
    if !cursor.is_of(shared.identity()) {
        return Err(gone());
    }
    let snapshot = match shared.pins().get(cursor.revision) {
        Some(snapshot) => snapshot,
        // Where the past can be read, it need not have been pinned here.
        None => {
            let past = shared.backend().snapshot_at(cursor.revision).await;
            Arc::new(past.map_err(|error| match error {
                ReadError::Revision(HistoryError::Compacted { oldest }) => {
                    gone().with_member("oldest_revision", &oldest)
                }
                ReadError::Revision(HistoryError::Future { newest }) => {
                    gone().with_member("newest_revision", &newest)
                }
                ReadError::Unsupported(_) => gone(),
                _ => Problem::from(error),
            })?)
        }
    };
    Ok((Start { prefix, begin: Begin::After(cursor.after) }, snapshot))
}

async fn page<B: Backend>(
    shared: &Shared<B>,
    start: &Start,
    snapshot: &B::Snapshot,
    limit: usize,
) -> Result<Body, Problem> {
    let mut rest = Some(match &start.begin {
        Begin::First => start.prefix.range(),
        Begin::From(text) => start.prefix.range_from(text),
        Begin::After(key) => start.prefix.range_after(key.as_bytes().clone()),
    });
    let (mut items, mut bytes) = (Vec::<Entry>::new(), 0);
    while let Some(range) = rest {
        let room = limit - items.len();
        if room == 0 || bytes >= PAGE_BYTES {
            rest = first(snapshot, range).await?;
            break;
        }
        let page = snapshot.page(range, room.min(STEP)).await?;
        rest = page.rest;
        for (key, stored) in page.entries {
            // What no client can name is none of the documents.
            let Ok(document) = DocumentKey::from_stored(&key) else { continue };
            bytes += stored.len();
            if bytes > PAGE_BYTES && !items.is_empty() {
                // This one begins the next page.
                rest = Some(KeyRange::only(key));
                break;
            }
            items.push(shared.entry(&document, stored)?);
        }
    }
    let revision = snapshot.revision();
    let next = rest.and_then(|_| {
        let last = items.last()?.key().clone();
        let prefix = start.prefix.as_str().len();
        Some(Cursor::new(shared.identity(), revision, last, prefix).encode())
    });
    Ok(Body { revision, items, next })
}

/// The range, if something is in it.
async fn first<S: BackendSnapshot>(
    snapshot: &S,
    range: KeyRange<bytes::Bytes>,
) -> Result<Option<KeyRange<bytes::Bytes>>, Problem> {
    let page = snapshot.page(range.clone(), 1).await?;
    Ok(Some(range).filter(|_| !page.entries.is_empty()))
}
