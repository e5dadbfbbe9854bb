//! Makes a history that is not linearizable small enough for a person to see why.
//!
//! Only steps that keep the violation one of the history that was checked: whatever the smaller history contradicts, the
//! larger one did. So calls that read only may go, and what one object went through may stand alone. The beginning of a
//! history may become the state that it leads to, if revisions leave no other. Its end may go, if calls under way are left
//! open. Any other call may go only if the history contradicts itself without it, and also when it is left open: else it might
//! be the loss of the call that makes the contradiction.
//!
//! The smallest history is not the one that explains most: that a write replaced what was there no more is seen of the write
//! alone, but not who was in its way. So the causes of whatever cannot go on are shown, too: the last call after which its answer
//! would have been true, and the one after which it was true no more. That is one rule for reads and writes: it asks the model.
//!
//! Where no revisions tell the order, a small history may be right and yet mislead. Then an example is better: see
//! `where_it_breaks_off`.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::search::{CallOf, Found, Prepared, Search, is_read, revision};
use super::violation::{Blocked, Violation};
use crate::testing::history::Call;
use crate::testing::model::{Model, Step};

/// What a smaller history may take to be found contradictory: otherwise it is left as it was.
pub(super) const MAX_CHOICES: u64 = 1 << 12;

/// How often it may take more than that: then what is found is as small as it gets.
const MAX_UNDECIDED: u32 = 16;

/// Checks of all calls, divided by how many calls there are.
const WORK: usize = 1 << 22;

/// Of how many calls it looks which of those that are hidden explain others.
pub(super) const MAX_TO_SHOW: usize = 200;

/// So many calls can be taken in.
const AT_A_GLANCE: usize = 8;

/// How often it looks whether more may go.
pub(super) const ROUNDS: usize = 4;

pub(super) fn shrink<M: Model>(
    model: &M,
    whole: &Prepared<'_, M>,
    (order, is_forced): (&[usize], bool),
    max_choices: u64,
) -> Violation<M::Operation, M::Outcome> {
    let calls = whole.calls.iter().enumerate();
    let calls: Vec<_> = calls.map(|(number, call)| (number, (*call).clone())).collect();
    let total = calls.len();
    let (start, hidden) = (model.initial(), Vec::new());
    let (max_choices, undecided) = (max_choices.max(MAX_CHOICES), Cell::new(0));
    let all = Piece { model, start, before: 0, calls, hidden, max_choices, undecided };
    let accused = is_forced.then(|| all.blocked());
    let mut cut = all.clone();
    cut.keep_one_part();
    cut.cut_start();
    cut.cut_end();
    let smallest = cut.clone().shrunk();
    smallest.undecided.set(0);
    cut.undecided.set(0);
    let explained = smallest.explained(whole, order, is_forced).unwrap_or(smallest);
    let is_clear =
        explained.calls.len() <= AT_A_GLANCE && !explained.is_misleading(accused.as_deref());
    let from = if is_forced { &all } else { &cut };
    let breaks_off = if is_clear { None } else { from.where_it_breaks_off() };
    breaks_off.unwrap_or(explained).into_violation(total)
}

/// A call, and its number in the history that was checked.
pub(super) type Numbered<M> = (usize, CallOf<M>);

pub(super) struct Piece<'a, M: Model> {
    pub(super) model: &'a M,
    pub(super) start: M::State,
    /// How many others come before in one order that leads to that state, if there may be other orders.
    pub(super) before: usize,
    /// In the order in which they began.
    pub(super) calls: Vec<Numbered<M>>,
    /// Those that are not shown, but may have had an effect: whatever is found has to hold with them, too.
    pub(super) hidden: Vec<Numbered<M>>,
    pub(super) max_choices: u64,
    /// How many smaller histories took too many choices.
    pub(super) undecided: Cell<u32>,
}

/// A dead end: the longest beginning of an order, the state after it, and the calls that cannot go on.
pub(super) struct Stuck<S> {
    pub(super) order: Vec<usize>,
    state: S,
    pub(super) blocked: Vec<usize>,
    pub(super) is_forced: bool,
}

