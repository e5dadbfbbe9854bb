//! The search for an order.
//!
//! Calls are put into an order one by one. Next may come whatever did not begin after the end of a call that has no place yet.
//! A read that can be answered as it was goes first: it is in nobody's way, so that nothing is lost by that. (But a call that was
//! over without an outcome, before the read began: after the read it can have no effect any more.) Of the calls that were told
//! a revision only those with the lowest come into question. Where more than one call may be next, the search remembers the
//! state, tries one, and comes back for the others if that leads nowhere (Wing and Gong 1993); where it has been before, with
//! the same calls and the same state, it does not go again (Lowe 2017).
//!
//! A call without outcome is not tried where that leads nowhere for certain: if nobody who waits could tell that it took effect
//! (leaving it out then leaves an order an order), or if there is no revision left for it before those that have been told
//! (states only go on, and whoever was told the next revision still has to come).
//!
//! So it is linear where revisions decide, and exponential at worst where nothing does.

use std::collections::HashSet;

use super::parts::Parts;
use super::waiting::Waiting;
use crate::testing::history::Call;
use crate::testing::model::{Model, Step};

pub(super) type CallOf<M> = Call<<M as Model>::Operation, <M as Model>::Outcome>;

/// Calls, and what is known of them beforehand.
pub(super) struct Prepared<'a, M: Model> {
    /// In the order in which they began.
    pub(super) calls: Vec<&'a CallOf<M>>,
    /// Those that were told a revision, in the order of revisions.
    pub(super) told: Vec<usize>,
    /// Of each call, whether it changes nothing in any state.
    is_read: Vec<bool>,
    /// Of each call, the place of its revision among all; `None` if it was told none.
    rank: Vec<Option<usize>>,
    /// Of each revision, how many were told it.
    calls_at: Vec<usize>,
    /// Of each revision, one who was told it.
    one_at: Vec<usize>,
    parts: Parts,
}

impl<'a, M: Model> Prepared<'a, M> {
    pub(super) fn new(model: &M, calls: impl Iterator<Item = &'a CallOf<M>>) -> Self {
        let mut calls: Vec<_> = calls.collect();
        calls.sort_by_key(|call| call.called);
        let revisions = calls.iter().enumerate();
        let revisions = revisions.filter_map(|(call, made)| Some((revision(model, made)?, call)));
        let mut revisions: Vec<_> = revisions.collect();
        revisions.sort_unstable();
        let (mut rank, mut calls_at, mut one_at) =
            (vec![None; calls.len()], Vec::new(), Vec::new());
        for same in revisions.chunk_by(|one, other| one.0 == other.0) {
            same.iter().for_each(|(_, call)| rank[*call] = Some(calls_at.len()));
            calls_at.push(same.len());
            one_at.push(same[0].1);
        }
        let told = revisions.into_iter().map(|(_, call)| call).collect();
        let is_read = calls.iter().map(|call| is_read(model, call)).collect();
        let parts = Parts::new(model, &calls);
        Self { calls, told, is_read, rank, calls_at, one_at, parts }
    }

    pub(super) fn was_told(&self, call: usize) -> bool {
        self.rank[call].is_some()
    }
}

/// Whether a call changes nothing in any state.
pub(super) fn is_read<M: Model>(model: &M, call: &CallOf<M>) -> bool {
    call.outcome.as_ref().is_some_and(|outcome| model.is_read(&call.operation, outcome))
}

/// The revision that a call was told.
pub(super) fn revision<M: Model>(model: &M, call: &CallOf<M>) -> Option<M::Revision> {
    model.revision(&call.operation, call.outcome.as_ref()?)
}

/// What a search came to. Calls are named by their numbers in the order in which they began.
pub(super) enum Found<S> {
    /// In this order everybody was told what was so. Calls without outcome that are missing had no effect.
    Order(Vec<usize>),
    /// No order is one.
    Nothing(Stuck<S>),
    /// There were too many choices.
    Undecided,
}

/// A dead end.
pub(super) struct Stuck<S> {
    /// The longest beginning of an order.
    pub(super) order: Vec<usize>,
    /// The state after it.
    pub(super) state: S,
    /// Those that cannot go on then.
    pub(super) blocked: Vec<usize>,
    /// So many of the order come first in any order, and in this one, because revisions alone led there: there was no choice,
    /// and whatever changed the state was told one.
    pub(super) forced: usize,
}

impl<S> Stuck<S> {
    /// Whether it is the only order.
    pub(super) fn is_forced(&self) -> bool {
        self.forced >= self.order.len()
    }
}

/// Where there is more than one way.
struct Branch<S> {
    state: S,
    ordered: usize,
    /// The ways not tried, the last one first.
    rest: Vec<usize>,
}

/// Where a search has been: the last call in the order, those before it that wait, those without outcome that took effect,
/// and the state.
type Place<S> = (Vec<usize>, Vec<usize>, S);

