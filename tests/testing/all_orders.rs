//! The checker's oracle: tries every order, and knows nothing else.

use ifmatch::testing::{Call, History, Model, Step};

/// Whether any order of the calls, those of unknown outcome there or not, is one that the model and the stamps allow.
pub(crate) fn is_linearizable<M: Model>(
    model: &M,
    history: &History<M::Operation, M::Outcome>,
) -> bool {
    is_linearizable_from(model, model.initial(), history)
}

/// The same, from another state than that of the model.
pub(crate) fn is_linearizable_from<M: Model>(
    model: &M,
    start: M::State,
    history: &History<M::Operation, M::Outcome>,
) -> bool {
    let calls: Vec<_> = history.calls().iter().collect();
    goes_on(model, start, &calls)
}

fn goes_on<M: Model>(
    model: &M,
    state: M::State,
    waiting: &[&Call<M::Operation, M::Outcome>],
) -> bool {
    waiting.iter().all(|call| call.outcome.is_none())
        || waiting.iter().enumerate().any(|(next, call)| {
            // Nobody who waits was over before it, and has to be there; whoever need not be there is left out then.
            let is_before = |other: &&Call<_, _>| other.precedes(call);
            if waiting.iter().any(|other| other.outcome.is_some() && is_before(other)) {
                return false;
            }
            let rest = waiting
                .iter()
                .enumerate()
                .filter(|(index, other)| *index != next && !is_before(other));
            let rest: Vec<_> = rest.map(|(_, call)| *call).collect();
            let mut state = state.clone();
            model.step(&mut state, &call.operation, call.outcome.as_ref()) != Step::Impossible
                && goes_on(model, state, &rest)
        })
}
