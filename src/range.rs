//! Ranges of keys: from a bound to a bound, however the caller writes it, or all that start alike.

use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use std::sync::Arc;

use crate::key::AsKey;

/// The keys between two bounds, in the order of `K`.
///
/// A range whose start lies after its end has no keys; it is no error.
///
/// ```
/// use ifmatch::{AsPrefix, AsRange, KeyRange};
///
/// let range: KeyRange<String> = AsRange::into_range("b".."d");
/// assert!(range.contains(&"cherry".to_owned()) && !range.contains(&"d".to_owned()));
///
/// let users: KeyRange<String> = AsPrefix::into_range("users/");
/// assert!(users.contains(&"users/7".to_owned()) && !users.contains(&"user".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct KeyRange<K> {
    start: Bound<K>,
    end: Bound<K>,
}

impl<K> KeyRange<K> {
    /// The keys from `start` to `end`.
    #[must_use]
    pub fn new(start: Bound<K>, end: Bound<K>) -> Self {
        Self { start, end }
    }

    /// All keys.
    #[must_use]
    pub fn all() -> Self {
        Self::new(Unbounded, Unbounded)
    }

    /// One key.
    #[must_use]
    pub fn only(key: K) -> Self
    where
        K: Clone,
    {
        Self::new(Included(key.clone()), Included(key))
    }

    /// The same range of other keys.
    pub(crate) fn map<T>(self, mut key: impl FnMut(K) -> T) -> KeyRange<T> {
        KeyRange { start: self.start.map(&mut key), end: self.end.map(key) }
    }

    /// The same range of other keys, if all bounds can be such.
    #[cfg(all(feature = "backend", feature = "log"))]
    pub(crate) fn try_map<T, E>(self, key: impl Fn(K) -> Result<T, E>) -> Result<KeyRange<T>, E> {
        let bound = |bound: Bound<K>| {
            Ok(match bound {
                Included(at) => Included(key(at)?),
                Excluded(at) => Excluded(key(at)?),
                Unbounded => Unbounded,
            })
        };
        Ok(KeyRange { start: bound(self.start)?, end: bound(self.end)? })
    }

    /// What of it comes after `key`.
    pub(crate) fn start_after(&mut self, key: K) {
        self.start = Excluded(key);
    }

    /// What of it comes before `key`.
    pub(crate) fn end_before(&mut self, key: K) {
        self.end = Excluded(key);
    }

