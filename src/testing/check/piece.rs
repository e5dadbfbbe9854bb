//! Some calls of a history that have no order, and what is said of them.

use super::search::{CallOf, Found, Prepared, Search, Stuck, revision};
use super::violation::{Blocked, Violation};
use crate::testing::history::Call;
use crate::testing::model::Model;

/// A call, and its number in the history that was checked.
pub(super) type Numbered<'a, M> = (usize, &'a CallOf<M>);

/// Some calls of a history, and the state from which they start.
pub(super) struct Piece<'a, M: Model> {
    pub(super) start: M::State,
    /// How many others come before in one order that leads to that state, if there may be other orders.
    pub(super) before: usize,
    /// In the order in which they began.
    pub(super) calls: Vec<Numbered<'a, M>>,
}

/// Looks for an order of these calls, which are in the order in which they began.
pub(super) fn search<M: Model>(
    model: &M,
    start: &M::State,
    calls: &[Numbered<'_, M>],
    max_choices: u64,
) -> Found<M::State> {
    counted(model, start, calls, max_choices).0
}

/// Also tells how many steps of the model it took.
pub(super) fn counted<M: Model>(
    model: &M,
    start: &M::State,
    calls: &[Numbered<'_, M>],
    max_choices: u64,
) -> (Found<M::State>, usize) {
    let prepared = Prepared::new(model, calls.iter().map(|(_, call)| *call));
    Search::new(model, start.clone(), &prepared, max_choices).counted()
}

/// These calls and those, in the order in which they began.
pub(super) fn beside<C: Copy>(
    these: &[(usize, C)],
    those: impl IntoIterator<Item = (usize, C)>,
) -> Vec<(usize, C)> {
    let mut all: Vec<_> = these.iter().copied().chain(those).collect();
    all.sort_by_key(|(number, _)| *number);
    all
}

impl<M: Model> Piece<'_, M> {
    /// Of a history of so many calls.
    pub(super) fn into_violation(
        self,
        model: &M,
        total: usize,
    ) -> Violation<M::Operation, M::Outcome> {
        // It takes no longer than it took to find that, beside others.
        let Found::Nothing(Stuck { order, state, blocked, .. }) =
            search(model, &self.start, &self.calls, u64::MAX)
        else {
            unreachable!("it was found to have no order");
        };
        let prepared = Prepared::new(model, self.calls.iter().map(|(_, call)| *call));
        let next = prepared.told.iter().find(|call| !order.contains(call)).copied();
        let blocked = blocked.into_iter().map(|call| {
            let reason = next.and_then(|next| self.is_ahead(model, call, next));
            let Call { operation, outcome, .. } = self.calls[call].1;
            let reason =
                reason.unwrap_or_else(|| model.explain(&state, operation, outcome.as_ref()));
            Blocked { call, reason }
        });
        let start = (self.start != model.initial()).then(|| format!("{:?}", self.start));
        Violation {
            blocked: blocked.collect(),
            state: format!("{state:?}"),
            left_out: total - self.calls.len(),
            before: self.before,
            start,
            order,
            history: self.calls.into_iter().map(|(_, call)| call.clone()).collect(),
        }
    }

    /// Why a call has to wait for another that was told a lower revision, if that is so.
    fn is_ahead(&self, model: &M, call: usize, next: usize) -> Option<String> {
        let (blocked, first) = (self.calls[call].1, self.calls[next].1);
        let (own, lower) = (revision(model, blocked)?, revision(model, first)?);
        let why = if blocked.precedes(first) {
            format!("and was over before call {next} began, which was told revision {lower:?}")
        } else {
            format!("and call {next} comes first, which was told revision {lower:?}")
        };
        (own > lower).then(|| format!("it was told revision {own:?}, {why}"))
    }
}

/// The same call, but that nobody knows what it came to, if that can be said. It did until it was over, or not at all.
pub(super) fn forgotten<M: Model>(model: &M, call: &CallOf<M>) -> Option<CallOf<M>> {
    let operation = match &call.outcome {
        Some(outcome) => model.forget(&call.operation, outcome)?,
        None => call.operation.clone(),
    };
    let Call { client, called, returned, .. } = *call;
    Some(Call { client, operation, called, returned, outcome: None })
}
