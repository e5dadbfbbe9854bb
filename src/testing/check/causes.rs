//! Which calls are the causes of one that cannot go on.

use super::search::{CallOf, Prepared, is_read};
use crate::testing::model::{Model, Step};

/// Those calls of this order that explain why `blocked` is not the next: the last one after which it would have been
/// possible, and the one after which it was not any more. Reads change nothing, and are no causes.
pub(super) fn causes<M: Model>(
    model: &M,
    whole: &Prepared<'_, M>,
    order: &[usize],
    blocked: usize,
) -> impl Iterator<Item = usize> {
    let step = |state: &mut M::State, call: usize| {
        let call: &CallOf<M> = whole.calls[call];
        model.step(state, &call.operation, call.outcome.as_ref())
    };
    let is_possible = |state: &M::State| step(&mut state.clone(), blocked) != Step::Impossible;
    let mut state = model.initial();
    let (mut made, mut unmade, mut was) = (None, None, is_possible(&state));
    for call in order.iter().copied().take_while(|call| *call != blocked) {
        if step(&mut state, call) != Step::Changed || is_read(model, whole.calls[call]) {
            continue;
        }
        match (was, is_possible(&state)) {
            (false, true) => (made, unmade, was) = (Some(call), None, true),
            (true, false) => (unmade, was) = (Some(call), false),
            _ => {}
        }
    }
    made.into_iter().chain(unmade)
}
