//! How much of the model is asked for a violation to be shown.

use std::sync::atomic::{AtomicU64, Ordering};

use ifmatch::Precondition::{self, Absent, Any};
use ifmatch::testing::StoreOperation::Get;
use ifmatch::testing::{History, Model, Specification, Step, StoreModel, check};

use crate::rows::{history, put, read, written};
use crate::simulated::revision;

/// A model that counts what it is asked.
struct Counted<M> {
    model: M,
    steps: AtomicU64,
}

impl<M: Model> Model for Counted<M> {
    type Operation = M::Operation;
    type Outcome = M::Outcome;
    type State = M::State;
    type Revision = M::Revision;

    fn initial(&self) -> M::State {
        self.model.initial()
    }

    fn step(&self, state: &mut M::State, asked: &M::Operation, told: Option<&M::Outcome>) -> Step {
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.model.step(state, asked, told)
    }

    fn revision(&self, asked: &M::Operation, told: &M::Outcome) -> Option<M::Revision> {
        self.model.revision(asked, told)
    }

    fn may_come(&self, state: &M::State, asked: &M::Operation, told: &M::Outcome) -> bool {
        self.model.may_come(state, asked, told)
    }

    fn part(&self, asked: &M::Operation) -> Option<u64> {
        self.model.part(asked)
    }

    fn is_read(&self, asked: &M::Operation, told: &M::Outcome) -> bool {
        self.model.is_read(asked, told)
    }

    fn forget(&self, asked: &M::Operation, told: &M::Outcome) -> Option<M::Operation> {
        self.model.forget(asked, told)
    }
}

/// How many calls are shown, and how many steps that took.
fn effort<M: Model>(model: M, history: &History<M::Operation, M::Outcome>) -> (usize, u64) {
    let model = Counted { model, steps: AtomicU64::new(0) };
    let error = check(&model, history).unwrap_err();
    let shown = error.violation().unwrap().history().len();
    (shown, model.steps.load(Ordering::Relaxed))
}

/// Two were told the same version: which of them came first is a choice, but what came before is none. It took minutes to leave
/// out thousands, one half at a time.
#[test]
fn two_of_thousands_that_were_told_the_same_version_are_soon_found() {
    for late in [3, 1_500, 3_000] {
        let expect = |number: u64| match number {
            0 => Absent,
            _ => Precondition::from(revision(number + 1)),
        };
        let mut rows = Vec::new();
        for number in 0..3_000_u64 {
            let at = 10 * number;
            rows.push((at, at + 5, put(0, number, expect(number)), written(number + 2)));
            if number == late - 1 {
                rows.push((at + 1, at + 6, put(0, 9_999, expect(number)), written(number + 2)));
            }
        }
        let (shown, steps) = effort(StoreModel::new(), &history(rows));
        assert!(shown <= 3 && steps < 20_000, "at {late}: {shown} shown, {steps} steps");
    }
}

/// One of twenty keys is read as it was long before; an open write leaves more than one order.
#[test]
fn hundreds_of_others_are_soon_left_out() {
    let keys = 20;
    let mut rows = vec![(0, 0, put(0, 1, Any), None)];
    for number in 0..400_u64 {
        let key = u8::try_from(number % keys).unwrap();
        let at = 10 + number * 4;
        rows.push((at, at + 1, put(key, number, Any), written(number * 2 + 3)));
    }
    rows.push((9_000, 9_001, Get(0), read((3 + 40, 3, 2, 20))));
    let (shown, steps) = effort(StoreModel::new(), &history(rows));
    assert!(shown == 3 && steps < 1_000_000, "{shown} shown, {steps} steps");
}

/// Each call is needed, so that nothing may go; it took a time of the square of their number to see that.
#[test]
fn a_chain_of_thousands_is_given_up_at_some_time() {
    let counter = Specification::new(0, |count: &mut u64, more: &u64| {
        *count += more;
        *count
    });
    let mut history = History::new();
    for number in 1..3_000_u64 {
        history.push(0, 1, number * 4..number * 4 + 1, Some(number));
    }
    // Beside all others, so that there is more than one order.
    history.push(1, 0, 1..90_000, Some(3_001));
    let (shown, steps) = effort(counter, &history);
    assert!(shown < 10 && steps < 1_500_000, "{shown} shown, {steps} steps");
}
