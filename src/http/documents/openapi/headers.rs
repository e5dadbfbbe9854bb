//! Headers of responses.

use serde_json::{Map, Value, json};

use super::problems::MAX_SECONDS;
use crate::revision::Revision;

/// Not by reference: there are readers who see the type of a header's text only where it stands.
fn revision() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": Revision::MAX.get()})
}

pub(super) fn all() -> Value {
    json!({
        "ETag": {
            "description": "The tag of what is there now; of a delete, that of its revision. It is strong and opaque.",
            "schema": {"type": "string", "pattern": "^\"[!#-~]+\"$"},
        },
        "Ifmatch-Revision": {
            "description": "The revision that the ETag stands for, for `?revision=` and `require`.",
            "schema": revision(),
        },
        "Ifmatch-Created-Revision": {
            "description": "The revision that created the document.",
            "schema": revision(),
        },
        "Ifmatch-Write-Count": {
            "description": "The writes since it was created, its creation included.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "Last-Modified": {
            "description": "When it was written, by the clock of the server. It has whole seconds, so that two writes \
                within one look the same: prefer the ETag.",
            "schema": {"type": "string", "pattern": "^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$"},
        },
        "Location": {
            "description": "The path of the document that was created.",
            "schema": {"type": "string", "format": "uri-reference"},
        },
        "Cache-Control": {
            "description": "`no-cache` of what may be kept and has to be asked for again, else `no-store`.",
            "schema": {"type": "string", "pattern": "^no-(cache|store)(, no-transform)?$"},
        },
        "Retry-After": {
            "description": "In how many seconds to try again.",
            "schema": {"type": "integer", "minimum": 1, "maximum": MAX_SECONDS},
        },
        "Allow": {
            "description": "The methods of the resource.",
            "schema": {"type": "string"},
        },
        "Accept": {
            "description": "What the resource takes.",
            "schema": {"type": "string"},
        },
        "Accept-Encoding": {
            "description": "`identity`, if a content coding was refused.",
            "schema": {"type": "string"},
        },
        "Accept-Patch": {
            "description": "The patches that documents take (RFC 5789 3.1).",
            "schema": {"type": "string"},
        },
        "Preference-Applied": {
            "description": "`return=representation`, if that was preferred and is what the answer has (RFC 7240).",
            "schema": {"const": "return=representation"},
        },
        "WWW-Authenticate": {
            "description": "What is wrong with the token (RFC 6750 3).",
            "schema": {"type": "string"},
        },
    })
}

/// References to headers by their names. All but those marked with `?` are always there.
pub(super) fn some(names: &[&str]) -> Map<String, Value> {
    names
        .iter()
        .map(|name| {
            let plain = name.trim_end_matches('?');
            let reference = format!("#/components/headers/{plain}");
            let header = if plain == *name {
                let schema = format!("{reference}/schema");
                json!({"required": true, "schema": {"$ref": schema}})
            } else {
                json!({"$ref": reference})
            };
            (plain.to_owned(), header)
        })
        .collect()
}
