//! What a write that lost the race is told.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json::Json;
use crate::merge::{Choice, Clash, MergeRules, Merged};
use crate::revision::Revision;

use super::entry::{Document, Entry};
use super::error::DecodeError;
use super::problem::ProblemDocument;
use super::tag::EntityTag;
use super::wire::{WireConflict, WireEntry};

/// A write did not take place because the state is not what it was based on: what was expected, and what is there now.
///
/// It comes of a 409, or of a 412 of a server in strict mode; the two say the same.
#[derive(Clone, Debug)]
pub struct ClientConflict {
    problem: ProblemDocument,
    failed: FailedPrecondition,
    operations: Vec<FailedPrecondition>,
}

/// In which way the state disagrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConflictKind {
    /// The resource has changed, or is gone.
    Stale,
    /// The resource was to be created, and exists.
    Exists,
    /// The resource was to exist, and does not.
    NotFound,
    /// Other resources need the one that was to be deleted, or are under a prefix that was to be empty.
    InUse,
    /// A `test` of a JSON patch failed, or the patch does not fit what is there.
    PatchTestFailed,
    /// Preconditions of a transaction failed: [`ClientConflict::operations`].
    Transaction,
    /// A precondition of a transaction cannot be decided, because what it asks about is not kept any more.
    Compacted,
    /// A rule of the application, which its problem document says.
    Rule,
}

impl ConflictKind {
    fn of(slug: &str) -> Self {
        match slug {
            "stale-revision" => Self::Stale,
            "already-exists" => Self::Exists,
            "not-found" => Self::NotFound,
            "in-use" => Self::InUse,
            "patch-test-failed" => Self::PatchTestFailed,
            "transaction-conflict" => Self::Transaction,
            "compacted" => Self::Compacted,
            _ => Self::Rule,
        }
    }
}

/// One precondition that does not hold: that of the write, or one of a transaction.
#[derive(Clone, Debug)]
pub struct FailedPrecondition {
    kind: ConflictKind,
    index: usize,
    key: Option<String>,
    prefix: Option<String>,
    expected: Option<Revision>,
    revision: Option<Revision>,
    etag: Option<EntityTag>,
    deleted: bool,
    blockers: Vec<String>,
    blocker_count: usize,
    blocking: Vec<Entry<Document>>,
    oldest: Option<Revision>,
    current: Option<Entry<Document>>,
}

impl FailedPrecondition {
    fn of(wire: WireConflict) -> Self {
        let etag = wire.current_etag.and_then(|text| EntityTag::new(&text).ok());
        // Without it, it is read by another request.
        let current = wire.current.and_then(|entry| entry.into_entry(etag.as_ref()).ok()?);
        let read = |entry: WireEntry| entry.into_whole_entry().ok();
        Self {
            kind: ConflictKind::of(wire.r#type.rsplit('/').next().unwrap_or_default()),
            index: wire.index.unwrap_or(0),
            key: wire.key,
            prefix: wire.prefix,
            expected: wire.expected_revision,
            revision: wire.current_revision,
            etag,
            deleted: wire.deleted.unwrap_or(false),
            blocker_count: wire.blocker_count.unwrap_or(wire.blockers.len()),
            blockers: wire.blockers,
            blocking: wire.blocking.into_iter().map_while(read).collect(),
            oldest: wire.oldest_revision,
            current,
        }
    }

    /// In which way the state disagrees.
    #[must_use]
    pub fn kind(&self) -> ConflictKind {
        self.kind
    }

    /// The index of the precondition among those of its transaction: the number of `require` calls before it.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The key that it is about; of a prefix the first that is in the way, as far as the server shows it.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The prefix that it is about, if it is about one.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// The revision that was expected, if it was one.
    #[must_use]
    pub fn expected_revision(&self) -> Option<Revision> {
        self.expected
    }

    /// The revision that is there now.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// The tag of what is there now: the precondition of the next attempt.
    #[must_use]
    pub fn etag(&self) -> Option<&EntityTag> {
        self.etag.as_ref()
    }

    /// Whether nothing is there now.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// The first keys that are in the way, as far as the server shows them.
    #[must_use]
    pub fn blockers(&self) -> &[String] {
        &self.blockers
    }

    /// How many keys are in the way.
    #[must_use]
    pub fn blocker_count(&self) -> usize {
        self.blocker_count
    }

    /// The first that are in the way themselves, as far as the server sent them.
    #[must_use]
    pub fn blocking(&self) -> &[Entry<Document>] {
        &self.blocking
    }

    /// The oldest revision since which changes are known, if that is why it cannot be decided. Where the server has not come
    /// to the revision that was expected it is the newest.
    #[must_use]
    pub fn oldest_revision(&self) -> Option<Revision> {
        self.oldest
    }

    /// What is there now, if the server sent it: it does where the client asked, and may read.
    #[must_use]
    pub fn current(&self) -> Option<&Entry<Document>> {
        self.current.as_ref()
    }
}

impl ClientConflict {
    /// Reads the conflict out of the problem document of a 409 or 412.
    pub(super) fn of(problem: ProblemDocument) -> Self {
        let mut wire: WireConflict = serde_json::from_slice(problem.body()).unwrap_or_default();
        let operations = std::mem::take(&mut wire.conflicts);
        let operations = operations.into_iter().map(FailedPrecondition::of).collect();
        Self { problem, failed: FailedPrecondition::of(wire), operations }
    }

