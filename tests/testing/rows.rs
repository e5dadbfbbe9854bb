//! Histories written down as rows: a call each, of a client each.

use ifmatch::testing::{Failing, History, RangeRead};
use ifmatch::{KeyRange, Precondition, Requirement};

use crate::simulated::{Asked, Told, entry, revision};

/// When it began and ended, what was asked, and told; `None`: nobody knows.
pub(crate) type Row = (u64, u64, Asked, Option<Told>);

pub(crate) fn put(key: u8, value: u64, precondition: impl Into<Precondition>) -> Asked {
    Asked::Put { key, value, precondition: precondition.into() }
}

pub(crate) fn delete(key: u8, precondition: impl Into<Precondition>) -> Asked {
    Asked::Delete { key, precondition: precondition.into() }
}

pub(crate) fn commit(requirements: &[Requirement<u8>], changes: &[(u8, Option<u64>)]) -> Asked {
    Asked::Commit { requirements: requirements.to_vec(), changes: changes.to_vec() }
}

pub(crate) fn unchanged(range: impl ifmatch::AsRange<u8>, since: u64) -> Requirement<u8> {
    Requirement::UnchangedIn(range.into_range(), revision(since))
}

pub(crate) fn none(range: impl ifmatch::AsRange<u8>) -> Requirement<u8> {
    Requirement::NoneIn(range.into_range())
}

pub(crate) fn written(at: u64) -> Option<Told> {
    let (created_revision, write_count) = (None, None);
    Some(Told::Written { revision: revision(at), created_revision, write_count })
}

pub(crate) fn counted(at: u64, created: u64, count: u64) -> Option<Told> {
    let (created_revision, write_count) = (Some(revision(created)), Some(count));
    Some(Told::Written { revision: revision(at), created_revision, write_count })
}

/// Revision, creation, writes, value.
pub(crate) type Is = (u64, u64, u64, u64);

pub(crate) fn read((at, created, count, value): Is) -> Option<Told> {
    Some(Told::Read(Some(entry(at, created, count, value))))
}

pub(crate) fn deleted(at: u64, (was, created, count, value): Is) -> Option<Told> {
    Some(Told::Deleted(Some((revision(at), entry(was, created, count, value)))))
}

pub(crate) const NOTHING: Option<Told> = Some(Told::Read(None));

pub(crate) fn committed(at: u64) -> Option<Told> {
    Some(Told::Committed(revision(at)))
}

pub(crate) fn newest(at: u64) -> Option<Told> {
    Some(Told::Revision(revision(at)))
}

pub(crate) fn lost(index: usize, key: u8, current: Option<Is>, blockers: usize) -> Option<Told> {
    let current = current.map(|(at, created, count, value)| entry(at, created, count, value));
    Some(Told::Conflicts(vec![Failing { index, key, current, blockers }]))
}

pub(crate) fn found(entries: &[(u8, Is)]) -> Vec<(u8, ifmatch::testing::Entry<u64>)> {
    let entries = entries.iter();
    entries
        .map(|(key, (at, created, count, value))| (*key, entry(*at, *created, *count, *value)))
        .collect()
}

pub(crate) fn scanned(entries: &[(u8, Is)]) -> Option<Told> {
    Some(Told::Scanned { revision: None, entries: found(entries) })
}

pub(crate) fn transacted(
    reads: &[(u8, Option<Is>)],
    changes: &[(u8, Option<u64>)],
    at: u64,
) -> Option<Told> {
    let read = |(key, is): &(u8, Option<Is>)| RangeRead {
        range: KeyRange::only(*key),
        entries: is.map(|is| found(&[(*key, is)])).unwrap_or_default(),
    };
    let reads = reads.iter().map(read).collect();
    Some(Told::Transacted { reads, changes: changes.to_vec(), revision: revision(at) })
}

pub(crate) fn scan() -> Asked {
    Asked::Scan(KeyRange::all())
}

pub(crate) fn watch(since: u64) -> Asked {
    Asked::Watch { range: KeyRange::all(), since: revision(since) }
}

pub(crate) fn watched(at: u64, changes: &[(u8, Option<Is>)]) -> Option<Told> {
    let changes = changes.iter().map(|(key, is)| {
        (*key, is.map(|(at, created, count, value)| entry(at, created, count, value)))
    });
    Some(Told::Watched { revision: revision(at), changes: changes.collect() })
}

pub(crate) fn history(rows: Vec<Row>) -> History<Asked, Told> {
    let mut history = History::new();
    for (client, (called, returned, asked, told)) in (0..).zip(rows) {
        history.push(client, asked, called..returned, told);
    }
    history
}
