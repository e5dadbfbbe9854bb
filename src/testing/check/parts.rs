//! Who could tell that a call without outcome took effect.

use std::collections::HashMap;

use super::search::CallOf;
use crate::testing::model::Model;

/// The parts of the state that calls are about, by number.
pub(super) struct Parts {
    /// Of each call, its part.
    pub(super) of: Vec<usize>,
    /// Of each part, how many calls can tell what it went through: those that have an outcome, and, of [`ALL`](Self::ALL), those
    /// without, too: what they would do may depend on any part.
    pub(super) witnesses: Vec<usize>,
}

impl Parts {
    /// The number of what is more than a part.
    pub(super) const ALL: usize = 0;

    pub(super) fn new<M: Model>(model: &M, calls: &[&CallOf<M>]) -> Self {
        let (mut numbers, mut witnesses) = (HashMap::new(), vec![0]);
        let mut of = Vec::with_capacity(calls.len());
        for call in calls {
            let part = model.part(&call.operation).map_or(Self::ALL, |part| {
                *numbers.entry(part).or_insert_with(|| {
                    witnesses.push(0);
                    witnesses.len() - 1
                })
            });
            of.push(part);
            witnesses[part] += usize::from(part == Self::ALL || call.outcome.is_some());
        }
        Self { of, witnesses }
    }
}