    /// Where it begins.
    #[must_use]
    pub fn start(&self) -> Bound<&K> {
        self.start.as_ref()
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> Bound<&K> {
        self.end.as_ref()
    }

    /// Whether `key` lies in it.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool
    where
        K: Ord,
    {
        let is_after_start = match &self.start {
            Included(start) => start <= key,
            Excluded(start) => start < key,
            Unbounded => true,
        };
        is_after_start
            && match &self.end {
                Included(end) => key <= end,
                Excluded(end) => key < end,
                Unbounded => true,
            }
    }

    /// Whether no key can lie in it, because its start is not before its end.
    ///
    /// It goes by the order of the bounds alone. Whether a key exists between `Excluded(1)` and `Excluded(2)` is not
    /// known here, so that range is not empty.
    #[must_use]
    pub fn is_empty(&self) -> bool
    where
        K: Ord,
    {
        match (&self.start, &self.end) {
            (Unbounded, _) | (_, Unbounded) => false,
            (Included(start), Included(end)) => start > end,
            (Included(start) | Excluded(start), Included(end) | Excluded(end)) => start >= end,
        }
    }
}

/// Something that names a range of keys of type `K`.
///
/// It is implemented for [`KeyRange`], owned or borrowed, and for the range expressions of the language and pairs of
/// bounds, of whatever names a key ([`AsKey`]): `"a".."b"`, `"a"..`, `..=key` or `..` where `K` is `String`.
///
/// ```
/// use std::ops::Bound::{Excluded, Unbounded};
/// use ifmatch::{AsRange, KeyRange};
///
/// let all: KeyRange<u64> = (..).into_range();
/// assert_eq!(all, KeyRange::all());
/// let later: KeyRange<u64> = (Excluded(7), Unbounded).into_range();
/// assert!(later.contains(&8) && !later.contains(&7));
/// // A reversed range is empty.
/// let none: KeyRange<u64> = (9..=2).into_range();
/// assert!(none.is_empty() && !none.contains(&5));
/// ```
pub trait AsRange<K> {
    /// The range, with owned bounds.
    fn into_range(self) -> KeyRange<K>;
}

impl<K> AsRange<K> for KeyRange<K> {
    fn into_range(self) -> KeyRange<K> {
        self
    }
}

impl<K: Clone> AsRange<K> for &KeyRange<K> {
    fn into_range(self) -> KeyRange<K> {
        self.clone()
    }
}

impl<K> AsRange<K> for RangeFull {
    fn into_range(self) -> KeyRange<K> {
        KeyRange::all()
    }
}

impl<K, Q: AsKey<K>> AsRange<K> for (Bound<Q>, Bound<Q>) {
    fn into_range(self) -> KeyRange<K> {
        KeyRange::new(self.0.map(Q::into_key), self.1.map(Q::into_key))
    }
}

impl<K, Q: AsKey<K>> AsRange<K> for Range<Q> {
    fn into_range(self) -> KeyRange<K> {
        (Included(self.start), Excluded(self.end)).into_range()
    }
}

impl<K, Q: AsKey<K>> AsRange<K> for RangeInclusive<Q> {
    fn into_range(self) -> KeyRange<K> {
        let (start, end) = self.into_inner();
        (Included(start), Included(end)).into_range()
    }
}

impl<K, Q: AsKey<K>> AsRange<K> for RangeFrom<Q> {
    fn into_range(self) -> KeyRange<K> {
        (Included(self.start), Unbounded).into_range()
    }
}

impl<K, Q: AsKey<K>> AsRange<K> for RangeTo<Q> {
    fn into_range(self) -> KeyRange<K> {
        (Unbounded, Excluded(self.end)).into_range()
    }
}

impl<K, Q: AsKey<K>> AsRange<K> for RangeToInclusive<Q> {
    fn into_range(self) -> KeyRange<K> {
        (Unbounded, Included(self.end)).into_range()
    }
}

/// Something that names all keys of type `K` that start alike.
///
/// It is implemented for strings and byte strings, where it means what `starts_with` means; the empty prefix names
/// all keys. Implement it for a key type of your own, whose order puts next to each other what belongs together:
///
/// ```
/// use std::ops::Bound::Included;
/// use ifmatch::{AsPrefix, KeyRange};
///
/// /// Hall and number. The derived order goes by hall first.
/// #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
/// struct Seat(String, u32);
///
/// /// All seats of a hall.
/// struct Hall<'a>(&'a str);
///
/// impl AsPrefix<Seat> for Hall<'_> {
///     fn into_range(self) -> KeyRange<Seat> {
///         let seat = |number| Included(Seat(self.0.to_owned(), number));
///         KeyRange::new(seat(u32::MIN), seat(u32::MAX))
///     }
/// }
///
/// let red = Hall("red").into_range();
/// assert!(red.contains(&Seat("red".to_owned(), 7)));
/// assert!(!red.contains(&Seat("redder".to_owned(), 7)));
/// ```
pub trait AsPrefix<K> {
    /// The range of the keys that start so.
    fn into_range(self) -> KeyRange<K>;
}

macro_rules! prefixes {
    ($range:ident: $($prefix:ty),+ => $keys:tt) => {$(
        prefixes!(@one $range, $prefix, $keys);
    )+};
    (@one $range:ident, $prefix:ty, ($($key:ty),+)) => {$(
        impl AsPrefix<$key> for $prefix {
            fn into_range(self) -> KeyRange<$key> {
                $range(self.as_ref())
            }
        }
    )+};
}

prefixes!(of_strings: &str, &String, String => (String, Box<str>, Arc<str>));
prefixes!(of_bytes: &[u8], &Vec<u8>, Vec<u8> => (Vec<u8>, Box<[u8]>, Arc<[u8]>));

#[cfg(feature = "backend")]
macro_rules! shared_prefixes {
    ($($prefix:ty),+) => {$(
        impl AsPrefix<bytes::Bytes> for $prefix {
            fn into_range(self) -> KeyRange<bytes::Bytes> {
                of_bytes::<Vec<u8>>(self.as_ref()).map(bytes::Bytes::from)
            }
        }
    )+};
}

#[cfg(feature = "backend")]
shared_prefixes!(&[u8], &Vec<u8>, Vec<u8>, &bytes::Bytes, bytes::Bytes);

/// Byte-string literals are prefixes of byte-string keys.
impl<const N: usize, K> AsPrefix<K> for &[u8; N]
where
    for<'a> &'a [u8]: AsPrefix<K>,
{
    fn into_range(self) -> KeyRange<K> {
        AsPrefix::into_range(self.as_slice())
    }
}

fn of_strings<K: for<'a> From<&'a str>>(prefix: &str) -> KeyRange<K> {
    if prefix.is_empty() {
        return KeyRange::all();
    }
    // The order of strings is that of their chars, so the range ends where the last char is raised to the next. If it
    // is the last char there is, the string without it has the same end.
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return KeyRange::new(Included(prefix.into()), Excluded(end.as_str().into()));
        }
    }
    KeyRange::new(Included(prefix.into()), Unbounded)
}

