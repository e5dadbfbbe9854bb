//! Responses that are no problems.

use serde_json::{Value, json};

use super::headers;

/// Whose document it is that is shown.
const VERSIONS: [&str; 3] = ["Ifmatch-Revision", "Ifmatch-Created-Revision", "Ifmatch-Write-Count"];

/// A document as it was written. It has no schema: not even text has to be text.
pub(super) fn representation(description: &str, more: &[&str]) -> Value {
    let mut names = vec!["ETag", "Cache-Control", "Last-Modified?"];
    names.extend(VERSIONS);
    names.extend(more);
    json!({
        "description": description,
        "headers": headers::some(&names),
        "content": {"*/*": {}},
    })
}

pub(super) fn not_modified() -> Value {
    json!({
        "description": "The client has it: If-None-Match or If-Modified-Since does not hold",
        "headers": headers::some(&["ETag", "Cache-Control"]),
    })
}

/// What POST or PUT answers if there was nothing before. A content that may be there or not cannot be declared.
pub(super) fn created(links: &Value) -> Value {
    json!({
        "description": "Created; with the document as the body, if `Prefer: return=representation` asked for it",
        "headers": headers::some(&[
            "ETag", "Location", "Cache-Control", "Last-Modified?", "Preference-Applied?", "Ifmatch-Revision",
            "Ifmatch-Created-Revision", "Ifmatch-Write-Count",
        ]),
        "links": links,
    })
}

/// A write that was done, without a body.
pub(super) fn done(links: &Value) -> Value {
    json!({
        "description": "Done",
        "headers": headers::some(&[
            "ETag", "Cache-Control", "Ifmatch-Revision", "Ifmatch-Created-Revision?", "Ifmatch-Write-Count?",
        ]),
        "links": links,
    })
}

pub(super) fn json_of(description: &str, schema: &str, links: &Value) -> Value {
    json!({
        "description": description,
        "headers": headers::some(&["Cache-Control"]),
        "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}},
        "links": links,
    })
}

pub(super) fn json_object(description: &str) -> Value {
    json!({
        "description": description,
        "headers": headers::some(&["Cache-Control"]),
        "content": {"application/json": {"schema": {"type": "object"}}},
    })
}

/// In the text format of OpenMetrics.
pub(super) fn figures() -> Value {
    json!({
        "description": "Figures for Prometheus",
        "headers": headers::some(&["Cache-Control"]),
        "content": {"application/openmetrics-text": {"schema": {"type": "string"}}},
    })
}

/// Messages as they come (WHATWG HTML 9.2).
pub(super) fn event_stream() -> Value {
    json!({
        "description": "Messages. First one with an `id` only: the revision from where it begins. Then one `event: commit` \
            for each commit: its `id` is the revision, its data `{\"revision\": R, \"events\": [{\"type\": \"put\", ...entry}, \
            {\"type\": \"delete\", \"key\": K, \"revision\": R}]}`. `event: compacted` says that the revision is not kept any \
            more, or that the client is too slow: read the state anew, and begin from there. `event: unreadable` says that the next \
            commit has a value that this version of the server cannot read, with data `{\"revision\": R, \"key\": K, \
            \"keys\": [K, ...], \"detail\": \"...\"}`: look at all the keys of the commit, and begin from that revision. Each of the \
            two is the last.",
        "headers": headers::some(&["Cache-Control"]),
        "content": {"text/event-stream": {}},
    })
}

pub(super) fn text_or_html(description: &str) -> Value {
    json!({
        "description": description,
        "headers": headers::some(&["Cache-Control"]),
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "text/html": {"schema": {"type": "string"}},
        },
    })
}

pub(super) fn html(description: &str) -> Value {
    json!({
        "description": description,
        "headers": headers::some(&["Cache-Control"]),
        "content": {"text/html": {"schema": {"type": "string"}}},
    })
}
