//! Schemas of what is in bodies.

use serde_json::{Map, Value, json};

use super::{parameters, problems};
use crate::capability::NAMED;
use crate::http::content_type::ContentType;
use crate::revision::Revision;
use crate::txn::Txn;

pub(super) fn all() -> Map<String, Value> {
    let own = [
        ("Revision", revision()),
        ("Key", parameters::key()),
        ("Prefix", parameters::prefix()),
        ("ContentType", content_type()),
        ("Content", content()),
        ("Entry", entry()),
        ("Page", page()),
        ("History", history()),
        ("Committed", committed()),
        ("Health", status("ok")),
        ("Readiness", readiness()),
        ("NewDocument", new_document()),
        ("Transaction", transaction()),
        ("Requirement", requirement()),
        ("Change", change()),
        ("JsonPatch", json_patch()),
        ("Problem", problems::base()),
        ("FailedRequirement", problems::failed_requirement()),
    ];
    own.into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .chain(problems::schemas())
        .collect()
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn revision() -> Value {
    json!({
        "type": "integer",
        "description": "Of the whole store: every commit has a larger one than all before.",
        "minimum": 1,
        "maximum": Revision::MAX.get(),
    })
}

fn content_type() -> Value {
    let token = "[-!#$%&'*+.^_`|~0-9A-Za-z]+";
    json!({
        "type": "string",
        "description": "A media type with its parameters, kept as it was written.",
        "maxLength": ContentType::MAX_BYTES,
        "pattern": format!("^{token}/{token}(;[ -~]*)?$"),
        "format": "media-type",
        "examples": ["text/plain; charset=utf-8"],
    })
}

/// The value of a document in JSON, on the way in.
fn content() -> Value {
    json!({
        "description": "`value`, if it is JSON, else `base64`. The content type is application/json, or \
            application/octet-stream, unless it is there.",
        "oneOf": [
            {
                "required": ["value"],
                "properties": {
                    "base64": false,
                    "value": {},
                    "content_type": {"type": "string", "format": "json-content-type",
                        "description": "application/json, or with the suffix +json."},
                },
            },
            {
                "required": ["base64"],
                "properties": {
                    "value": false,
                    "base64": {"type": "string", "contentEncoding": "base64", "format": "base64"},
                    "content_type": reference("ContentType"),
                },
            },
        ],
    })
}

/// A document with its revisions. Without its value it is in a history only, if that is very large.
fn entry() -> Value {
    json!({
        "type": "object",
        "required": ["key", "revision", "created_revision", "write_count", "etag", "content_type"],
        "properties": {
            "key": reference("Key"),
            "revision": reference("Revision"),
            "created_revision": reference("Revision"),
            "write_count": {
                "type": "integer",
                "minimum": 1,
                "description": "The writes since it was created, its creation included.",
            },
            "etag": {"type": "string"},
            "last_modified": {"type": "string", "description": "A date as in Last-Modified."},
            "content_type": reference("ContentType"),
            "value": {"description": "If the content type says that it is JSON: the document itself."},
            "base64": {"type": "string", "contentEncoding": "base64", "description": "If it is not JSON."},
        },
        "not": {"required": ["value", "base64"]},
    })
}

fn page() -> Value {
    json!({
        "type": "object",
        "required": ["revision", "items", "next"],
        "properties": {
            "revision": reference("Revision"),
            "items": {"type": "array", "items": reference("Entry"), "description": "In the order of their keys' bytes."},
            "next": {"type": ["string", "null"], "description": "The cursor of the next page, at the same revision."},
        },
    })
}

fn status(status: &str) -> Value {
    json!({
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": status}},
    })
}

fn readiness() -> Value {
    let mut schema = status("ready");
    schema["required"] = json!(["status", "revision", "identity", "supports"]);
    schema["properties"]["revision"] = reference("Revision");
    schema["properties"]["identity"] = json!({
        "type": "string",
        "pattern": "^[0-9a-f]{32}$",
        "description": "Which store it is: revisions mean something within one only.",
    });
    schema["properties"]["supports"] = json!({
        "type": "array",
        "items": {"enum": NAMED.map(|(_, name)| name)},
        "description": "What the store can do of what not every store can.",
    });
    schema
}

fn committed() -> Value {
    json!({
        "type": "object",
        "required": ["revision"],
        "properties": {"revision": reference("Revision")},
    })
}

fn history() -> Value {
    json!({
        "type": "object",
        "required": ["key", "since", "versions"],
        "properties": {
            "key": reference("Key"),
            "since": {"description": "From this revision on nothing is left out.", "allOf": [reference("Revision")]},
            "versions": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "oneOf": [
                        reference("Entry"),
                        {
                            "type": "object",
                            "required": ["key", "revision", "deleted"],
                            "properties": {
                                "key": reference("Key"),
                                "revision": reference("Revision"),
                                "deleted": {"const": true},
                            },
                        },
                    ],
                },
            },
        },
    })
}

