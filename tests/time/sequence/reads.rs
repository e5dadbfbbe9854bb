//! Snapshots, scans and history.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use ifmatch::{HistoryError, Revision, Scan, Snapshot};
use proptest::sample::Index;

use crate::model::{Entry, Model, State, Value, revision};
use crate::span::{Scans, Span, entries};

use super::operation::{KEYS, Key};
use super::{Run, pick};

/// Stands for one pinned revision: a snapshot, its clones and its scans share it.
pub(super) type Token = Arc<()>;

pub(super) struct HeldSnapshot {
    snapshot: Snapshot<String, Value>,
    revision: u64,
    pub(super) token: Token,
}

impl HeldSnapshot {
    fn new(snapshot: Snapshot<String, Value>, at: u64) -> Self {
        assert_eq!(snapshot.revision().get(), at);
        Self { snapshot, revision: at, token: Token::default() }
    }

    /// Everything in it, by every way.
    pub(super) fn check(&self, model: &Model) {
        let state = model.at(self.revision);
        self.check_span(state, &Span::All);
        assert_eq!(self.snapshot.len(), state.len(), "at {}", self.revision);
        assert_eq!(self.snapshot.is_empty(), state.is_empty());
        for key in KEYS {
            let entry = self.snapshot.get(key);
            let expected = state.get(key);
            assert_eq!(entry.as_ref().map(Entry::of).as_ref(), expected, "{key:?}");
            assert_eq!(self.snapshot.contains(key), expected.is_some(), "{key:?}");
        }
    }

    fn check_span(&self, state: &State, span: &Span) {
        let mut expected = span.of(state);
        let scan = self.snapshot.scan(span);
        assert_eq!(scan.revision().get(), self.revision);
        assert_eq!(entries(scan), expected, "{span:?} at {}", self.revision);
        expected.reverse();
        let backwards = entries(self.snapshot.scan(span).rev());
        assert_eq!(backwards, expected, "{span:?} at {} backwards", self.revision);
    }
}

pub(super) struct HeldScan {
    scan: Scan<String, Value>,
    left: VecDeque<(String, Entry)>,
    yielded: BTreeSet<String>,
    /// To read the next page at the same revision.
    snapshot: Option<Snapshot<String, Value>>,
    pub(super) token: Token,
}

impl HeldScan {
    fn step(&mut self, from_back: bool) {
        let (found, expected) = if from_back {
            (self.scan.next_back(), self.left.pop_back())
        } else {
            (self.scan.next(), self.left.pop_front())
        };
        assert_eq!(found.map(|(key, entry)| (key, Entry::of(&entry))), expected);
        self.yielded.extend(expected.map(|(key, _)| key));
    }

    /// The cursor holds what is left and nothing that was yielded.
    fn check_rest(&self) {
        let Some(rest) = self.scan.rest() else {
            assert!(self.left.is_empty(), "{:?} is left", self.left);
            return;
        };
        for (key, _) in &self.left {
            assert!(rest.contains(key), "{key:?} is left, and not in {rest:?}");
        }
        for key in &self.yielded {
            assert!(!rest.contains(key), "{key:?} was yielded, and is in {rest:?}");
        }
    }
}

impl Run {
    pub(super) fn take_snapshot(&mut self) {
        let snapshot = if self.snapshots.len().is_multiple_of(2) {
            self.store.snapshot()
        } else {
            self.store.try_snapshot().unwrap()
        };
        self.snapshots.push(HeldSnapshot::new(snapshot, self.model.newest()));
    }

    pub(super) fn clone_snapshot(&mut self, index: Index) {
        if let Some(held) = pick(&mut self.snapshots, index) {
            let token = Token::clone(&held.token);
            let copy = HeldSnapshot { snapshot: held.snapshot.clone(), token, ..*held };
            self.snapshots.push(copy);
        }
    }

    pub(super) fn snapshot_at(&mut self, at: u64) {
        let oldest = self.store.stats().oldest_at();
        let newest = self.model.newest();
        match self.store.snapshot_at(revision(at)) {
            Ok(snapshot) => {
                assert!(at <= newest);
                let held = HeldSnapshot::new(snapshot, at);
                held.check(&self.model);
                self.snapshots.push(held);
            }
            Err(error) => {
                self.check_history_error(&error, at);
                if let HistoryError::Compacted { oldest: told, .. } = error {
                    assert!(at < oldest.get(), "snapshot_at works from {oldest}");
                    assert_eq!(told, oldest);
                    self.check_not_promised(at);
                }
            }
        }
    }

