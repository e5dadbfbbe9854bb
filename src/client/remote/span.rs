//! Ranges of keys as the routes have them: a prefix, and a text to begin with.

use std::ops::Bound::{Excluded, Included, Unbounded};

use bytes::Bytes;

use crate::document_key::DocumentKey;
use crate::range::{AsPrefix, KeyRange};

/// The longest start of `bytes` that a prefix of keys can be.
fn text(bytes: &[u8]) -> &str {
    let bytes = bytes.get(..DocumentKey::MAX_BYTES).unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        }
    };
    text.split(char::is_control).next().unwrap_or_default()
}

/// What all keys in the range begin with.
pub(super) fn prefix(range: &KeyRange<Bytes>) -> &str {
    let (Included(start) | Excluded(start)) = range.start() else { return "" };
    let (end, is_excluded) = match range.end() {
        Included(end) => (end, false),
        Excluded(end) => (end, true),
        Unbounded => return "",
    };
    let mut length = start.iter().zip(end).take_while(|(one, other)| one == other).count();
    // The end of a prefix is what it is with its last byte raised.
    if let (Some(last), Some(raised)) = (start.get(length), end.get(length))
        && is_excluded
        && end.len() == length + 1
        && last.checked_add(1) == Some(*raised)
    {
        length += 1;
    }
    text(start.get(..length).unwrap_or_default())
}

/// What the first key in the range is, or comes after.
pub(super) fn from(range: &KeyRange<Bytes>) -> &str {
    match range.start() {
        Included(start) | Excluded(start) => text(start),
        Unbounded => "",
    }
}

/// Whether `key` comes after all keys in the range.
pub(super) fn is_past(range: &KeyRange<Bytes>, key: &Bytes) -> bool {
    match range.end() {
        Included(end) => key > end,
        Excluded(end) => key >= end,
        Unbounded => false,
    }
}

/// The prefix that the range is all keys of, if it is one's.
pub(super) fn whole_prefix(range: &KeyRange<Bytes>) -> Option<&str> {
    let bytes: &[u8] = match range.start() {
        Included(start) => start,
        Unbounded => &[],
        Excluded(_) => return None,
    };
    let is_whole = AsPrefix::<Bytes>::into_range(bytes) == *range;
    Some(text(bytes)).filter(|text| is_whole && text.len() == bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn key() -> impl Strategy<Value = Bytes> {
        vec(select(&[0, b'.', b'/', b'0', b'a', 0x7f, 0xc3, 0xa9, 0xff][..]), 0..4)
            .prop_map(Bytes::from)
    }

    fn range() -> impl Strategy<Value = KeyRange<Bytes>> {
        let bound = || {
            (key(), 0..3).prop_map(|(key, kind)| match kind {
                0 => Included(key),
                1 => Excluded(key),
                _ => Unbounded,
            })
        };
        prop_oneof![
            (bound(), bound()).prop_map(|(start, end)| KeyRange::new(start, end)),
            key().prop_map(AsPrefix::into_range),
        ]
    }

    proptest! {
        #[test]
        fn no_key_of_a_range_is_left_out(range in range(), key in "[/.0a\u{e9}]{1,4}") {
            let key = Bytes::from(key);
            if range.contains(&key) {
                prop_assert!(key.starts_with(prefix(&range).as_bytes()));
                prop_assert!(&key[..] >= from(&range).as_bytes());
                prop_assert!(!is_past(&range, &key));
            }
            if let Some(whole) = whole_prefix(&range) {
                prop_assert_eq!(range.contains(&key), key.starts_with(whole.as_bytes()));
            }
        }
    }

    #[test]
    fn a_prefix_is_known_as_one() {
        let of = |prefix: &'static str| AsPrefix::<Bytes>::into_range(prefix.as_bytes());
        for name in ["", "a", "users/", "é"] {
            assert_eq!(whole_prefix(&of(name)), Some(name));
            assert_eq!(prefix(&of(name)), name);
        }
        let after = KeyRange::new(Excluded(Bytes::from("users/a")), of("users/").end().cloned());
        assert_eq!((whole_prefix(&after), prefix(&after)), (None, "users/"));
        assert_eq!(from(&after), "users/a");
        assert_eq!(whole_prefix(&KeyRange::only(Bytes::from("a"))), None);
        assert_eq!(whole_prefix(&AsPrefix::into_range(&[0xff][..])), None, "no key begins so");
    }
}
