//! Whether a history is linearizable.

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
    pub const MAX_CHOICES: u64 = 1 << 22;

    /// With the usual limits.
    #[must_use]
    pub fn new() -> Self {
        Self { max_choices: Self::MAX_CHOICES }
    }

    /// How often it comes back to a choice before it gives up. Each time takes as long as what the model does from there on,
    /// and the memory of a state. Default: [`MAX_CHOICES`](Self::MAX_CHOICES), 4,194,304.
    #[must_use]
    pub fn max_choices(mut self, max: u64) -> Self {
        self.max_choices = max;
        self
    }

    /// Decides.
    ///
    /// # Consistency
    /// The answer is exact: there is an order, or there is none. Where all changes were told their revisions, it takes a time
    /// proportional to the number of calls, times how many are under way at once. Open calls, and changes without a
    /// revision, make it a search, exponential at worst.
    ///
    /// # Errors
    /// [`CheckError::Violation`] if there is no order; [`CheckError::Undecided`] if it took too many choices to know;
    /// [`CheckError::Malformed`] if a call returned before it began.
    pub fn check<M: Model>(
        &self,
        model: &M,
        history: &History<M::Operation, M::Outcome>,
    ) -> Result<Linearization, CheckErrorOf<M>> {
        let calls = history.calls();
        let backwards = |call: &CallOf<M>| call.returned.is_some_and(|end| end < call.called);
        if let Some(index) = calls.iter().position(backwards) {
            return Err(CheckError::Malformed { index });
        }
        let mut order = Vec::with_capacity(calls.len());
        for part in parts(model, calls) {
            match self.check_part(model, calls, &part) {
                Ok(found) => order.extend(found),
                Err(error) => return Err(error),
            }
        }
        Ok(Linearization { order })
    }

    /// The order of these calls, in their numbers in the history.
    fn check_part<M: Model>(
        &self,
        model: &M,
        calls: &[CallOf<M>],
        part: &[usize],
    ) -> Result<Vec<usize>, CheckErrorOf<M>> {
        let prepared = Prepared::new(model, part.iter().map(|index| &calls[*index]));
        match Search::new(model, model.initial(), &prepared, self.max_choices).run() {
            Found::Order(order) => {
                let mut numbers = part.to_vec();
                numbers.sort_by_key(|index| calls[*index].called);
                Ok(order.into_iter().map(|number| numbers[number]).collect())
            }
            Found::Undecided => Err(CheckError::Undecided { choices: self.max_choices }),
            Found::Nothing { .. } => Err(CheckError::Violation(Box::new(shrink::shrink(
                model,
                &prepared,
                calls.len(),
                self.max_choices,
            )))),
        }
    }
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

/// The numbers of the calls that are to be looked at together.
fn parts<M: Model>(model: &M, calls: &[CallOf<M>]) -> Vec<Vec<usize>> {
    let all = || vec![(0..calls.len()).collect()];
    let mut parts = std::collections::BTreeMap::<u64, Vec<usize>>::new();
    for (index, call) in calls.iter().enumerate() {
        match model.part(&call.operation) {
            // Revisions are of all parts together.
            Some(part) if search::revision(model, call).is_none() => {
                parts.entry(part).or_default().push(index);
            }
            _ => return all(),
        }
    }
    parts.into_values().collect()
}

/// An order of the calls of a history in which each was answered what was so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linearization {
    order: Vec<usize>,
}

impl Linearization {
    /// The places of the calls in [`History::calls`], in that order; those of one [part](Model::part) after those of another,
    /// if parts were looked at alone. Open calls that are missing had no effect.
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
    /// A call returned before it began.
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
            Self::Malformed { index } => write!(f, "call {index} returned before it began"),
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
