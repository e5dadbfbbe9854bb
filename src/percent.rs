//! Percent-encoding (RFC 3986 2.1), strict: what is malformed is an error, not itself.

use std::fmt::Write;

/// What is wrong with a percent-encoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// A `%` at this byte is not followed by two hexadecimal digits.
    Escape { at: usize },
    /// What it decodes to is not UTF-8.
    NotUtf8,
}

pub(crate) fn decode(text: &str) -> Result<String, Malformed> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|(_, byte)| hexadecimal(byte));
        match (digit(), digit()) {
            (Some(high), Some(low)) => decoded.push(high << 4 | low),
            _ => return Err(Malformed::Escape { at }),
        }
    }
    String::from_utf8(decoded).map_err(|_| Malformed::NotUtf8)
}

fn hexadecimal(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Encodes a path: all but RFC 3986's unreserved characters and `/`.
pub(crate) fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
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
    fn what_is_malformed_is_refused_and_never_taken_literally() {
        let cases = [
            ("plain", Ok("plain")),
            ("a%2Fb", Ok("a/b")),
            ("a%2fb", Ok("a/b")),
            ("%E2%82%AC", Ok("€")),
            ("€", Ok("€")),
            ("100%25", Ok("100%")),
            ("%", Err(Malformed::Escape { at: 0 })),
            ("a%4", Err(Malformed::Escape { at: 1 })),
            ("a%4g", Err(Malformed::Escape { at: 1 })),
            ("%+1", Err(Malformed::Escape { at: 0 })),
            ("%%20", Err(Malformed::Escape { at: 0 })),
            ("%€", Err(Malformed::Escape { at: 0 })),
            ("%FF", Err(Malformed::NotUtf8)),
            ("%C0%AF", Err(Malformed::NotUtf8)),
            ("%ED%A0%80", Err(Malformed::NotUtf8)),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text), expected.map(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn decoding_undoes_encoding() {
        for path in ["users/42", "a b%2F+&?#", "ключ/€", "~-._", "\u{7f}\u{0}"] {
            let encoded = encode_path(path);
            assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "{encoded:?}");
            assert_eq!(decode(&encoded).as_deref(), Ok(path));
        }
    }
}
