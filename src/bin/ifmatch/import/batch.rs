//! Lines that are written in one transaction, as far as they can be.
//!
//! A transaction whose preconditions fail names all that do, with what is there: lines that are there already fall out of
//! it, and so do conflicts, and the rest is tried again. One that is refused for its content is halved until the line that
//! is to blame is alone.

use std::collections::HashSet;

use ifmatch::Precondition;
use ifmatch::client::{
    Client, ClientConflict, ClientError, ClientPrecondition, ClientTxn, ConflictKind, Document,
    EntityTag, Entry,
};
use ifmatch::json::Json;

use super::Policy;
use crate::entry_line::Imported;
use crate::failure::Failure;

/// The most bytes of lines in a transaction, unless one line alone has more; that is written by a PUT.
const MAX_BYTES: usize = 1 << 20;

/// Where the server refuses a line for what is in it.
const ADVICE: &str = "--keep-going passes over such lines";

/// How often a line is tried that others write at the same time.
const MAX_ROUNDS: u32 = 100;

/// A line that is to be written.
pub(super) struct Pending {
    line: u64,
    bytes: usize,
    entry: Imported,
    expected: Expected,
    rounds: u32,
}

/// What has to be there.
enum Expected {
    /// What is there, as far as we know.
    State(Precondition),
    /// What was exported. A transaction takes revisions only, and of two stores these may be equal, so it is written alone.
    Tag(EntityTag),
}

impl Pending {
    /// # Errors
    /// If the policy needs a tag, and that of the line is none.
    pub(super) fn new(
        line: u64,
        entry: Imported,
        policy: Policy,
        bytes: usize,
    ) -> Result<Self, String> {
        let expected = match (policy, &entry.etag) {
            (Policy::IfUnchanged, None) => return Err("--if-unchanged needs \"etag\"".into()),
            (Policy::IfUnchanged, Some(text)) => {
                let tag = EntityTag::new(text);
                Expected::Tag(tag.map_err(|error| format!("\"etag\": {error}"))?)
            }
            (Policy::Create | Policy::Overwrite, _) => Expected::State(Precondition::Absent),
        };
        Ok(Self { line, bytes, entry, expected, rounds: 0 })
    }

    /// What it demands, if a transaction can.
    fn state(&self) -> Option<Precondition> {
        match self.expected {
            Expected::State(precondition) => Some(precondition),
            Expected::Tag(_) => None,
        }
    }
}

/// What became of a batch. Without `keep_going` nothing after the first failure was tried.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) written: u64,
    pub(super) identical: u64,
    pub(super) failures: Vec<Failure>,
}

/// What is to become of a line whose key is not as expected.
enum Verdict {
    Identical,
    Again(Precondition),
    Conflict(Failure),
}

pub(super) struct Batch {
    client: Client,
    pub(super) policy: Policy,
    keep_going: bool,
    pending: Vec<Pending>,
    keys: HashSet<String>,
    bytes: usize,
    /// So many lines the server takes in a transaction, as far as it was found.
    fits: usize,
    /// The key that was written, or found, last.
    pub(super) witness: Option<String>,
}

impl Batch {
    pub(super) fn new(client: Client, policy: Policy, keep_going: bool) -> Self {
        let (pending, keys) = (Vec::new(), HashSet::new());
        let (bytes, fits) = (0, usize::MAX);
        Self { client, policy, keep_going, pending, keys, bytes, fits, witness: None }
    }

    /// No transaction writes a key twice.
    pub(super) fn has_room(&self, next: &Pending, max: usize) -> bool {
        self.pending.is_empty()
            || (self.pending.len() < max.min(self.fits)
                && self.bytes + next.bytes <= MAX_BYTES
                && !self.keys.contains(&next.entry.key))
    }

    pub(super) fn push(&mut self, pending: Pending) {
        self.bytes += pending.bytes;
        self.keys.insert(pending.entry.key.clone());
        self.pending.push(pending);
    }

