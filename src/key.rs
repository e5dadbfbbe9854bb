//! How callers name a key: owned, or borrowed in whatever form they have it.

use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Something that names a key of type `K`.
///
/// It is implemented for `K` and `&K` themselves, and for the borrowed forms of the usual key types:
/// `&str` where `K` is `String`, `&[u8]` where it is `Vec<u8>`, and so on. A look-up never makes an
/// owned key; a write makes one only when it has to store or to report it.
///
/// Implement it for a borrowed form of your own key type, so that `get` need not build one:
///
/// ```
/// use std::{cmp::Ordering, hash::{Hash, Hasher}};
///
/// #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
/// struct Seat { hall: String, number: u32 }
///
/// impl ifmatch::AsKey<Seat> for (&str, u32) {
///     fn hash_key<H: Hasher>(&self, state: &mut H) { self.hash(state) }
///     fn cmp_key(&self, key: &Seat) -> Ordering {
///         self.0.cmp(&key.hall).then(self.1.cmp(&key.number))
///     }
///     fn into_key(self) -> Seat { Seat { hall: self.0.to_owned(), number: self.1 } }
/// }
///
/// let store: ifmatch::Store<Seat, &str> = ifmatch::Store::new();
/// store.create(("red", 7), "Ada")?;
/// assert_eq!(*store.get(("red", 7)).expect("was created"), "Ada");
/// # Ok::<(), ifmatch::WriteError<Seat, &str>>(())
/// ```
///
/// # Consistency
///
/// `hash_key` must feed the hasher exactly what `K`'s `Hash` feeds it for the key that `into_key`
/// returns, and `cmp_key` must order as `K`'s `Ord` does. If they disagree, keys are not found.
pub trait AsKey<K> {
    /// Hashes as the key itself does.
    fn hash_key<H: Hasher>(&self, state: &mut H);

    /// Orders against a stored key as the key itself does.
    fn cmp_key(&self, key: &K) -> Ordering;

    /// Whether this names `key`; override it where that is cheaper than ordering the two.
    fn is_key(&self, key: &K) -> bool {
        self.cmp_key(key) == Ordering::Equal
    }

    /// The owned key.
    fn into_key(self) -> K;
}

impl<K: Hash + Ord> AsKey<K> for K {
    fn hash_key<H: Hasher>(&self, state: &mut H) {
        self.hash(state);
    }
    fn cmp_key(&self, key: &K) -> Ordering {
        self.cmp(key)
    }
    fn is_key(&self, key: &K) -> bool {
        self == key
    }
    fn into_key(self) -> K {
        self
    }
}

impl<K: Hash + Ord + Clone> AsKey<K> for &K {
    fn hash_key<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
    fn cmp_key(&self, key: &K) -> Ordering {
        (**self).cmp(key)
    }
    fn is_key(&self, key: &K) -> bool {
        *self == key
    }
    fn into_key(self) -> K {
        self.clone()
    }
}

macro_rules! borrowed_keys {
    ($($borrowed:ty => $($owned:ty),+;)+) => {$($(
        impl AsKey<$owned> for &$borrowed {
            fn hash_key<H: Hasher>(&self, state: &mut H) {
                (**self).hash(state);
            }
            fn cmp_key(&self, key: &$owned) -> Ordering {
                (**self).cmp(key.as_ref())
            }
            fn is_key(&self, key: &$owned) -> bool {
                let key: &$borrowed = key.as_ref();
                *self == key
            }
            fn into_key(self) -> $owned {
                self.into()
            }
        }
    )+)+};
}

borrowed_keys! {
    str => String, Box<str>, Arc<str>;
    [u8] => Vec<u8>, Box<[u8]>, Arc<[u8]>;
    Path => PathBuf, Box<Path>, Arc<Path>;
    OsStr => OsString, Box<OsStr>, Arc<OsStr>;
}

/// Byte-string literals name byte-string keys.
impl<const N: usize> AsKey<Vec<u8>> for &[u8; N] {
    fn hash_key<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
    fn cmp_key(&self, key: &Vec<u8>) -> Ordering {
        self.as_slice().cmp(key)
    }
    fn into_key(self) -> Vec<u8> {
        self.to_vec()
    }
}
