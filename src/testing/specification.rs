//! A model in one closure: what should be answered, one call after the other.

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::marker::PhantomData;

use super::model::{Model, Step};

/// The [`Model`] of anything of which one closure says what it answers, if calls come one after the other.
///
/// ```
/// use ifmatch::testing::{Recorder, Specification, check};
///
/// let next = std::sync::atomic::AtomicU64::new(1);
/// let recorder = Recorder::new();
/// std::thread::scope(|scope| {
///     for _ in 0..3 {
///         let client = recorder.client();
///         scope.spawn(|| {
///             let client = client;
///             client.call((), || next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
///         });
///     }
/// });
/// let tickets = Specification::new(0, |last, ()| {
///     *last += 1;
///     *last
/// });
/// check(&tickets, &recorder.take()).unwrap();
/// ```
///
/// It knows of no revisions, so that the checker searches: for histories of some hundred calls of a few clients, which are what
/// finds mistakes. What may be answered in more than one way, is numbered by revisions, or has keys that can be looked at
/// alone, is a [`Model`] of its own.
pub struct Specification<S, O, T, F> {
    initial: S,
    answer: F,
    calls: PhantomData<fn(&O) -> T>,
}

impl<S, O, T, F> Specification<S, O, T, F>
where
    F: Fn(&mut S, &O) -> T,
{
    /// From this state on, `answer` changes the state as an operation does, and says what is answered. It is called often, and
    /// has to do the same every time. It is also asked in states that never were, and must not panic there: a count that went
    /// below zero has to be one.
    #[must_use]
    pub fn new(initial: S, answer: F) -> Self {
        Self { initial, answer, calls: PhantomData }
    }
}

impl<S, O, T, F> Model for Specification<S, O, T, F>
where
    S: Clone + Eq + Hash + Debug,
    O: Clone + Debug,
    T: Clone + PartialEq + Debug,
    F: Fn(&mut S, &O) -> T,
{
    type Operation = O;
    type Outcome = T;
    type State = S;
    type Revision = ();

    fn initial(&self) -> S {
        self.initial.clone()
    }

    fn step(&self, state: &mut S, operation: &O, outcome: Option<&T>) -> Step {
        let mut next = state.clone();
        let answer = (self.answer)(&mut next, operation);
        if outcome.is_some_and(|outcome| *outcome != answer) {
            return Step::Impossible;
        }
        if next == *state {
            return Step::Unchanged;
        }
        *state = next;
        Step::Changed
    }

    fn explain(&self, state: &S, operation: &O, _: Option<&T>) -> String {
        format!("it would be answered {:?}", (self.answer)(&mut state.clone(), operation))
    }
}

impl<S: Debug, O, T, F> Debug for Specification<S, O, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Specification").field("initial", &self.initial).finish_non_exhaustive()
    }
}
