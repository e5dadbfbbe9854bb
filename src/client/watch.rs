//! Following changes: server-sent events, across connections that end.
//!
//! # Invariants
//! - A connection resumes after the last message of the one before, so that there is no gap; what comes again all the same
//!   is dropped by its revision, so that there is no duplicate.
//! - What cannot be resumed is an error, and the end: it is never passed over.
//! - A connection that says nothing, not even a keep-alive, for the idle timeout is dead.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use tokio::time::timeout;

use crate::revision::Revision;

use super::Client;
use super::builder::Settings;
use super::entry::Entry;
use super::error::{ClientError, DecodeError, TransportError, UnexpectedAnswer};
use super::send::{Call, Shared, transport};
use super::sse::{Decoder, Message};
use super::unfold::{Source, Unfold};
use super::value::ReadValue;
use super::wire::{WireCommit, WireCompacted, WireEntry, WireUnreadable};
use crate::percent::encode_path;
use crate::sync::{AtomicU64, Ordering};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What the longest pause between two connections is at least: a watch that does not pause does nothing but connect.
const PAUSE: Duration = Duration::from_millis(100);

/// What one commit changed of what is watched. A transaction is one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCommit<T> {
    revision: Revision,
    events: Vec<ClientEvent<T>>,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent<T> {
    /// A value was written.
    Put(Entry<T>),
    /// The key was deleted.
    Delete {
        /// The key.
        key: String,
        /// The revision of the deletion.
        revision: Revision,
    },
}

impl<T> ClientCommit<T> {
    /// The revision: a watch since it continues after this commit.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The changes.
    #[must_use]
    pub fn events(&self) -> &[ClientEvent<T>] {
        &self.events
    }

    /// The changes, owned.
    #[must_use]
    pub fn into_events(self) -> Vec<ClientEvent<T>> {
        self.events
    }
}

impl<T> ClientEvent<T> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Put(entry) => entry.key(),
            Self::Delete { key, .. } => key,
        }
    }

    /// What was written; `None` if it was deleted.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry<T>> {
        match self {
            Self::Put(entry) => Some(entry),
            Self::Delete { .. } => None,
        }
    }
}

impl<T: ReadValue> ClientEvent<T> {
    fn read(wire: WireEntry) -> Result<Self, DecodeError> {
        if wire.is_deleted() {
            return Ok(Self::Delete { key: wire.key, revision: wire.revision });
        }
        Ok(Self::Put(T::read(wire.into_whole_entry()?)?))
    }
}

impl Client {
    /// Follows the keys that begin with `prefix`, from now on, or [`since`](Watch::since) a revision.
    ///
    /// ```no_run
    /// # async fn example(client: ifmatch::client::Client) -> Result<(), ifmatch::client::ClientError> {
    /// let users = client.page::<String>("users/", None, None).await?;
    /// let mut watch = client.watch::<String>("users/").since(users.revision());
    /// while let Some(commit) = watch.next().await {
    ///     for event in commit?.events() {
    ///         println!("{} is {:?}", event.key(), event.entry().map(|entry| entry.value()));
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch<T: ReadValue + Send + 'static>(&self, prefix: &str) -> Watch<T> {
        let position = Arc::new(AtomicU64::new(0));
        let follower = Unfold::Idle(Follower {
            shared: self.0.clone(),
            prefix: prefix.to_owned(),
            since: None,
            last: None,
            seen: None,
            position: Arc::clone(&position),
            connection: None,
            failures: 0,
            retry: None,
            items: VecDeque::new(),
            end: None,
            ended: false,
        });
        Watch { follower, position }
    }
}

