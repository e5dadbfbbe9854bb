//! Whether a history is linearizable.

mod dead_end;
mod parts;
mod piece;
mod search;
mod shrink;
mod violation;
mod waiting;

use std::fmt;

use self::search::{CallOf, Found, Prepared, Search};
pub use self::violation::{Blocked, Violation};
use super::history::History;
use super::model::Model;

/// Whether there is an order of the calls in which each was answered what was so, and which no call left before it was over
/// or joined before it began: whether the history is linearizable (Herlihy and Wing, TOPLAS 1990).
///
/// Returns such an order, or a [`Violation`], shrunk to what is needed to see it. [`Checker`] has limits to set.
///
/// ```
/// use ifmatch::Store;
/// use ifmatch::testing::{Recorder, StoreModel, check};
///
/// let store: Store<String, u64> = Store::new();
/// let recorder = Recorder::new();
/// std::thread::scope(|scope| {
///     for number in 0..3 {
///         let client = recorder.client().of(&store);
///         scope.spawn(move || {
///             let seen = client.get("a");
///             client.put_if("a", number, seen.map_or(ifmatch::Precondition::Absent, |seen| (&seen).into()))
///         });
///     }
/// });
/// check(&StoreModel::new(), &recorder.take()).unwrap();
/// ```
///
/// # Errors
/// As for [`Checker::check`].
pub fn check<M: Model>(
    model: &M,
    history: &History<M::Operation, M::Outcome>,
) -> Result<Linearization, CheckErrorOf<M>> {
    Checker::new().check(model, history)
}

/// What a check of a history of this model's fails with.
pub type CheckErrorOf<M> = CheckError<<M as Model>::Operation, <M as Model>::Outcome>;

/// Decides whether histories are linearizable.
#[derive(Clone, Debug)]
pub struct Checker {
    max_choices: u64,
}

impl Checker {
    /// How often it comes back to a choice, unless it is told otherwise.
    pub const MAX_CHOICES: u64 = 1 << 18;

    /// With the usual limits.
    #[must_use]
    pub fn new() -> Self {
        Self { max_choices: Self::MAX_CHOICES }
    }

    /// How often it comes back to a choice before it gives up. Each time takes as long as what the model does from there on,
    /// and the memory of a state. Default: [`MAX_CHOICES`](Self::MAX_CHOICES), 262,144.
    #[must_use]
    pub fn max_choices(mut self, max: u64) -> Self {
        self.max_choices = max;
        self
    }

    /// Decides.
    ///
    /// # Consistency
    /// The answer is exact: there is an order, or there is none. Where all changes were told their revisions, it takes a time
    /// proportional to the number of calls, times how many are under way at once. Calls without outcome, and changes without a
    /// revision, make it a search, exponential at worst: a few calls without outcome among hundreds of others are quickly
    /// found to be in order, but that they are not may take more choices than there are.
    ///
    /// # Errors
    /// [`CheckError::Violation`] if there is no order; [`CheckError::Undecided`] if it took too many choices to know;
    /// [`CheckError::Malformed`] if a call returned before it began, or has an outcome and
    /// never returned.
    pub fn check<M: Model>(
        &self,
        model: &M,
        history: &History<M::Operation, M::Outcome>,
    ) -> Result<Linearization, CheckErrorOf<M>> {
        let calls = history.calls();
        let is_malformed = |call: &CallOf<M>| match call.returned {
            Some(returned) => returned < call.called,
            None => call.outcome.is_some(),
        };
        if let Some(index) = calls.iter().position(is_malformed) {
            return Err(CheckError::Malformed { index });
        }
        let mut numbers: Vec<_> = (0..calls.len()).collect();
        numbers.sort_by_key(|index| calls[*index].called);
        let prepared = Prepared::new(model, numbers.iter().map(|index| &calls[*index]));
        match Search::new(model, model.initial(), &prepared, self.max_choices).run() {
            Found::Order(order) => {
                let order = order.into_iter().map(|number| numbers[number]).collect();
                Ok(Linearization { order })
            }
            Found::Undecided => Err(CheckError::Undecided { choices: self.max_choices }),
            Found::Nothing(stuck) => {
                let violation = shrink::shrink(model, &prepared, &stuck);
                Err(CheckError::Violation(Box::new(violation)))
            }
        }
    }
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

/// An order of the calls of a history in which each was answered what was so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linearization {
    order: Vec<usize>,
}

impl Linearization {
    /// The places of the calls in [`History::calls`], in that order. Calls without outcome that are missing had no effect.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }
}

/// Why a history is not known to be linearizable.
#[non_exhaustive]
pub enum CheckError<O, T> {
    /// It is not.
    Violation(Box<Violation<O, T>>),
    /// It took too many choices to know. A history of fewer calls, or calls with revisions, is easier.
    Undecided {
        /// How many were looked at.
        choices: u64,
    },
    /// A call returned before it began, or has an outcome and never returned.
    Malformed {
        /// Its place in [`History::calls`].
        index: usize,
    },
}

impl<O, T> CheckError<O, T> {
    /// The violation, if it is one.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation<O, T>> {
        match self {
            Self::Violation(violation) => Some(violation),
            _ => None,
        }
    }
}

impl<O: fmt::Debug, T: fmt::Debug> fmt::Display for CheckError<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(violation) => violation.fmt(f),
            Self::Undecided { choices } => {
                write!(
                    f,
                    "undecided: {choices} choices were not enough to find an order, or that there is none"
                )
            }
            Self::Malformed { index } => {
                write!(
                    f,
                    "call {index} returned before it began, or has an outcome and did not return"
                )
            }
        }
    }
}

/// As [`Display`](fmt::Display), so that `unwrap` in a test shows the violation.
impl<O: fmt::Debug, T: fmt::Debug> fmt::Debug for CheckError<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<O: fmt::Debug, T: fmt::Debug> std::error::Error for CheckError<O, T> {}
