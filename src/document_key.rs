//! The key of a document: the path of its resource.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::percent::{self, Malformed};

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
pub struct DocumentKey(Bytes);

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
        Self::check(text)?;
        Ok(Self(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn check(text: &str) -> Result<(), InvalidKey> {
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
        Ok(())
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
        std::str::from_utf8(&self.0).expect("it was made of a text")
    }

    /// The key as a store has it. It shares its memory.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The key that a store has.
    ///
    /// # Errors
    /// [`InvalidKey`], if something else wrote it.
    pub fn from_stored(stored: &Bytes) -> Result<Self, InvalidKey> {
        let text = std::str::from_utf8(stored).map_err(|_| InvalidKey::NotUtf8)?;
        Self::check(text)?;
        Ok(Self(stored.clone()))
    }

    /// The key percent-encoded, for the path of a URI; `/` stays `/`.
    #[must_use]
    pub fn to_path(&self) -> String {
        percent::encode_path(self.as_str())
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
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Serialize for DocumentKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for DocumentKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// The path of a key that is not used otherwise.
///
/// # Errors
/// If the text is not a key.
#[cfg(feature = "client")]
pub(crate) fn path_of(key: &str) -> Result<String, InvalidKey> {
    Ok(DocumentKey::new(key)?.to_path())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_stored_key_that_breaks_a_rule_is_no_key() {
        let stored = |bytes: &'static [u8]| DocumentKey::from_stored(&Bytes::from_static(bytes));
        assert_eq!(stored(b"a/b").unwrap().as_str(), "a/b");
        assert_eq!(stored(b"a//b"), Err(InvalidKey::EmptySegment { segment: 2 }));
        assert_eq!(stored(b"\xff"), Err(InvalidKey::NotUtf8));
    }
}
