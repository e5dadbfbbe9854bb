//! What is shown of a violation is one.

use std::fmt::Debug;

use ifmatch::testing::{Call, History, Model, StoreModel, check};

use crate::all_orders::{is_linearizable, is_linearizable_from};
use crate::common::{Random, from_env};
use crate::generated::{of_a_register, of_a_store};
use crate::register::Register;

/// The states to which calls lead that were told revisions, in the order of these: of all, and of each part alone.
fn starts<M: Model>(model: &M, history: &History<M::Operation, M::Outcome>) -> Vec<M::State> {
    let told = |call| revision_of(model, call);
    let mut calls: Vec<_> = history.calls().iter().filter(|call| told(call).is_some()).collect();
    calls.sort_by_key(|call| (told(call), call.called));
    let mut parts: Vec<_> = history.iter().map(|call| model.part(&call.operation)).collect();
    parts.push(None);
    let mut states = Vec::new();
    for part in parts {
        let mut state = model.initial();
        for call in &calls {
            let own = model.part(&call.operation);
            if part.is_none_or(|part| own.is_none_or(|own| own == part)) {
                model.step(&mut state, &call.operation, call.outcome.as_ref());
                states.push(state.clone());
            }
        }
    }
    states
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
    } else if let Some(start) = violation.start() {
        let starts = starts(model, history);
        let mut starts = starts.iter().filter(|state| format!("{state:?}") == start).peekable();
        assert!(starts.peek().is_some(), "no calls lead to it: {violation}");
        // Beside those whose outcome nobody knows: what is shown does not rest on their absence.
        let is_shown = |call: &&Call<_, _>| {
            shown
                .calls()
                .iter()
                .any(|shown| (shown.client, shown.called) == (call.client, call.called))
        };
        let open = history.calls().iter().filter(|call| call.outcome.is_none() && !is_shown(call));
        let beside: History<_, _> = shown.calls().iter().chain(open).cloned().collect();
        for state in starts {
            let is_explained = is_linearizable_from(model, state.clone(), shown);
            assert!(!is_explained, "it has an order: {violation}");
            if beside.len() < 9 {
                let is_explained = is_linearizable_from(model, state.clone(), &beside);
                assert!(!is_explained, "it has an order beside what is open: {violation}");
            }
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
