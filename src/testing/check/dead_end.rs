//! Where the longest order breaks off: a call that cannot go on, and what has come to pass that it cannot.
//!
//! That a write replaced what was there no more is seen of the write alone, but not who was in its way. So its causes are shown,
//! too: the last call after which its answer would have been true, and the one after which it was true no more. That is one
//! rule for reads and writes: it asks the model.
//!
//! If revisions alone led to the first that is shown, the state before it is known. What has no place yet, or might have another,
//! might explain them: it is looked at whether they contradict each other whatever it does. Whatever else is between them is left
//! out.
//!
//! If there are other orders, what is shown is where one of them breaks off: an example.

use std::collections::BTreeSet;

use super::piece::{Numbered, Piece, beside, search};
use super::search::{CallOf, Found, Prepared, Stuck, is_read};
use super::shrink::MAX_CHOICES;
use crate::testing::model::{Model, Step};

/// How many times the causes of what cannot go on are asked for their own.
const ROUNDS: usize = 4;

/// Calls that contradict each other.
pub(super) enum Shown<'a, M: Model> {
    /// In any order: what comes before them is known.
    All(Piece<'a, M>),
    /// In one order of what comes before them, of which there may be others.
    Example(Piece<'a, M>),
}

pub(super) struct DeadEnd<'a, M: Model> {
    pub(super) model: &'a M,
    pub(super) whole: &'a Prepared<'a, M>,
    /// Of each call, what is left to know of it without its outcome.
    pub(super) forgotten: &'a [Option<CallOf<M>>],
    pub(super) stuck: &'a Stuck<M::State>,
}

