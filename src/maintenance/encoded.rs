//! Keys and values for people: text where they are text.

use std::fmt;

use serde::{Serialize, Serializer};

/// A key or a value as its codec made it.
///
/// In JSON it is `{"string": ...}` if it is exactly one string, or one sequence of bytes that are text, of a codec of this
/// crate; `{"text": ...}` if it is of another codec and text; else `{"hex": ...}`, all of its bytes. Text is UTF-8 without control
/// characters but those of layout. A codec stores no types, so something else may look like a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded<'a> {
    codec: &'a str,
    bytes: &'a [u8],
}

impl<'a> Encoded<'a> {
    pub(super) fn new(codec: &'a str, bytes: &'a [u8]) -> Self {
        Self { codec, bytes }
    }

    /// As it is in the log.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What is in it if it is exactly one string or sequence of bytes, and of a codec of this crate.
    #[must_use]
    pub fn content(&self) -> Option<&'a [u8]> {
        let (len, rest) = match self.codec {
            "bincode-2" => bincode_len(self.bytes)?,
            "postcard-1" => postcard_len(self.bytes)?,
            _ => return None,
        };
        (usize::try_from(len) == Ok(rest.len())).then_some(rest)
    }

    /// The text in it, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        self.string().or_else(|| self.printable())
    }

    fn string(&self) -> Option<&'a str> {
        as_text(self.content()?)
    }

    fn printable(&self) -> Option<&'a str> {
        if ["bincode-2", "postcard-1"].contains(&self.codec) { None } else { as_text(self.bytes) }
    }
}

fn as_text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_layout = |letter| matches!(letter, '\n' | '\r' | '\t');
    text.chars().all(|letter| is_layout(letter) || !letter.is_control()).then_some(text)
}

/// A length as bincode 2 writes it, and what follows.
fn bincode_len(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match first {
        0..=250 => Some((u64::from(*first), rest)),
        251 => rest.split_first_chunk().map(|(len, rest)| (u16::from_le_bytes(*len).into(), rest)),
        252 => rest.split_first_chunk().map(|(len, rest)| (u32::from_le_bytes(*len).into(), rest)),
        253 => rest.split_first_chunk().map(|(len, rest)| (u64::from_le_bytes(*len), rest)),
        _ => None,
    }
}

/// A length as postcard writes it, and what follows.
fn postcard_len(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut len = 0;
    for (index, byte) in (0_u32..10).zip(bytes) {
        len |= u64::from(byte & 0x7f).checked_shl(7 * index)?;
        if byte & 0x80 == 0 {
            return Some((len, bytes.get(usize::try_from(index).ok()? + 1..)?));
        }
    }
    None
}

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            // Escaped: what is in a log may be made to do things to a terminal.
            Some(text) => write!(f, "{text:?}"),
            None => write!(f, "0x{}", Hex(self.bytes)),
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "lowercase")]
        enum Shape<'a> {
            String(&'a str),
            Text(&'a str),
            Hex(String),
        }
        let shape = match (self.string(), self.printable()) {
            (Some(string), _) => Shape::String(string),
            (None, Some(text)) => Shape::Text(text),
            (None, None) => Shape::Hex(Hex(self.bytes).to_string()),
        };
        shape.serialize(serializer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::codec::{Bincode, Codec};

    fn encoded<C: Codec, T: Serialize>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        C::encode(value, &mut bytes).unwrap();
        bytes
    }

    fn strings_of_all_lengths<C: Codec>() {
        for len in [0, 1, 127, 128, 250, 251, 252, 16_383, 16_384, 65_535, 65_536] {
            let text = "x".repeat(len);
            let bytes = encoded::<C, _>(&text);
            assert_eq!(Encoded::new(C::NAME, &bytes).text(), Some(&*text), "{len}");
            let shorter = &bytes[..bytes.len() - 1];
            assert_eq!(Encoded::new(C::NAME, shorter).content(), None, "{len}, cut");
        }
        let number = encoded::<C, _>(&65_u8);
        assert_eq!(Encoded::new(C::NAME, &number).to_string(), "0x41");
        let pair = encoded::<C, _>(&("a", "b"));
        assert_eq!(Encoded::new(C::NAME, &pair).text(), None);
        let bytes = encoded::<C, _>(&vec![0xff_u8, 0]);
        assert_eq!(Encoded::new(C::NAME, &bytes).content(), Some(&[0xff, 0][..]));
        assert_eq!(Encoded::new(C::NAME, &bytes).to_string(), "0x02ff00");
    }

    #[test]
    fn what_is_one_string_is_shown_as_such_and_everything_else_as_bytes() {
        strings_of_all_lengths::<Bincode>();
        #[cfg(feature = "postcard")]
        strings_of_all_lengths::<crate::codec::Postcard>();
    }

    #[test]
    fn nothing_reaches_a_terminal_that_could_do_something_there() {
        let bytes = encoded::<Bincode, _>(&"\u{1b}[2J");
        assert_eq!(Encoded::new("bincode-2", &bytes).to_string(), "0x041b5b324a");
        let bytes = encoded::<Bincode, _>(&"a\nb\u{202e}");
        assert_eq!(Encoded::new("bincode-2", &bytes).to_string(), r#""a\nb\u{202e}""#);
        assert_eq!(Encoded::new("mine", b"\x1b[2J").to_string(), "0x1b5b324a");
        assert_eq!(Encoded::new("mine", b"plain").to_string(), "\"plain\"");
    }

    #[test]
    fn hostile_lengths_are_no_content() {
        for bytes in [&[253, 255, 255, 255, 255, 255, 255, 255, 255][..], &[0xff; 11], &[251], &[]]
        {
            for codec in ["bincode-2", "postcard-1"] {
                assert_eq!(Encoded::new(codec, bytes).content(), None, "{bytes:?}");
            }
        }
    }
}
