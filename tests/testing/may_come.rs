//! A model that says who may still come, and what has no number beside what has: the checker is right about it.

use ifmatch::testing::{Call, History, Model, Step, check};

use crate::all_orders::is_linearizable;
use crate::common::{Random, from_env};

/// A document with a version, and a flag that has none.
struct Document;

#[derive(Clone, Debug, PartialEq)]
enum Ask {
    Save,
    Flag,
    Read,
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Saved(u64),
    Flagged,
    Seen(u64, bool),
}

impl Model for Document {
    type Operation = Ask;
    type Outcome = Answer;
    type State = (u64, bool);
    type Revision = u64;

    fn initial(&self) -> (u64, bool) {
        (1, false)
    }

    fn step(&self, state: &mut (u64, bool), ask: &Ask, answer: Option<&Answer>) -> Step {
        let (version, flag) = *state;
        let (next, expected) = match ask {
            Ask::Save => ((version + 1, flag), Answer::Saved(version + 1)),
            Ask::Flag => ((version, true), Answer::Flagged),
            Ask::Read => (*state, Answer::Seen(version, flag)),
        };
        if answer.is_some_and(|answer| *answer != expected) {
            return Step::Impossible;
        }
        match std::mem::replace(state, next) == next {
            true => Step::Unchanged,
            false => Step::Changed,
        }
    }

    fn revision(&self, _: &Ask, answer: &Answer) -> Option<u64> {
        match answer {
            Answer::Saved(version) | Answer::Seen(version, _) => Some(*version),
            Answer::Flagged => None,
        }
    }

    fn may_come(&self, state: &(u64, bool), _: &Ask, answer: &Answer) -> bool {
        match answer {
            Answer::Saved(version) => state.0 < *version,
            Answer::Seen(version, _) => state.0 <= *version,
            Answer::Flagged => true,
        }
    }

    fn is_read(&self, ask: &Ask, _: &Answer) -> bool {
        *ask == Ask::Read
    }
}

/// Who was told the revision first has come; whether others may is another question.
#[test]
fn a_change_without_a_number_comes_between_two_who_were_told_the_same() {
    let mut history = History::new();
    history.push(0, Ask::Save, 0..1, Some(Answer::Saved(2)));
    history.push(1, Ask::Flag, 2..3, None);
    history.push(2, Ask::Read, 4..5, Some(Answer::Seen(2, true)));
    assert!(is_linearizable(&Document, &history));
    check(&Document, &history).unwrap();
}

fn some_history(random: &mut Random) -> History<Ask, Answer> {
    let mut state = (1, false);
    let calls = 0..3 + random.below(4);
    let call = |number: u64| {
        let point = 20 + number * 4;
        let operation = random.pick(&[Ask::Save, Ask::Flag, Ask::Read, Ask::Read]).clone();
        let before = state;
        let outcome = match operation {
            Ask::Save => {
                state.0 += 1;
                Answer::Saved(state.0)
            }
            Ask::Flag => {
                state.1 = true;
                Answer::Flagged
            }
            Ask::Read => Answer::Seen(state.0, state.1 ^ random.one_in(6)),
        };
        let is_open = random.one_in(3);
        if is_open && random.one_in(2) {
            state = before;
        }
        let (called, returned) = (point - random.below(9), point + random.below(9));
        let returned = (!is_open || random.one_in(2)).then_some(returned);
        let outcome = (!is_open).then_some(outcome);
        Call { client: u32::try_from(number).unwrap(), operation, called, returned, outcome }
    };
    calls.map(call).collect()
}

#[test]
fn the_checker_says_what_trying_all_orders_says() {
    let (mut good, mut bad) = (0, 0);
    for number in 0..from_env("IFMATCH_RUNS", 4_000) {
        let history = some_history(&mut Random::of(from_env("IFMATCH_SEED", 3), number));
        let expected = is_linearizable(&Document, &history);
        let found = check(&Document, &history);
        assert_eq!(found.is_ok(), expected, "{number}: {found:?} {history:#?}");
        *if expected { &mut good } else { &mut bad } += 1;
    }
    assert!(good > 100 && bad > 100, "{good} good, {bad} bad: both are tried");
}
