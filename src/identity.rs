//! Which store a revision belongs to.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};

/// The identity of a store: random, made when the store is, kept in its log.
///
/// A revision names one content only within one store. Whoever hands revisions to the outside, as an ETag for
/// example, puts the identity beside them, so that a client's old revision never matches another store's content:
///
/// ```
/// use ifmatch::Store;
/// let (one, other) = (Store::<String, u32>::new(), Store::<String, u32>::new());
/// assert_ne!(one.identity(), other.identity());
/// ```
///
/// It is not a secret, and not a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity([u8; 16]);

impl Identity {
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&random().to_le_bytes());
        bytes[8..].copy_from_slice(&random().to_le_bytes());
        Self(bytes)
    }

    /// For backends of your own: the same bytes for all handles of a store, random ones for every store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The identity as bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

/// In hexadecimal: 32 digits.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A random number: the standard library's hasher is keyed by the operating system's randomness, with another key
/// for each instance.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