    /// Writes what is in it, and empties it.
    ///
    /// # Errors
    /// What is no line's fault.
    pub(super) async fn write(&mut self) -> Result<Settled, Failure> {
        self.bytes = 0;
        self.keys.clear();
        let mut settled = Settled::default();
        // The next ones last.
        let pending = std::mem::take(&mut self.pending);
        let mut parts = match self.policy {
            Policy::IfUnchanged => pending.into_iter().rev().map(|pending| vec![pending]).collect(),
            Policy::Create | Policy::Overwrite => vec![pending],
        };
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.send(&part).await {
                Ok(()) => {
                    settled.written += count(part.len());
                    self.witness = part.pop().map(|pending| pending.entry.key);
                }
                Err(ClientError::Conflict(conflict)) => {
                    let went_well = self.judge(&mut part, &conflict, &mut settled).await?;
                    if !went_well && !self.keep_going {
                        parts.clear();
                    }
                    parts.push(part);
                }
                Err(error) if is_about_content(&error) => {
                    if part.len() > 1 {
                        // Of the lines that come the server takes no more, either; what else is wrong is of these.
                        if is_about_number(&error) {
                            self.fits = part.len() / 2;
                        }
                        parts.extend([part.split_off(part.len() / 2), part]);
                        continue;
                    }
                    let failure = Failure::Write(error);
                    let failure = if self.keep_going { failure } else { failure.advising(ADVICE) };
                    settled.failures.push(failure.at_line_of(part[0].line, &part[0].entry.key));
                    if !self.keep_going {
                        break;
                    }
                }
                Err(error) => return Err(Failure::Write(error).at_line(part[0].line)),
            }
        }
        Ok(settled)
    }

    /// Whether the server still has what an earlier run imported.
    pub(super) async fn is_witnessed(&self, witness: &str) -> Result<bool, Failure> {
        Ok(self.client.head(witness).await.map_err(Failure::Read)?.is_some())
    }

    async fn send(&self, part: &[Pending]) -> Result<(), ClientError> {
        if let [Pending { entry, expected, .. }] = part {
            let precondition = match expected {
                Expected::State(precondition) => ClientPrecondition::from(*precondition),
                Expected::Tag(tag) => tag.into(),
            };
            return self.client.put_if(&entry.key, &entry.document, precondition).await.map(drop);
        }
        let mut txn = ClientTxn::new();
        for pending in part {
            let key = &pending.entry.key;
            let state = pending.state().expect("a line with a tag is sent alone");
            txn = txn.require(key.clone(), state).put(key.clone(), &pending.entry.document);
        }
        self.client.commit(&txn).await.map(drop)
    }

    /// Takes those out of `part` that are not to be tried again. `false` if one of them failed.
    async fn judge(
        &mut self,
        part: &mut Vec<Pending>,
        conflict: &ClientConflict,
        settled: &mut Settled,
    ) -> Result<bool, Failure> {
        let mut failing: Vec<(usize, ConflictKind, Option<Entry<Document>>)> = conflict
            .operations()
            .iter()
            .map(|one| (one.index(), one.kind(), one.current().cloned()))
            .collect();
        if failing.is_empty() {
            failing.push((0, conflict.kind(), conflict.current().cloned()));
        }
        let mut gone = HashSet::new();
        let mut first_failed = None;
        for (index, kind, current) in failing {
            // What a server says of a line that is not there, it says of the last: each answer counts as a round.
            let index = index.min(part.len().saturating_sub(1));
            let Some(pending) = part.get_mut(index) else { continue };
            let current = match current {
                Some(current) => Some(current),
                None => self.current(&pending.entry.key, pending.line).await?,
            };
            match self.verdict(pending, kind, current) {
                Verdict::Again(expected) => pending.expected = Expected::State(expected),
                Verdict::Identical => {
                    settled.identical += 1;
                    gone.insert(pending.line);
                    self.witness = Some(pending.entry.key.clone());
                }
                Verdict::Conflict(failure) => {
                    first_failed = first_failed.or(Some(pending.line));
                    gone.insert(pending.line);
                    if self.keep_going || first_failed == Some(pending.line) {
                        settled.failures.push(failure.at_line(pending.line));
                    }
                }
            }
        }
        let end = first_failed.filter(|_| !self.keep_going).unwrap_or(u64::MAX);
        part.retain(|pending| pending.line < end && !gone.contains(&pending.line));
        Ok(first_failed.is_none())
    }

    async fn current(&self, key: &str, line: u64) -> Result<Option<Entry<Document>>, Failure> {
        let read = self.client.get_versioned(key).await;
        read.map_err(|error| Failure::Read(error).at_line(line))
    }

    fn verdict(
        &self,
        pending: &mut Pending,
        kind: ConflictKind,
        current: Option<Entry<Document>>,
    ) -> Verdict {
        pending.rounds += 1;
        if current.as_ref().is_some_and(|current| is_same(current, &pending.entry.document)) {
            return Verdict::Identical;
        }
        let is_race =
            matches!(kind, ConflictKind::Stale | ConflictKind::Exists | ConflictKind::NotFound);
        let revision = current.as_ref().map(Entry::revision);
        match (self.policy, revision) {
            _ if !is_race || pending.rounds > MAX_ROUNDS => {}
            (Policy::Overwrite | Policy::Create, None) => {
                return Verdict::Again(Precondition::Absent);
            }
            (Policy::Overwrite, Some(Some(revision))) => return Verdict::Again(revision.into()),
            _ => {}
        }
        let key = &pending.entry.key;
        let what = match &current {
            Some(_) if self.policy == Policy::Create => format!("{key} exists, with another value"),
            Some(_) => format!("{key} has changed"),
            None => format!("{key} is not there"),
        };
        let (key, current) = (Some(key.clone()), current.map(Box::new));
        Verdict::Conflict(Failure::Conflict { what, key, current })
    }
}

/// Whether what is wrong is in the lines, so that other lines may do better.
fn is_about_content(error: &ClientError) -> bool {
    match error {
        ClientError::InvalidKey(_) | ClientError::InvalidArgument(_) | ClientError::Decode(_) => {
            true
        }
        ClientError::Problem(problem) => [400, 413, 415, 422].contains(&problem.status()),
        _ => false,
    }
}

/// Whether there were too many lines for one transaction.
fn is_about_number(error: &ClientError) -> bool {
    let ClientError::Problem(problem) = error else { return false };
    let body = serde_json::from_slice::<serde_json::Value>(problem.body());
    body.is_ok_and(|body| body.get("max_operations").is_some())
}

/// Of JSON it counts what it says, and not how: an export does not keep all of the white space. Nor does it matter how a
/// letter is escaped, and of members with the same name only the last counts.
fn is_same(current: &Entry<Document>, new: &Document) -> bool {
    let old = current.document();
    if old.content_type() != new.content_type() {
        return false;
    }
    let text = |document: &Document| {
        Json::from_slice(document.body())
            .ok()
            .filter(|_| document.is_json())
            .map(|json| json.to_vec())
    };
    old.body() == new.body() || text(old).is_some_and(|old| Some(old) == text(new))
}

fn count(count: usize) -> u64 {
    u64::try_from(count).expect("a batch is shorter")
}
