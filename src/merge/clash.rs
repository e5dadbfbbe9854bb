//! A place that both sides changed differently.

use std::fmt;

use crate::json::{Json, JsonPointer};

/// A place that both sides changed, and not to the same. A side that is `None` has nothing there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    pub(super) pointer: JsonPointer,
    pub(super) base: Option<Json>,
    pub(super) mine: Option<Json>,
    pub(super) theirs: Option<Json>,
}

impl Clash {
    /// Where it is in [`Merged::document`](super::Merged::document), or would be if `theirs` had not removed it.
    #[must_use]
    pub fn pointer(&self) -> &JsonPointer {
        &self.pointer
    }

    /// What both started from.
    #[must_use]
    pub fn base(&self) -> Option<&Json> {
        self.base.as_ref()
    }

    /// What mine is.
    #[must_use]
    pub fn mine(&self) -> Option<&Json> {
        self.mine.as_ref()
    }

    /// What theirs is.
    #[must_use]
    pub fn theirs(&self) -> Option<&Json> {
        self.theirs.as_ref()
    }
}

/// One line for people; of long values only the beginning.
impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_root() {
            f.write_str("the document")?;
        } else {
            self.pointer.fmt(f)?;
        }
        f.write_str(": base ")?;
        side(f, self.base.as_ref(), "has nothing")?;
        f.write_str(", mine ")?;
        side(f, self.mine.as_ref(), "removed it")?;
        f.write_str(", theirs ")?;
        side(f, self.theirs.as_ref(), "removed it")
    }
}

/// How much of a value is shown, in characters.
const SHOWN: usize = 60;

fn side(f: &mut fmt::Formatter<'_>, value: Option<&Json>, absent: &str) -> fmt::Result {
    let Some(value) = value else { return f.write_str(absent) };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => write!(f, "{}...", &text[..end]),
        None => f.write_str(&text),
    }
}

/// What a clash is resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What mine is, also if that is nothing.
    Mine,
    /// What theirs is, also if that is nothing.
    Theirs,
    /// Something else.
    Value(Json),
}
