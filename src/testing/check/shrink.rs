//! Makes a history that is not linearizable small enough for a person to see why.
//!
//! Only by steps that keep the violation one of the history that was checked: whatever the smaller history contradicts, the
//! larger one did. So calls that read only may go. Any other call may go only if the history contradicts itself without it,
//! and also when it may have had its effect while it was under way, or not: else it might be the loss of the call that makes
//! the contradiction.
//!
//! Where revisions alone lead to the first call that is to be seen, all that is to be seen is known beforehand: see `dead_end`.
//! Where they do not, a small history may be right and yet mislead. Then an example is better, from there, too.

use std::cell::Cell;

use super::dead_end::{DeadEnd, Shown};
use super::piece::{Numbered, Piece, beside, counted, forgotten, search};
use super::search::{CallOf, Found, Prepared, Stuck, is_read};
use super::violation::Violation;
use crate::testing::model::Model;

/// What a smaller history may take to be found contradictory: otherwise it is left as it was.
pub(super) const MAX_CHOICES: u64 = 256;

/// How many steps of the model the search for smaller histories may take, all together, where each call counts as one at least:
/// then what is found is as small as it gets. That is half a second, unless the model is slow.
const WORK: usize = 500_000;

/// So many calls can be taken in.
const AT_A_GLANCE: usize = 8;

/// Of a history that got stuck here.
pub(super) fn shrink<M: Model>(
    model: &M,
    whole: &Prepared<'_, M>,
    stuck: &Stuck<M::State>,
) -> Violation<M::Operation, M::Outcome> {
    let forgotten: Vec<_> = whole.calls.iter().map(|call| forgotten(model, call)).collect();
    let forgotten = forgotten.as_slice();
    let dead_end = DeadEnd { model, whole, forgotten, stuck };
    let shrunk = || Smaller::new(model, whole, forgotten).shrunk();
    let of = |calls| Piece { start: model.initial(), before: 0, calls };
    let piece = match dead_end.shown() {
        Some(Shown::All(piece)) => piece,
        None => of(shrunk().calls),
        Some(Shown::Example(example)) => {
            let smaller = shrunk();
            let is_clear = smaller.calls.len() <= AT_A_GLANCE && !smaller.is_misleading();
            if is_clear { of(smaller.calls) } else { example }
        }
    };
    piece.into_violation(model, whole.calls.len())
}

/// A part of a history that has no order.
struct Smaller<'a, M: Model> {
    model: &'a M,
    whole: &'a Prepared<'a, M>,
    /// Of each call of the whole, what is left to know of it without its outcome.
    forgotten: &'a [Option<CallOf<M>>],
    /// What is left, in the order in which they began.
    calls: Vec<Numbered<'a, M>>,
    /// Those that are not shown, but may have had an effect: whatever is found has to hold with them, too.
    hidden: Vec<Numbered<'a, M>>,
    /// How many calls may yet be looked at.
    work: Cell<usize>,
}

impl<'a, M: Model> Smaller<'a, M> {
    fn new(model: &'a M, whole: &'a Prepared<'a, M>, forgotten: &'a [Option<CallOf<M>>]) -> Self {
        let calls = whole.calls.iter().copied().enumerate().collect();
        Self { model, whole, forgotten, calls, hidden: Vec::new(), work: Cell::new(WORK) }
    }

    fn shrunk(mut self) -> Self {
        self.drop_some(true);
        // What more is seen then may make reads superfluous.
        while self.shows_what_matters() {
            self.drop_some(false);
        }
        self
    }

    /// Whether it is known that these have no order.
    fn is_violated_by(&self, calls: &[Numbered<'a, M>]) -> bool {
        let left = self.work.get();
        if left == 0 {
            return false;
        }
        let (found, steps) = counted(self.model, &self.model.initial(), calls, MAX_CHOICES);
        self.work.set(left.saturating_sub(steps.max(calls.len())));
        matches!(found, Found::Nothing(_))
    }

    /// Drops reads, and if it hides them others, too, as many as may go, in large pieces first (Zeller's delta debugging). What
    /// may not go at first may not go later: there is less to contradict it then, or more to explain it.
    fn drop_some(&mut self, hides: bool) {
        let mut size = self.calls.len().div_ceil(2);
        while size > 0 {
            let mut begin = 0;
            while begin < self.calls.len() {
                if self.work.get() == 0 {
                    return;
                }
                let end = (begin + size).min(self.calls.len());
                let mut rest = self.calls[..begin].to_vec();
                let mut hidden = self.hidden.clone();
                for numbered @ (number, call) in &self.calls[begin..end] {
                    match &self.forgotten[*number] {
                        _ if is_read(self.model, call) => {}
                        Some(forgotten) if hides => hidden.push((*number, forgotten)),
                        _ => rest.push(*numbered),
                    }
                }
                let stay = rest.len();
                rest.extend(&self.calls[end..]);
                if self.is_violated_by(&beside(&rest, hidden.iter().copied())) {
                    // What comes next is at this place now.
                    begin = stay;
                    (self.calls, self.hidden) = (rest, hidden);
                } else {
                    begin = end;
                }
            }
            size /= 2;
        }
    }

    /// Shows some of what was hidden again: as long as a call seems to be superfluous, and is not only because of what is
    /// hidden, nobody sees what it has to do with the rest.
    fn shows_what_matters(&mut self) -> bool {
        for place in 0..self.calls.len() {
            let mut rest = self.calls.clone();
            rest.remove(place);
            let all = beside(&rest, self.hidden.iter().copied());
            if self.is_violated_by(&rest) && !self.is_violated_by(&all) {
                self.show(&rest);
                return true;
            }
        }
        false
    }

    /// Shows as few as give these an order.
    fn show(&mut self, rest: &[Numbered<'a, M>]) {
        let mut shown = std::mem::take(&mut self.hidden);
        let mut next = 0;
        while next < shown.len() {
            let call = shown.remove(next);
            if self.is_violated_by(&beside(rest, shown.iter().copied())) {
                shown.insert(next, call);
                next += 1;
            } else {
                self.hidden.push(call);
            }
        }
        let shown = shown.into_iter().map(|(number, _)| (number, self.whole.calls[number]));
        self.calls = beside(&self.calls, shown);
    }

    /// Whether the longest order takes some of what is not shown: nobody sees then what it leads to.
    fn is_misleading(&self) -> bool {
        let all = beside(&self.calls, self.hidden.iter().copied());
        match search(self.model, &self.model.initial(), &all, MAX_CHOICES) {
            Found::Nothing(stuck) => stuck
                .order
                .iter()
                .any(|call| self.hidden.iter().any(|(hidden, _)| *hidden == all[*call].0)),
            _ => false,
        }
    }
}
