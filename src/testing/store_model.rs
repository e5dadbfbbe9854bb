//! What a store should be: sequential, and simple enough to be believed.

mod attempt;
mod explain;
mod label;
mod operation;
mod revisions;
mod state;

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::marker::PhantomData;

use self::attempt::Attempt;
pub use self::operation::{Entry, Failing, RangeRead, StoreOperation, StoreOutcome};
pub use self::state::StoreState;
use super::model::{Model, Step};
use crate::precondition::Precondition;
use crate::revision::Revision;

/// The sequential specification of a [`Store`](crate::Store), and of any [`Backend`](crate::Backend) that is
/// [like one](#other-backends) in two things.
///
/// It numbers what it commits as it was told, and demands that revisions grow, and that every entry, conflict, creation
/// revision and write count is what the commits before it make of it. What it does not know is the past: reads of a past
/// revision, and how far back ranges can be judged.
///
/// # Other backends
///
/// - The history has all that takes a revision. On etcd what others write in the cluster takes one, too, in any namespace: a scan
///   that is told such a revision as the newest, or anything else that is, is a violation here.
/// - A range has changed if anything was written in it. The backend on etcd compares only what is there, and lets a transaction pass
///   that requires a range to be unchanged in which a key was created and deleted again: that is a violation here.
///
/// What is read is compared with what was written, so that values have to be [`Eq`], which floating-point numbers are not: record
/// their bits ([`f64::to_bits`]), or a type of your own around them whose equality is that of the bits (`NaN` then equals
/// itself, as it has to: what was written has to be what is read).
///
/// ```
/// use ifmatch::Precondition;
/// use ifmatch::testing::{History, StoreModel, StoreOperation, StoreOutcome, check};
///
/// let put = |value| StoreOperation::Put { key: "a", value, precondition: Precondition::Absent };
/// let written = |revision: u64| StoreOutcome::Written {
///     revision: revision.try_into().expect("a revision"),
///     created_revision: None,
///     write_count: None,
/// };
/// let mut history = History::new();
/// history.push(0, put(1), 0..3, Some(written(2)));
/// history.push(1, put(2), 1..4, Some(written(3)));
/// let error = check(&StoreModel::new(), &history).unwrap_err();
/// assert!(error.to_string().contains("it was required to be absent"), "{error}");
/// ```
pub struct StoreModel<K, V> {
    initial: Vec<(K, Entry<V>)>,
    newest: Revision,
    types: PhantomData<(K, V)>,
}

impl<K, V> StoreModel<K, V> {
    /// An empty store, as [`Store::new`](crate::Store::new) makes it.
    #[must_use]
    pub fn new() -> Self {
        Self::starting_with([], Revision::MIN)
    }

    /// A store that holds this, and whose newest revision is `newest`. What was deleted before is not known: whoever is told
    /// of it is believed.
    #[must_use]
    pub fn starting_with(
        entries: impl IntoIterator<Item = (K, Entry<V>)>,
        newest: Revision,
    ) -> Self {
        Self { initial: entries.into_iter().collect(), newest, types: PhantomData }
    }
}

impl<K, V> Default for StoreModel<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Debug for StoreModel<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreModel").field("newest", &self.newest).finish_non_exhaustive()
    }
}

impl<K, V> Model for StoreModel<K, V>
where
    K: Ord + Hash + Clone + Debug,
    V: Eq + Clone + Debug,
{
    type Operation = StoreOperation<K, V>;
    type Outcome = StoreOutcome<K, V>;
    type State = StoreState<K, V>;
    type Revision = Revision;

    fn initial(&self) -> StoreState<K, V> {
        let mut state = StoreState::new(self.newest);
        self.initial.iter().for_each(|(key, entry)| state.restore(key.clone(), entry));
        state
    }

    fn step(
        &self,
        state: &mut StoreState<K, V>,
        operation: &StoreOperation<K, V>,
        outcome: Option<&StoreOutcome<K, V>>,
    ) -> Step {
        let step = Attempt::new(state);
        match outcome {
            Some(outcome) => step.told(operation, outcome),
            None => step.untold(operation),
        }
    }

    fn revision(&self, _: &Self::Operation, outcome: &Self::Outcome) -> Option<Revision> {
        match outcome {
            StoreOutcome::Written { revision, .. }
            | StoreOutcome::Updated { revision, .. }
            | StoreOutcome::Deleted(Some((revision, _)))
            | StoreOutcome::Committed(revision)
            | StoreOutcome::Transacted { revision, .. }
            | StoreOutcome::Watched { revision, .. }
            | StoreOutcome::Revision(revision) => Some(*revision),
            StoreOutcome::Scanned { revision, .. } | StoreOutcome::Counted { revision, .. } => {
                *revision
            }
            StoreOutcome::Read(_)
            | StoreOutcome::Contained(_)
            | StoreOutcome::Deleted(None)
            | StoreOutcome::Conflicts(_) => None,
        }
    }

    fn may_come(
        &self,
        state: &Self::State,
        operation: &Self::Operation,
        outcome: &Self::Outcome,
    ) -> bool {
        let newest = state.revisions.lowest(state.newest);
        self.revision(operation, outcome).is_none_or(|told| match outcome {
            // These have a revision of their own.
            StoreOutcome::Written { .. }
            | StoreOutcome::Updated { .. }
            | StoreOutcome::Deleted(_) => newest < told.get(),
            _ => newest <= told.get(),
        })
    }

    fn part(&self, operation: &Self::Operation) -> Option<u64> {
        match operation {
            StoreOperation::Get(key)
            | StoreOperation::Contains(key)
            | StoreOperation::Put { key, .. }
            | StoreOperation::Delete { key, .. }
            | StoreOperation::Update(key) => Some(state::part(key)),
            _ => None,
        }
    }

    fn is_read(&self, operation: &Self::Operation, outcome: &Self::Outcome) -> bool {
        match (operation, outcome) {
            // After a restart the newest revision may be another.
            (StoreOperation::Reopen, _) => false,
            (_, StoreOutcome::Conflicts(_) | StoreOutcome::Deleted(None)) => true,
            _ => matches!(
                operation,
                StoreOperation::Get(_)
                    | StoreOperation::Contains(_)
                    | StoreOperation::Len
                    | StoreOperation::Scan(_)
                    | StoreOperation::Watch { .. }
                    | StoreOperation::Revision
            ),
        }
    }

    fn forget(
        &self,
        operation: &Self::Operation,
        outcome: &Self::Outcome,
    ) -> Option<Self::Operation> {
        match (operation, outcome) {
            (StoreOperation::Update(key), StoreOutcome::Updated { value, .. }) => {
                let (key, value) = (key.clone(), value.clone());
                Some(StoreOperation::Put { key, value, precondition: Precondition::Any })
            }
            (StoreOperation::Transact, StoreOutcome::Transacted { changes, .. }) => {
                let (requirements, changes) = (Vec::new(), changes.clone());
                Some(StoreOperation::Commit { requirements, changes })
            }
            // Nobody but who restarted it knows the newest revision after that.
            (StoreOperation::Reopen, _) => None,
            _ => Some(operation.clone()),
        }
    }

    fn explain(
        &self,
        state: &Self::State,
        operation: &Self::Operation,
        outcome: Option<&Self::Outcome>,
    ) -> String {
        explain::explain(state, operation, outcome)
    }
}
