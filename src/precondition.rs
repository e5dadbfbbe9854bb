//! What a write may demand of the key before it takes place.

use crate::revision::Revision;
use crate::versioned::Versioned;

/// The state in which a key has to be for a write to take place.
///
/// It is checked against the newest state of the key, in one step with the write. A [`Revision`]
/// converts into the precondition that the key is still at it:
///
/// ```
/// # let store: ifmatch::Store<String, u32> = ifmatch::Store::new();
/// let revision = store.create("n", 1)?;
/// store.put_if("n", 2, revision)?;
/// store.put_if("n", 3, ifmatch::Precondition::Present)?;
/// assert!(store.put_if("n", 4, revision).is_err());
/// # Ok::<(), ifmatch::WriteError<String, u32>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precondition {
    /// No demand: the write always takes place.
    Any,
    /// The key must not exist (HTTP: `If-None-Match: *`).
    Absent,
    /// The key must exist, at whatever revision (HTTP: `If-Match: *`).
    Present,
    /// The key must exist and be at exactly this revision (HTTP: `If-Match` with an ETag).
    Revision(Revision),
}

impl Precondition {
    /// Whether a key at `current` (`None`: absent) satisfies the demand.
    #[must_use]
    pub fn holds(self, current: Option<Revision>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Present => current.is_some(),
            Self::Revision(expected) => current == Some(expected),
        }
    }
}

impl From<Revision> for Precondition {
    fn from(revision: Revision) -> Self {
        Self::Revision(revision)
    }
}

/// The key must be exactly as it was read.
impl<V> From<&Versioned<V>> for Precondition {
    fn from(entry: &Versioned<V>) -> Self {
        Self::Revision(entry.revision())
    }
}
