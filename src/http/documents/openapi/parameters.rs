//! Parameters of requests.

use serde_json::{Map, Value, json};

use crate::document_key::DocumentKey;
use crate::http::documents::idempotency::MAX_KEY;
use crate::http::documents::list::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::problem::ProblemKind;

/// A list of entity tags, or `*`; the server does without commas too many (RFC 9110 5.6.1.2).
const TAGS: &str = "^(\\*|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\"){0,99})$";

/// From 0 to 300 seconds.
const WAIT: &str = "^(([12]?[0-9]{1,2}|300)s|([0-9]{1,5}|[12][0-9]{5}|300000)ms)$";

/// The name among the components, where it is in a request, and what it means.
const ALL: &[(&str, &str, &str)] = &[
    ("key", "path", "Of the document: percent-encoded UTF-8, with / as it is, or as %2F."),
    ("slug", "path", "Of the kind of problem."),
    ("at", "query", "The state as of this revision; or 410."),
    ("wait", "query", "Wait until the document has changed after `after`, at most this long."),
    ("after", "query", "Goes with `wait`."),
    ("revision", "query", "Only if the document is at this revision; else 409."),
    (
        "unless-prefix",
        "query",
        "Only if no other key begins with this; else 409, which names them.",
    ),
    ("prefix", "query", "Only keys that begin with this."),
    ("limit", "query", "The most documents of a page."),
    (
        "cursor",
        "query",
        "What `next` of the page before was; or `@R`, the list as of revision R, if that is kept, or \
         pinned by another cursor, and `@R/KEY`, the same from that key on.",
    ),
    ("since", "query", "Begin with what came after this revision; else with what comes next."),
    (
        "If-Match",
        "header",
        "Only if the current ETag is one of these (the strong comparison), or, with *, if there is \
         something. At most 100 tags.",
    ),
    (
        "If-None-Match",
        "header",
        "Only if the current ETag is none of these (the weak comparison), or, with *, if there is \
         nothing. At most 100 tags.",
    ),
    ("If-None-Match-Any", "header", "What POST demands anyway."),
    (
        "If-Modified-Since",
        "header",
        "Only if it was written after this; not looked at beside If-None-Match.",
    ),
    (
        "If-Unmodified-Since",
        "header",
        "Only if it is there, and was not written after this; not looked at beside If-Match. It \
         does not notice a second write within one second.",
    ),
    (
        "Prefer",
        "header",
        "`return=representation` asks for what was written, or for what is there, in the answer.",
    ),
    (
        "Idempotency-Key",
        "header",
        "Names the write, so that it takes place once however often it is sent: a repeat is \
         answered as the first was. It is remembered for 24 hours; with another request it is 422.",
    ),
    ("Last-Event-ID", "header", "The `id` of the last message; it counts more than `since`."),
];

pub(super) fn all() -> Map<String, Value> {
    ALL.iter()
        .map(|(name, place, description)| {
            ((*name).to_owned(), parameter(name, place, description, &schema(name)))
        })
        .collect()
}

fn schema(name: &str) -> Value {
    match name {
        "key" => json!({"$ref": "#/components/schemas/Key"}),
        "slug" => json!({"enum": ProblemKind::ALL.map(ProblemKind::slug)}),
        "wait" => json!({"type": "string", "pattern": WAIT, "examples": ["30s", "500ms"]}),
        "prefix" | "unless-prefix" => json!({"$ref": "#/components/schemas/Prefix"}),
        "limit" => {
            json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT})
        }
        "cursor" => json!({"type": "string"}),
        "If-Match" | "If-None-Match" => {
            json!({"type": "string", "minLength": 1, "pattern": TAGS, "examples": ["*"]})
        }
        "If-None-Match-Any" => json!({"const": "*"}),
        "If-Modified-Since" | "If-Unmodified-Since" => {
            json!({"type": "string", "format": "http-date"})
        }
        "Prefer" => json!({"type": "string", "examples": ["return=representation"]}),
        "Idempotency-Key" => json!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_KEY,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
        }),
        // All others are revisions.
        _ => json!({"$ref": "#/components/schemas/Revision"}),
    }
}

fn parameter(name: &str, place: &str, description: &str, schema: &Value) -> Value {
    json!({
        "name": name.trim_end_matches("-Any"),
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": schema,
    })
}

/// References to parameters by their names.
pub(super) fn some(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")})).collect()
}

/// What a [`DocumentKey`] may be, but for its length in bytes.
pub(super) fn key() -> Value {
    let (first, other) = (r"[^/.\x00-\x1f\x7f-\x9f]", r"[^/\x00-\x1f\x7f-\x9f]");
    let not_dot = r"[^/.\x00-\x1f\x7f-\x9f]";
    let segment = format!(r"({first}{other}*|\.{not_dot}{other}*|\.\.{other}+)");
    json!({
        "type": "string",
        "description": format!(
            "UTF-8 of at most {} bytes, split on /. No segment is empty, \".\" or \"..\", and there are no \
             control characters.",
            DocumentKey::MAX_BYTES
        ),
        "minLength": 1,
        "maxLength": DocumentKey::MAX_BYTES,
        "pattern": format!("^{segment}(/{segment})*$"),
        "examples": ["users/42"],
    })
}

pub(super) fn prefix() -> Value {
    json!({
        "type": "string",
        "description": "What a key may begin with; all do with nothing.",
        "maxLength": DocumentKey::MAX_BYTES,
        "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$",
        "examples": ["users/"],
    })
}
