//! The key of a document: the path of its resource.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::percent::{self, Malformed};

/// The key of a document: UTF-8, 1 to 1,024 bytes, one or more segments separated by `/`.
///
/// No segment is empty, `.` or `..`, and there are no control characters, so that a key is the same resource whatever
/// a client or proxy does to paths. Keys are ordered by their bytes.
///
/// ```
/// use ifmatch::http::DocumentKey;
///
/// let key: DocumentKey = "users/Zoë".parse()?;
/// assert_eq!(key.as_str(), "users/Zoë");
/// assert_eq!(key.to_path(), "users/Zo%C3%AB");
/// assert_eq!(DocumentKey::from_path("users%2FZo%C3%AB")?, key);
/// assert!("users//Zoë".parse::<DocumentKey>().is_err());
/// # Ok::<(), ifmatch::http::InvalidKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey(Arc<str>);

/// Why a text is not a [`DocumentKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It has no bytes.
    #[error("the key is empty")]
    Empty,
    /// It has more than [`DocumentKey::MAX_BYTES`] bytes.
    #[error("the key has {bytes} bytes, the limit is {}", DocumentKey::MAX_BYTES)]
    TooLong {
        /// How many it has, after decoding.
        bytes: usize,
    },
    /// A segment is empty: the key begins or ends with `/`, or has `//`.
    #[error("segment {segment} of the key is empty")]
    EmptySegment {
        /// Which one, from 1.
        segment: usize,
    },
    /// A segment is `.` or `..`.
    #[error("segment {segment} of the key is \".\" or \"..\"")]
    DotSegment {
        /// Which one, from 1.
        segment: usize,
    },
    /// There is a control character.
    #[error("the key has a control character at byte {at}")]
    ControlCharacter {
        /// Where, in bytes from the start of the decoded key.
        at: usize,
    },
    /// A `%` in the path is not followed by two hexadecimal digits.
    #[error("the percent-encoding of the key is malformed at byte {at}")]
    PercentEncoding {
        /// Where, in bytes from the start of the encoded key.
        at: usize,
    },
    /// The path does not decode to UTF-8.
    #[error("the key is not UTF-8")]
    NotUtf8,
}

impl DocumentKey {
    /// The most bytes that a key may have.
    pub const MAX_BYTES: usize = 1_024;

    /// A key from its plain text.
    ///
    /// # Errors
    /// [`InvalidKey`] says which part is wrong.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        if text.is_empty() {
            return Err(InvalidKey::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(InvalidKey::TooLong { bytes: text.len() });
        }
        if let Some((at, _)) = text.char_indices().find(|(_, character)| character.is_control()) {
            return Err(InvalidKey::ControlCharacter { at });
        }
        for (segment, name) in (1..).zip(text.split('/')) {
            match name {
                "" => return Err(InvalidKey::EmptySegment { segment }),
                "." | ".." => return Err(InvalidKey::DotSegment { segment }),
                _ => {}
            }
        }
        Ok(Self(text.into()))
    }

    /// A key from a percent-encoded path, in which `%2F` is `/`.
    ///
    /// # Errors
    /// [`InvalidKey`] says which part is wrong.
    pub fn from_path(path: &str) -> Result<Self, InvalidKey> {
        let text = percent::decode(path).map_err(|malformed| match malformed {
            Malformed::Escape { at } => InvalidKey::PercentEncoding { at },
            Malformed::NotUtf8 => InvalidKey::NotUtf8,
        })?;
        Self::new(&text)
    }

    /// The key as plain text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key percent-encoded, for the path of a URI; `/` stays `/`.
    #[must_use]
    pub fn to_path(&self) -> String {
        percent::encode_path(&self.0)
    }
}

impl FromStr for DocumentKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::new(text)
    }
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for DocumentKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Checks the key, so that none of another shape comes in by way of a log.
impl<'de> Deserialize<'de> for DocumentKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Bincode, Codec};

    #[test]
    fn each_rule_names_the_part_that_breaks_it() {
        let cases = [
            ("a", None),
            ("a/b/c", None),
            ("...", None),
            (".a/b.", None),
            ("a b", None),
            ("ключ", None),
            ("", Some(InvalidKey::Empty)),
            ("/a", Some(InvalidKey::EmptySegment { segment: 1 })),
            ("a/", Some(InvalidKey::EmptySegment { segment: 2 })),
            ("a//b", Some(InvalidKey::EmptySegment { segment: 2 })),
            ("a/./b", Some(InvalidKey::DotSegment { segment: 2 })),
            ("..", Some(InvalidKey::DotSegment { segment: 1 })),
            ("a\nb", Some(InvalidKey::ControlCharacter { at: 1 })),
            ("a\u{7f}", Some(InvalidKey::ControlCharacter { at: 1 })),
            ("é\u{85}", Some(InvalidKey::ControlCharacter { at: 2 })),
        ];
        for (text, expected) in cases {
            assert_eq!(DocumentKey::new(text).err(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_length_is_counted_in_decoded_bytes_and_exact_at_the_edge() {
        let longest = "é".repeat(512);
        assert!(DocumentKey::new(&longest).is_ok());
        let encoded = percent::encode_path(&longest);
        assert_eq!(DocumentKey::from_path(&encoded).unwrap().as_str(), longest);
        let longer = format!("{longest}a");
        assert_eq!(DocumentKey::new(&longer), Err(InvalidKey::TooLong { bytes: 1_025 }));
    }

    #[test]
    fn a_stored_key_that_breaks_a_rule_does_not_decode() {
        let mut bytes = Vec::new();
        Bincode::encode(&DocumentKey::new("a/b").unwrap(), &mut bytes).unwrap();
        assert_eq!(Bincode::decode::<DocumentKey>(&bytes).unwrap().as_str(), "a/b");
        bytes.clear();
        Bincode::encode(&"a//b", &mut bytes).unwrap();
        assert!(Bincode::decode::<DocumentKey>(&bytes).is_err());
    }
}
