//! The state at one revision, which the server has pinned, or keeps anyway.

use std::fmt;

use bytes::Bytes;
use reqwest::StatusCode;

use crate::backend::{BackendSnapshot, Page};
use crate::capability::Capability;
use crate::error::ReadError;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::super::list::{Place, cursor_at};
use super::super::wire::WirePage;
use super::Remote;
use super::fault::{of_failed_read, of_read, unavailable};
use super::read::{text_of, versioned};
use super::span;

/// The state of a [`Remote`] at one revision.
///
/// The server keeps it for 60 s after each time that it is read, by default, or as long as its store keeps the past. Then it is
/// [`HistoryError::Compacted`](crate::HistoryError::Compacted).
#[derive(Clone)]
pub struct RemoteSnapshot {
    remote: Remote,
    revision: Revision,
    /// All that there is, if that is little: then the server has nothing to pin.
    whole: Option<Vec<(Bytes, Versioned<Bytes>)>>,
}

/// The most entries that are asked for at once: as many as the server gives.
const LONGEST_PAGE: usize = 1_000;

/// A page as the server has it.
struct Part {
    revision: Revision,
    entries: Vec<(Bytes, Versioned<Bytes>)>,
    next: Option<String>,
}

impl Remote {
    async fn part(&self, place: Place<'_>) -> Result<Part, ReadError> {
        let answer = self.client.0.call(place.call()).await.map_err(of_failed_read)?;
        if answer.status != StatusCode::OK {
            return Err(of_read(answer, Capability::Past));
        }
        let page: WirePage = answer.json().map_err(unavailable)?;
        let mut entries = Vec::with_capacity(page.items.len());
        for item in page.items {
            let entry = item.into_whole_entry().map_err(|error| unavailable(error.into()))?;
            let stored = versioned(&entry).map_err(unavailable)?;
            entries.push((Bytes::copy_from_slice(entry.key().as_bytes()), stored));
        }
        Ok(Part { revision: page.revision, entries, next: page.next })
    }
}

impl RemoteSnapshot {
    /// At a revision, or the newest. A list that goes on has its revision pinned; one that does not is all there is.
    pub(super) async fn of(remote: &Remote, at: Option<Revision>) -> Result<Self, ReadError> {
        let cursor = at.map(|revision| cursor_at(revision, ""));
        let place = Place { prefix: "", limit: Some(1), cursor: cursor.as_deref() };
        let Part { revision, entries, next } = remote.part(place).await?;
        let whole = next.is_none().then_some(entries);
        Ok(Self { remote: remote.clone(), revision, whole })
    }

    /// The entries of the range, from those that were read, until there are more than `limit`.
    async fn listed(
        &self,
        range: &KeyRange<Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Versioned<Bytes>)>, ReadError> {
        let mut found = Vec::new();
        let mut take = |entries: Vec<(Bytes, Versioned<Bytes>)>| {
            for (key, entry) in entries {
                if found.len() > limit || span::is_past(range, &key) {
                    return (found.len(), true);
                }
                if range.contains(&key) {
                    found.push((key, entry));
                }
            }
            (found.len(), found.len() > limit)
        };
        if let Some(whole) = &self.whole {
            take(whole.clone());
            return Ok(found);
        }
        let prefix = span::prefix(range);
        let first = cursor_at(self.revision, span::from(range));
        // One more tells whether there is more; the first may be where the range begins, and not in it.
        let most = limit.saturating_add(2).min(LONGEST_PAGE);
        let begin = Place { prefix, limit: Some(most), cursor: Some(&first) };
        let mut part = self.remote.part(begin).await?;
        loop {
            let next = part.next.take();
            let (count, is_done) = take(part.entries);
            let Some(cursor) = next.filter(|_| !is_done) else { return Ok(found) };
            let limit = Some((limit.saturating_add(1) - count).min(LONGEST_PAGE));
            let place = Place { prefix, limit, cursor: Some(&cursor) };
            part = self.remote.part(place).await?;
        }
    }
}

impl BackendSnapshot for RemoteSnapshot {
    fn revision(&self) -> Revision {
        self.revision
    }

    async fn get(&self, key: &Bytes) -> Result<Option<Versioned<Bytes>>, ReadError> {
        let Some(whole) = &self.whole else {
            return self.remote.read(key, Some(self.revision)).await;
        };
        text_of(key).ok_or(ReadError::Unsupported(Capability::AnyKey))?;
        let found = whole.iter().find(|(there, _)| there == key);
        Ok(found.map(|(_, entry)| entry.clone()))
    }

    async fn page(&self, range: KeyRange<Bytes>, limit: usize) -> Result<Page, ReadError> {
        if range.is_empty() {
            return Ok(Page::new(Vec::new(), None));
        }
        let mut entries = self.listed(&range, limit).await?;
        let rest = (entries.len() > limit).then(|| {
            entries.truncate(limit);
            let mut rest = range;
            if let Some((last, _)) = entries.last() {
                rest.start_after(last.clone());
            }
            rest
        });
        Ok(Page::new(entries, rest))
    }
}

impl fmt::Debug for RemoteSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSnapshot").field("revision", &self.revision).finish_non_exhaustive()
    }
}
