//! What a sequential specification is, for the [checker](super::check()).

use std::fmt::Debug;
use std::hash::Hash;

/// The sequential specification of something that many use at once: what each operation does, and what it may answer, if they
/// came one after the other.
///
/// [`StoreModel`](super::StoreModel) is the one of a [`Store`](crate::Store). Yours can be of anything: a register, a
/// queue, your repository of users. Here is a counter that answers what it was before:
///
/// ```
/// use ifmatch::testing::{History, Model, Step, check};
///
/// struct Counter;
///
/// #[derive(Clone, Debug)]
/// struct Add(u64);
///
/// impl Model for Counter {
///     type Operation = Add;
///     type Outcome = u64;
///     type State = u64;
///     type Revision = ();
///
///     fn initial(&self) -> u64 {
///         0
///     }
///
///     fn step(&self, state: &mut u64, Add(more): &Add, outcome: Option<&u64>) -> Step {
///         if outcome.is_some_and(|before| before != state) {
///             return Step::Impossible;
///         }
///         *state += more;
///         Step::Changed
///     }
/// }
///
/// // Two that begin before either ends may come in any order, but not both first.
/// let mut history = History::new();
/// history.push(0, Add(1), 0..3, Some(0));
/// history.push(1, Add(1), 1..4, Some(0));
/// assert!(check(&Counter, &history).is_err());
/// ```
///
/// # Revisions
/// If what is specified numbers its states, as a store does by its revisions, [`revision`](Self::revision) tells the number
/// that a call was told. They are the witness of the order: the checker then looks at the calls in the order of their
/// revisions, and at no other, and is done in nearly linear time. Whatever is ordered will do: etcd's `mod_revision`, a
/// version column, a hybrid clock. If each object has numbers of its own, check each alone
/// ([`History::split_by`](super::History::split_by)).
pub trait Model {
    /// What is asked.
    type Operation: Clone + Debug;

    /// What is answered.
    type Outcome: Clone + Debug;

    /// What is kept between operations. It is cloned at every point at which the checker has a choice, and compared to know
    /// where it has been: a persistent map is better than a large one of the standard library.
    type State: Clone + Eq + Hash + Debug;

    /// What numbers the states; `()` if nothing does.
    type Revision: Ord + Clone + Debug;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// Takes the operation in this state, if it can be answered so, and says whether that changes the state.
    ///
    /// Without an outcome nobody knows what was answered: whatever the operation does is possible, and if it does nothing,
    /// the answer is [`Unchanged`](Step::Unchanged). After [`Impossible`](Step::Impossible) and `Unchanged` the state has
    /// to be what it was.
    fn step(
        &self,
        state: &mut Self::State,
        operation: &Self::Operation,
        outcome: Option<&Self::Outcome>,
    ) -> Step;

    /// The revision that this call was told of the state as a whole: of the one that it made, or the one that it found. `None`
    /// if it was told none.
    ///
    /// All calls of a history that were told one took place in the order of their revisions. How many may be told the same is
    /// the business of [`step`](Self::step).
    fn revision(
        &self,
        operation: &Self::Operation,
        outcome: &Self::Outcome,
    ) -> Option<Self::Revision> {
        let _ = (operation, outcome);
        None
    }

    /// Whether a call that was told a [revision](Self::revision) can still come, in this state or in one that other calls make of
    /// it. An answer that is too often `true` costs time only: calls without outcome are then tried where there is no revision
    /// left for them.
    fn may_come(
        &self,
        state: &Self::State,
        operation: &Self::Operation,
        outcome: &Self::Outcome,
    ) -> bool {
        let _ = (state, operation, outcome);
        true
    }

    /// The part of the state that this operation is about, if it is about one only: the hash of its key.
    ///
    /// What is linearizable is so in each part ("locality", Herlihy and Wing 1990), so that a violation within one part is
    /// shown alone, and whether a call without outcome took effect is asked only where it could be seen. So whatever is answered
    /// of this part, revisions included, has to be possible whether operations on other parts took place or not: revisions of
    /// the whole state may have gaps. A history of objects that share nothing, no revisions either, is better checked object by object:
    /// [`History::split_by`](super::History::split_by).
    fn part(&self, operation: &Self::Operation) -> Option<u64> {
        let _ = operation;
        None
    }

    /// Whether a call that was answered so changes nothing, whatever the state is. (Writing what is there already changes
    /// nothing only by chance, and is no read.) Reads are never a choice, so that knowing them makes the check faster, and
    /// what it finds smaller.
    fn is_read(&self, operation: &Self::Operation, outcome: &Self::Outcome) -> bool {
        let _ = (operation, outcome);
        false
    }

    /// The operation that does what this call did, if it did anything: what is left to know of the call once its outcome is
    /// forgotten, when a violation is shrunk. `None` if no operation does, so that the outcome has to stay.
    ///
    /// An operation that does not say by itself what it writes (a closure did) has to become one that does.
    fn forget(
        &self,
        operation: &Self::Operation,
        outcome: &Self::Outcome,
    ) -> Option<Self::Operation> {
        let _ = outcome;
        Some(operation.clone())
    }

    /// Why a call cannot be answered so in this state, for people.
    fn explain(
        &self,
        state: &Self::State,
        operation: &Self::Operation,
        outcome: Option<&Self::Outcome>,
    ) -> String {
        let _ = (state, operation, outcome);
        "it cannot be answered so in the state that there is".to_owned()
    }
}

/// What an operation does to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It cannot be answered so in this state.
    Impossible,
    /// It can, and changes nothing.
    Unchanged,
    /// It can, and the state is now what it is after it.
    Changed,
}
