//! Keys, entries and errors of bytes as those of types, and the other way round.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError};
use crate::commit_error::CommitError;
use crate::conflict::Conflict;
use crate::error::{ReadError, Reason, Refused, WriteError};
use crate::event::{Commit, Event, WatchError};
use crate::range::KeyRange;
use crate::txn::{Requirement, Txn};
use crate::versioned::Versioned;

use super::key::ByteKey;

pub(super) fn encode<V: Serialize, C: Codec>(value: &V) -> Result<Bytes, CodecError> {
    let mut bytes = Vec::new();
    C::encode(value, &mut bytes)?;
    Ok(bytes.into())
}

pub(super) fn key<K: ByteKey, C: Codec>(bytes: Bytes) -> Result<K, CodecError> {
    K::from_bytes(bytes).ok_or_else(|| CodecError::new(C::NAME, "the key is none of the type"))
}

pub(super) fn entry<V: DeserializeOwned, C: Codec>(
    entry: Versioned<Bytes>,
) -> Result<Versioned<V>, CodecError> {
    let value = C::decode(&entry)?;
    Ok(Versioned::new(value, entry.revision(), entry.created_revision(), entry.write_count()))
}

/// An entry under its key, if both are of the types; else an error that names the key.
pub(super) fn under_key<K: ByteKey, V: DeserializeOwned, C: Codec>(
    at: Bytes,
    there: Versioned<Bytes>,
) -> Result<(K, Versioned<V>), CodecError> {
    let both = key::<K, C>(at.clone()).and_then(|key| Ok((key, entry::<V, C>(there)?)));
    both.map_err(|error| of_key(error, &at))
}

/// The error, with the bytes of the key that it is about: whoever asked for many cannot know.
fn of_key(error: CodecError, key: &[u8]) -> CodecError {
    error.about(format_args!("the key {}", key.escape_ascii()))
}

pub(super) fn found<V: DeserializeOwned, C: Codec>(
    found: Option<Versioned<Bytes>>,
) -> Result<Option<Versioned<V>>, ReadError> {
    found.map(entry::<V, C>).transpose().map_err(ReadError::Undecodable)
}

pub(super) fn range<K: ByteKey>(range: KeyRange<K>) -> KeyRange<Bytes> {
    range.map(|key| key.to_bytes())
}

/// What of a range comes after some of it: in bytes it may begin after a key that is none of the type.
pub(super) fn rest<K: ByteKey, C: Codec>(rest: KeyRange<Bytes>) -> Result<KeyRange<K>, CodecError> {
    rest.try_map(key::<K, C>)
}

fn conflict<K: ByteKey, V: DeserializeOwned, C: Codec>(
    lost: Conflict<Bytes, Bytes>,
) -> Result<Conflict<K, V>, CodecError> {
    lost.translate(key::<K, C>, entry::<V, C>)
}

/// A write that did not succeed; `rejected` is given back if it was certainly not written.
pub(super) fn write_error<K: ByteKey, V: DeserializeOwned, C: Codec>(
    error: WriteError<Bytes, Bytes>,
    rejected: Option<V>,
) -> WriteError<K, V> {
    match error {
        WriteError::Conflict(lost) => {
            // The value goes with the conflict, or with the refusal.
            match conflict::<K, V, C>(lost) {
                Ok(lost) => WriteError::Conflict(lost.with_rejected(rejected)),
                Err(error) => {
                    WriteError::Refused(Refused::new(Reason::Undecodable(error), rejected))
                }
            }
        }
        WriteError::Refused(refused) => {
            WriteError::Refused(Refused::new(refused.into_reason(), rejected))
        }
        WriteError::OutcomeUnknown(unknown) => WriteError::OutcomeUnknown(unknown),
    }
}

/// A transaction in bytes.
pub(super) fn txn<K: ByteKey, V: Serialize, C: Codec>(
    txn: &Txn<K, V>,
) -> Result<Txn<Bytes, Bytes>, CodecError> {
    let requirements = txn.requirements.iter().map(|requirement| match requirement {
        Requirement::Key(key, precondition) => Requirement::Key(key.to_bytes(), *precondition),
        Requirement::NoneIn(within) => Requirement::NoneIn(range(within.clone())),
        Requirement::UnchangedIn(within, since) => {
            Requirement::UnchangedIn(range(within.clone()), *since)
        }
    });
    let changes = txn
        .changes
        .iter()
        .map(|(key, value)| Ok((key.to_bytes(), value.as_ref().map(encode::<V, C>).transpose()?)));
    Ok(Txn { requirements: requirements.collect(), changes: changes.collect::<Result<_, _>>()? })
}

/// A transaction that was not committed: `txn`, in types.
pub(super) fn commit_error<K: ByteKey, V: DeserializeOwned, C: Codec>(
    error: CommitError<Bytes, Bytes>,
    txn: Txn<K, V>,
) -> CommitError<K, V> {
    match error {
        CommitError::Conflicts { conflicts, .. } => {
            let conflicts = conflicts.into_iter().map(conflict::<K, V, C>);
            match conflicts.collect::<Result<Vec<_>, _>>() {
                Ok(conflicts) => CommitError::conflicting(conflicts, txn),
                Err(error) => CommitError::refused(Reason::Undecodable(error), txn),
            }
        }
        CommitError::Refused { reason, .. } => CommitError::refused(reason, txn),
        CommitError::Compacted { index, oldest, .. } => CommitError::compacted(index, oldest, txn),
        CommitError::Future { index, newest, .. } => CommitError::future(index, newest, txn),
        CommitError::OutcomeUnknown(unknown) => CommitError::OutcomeUnknown(unknown),
    }
}

pub(super) fn commit<K: ByteKey, V: DeserializeOwned, C: Codec>(
    commit: Commit<Bytes, Bytes>,
) -> Result<Commit<K, V>, WatchError> {
    let revision = commit.revision();
    let events = commit.into_events().into_iter().map(|event| {
        let at = event.key().clone();
        typed_event::<K, V, C>(event).map_err(|error| of_key(error, &at))
    });
    let events = events.collect::<Result<_, CodecError>>().map_err(WatchError::Undecodable)?;
    Ok(Commit::new(revision, events))
}

fn typed_event<K: ByteKey, V: DeserializeOwned, C: Codec>(
    event: Event<Bytes, Bytes>,
) -> Result<Event<K, V>, CodecError> {
    Ok(match event {
        Event::Put { key: at, entry: put, previous } => Event::put(
            key::<K, C>(at)?,
            entry::<V, C>(put)?,
            previous.map(entry::<V, C>).transpose()?,
        ),
        Event::Delete { key: at, revision, previous } => {
            let previous = previous.map(entry::<V, C>).transpose()?;
            Event::delete(key::<K, C>(at)?, revision, previous)
        }
    })
}
