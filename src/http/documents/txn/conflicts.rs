//! Why a transaction was not committed, as a problem that names every precondition that does not hold.

use bytes::Bytes;

use crate::backend::Backend;
use crate::commit_error::CommitError;
use crate::conflict::Conflict;

use super::super::entry::Entry;
use super::super::list::PAGE_BYTES;
use super::super::prefer;
use super::super::shared::{Mount, Shared};
use super::body::Transaction;
use crate::document_key::DocumentKey;
use crate::http::problem::{Problem, Unmet};

/// For whom the problem is.
pub(super) struct Context<'a, B: Backend> {
    pub(super) shared: &'a Shared<B>,
    pub(super) mount: &'a Mount,
    /// Whether they may see what is stored.
    pub(super) shows: bool,
    /// Whether they want to.
    pub(super) with_current: bool,
}

impl<B: Backend> Context<'_, B> {
    pub(super) fn problem(
        &self,
        transaction: &Transaction,
        error: CommitError<Bytes, Bytes>,
    ) -> Problem {
        let unmet: Vec<Unmet> = match error {
            CommitError::Conflicts { conflicts, .. } => {
                conflicts.iter().map(|conflict| self.unmet(transaction, conflict)).collect()
            }
            CommitError::Compacted { index, oldest, .. } => {
                let detail = format!("what changed is known only since revision {oldest}");
                vec![in_range(transaction, Unmet::undecided(index, detail, oldest), index)]
            }
            CommitError::Future { index, newest, .. } => {
                let detail = format!("the newest revision is {newest}");
                vec![in_range(transaction, Unmet::undecided(index, detail, newest), index)]
            }
            CommitError::Refused { reason, .. } => return super::refused(&reason),
            CommitError::OutcomeUnknown(unknown) => return Problem::unknown(&unknown),
        };
        let (count, total) = (unmet.len(), transaction.txn().requirements().len());
        let detail = format!("{count} of {total} preconditions do not hold; nothing was written");
        let problem = Problem::of_unmet(detail, unmet);
        if !self.with_current {
            return problem;
        }
        let (name, value) = prefer::applied();
        problem.with_header(name, value)
    }

    fn unmet(&self, transaction: &Transaction, conflict: &Conflict<Bytes, Bytes>) -> Unmet {
        let unmet = Unmet::named(conflict, |key| String::from_utf8_lossy(key).into_owned());
        let mut unmet = in_range(transaction, unmet, conflict.index());
        let key = DocumentKey::from_stored(conflict.key()).ok();
        let entry = key
            .as_ref()
            .zip(conflict.current())
            .and_then(|(key, current)| self.shared.entry(key, current.clone()).ok());
        if let Some(entry) = &entry {
            unmet.set_current(entry.etag());
        }
        if !self.shows {
            unmet.hide_range();
            return unmet;
        }
        unmet.link = key.filter(|_| entry.is_some()).map(|key| self.mount.document(&key));
        unmet.current = entry.filter(|_| self.with_current);
        if self.with_current {
            unmet.blocking = self.blocking(conflict);
        }
        unmet
    }
}

impl<B: Backend> Context<'_, B> {
    /// The documents that are in the way and are named, up to so many bytes, at least one.
    fn blocking(&self, conflict: &Conflict<Bytes, Bytes>) -> Vec<Entry> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (key, stored) in conflict.blockers() {
            let Ok(key) = DocumentKey::from_stored(key) else { continue };
            let Ok(entry) = self.shared.entry(&key, stored.clone()) else { break };
            bytes += stored.len();
            if bytes > PAGE_BYTES && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        entries
    }
}

/// Says of which prefix it is, if it is of one.
fn in_range(transaction: &Transaction, mut unmet: Unmet, index: usize) -> Unmet {
    unmet.prefix = transaction.prefix(index).map(|prefix| prefix.as_str().to_owned());
    unmet
}
