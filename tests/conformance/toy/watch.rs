//! The commits of the toy, as they come.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use ifmatch::{BackendWatch, Commit, Event, KeyRange, Revision, WatchError};

use super::Bug;
use super::bug::misread;
use super::state::State;

pub(crate) struct ToyWatch {
    state: Arc<Mutex<State>>,
    bug: Option<Bug>,
    range: KeyRange<Bytes>,
    position: Revision,
    /// Parts of a split transaction that are still to be told.
    parts: VecDeque<Commit<Bytes, Bytes>>,
    has_told: bool,
    /// Has told nothing yet, and loses what it would tell first.
    loses: bool,
    tells_again: bool,
}

impl ToyWatch {
    pub(super) fn new(
        state: Arc<Mutex<State>>,
        bug: Option<Bug>,
        range: KeyRange<Bytes>,
        position: Revision,
    ) -> Self {
        let is_of_all = range.is_empty() && bug == Some(Bug::WatchOfNothingTellsAll);
        let range = if is_of_all { KeyRange::all() } else { range };
        let range = misread(
            &range,
            bug == Some(Bug::WatchExcludesItsEnd),
            bug == Some(Bug::WatchIncludesItsStart),
        );
        let loses = bug == Some(Bug::WatchLosesTheFirst);
        let tells_again = bug == Some(Bug::WatchTellsSinceAgain);
        Self {
            state,
            bug,
            range,
            position,
            parts: VecDeque::new(),
            has_told: false,
            loses,
            tells_again,
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn concerns(&self, event: &Event<Bytes, Bytes>) -> bool {
        (self.range.contains(event.key()) || self.has(Bug::WatchIgnoresItsRange))
            && (event.entry().is_some() || !self.has(Bug::WatchForgetsDeletes))
    }

    /// The next commit that concerns it, of those that are kept.
    fn advance(&mut self) -> Option<Result<Commit<Bytes, Bytes>, WatchError>> {
        if let Some(part) = self.parts.pop_front() {
            return Some(Ok(part));
        }
        let shared = Arc::clone(&self.state);
        let state = shared.lock().unwrap();
        if self.position < state.start && !self.has(Bug::WatchLagsInSilence) {
            self.position = state.start;
            return Some(Err(WatchError::lagged(state.start)));
        }
        let mut since = self.position;
        if std::mem::take(&mut self.tells_again) {
            since = Revision::try_from(since.get() - 1).unwrap_or(Revision::MIN);
        }
        for commit in state.since(since) {
            let events: Vec<_> =
                commit.events().iter().filter(|event| self.concerns(event)).cloned().collect();
            if !events.is_empty() || !self.has(Bug::PositionStands) {
                self.position = commit.revision();
            }
            if events.is_empty() || std::mem::take(&mut self.loses) {
                continue;
            }
            if self.has(Bug::WatchSplitsTransactions) {
                let part = |event| Commit::new(commit.revision(), vec![event]);
                self.parts = events.into_iter().map(part).collect();
                return self.parts.pop_front().map(Ok);
            }
            return Some(Ok(Commit::new(commit.revision(), events)));
        }
        None
    }
}

impl Stream for ToyWatch {
    type Item = Result<Commit<Bytes, Bytes>, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Before it looks, so that nothing comes between.
        self.state.lock().unwrap().wakers.push(context.waker().clone());
        match self.advance() {
            Some(told) => {
                self.has_told = true;
                Poll::Ready(Some(told))
            }
            None => Poll::Pending,
        }
    }
}

impl BackendWatch for ToyWatch {
    fn position(&self) -> Revision {
        let is_first = !self.has_told && self.has(Bug::PositionIsTheNewestAtFirst);
        if is_first || self.has(Bug::PositionRunsAhead) {
            return self.state.lock().unwrap().revision;
        }
        self.position
    }
}
