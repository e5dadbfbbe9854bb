//! A history that no order explains, and why.

use std::fmt;

use crate::testing::history::History;

/// A history that is not linearizable, shrunk.
///
/// What is left is what is needed to see it. Its calls are those of the history that was checked, but for some that are left
/// out, and some whose outcome does not matter, and is not shown.
pub struct Violation<O, T> {
    pub(super) history: History<O, T>,
    pub(super) order: Vec<usize>,
    pub(super) blocked: Vec<Blocked>,
    pub(super) state: String,
    pub(super) start: Option<String>,
    pub(super) left_out: usize,
}

/// A call that cannot come next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Its place in [`Violation::history`].
    pub call: usize,
    /// Why not.
    pub reason: String,
}

impl<O, T> Violation<O, T> {
    /// The calls that contradict each other, in the order in which they began.
    #[must_use]
    pub fn history(&self) -> &History<O, T> {
        &self.history
    }

    /// The longest beginning of an order that was found: places in [`history`](Self::history).
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The calls one of which would have to come next, and why none can.
    #[must_use]
    pub fn blocked(&self) -> &[Blocked] {
        &self.blocked
    }

    /// How many calls are not shown.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The state from which these calls start, if others that are not shown led to it.
    #[must_use]
    pub fn start(&self) -> Option<&str> {
        self.start.as_deref()
    }

    /// The state after [`order`](Self::order).
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }
}

impl<O: fmt::Debug, T: fmt::Debug> fmt::Display for Violation<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no order explains these calls")?;
        for (number, call) in self.history.calls().iter().enumerate() {
            writeln!(f, "{number} {call:?}")?;
        }
        for blocked in &self.blocked {
            writeln!(f, "call {}: {}", blocked.call, blocked.reason)?;
        }
        Ok(())
    }
}

impl<O: fmt::Debug, T: fmt::Debug> fmt::Debug for Violation<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