pub(super) struct Search<'a, M: Model> {
    model: &'a M,
    prepared: &'a Prepared<'a, M>,
    state: M::State,
    waiting: Waiting,
    /// Of each part, how many who could tell what it went through wait.
    witnesses: Vec<usize>,
    order: Vec<usize>,
    /// The highest number in each beginning of the order.
    highest: Vec<usize>,
    /// The lowest revision that somebody who waits was told.
    rank: usize,
    /// Of each revision, how many of those who were told it wait.
    waiting_at: Vec<usize>,
    /// How many calls that have an outcome are not.
    missing: usize,
    /// Those without an outcome that are.
    revealed: Vec<usize>,
    /// Grows with every change of the state, back and forth.
    version: u64,
    /// The version of the state in which each call was found to be impossible.
    impossible_at: Vec<u64>,
    branches: Vec<Branch<M::State>>,
    places: HashSet<Place<M::State>>,
    longest: Option<(Vec<usize>, M::State)>,
    /// How many calls were ordered before there was a choice.
    forced: usize,
    choices_left: u64,
    /// How often the model was asked for a step.
    steps: usize,
}

impl<'a, M: Model> Search<'a, M> {
    pub(super) fn new(
        model: &'a M,
        state: M::State,
        prepared: &'a Prepared<'a, M>,
        max_choices: u64,
    ) -> Self {
        let calls = &prepared.calls;
        Self {
            model,
            prepared,
            state,
            waiting: Waiting::new(calls.len()),
            witnesses: prepared.parts.witnesses.clone(),
            order: Vec::with_capacity(calls.len()),
            highest: Vec::with_capacity(calls.len()),
            rank: 0,
            waiting_at: prepared.calls_at.clone(),
            missing: calls.iter().filter(|call| call.outcome.is_some()).count(),
            revealed: Vec::new(),
            version: 1,
            impossible_at: vec![0; calls.len()],
            branches: Vec::new(),
            places: HashSet::new(),
            longest: None,
            forced: usize::MAX,
            choices_left: max_choices,
            steps: 0,
        }
    }

    pub(super) fn run(self) -> Found<M::State> {
        self.counted().0
    }

    /// Also tells how many steps it took.
    pub(super) fn counted(mut self) -> (Found<M::State>, usize) {
        loop {
            let mut ways = self.ways();
            if self.missing == 0 {
                return (Found::Order(self.order), self.steps);
            }
            while !self.go(ways) {
                self.remember_longest();
                let Some(branch) = self.branches.pop() else {
                    let steps = self.steps;
                    return (self.nothing(), steps);
                };
                if self.choices_left == 0 {
                    return (Found::Undecided, self.steps);
                }
                self.choices_left -= 1;
                self.return_to(branch.ordered, branch.state);
                ways = branch.rest;
            }
        }
    }

    /// Puts all reads that are as they were answered into the order, and returns those that may be next, the last one first.
    fn ways(&mut self) -> Vec<usize> {
        loop {
            let (mut ways, mut unknown) = (Vec::new(), Vec::new());
            let before = self.order.len();
            // Whatever begins after this has to wait for who returns then.
            let mut end = u64::MAX;
            // Whatever begins after this is after a call without outcome that may yet be next.
            let mut deadline = u64::MAX;
            let mut cursor = self.waiting.first();
            while let Some(call) = cursor {
                cursor = self.waiting.after(call);
                let Call { called, returned, outcome, .. } = self.prepared.calls[call];
                if *called > end {
                    break;
                }
                if outcome.is_none() {
                    let last = returned.unwrap_or(u64::MAX);
                    if self.last_called() <= last && self.may_be_seen(call) {
                        unknown.push(call);
                        deadline = deadline.min(last);
                    }
                    continue;
                }
                match self.probe(call) {
                    Step::Impossible => {}
                    Step::Unchanged if self.prepared.is_read[call] && *called <= deadline => {
                        self.append(call);
                        continue;
                    }
                    Step::Unchanged | Step::Changed => ways.push(call),
                }
                end = end.min(returned.unwrap_or(u64::MAX));
            }
            if self.order.len() == before || self.missing == 0 {
                // Those whose outcome is known come first: what nobody was told may not have been.
                ways.reverse();
                if unknown.is_empty() {
                    return ways;
                }
                unknown.append(&mut ways);
                return unknown;
            }
        }
    }

    /// Whether somebody who waits could tell that it took effect.
    fn may_be_seen(&self, call: usize) -> bool {
        let part = self.prepared.parts.of[call];
        self.witnesses[Parts::ALL] > 0 || self.witnesses[part] > 0
    }

    /// Whether those who were told the next revision can still come. Once one of them has, nothing is known of the others.
    fn leaves_room(&self) -> bool {
        if self.prepared.calls_at.get(self.rank) != self.waiting_at.get(self.rank) {
            return true;
        }
        self.prepared.one_at.get(self.rank).is_none_or(|call| {
            let Call { operation, outcome, .. } = self.prepared.calls[*call];
            outcome.as_ref().is_none_or(|told| self.model.may_come(&self.state, operation, told))
        })
    }

