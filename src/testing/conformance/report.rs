//! What came of all cases.

use std::fmt;

use super::failure::Failure;

/// What came of each case.
#[derive(Debug)]
pub struct Report(Vec<(&'static str, Result<(), Failure>)>);

impl Report {
    pub(super) fn new(verdicts: Vec<(&'static str, Result<(), Failure>)>) -> Self {
        Self(verdicts)
    }

    /// Whether the backend holds everything.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The cases that failed, and what they found.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &Failure)> {
        self.0.iter().filter_map(|(name, verdict)| Some((*name, verdict.as_ref().err()?)))
    }
}

/// A line for each case that failed, and their number.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, failure) in self.failures() {
            writeln!(f, "{name}: {failure}")?;
        }
        write!(f, "{} of {} cases failed", self.failures().count(), self.0.len())
    }
}