    /// The preconditions that failed in a transaction, by index. Empty if the write was a single one.
    #[must_use]
    pub fn operations(&self) -> &[FailedPrecondition] {
        &self.operations
    }

    /// The problem document: what it says to people, and what an application added.
    #[must_use]
    pub fn problem(&self) -> &ProblemDocument {
        &self.problem
    }

    /// What is there now as a `T`; `None` if nothing is, or the server did not send it.
    ///
    /// # Errors
    /// [`DecodeError`] if it is no `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Option<Entry<T>>, DecodeError> {
        self.current().cloned().map(Entry::decode).transpose()
    }

    /// For an editor: merges `mine`, which was made from `base`, with what is there now. `None` if nothing is, or the
    /// server did not send it.
    ///
    /// # Errors
    /// [`DecodeError`] if one of the three is no JSON.
    pub fn merge<T: Serialize>(
        &self,
        base: &Entry<T>,
        mine: &T,
        rules: &MergeRules,
    ) -> Result<Option<Merged>, DecodeError> {
        self.current().map(|theirs| merge_into(base, mine, theirs, rules)).transpose()
    }

    /// With the indexes of a transaction of which only the preconditions `sent` went to the server.
    pub(super) fn renumber(mut self, sent: &[usize]) -> Self {
        for operation in &mut self.operations {
            operation.index = sent.get(operation.index).copied().unwrap_or(operation.index);
        }
        self
    }

    /// Whether another attempt, on top of what is there now, can succeed.
    pub(super) fn is_lost_race(&self) -> bool {
        matches!(self.kind(), ConflictKind::Stale | ConflictKind::Exists | ConflictKind::NotFound)
    }
}

/// Merges what changed from `base` to `mine` into the document `theirs`. What `T` does not know stays as theirs has it.
pub(super) fn merge_into<T: Serialize, U>(
    base: &Entry<T>,
    mine: &T,
    theirs: &Entry<U>,
    rules: &MergeRules,
) -> Result<Merged, DecodeError> {
    let old = Json::from_value(base.value()).map_err(DecodeError::unencodable)?;
    let new = Json::from_value(mine).map_err(DecodeError::unencodable)?;
    let document =
        |body: &[u8]| Json::from_slice(body).map_err(|error| DecodeError::value(base.key(), error));
    let read = document(base.document().body())?;
    let theirs = document(theirs.document().body())?;
    // `T` may write what nobody has changed otherwise than the document has it: a default, for example. So mine is first
    // made a document as base is, where a clash is nothing but that. Arrays and objects are not given up for what `T`
    // made of them: what it does not know would be lost.
    let mine = rules.merge(&old, &new, &read);
    let is_spelling = |clash: &Clash| {
        !clash.theirs().is_some_and(|read| matches!(read, Json::Array(_) | Json::Object(_)))
    };
    if !mine.clashes().iter().all(is_spelling) {
        return Ok(rules.merge(&old, &new, &theirs));
    }
    Ok(rules.merge(&read, &mine.resolve(|_| Choice::Mine), &theirs))
}

impl std::ops::Deref for ClientConflict {
    type Target = FailedPrecondition;

    fn deref(&self) -> &FailedPrecondition {
        &self.failed
    }
}

impl fmt::Display for ClientConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conflict: {}: {}", self.problem.title(), self.problem.detail())
    }
}

impl std::error::Error for ClientConflict {}
