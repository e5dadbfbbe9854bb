//! Everything that a store is asked, true and false, with and without outcomes: the checker says what trying all orders says.

use ifmatch::testing::{Call, History, Model, StoreModel, StoreOperation, StoreOutcome, check};
use ifmatch::{KeyRange, Precondition, Requirement};

use crate::all_orders::is_linearizable;
use crate::common::{Random, from_env};
use crate::rows::{history, newest, put};
use crate::simulated::{Asked, Simulated, Told, revision};

/// What a simulated store was asked; some outcomes are forgotten, and some calls are of nobody.
fn some_history(random: &mut Random) -> Vec<Call<Asked, Told>> {
    let steps = 3 + random.below(5);
    let made = Simulated::new(random, steps, true);
    let mut calls = made.calls.clone();
    for call in &mut calls {
        if random.one_in(3)
            && let Some(outcome) = call.outcome.take()
        {
            match StoreModel::new().forget(&call.operation, &outcome) {
                Some(operation) => {
                    call.operation = operation;
                    call.returned = call.returned.filter(|_| random.one_in(2));
                }
                None => call.outcome = Some(outcome),
            }
        }
    }
    for _ in 0..random.below(4) {
        let called = random.below(made.end() + 5);
        let (operation, outcome) = if random.one_in(5) {
            (of_unknown_outcome(random, made.newest), None)
        } else {
            let (operation, outcome) = of_nobody(random, made.newest);
            (operation, Some(outcome))
        };
        let returned = called + random.below(30);
        let returned = (outcome.is_some() || random.one_in(2)).then_some(returned);
        calls.push(Call { client: 0, operation, called, returned, outcome });
    }
    (0..).zip(&mut calls).for_each(|(number, call)| call.client = number);
    calls
}

fn of_nobody(random: &mut Random, newest: u64) -> (Asked, Told) {
    let key = u8::try_from(random.below(3)).unwrap();
    let at = revision(1 + random.below(newest + 3));
    match random.below(6) {
        0 => {
            let keys = usize::try_from(random.below(4)).unwrap();
            (Asked::Len, Told::Counted { revision: random.one_in(2).then_some(at), keys })
        }
        1 => (Asked::Contains(key), Told::Contained(random.one_in(2))),
        2 => (Asked::Reopen, Told::Revision(at)),
        3 => (Asked::Revision, Told::Revision(at)),
        4 => {
            let delete = Asked::Delete { key, precondition: Precondition::Any };
            (delete, Told::Deleted(None))
        }
        _ => {
            let since = revision(1 + random.below(newest + 3));
            let watch = Asked::Watch { range: KeyRange::all(), since };
            (watch, Told::Watched { revision: at, changes: Vec::new() })
        }
    }
}

fn of_unknown_outcome(random: &mut Random, newest: u64) -> Asked {
    let key = u8::try_from(random.below(3)).unwrap();
    let at = revision(1 + random.below(newest + 2));
    match random.below(4) {
        0 => Asked::Put { key, value: 77, precondition: Precondition::Any },
        1 => Asked::Delete { key, precondition: Precondition::Any },
        2 => Asked::Delete { key, precondition: at.into() },
        _ => {
            let requirements = vec![Requirement::Key(key, at.into())];
            Asked::Commit { requirements, changes: Vec::new() }
        }
    }
}

/// What is shown, and beside it those calls of which nobody knew the outcome.
fn beside_what_is_open(
    shown: &History<Asked, Told>,
    calls: &[Call<Asked, Told>],
) -> History<Asked, Told> {
    let is_shown =
        |call: &&Call<Asked, Told>| shown.iter().any(|shown| shown.client == call.client);
    let open = calls.iter().filter(|call| call.outcome.is_none() && !is_shown(call));
    shown.iter().chain(open).cloned().collect()
}

#[test]
fn the_checker_says_what_trying_all_orders_says() {
    let model = StoreModel::new();
    let (mut good, mut bad) = (0, 0);
    for number in 0..from_env("IFMATCH_RUNS", 2_000) {
        let calls = some_history(&mut Random::of(from_env("IFMATCH_SEED", 77), number));
        if calls.len() > 9 {
            continue;
        }
        let history: History<_, _> = calls.iter().cloned().collect();
        let (expected, found) = (is_linearizable(&model, &history), check(&model, &history));
        assert_eq!(found.is_ok(), expected, "{number}: {found:?} {history:#?}");
        *if expected { &mut good } else { &mut bad } += 1;
        if let Err(error) = found {
            let violation = error.violation().expect("it is decided");
            if violation.start().is_none() {
                let beside = beside_what_is_open(violation.history(), &calls);
                assert!(
                    !is_linearizable(&model, &beside),
                    "{number}: it has an order: {violation}"
                );
            }
        }
    }
    assert!(good > 100 && bad > 100, "{good} good, {bad} bad: both are tried");
}

/// The open write explains the revision 2; that of the first revision at the end is what is wrong.
#[test]
fn what_an_open_call_explains_is_not_accused() {
    let history = history(vec![
        (0, 1, StoreOperation::Revision, newest(1)),
        (0, 0, put(1, 1, Precondition::Any), None),
        (2, 3, StoreOperation::Revision, newest(2)),
        (4, 5, StoreOperation::Revision, newest(1)),
    ]);
    let error = check(&StoreModel::new(), &history).unwrap_err();
    let violation = error.violation().expect("it is decided");
    let beside = beside_what_is_open(violation.history(), history.calls());
    assert!(!is_linearizable(&StoreModel::new(), &beside), "{violation}");
    let last = violation
        .history()
        .iter()
        .any(|call| call.called == 4 && matches!(call.outcome, Some(StoreOutcome::Revision(_))));
    assert!(last, "{violation}");
}
