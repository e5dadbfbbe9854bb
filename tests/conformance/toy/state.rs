//! The newest state, and the commits that led to it.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use bytes::Bytes;
use ifmatch::{Commit, Event, KeyRange, Revision};

use super::{Bug, Entry};

pub(super) type Map = BTreeMap<Bytes, Entry>;

pub(super) struct State {
    pub(super) revision: Revision,
    pub(super) map: Map,
    /// So many commits are kept.
    pub(super) window: usize,
    /// They are those after this revision.
    pub(super) start: Revision,
    /// The state at the start.
    base: Map,
    commits: VecDeque<Commit<Bytes, Bytes>>,
    pub(super) wakers: Vec<Waker>,
    pub(super) bug: Option<Bug>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            revision: Revision::MIN,
            map: Map::new(),
            window: usize::MAX,
            start: Revision::MIN,
            base: Map::new(),
            commits: VecDeque::new(),
            wakers: Vec::new(),
            bug: None,
        }
    }

    /// Takes a revision for nothing.
    pub(super) fn skip(&mut self) -> Revision {
        self.revision = self.revision.next().unwrap();
        self.revision
    }

    /// Makes the changes, of which those that delete nothing are none. Returns the newest revision.
    pub(super) fn commit(&mut self, changes: Vec<(Bytes, Option<Bytes>)>) -> Revision {
        let is_some =
            |(key, value): &(Bytes, Option<Bytes>)| value.is_some() || self.map.contains_key(key);
        let changes: Vec<_> = changes.into_iter().filter(is_some).collect();
        if changes.is_empty() {
            return self.revision;
        }
        let revision = self.skip();
        let mut events = Vec::new();
        for (key, value) in changes {
            let previous = self.map.remove(&key);
            let Some(value) = value
                .filter(|value| !value.is_empty() || self.bug != Some(Bug::EmptyValueIsADelete))
            else {
                events.push(Event::delete(key, revision, previous));
                continue;
            };
            let entry = Entry::new(
                value,
                revision,
                self.creation(previous.as_ref()),
                self.count(&key, previous.as_ref()),
            );
            self.map.insert(key.clone(), entry.clone());
            events.push(Event::put(key, entry, previous));
        }
        let is_delete = events.iter().all(|event| event.entry().is_none());
        self.commits.push_back(Commit::new(revision, events));
        while self.commits.len() > self.window {
            let oldest = self.commits.pop_front().unwrap();
            self.start = oldest.revision();
            apply(&mut self.base, &oldest);
        }
        self.wakers.drain(..).for_each(Waker::wake);
        if is_delete && self.bug == Some(Bug::RevisionIsUsedAgainAfterDelete) {
            self.revision = Revision::try_from(revision.get() - 1).unwrap();
        }
        revision
    }

    fn creation(&self, previous: Option<&Entry>) -> Revision {
        match previous {
            Some(previous) if self.bug != Some(Bug::CreationIsForgotten) => {
                previous.created_revision()
            }
            _ => self.revision,
        }
    }

    fn count(&self, key: &Bytes, previous: Option<&Entry>) -> u64 {
        let mut past = self.commits.iter().flat_map(|commit| commit.events()).rev();
        let dead = past.find_map(|event| event.previous().filter(|_| event.key() == key));
        let dead = dead.filter(|_| self.bug == Some(Bug::CountSurvivesDelete));
        previous.or(dead).map_or(1, |previous| previous.write_count() + 1)
    }

    /// The commits after `since`, of those that are kept.
    pub(super) fn since(&self, since: Revision) -> impl Iterator<Item = &Commit<Bytes, Bytes>> {
        self.commits.iter().skip_while(move |commit| commit.revision() <= since)
    }

    /// The state at a revision, if that is kept.
    pub(super) fn at(&self, revision: Revision) -> Option<Map> {
        if revision < self.start {
            return None;
        }
        let mut map = self.base.clone();
        for commit in self.commits.iter().take_while(|commit| commit.revision() <= revision) {
            apply(&mut map, commit);
        }
        Some(map)
    }

    pub(super) fn before_last(&self) -> Map {
        let before = self.commits.len().saturating_sub(1);
        let mut map = self.base.clone();
        self.commits.iter().take(before).for_each(|commit| apply(&mut map, commit));
        map
    }

    pub(super) fn range(&self, of: &KeyRange<Bytes>) -> impl Iterator<Item = (Bytes, Entry)> {
        range(&self.map, of).into_iter()
    }
}

/// The entries of a range, in order.
pub(super) fn range(map: &Map, range: &KeyRange<Bytes>) -> Vec<(Bytes, Entry)> {
    if range.is_empty() {
        return Vec::new();
    }
    let bounds = (range.start().map(Bytes::clone), range.end().map(Bytes::clone));
    map.range(bounds).map(|(key, entry)| (key.clone(), entry.clone())).collect()
}

fn apply(map: &mut Map, commit: &Commit<Bytes, Bytes>) {
    for event in commit.events() {
        match event.entry() {
            Some(entry) => map.insert(event.key().clone(), entry.clone()),
            None => map.remove(event.key()),
        };
    }
}