/// The commits that change what is watched, in order, as a stream that has no end of its own: it connects anew as often as
/// it has to, with waits that grow as those of [`retries`](super::ClientBuilder::retries), but without a last attempt.
///
/// An item that is an error is one of these:
/// - [`ClientError::Compacted`]: the server does not keep what came next. The stream ends; read the state anew, by
///   [`list`](Client::list), and watch since its revision.
/// - [`ClientError::Decode`]: a commit has a value that is no `T`, or that the server cannot read. The stream goes on with the
///   next commit; a watch [since](Self::since) its revision, which is the [`position`](Self::position) then, does, too.
/// - Others: the server refuses, by a 401 for example. The stream ends.
#[must_use = "nothing is read until the stream is polled"]
pub struct Watch<T: ReadValue + Send + 'static> {
    follower: Unfold<Follower<T>>,
    position: Arc<AtomicU64>,
}

impl<T: ReadValue + Send + 'static> Watch<T> {
    /// Begins after `revision`, without a gap. Say it before the first item is read.
    pub fn since(mut self, revision: Revision) -> Self {
        if let Some(follower) = self.follower.source_mut() {
            follower.passes(revision);
            follower.since = Some(revision);
        }
        self
    }

    /// Connects, so that what is committed after this returns is in the watch. Without it the watch begins when the first
    /// item is asked for. It is tried as often as a read is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn open(&mut self) -> Result<(), ClientError> {
        match self.follower.source_mut() {
            Some(follower) => follower.open().await,
            None => Ok(()),
        }
    }

    /// The next commit, for those who do not need a stream. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<ClientCommit<T>, ClientError>> {
        self.follower.next().await
    }

    /// Everything up to this revision was told, or is of no concern to this watch: another can go on since it. `None`
    /// before it is [open](Self::open), or has told something, unless it was said [since](Self::since) when it is.
    #[must_use]
    pub fn position(&self) -> Option<Revision> {
        Revision::try_from(self.position.load(Ordering::Relaxed)).ok()
    }
}

impl<T: ReadValue + Send + 'static> Stream for Watch<T> {
    type Item = Result<ClientCommit<T>, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.follower).poll_next(context)
    }
}

impl<T: ReadValue + Send + 'static> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// The state of a watch.
struct Follower<T> {
    shared: Arc<Shared>,
    prefix: String,
    since: Option<Revision>,
    /// The id of the last message, with which the next connection resumes.
    last: Option<String>,
    /// The revision of the last commit that was taken.
    seen: Option<Revision>,
    /// What was told, or passed; 0 if that is not known.
    position: Arc<AtomicU64>,
    connection: Option<Connection>,
    /// How many connections in a row brought nothing.
    failures: u32,
    /// How long the server asks to wait.
    retry: Option<Duration>,
    items: VecDeque<Item<T>>,
    /// What is told after all commits that came before it.
    end: Option<ClientError>,
    ended: bool,
}

/// What was taken, and not given yet.
enum Item<T> {
    Commit(ClientCommit<T>),
    /// A commit that cannot be told.
    Unreadable(Revision, ClientError),
    /// What is of no concern.
    Passed(Revision),
}

struct Connection {
    response: Response,
    decoder: Decoder,
}

/// Why there is no connection.
enum Refused {
    /// It may be there another time.
    Again(ClientError),
    Forever(ClientError),
}

impl<T: ReadValue + Send + 'static> Source for Follower<T> {
    type Item = Result<ClientCommit<T>, ClientError>;

    async fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.items.pop_front() {
                Some(Item::Commit(commit)) => {
                    self.passes(commit.revision);
                    return Some(Ok(commit));
                }
                Some(Item::Unreadable(revision, error)) => {
                    self.passes(revision);
                    return Some(Err(error));
                }
                Some(Item::Passed(revision)) => {
                    self.passes(revision);
                    continue;
                }
                None => {}
            }
            if self.ended {
                return self.end.take().map(Err);
            }
            if self.connection.is_some() {
                if let Err(error) = self.receive().await {
                    self.finish(error);
                }
                continue;
            }
            match self.connect().await {
                Ok(connection) => self.connection = Some(connection),
                Err(Refused::Forever(error)) => self.finish(error),
                Err(Refused::Again(_)) => self.pause().await,
            }
        }
    }
}

