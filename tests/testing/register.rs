//! A register without revisions, as small as a model can be.

use ifmatch::testing::{Model, Step};
use serde::{Deserialize, Serialize};

/// A register that holds 0 at first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Register;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    Read,
    Write(u8),
    /// If it holds the first, write the second.
    Swap(u8, u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    Read(u8),
    Done,
    Lost,
}

impl Model for Register {
    type Operation = Asked;
    type Outcome = Told;
    type State = u8;
    type Revision = ();

    fn initial(&self) -> u8 {
        0
    }

    fn step(&self, state: &mut u8, operation: &Asked, outcome: Option<&Told>) -> Step {
        let (told, next) = match *operation {
            Asked::Read => (Told::Read(*state), *state),
            Asked::Write(value) => (Told::Done, value),
            Asked::Swap(expected, value) if expected == *state => (Told::Done, value),
            Asked::Swap(..) => (Told::Lost, *state),
        };
        if outcome.is_some_and(|outcome| *outcome != told) {
            return Step::Impossible;
        }
        let step = if *state == next { Step::Unchanged } else { Step::Changed };
        *state = next;
        step
    }

    fn is_read(&self, operation: &Asked, outcome: &Told) -> bool {
        *operation == Asked::Read || *outcome == Told::Lost
    }
}
