//! A history that no order explains, and why.

use std::path::Path;
use std::{fmt, io};

use crate::testing::history::History;
use crate::testing::report::{self, Layout};

/// A history that is not linearizable, shrunk.
///
/// What is left is what is needed to see it. Its calls are those of the history that was checked, but for some that are left
/// out.
pub struct Violation<O, T> {
    pub(super) history: History<O, T>,
    pub(super) order: Vec<usize>,
    pub(super) blocked: Vec<Blocked>,
    pub(super) state: String,
    pub(super) start: Option<String>,
    pub(super) left_out: usize,
    pub(super) before: usize,
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

    /// The state from which these calls start, if others that are not shown led to it: of necessity, or, if there may be other
    /// orders, in the longest one that was found ([`before`](Self::before)).
    #[must_use]
    pub fn start(&self) -> Option<&str> {
        self.start.as_deref()
    }

    /// How many of those that are not shown come first in the longest order that was found, and change something, if there may
    /// be other orders: what is shown is where that one breaks off.
    #[must_use]
    pub fn before(&self) -> usize {
        self.before
    }

    /// The state after [`order`](Self::order).
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }
}

impl<O: fmt::Debug, T: fmt::Debug> Violation<O, T> {
    /// A page with a timeline, for a browser: one file, without scripts, in light and dark. At most 200 calls are drawn.
    #[must_use]
    pub fn to_html(&self) -> String {
        report::html(&Layout::new(self, report::HTML_CALLS))
    }

    /// Writes [`to_html`](Self::to_html) to a file: an artefact of a test that failed. Directories that are missing are made.
    ///
    /// # Errors
    /// Those of the file system, with the path.
    pub fn write_html(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(path, self.to_html()))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }
}

/// A timeline of 100 columns, the longest order found, and why it does not go on. At most 20 calls are drawn.
impl<O: fmt::Debug, T: fmt::Debug> fmt::Display for Violation<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&report::text(&Layout::new(self, report::TEXT_CALLS)))
    }
}

impl<O: fmt::Debug, T: fmt::Debug> fmt::Debug for Violation<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