impl<T> Follower<T> {
    fn passes(&self, revision: Revision) {
        self.position.fetch_max(revision.get(), Ordering::Relaxed);
    }
}

impl<T: ReadValue> Follower<T> {
    async fn open(&mut self) -> Result<(), ClientError> {
        loop {
            let error = match self.connect().await {
                Ok(connection) => {
                    self.connection = Some(connection);
                    // The server says from where it begins before anything else.
                    while self.last.is_none() && self.connection.is_some() {
                        if let Err(error) = self.receive().await {
                            self.connection = None;
                            self.ended = true;
                            return Err(error);
                        }
                    }
                    if self.connection.is_some() {
                        return Ok(());
                    }
                    // It ended first: what is committed until there is another would be in none.
                    let what = "the watch ended before it said from where it begins";
                    ClientError::Transport(TransportError::of(what, self.failures))
                }
                Err(Refused::Forever(error)) => return Err(error),
                Err(Refused::Again(error)) => error,
            };
            if self.failures + 1 >= self.shared.settings.retries.attempts() {
                return Err(error);
            }
            self.pause().await;
        }
    }

    fn finish(&mut self, error: ClientError) {
        self.connection = None;
        self.end = Some(error);
        self.ended = true;
    }

    /// Waits before the next connection, longer each time.
    async fn pause(&mut self) {
        let longest = longest_pause(&self.shared.settings, self.failures, self.retry);
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
    }

    async fn connect(&mut self) -> Result<Connection, Refused> {
        let mut target = format!("/v1/watch?prefix={}", encode_path(&self.prefix));
        if let Some(since) = self.since {
            target = format!("{target}&since={since}");
        }
        let mut call = Call::new(Method::GET, target).header(ACCEPT, EVENT_STREAM);
        if let Some(last) = self.last.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            call = call.header(LAST_EVENT_ID, last);
        }
        let limit = self.shared.request_timeout;
        let attempt = self.failures.saturating_add(1);
        let late = || {
            let error = TransportError::of("no answer in time", attempt);
            Refused::Again(ClientError::Transport(error))
        };
        let sent = timeout(limit, self.shared.request(&call).send()).await.map_err(|_| late())?;
        let response = match sent.map_err(|error| transport(error, attempt)) {
            Ok(response) => response,
            Err(error @ ClientError::Transport(_)) => return Err(Refused::Again(error)),
            Err(error) => return Err(Refused::Forever(error)),
        };
        if response.status() == StatusCode::OK && is_event_stream(&response) {
            let decoder = Decoder::new(self.shared.settings.max_answer);
            return Ok(Connection { response, decoder });
        }
        let status = response.status();
        let read = timeout(limit, self.shared.read(response, attempt)).await;
        let answer = read.map_err(|_| late())?.map_err(Refused::Again)?;
        let error = match status {
            StatusCode::OK => answer.unexpected("not a stream of events"),
            _ => answer.into_error(),
        };
        Err(match status.as_u16() {
            408 | 429 | 500..=599 => Refused::Again(error),
            _ => Refused::Forever(error),
        })
    }

    /// Takes the next bytes of the connection; when it ends, waits for the next.
    ///
    /// # Errors
    /// What ends the watch.
    async fn receive(&mut self) -> Result<(), ClientError> {
        let Some(Connection { response, decoder }) = &mut self.connection else { return Ok(()) };
        let chunk = timeout(self.shared.settings.watch_idle, response.chunk()).await;
        let Ok(Ok(Some(bytes))) = chunk else {
            self.connection = None;
            self.pause().await;
            return Ok(());
        };
        let messages = decoder.feed(&bytes).map_err(|error| {
            let what = "the stream of events is not one";
            ClientError::Transport(TransportError::because(what, 1, error))
        })?;
        self.retry = decoder.retry().or(self.retry);
        for message in messages {
            self.take(message)?;
        }
        Ok(())
    }

    fn take(&mut self, message: Message) -> Result<(), ClientError> {
        let Message { event, id, data } = message;
        match (event.as_str(), data) {
            ("commit", Some(data)) => self.take_commit(&data)?,
            ("unreadable", data) => {
                let data = data.unwrap_or_default();
                // The server ends here, and would say the same again: the next connection goes on after it.
                self.last = Some(self.take_unreadable(&data)?.to_string());
                self.retry = None;
                return Ok(());
            }
            ("compacted", data) => {
                let data = data.unwrap_or_default();
                let wire: WireCompacted = serde_json::from_str(&data).unwrap_or_default();
                let detail = "the server does not keep what comes next".to_owned();
                return Err(ClientError::Compacted { detail, oldest: wire.oldest_revision });
            }
            // It says only how far the server is, or what a later one tells.
            _ => {
                let revision = id.as_deref().and_then(|id| id.parse().ok());
                match revision {
                    Some(revision) if self.items.is_empty() => self.passes(revision),
                    Some(revision) => self.items.push_back(Item::Passed(revision)),
                    None => {}
                }
            }
        }
        self.last = id.or(self.last.take());
        Ok(())
    }

    /// A commit that the server cannot tell. Returns its revision.
    fn take_unreadable(&mut self, data: &str) -> Result<Revision, ClientError> {
        let unreadable: WireUnreadable = serde_json::from_str(data).map_err(unexpected)?;
        let WireUnreadable { revision, key, keys, detail } = unreadable;
        if self.is_after_what_was_seen(revision) {
            self.failures = 0;
            self.seen = Some(revision);
            let error = DecodeError::untold(revision, (key, keys), &detail).into();
            self.items.push_back(Item::Unreadable(revision, error));
        }
        Ok(revision)
    }

    fn is_after_what_was_seen(&self, revision: Revision) -> bool {
        self.seen.or(self.since).is_none_or(|seen| revision > seen)
    }

    fn take_commit(&mut self, data: &str) -> Result<(), ClientError> {
        let commit: WireCommit = serde_json::from_str(data).map_err(unexpected)?;
        let revision = commit.revision;
        if !self.is_after_what_was_seen(revision) {
            return Ok(());
        }
        self.failures = 0;
        self.seen = Some(revision);
        let events = commit.events.into_iter().filter(|event| !event.is_unknown_event());
        let events: Result<Vec<_>, _> = events.map(ClientEvent::read).collect();
        self.items.push_back(match events {
            Ok(events) => Item::Commit(ClientCommit { revision, events }),
            Err(error) => Item::Unreadable(revision, error.into()),
        });
        Ok(())
    }
}

