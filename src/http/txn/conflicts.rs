//! Why a transaction was not committed, as a problem that names every precondition that does not hold.

use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::backend::Backend;
use crate::commit_error::CommitError;
use crate::conflict::Conflict;
use crate::precondition::Precondition;
use crate::revision::Revision;

use super::super::document_key::DocumentKey;
use super::super::entry::Entry;
use super::super::etag::ETag;
use super::super::prefer;
use super::super::problem::{Problem, ProblemKind, State};
use super::super::shared::{Mount, Shared};
use super::body::Transaction;

/// For whom the problem is.
pub(super) struct Context<'a, B: Backend> {
    pub(super) shared: &'a Shared<B>,
    pub(super) mount: &'a Mount,
    /// Whether they may see what is stored.
    pub(super) shows: bool,
    /// Whether they want to.
    pub(super) with_current: bool,
}

/// One precondition that does not hold.
struct Failed {
    index: usize,
    kind: ProblemKind,
    detail: String,
    key: Option<DocumentKey>,
    prefix: Option<String>,
    state: Option<State>,
    blockers: Option<(Vec<DocumentKey>, usize)>,
    oldest: Option<Revision>,
    link: Option<String>,
    current: Option<Entry>,
}

impl<B: Backend> Context<'_, B> {
    pub(super) fn problem(
        &self,
        transaction: &Transaction,
        error: CommitError<Bytes, Bytes>,
    ) -> Problem {
        let failed: Vec<Failed> = match error {
            CommitError::Conflicts { conflicts, .. } => {
                conflicts.into_iter().map(|conflict| self.failed(transaction, conflict)).collect()
            }
            CommitError::Compacted { index, oldest, .. } => {
                let detail = format!("what changed is known only since revision {oldest}");
                vec![undecided(transaction, index, detail, oldest)]
            }
            CommitError::Future { index, newest, .. } => {
                let detail = format!("the newest revision is {newest}");
                vec![undecided(transaction, index, detail, newest)]
            }
            CommitError::Refused { reason, .. } => return super::refused(&reason),
            CommitError::OutcomeUnknown(unknown) => return Problem::unknown(&unknown),
        };
        let (count, total) = (failed.len(), transaction.txn().requirements().len());
        let detail = format!("{count} of {total} preconditions do not hold; nothing was written");
        let problem = Problem::new(ProblemKind::TransactionConflict, detail)
            .with_member("conflicts", &failed);
        if !self.with_current {
            return problem;
        }
        let (name, value) = prefer::applied();
        problem.with_header(name, value)
    }

    fn failed(&self, transaction: &Transaction, conflict: Conflict<Bytes, Bytes>) -> Failed {
        let index = conflict.index();
        let prefix = transaction.prefix(index).map(|prefix| prefix.as_str().to_owned());
        let key = DocumentKey::from_stored(conflict.key()).ok();
        let kind = match (transaction.is_key(index), conflict.expected()) {
            (true, Precondition::Absent) => ProblemKind::AlreadyExists,
            (true, Precondition::Present) => ProblemKind::NotFound,
            (false, Precondition::Absent) => ProblemKind::InUse,
            _ => ProblemKind::StaleRevision,
        };
        let expected = match conflict.expected() {
            Precondition::Revision(revision) => Some(revision),
            _ => None,
        };
        let current = conflict.revision().map(|now| ETag::new(self.shared.identity(), now));
        let detail = conflict.to_string();
        let blockers = (kind == ProblemKind::InUse).then(|| {
            let keys = conflict.blockers().iter();
            let keys = keys.filter_map(|(key, _)| DocumentKey::from_stored(key).ok());
            (keys.filter(|_| self.shows).collect(), conflict.blocker_count())
        });
        let entry = key.as_ref().and_then(|key| {
            let stored = conflict.into_parts().0.filter(|_| self.with_current)?;
            self.shared.entry(key, stored).ok()
        });
        // Which key it is of a range tells what is stored.
        let key = key.filter(|_| self.shows || prefix.is_none());
        let resolves = self.shows && current.is_some();
        let link = key.as_ref().filter(|_| resolves).map(|key| self.mount.document(key));
        let state = Some(State { expected, current });
        Failed {
            index,
            kind,
            detail,
            key,
            prefix,
            state,
            blockers,
            oldest: None,
            link,
            current: entry,
        }
    }
}

/// A precondition of which it is not known whether it holds.
fn undecided(transaction: &Transaction, index: usize, detail: String, oldest: Revision) -> Failed {
    Failed {
        index,
        kind: ProblemKind::Compacted,
        detail,
        key: None,
        prefix: transaction.prefix(index).map(|prefix| prefix.as_str().to_owned()),
        state: None,
        blockers: None,
        oldest: Some(oldest),
        link: None,
        current: None,
    }
}

impl Serialize for Failed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("type", &self.kind.reference())?;
        map.serialize_entry("detail", &self.detail)?;
        if let Some(prefix) = &self.prefix {
            map.serialize_entry("prefix", prefix)?;
        }
        if let Some(key) = &self.key {
            map.serialize_entry("key", key)?;
        }
        if let Some(state) = self.state {
            state.serialize_into(&mut map)?;
        }
        if let Some((keys, count)) = &self.blockers {
            map.serialize_entry("blockers", keys)?;
            map.serialize_entry("blocker_count", count)?;
        }
        if let Some(oldest) = self.oldest {
            map.serialize_entry("oldest_revision", &oldest)?;
        }
        if let Some(link) = &self.link {
            map.serialize_entry("links", &std::collections::BTreeMap::from([("current", link)]))?;
        }
        if let Some(current) = &self.current {
            map.serialize_entry("current", current)?;
        }
        map.end()
    }
}