    /// What the call would do to the state.
    fn probe(&mut self, call: usize) -> Step {
        if self.impossible_at[call] == self.version {
            return Step::Impossible;
        }
        match self.prepared.rank[call] {
            Some(rank) if rank != self.rank => return Step::Impossible,
            // Nobody else can be next, so that there is nothing to know before it is tried.
            Some(rank) if self.waiting_at[rank] == 1 => return Step::Changed,
            _ => {}
        }
        let state = self.state.clone();
        let step = self.step(call);
        match step {
            Step::Impossible => self.impossible_at[call] = self.version,
            Step::Changed => self.state = state,
            Step::Unchanged => {}
        }
        step
    }

    /// When the last call of the order began, of all in it.
    fn last_called(&self) -> u64 {
        self.highest.last().map_or(0, |call| self.prepared.calls[*call].called)
    }

    fn step(&mut self, call: usize) -> Step {
        self.steps += 1;
        let Call { operation, outcome, .. } = self.prepared.calls[call];
        self.model.step(&mut self.state, operation, outcome.as_ref())
    }

    /// Goes the first of these ways that is one, and remembers the others. Says whether that leads to somewhere new.
    fn go(&mut self, mut ways: Vec<usize>) -> bool {
        while let Some(call) = ways.pop() {
            let is_unknown = self.prepared.calls[call].outcome.is_none();
            let mut before = (is_unknown || !ways.is_empty()).then(|| self.state.clone());
            match self.step(call) {
                Step::Impossible => continue,
                // What nobody was told, and had no effect, need not have been.
                Step::Unchanged if is_unknown => continue,
                Step::Changed if is_unknown && !self.leaves_room() => {
                    self.state = before.expect("it was kept");
                    // It was a choice, but for what is known of the whole history.
                    self.forced = self.forced.min(self.order.len());
                    continue;
                }
                Step::Unchanged | Step::Changed => {}
            }
            before = before.filter(|_| !ways.is_empty());
            if before.is_some() || !self.prepared.was_told(call) {
                self.forced = self.forced.min(self.order.len());
            }
            if let Some(state) = before {
                let ordered = self.order.len();
                self.branches.push(Branch { state, ordered, rest: ways });
            }
            self.append(call);
            self.version += 1;
            return self.branches.is_empty() || self.is_new_place();
        }
        false
    }

    fn append(&mut self, call: usize) {
        self.waiting.take(call);
        self.order.push(call);
        self.highest.push(self.highest.last().map_or(call, |highest| call.max(*highest)));
        if let Some(rank) = self.prepared.rank[call] {
            self.waiting_at[rank] -= 1;
            while self.waiting_at.get(self.rank) == Some(&0) {
                self.rank += 1;
            }
        }
        match self.prepared.calls[call].outcome {
            Some(_) => {
                self.missing -= 1;
                self.witnesses[self.prepared.parts.of[call]] -= 1;
            }
            None => self.revealed.push(call),
        }
    }

    fn return_to(&mut self, ordered: usize, state: M::State) {
        while self.order.len() > ordered {
            let call = self.order.pop().expect("it is longer");
            self.highest.pop();
            self.waiting.put_back(call);
            if let Some(rank) = self.prepared.rank[call] {
                self.waiting_at[rank] += 1;
                self.rank = self.rank.min(rank);
            }
            match self.prepared.calls[call].outcome {
                Some(_) => {
                    self.missing += 1;
                    self.witnesses[self.prepared.parts.of[call]] += 1;
                }
                None => drop(self.revealed.pop()),
            }
        }
        self.state = state;
        self.version += 1;
    }

    fn is_new_place(&mut self) -> bool {
        let highest = self.highest.last().copied().unwrap_or(0);
        let mut place = vec![highest];
        let mut cursor = self.waiting.first();
        while let Some(call) = cursor.filter(|call| *call < highest) {
            if self.prepared.calls[call].outcome.is_some() {
                place.push(call);
            }
            cursor = self.waiting.after(call);
        }
        let mut revealed = self.revealed.clone();
        revealed.sort_unstable();
        self.places.insert((place, revealed, self.state.clone()))
    }

    fn remember_longest(&mut self) {
        if self.longest.as_ref().is_none_or(|(order, _)| order.len() < self.order.len()) {
            self.longest = Some((self.order.clone(), self.state.clone()));
        }
    }

    fn nothing(self) -> Found<M::State> {
        let (order, state) = self.longest.expect("every dead end was remembered");
        let mut ordered = vec![false; self.prepared.calls.len()];
        order.iter().for_each(|call| ordered[*call] = true);
        let (mut end, mut blocked) = (u64::MAX, Vec::new());
        for (number, call) in self.prepared.calls.iter().enumerate() {
            if call.called > end {
                break;
            }
            if let (false, Some(_), Some(returned)) =
                (ordered[number], &call.outcome, call.returned)
            {
                end = end.min(returned);
                blocked.push(number);
            }
        }
        Found::Nothing(Stuck { order, state, blocked, forced: self.forced })
    }
}
