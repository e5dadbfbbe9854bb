//! The body of `POST /v1/kv`: a key, and a document in JSON.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::document::Document;
use crate::document_key::DocumentKey;
use crate::http::content_type::ContentType;
use crate::http::problem::{Problem, ProblemKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    key: String,
    #[serde(borrow, default, deserialize_with = "given")]
    value: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "given")]
    base64: Option<String>,
    #[serde(default, deserialize_with = "given")]
    content_type: Option<String>,
}

/// A member that is there, `null` included: `"value": null` is a value.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads the envelope. The value's text stays as it is: its numbers are not parsed.
///
/// # Errors
/// 400 that says what is wrong.
pub(super) fn read(body: &[u8]) -> Result<(DocumentKey, Document), Problem> {
    check_is_object(body, "\"key\" and \"value\"")?;
    let Envelope { key, value, base64, content_type } =
        serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
    let key = DocumentKey::new(&key)
        .map_err(|error| Problem::new(ProblemKind::InvalidKey, error.to_string()))?;
    Ok((key, Content { value, base64, content_type }.into_document()?))
}

/// serde would take an array for the members in their order.
///
/// # Errors
/// 400 if the body does not begin as an object.
pub(super) fn check_is_object(body: &[u8], members: &str) -> Result<(), Problem> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        return Ok(());
    }
    Err(invalid(format!("the body is to be a JSON object with {members}")))
}

/// A document in JSON: as it is, or in base64.
pub(super) struct Content<'a> {
    pub(super) value: Option<&'a RawValue>,
    pub(super) base64: Option<String>,
    pub(super) content_type: Option<String>,
}

impl Content<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.value.is_none() && self.base64.is_none() && self.content_type.is_none()
    }

    /// # Errors
    /// 400 that says what is wrong.
    pub(super) fn into_document(self) -> Result<Document, Problem> {
        let Self { value, base64, content_type } = self;
        let content_type = content_type
            .map(|text| ContentType::new(&text).map_err(|error| invalid(error.to_string())))
            .transpose()?;
        match (value, base64) {
            (Some(value), None) => from_value(value, content_type),
            (None, Some(base64)) => from_base64(&base64, content_type),
            (Some(_), Some(_)) => Err(invalid("both \"value\" and \"base64\" are there")),
            (None, None) => Err(invalid("neither \"value\" nor \"base64\" is there")),
        }
    }
}

fn from_value(value: &RawValue, content_type: Option<ContentType>) -> Result<Document, Problem> {
    let content_type = content_type.unwrap_or(ContentType::JSON);
    if !content_type.is_json() {
        return Err(invalid(format!("\"value\" is JSON, {content_type} is not: use \"base64\"")));
    }
    let text = Bytes::copy_from_slice(value.get().as_bytes());
    Ok(Document::from_checked_json(content_type, text))
}

fn from_base64(base64: &str, content_type: Option<ContentType>) -> Result<Document, Problem> {
    let body = BASE64_STANDARD
        .decode(base64)
        .map_err(|error| invalid(format!("\"base64\" is not base64: {error}")))?;
    Document::new(content_type.unwrap_or(ContentType::OCTET_STREAM), body)
        .map_err(|error| invalid(error.to_string()))
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::InvalidBody, detail)
}
