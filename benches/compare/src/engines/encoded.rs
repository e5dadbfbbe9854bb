//! Values as the stores of bytes keep them: the revision, 8 bytes, before the value. It is the key's own, counted by the writes
//! to it: a count of the whole store would need a second key, which all writers would wait for.

use crate::engine::VALUE_BYTES;

/// With its revision.
pub type Encoded = [u8; 8 + VALUE_BYTES];

/// What a key begins with.
pub const FIRST: u64 = 1;

#[must_use]
pub fn encode(revision: u64, value: &[u8]) -> Encoded {
    let mut encoded = [0; 8 + VALUE_BYTES];
    encoded[..8].copy_from_slice(&revision.to_le_bytes());
    encoded[8..].copy_from_slice(value);
    encoded
}

#[must_use]
pub fn revision(encoded: &[u8]) -> u64 {
    u64::from_le_bytes(*encoded.first_chunk().expect("it begins with its revision"))
}

/// What a read gives.
#[must_use]
pub fn read(encoded: &[u8]) -> (u64, u8) {
    (revision(encoded), encoded[8])
}
