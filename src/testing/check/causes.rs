//! Which calls are the causes of one that cannot go on, and a violation with them.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::search::{CallOf, Prepared, is_read};
use super::shrink::{MAX_CHOICES, MAX_TO_SHOW, Piece, ROUNDS, Stuck, forgotten};
use crate::testing::model::{Model, Step};
use crate::testing::report;

impl<M: Model> Piece<'_, M> {
    /// The numbers of the calls that cannot go on.
    pub(super) fn blocked(&self) -> Vec<usize> {
        let stuck = self.stuck(self.calls.iter(), self.max_choices);
        let blocked = stuck.iter().flat_map(|stuck| &stuck.blocked);
        blocked.map(|call| self.calls[*call].0).collect()
    }

    /// The same, and the causes of whatever cannot go on; if some of these cannot go on either without what is not shown, then
    /// their causes, too. `None` if there are none, too many, or it would be another contradiction then.
    ///
    /// If revisions alone led to it, the state before the first that is shown is known, and so is what came of each: whatever is
    /// between them is left out. Otherwise it might be what explains them, and stays, hidden.
    pub(super) fn explained(
        &self,
        whole: &Prepared<'_, M>,
        order: &[usize],
        is_forced: bool,
    ) -> Option<Self> {
        let mut shown: BTreeMap<usize, CallOf<M>> = self.calls.iter().cloned().collect();
        let contradiction = self.blocked();
        let mut blocked = contradiction.clone();
        for _ in 0..ROUNDS {
            let before = shown.len();
            for blocked in blocked {
                for cause in causes(self.model, whole, order, blocked) {
                    shown.entry(cause).or_insert_with(|| whole.calls[cause].clone());
                }
            }
            if shown.len() == before || shown.len() > report::TEXT_CALLS {
                return None;
            }
            let piece = self.of(&shown, whole, order, is_forced)?;
            blocked = piece.blocked();
            let is_the_same = !is_forced || blocked == contradiction;
            if is_the_same && piece.is_violated_beside(&piece.calls, &[]) {
                return Some(piece);
            }
        }
        None
    }

    /// Whether the longest order takes some of what is not shown: nobody sees then what it leads to. Or whether others cannot
    /// go on than `accused`, if revisions alone led to those.
    pub(super) fn is_misleading(&self, accused: Option<&[usize]>) -> bool {
        if let Some(accused) = accused {
            return self.blocked().iter().any(|blocked| !accused.contains(blocked));
        }
        let all = self.calls.iter().chain(&self.hidden);
        let stuck = self.stuck(all, MAX_CHOICES);
        stuck.is_some_and(|stuck| stuck.order.iter().any(|call| *call >= self.calls.len()))
    }

    /// Where the longest order breaks off: a call that cannot go on, its causes, and the state before them in that order; or, if
    /// it was never possible, the state then.
    ///
    /// Where no revisions tell the order, there may be many that lead to a contradiction, and it takes all calls to see that each
    /// does: this is an example. Where revisions alone led to it, it is the only one.
    pub(super) fn where_it_breaks_off(&self) -> Option<Self> {
        let prepared = Prepared::new(self.model, self.calls.iter().map(|(_, call)| call));
        let stuck = self.stuck(self.calls.iter(), self.max_choices)?;
        let Stuck { order, mut blocked, is_forced, .. } = stuck;
        blocked.retain(|call| is_forced || !prepared.was_told(*call));
        let causes = |call: &usize| causes(self.model, &prepared, &order, *call);
        blocked.sort_by_cached_key(|call| causes(call).next().is_none());
        blocked.into_iter().find_map(|blocked| {
            let mut shown: Vec<_> = causes(&blocked).collect();
            let first = shown.first().copied();
            let before = order.iter().take_while(|call| Some(**call) != first);
            let mut start = self.start.clone();
            let before = before.map(|call| self.step(&mut start, &self.calls[*call].1)).count();
            shown.push(blocked);
            shown.sort_unstable();
            let calls = shown.into_iter().map(|call| self.calls[call].clone()).collect();
            let hidden = Vec::new();
            let before = if is_forced { 0 } else { before };
            let piece = Self { start, before, calls, hidden, undecided: Cell::new(0), ..*self };
            piece.is_violated_by(piece.calls.iter()).then_some(piece)
        })
    }

    /// These calls, and, if revisions alone led to it, the state before them, of their part, if they are of one; otherwise all others, hidden.
    fn of(
        &self,
        shown: &BTreeMap<usize, CallOf<M>>,
        whole: &Prepared<'_, M>,
        order: &[usize],
        is_forced: bool,
    ) -> Option<Self> {
        let (mut start, mut hidden) = (self.model.initial(), Vec::new());
        if is_forced {
            let part = |call: &CallOf<M>| self.model.part(&call.operation);
            let only = shown.values().map(part).reduce(|one, other| one.filter(|_| one == other));
            for call in order.iter().take_while(|call| !shown.contains_key(call)) {
                let call = whole.calls[*call];
                if part(call).is_none_or(|part| only.flatten().is_none_or(|only| only == part)) {
                    self.step(&mut start, call);
                }
            }
        } else {
            let others = whole.calls.iter().enumerate();
            let others = others
                .filter(|(number, call)| !shown.contains_key(number) && !is_read(self.model, call));
            for (number, call) in others {
                hidden.push((number, forgotten(self.model, call)?));
                if hidden.len() > MAX_TO_SHOW {
                    return None;
                }
            }
        }
        let calls = shown.iter().map(|(number, call)| (*number, call.clone())).collect();
        Some(Self { start, calls, hidden, undecided: Cell::new(0), ..*self })
    }
}

/// Those calls of this order that explain why `blocked` is not the next: the last one after which it would have been
/// possible, and the one after which it was not any more. Reads change nothing, and are no causes.
fn causes<M: Model>(
    model: &M,
    whole: &Prepared<'_, M>,
    order: &[usize],
    blocked: usize,
) -> impl Iterator<Item = usize> {
    let step = |state: &mut M::State, call: usize| {
        let call: &CallOf<M> = whole.calls[call];
        model.step(state, &call.operation, call.outcome.as_ref())
    };
    let is_possible = |state: &M::State| step(&mut state.clone(), blocked) != Step::Impossible;
    let mut state = model.initial();
    let (mut made, mut unmade, mut was) = (None, None, is_possible(&state));
    for call in order.iter().copied().take_while(|call| *call != blocked) {
        if step(&mut state, call) != Step::Changed || is_read(model, whole.calls[call]) {
            continue;
        }
        match (was, is_possible(&state)) {
            (false, true) => (made, unmade, was) = (Some(call), None, true),
            (true, false) => (unmade, was) = (Some(call), false),
            _ => {}
        }
    }
    made.into_iter().chain(unmade)
}
