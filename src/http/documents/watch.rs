//! `GET /v1/watch`: commits as server-sent events (WHATWG HTML 9.2), one message each.
//!
//! The first thing that is sent is the revision from where it begins, as an `id` without data, so that whoever is cut off
//! before the first commit resumes without a gap, too; it is sent again while nothing happens that concerns the watch, so
//! that its revision does not become too old to resume from.
//!
//! A watch that cannot go on says why before it ends, and without an `id`, so that nobody goes on past what they were not
//! told: `compacted` if what came next is not kept, `unreadable` if it has a value that this version cannot read.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_core::Stream;
use serde::ser::{Serialize, SerializeMap, Serializer};
use tokio::time::{Instant, Sleep};

use crate::backend::{Backend, BackendWatch};
use crate::event::{Commit, Event, WatchError};
use crate::identity::Identity;
use crate::revision::Revision;

use super::document::UnreadableDocument;
use super::entry::Entry;
use super::keyspace::Prefix;
use super::long_poll::of_watch;
use super::shared::Shared;
use crate::document_key::DocumentKey;
use crate::http::front::metrics::Watcher;
use crate::http::problem::{Problem, ProblemKind, Why};
use crate::http::query;
use crate::http::serve::shutdown::Shutdown;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// For how long a client waits before it connects again, in milliseconds.
const RETRY_MS: u32 = 1_000;

/// The same, for one that will be told the same again.
const RETRY_LATER_MS: u32 = 30_000;

/// `GET`.
pub(super) async fn watch<B: Backend>(
    State(shared): State<Shared<B>>,
    uri: Uri,
    headers: HeaderMap,
    shutdown: Shutdown,
) -> Result<Response, Problem> {
    query::allow_only(uri.query(), &["prefix", "since"])?;
    let prefix = query::parameter(uri.query(), "prefix")?.unwrap_or_default();
    let prefix = Prefix::new(prefix, ProblemKind::InvalidQuery)?;
    let since = query::revision(uri.query(), "since")?;
    // A client that comes back has the query of the first time.
    let since = last_event_id(&headers)?.or(since);
    let body = match shared.backend().watch(prefix.range(), since).await {
        Ok(watch) => {
            let watcher = shared.options().metrics.watcher();
            Body::from_stream(Messages::new(watch, &shared, watcher, shutdown))
        }
        // An EventSource never comes back after 410. It can read this, and read the state anew.
        Err(WatchError::Compacted { oldest: known } | WatchError::Future { newest: known }) => {
            shared.options().metrics.watcher().compacted();
            Body::from(compacted(known))
        }
        Err(error) => return Err(of_watch(error)),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // Proxies are not to hold messages back, and not to change them.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, body).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Revision>, Problem> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let revision = value.to_str().ok().and_then(|text| text.parse().ok());
    revision.filter(|_| values.next().is_none()).map(Some).ok_or_else(|| {
        let detail = "the header last-event-id: it is the id of one message, a revision";
        Problem::new(ProblemKind::InvalidHeader, detail)
    })
}

/// The revision asked for is too old, or of another store: the client has to read the state anew. It has no `id`, so that
/// nobody goes on past what they were not told; an `EventSource` that does not listen to it, and comes back with the same
/// revision, does so seldom.
fn compacted(oldest: Revision) -> Bytes {
    let retry = RETRY_LATER_MS;
    format!("retry: {retry}\nevent: compacted\ndata: {{\"oldest_revision\": {oldest}}}\n\n").into()
}

/// The commit cannot be told, because of what it has under `key`. Whoever has looked at all its keys goes on since its revision.
fn unreadable(
    commit: &Commit<Bytes, Bytes>,
    key: &DocumentKey,
    error: UnreadableDocument,
) -> Bytes {
    let (retry, revision) = (RETRY_LATER_MS, commit.revision());
    let detail = format!("{:?}: {error}", key.as_str());
    let keys = commit.events().iter().map(|event| DocumentKey::from_stored(event.key()));
    let keys: Vec<_> = keys.flatten().collect();
    let data =
        serde_json::json!({ "revision": revision, "key": key, "keys": keys, "detail": detail });
    format!("retry: {retry}\nevent: unreadable\ndata: {data}\n\n").into()
}

/// The commits of a watch as messages.
struct Messages<W> {
    watch: W,
    watcher: Watcher,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
    identity: Identity,
    keep_alive: Duration,
    silent_until: Pin<Box<Sleep>>,
    began: bool,
    ended: bool,
}

impl<W: BackendWatch> Messages<W> {
    fn new<B: Backend<Watch = W>>(
        watch: W,
        shared: &Shared<B>,
        watcher: Watcher,
        shutdown: Shutdown,
    ) -> Self {
        let keep_alive = shared.options().keep_alive;
        Self {
            watch,
            watcher,
            shutdown: Box::pin(shutdown.requested()),
            identity: shared.identity(),
            keep_alive,
            silent_until: Box::pin(tokio::time::sleep(keep_alive)),
            began: false,
            ended: false,
        }
    }

    /// What is sent when there is nothing to tell.
    fn sign_of_life(&self) -> Bytes {
        format!(": \nid: {}\n\n", self.watch.position()).into()
    }

    /// The next message; `None` if there is nothing for a client in what came.
    fn message(&mut self, next: Option<Result<Commit<Bytes, Bytes>, WatchError>>) -> Option<Bytes> {
        match next {
            Some(Ok(commit)) => {
                let revision = commit.revision();
                match message(self.identity, &commit) {
                    Ok(message) => {
                        self.watcher.sent(revision);
                        message
                    }
                    // It is not passed over, which would be a gap: the watch ends before it.
                    Err((key, error)) => {
                        self.ended = true;
                        tracing::error!(
                            key = key.as_str(), revision = revision.get(), cause = %error,
                            "a watch ended: a commit cannot be told"
                        );
                        Some(unreadable(&commit, &key, error))
                    }
                }
            }
            Some(Err(WatchError::Lagged { resume })) => {
                self.watcher.lagged();
                self.ended = true;
                Some(compacted(resume))
            }
            Some(Err(error)) => {
                self.ended = true;
                if let Some(why) = Why::of(&error) {
                    tracing::error!(cause = why.as_str(), "a watch ended: {error}");
                }
                None
            }
            None => {
                self.ended = true;
                None
            }
        }
    }
}

impl<W: BackendWatch> Stream for Messages<W> {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if !this.began {
            this.began = true;
            let begin = format!("retry: {RETRY_MS}\nid: {}\n\n", this.watch.position());
            return Poll::Ready(Some(Ok(begin.into())));
        }
        if this.shutdown.as_mut().poll(context).is_ready() {
            this.ended = true;
        }
        while !this.ended {
            let message = match Pin::new(&mut this.watch).poll_next(context) {
                Poll::Ready(next) => this.message(next),
                Poll::Pending if this.silent_until.as_mut().poll(context).is_ready() => {
                    Some(this.sign_of_life())
                }
                Poll::Pending => return Poll::Pending,
            };
            if let Some(message) = message {
                this.silent_until.as_mut().reset(Instant::now() + this.keep_alive);
                return Poll::Ready(Some(Ok(message)));
            }
        }
        Poll::Ready(None)
    }
}

