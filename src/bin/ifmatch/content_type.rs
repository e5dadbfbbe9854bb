//! What content is, if nobody says it: JSON if it is one JSON text, else plain text if it is UTF-8, else bytes.

use serde::de::IgnoredAny;

pub(crate) const JSON: &str = "application/json";

/// The rule, for `--help`.
pub(crate) const RULE: &str = "\
Without --content-type a value that is valid JSON is application/json, other UTF-8 is text/plain; charset=utf-8, and all \
else is application/octet-stream. So 5 and \"five\" (with the quotes) are JSON, and five is text.";

pub(crate) fn guess(body: &[u8]) -> &'static str {
    // Of a string that it does not keep serde_json does not look at the bytes.
    let Ok(text) = std::str::from_utf8(body) else { return "application/octet-stream" };
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => JSON,
        Err(_) => "text/plain; charset=utf-8",
    }
}
