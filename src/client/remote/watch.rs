//! The commits of a store behind a server.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use crate::backend::BackendWatch;
use crate::capability::Capability;
use crate::cause::Cause;
use crate::codec::CodecError;
use crate::event::{Commit, Event, WatchError};
use crate::range::KeyRange;
use crate::revision::Revision;

use super::super::entry::Document;
use super::super::error::ClientError;
use super::super::watch::{ClientCommit, ClientEvent, Watch};
use super::Remote;
use super::read::versioned;
use super::span;

/// Whether the server still has the same store.
type Check = Pin<Box<dyn Future<Output = Result<(), Cause>> + Send>>;

/// The commits of a [`Remote`], as they come.
///
/// If its connection breaks, it connects again and goes on where it was, without a gap and without telling anything twice, as
/// often as it has to. If the server does not keep any more what was not yet told, that is [`WatchError::Lagged`].
pub struct RemoteWatch {
    remote: Remote,
    range: KeyRange<Bytes>,
    watch: Watch<Document>,
    position: Revision,
    /// It is to go on after this revision, if the store is the same.
    lag: Option<(Revision, Check)>,
    is_over: bool,
}

impl RemoteWatch {
    pub(super) async fn open(
        remote: &Remote,
        range: KeyRange<Bytes>,
        since: Option<Revision>,
    ) -> Result<Self, WatchError> {
        let mut watch = follow(remote, &range, since);
        watch.open().await.map_err(|error| refused(error, since))?;
        let Some(position) = watch.position() else {
            let what = "the server does not say from where the watch begins";
            return Err(WatchError::Unavailable(Cause::new(what)));
        };
        Ok(Self { remote: remote.clone(), range, watch, position, lag: None, is_over: false })
    }

    /// What of the commit is in the range; `None` if nothing is.
    fn concern(
        &self,
        commit: ClientCommit<Document>,
    ) -> Result<Option<Commit<Bytes, Bytes>>, ClientError> {
        let revision = commit.revision();
        let mut events = Vec::with_capacity(commit.events().len());
        for event in commit.into_events() {
            let key = Bytes::copy_from_slice(event.key().as_bytes());
            if !self.range.contains(&key) {
                continue;
            }
            events.push(match event {
                ClientEvent::Put(entry) => Event::put(key, versioned(&entry)?, None),
                ClientEvent::Delete { .. } => Event::delete(key, revision, None),
            });
        }
        Ok((!events.is_empty()).then(|| Commit::new(revision, events)))
    }

    fn end(&mut self, cause: Cause) -> WatchError {
        self.is_over = true;
        WatchError::Unavailable(cause)
    }

    /// Goes on after what is missing, unless that is because the store is another.
    fn lags(&mut self, resume: Revision) -> Check {
        self.watch = follow(&self.remote, &self.range, Some(resume));
        let remote = self.remote.clone();
        Box::pin(async move { remote.how_it_is().await.map(|_| ()) })
    }
}

/// Those commits, and perhaps others: a server knows prefixes.
fn follow(remote: &Remote, range: &KeyRange<Bytes>, since: Option<Revision>) -> Watch<Document> {
    let watch = remote.client.watch(span::prefix(range));
    match since {
        Some(revision) => watch.since(revision),
        None => watch,
    }
}

fn refused(error: ClientError, since: Option<Revision>) -> WatchError {
    match (&error, since) {
        (ClientError::Compacted { oldest: Some(oldest), .. }, Some(since)) if *oldest > since => {
            WatchError::compacted(*oldest)
        }
        // The server says the same of a revision that it has not come to.
        (ClientError::Compacted { oldest: Some(newest), .. }, Some(_)) => {
            WatchError::future(*newest)
        }
        (ClientError::Problem(problem), _) if problem.slug() == "unsupported" => {
            WatchError::Unsupported(Capability::Watch)
        }
        (ClientError::Problem(problem), _) if matches!(problem.status(), 401 | 403) => {
            WatchError::Denied(Cause::new(error))
        }
        _ => WatchError::Unavailable(Cause::new(error)),
    }
}

impl Stream for RemoteWatch {
    type Item = Result<Commit<Bytes, Bytes>, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.is_over {
                return Poll::Ready(None);
            }
            if let Some((resume, check)) = &mut this.lag {
                let checked = ready!(check.as_mut().poll(context));
                let resume = *resume;
                this.lag = None;
                return Poll::Ready(Some(Err(match checked {
                    Ok(()) => {
                        this.position = this.position.max(resume);
                        WatchError::lagged(resume)
                    }
                    Err(cause) => this.end(cause),
                })));
            }
            let next = Pin::new(&mut this.watch).poll_next(context);
            let Poll::Ready(next) = next else {
                this.position = this.position.max(this.watch.position().unwrap_or(this.position));
                return Poll::Pending;
            };
            let error = match next {
                Some(Ok(commit)) => {
                    let revision = commit.revision();
                    match this.concern(commit) {
                        Ok(told) => {
                            this.position = revision;
                            match told {
                                Some(told) => return Poll::Ready(Some(Ok(told))),
                                None => continue,
                            }
                        }
                        Err(error) => error,
                    }
                }
                Some(Err(ClientError::Compacted { oldest: Some(resume), .. }))
                    if resume > this.position =>
                {
                    this.lag = Some((resume, this.lags(resume)));
                    continue;
                }
                // The watch behind it goes on after the commit, and so does this one.
                Some(Err(ClientError::Decode(error))) => {
                    this.position =
                        this.position.max(this.watch.position().unwrap_or(this.position));
                    let is_in_range =
                        |key: &String| this.range.contains(&Bytes::copy_from_slice(key.as_bytes()));
                    if !error.keys().is_empty() && !error.keys().iter().any(is_in_range) {
                        continue;
                    }
                    let error = CodecError::new("document", error.to_string());
                    return Poll::Ready(Some(Err(WatchError::Undecodable(error))));
                }
                Some(Err(error)) => error,
                None => {
                    this.is_over = true;
                    return Poll::Ready(None);
                }
            };
            return Poll::Ready(Some(Err(this.end(Cause::new(error)))));
        }
    }
}

impl BackendWatch for RemoteWatch {
    fn position(&self) -> Revision {
        self.position
    }
}

impl fmt::Debug for RemoteWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteWatch").field("position", &self.position).finish_non_exhaustive()
    }
}
