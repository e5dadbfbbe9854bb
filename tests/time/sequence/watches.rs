//! Watches: what comes, in which order, and what may be missed.

use ifmatch::{Commit, Event, Watch, WatchError};
use proptest::sample::Index;

use crate::model::{Change, Entry, Model, Value, revision};
use crate::span::{Span, watching};

use super::{Run, pick};

pub(super) struct HeldWatch {
    watch: Watch<String, Value>,
    spans: Vec<Span>,
    with_previous: bool,
    /// All that matches up to here was delivered.
    position: u64,
    cancelled: bool,
}

/// What a commit told, as the model tells it, in the order of keys.
pub(crate) fn told(commit: &Commit<String, Value>) -> Vec<Change> {
    let mut changes: Vec<Change> = commit
        .events()
        .iter()
        .map(|event| {
            assert_eq!(event.revision(), commit.revision());
            assert_eq!(matches!(event, Event::Put { .. }), event.entry().is_some());
            Change {
                key: event.key().clone(),
                now: event.entry().map(Entry::of),
                previous: event.previous().map(Entry::of),
            }
        })
        .collect();
    changes.sort_by(|one, other| one.key.cmp(&other.key));
    changes
}

impl HeldWatch {
    fn check_commit(&mut self, commit: &Commit<String, Value>, model: &Model) {
        let expected = model.next_seen(self.position, &self.spans);
        let (at, mut changes) = expected.expect("something that matches");
        if !self.with_previous {
            changes.iter_mut().for_each(|change| change.previous = None);
        }
        assert_eq!((commit.revision().get(), told(commit)), (at, changes));
        self.position = at;
        let position = self.watch.position().get();
        let next = model.next_seen(at, &self.spans);
        assert!(position >= at && next.is_none_or(|(next, _)| position < next));
    }

    /// The store was closed: all that is left comes, then the end.
    pub(super) fn check_end(mut self, model: &Model) {
        loop {
            match self.watch.recv() {
                Ok(commit) => self.check_commit(&commit, model),
                Err(WatchError::Lagged { resume, .. }) => self.position = resume.get(),
                Err(WatchError::Closed) => break,
                Err(WatchError::Cancelled) if self.cancelled => return,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(model.next_seen(self.position, &self.spans), None);
    }
}

impl Run {
    pub(super) fn watch(&mut self, spans: Vec<Span>, since: Option<u64>, with_previous: bool) {
        let mut builder = spans.iter().fold(self.store.watch(), watching);
        if let Some(since) = since {
            builder = builder.since(revision(since));
        }
        if with_previous {
            builder = builder.with_previous();
        }
        let newest = self.model.newest();
        let position = since.unwrap_or(newest);
        let window_start = self.store.stats().window_start();
        match builder.open() {
            Ok(watch) => {
                assert!(position >= window_start.get() && position <= newest);
                assert_eq!(watch.position().get(), position);
                let cancelled = false;
                self.watches.push(HeldWatch { watch, spans, with_previous, position, cancelled });
            }
            Err(WatchError::Compacted { oldest, .. }) => {
                assert!(position < oldest.get());
                assert_eq!(oldest, window_start);
                assert!(!self.must_be_in_window(position), "{position} to {newest} fit");
                assert!(self.store.watch().since(oldest).open().is_ok(), "it works from there");
            }
            Err(WatchError::Future { newest: told, .. }) => {
                assert!(position > newest);
                assert_eq!(told.get(), newest);
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// Whether the window is large enough for all that came after `position`.
    fn must_be_in_window(&self, position: u64) -> bool {
        let changes = self.model.changes_after(position);
        position >= self.opened_at && changes <= self.settings.window.max(64)
    }

    /// Receives once. Whether there may be more.
    fn receive_once(&self, held: &mut HeldWatch) -> bool {
        match held.watch.try_recv() {
            Ok(commit) => {
                held.check_commit(&commit, &self.model);
                true
            }
            Err(WatchError::Empty) => {
                assert_eq!(self.model.next_seen(held.position, &held.spans), None);
                assert_eq!(held.watch.position().get(), self.model.newest());
                held.position = self.model.newest();
                false
            }
            Err(WatchError::Lagged { resume, .. }) => {
                assert!(!self.must_be_in_window(held.position), "nothing had to be missed");
                assert!(held.position < resume.get() && resume.get() <= self.model.newest());
                assert_eq!(resume, self.store.stats().window_start(), "not more than needed");
                held.position = resume.get();
                true
            }
            Err(WatchError::Cancelled) if held.cancelled => false,
            Err(other) => panic!("{other}"),
        }
    }

    pub(super) fn receive(&mut self, index: Index, count: usize) {
        let mut watches = std::mem::take(&mut self.watches);
        if let Some(held) = pick(&mut watches, index) {
            for _ in 0..count {
                if !self.receive_once(held) {
                    break;
                }
            }
        }
        self.watches = watches;
    }

    /// Receives all that there is.
    pub(super) fn drain(&self, mut held: HeldWatch) -> HeldWatch {
        while self.receive_once(&mut held) {}
        held
    }

    pub(super) fn cancel(&mut self, index: Index) {
        if let Some(held) = pick(&mut self.watches, index) {
            held.watch.canceller().cancel();
            held.cancelled = true;
            assert!(matches!(held.watch.recv(), Err(WatchError::Cancelled)));
            assert!(matches!(held.watch.try_recv(), Err(WatchError::Cancelled)));
        }
    }
}
