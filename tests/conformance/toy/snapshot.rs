//! The state of the toy at one revision: a copy.

use std::ops::Bound::Excluded;

use bytes::Bytes;
use ifmatch::{BackendSnapshot, KeyRange, Page, ReadError, Revision};

use super::state::{Map, range as range_of};
use super::{Bug, Entry, Toy};

pub(crate) struct ToySnapshot {
    pub(super) toy: Toy,
    pub(super) revision: Revision,
    pub(super) map: Map,
}

impl BackendSnapshot for ToySnapshot {
    fn revision(&self) -> Revision {
        self.revision
    }

    async fn get(&self, key: &Bytes) -> Result<Option<Entry>, ReadError> {
        if self.toy.has(Bug::SnapshotGetSeesLaterWrites) {
            return Ok(self.toy.lock().map.get(key).cloned());
        }
        Ok(self.map.get(key).cloned())
    }

    async fn page(&self, range: KeyRange<Bytes>, limit: usize) -> Result<Page, ReadError> {
        let later = self.toy.lock().map.clone();
        let map = if self.toy.has(Bug::SnapshotPageSeesLaterWrites) { &later } else { &self.map };
        let mut entries: Vec<(Bytes, Entry)> = range_of(map, &range);
        if self.toy.has(Bug::PageIncludesTheEnd) {
            let end = range.end().map(Bytes::clone);
            if let Excluded(end) = end
                && let Some(entry) = map.get(&end)
            {
                entries.push((end, entry.clone()));
            }
        }
        if self.toy.has(Bug::ShorterKeysComeFirst) {
            entries.sort_by_key(|(key, _)| key.len());
        }
        let all = entries.len();
        let limit = match limit {
            0 if self.toy.has(Bug::LimitZeroMeansAll) => all,
            limit if self.toy.has(Bug::PageIsOneTooLong) => limit + 1,
            limit => limit,
        };
        let next = entries.get(limit).map(|(key, _)| key.clone());
        entries.truncate(limit);
        let end = range.end().map(Bytes::clone);
        let rest = match (entries.last(), next) {
            (_, Some(next)) if self.toy.has(Bug::PageLosesTheNextKey) => {
                Some(KeyRange::new(Excluded(next), end))
            }
            (Some((last, _)), next)
                if next.is_some() || self.toy.has(Bug::PageSaysMoreAtTheEnd) =>
            {
                Some(KeyRange::new(Excluded(last.clone()), end))
            }
            (None, Some(_)) => Some(range),
            _ => None,
        };
        Ok(Page::new(entries, rest))
    }
}
