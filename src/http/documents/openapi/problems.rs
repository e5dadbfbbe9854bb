//! Problem documents: a schema for each kind, and the responses that have them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::headers;
use crate::http::documents::options::Options;
use crate::http::guard::PreconditionStatus;
use crate::http::problem::ProblemKind;

/// The longest that a client is asked to wait before it tries again.
pub(super) const MAX_SECONDS: u64 = 60;

/// The name of the schema of a kind.
fn name(kind: ProblemKind) -> String {
    format!("problem-{}", kind.slug())
}

/// A schema for each kind.
pub(super) fn schemas() -> impl Iterator<Item = (String, Value)> {
    ProblemKind::ALL.into_iter().map(|kind| (name(kind), schema(kind)))
}

fn schema(kind: ProblemKind) -> Value {
    let mut statuses = vec![kind.status().as_u16()];
    // A failed precondition header may have another status than the state's disagreement.
    match kind {
        ProblemKind::StaleRevision | ProblemKind::AlreadyExists => statuses.push(412),
        ProblemKind::NotFound => statuses.extend([409, 412]),
        _ => {}
    }
    let mut properties = json!({
        "type": {"const": kind.reference()},
        "title": {"const": kind.title()},
        "status": {"enum": statuses},
    });
    let mut required: Vec<&str> = Vec::new();
    let state = ["expected_revision", "current_revision", "current_etag", "deleted"];
    match kind {
        ProblemKind::StaleRevision | ProblemKind::AlreadyExists => {
            required.push("key");
            required.extend(state);
        }
        ProblemKind::PatchTestFailed => {
            required.push("key");
            required.extend(state);
        }
        ProblemKind::InUse => {
            // Who is in the way is told to who may read.
            required.extend(["key"]);
            required.extend(state);
            properties["blockers"] =
                json!({"type": "array", "items": {"$ref": "#/components/schemas/Key"}});
            properties["blocker_count"] = json!({"type": "integer", "minimum": 1});
        }
        ProblemKind::Compacted => {
            for name in ["oldest_revision", "newest_revision"] {
                properties[name] = json!({"$ref": "#/components/schemas/Revision"});
            }
        }
        ProblemKind::TooManyRequests => {
            // Of what there are too many, if it is revisions that are read.
            for name in ["max_pins", "max_snapshots"] {
                properties[name] = json!({"type": "integer", "minimum": 0});
            }
        }
        ProblemKind::TransactionConflict => {
            required.push("conflicts");
            properties["conflicts"] = json!({
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/components/schemas/FailedRequirement"},
            });
        }
        _ => {}
    }
    json!({
        "description": kind.advice(),
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": properties,
        "required": required,
    })
}

/// What all kinds have in common, and members that more than one has.
pub(super) fn base() -> Value {
    json!({
        "type": "object",
        "description": "A problem document (RFC 9457). Members that a client does not know are to be ignored.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "description": "The path of a page about the kind of problem.",
            },
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What is wrong this time, for people."},
            "key": {"type": "string"},
            "expected_revision": nullable_revision("The one revision that was expected, if it was one."),
            "current_revision": nullable_revision("That of what is there now."),
            "current_etag": {"type": ["string", "null"]},
            "deleted": {"type": "boolean", "description": "Whether nothing is there now."},
            "links": {
                "type": "object",
                "description": "What can be read: current, base (what the request was based on), history.",
                "additionalProperties": {"type": "string", "format": "uri-reference"},
            },
            "current": {
                "description": "What is there now, if `Prefer: return=representation` asked for it.",
                "allOf": [{"$ref": "#/components/schemas/Entry"}],
            },
        },
    })
}

fn nullable_revision(description: &str) -> Value {
    json!({
        "description": description,
        "oneOf": [{"$ref": "#/components/schemas/Revision"}, {"type": "null"}],
    })
}

/// One element of a transaction's `conflicts`.
pub(super) fn failed_requirement() -> Value {
    let kinds = [
        ProblemKind::StaleRevision,
        ProblemKind::AlreadyExists,
        ProblemKind::NotFound,
        ProblemKind::InUse,
        ProblemKind::Compacted,
    ];
    let base = base();
    let mut properties = Map::new();
    for name in [
        "key",
        "expected_revision",
        "current_revision",
        "current_etag",
        "deleted",
        "links",
        "current",
    ] {
        properties.insert(name.to_owned(), base["properties"][name].clone());
    }
    for (name, schema) in [
        (
            "index",
            json!({"type": "integer", "minimum": 0, "description": "Which element of `require` it is."}),
        ),
        ("type", json!({"enum": kinds.map(ProblemKind::reference)})),
        ("detail", json!({"type": "string"})),
        ("prefix", json!({"type": "string"})),
        ("blockers", json!({"type": "array", "items": {"$ref": "#/components/schemas/Key"}})),
        ("blocker_count", json!({"type": "integer", "minimum": 1})),
        (
            "blocking",
            json!({
                "type": "array",
                "items": {"$ref": "#/components/schemas/Entry"},
                "description": "The first of the blockers, if `Prefer: return=representation` asked for what is there.",
            }),
        ),
        ("oldest_revision", json!({"$ref": "#/components/schemas/Revision"})),
    ] {
        properties.insert(name.to_owned(), schema);
    }
    json!({"type": "object", "required": ["index", "type", "detail"], "properties": properties})
}

/// The responses with `kinds`, as the router answers under `options`, by status.
pub(super) fn responses(kinds: &[ProblemKind], options: &Options) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<ProblemKind>> = BTreeMap::new();
    for kind in kinds {
        by_status.entry(kind.status().as_u16()).or_default().push(*kind);
    }
    if kinds.contains(&ProblemKind::StaleRevision) {
        // If-Match: * on what does not exist.
        by_status.entry(409).or_default().push(ProblemKind::NotFound);
    }
    if kinds.contains(&ProblemKind::AlreadyExists)
        && options.precondition_status == PreconditionStatus::PreconditionFailed
    {
        by_status.insert(412, CONDITIONS.to_vec());
    }
    by_status
        .into_iter()
        .map(|(status, kinds)| (status.to_string(), response(status, &kinds)))
        .collect()
}

/// What a condition fails with.
const CONDITIONS: [ProblemKind; 3] =
    [ProblemKind::StaleRevision, ProblemKind::AlreadyExists, ProblemKind::NotFound];

/// A response with one of `kinds`.
pub(super) fn response(status: u16, kinds: &[ProblemKind]) -> Value {
    let references: Vec<Value> = kinds
        .iter()
        .map(|kind| json!({"$ref": format!("#/components/schemas/{}", name(*kind))}))
        .collect();
    let schema = match &references[..] {
        [one] => one.clone(),
        _ => json!({"oneOf": references}),
    };
    let titles: Vec<&str> = kinds.iter().map(|kind| kind.title()).collect();
    let mut names = vec!["Cache-Control"];
    names.extend(match status {
        401 => &["WWW-Authenticate"][..],
        403 => &["WWW-Authenticate?"],
        405 => &["Allow"],
        409 | 412 => &["ETag?", "Preference-Applied?"],
        415 => &["Accept?", "Accept-Encoding?", "Accept-Patch?"],
        429 => &["Retry-After"],
        503 => &["Retry-After?"],
        _ => &[],
    });
    json!({
        "description": titles.join("; or: "),
        "headers": headers::some(&names),
        "content": {"application/problem+json": {"schema": schema}},
    })
}
