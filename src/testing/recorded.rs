//! Stores and backends whose calls are recorded: what they are asked and answer, in the words of the model.

mod backend;
mod pending;
mod snapshot;
mod store;
mod transaction;
mod watch;

pub use self::backend::RecordedBackend;
pub use self::pending::PendingClient;
pub use self::snapshot::SnapshotClient;
pub use self::store::StoreClient;
pub use self::transaction::TransactionClient;
pub use self::watch::WatchClient;
use super::recorder::OpenCall;
use super::store_model::{Entry, Failing, StoreOperation, StoreOutcome};
use crate::commit_error::CommitError;
use crate::conflict::Conflict;
use crate::error::WriteError;
use crate::revision::Revision;
use crate::store::{Deleted, Written};
use crate::txn::Txn;

type Open<'a, K, V> = OpenCall<'a, StoreOperation<K, V>, StoreOutcome<K, V>>;

fn commit<K: Clone, V: Clone>(txn: &Txn<K, V>) -> StoreOperation<K, V> {
    let changes = txn.changes().map(|(key, value)| (key.clone(), value.cloned())).collect();
    StoreOperation::Commit { requirements: txn.requirements().to_vec(), changes }
}

fn written<K, V>(revision: Revision) -> StoreOutcome<K, V> {
    StoreOutcome::Written { revision, created_revision: None, write_count: None }
}

/// As one who is told all of it.
fn all_written<K, V>(written: &Written) -> StoreOutcome<K, V> {
    StoreOutcome::Written {
        revision: written.revision(),
        created_revision: Some(written.created_revision()),
        write_count: Some(written.write_count()),
    }
}

fn deleted<K, V: Clone>(deleted: Option<&Deleted<V>>) -> StoreOutcome<K, V> {
    let was = |deleted: &Deleted<V>| (deleted.revision(), Entry::from(deleted.previous()));
    StoreOutcome::Deleted(deleted.map(was))
}

fn conflicts<K: Clone, V: Clone>(conflicts: &[Conflict<K, V>]) -> StoreOutcome<K, V> {
    let failing = conflicts.iter().map(|conflict| Failing {
        index: conflict.index(),
        key: conflict.key().clone(),
        current: conflict.current().map(Entry::from),
        blockers: conflict.blocker_count(),
    });
    StoreOutcome::Conflicts(failing.collect())
}

/// Ends the call as a write of one key was told.
fn settle<K: Clone, V: Clone, T>(
    open: Open<'_, K, V>,
    told: &Result<T, WriteError<K, V>>,
    outcome: impl FnOnce(&T) -> StoreOutcome<K, V>,
) {
    match told {
        Ok(told) => open.end(outcome(told)),
        Err(WriteError::Conflict(conflict)) => {
            open.end(conflicts(std::slice::from_ref(conflict)));
        }
        // The call stays open.
        Err(WriteError::OutcomeUnknown(_)) => {}
        Err(_) => open.discard(),
    }
}

/// Ends the call as a transaction was told.
fn settle_commit<K: Clone, V: Clone>(
    open: Open<'_, K, V>,
    told: &Result<Revision, CommitError<K, V>>,
) {
    match told {
        Ok(revision) => open.end(StoreOutcome::Committed(*revision)),
        Err(error @ CommitError::Conflicts { .. }) => open.end(conflicts(error.conflicts())),
        // The call stays open.
        Err(CommitError::OutcomeUnknown(_)) => {}
        Err(_) => open.discard(),
    }
}
