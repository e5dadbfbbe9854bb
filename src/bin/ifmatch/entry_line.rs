//! An entry as a line of JSON: what `--json` prints, what `export` writes and `import` reads.
//!
//! # Invariants
//! - The value is the member `value` if its content type is JSON, else `base64`, as in the server's own bodies.
//! - It is one line. In JSON a line break is white space, because strings cannot have one; it becomes a space. All else,
//!   numbers too, keeps its text.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ifmatch::Revision;
use ifmatch::client::{Document, Entry};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::content_type;

/// A line.
#[derive(Serialize)]
pub(crate) struct EntryLine<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<Revision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_revision: Option<Revision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_count: Option<u64>,
    etag: &'a str,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> EntryLine<'a> {
    pub(crate) fn of(entry: &'a Entry<Document>) -> Self {
        let document = entry.document();
        let value = document.is_json().then(|| one_line(document.body())).flatten();
        Self {
            key: entry.key(),
            revision: entry.revision(),
            created_revision: entry.created_revision(),
            write_count: entry.write_count(),
            etag: entry.etag().as_str(),
            content_type: document.content_type(),
            base64: value.is_none().then(|| BASE64_STANDARD.encode(document.body())),
            value,
        }
    }
}

/// The JSON without line breaks; `None` if it is none.
pub(crate) fn one_line(text: &[u8]) -> Option<Cow<'_, RawValue>> {
    let raw: &RawValue = serde_json::from_slice(text).ok()?;
    if !raw.get().contains(['\n', '\r']) {
        return Some(Cow::Borrowed(raw));
    }
    let line = raw.get().replace(['\n', '\r'], " ");
    RawValue::from_string(line).ok().map(Cow::Owned)
}

/// A line of an import. What else `export` writes is only for those who read it.
#[derive(Deserialize)]
struct Wire<'a> {
    key: String,
    etag: Option<String>,
    content_type: Option<String>,
    #[serde(borrow, default, deserialize_with = "given")]
    value: Option<&'a RawValue>,
    base64: Option<String>,
}

/// `null` is a value; an absent member is none.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// What a line says.
#[derive(Clone, Debug)]
pub(crate) struct Imported {
    pub(crate) key: String,
    /// Of the entry that was exported, as it stands there.
    pub(crate) etag: Option<String>,
    pub(crate) document: Document,
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn read(line: &[u8]) -> Result<Imported, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("it is not UTF-8 from byte {} on", error.valid_up_to()))?;
    let wire: Wire<'_> = serde_json::from_str(text).map_err(|error| {
        // Of a line only the column says something.
        let what = error.to_string();
        let end = what.rfind(" at line ").unwrap_or(what.len());
        format!("{} at byte {}", &what[..end], error.column())
    })?;
    let document = match (wire.value, wire.base64) {
        (Some(value), None) => {
            let content_type = wire.content_type.unwrap_or_else(|| content_type::JSON.to_owned());
            let document = Document::new(content_type, value.get().to_owned());
            if !document.is_json() {
                return Err(
                    "a \"value\" is of a content type that is JSON; else it is \"base64\"".into()
                );
            }
            document
        }
        (None, Some(text)) => {
            let body = BASE64_STANDARD.decode(text);
            let body = body.map_err(|error| format!("\"base64\": {error}"))?;
            let guessed = || content_type::guess(&body).to_owned();
            Document::new(wire.content_type.unwrap_or_else(guessed), body)
        }
        _ => return Err("it has either \"value\" or \"base64\"".into()),
    };
    Ok(Imported { key: wire.key, etag: wire.etag, document })
}
