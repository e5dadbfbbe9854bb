//! The content type of a document.

use std::borrow::Cow;
use std::fmt;

use axum::http::HeaderValue;

/// A media type with its parameters, kept as it was written but for white space around it.
///
/// ```
/// use ifmatch::http::ContentType;
///
/// assert!(ContentType::new("application/geo+json; charset=utf-8")?.is_json());
/// assert!(!ContentType::new("text/plain")?.is_json());
/// assert!(ContentType::new("nonsense").is_err());
/// # Ok::<(), ifmatch::http::InvalidContentType>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType(Cow<'static, str>);

/// A text that is no `type/subtype`, or has characters that a header cannot carry, or more than
/// [`ContentType::MAX_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a content type is type/subtype with parameters, at most {} bytes of ASCII",
    ContentType::MAX_BYTES
)]
pub struct InvalidContentType;

impl ContentType {
    /// The most bytes that a content type may have.
    pub const MAX_BYTES: usize = 255;

    /// `application/json`.
    pub const JSON: Self = Self(Cow::Borrowed("application/json"));

    /// `application/octet-stream`: bytes of which nothing is known.
    pub const OCTET_STREAM: Self = Self(Cow::Borrowed("application/octet-stream"));

    /// A content type from its text.
    ///
    /// # Errors
    /// [`InvalidContentType`].
    pub fn new(text: &str) -> Result<Self, InvalidContentType> {
        // The value of a header neither begins nor ends with white space (RFC 9110 5.5).
        let text = text.trim_matches([' ', '\t']);
        // Almost every document has one of these: they take no memory of their own.
        for common in [Self::JSON, Self::OCTET_STREAM] {
            if text == common.0 {
                return Ok(common);
            }
        }
        let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t';
        if text.len() > Self::MAX_BYTES || !text.bytes().all(printable) {
            return Err(InvalidContentType);
        }
        match essence(text).split_once('/') {
            Some((kind, subtype)) if is_token(kind) && is_token(subtype) => {
                Ok(Self(Cow::Owned(text.to_owned())))
            }
            _ => Err(InvalidContentType),
        }
    }

    /// The content type as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says that the content is JSON: `application/json`, or any type with the suffix `+json` (RFC 6839).
    #[must_use]
    pub fn is_json(&self) -> bool {
        let essence = essence(&self.0).to_ascii_lowercase();
        essence == "application/json" || essence.ends_with("+json")
    }

    /// The type and subtype, in lower case, without parameters.
    pub(super) fn essence(&self) -> String {
        essence(&self.0).to_ascii_lowercase()
    }

    /// Whether it is `application/json` itself.
    pub(super) fn is_plain_json(&self) -> bool {
        essence(&self.0).eq_ignore_ascii_case("application/json")
    }
}

/// The type and subtype, without parameters.
fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim_ascii()
}

/// RFC 9110 5.6.2.
fn is_token(text: &str) -> bool {
    let symbol = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || symbol(byte))
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&ContentType> for HeaderValue {
    fn from(content_type: &ContentType) -> Self {
        match &content_type.0 {
            Cow::Borrowed(text) => Self::from_static(text),
            Cow::Owned(text) => Self::from_str(text).expect("it was checked to be printable ASCII"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_media_type_that_a_header_can_carry_is_accepted() {
        let longest = format!("a/{}", "b".repeat(253));
        let longer = format!("a/{}", "b".repeat(254));
        let cases = [
            ("text/plain", true),
            ("text/plain; charset=\"utf-8\"", true),
            ("Text/PLAIN ;a=b", true),
            (&longest, true),
            (&longer, false),
            ("", false),
            ("text", false),
            ("text/", false),
            ("/plain", false),
            ("a/b/c", false),
            ("te xt/plain", false),
            ("text/plain\r\nX: y", false),
            ("text/plain\n", false),
            ("text/plain; a=é", false),
        ];
        for (text, accepted) in cases {
            assert_eq!(ContentType::new(text).is_ok(), accepted, "{text:?}");
        }
    }

    #[test]
    fn white_space_around_it_is_no_part_of_it() {
        assert_eq!(ContentType::new(" text/plain\t").unwrap().as_str(), "text/plain");
        assert_eq!(ContentType::new(" application/json").unwrap(), ContentType::JSON);
    }

    #[test]
    fn json_is_known_by_its_type_or_suffix_in_any_case() {
        let cases = [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("image/svg+xml", false),
            ("application/json-seq", false),
            ("text/plain; a=+json", false),
        ];
        for (text, is_json) in cases {
            assert_eq!(ContentType::new(text).unwrap().is_json(), is_json, "{text:?}");
        }
    }
}
