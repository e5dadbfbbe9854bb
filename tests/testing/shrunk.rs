//! What is shown of a violation is one.

use std::fmt::Debug;

use ifmatch::testing::{Call, History, Model, Step, StoreModel, check};

use crate::all_orders::{is_linearizable, is_linearizable_from};
use crate::common::{Random, from_env};
use crate::generated::{of_a_register, of_a_store};
use crate::register::Register;

/// The only order, as far as it goes, where revisions alone tell it: whatever can come next comes, reads first.
fn forced_order<M: Model>(
    model: &M,
    history: &History<M::Operation, M::Outcome>,
) -> Vec<Call<M::Operation, M::Outcome>> {
    let mut waiting: Vec<_> =
        history.calls().iter().filter(|call| call.outcome.is_some()).cloned().collect();
    let is_read = |call: &Call<_, _>| {
        call.outcome.as_ref().is_some_and(|told| model.is_read(&call.operation, told))
    };
    waiting.sort_by_key(|call| !is_read(call));
    let (mut state, mut order) = (model.initial(), Vec::new());
    while let Some(next) = waiting.iter().position(|call| {
        let told = revision_of(model, call);
        let is_before = |other: &Call<_, _>| {
            let is_lower = revision_of(model, other).zip(told.clone());
            other.precedes(call) || is_lower.is_some_and(|(lower, told)| lower < told)
        };
        let outcome = call.outcome.as_ref();
        !waiting.iter().any(is_before)
            && model.step(&mut state.clone(), &call.operation, outcome) != Step::Impossible
    }) {
        let call = waiting.remove(next);
        model.step(&mut state, &call.operation, call.outcome.as_ref());
        order.push(call);
    }
    order
}

/// The state before those that are shown: of their part, if they are of one.
fn start<M: Model>(
    model: &M,
    history: &History<M::Operation, M::Outcome>,
    shown: &[Call<M::Operation, M::Outcome>],
) -> M::State {
    let part = |call: &Call<_, _>| model.part(&call.operation);
    let only = part(&shown[0]).filter(|only| shown.iter().all(|call| part(call) == Some(*only)));
    let mut state = model.initial();
    for call in forced_order(model, history) {
        if shown.iter().any(|shown| (shown.client, shown.called) == (call.client, call.called)) {
            break;
        }
        if only.is_none() || part(&call).is_none() || part(&call) == only {
            model.step(&mut state, &call.operation, call.outcome.as_ref());
        }
    }
    state
}

fn revision_of<M: Model>(model: &M, call: &Call<M::Operation, M::Outcome>) -> Option<M::Revision> {
    model.revision(&call.operation, call.outcome.as_ref()?)
}

/// Whether it was violated, and what is shown of it is right.
fn is_well_shown<M: Model>(model: &M, history: &History<M::Operation, M::Outcome>) -> bool
where
    M::Operation: PartialEq,
    M::Outcome: PartialEq + Debug,
{
    let Err(error) = check(model, history) else { return false };
    let violation = error.violation().expect("it is small");
    let shown = violation.history();
    assert_eq!(shown.len() + violation.left_out(), history.len(), "{violation}");
    for call in shown.calls() {
        let is_of_it = history.calls().iter().any(|original| {
            (original.client, original.called) == (call.client, call.called)
                && (call.outcome.is_none() || call == original)
        });
        assert!(is_of_it, "{call:?} is of nobody: {violation}");
    }
    if violation.before() > 0 {
        // An example: one order, and where it breaks off. That there is no other is another's to say.
        assert!(!is_linearizable(model, history), "it has an order: {violation}");
    } else if let Some(told) = violation.start() {
        let start = start(model, history, shown.calls());
        assert_eq!(format!("{start:?}"), told, "it is another: {violation}");
        let is_explained = is_linearizable_from(model, start.clone(), shown);
        assert!(!is_explained, "it has an order: {violation}");
        // Beside those whose outcome nobody knows: what is shown does not rest on their absence.
        let is_shown = |call: &&Call<_, _>| {
            shown
                .calls()
                .iter()
                .any(|shown| (shown.client, shown.called) == (call.client, call.called))
        };
        let open = history.calls().iter().filter(|call| call.outcome.is_none() && !is_shown(call));
        let beside: History<_, _> = shown.calls().iter().chain(open).cloned().collect();
        if beside.len() < 9 {
            let is_explained = is_linearizable_from(model, start, &beside);
            assert!(!is_explained, "it has an order beside what is open: {violation}");
        }
    } else {
        assert!(!is_linearizable(model, shown), "it has an order: {violation}");
        for left_out in 0..shown.len() {
            let call = &shown.calls()[left_out];
            let is_read = |told: &M::Outcome| model.is_read(&call.operation, told);
            if call.outcome.as_ref().is_some_and(is_read) {
                let rest = shown.calls().iter().enumerate();
                let rest = rest.filter(|(index, _)| *index != left_out);
                let rest: History<_, _> = rest.map(|(_, call)| call.clone()).collect();
                assert!(is_linearizable(model, &rest), "read {left_out} may go: {violation}");
            }
        }
    }
    let again = check(model, history).expect_err("it was one").to_string();
    assert_eq!(again, violation.to_string());
    true
}

#[test]
fn what_is_shown_of_a_violation_is_one_and_no_read_is_too_many() {
    let seed = from_env("IFMATCH_SEED", 2);
    let mut violated = 0;
    for number in 0..from_env("IFMATCH_RUNS", 4_000) {
        let mut random = Random::of(seed, number);
        violated += u32::from(if number % 2 == 0 {
            is_well_shown(&Register, &of_a_register(&mut random))
        } else {
            is_well_shown(&StoreModel::new(), &of_a_store(&mut random))
        });
    }
    assert!(violated > 100, "{violated} are violated");
}

#[test]
fn a_page_escapes_what_is_in_it() {
    let store: ifmatch::Store<String, String> = ifmatch::Store::new();
    let recorder = ifmatch::testing::Recorder::new();
    let client = recorder.client().of(&store);
    store.put("<script>", "</svg>&".to_owned()).unwrap();
    assert!(client.get("<script>").is_some());
    let error = check(&StoreModel::new(), &recorder.take()).unwrap_err();
    let page = error.violation().unwrap().to_html();
    assert!(page.contains("&lt;script&gt;") && page.contains("&lt;/svg&gt;&amp;"), "{page}");
    assert!(!page.contains("<script") && page.matches("</svg>").count() == 1, "{page}");
}
