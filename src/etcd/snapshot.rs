//! The state at one revision. etcd keeps it for as long as nobody compacts it: holding a snapshot holds nothing there.

use std::fmt;

use bytes::Bytes;
use etcd_client::GetOptions;

use crate::backend::{BackendSnapshot, Page};
use crate::error::ReadError;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::Etcd;
use super::condition::entries;
use super::entry::number;
use super::fault::Fault;

/// The state of an [`Etcd`] at one revision.
///
/// It is not pinned: once etcd has compacted its revision, reads of it are
/// [`HistoryError::Compacted`](crate::HistoryError::Compacted).
#[derive(Clone)]
pub struct EtcdSnapshot {
    etcd: Etcd,
    revision: Revision,
}

/// The most entries that are asked for at once.
const LONGEST_PAGE: usize = 1_000;

impl EtcdSnapshot {
    pub(super) fn new(etcd: Etcd, revision: Revision) -> Self {
        Self { etcd, revision }
    }

    /// The first `limit` entries of `range`, or fewer, so that the answer is no larger than may be read.
    async fn shortened_page(&self, range: &KeyRange<Bytes>, limit: usize) -> Result<Page, Fault> {
        let namespace = &self.etcd.shared.namespace;
        let Some(span) = namespace.span(range) else { return Ok(Page::new(Vec::new(), None)) };
        let mut limit = limit.min(LONGEST_PAGE);
        loop {
            let options = GetOptions::new()
                .with_range(span.end.clone())
                .with_revision(number(self.revision))
                .with_limit(i64::try_from(limit).unwrap_or(i64::MAX));
            match self.etcd.range(span.start.clone(), options).await {
                Ok(found) => {
                    let is_last = !found.more;
                    let entries = entries(found.kvs, namespace)?;
                    let after = entries.last().filter(|_| !is_last).map(|(key, _)| {
                        let mut rest = range.clone();
                        rest.start_after(key.clone());
                        rest
                    });
                    return Ok(Page::new(entries, after));
                }
                Err(Fault::ResponseTooLarge(_)) if limit > 1 => limit /= 2,
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Of `limit` entries, by as many requests as it takes.
    async fn whole_page(&self, range: KeyRange<Bytes>, limit: usize) -> Result<Page, Fault> {
        if limit == 0 {
            let first = self.shortened_page(&range, 1).await?;
            return Ok(Page::new(Vec::new(), (!first.entries.is_empty()).then_some(range)));
        }
        let mut page = self.shortened_page(&range, limit).await?;
        while page.entries.len() < limit
            && let Some(range) = page.rest.take()
        {
            let more = self.shortened_page(&range, limit - page.entries.len()).await?;
            page.entries.extend(more.entries);
            page.rest = more.rest;
        }
        Ok(page)
    }
}

impl BackendSnapshot for EtcdSnapshot {
    fn revision(&self) -> Revision {
        self.revision
    }

    async fn get(&self, key: &Bytes) -> Result<Option<Versioned<Bytes>>, ReadError> {
        match self.etcd.entry(key, Some(self.revision)).await {
            Ok(entry) => Ok(entry),
            Err(fault) => Err(self.etcd.read_error(fault).await),
        }
    }

    async fn page(&self, range: KeyRange<Bytes>, limit: usize) -> Result<Page, ReadError> {
        match self.whole_page(range, limit).await {
            Ok(page) => Ok(page),
            Err(fault) => Err(self.etcd.read_error(fault).await),
        }
    }
}

impl fmt::Debug for EtcdSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdSnapshot").field("revision", &self.revision).finish_non_exhaustive()
    }
}