/// A document that cannot be read.
type Unreadable = (DocumentKey, UnreadableDocument);

/// One message for one commit; `None` if none of its changes is of a document.
fn message(identity: Identity, commit: &Commit<Bytes, Bytes>) -> Result<Option<Bytes>, Unreadable> {
    let changes = commit.events().iter().filter_map(|event| Change::of(identity, event));
    let events: Vec<Change> = changes.collect::<Result<_, _>>()?;
    if events.is_empty() {
        return Ok(None);
    }
    let revision = commit.revision();
    let data = serde_json::to_string(&Data { revision, events: &events })
        .expect("texts, numbers and JSON that was checked serialize");
    let mut message = format!("id: {revision}\nevent: commit\n");
    // The text of a document is kept, and may have lines. What ends a line in JSON is white space.
    for line in data.split(['\n', '\r']) {
        message.push_str("data: ");
        message.push_str(line);
        message.push('\n');
    }
    message.push('\n');
    Ok(Some(message.into()))
}

#[derive(serde::Serialize)]
struct Data<'a> {
    revision: Revision,
    events: &'a [Change],
}

enum Change {
    Put(Entry),
    Delete(DocumentKey, Revision),
}

impl Change {
    /// `None` if it is no document's.
    fn of(identity: Identity, event: &Event<Bytes, Bytes>) -> Option<Result<Self, Unreadable>> {
        let key = DocumentKey::from_stored(event.key()).ok()?;
        Some(match event.entry() {
            Some(stored) => Entry::read(identity, &key, stored.clone())
                .map(Self::Put)
                .map_err(|error| (key, error)),
            None => Ok(Self::Delete(key, event.revision())),
        })
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Put(entry) => {
                map.serialize_entry("type", "put")?;
                entry.serialize_into(&mut map)?;
            }
            Self::Delete(key, revision) => {
                map.serialize_entry("type", "delete")?;
                map.serialize_entry("key", key)?;
                map.serialize_entry("revision", revision)?;
            }
        }
        map.end()
    }
}