fn new_document() -> Value {
    json!({
        "type": "object",
        "required": ["key"],
        "properties": {"key": reference("Key")},
        "allOf": [reference("Content")],
        "unevaluatedProperties": false,
        "examples": [{"key": "users/42", "value": {"name": "Ada"}}],
    })
}

fn transaction() -> Value {
    json!({
        "type": "object",
        "description": format!(
            "At most {} elements together. No key is written twice.",
            Txn::<(), ()>::MAX_OPERATIONS - 3
        ),
        "properties": {
            "require": {"type": "array", "items": reference("Requirement")},
            "operations": {"type": "array", "items": reference("Change")},
        },
        "additionalProperties": false,
        "examples": [{
            "require": [{"key": "users/42", "absent": true}],
            "operations": [{"put": "users/42", "value": {"name": "Ada"}}],
        }],
    })
}

fn requirement() -> Value {
    let one = |scope: &str, of: Value, what: &str, value: Value| {
        json!({
            "type": "object",
            "required": [scope, what],
            "properties": {scope: of, what: value},
            "additionalProperties": false,
        })
    };
    let (yes, revision) = (json!({"const": true}), reference("Revision"));
    json!({
        "oneOf": [
            one("key", reference("Key"), "revision", revision.clone()),
            one("key", reference("Key"), "absent", yes.clone()),
            one("key", reference("Key"), "present", yes.clone()),
            one("prefix", reference("Prefix"), "empty", yes),
            one("prefix", reference("Prefix"), "unchanged_since", revision),
        ],
    })
}

fn change() -> Value {
    json!({
        "oneOf": [
            {
                "type": "object",
                "required": ["put"],
                "properties": {"put": reference("Key")},
                "allOf": [reference("Content")],
                "unevaluatedProperties": false,
            },
            {
                "type": "object",
                "required": ["delete"],
                "properties": {"delete": reference("Key")},
                "additionalProperties": false,
            },
        ],
    })
}

/// RFC 6902.
fn json_patch() -> Value {
    let pointer = json!({"type": "string", "format": "json-pointer"});
    // Without the whole document nothing would be left.
    let part = json!({"type": "string", "format": "json-pointer", "minLength": 1});
    let operation = |names: &[&str], path: &Value, more: &[(&str, Value)]| {
        let mut properties = json!({"op": {"enum": names}, "path": path});
        let mut required = vec!["op", "path"];
        for (name, schema) in more {
            properties[*name] = schema.clone();
            required.push(name);
        }
        json!({"type": "object", "required": required, "properties": properties})
    };
    json!({
        "type": "array",
        "items": {
            "oneOf": [
                operation(&["add", "replace", "test"], &pointer, &[("value", json!({}))]),
                operation(&["remove"], &part, &[]),
                operation(&["copy"], &pointer, &[("from", pointer.clone())]),
                operation(&["move"], &pointer, &[("from", part)]),
            ],
        },
        "examples": [[{"op": "test", "path": "/age", "value": 36}, {"op": "replace", "path": "/age", "value": 37}]],
    })
}
