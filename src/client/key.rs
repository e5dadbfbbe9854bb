//! Keys, as the server takes them, and their place in a URI.

use std::fmt::Write;

/// The most bytes that a key may have.
const MAX_BYTES: usize = 1_024;

/// Why a text is not a key, which is UTF-8, 1 to 1,024 bytes, split on `/` into segments.
///
/// It is found before anything is sent: what a URI library does to `..` would make it another key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It has no bytes, or too many.
    #[error("the key has {bytes} bytes, it is to have 1 to {MAX_BYTES}")]
    Length {
        /// How many it has.
        bytes: usize,
    },
    /// A segment is empty, `.` or `..`.
    #[error("segment {segment} of the key is empty, \".\" or \"..\"")]
    Segment {
        /// Which one, from 1.
        segment: usize,
    },
    /// There is a control character.
    #[error("the key has a control character at byte {at}")]
    ControlCharacter {
        /// Where, in bytes from the start.
        at: usize,
    },
}

/// The key as the path of a URI; `/` stays `/`.
///
/// # Errors
/// If the text is not a key.
pub(super) fn path_of(key: &str) -> Result<String, InvalidKey> {
    if key.is_empty() || key.len() > MAX_BYTES {
        return Err(InvalidKey::Length { bytes: key.len() });
    }
    if let Some((at, _)) = key.char_indices().find(|(_, character)| character.is_control()) {
        return Err(InvalidKey::ControlCharacter { at });
    }
    let bad = (1..).zip(key.split('/')).find(|(_, name)| ["", ".", ".."].contains(name));
    match bad {
        Some((segment, _)) => Err(InvalidKey::Segment { segment }),
        None => Ok(encode(key)),
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters and `/`, for a path or a query.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => write!(encoded, "%{byte:02X}").expect("a string takes all that is written"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_refused_where_a_uri_could_make_another_of_it() {
        let longest = "é".repeat(512);
        let longer = format!("{longest}a");
        let cases = [
            ("users/42", Ok("users/42")),
            ("a b/%2F?#\\", Ok("a%20b/%252F%3F%23%5C")),
            ("...", Ok("...")),
            ("", Err(InvalidKey::Length { bytes: 0 })),
            (&longer, Err(InvalidKey::Length { bytes: 1_025 })),
            ("a//b", Err(InvalidKey::Segment { segment: 2 })),
            ("/a", Err(InvalidKey::Segment { segment: 1 })),
            ("a/..", Err(InvalidKey::Segment { segment: 2 })),
            ("a\tb", Err(InvalidKey::ControlCharacter { at: 1 })),
        ];
        for (key, expected) in cases {
            assert_eq!(path_of(key), expected.map(str::to_owned), "{key:?}");
        }
        assert!(path_of(&longest).is_ok(), "the limit is exact");
    }
}