    /// Whether all of history by commits is there: unless too many deleted keys were forgotten.
    pub(super) fn history_is_whole(&self) -> bool {
        self.settings.max_deleted >= KEYS.len()
    }

    fn check_not_promised(&self, at: u64) {
        let newest = self.model.newest();
        if at < self.opened_at || !self.history_is_whole() {
            return;
        }
        assert!(at < newest, "the newest revision is always there");
        assert!(at + self.settings.commits <= newest, "the last revisions are kept");
    }

    fn check_history_error(&self, error: &HistoryError, at: u64) {
        let newest = self.model.newest();
        match error {
            HistoryError::Compacted { oldest, .. } => {
                assert!(at < oldest.get() && oldest.get() <= newest, "{error:?} at {at}");
            }
            HistoryError::Future { newest: told, .. } => {
                assert!(at > newest);
                assert_eq!(told.get(), newest);
            }
            other => panic!("{other}"),
        }
    }

    pub(super) fn read_snapshot(&mut self, index: Index, span: &Span) {
        if let Some(held) = pick(&mut self.snapshots, index) {
            held.check_span(self.model.at(held.revision), span);
            held.check(&self.model);
        }
    }

    pub(super) fn open_scan(&mut self, of_snapshot: Option<Index>, span: &Span) {
        let held = of_snapshot.and_then(|index| pick(&mut self.snapshots, index));
        let (scan, at, snapshot, token) = match held {
            Some(held) => {
                let token = Token::clone(&held.token);
                (held.snapshot.scan(span), held.revision, Some(held.snapshot.clone()), token)
            }
            None => (self.store.scan(span), self.model.newest(), None, Token::default()),
        };
        assert_eq!(scan.revision().get(), at);
        let left = span.of(self.model.at(at)).into();
        // A scan outlives its snapshot: only some get one to go on from.
        let snapshot = snapshot.filter(|_| self.scans.len().is_multiple_of(2));
        self.scans.push(HeldScan { scan, left, yielded: BTreeSet::new(), snapshot, token });
    }

    pub(super) fn step(&mut self, index: Index, steps: &[bool]) {
        if let Some(held) = pick(&mut self.scans, index) {
            for from_back in steps {
                held.step(*from_back);
                held.check_rest();
            }
        }
    }

    /// Goes on with the next page, by the cursor, at the same revision.
    pub(super) fn page(&mut self, index: Index) {
        let Some(held) = pick(&mut self.scans, index) else { return };
        held.check_rest();
        if let (Some(snapshot), Some(rest)) = (&held.snapshot, held.scan.rest()) {
            let again = snapshot.range(&rest);
            held.scan = snapshot.range(rest);
            assert_eq!(entries(again), Vec::from(held.left.clone()));
        }
    }

    pub(super) fn get_at(&mut self, key: Key, at: u64) {
        match self.store.get_at(key, revision(at)) {
            Ok(found) => {
                assert!(at <= self.model.newest());
                let expected = self.model.at(at).get(key);
                assert_eq!(found.as_ref().map(Entry::of).as_ref(), expected, "{key:?} at {at}");
            }
            Err(error) => {
                self.check_history_error(&error, at);
                if let HistoryError::Compacted { oldest, .. } = error {
                    assert!(at < self.store.stats().oldest_at().get());
                    self.check_not_promised(at);
                    self.check_not_promised_of(key, at);
                    self.check_known_from(key, oldest);
                }
            }
        }
    }

    /// A key is known at a revision that was told so; but on a log another thread gives back what is not needed.
    fn check_known_from(&self, key: Key, since: Revision) {
        match self.store.get_at(key, since) {
            Ok(found) => {
                let expected = self.model.at(since.get()).get(key);
                assert_eq!(found.as_ref().map(Entry::of).as_ref(), expected, "{key:?}");
            }
            Err(error) => {
                let moved_on = since < self.store.stats().oldest_at();
                assert!(self.store.recovery().is_some() && moved_on, "{key:?} at {since}: {error}");
            }
        }
    }

