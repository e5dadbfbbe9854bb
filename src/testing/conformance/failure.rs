//! How a case says that a backend does not hold what it should.

use std::error::Error;
use std::fmt::{self, Debug};
use std::panic::Location;

/// What a case found, and where it looked.
pub struct Failure {
    what: String,
    at: &'static Location<'static>,
}

/// What a case ends with.
pub(super) type Verdict<T = ()> = Result<T, Failure>;

/// So much of a value is shown.
const MAX_SHOWN: usize = 400;

impl Failure {
    #[track_caller]
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), at: Location::caller() }
    }
}

/// The backend answered with an error where it had no reason to.
impl<E: Error> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        let mut what = format!("unexpected error: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            what.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self::new(what)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.what, self.at.file(), self.at.line())
    }
}

/// For people, as what a test returns is shown by it.
impl Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Fails unless it `holds`.
#[track_caller]
pub(super) fn ensure(holds: bool, what: &str) -> Verdict {
    if holds { Ok(()) } else { Err(Failure::new(what)) }
}

/// Fails unless what was `found` is what was `expected`.
#[track_caller]
pub(super) fn ensure_eq<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Verdict {
    if found == expected {
        return Ok(());
    }
    Err(Failure::new(format!("{what}: found {}, expected {}", shown(&found), shown(&expected))))
}

/// A result that was to be an error.
#[track_caller]
pub(super) fn refused<T, E>(what: &str, result: Result<T, E>) -> Verdict<E> {
    match result {
        Ok(_) => Err(Failure::new(format!("{what}: it succeeded"))),
        Err(error) => Ok(error),
    }
}

/// An option that was to be something.
#[track_caller]
pub(super) fn some<T>(what: &str, option: Option<T>) -> Verdict<T> {
    option.ok_or_else(|| Failure::new(format!("{what}: it is missing")))
}

#[track_caller]
pub(super) fn unexpected<T>(what: &str, found: &dyn Debug) -> Verdict<T> {
    Err(Failure::new(format!("{what}: found {}", shown(found))))
}

fn shown(value: &dyn Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
