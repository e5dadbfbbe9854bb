//! Where the next page of a list begins: opaque to clients.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::identity::Identity;
use crate::revision::Revision;

use crate::document_key::DocumentKey;
use crate::http::etag::{Origin, origin_of};

/// The next page begins after a key, at a revision of one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) identity: Origin,
    pub(super) revision: Revision,
    pub(super) after: DocumentKey,
    /// The length of the prefix that is listed, which the key begins with.
    pub(super) prefix: usize,
}

impl Cursor {
    pub(super) fn new(
        identity: Identity,
        revision: Revision,
        after: DocumentKey,
        prefix: usize,
    ) -> Self {
        Self { identity: origin_of(identity), revision, after, prefix }
    }

    /// Whether it is a cursor of the store `identity`.
    pub(super) fn is_of(&self, identity: Identity) -> bool {
        self.identity == origin_of(identity)
    }

    /// The prefix that is listed.
    pub(super) fn prefix(&self) -> &str {
        &self.after.as_str()[..self.prefix]
    }

    pub(super) fn encode(&self) -> String {
        let prefix = u16::try_from(self.prefix).expect("a prefix is as long as a key at most");
        let parts: [&[u8]; 4] = [
            &self.identity,
            &self.revision.get().to_be_bytes(),
            &prefix.to_be_bytes(),
            self.after.as_str().as_bytes(),
        ];
        BASE64_URL_SAFE_NO_PAD.encode(parts.concat())
    }

    /// `None` if it is no cursor of ours.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (identity, rest) = bytes.split_first_chunk::<6>()?;
        let (revision, rest) = rest.split_first_chunk::<8>()?;
        let (prefix, key) = rest.split_first_chunk::<2>()?;
        let revision = Revision::try_from(u64::from_be_bytes(*revision)).ok()?;
        let after = DocumentKey::new(std::str::from_utf8(key).ok()?).ok()?;
        let prefix = usize::from(u16::from_be_bytes(*prefix));
        after.as_str().is_char_boundary(prefix).then_some(Self {
            identity: *identity,
            revision,
            after,
            prefix,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_one() {
        let identity = Identity::from_bytes([7; 16]);
        let key = DocumentKey::new("users/é").unwrap();
        let cursor = Cursor::new(identity, Revision::MAX, key, 6);
        let text = cursor.encode();
        assert_eq!(Cursor::decode(&text), Some(cursor.clone()));
        assert_eq!(cursor.prefix(), "users/");
        assert!(cursor.is_of(identity) && !cursor.is_of(Identity::from_bytes([8; 16])));
        for end in 0..text.len() - 3 {
            assert_eq!(Cursor::decode(&text[..end]).filter(|cut| cut.after == cursor.after), None);
        }
        let inside = Cursor { prefix: 7, ..cursor.clone() };
        assert_eq!(Cursor::decode(&inside.encode()), None, "inside of a character");
        let beyond = Cursor { prefix: 9, ..cursor };
        assert_eq!(Cursor::decode(&beyond.encode()), None, "longer than the key");
        for text in ["", "x", "====", "not a cursor", &"A".repeat(22)] {
            assert_eq!(Cursor::decode(text), None, "{text:?}");
        }
    }
}
