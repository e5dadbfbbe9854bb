//! What is compared: something that keeps values under keys, each with a revision.

use std::path::Path;

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;
/// Bytes of a value.
pub const VALUE_BYTES: usize = 100;

/// Keys, and what is written under them.
pub type Entries<'a> = dyn Iterator<Item = (Key, [u8; VALUE_BYTES])> + 'a;

/// Many threads use one at the same time.
pub trait Engine: Send + Sync {
    /// Reads: the revision, and the first byte of the value, so that the value has come to the reader.
    fn get(&self, key: &str) -> Option<(u64, u8)>;

    /// Writes if the key is still at this revision.
    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool;

    /// Writes new keys, in as large pieces as it likes.
    fn fill(&self, entries: &mut Entries<'_>);
}

/// An engine, and how it is made in an empty directory, to which one in memory pays no heed.
#[derive(Clone, Copy)]
pub struct Contender {
    /// What the tables call it.
    pub name: &'static str,
    /// Makes one.
    pub open: fn(&Path) -> Box<dyn Engine>,
}

/// The name of the key of this number: 16 letters, in no order.
#[derive(Clone, Copy)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// The same number gives the same name.
    #[must_use]
    pub fn new(number: u64) -> Self {
        // Odd, so that no two numbers share a name.
        let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut name = [0; KEY_BYTES];
        for letter in &mut name {
            *letter = b'a' + (mixed >> 60) as u8;
            mixed <<= 4;
        }
        Self(name)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("letters are text")
    }
}

/// The value that this number is written as.
#[must_use]
pub fn value(number: u64) -> [u8; VALUE_BYTES] {
    let mut value = [b'v'; VALUE_BYTES];
    value[..8].copy_from_slice(&number.to_le_bytes());
    value
}
