//! What is stored under a key: bytes and what they are.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::content_type::ContentType;

/// A document: a body, kept verbatim, and its content type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    content_type: ContentType,
    body: Bytes,
}

/// A body that says it is JSON, and is not.
#[derive(Debug, thiserror::Error)]
#[error("the body is not the JSON that its content type says it is")]
pub struct InvalidJson(#[source] serde_json::Error);

impl Document {
    /// A document of `body`, kept verbatim. If it says that it is JSON, it has to be: UTF-8, and one JSON text.
    ///
    /// # Errors
    /// [`InvalidJson`].
    pub fn new(content_type: ContentType, body: impl Into<Bytes>) -> Result<Self, InvalidJson> {
        let body = body.into();
        if content_type.is_json() {
            check_json(&body).map_err(InvalidJson)?;
        }
        Ok(Self { content_type, body })
    }

    /// A JSON document whose text has been checked.
    pub(super) fn from_checked_json(content_type: ContentType, body: Bytes) -> Self {
        debug_assert!(check_json(&body).is_ok(), "the text was checked");
        Self { content_type, body }
    }

    /// What the body is.
    #[must_use]
    pub fn content_type(&self) -> &ContentType {
        &self.content_type
    }

    /// The body, as it came.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether the content type says that the body is JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.content_type.is_json()
    }
}

fn check_json(body: &[u8]) -> Result<(), serde_json::Error> {
    // A raw value is checked as UTF-8 and as JSON, without being built and however deep it nests.
    serde_json::from_slice::<&serde_json::value::RawValue>(body).map(|_| ())
}

/// The stored form. A later version of the crate adds a variant, and still reads this one.
#[derive(Deserialize)]
enum Stored {
    V1 { content_type: String, body: Bytes },
}

/// [`Stored`], to be written from a borrowed document.
#[derive(Serialize)]
#[serde(rename = "Stored")]
enum StoredRef<'a> {
    V1 { content_type: &'a str, body: &'a Bytes },
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        StoredRef::V1 { content_type: self.content_type.as_str(), body: &self.body }
            .serialize(serializer)
    }
}

/// The content type is checked, because it becomes a header; the body was checked when it came in.
impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored::V1 { content_type, body } = Stored::deserialize(deserializer)?;
        let content_type = ContentType::new(&content_type).map_err(serde::de::Error::custom)?;
        Ok(Self { content_type, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Bincode, Codec};

    #[test]
    fn what_says_it_is_json_has_to_be() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let cases: [(&[u8], bool); 12] = [
            (b"{}", true),
            (b" [1, 2.50e400, \"\\u00e9\"] \n", true),
            (b"null", true),
            (deep.as_bytes(), true),
            (b"", false),
            (b"{", false),
            (b"{} {}", false),
            (b"{'a': 1}", false),
            (b"NaN", false),
            (b"\"\xff\"", false),
            (b"\xef\xbb\xbf{}", false),
            (b"[01]", false),
        ];
        for (body, accepted) in cases {
            let document = Document::new(ContentType::JSON, body.to_vec());
            assert_eq!(document.is_ok(), accepted, "{:?}", String::from_utf8_lossy(body));
        }
        assert!(Document::new(ContentType::OCTET_STREAM, &b"{"[..]).is_ok());
    }

    #[test]
    fn the_stored_form_is_pinned() {
        let document = Document::new(ContentType::new("a/b").unwrap(), &b"xyz"[..]).unwrap();
        let mut bytes = Vec::new();
        Bincode::encode(&document, &mut bytes).unwrap();
        // Variant 0, then content type and body, each with its length.
        assert_eq!(bytes, b"\x00\x03a/b\x03xyz");
        assert_eq!(Bincode::decode::<Document>(&bytes).unwrap(), document);
        bytes[0] = 1;
        assert!(Bincode::decode::<Document>(&bytes).is_err(), "a newer variant");
    }
}
