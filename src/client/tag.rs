//! Entity tags, which are opaque to clients, and what a write demands by them.

use std::fmt;

use reqwest::header::HeaderValue;

use crate::precondition::Precondition;
use crate::revision::Revision;

use super::entry::Entry;

/// The `ETag` of a resource as the server gave it. It is compared and sent back, never looked into.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntityTag(HeaderValue);

/// The text cannot be an entity tag: it is to be in double quotes, and to fit a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entity tag is in double quotes, with nothing in it that a header cannot carry")]
pub struct InvalidEntityTag;

impl EntityTag {
    /// A tag from its text, quotes included, as an editor may have kept it.
    ///
    /// # Errors
    /// [`InvalidEntityTag`].
    pub fn new(text: &str) -> Result<Self, InvalidEntityTag> {
        let opaque = text.strip_prefix("W/").unwrap_or(text);
        let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let character = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
        if !inner.is_some_and(|inner| inner.bytes().all(character)) {
            return Err(InvalidEntityTag);
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| InvalidEntityTag)
    }

    /// The tag as text, quotes included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("it was made of printable ASCII")
    }

    pub(super) fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state in which a key has to be for a write to take place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientPrecondition {
    /// No demand: the write always takes place, and may overwrite what nobody has seen.
    Any,
    /// The key must not exist (`If-None-Match: *`).
    Absent,
    /// The key must exist (`If-Match: *`).
    Present,
    /// The key must be as it was when the server gave this tag (`If-Match`).
    Tag(EntityTag),
    /// The key must be at this revision (`?revision=`), of this very store.
    Revision(Revision),
}

impl From<Precondition> for ClientPrecondition {
    fn from(precondition: Precondition) -> Self {
        match precondition {
            Precondition::Any => Self::Any,
            Precondition::Absent => Self::Absent,
            Precondition::Present => Self::Present,
            Precondition::Revision(revision) => Self::Revision(revision),
        }
    }
}

impl From<Revision> for ClientPrecondition {
    fn from(revision: Revision) -> Self {
        Self::Revision(revision)
    }
}

impl From<EntityTag> for ClientPrecondition {
    fn from(tag: EntityTag) -> Self {
        Self::Tag(tag)
    }
}

impl From<&EntityTag> for ClientPrecondition {
    fn from(tag: &EntityTag) -> Self {
        Self::Tag(tag.clone())
    }
}

/// The key must be exactly as it was read.
impl<T> From<&Entry<T>> for ClientPrecondition {
    fn from(entry: &Entry<T>) -> Self {
        entry.etag().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_taken_whole_or_not_at_all() {
        let cases = [
            ("\"7-00ab\"", true),
            ("W/\"x\"", true),
            ("\"\"", true),
            ("7", false),
            ("\"", false),
            ("\"a\"b\"", false),
            ("\"a\", \"b\"", false),
            ("*", false),
            ("\"a\r\nb\"", false),
        ];
        for (text, accepted) in cases {
            assert_eq!(EntityTag::new(text).is_ok(), accepted, "{text:?}");
        }
    }
}
