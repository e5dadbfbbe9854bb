//! Which of etcd's keys are the store's: those that begin with its namespace.
//!
//! A namespace ends in `/`, so that the range of its keys has an end, and a key beside it is free: what the store remembers
//! of itself is there. etcd has no empty key; with a namespace before it, a store has one.

use std::ops::Bound::{Excluded, Included, Unbounded};

use bytes::Bytes;

use crate::range::KeyRange;

/// What the keys of a store begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Namespace(String);

/// A text that cannot be a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a namespace has 2 to {} bytes, ends in / and has no control characters",
    Namespace::MAX_BYTES
)]
pub struct InvalidNamespace;

/// A range of etcd's keys, from the first to before the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
}

impl Namespace {
    /// The most bytes.
    pub(super) const MAX_BYTES: usize = 512;

    pub(super) fn new(text: &str) -> Result<Self, InvalidNamespace> {
        let fits = (2..=Self::MAX_BYTES).contains(&text.len());
        if fits && text.ends_with('/') && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidNamespace)
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the identity of the store is kept: beside its keys.
    pub(super) fn identity_key(&self) -> String {
        format!("{}.identity", self.0.trim_end_matches('/'))
    }

    /// What etcd calls `key`.
    pub(super) fn outer(&self, key: &[u8]) -> Vec<u8> {
        [self.0.as_bytes(), key].concat()
    }

    /// What the store calls etcd's `key`; `None` if it is not the store's.
    pub(super) fn inner(&self, key: Vec<u8>) -> Option<Bytes> {
        key.starts_with(self.0.as_bytes()).then(|| Bytes::from(key).slice(self.0.len()..))
    }

    /// A range as etcd writes it; `None` if no key lies in it.
    pub(super) fn span(&self, range: &KeyRange<Bytes>) -> Option<Span> {
        let after = |key: &Bytes| [self.0.as_bytes(), key, &[0]].concat();
        let start = match range.start() {
            Included(key) => self.outer(key),
            Excluded(key) => after(key),
            Unbounded => self.0.clone().into_bytes(),
        };
        let end = match range.end() {
            Included(key) => after(key),
            Excluded(key) => self.outer(key),
            Unbounded => self.end(),
        };
        (start < end).then_some(Span { start, end })
    }

    /// The first key after all of the store's.
    fn end(&self) -> Vec<u8> {
        let mut end = self.0.clone().into_bytes();
        if let Some(last) = end.last_mut() {
            *last = b'/' + 1;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_ends_in_a_slash() {
        let longest = format!("{}/", "a".repeat(Namespace::MAX_BYTES - 1));
        for text in ["a/", "a/b/", "\u{e9}/", &longest] {
            assert_eq!(Namespace::new(text).unwrap().as_str(), text);
        }
        for text in ["", "/", "a", "a/b", "a\0/", "a\n/", &format!("a{longest}")] {
            assert_eq!(Namespace::new(text), Err(InvalidNamespace), "{text:?}");
        }
    }

    #[test]
    fn what_a_store_remembers_of_itself_is_in_no_range_of_it() {
        for text in ["a/", "a.identity/", "a/b/", "a//"] {
            let namespace = Namespace::new(text).unwrap();
            let key = namespace.identity_key().into_bytes();
            let all = namespace.span(&KeyRange::all()).unwrap();
            assert!(key < all.start || key >= all.end, "{text}");
            assert_eq!(namespace.inner(key), None, "{text}");
        }
    }

    #[test]
    fn a_span_has_the_keys_of_the_range_and_no_others() {
        let namespace = Namespace::new("n/").unwrap();
        let keys: [&[u8]; 8] = [b"", b"\0", b"a", b"a\0", b"a\0\0", b"ab", b"b", b"\xff\xff"];
        let key = |key: &[u8]| Bytes::copy_from_slice(key);
        let mut bounds = vec![Unbounded];
        bounds.extend(keys.iter().flat_map(|text| [Included(key(text)), Excluded(key(text))]));
        for start in &bounds {
            for end in &bounds {
                let range = KeyRange::new(start.clone(), end.clone());
                let span = namespace.span(&range);
                for inner in keys {
                    let outer = namespace.outer(inner);
                    let held =
                        span.as_ref().is_some_and(|span| span.start <= outer && outer < span.end);
                    assert_eq!(held, range.contains(&key(inner)), "{range:?} {inner:?}");
                    assert_eq!(namespace.inner(outer), Some(key(inner)));
                }
                if let Some(span) = span {
                    for other in ["n", "n.", "n0", "m/a", "n.identity"] {
                        let other = other.as_bytes();
                        assert!(other < &span.start[..] || &span.end[..] <= other, "{range:?}");
                    }
                }
            }
        }
    }
}