    /// Notes for which keys the history by count may have been given up: those that are deleted, and not among the keys
    /// that were deleted last. It stays given up when they are created again.
    pub(super) fn note_forgotten(&mut self) {
        for (revision, changes) in self.model.after(self.noted) {
            for change in changes {
                match change.now {
                    Some(_) => drop(self.deleted.remove(&change.key)),
                    None => drop(self.deleted.insert(change.key.clone(), revision)),
                }
            }
            for (key, own) in &self.deleted {
                let since = self.deleted.values().filter(|other| *other >= own).count();
                if since > self.settings.max_deleted {
                    self.forgotten.insert(key.clone(), *own);
                }
            }
        }
        self.noted = self.model.newest();
    }

    /// The newest versions of `key` that history by count must have.
    fn promised_versions<'a>(
        &self,
        key: Key,
        all: &'a [(u64, Option<Entry>)],
    ) -> &'a [(u64, Option<Entry>)] {
        let is_deleted = all.last().is_none_or(|(_, entry)| entry.is_none());
        if is_deleted && self.settings.history == 1 {
            return &[];
        }
        // What was there when the store was opened is a version, too.
        let at_opening = self.model.at(self.opened_at).get(key).map(|entry| entry.revision);
        let forgotten = self.forgotten.get(key).copied().unwrap_or(0);
        let known = all.iter().filter(|(revision, _)| {
            *revision > forgotten && (*revision > self.opened_at || Some(*revision) == at_opening)
        });
        &all[all.len() - known.count().min(self.settings.history)..]
    }

    fn check_not_promised_of(&self, key: Key, at: u64) {
        if at < self.opened_at {
            return;
        }
        let versions = self.model.versions(key);
        let promised = self.promised_versions(key, &versions);
        if let Some((oldest, _)) = promised.first() {
            assert!(at < *oldest, "{promised:?} of {key:?} are kept, and {at} is not");
        }
    }

    pub(super) fn history(&mut self, key: Key) {
        let history = self.store.history(key);
        let all = self.model.versions(key);
        let told: Vec<(u64, Option<Entry>)> = history
            .versions()
            .iter()
            .map(|version| (version.revision().get(), version.entry().map(Entry::of)))
            .collect();
        let since = history.since().get();
        assert!(told.iter().all(|version| all.contains(version)), "{key:?}: {told:?} of {all:?}");
        assert!(told.is_sorted_by_key(|(revision, _)| *revision), "{key:?}: {told:?}");
        let at_since = all.iter().rfind(|(at, entry)| *at <= since && entry.is_some());
        let at_since = at_since.filter(|_| self.model.at(since).contains_key(key));
        for version in all.iter().filter(|(at, _)| *at > since).chain(at_since) {
            assert!(told.contains(version), "{key:?}: {version:?} is missing since {since}");
        }
        assert!(since <= self.model.newest());
        self.check_known_from(key, history.since());
        let promised = self.promised_versions(key, &all);
        assert!(told.ends_with(promised), "{key:?}: only {told:?} of {all:?}");
        let newest = self.model.newest();
        if self.history_is_whole() {
            let recent = all.iter().filter(|(revision, _)| {
                *revision > self.opened_at && *revision + self.settings.commits > newest
            });
            for version in recent {
                assert!(told.contains(version), "{key:?}: {version:?} is recent");
            }
        }
    }

    /// The most versions that the snapshots and scans can keep, without history: each one of each key that has
    /// changed since, and its tombstones.
    pub(super) fn most_superseded(&self) -> u64 {
        let pinned: BTreeSet<u64> = self
            .snapshots
            .iter()
            .map(|held| held.revision)
            .chain(self.scans.iter().map(|held| held.scan.revision().get()))
            .collect();
        let mut most = 0;
        for key in KEYS {
            let versions = self.model.versions(key);
            let seen: BTreeSet<u64> = pinned
                .iter()
                .filter_map(|pin| versions.iter().rev().find(|(revision, _)| revision <= pin))
                .map(|(revision, _)| *revision)
                .collect();
            let newest = versions.last().map(|(revision, _)| *revision);
            let superseded = seen.iter().filter(|revision| Some(**revision) != newest).count();
            let tombstone = versions.last().is_some_and(|(_, entry)| entry.is_none());
            most += superseded + usize::from(tombstone && superseded > 0);
        }
        u64::try_from(most).unwrap()
    }
}
