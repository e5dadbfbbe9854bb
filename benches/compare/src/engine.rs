//! What is compared: something that keeps values under keys, each with a revision.

use std::path::Path;

use futures::future::{BoxFuture, FutureExt, ready};
use serde::{Deserialize, Serialize};

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;
/// Bytes of a value, unless it is its size that is looked at.
pub const VALUE_BYTES: usize = 100;

/// How many writes are under way at a time while a store with a log is filled, where that is its user's choice.
pub const FILL_BATCH: usize = 1000;

/// Keys, and what is written under them.
pub type Entries<'a> = dyn Iterator<Item = (Key, Vec<u8>)> + 'a;

/// Many threads use one at the same time.
pub trait Engine: Send + Sync {
    /// Reads: the revision, and the first byte of the value, so that the value has come to the reader.
    fn get(&self, key: &str) -> Option<(u64, u8)>;

    /// Writes if the key is still at this revision.
    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool;

    /// The same, and does not wait for the disk: many may be under way.
    fn submit<'a>(&'a self, key: &str, expected: u64, value: &[u8]) -> BoxFuture<'a, bool> {
        ready(self.swap(key, expected, value)).boxed()
    }

    /// Writes keys, whatever is there, in as large pieces as it likes.
    fn fill(&self, entries: &mut Entries<'_>);

    /// From now on so many follow all writes, and so many snapshots, of now, are kept.
    ///
    /// # Panics
    /// If it has no such thing.
    fn burden(&self, burden: Burden) {
        assert_eq!(burden, Burden::default(), "it has neither watches nor snapshots");
    }

    /// What who follows has heard since this was asked last.
    fn heard(&self) -> Heard {
        Heard::default()
    }
}

/// What a store has to do beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burden {
    /// Who follows all writes.
    pub watchers: usize,
    /// States that are kept.
    pub snapshots: usize,
}

/// What who follows was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Changes of a key, each as often as somebody heard of it.
    pub events: u64,
    /// How many were told that they are too slow, and missed some.
    pub lagging: usize,
    /// How often.
    pub lags: u64,
}

/// An engine, and how it is made in an empty directory, to which one in memory pays no heed.
#[derive(Clone, Copy)]
pub struct Contender {
    /// What the tables call it.
    pub name: &'static str,
    /// Makes one.
    pub open: fn(&Path) -> Box<dyn Engine>,
    /// Whether its `submit` is more than its `swap`.
    pub submits: bool,
    /// Whether it is beside the point who is faster: it does less.
    pub is_limit: bool,
}

impl Contender {
    /// A peer.
    #[must_use]
    pub const fn new(name: &'static str, open: fn(&Path) -> Box<dyn Engine>) -> Self {
        Self { name, open, submits: false, is_limit: false }
    }
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

/// The value that this number is written as. It cannot be compressed: nobody's place on the disk is to depend on that. (Of a
/// long one only the beginning is made anew: making it is not what is measured.)
pub fn write_value(number: u64, value: &mut [u8]) {
    let end = value.len().min(VALUE_BYTES);
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for word in value[..end].chunks_mut(8) {
        word.copy_from_slice(&mixed.to_le_bytes()[..word.len()]);
        mixed = mixed.wrapping_add(0xd1b5_4a32_d192_ed03).rotate_left(23);
    }
}

/// The same, of that many bytes.
#[must_use]
pub fn value(number: u64, bytes: usize) -> Vec<u8> {
    let mut value = vec![0; bytes];
    write_value(number, &mut value);
    value
}
