//! Which keys of a backend are documents.
//!
//! A document's key has no control characters, so that keys that begin with one are free for what the server has to
//! remember. They are in no list, watch or condition.

use std::ops::Bound::{Excluded, Included, Unbounded};

use bytes::Bytes;

use crate::range::{AsPrefix, KeyRange};

use crate::document_key::DocumentKey;
use crate::http::problem::{Problem, ProblemKind};

/// Begins the keys of what the server remembers.
pub(super) const RESERVED: u8 = 0;

/// All documents.
fn documents() -> KeyRange<Bytes> {
    KeyRange::new(Included(Bytes::from_static(b" ")), Unbounded)
}

/// The start of some keys: a text that a key may begin with, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefix(String);

impl Prefix {
    /// A prefix from its plain text.
    ///
    /// # Errors
    /// 400 of the kind `kind`, if no key begins so.
    pub(super) fn new(text: String, kind: ProblemKind) -> Result<Self, Problem> {
        let invalid = |what: String| Err(Problem::new(kind, format!("the prefix {what}")));
        if text.len() > DocumentKey::MAX_BYTES {
            return invalid(format!(
                "has {} bytes, a key has at most {}",
                text.len(),
                DocumentKey::MAX_BYTES
            ));
        }
        if let Some((at, _)) = text.char_indices().find(|(_, character)| character.is_control()) {
            return invalid(format!("has a control character at byte {at}"));
        }
        Ok(Self(text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The keys of documents that begin with it.
    pub(super) fn range(&self) -> KeyRange<Bytes> {
        if self.0.is_empty() {
            return documents();
        }
        AsPrefix::<Vec<u8>>::into_range(self.0.as_bytes()).map(Bytes::from)
    }

    /// Those that are not `key`.
    pub(super) fn ranges_without(&self, key: &DocumentKey) -> Vec<KeyRange<Bytes>> {
        let range = self.range();
        if !range.contains(key.as_bytes()) {
            return vec![range];
        }
        let before =
            KeyRange::new(range.start().map(Bytes::clone), Excluded(key.as_bytes().clone()));
        vec![before, self.range_after(key.as_bytes().clone())]
    }

    /// Those from `text` on.
    pub(super) fn range_from(&self, text: &Self) -> KeyRange<Bytes> {
        let range = self.range();
        let text = Bytes::copy_from_slice(text.0.as_bytes());
        match range.start() {
            Included(start) if *start >= text => range,
            _ => KeyRange::new(Included(text), range.end().map(Bytes::clone)),
        }
    }

    /// Those after `key`.
    pub(super) fn range_after(&self, key: Bytes) -> KeyRange<Bytes> {
        let range = self.range();
        KeyRange::new(Excluded(key), range.end().map(Bytes::clone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_range_of_documents_holds_what_the_server_remembers() {
        let kind = ProblemKind::InvalidQuery;
        let prefix = |text: &str| Prefix::new(text.to_owned(), kind);
        let reserved = Bytes::from_static(&[RESERVED, b'a']);
        for text in ["", " ", "a", "\u{10ffff}"] {
            let prefix = prefix(text).unwrap();
            assert!(!prefix.range().contains(&reserved), "{text:?}");
            let key = Bytes::copy_from_slice(format!("{text}x").as_bytes());
            assert!(prefix.range().contains(&key), "{text:?}");
        }
        for text in ["\0", "a\n", &"a".repeat(1_025)] {
            assert_eq!(prefix(text).unwrap_err().status(), 400, "{text:?}");
        }
        assert!(prefix(&"a".repeat(1_024)).is_ok());
    }

    #[test]
    fn ranges_without_a_key_have_all_others() {
        let prefix = Prefix::new("a/".to_owned(), ProblemKind::InvalidQuery).unwrap();
        for (key, parts) in [("a/2", 2), ("b", 1)] {
            let ranges = prefix.ranges_without(&DocumentKey::new(key).unwrap());
            assert_eq!(ranges.len(), parts);
            for other in ["a/1", "a/2", "a/20", "a/3", "b"] {
                let held =
                    ranges.iter().any(|range| range.contains(&other.as_bytes().to_vec().into()));
                assert_eq!(held, other.starts_with("a/") && other != key, "{key} {other}");
            }
        }
    }

    #[test]
    fn a_range_after_a_key_goes_on_to_the_end_of_the_prefix() {
        let prefix = Prefix::new("a/".to_owned(), ProblemKind::InvalidQuery).unwrap();
        let range = prefix.range_after(Bytes::from_static(b"a/2"));
        let holds = |key: &'static [u8]| range.contains(&Bytes::from_static(key));
        assert_eq!(
            [holds(b"a/1"), holds(b"a/2"), holds(b"a/20"), holds(b"a/3"), holds(b"b")],
            [false, false, true, true, false]
        );
    }
}
