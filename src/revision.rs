//! The revision: the one clock of a store.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of a commit, and of every value that the commit wrote.
///
/// Revisions are global to a store, strictly increasing in commit order, and never used twice: not
/// after a delete, not after a crash. They need not be consecutive. The same notion is etcd's
/// `mod_revision` and the `resourceVersion` of Kubernetes.
///
/// A revision is never zero, so that absence cannot be mistaken for one, and at most
/// [`Revision::MAX`], 2^53 - 1, so that it survives JSON and JavaScript unchanged.
///
/// ```
/// use ifmatch::Revision;
///
/// let revision: Revision = "7".parse()?;
/// assert_eq!(revision.get(), 7);
/// assert!(Revision::try_from(0).is_err());
/// assert!(Revision::try_from(1 << 53).is_err());
/// # Ok::<(), ifmatch::InvalidRevision>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Revision(NonZeroU64);

impl Revision {
    /// The smallest revision, 1.
    pub const MIN: Self = Self(NonZeroU64::MIN);

    /// The largest revision, 2^53 - 1 (JavaScript's `Number.MAX_SAFE_INTEGER`).
    pub const MAX: Self = match NonZeroU64::new((1 << 53) - 1) {
        Some(max) => Self(max),
        None => Self::MIN,
    };

    /// The revision after this one; `None` after the largest.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) if next.get() <= Self::MAX.get() => Some(Self(next)),
            _ => None,
        }
    }

    /// The revision as a plain number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// A number that cannot be a [`Revision`]: zero, above 2^53 - 1, or not a decimal number at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a revision is a decimal number from 1 to {}", Revision::MAX.get())]
pub struct InvalidRevision;

impl TryFrom<u64> for Revision {
    type Error = InvalidRevision;

    fn try_from(number: u64) -> Result<Self, InvalidRevision> {
        match NonZeroU64::new(number) {
            Some(number) if number <= Self::MAX.0 => Ok(Self(number)),
            _ => Err(InvalidRevision),
        }
    }
}

impl From<Revision> for u64 {
    fn from(revision: Revision) -> u64 {
        revision.get()
    }
}

/// Digits only: no sign, no space, no leading zero, so that one revision has one spelling.
impl FromStr for Revision {
    type Err = InvalidRevision;

    fn from_str(text: &str) -> Result<Self, InvalidRevision> {
        if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidRevision);
        }
        let number: u64 = text.parse().map_err(|_| InvalidRevision)?;
        Self::try_from(number)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_exact_at_both_edges() {
        let cases: [(&str, Option<u64>); 10] = [
            ("0", None),
            ("1", Some(1)),
            ("9007199254740991", Some((1 << 53) - 1)),
            ("9007199254740992", None),
            ("18446744073709551616", None),
            ("01", None),
            ("+1", None),
            (" 1", None),
            ("", None),
            ("١", None),
        ];
        for (text, expected) in cases {
            let parsed = text.parse::<Revision>().ok().map(Revision::get);
            assert_eq!(parsed, expected, "{text:?}");
        }
    }
}