impl<M: Model> Piece<'_, M> {
    fn clone(&self) -> Self {
        let (start, calls, hidden) = (self.start.clone(), self.calls.clone(), self.hidden.clone());
        Self { start, calls, hidden, undecided: self.undecided.clone(), ..*self }
    }

    fn shrunk(mut self) -> Self {
        // Without the others, more reads may go.
        for _ in 0..ROUNDS {
            let before = self.calls.len();
            self.drop_reads();
            self.drop_others();
            if self.calls.len() == before {
                break;
            }
        }
        self.drop_reads();
        self.show_what_matters();
        self
    }

    pub(super) fn stuck<'c>(
        &self,
        calls: impl Iterator<Item = &'c Numbered<M>>,
        max_choices: u64,
    ) -> Option<Stuck<M::State>>
    where
        Numbered<M>: 'c,
    {
        if self.undecided.get() > MAX_UNDECIDED {
            return None;
        }
        let prepared = Prepared::new(self.model, calls.map(|(_, call)| call));
        match Search::new(self.model, self.start.clone(), &prepared, max_choices).run() {
            Found::Nothing { order, state, blocked, is_forced } => {
                Some(Stuck { order, state, blocked, is_forced })
            }
            Found::Order(_) => None,
            Found::Undecided => {
                self.undecided.set(self.undecided.get() + 1);
                None
            }
        }
    }

    pub(super) fn is_violated_by<'c>(&self, calls: impl Iterator<Item = &'c Numbered<M>>) -> bool
    where
        Numbered<M>: 'c,
    {
        self.stuck(calls, MAX_CHOICES).is_some()
    }

    pub(super) fn step(&self, state: &mut M::State, call: &CallOf<M>) -> Step {
        self.model.step(state, &call.operation, call.outcome.as_ref())
    }

    /// Keeps what one object went through, if that alone is contradictory.
    fn keep_one_part(&mut self) {
        let mut parts = BTreeMap::<u64, Vec<Numbered<M>>>::new();
        for numbered @ (_, call) in &self.calls {
            match self.model.part(&call.operation) {
                Some(part) => parts.entry(part).or_default().push(numbered.clone()),
                None if is_read(self.model, call) => {}
                None => return,
            }
        }
        let mut parts: Vec<_> = parts.into_values().collect();
        parts.sort_by_key(Vec::len);
        if let Some(part) = parts.into_iter().find(|part| self.is_violated_by(part.iter())) {
            self.calls = part;
        }
    }

    /// Puts the state in the place of those changes that come before whatever cannot go on.
    fn cut_start(&mut self) {
        let Some(stuck) =
            self.stuck(self.calls.iter(), MAX_CHOICES).filter(|stuck| stuck.is_forced)
        else {
            return;
        };
        let Some(begin) = stuck.blocked.iter().map(|call| self.calls[*call].1.called).min() else {
            return;
        };
        let prepared = Prepared::new(self.model, self.calls.iter().map(|(_, call)| call));
        let is_before =
            |call: &&usize| self.calls[**call].1.returned.is_some_and(|returned| returned < begin);
        let before: Vec<_> = prepared.told.iter().take_while(is_before).copied().collect();
        if before.is_empty() {
            return;
        }
        let mut start = self.start.clone();
        if before.iter().any(|call| self.step(&mut start, &self.calls[*call].1) == Step::Impossible)
        {
            return;
        }
        let end = before.iter().filter_map(|call| self.calls[*call].1.returned).max().unwrap_or(0);
        let mut is_before = vec![false; self.calls.len()];
        before.iter().for_each(|call| is_before[*call] = true);
        let stays = |place: usize, (_, call): &Numbered<M>| {
            !is_before[place] && (prepared.was_told(place) || call.called > end)
        };
        let calls = self.calls.iter().enumerate();
        let calls = calls.filter(|(place, call)| stays(*place, call));
        let calls: Vec<_> = calls.map(|(_, call)| call.clone()).collect();
        let hidden = Vec::new();
        let smaller = Self { start, calls, hidden, undecided: self.undecided.clone(), ..*self };
        if smaller.is_violated_by(smaller.calls.iter()) {
            *self = smaller;
        }
    }

    /// Forgets what comes after the contradiction.
    fn cut_end(&mut self) {
        let mut ends: Vec<_> = self.calls.iter().filter_map(|(_, call)| call.returned).collect();
        ends.sort_unstable();
        let Some(stuck) = self.stuck(self.calls.iter(), MAX_CHOICES) else { return };
        let first = stuck.blocked.iter().filter_map(|call| self.calls[*call].1.returned).min();
        let first = first.and_then(|first| ends.binary_search(&first).ok());
        let violates = |last: usize| self.is_violated_by(self.until(ends[last]).iter());
        // From where it is likely, in growing steps down to where there is none; then by halves.
        let mut high = match first {
            Some(first) if violates(first) => first,
            _ => ends.len() - 1,
        };
        let (mut low, mut step) = (0, 1);
        while low < high {
            let middle = high.saturating_sub(step).max(low);
            if violates(middle) {
                (high, step) = (middle, step * 2);
            } else {
                (low, step) = (middle + 1, (high - middle).div_ceil(2));
            }
        }
        let calls = self.until(ends[high]);
        if self.is_violated_by(calls.iter()) {
            self.calls = calls;
        }
    }

    /// What was known at this moment.
    fn until(&self, end: u64) -> Vec<Numbered<M>> {
        let calls = self.calls.iter().filter(|(_, call)| call.called <= end);
        calls
            .map(|numbered| match numbered.1.returned {
                // What cannot be forgotten is shown in full.
                Some(returned) if returned > end => {
                    self.forgotten(numbered).unwrap_or_else(|| numbered.clone())
                }
                _ => numbered.clone(),
            })
            .collect()
    }

    fn drop_reads(&mut self) {
        self.drop_some(|piece, call| is_read(piece.model, call), false);
    }

    fn drop_others(&mut self) {
        self.drop_some(|piece, call| forgotten(piece.model, call).is_some(), true);
    }

    /// Whether these calls contradict each other, and still do beside those that are not shown and these.
    pub(super) fn is_violated_beside(&self, rest: &[Numbered<M>], hidden: &[Numbered<M>]) -> bool {
        let is_alone = self.hidden.is_empty() && hidden.is_empty();
        self.is_violated_by(rest.iter())
            && (is_alone || self.is_violated_by(rest.iter().chain(&self.hidden).chain(hidden)))
    }

    /// Shows some of what was hidden again: as long as a call seems to be superfluous, and is not only because of what is
    /// hidden, nobody sees what it has to do with the rest.
    fn show_what_matters(&mut self) {
        let mut place = 0;
        while place < self.calls.len() && self.calls.len() + self.hidden.len() <= MAX_TO_SHOW {
            let rest = self.without(place);
            let is_clear = !self.is_violated_by(rest.iter()) || self.is_violated_beside(&rest, &[]);
            if is_clear {
                place += 1;
                continue;
            }
            // As few as explain it.
            let mut shown = std::mem::take(&mut self.hidden);
            let mut next = 0;
            while next < shown.len() {
                let others = shown.iter().enumerate().filter(|(index, _)| *index != next);
                let others = others.map(|(_, call)| call);
                if self.is_violated_by(rest.iter().chain(others)) {
                    next += 1;
                } else {
                    self.hidden.push(shown.remove(next));
                }
            }
            self.calls.extend(shown);
            self.calls.sort_by_key(|(_, call)| call.called);
            place = 0;
        }
    }

    fn without(&self, left_out: usize) -> Vec<Numbered<M>> {
        let rest = self.calls.iter().enumerate().filter(|(index, _)| *index != left_out);
        rest.map(|(_, call)| call.clone()).collect()
    }

    /// Drops as many as may go, in large pieces first (Zeller's delta debugging).
    fn drop_some(&mut self, may_go: impl Fn(&Self, &CallOf<M>) -> bool, hides: bool) {
        let mut work = WORK;
        let mut size = self.calls.len().div_ceil(2);
        while size > 0 {
            let mut begin = 0;
            while begin < self.calls.len() {
                if work < self.calls.len() {
                    return;
                }
                work -= self.calls.len();
                let end = (begin + size).min(self.calls.len());
                let goes = |place: usize, (_, call): &Numbered<M>| {
                    (begin..end).contains(&place) && may_go(self, call)
                };
                let (mut rest, mut dropped) = (Vec::new(), Vec::new());
                for (place, call) in self.calls.iter().enumerate() {
                    if goes(place, call) { &mut dropped } else { &mut rest }.push(call.clone());
                }
                let hidden: Vec<_> = if hides {
                    dropped.iter().filter_map(|call| self.forgotten(call)).collect()
                } else {
                    Vec::new()
                };
                if !dropped.is_empty() && self.is_violated_beside(&rest, &hidden) {
                    self.hidden.extend(hidden);
                    // What comes next is at the same place now.
                    begin = end - dropped.len();
                    self.calls = rest;
                } else {
                    begin = end;
                }
            }
            size /= 2;
        }
    }

    fn forgotten(&self, (number, call): &Numbered<M>) -> Option<Numbered<M>> {
        Some((*number, forgotten(self.model, call)?))
    }

    fn into_violation(self, total: usize) -> Violation<M::Operation, M::Outcome> {
        let stuck = self
            .stuck(self.calls.iter(), self.max_choices)
            .expect("it was found to be contradictory");
        let prepared = Prepared::new(self.model, self.calls.iter().map(|(_, call)| call));
        let next = prepared.told.iter().find(|call| !stuck.order.contains(call)).copied();
        let blocked = stuck.blocked.iter().map(|call| Blocked {
            call: *call,
            reason: self.reason(*call, next, prepared.was_told(*call), &stuck.state),
        });
        let start = (self.start != self.model.initial()).then(|| format!("{:?}", self.start));
        Violation {
            blocked: blocked.collect(),
            state: format!("{:?}", stuck.state),
            left_out: total - self.calls.len(),
            before: self.before,
            start,
            order: stuck.order,
            history: self.calls.into_iter().map(|(_, call)| call).collect(),
        }
    }

    /// Why a call cannot be the next.
    fn reason(&self, call: usize, next: Option<usize>, was_told: bool, state: &M::State) -> String {
        let (_, blocked) = &self.calls[call];
        let revision = |call: &CallOf<M>| revision(self.model, call);
        match next {
            Some(next) if was_told && next != call => {
                let (own, lower) = (revision(blocked), revision(&self.calls[next].1));
                match (own, lower) {
                    (Some(own), Some(lower)) if own == lower => {
                        self.model.explain(state, &blocked.operation, blocked.outcome.as_ref())
                    }
                    (Some(own), Some(lower)) if blocked.precedes(&self.calls[next].1) => format!(
                        "it was told revision {own:?}, and was over before call {next} began, which was told revision {lower:?}"
                    ),
                    (Some(own), Some(lower)) => {
                        format!(
                            "it was told revision {own:?}, and call {next} comes first, which was told revision {lower:?}"
                        )
                    }
                    _ => String::new(),
                }
            }
            _ => self.model.explain(state, &blocked.operation, blocked.outcome.as_ref()),
        }
    }
}

/// The same call, but that nobody knows what it came to, if that can be said.
pub(super) fn forgotten<M: Model>(model: &M, call: &CallOf<M>) -> Option<CallOf<M>> {
    let operation = match &call.outcome {
        Some(outcome) => model.forget(&call.operation, outcome)?,
        None => call.operation.clone(),
    };
    let Call { client, called, .. } = *call;
    // A bound that it had without an outcome stays.
    let returned = call.returned.filter(|_| call.outcome.is_none());
    Some(Call { client, operation, called, returned, outcome: None })
}
