//! How a document looks in the editor, and what is read back.
//!
//! JSON in one line is shown with a member a line, and written back in one line, its numbers to the letter. All other text
//! is shown, and written, as it is.

use ifmatch::client::Document;
use ifmatch::json::Json;

use super::pretty::pretty;
use crate::failure::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// JSON without line breaks.
    Compact,
    /// JSON as somebody laid it out.
    Verbatim,
    Text,
}

impl Layout {
    /// # Errors
    /// If it is no text.
    pub(super) fn of(document: &Document) -> Result<Self, Failure> {
        let Ok(text) = std::str::from_utf8(document.body()) else {
            let what =
                "it is not text: use get --output FILE, then put --file FILE --if-match ETAG";
            return Err(Failure::other(what));
        };
        if !document.is_json() {
            return Ok(Self::Text);
        }
        let has_lines = text.trim_end().contains('\n');
        // What nests too deep for us was not written by hand.
        Ok(match (text.is_empty(), text.parse::<Json>()) {
            (true, _) => Self::Verbatim,
            (false, Err(_)) => Self::Text,
            (false, Ok(_)) if has_lines => Self::Verbatim,
            (false, Ok(_)) => Self::Compact,
        })
    }

    pub(super) fn is_json(self) -> bool {
        self != Self::Text
    }

    pub(super) fn extension(self, content_type: &str) -> &'static str {
        if self.is_json() {
            return "json";
        }
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "text/html" => "html",
            "text/css" => "css",
            "text/csv" => "csv",
            "text/markdown" => "md",
            "text/javascript" | "application/javascript" => "js",
            "application/xml" | "text/xml" => "xml",
            "application/yaml" | "application/x-yaml" | "text/yaml" => "yaml",
            "application/toml" => "toml",
            _ => "txt",
        }
    }

    /// The text for the editor.
    pub(super) fn show(self, body: &[u8]) -> Vec<u8> {
        match (self, Json::from_slice(body)) {
            (Self::Compact, Ok(json)) => pretty(&json).into_bytes(),
            _ => body.to_vec(),
        }
    }

    /// The merged document for the editor, or to be written.
    pub(super) fn body_of(self, json: &Json) -> Vec<u8> {
        match self {
            Self::Compact => json.to_vec(),
            Self::Verbatim | Self::Text => pretty(json).into_bytes(),
        }
    }

    /// The body that the text of the editor stands for.
    ///
    /// # Errors
    /// Why it is none, for people.
    pub(super) fn read(self, text: &[u8]) -> Result<Vec<u8>, String> {
        if self == Self::Text {
            return Ok(text.to_vec());
        }
        let json = Json::from_slice(text).map_err(|error| error.to_string())?;
        Ok(if self == Self::Compact { json.to_vec() } else { text.to_vec() })
    }

    /// Whether they say the same: of JSON neither white space nor escapes count, and of members with the same name only the
    /// last.
    pub(super) fn is_same(self, one: &[u8], other: &[u8]) -> bool {
        if one == other {
            return true;
        }
        match (self.is_json(), Json::from_slice(one), Json::from_slice(other)) {
            (true, Ok(one), Ok(other)) => one.to_vec() == other.to_vec(),
            _ => false,
        }
    }
}
