//! A watch: what a task hears from etcd, for whoever asks.

mod feed;
mod group;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::backend::BackendWatch;
use crate::cause::Cause;
use crate::event::{Commit, WatchError};
use crate::range::KeyRange;
use crate::revision::Revision;

use super::Etcd;
use super::fault::Fault;
use feed::{Feed, Told};

/// So many batches wait for who is slow. If there are more, etcd is left, and asked again when there is room.
const WAITING: usize = 16;

/// So many commits are in a batch.
const BATCH: usize = 128;

/// The commits of an [`Etcd`], as they come.
///
/// A task of the tokio runtime listens. If its connection breaks, it goes on with another member where it was, without a gap
/// and without telling anything twice, for as long as [`reconnect_for`](super::Builder::reconnect_for). If etcd has compacted
/// meanwhile what was not yet told, that is [`WatchError::Lagged`].
///
/// # Position
///
/// That commits passed which are of no concern is told by etcd every 10 minutes
/// (`--experimental-watch-progress-notify-interval`); until then [`position`](BackendWatch::position) stays.
pub struct EtcdWatch {
    told: mpsc::Receiver<Told>,
    /// What has come, and was not told yet.
    batch: vec::IntoIter<Commit<Bytes, Bytes>>,
    position: Revision,
    is_over: bool,
    listener: Option<AbortHandle>,
    /// Of a watch that has nothing to listen to.
    _silent: Option<mpsc::Sender<Told>>,
}

impl Etcd {
    pub(super) async fn open_watch(
        &self,
        range: KeyRange<Bytes>,
        since: Option<Revision>,
    ) -> Result<EtcdWatch, WatchError> {
        let judged = match since {
            Some(since) => self.judge(since).await.map(|_| since),
            None => self.newest().await,
        };
        let position = match judged {
            Ok(position) => position,
            Err(fault) => return Err(self.watch_error(fault).await),
        };
        let (out, told) = mpsc::channel(WAITING);
        let mut watch = EtcdWatch {
            told,
            batch: Vec::new().into_iter(),
            position,
            is_over: false,
            listener: None,
            _silent: None,
        };
        match self.shared.namespace.span(&range) {
            Some(span) => {
                let feed = Feed::new(self.clone(), span, position, out);
                watch.listener = Some(tokio::spawn(feed.run()).abort_handle());
            }
            None => watch._silent = Some(out),
        }
        Ok(watch)
    }

    async fn watch_error(&self, fault: Fault) -> WatchError {
        let told = match fault {
            Fault::Compacted => self.oldest().await.map(WatchError::compacted),
            Fault::Future => self.newest().await.map(WatchError::future),
            other => Err(other),
        };
        told.unwrap_or_else(ended)
    }
}

/// Why nothing more comes.
fn ended(fault: Fault) -> WatchError {
    match fault {
        Fault::Denied(cause) => WatchError::Denied(cause),
        other => WatchError::Unavailable(other.into_cause()),
    }
}

impl Stream for EtcdWatch {
    type Item = Result<Commit<Bytes, Bytes>, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(commit) = self.batch.next() {
                self.position = commit.revision();
                return Poll::Ready(Some(Ok(commit)));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            let told = match self.told.poll_recv(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(told) => told,
            };
            let error = match told {
                Some(Told::Passed(revision)) => {
                    self.position = self.position.max(revision);
                    continue;
                }
                Some(Told::Commits(commits)) => {
                    self.batch = commits.into_iter();
                    continue;
                }
                Some(Told::Missed { resume }) => {
                    self.position = self.position.max(resume);
                    WatchError::lagged(resume)
                }
                Some(Told::End(fault)) => ended(fault),
                None => WatchError::Unavailable(Cause::new("the runtime of the watch has ended")),
            };
            self.is_over = error.is_final();
            return Poll::Ready(Some(Err(error)));
        }
    }
}

impl BackendWatch for EtcdWatch {
    fn position(&self) -> Revision {
        self.position
    }
}

impl Drop for EtcdWatch {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl fmt::Debug for EtcdWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdWatch").field("position", &self.position).finish_non_exhaustive()
    }
}
