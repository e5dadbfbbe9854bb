//! What not every backend can do.

use std::fmt;

/// Something that a store in this process does, and another backend may not.
///
/// A backend that lacks one answers [`Unsupported`](crate::ReadError::Unsupported), or refuses a write with
/// [`Reason::Unsupported`](crate::Reason::Unsupported); it never does half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// The versions that a key had.
    History,
    /// The state at a revision of the past.
    Past,
    /// Being told of commits.
    Watch,
    /// "Nothing exists in this range", as a condition of a transaction.
    EmptyRange,
    /// "Nothing changed in this range", as a condition of a transaction.
    UnchangedRange,
    /// Keys of any bytes. A backend without it takes texts such as `users/42`, and says what else it refuses.
    AnyKey,
}

/// What a server says that its store can do.
#[cfg(any(feature = "http", feature = "client"))]
pub(crate) const NAMED: [(Capability, &str); 5] = [
    (Capability::History, "history"),
    (Capability::Past, "past"),
    (Capability::Watch, "watch"),
    (Capability::EmptyRange, "empty"),
    (Capability::UnchangedRange, "unchanged_since"),
];

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::History => "the history of a key",
            Self::Past => "the state at a past revision",
            Self::Watch => "watching",
            Self::EmptyRange => "the condition that this range is empty",
            Self::UnchangedRange => "the condition that this range is unchanged",
            Self::AnyKey => "keys of any bytes",
        })
    }
}