/// The longest wait after so many failures, where the server `asks` to wait.
fn longest_pause(settings: &Settings, failures: u32, asks: Option<Duration>) -> Duration {
    let asked = asks.unwrap_or_default().min(settings.max_retry_after);
    settings.retries.ceiling(failures).max(asked).max(PAUSE)
}

fn unexpected(error: serde_json::Error) -> ClientError {
    let what = format!("a commit of the watch that cannot be read: {error}");
    ClientError::Unexpected(UnexpectedAnswer::new(StatusCode::OK.as_u16(), what))
}

fn is_event_stream(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case("text/event-stream")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Backoff, Client};

    #[test]
    fn the_longest_pause_is_never_none_and_no_shorter_than_the_server_asks() {
        let seconds = |number| Some(Duration::from_secs(number));
        let slow = Backoff::new(5, Duration::from_millis(150), Duration::from_secs(5));
        for (backoff, failures, asks, expected) in [
            (Backoff::none(), 9, None, 100),
            (Backoff::none(), 0, seconds(1), 1_000),
            (Backoff::none(), 0, seconds(3_600), 30_000),
            (slow, 0, None, 150),
            (slow, 2, Some(Duration::from_millis(1)), 600),
            (slow, 1_000, seconds(9), 9_000),
        ] {
            let settings = Client::builder("").retries(backoff).settings;
            let longest = longest_pause(&settings, failures, asks);
            assert_eq!(longest.as_millis(), expected, "{backoff:?}, {failures}, {asks:?}");
        }
    }
}