impl<'a, M: Model> DeadEnd<'a, M> {
    /// What is to be seen of it, if that is a contradiction.
    pub(super) fn shown(&self) -> Option<Shown<'a, M>> {
        let mut waits = vec![true; self.whole.calls.len()];
        self.stuck.order.iter().for_each(|call| waits[*call] = false);
        let next = self.whole.told.iter().copied().find(|call| waits[*call]);
        let is_possible = |call| self.step(&mut self.stuck.state.clone(), call) != Step::Impossible;
        let blocked = self.stuck.blocked.iter().map(|call| (is_possible(*call), *call));
        let mut blocked: Vec<_> = blocked.collect();
        // That it was never so tells less than why it is so no more, and that it is only too early tells least.
        blocked.sort_by_cached_key(|(is_possible, call)| {
            (*is_possible, self.causes(*call).is_empty())
        });
        blocked.into_iter().find_map(|(is_possible, call)| {
            // Too early is it before who was told the next revision.
            let next = next.filter(|_| is_possible && self.stuck.is_forced());
            self.explained([call].into_iter().chain(next).collect(), &waits)
        })
    }

    /// These calls, and the causes why they cannot go on; if some of those cannot go on either without what is not shown, then
    /// their causes, too.
    fn explained(&self, accused: Vec<usize>, waits: &[bool]) -> Option<Shown<'a, M>> {
        let mut shown: BTreeSet<usize> = accused.iter().copied().collect();
        let mut blocked = accused;
        for _ in 0..ROUNDS {
            shown.extend(blocked.iter().flat_map(|call| self.causes(*call)));
            let piece = self.piece(&shown);
            blocked = self.stuck(&piece.start, &piece.calls)?;
            let is_same = blocked.iter().all(|call| self.stuck.blocked.contains(call));
            // Among other orders, there may be one that breaks off at another of these.
            let mut causes = blocked.iter().flat_map(|call| self.causes(*call));
            if is_same || !self.stuck.is_forced() && causes.all(|cause| shown.contains(&cause)) {
                return if self.is_contradiction(&shown) {
                    let piece = self.piece(&self.without_reads(shown));
                    Some(Shown::All(Piece { before: 0, ..piece }))
                } else if !self.stuck.is_forced() && self.contradicts(&piece, &shown, waits) {
                    Some(Shown::Example(piece))
                } else {
                    None
                };
            }
        }
        None
    }

    /// Whether these contradict each other in any order of what comes before them.
    fn is_contradiction(&self, shown: &BTreeSet<usize>) -> bool {
        self.is_settled(shown) && self.contradicts(&self.piece(shown), shown, &self.unsettled())
    }

    /// Leaves out reads that it does not take.
    fn without_reads(&self, mut shown: BTreeSet<usize>) -> BTreeSet<usize> {
        let reads: Vec<_> = shown.iter().copied().collect();
        for read in reads.into_iter().filter(|call| is_read(self.model, self.whole.calls[*call])) {
            shown.remove(&read);
            if shown.is_empty() || !self.is_contradiction(&shown) {
                shown.insert(read);
            }
        }
        shown
    }

    /// Whether what comes before these is the same in any order.
    fn is_settled(&self, shown: &BTreeSet<usize>) -> bool {
        self.stuck.order.iter().take_while(|call| !shown.contains(call)).count()
            <= self.stuck.forced
    }

    /// Of each call, whether it has no place of which it is known that it has no other.
    fn unsettled(&self) -> Vec<bool> {
        let mut unsettled = vec![true; self.whole.calls.len()];
        self.stuck.order.iter().take(self.stuck.forced).for_each(|call| unsettled[*call] = false);
        unsettled
    }

    /// Whether these have no order, whatever those do that are `beside` them.
    fn contradicts(&self, piece: &Piece<'a, M>, shown: &BTreeSet<usize>, besides: &[bool]) -> bool {
        self.hidden(piece, shown, besides).is_some_and(|hidden| {
            let all = beside(&piece.calls, hidden);
            matches!(search(self.model, &piece.start, &all, MAX_CHOICES), Found::Nothing(_))
        })
    }

    /// The calls that cannot go on, if these have no order.
    fn stuck(&self, start: &M::State, calls: &[Numbered<'a, M>]) -> Option<Vec<usize>> {
        match search(self.model, start, calls, MAX_CHOICES) {
            Found::Nothing(Stuck { blocked, .. }) => {
                Some(blocked.into_iter().map(|call| calls[call].0).collect())
            }
            _ => None,
        }
    }

    /// These calls, and the state before them: of their part, if they are of one, and of all others nothing is left to show.
    fn piece(&self, shown: &BTreeSet<usize>) -> Piece<'a, M> {
        let calls = shown.iter().map(|call| (*call, self.whole.calls[*call]));
        let calls: Vec<Numbered<'a, M>> = calls.collect();
        let part = |call: &CallOf<M>| self.model.part(&call.operation);
        let parts = calls.iter().map(|(_, call)| part(call));
        let only = parts.reduce(|one, other| one.filter(|_| one == other)).flatten();
        let before = self.stuck.order.iter().take_while(|call| !shown.contains(call));
        let (mut start, mut count) = (self.model.initial(), 0);
        for call in before.copied() {
            let own = part(self.whole.calls[call]);
            if own.zip(only).is_none_or(|(own, only)| own == only) {
                count += usize::from(self.step(&mut start, call) == Step::Changed);
            }
        }
        Piece { start, before: count, calls }
    }

    /// Whatever waits beside these, or took effect though nobody was told, and may come before they are over, if its outcome
    /// can be forgotten.
    fn hidden(
        &self,
        piece: &Piece<'a, M>,
        shown: &BTreeSet<usize>,
        waits: &[bool],
    ) -> Option<Vec<Numbered<'a, M>>> {
        let end = piece.calls.iter().filter_map(|(_, call)| call.returned).max();
        let calls = self.whole.calls.iter().enumerate();
        let calls = calls.take_while(|(_, call)| Some(call.called) <= end).map(|(call, _)| call);
        calls
            .filter(|call| waits[*call] || self.whole.calls[*call].outcome.is_none())
            .filter(|call| !shown.contains(call))
            .map(|call| Some((call, self.forgotten[call].as_ref()?)))
            .collect()
    }

    fn step(&self, state: &mut M::State, call: usize) -> Step {
        let call = self.whole.calls[call];
        self.model.step(state, &call.operation, call.outcome.as_ref())
    }

    /// Those calls of the order that explain why `blocked` is not the next: the last one after which it would have been
    /// possible, and the one after which it was not any more.
    fn causes(&self, blocked: usize) -> Vec<usize> {
        let is_possible =
            |state: &M::State| self.step(&mut state.clone(), blocked) != Step::Impossible;
        let mut state = self.model.initial();
        let (mut causes, mut was) = (Vec::new(), is_possible(&state));
        for call in self.stuck.order.iter().copied().take_while(|call| *call != blocked) {
            self.step(&mut state, call);
            let is = is_possible(&state);
            match (was, is) {
                (false, true) => causes = vec![call],
                (true, false) => causes.push(call),
                _ => {}
            }
            was = is;
        }
        causes
    }
}