fn of_bytes<K: for<'a> From<&'a [u8]>>(prefix: &[u8]) -> KeyRange<K> {
    if prefix.is_empty() {
        return KeyRange::all();
    }
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return KeyRange::new(Included(prefix.into()), Excluded(end.as_slice().into()));
        }
    }
    KeyRange::new(Included(prefix.into()), Unbounded)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// The chars at which something changes: the length in UTF-8, the gap of the surrogates, the end.
    const CHARS: &[char] = &[
        '\0',
        'a',
        'b',
        '\u{7f}',
        '\u{80}',
        '\u{7ff}',
        '\u{800}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{ffff}',
        '\u{10000}',
        '\u{10fffe}',
        char::MAX,
    ];

    fn string() -> impl Strategy<Value = String> {
        vec(select(CHARS), 0..5).prop_map(|chars| chars.into_iter().collect())
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        vec(select(&[0, 1, 0x7f, 0x80, 0xfe, 0xff][..]), 0..5)
    }

    fn bound() -> impl Strategy<Value = Bound<u8>> {
        (0..6_u8, 0..3).prop_map(|(key, kind)| match kind {
            0 => Included(key),
            1 => Excluded(key),
            _ => Unbounded,
        })
    }

    fn prefix<K>(prefix: impl AsPrefix<K>) -> KeyRange<K> {
        prefix.into_range()
    }

    fn range<K>(range: impl AsRange<K>) -> KeyRange<K> {
        range.into_range()
    }

    proptest! {
        #[test]
        fn a_prefix_of_strings_means_starts_with(start in string(), rest in string(), other in string()) {
            let range: KeyRange<String> = prefix(&start);
            let longer = format!("{start}{rest}");
            prop_assert!(range.contains(&longer));
            prop_assert_eq!(range.contains(&other), other.starts_with(&start));
            prop_assert!(!range.is_empty());
            let boxed: KeyRange<Box<str>> = prefix(start.as_str());
            prop_assert_eq!(boxed.contains(&other.as_str().into()), other.starts_with(&start));
            let shared: KeyRange<Arc<str>> = prefix(start.clone());
            prop_assert_eq!(shared.contains(&other.as_str().into()), other.starts_with(&start));
        }

        #[test]
        fn a_prefix_of_bytes_means_starts_with(start in bytes(), rest in bytes(), other in bytes()) {
            let range: KeyRange<Vec<u8>> = prefix(&start);
            prop_assert!(range.contains(&[&start[..], &rest[..]].concat()));
            prop_assert_eq!(range.contains(&other), other.starts_with(&start));
            prop_assert!(!range.is_empty());
            let boxed: KeyRange<Box<[u8]>> = prefix(start.as_slice());
            prop_assert_eq!(boxed.contains(&other.as_slice().into()), other.starts_with(&start));
            let shared: KeyRange<Arc<[u8]>> = prefix(start.clone());
            prop_assert_eq!(shared.contains(&other.as_slice().into()), other.starts_with(&start));
        }

        #[test]
        fn a_range_holds_what_the_language_says(start in bound(), end in bound(), key in 0..6_u8) {
            let range: KeyRange<u8> = range((start, end));
            let contains = std::ops::RangeBounds::contains(&(start, end), &key);
            prop_assert_eq!(range.contains(&key), contains);
            prop_assert!(!(contains && range.is_empty()));
        }
    }

    /// Random strings seldom meet their own neighbours: these do.
    #[test]
    fn a_prefix_is_exact_at_each_boundary() {
        for &last in CHARS {
            for start in [format!("k{last}"), format!("k{last}{}", char::MAX), last.to_string()] {
                let range: KeyRange<String> = prefix(&start);
                for &next in CHARS {
                    for key in [format!("k{next}"), next.to_string(), format!("{start}{next}")] {
                        assert_eq!(
                            range.contains(&key),
                            key.starts_with(&start),
                            "{start:?} {key:?}"
                        );
                    }
                }
            }
        }
        for last in 0..=u8::MAX {
            let range: KeyRange<Vec<u8>> = prefix(&[7, last, 0xff]);
            for next in 0..=u8::MAX {
                assert_eq!(range.contains(&vec![7, next, 0xff, 3]), next == last);
                assert!(!range.contains(&vec![7, next]));
            }
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_the_next_that_starts_otherwise() {
        let end = |start: &str| prefix::<String>(start).end().map(String::clone);
        assert_eq!(end("users/"), Excluded("users0".to_owned()));
        assert_eq!(end("\u{d7ff}"), Excluded("\u{e000}".to_owned()));
        assert_eq!(end("a\u{10ffff}\u{10ffff}"), Excluded("b".to_owned()));
        assert_eq!(end("\u{10ffff}"), Unbounded);
        assert_eq!(prefix::<String>(""), KeyRange::all());
        assert_eq!(prefix::<Vec<u8>>(&[]), KeyRange::all());
        let end = |start: &[u8]| prefix::<Vec<u8>>(start).end().map(Vec::clone);
        assert_eq!(end(&[1, 0xff, 0xff]), Excluded(vec![2]));
        assert_eq!(end(&[0xff]), Unbounded);
    }

    #[test]
    fn a_reversed_range_is_empty() {
        let empty: [KeyRange<String>; 6] = [
            range("b".."a"),
            range("a".."a"),
            range("b"..="a"),
            range((Excluded("a"), Included("a"))),
            range((Excluded("a"), Excluded("a"))),
            range((Excluded("b"), Excluded("a"))),
        ];
        for range in empty {
            assert!(range.is_empty(), "{range:?}");
            for key in ["", "a", "aa", "b", "c"] {
                assert!(!range.contains(&key.to_owned()), "{range:?} {key}");
            }
        }
    }

    #[test]
    fn every_way_to_write_a_range_is_taken() {
        let key = |key: &str| key.to_owned();
        let (a, b) = (key("a"), key("b"));
        let half_open = KeyRange::new(Included(key("a")), Excluded(key("b")));
        assert_eq!(range::<String>("a".."b"), half_open);
        assert_eq!(range::<String>(&a..&b), half_open);
        assert_eq!(range(&half_open), half_open);
        assert_eq!(range(half_open.clone()), half_open);
        assert_eq!(range::<String>("a"..="b"), KeyRange::new(Included(a.clone()), Included(b)));
        assert_eq!(range::<String>("a"..), KeyRange::new(Included(a.clone()), Unbounded));
        assert_eq!(range::<String>(.."a"), KeyRange::new(Unbounded, Excluded(a.clone())));
        assert_eq!(range::<String>(..="a"), KeyRange::new(Unbounded, Included(a.clone())));
        assert_eq!(range::<String>(..), KeyRange::all());
        assert_eq!(range::<String>("a"..="a"), KeyRange::only(a));
        assert_eq!(prefix::<Vec<u8>>(b"ab"), range(b"ab"..b"ac"));
    }
}
