//! What each operation takes and answers.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::body::Body;
use super::{parameters, problems, responses};
use crate::http::documents::operation::{Operation, Resource};
use crate::http::documents::options::Options;
use crate::http::problem::ProblemKind::{self, *};

/// An operation, short.
struct Description {
    id: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    body: Option<Body>,
    done: Vec<(u16, Value)>,
    problems: &'static [ProblemKind],
}

/// What every operation may answer: what stands in front of the routes, and what is wrong with the store.
const COMMON: &[ProblemKind] =
    &[InvalidQuery, Forbidden, MethodNotAllowed, TargetTooLong, Internal];

/// What everything may answer that is not open to everybody, and asks the store.
const STORE: &[ProblemKind] = &[InvalidHeader, Unauthorized, Unsupported, Unavailable];

/// What every write may answer.
const WRITE: &[ProblemKind] =
    &[InvalidKey, IdempotencyKeyReused, Contended, OutcomeUnknown, StorageFull, TooLarge];

/// What every write with a body may answer.
const UPLOAD: &[ProblemKind] = &[InvalidBody, RequestTimeout, UnsupportedMediaType];

/// The operation as OpenAPI has it.
pub(super) fn describe(resource: Resource, operation: Operation, options: &Options) -> Value {
    let Description { id, summary, parameters, body, done, problems } = description(operation);
    let mut kinds = [COMMON, problems].concat();
    if !resource.is_open() {
        kinds.extend(STORE);
    }
    if operation.method() != Method::GET {
        kinds.extend(WRITE);
        if options.require_preconditions && !matches!(operation, Operation::Create) {
            kinds.push(PreconditionRequired);
        }
    }
    if body.is_some() {
        kinds.extend(UPLOAD);
    }
    let mut answers: Map<String, Value> =
        done.into_iter().map(|(status, response)| (status.to_string(), response)).collect();
    answers.extend(problems::responses(&kinds, options));
    if matches!(operation, Operation::Read) {
        let failed = [StaleRevision, AlreadyExists, NotFound];
        answers.insert("412".to_owned(), problems::response(412, &failed[..1]));
    }
    let mut described = json!({
        "operationId": id,
        "summary": summary,
        "parameters": parameters::some(parameters),
        "responses": answers,
    });
    if resource.is_open() {
        described["security"] = json!([]);
    }
    if let Some(body) = body {
        described["requestBody"] = body.describe();
    }
    described
}

fn description(operation: Operation) -> Description {
    match operation {
        Operation::Read
        | Operation::Put
        | Operation::Patch
        | Operation::Delete
        | Operation::Create => of_a_document(operation),
        Operation::List
        | Operation::History
        | Operation::Transact
        | Operation::Watch
        | Operation::Look
        | Operation::Alive
        | Operation::Ready
        | Operation::Metrics
        | Operation::Describe
        | Operation::Problems
        | Operation::Problem => of_others(operation),
    }
}

const GUARD: &[&str] = &[
    "key",
    "revision",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "Prefer",
    "Idempotency-Key",
];

fn of_a_document(operation: Operation) -> Description {
    let links = links("$request.path.key");
    let written = || {
        let shown = responses::representation(
            "Done, with `Prefer: return=representation`",
            &["Preference-Applied"],
        );
        vec![(200, shown), (204, responses::done(&links))]
    };
    match operation {
        Operation::Put => {
            let mut done = written();
            done.push((201, responses::created(&links)));
            Description {
                id: "putDocument",
                summary: "Write a document",
                parameters: GUARD,
                body: Some(Body::Document),
                done,
                problems: &[StaleRevision, AlreadyExists],
            }
        }
        Operation::Patch => Description {
            id: "patchDocument",
            summary: "Change a document in part",
            parameters: GUARD,
            body: Some(Body::Patch),
            done: written(),
            problems: &[NotFound, StaleRevision, AlreadyExists, PatchTestFailed],
        },
        Operation::Delete => Description {
            id: "deleteDocument",
            summary: "Delete a document",
            parameters: &[
                "key",
                "revision",
                "unless-prefix",
                "If-Match",
                "If-None-Match",
                "If-Unmodified-Since",
                "Prefer",
                "Idempotency-Key",
            ],
            body: None,
            done: vec![(204, responses::done(&json!({})))],
            problems: &[NotFound, StaleRevision, AlreadyExists, InUse],
        },
        Operation::Create => Description {
            id: "createDocument",
            summary: "Create a document",
            parameters: &["If-None-Match-Any", "Prefer", "Idempotency-Key"],
            body: Some(Body::NewDocument),
            done: vec![(201, responses::created(&self::links("$request.body#/key")))],
            problems: &[AlreadyExists],
        },
        _ => Description {
            id: "readDocument",
            summary: "Read a document",
            parameters: &[
                "key",
                "at",
                "wait",
                "after",
                "If-Match",
                "If-None-Match",
                "If-Modified-Since",
                "If-Unmodified-Since",
            ],
            body: None,
            done: vec![
                (200, responses::representation("The document as it was written", &[])),
                (304, responses::not_modified()),
            ],
            problems: &[InvalidKey, NotFound, Compacted, TooManyRequests],
        },
    }
}

fn of_others(operation: Operation) -> Description {
    let description = |id, summary| Description {
        id,
        summary,
        parameters: &[],
        body: None,
        done: Vec::new(),
        problems: &[],
    };
    match operation {
        Operation::List => Description {
            parameters: &["prefix", "limit", "cursor"],
            done: vec![(200, responses::json_of("A page", "Page", &next_page()))],
            problems: &[Compacted, TooManyRequests],
            ..description(
                "listDocuments",
                "List documents, a page at a time, all pages at one revision",
            )
        },
        Operation::History => Description {
            parameters: &["key"],
            done: vec![(
                200,
                responses::json_of(
                    "The versions that are kept, the oldest first",
                    "History",
                    &json!({}),
                ),
            )],
            problems: &[InvalidKey, NotFound, Compacted],
            ..description("readHistory", "Read the versions of a document that are kept")
        },
        Operation::Transact => Description {
            parameters: &["Prefer", "Idempotency-Key"],
            body: Some(Body::Transaction),
            done: vec![(
                200,
                responses::json_of("Committed, as this revision", "Committed", &json!({})),
            )],
            problems: &[TransactionConflict],
            ..description(
                "transact",
                "Write many documents, all or nothing, if what is required holds",
            )
        },
        Operation::Watch => Description {
            parameters: &["prefix", "since", "Last-Event-ID"],
            done: vec![(200, responses::event_stream())],
            ..description("watch", "Follow commits, as server-sent events")
        },
        Operation::Look => Description {
            done: vec![(200, responses::html("A page that shows and edits documents"))],
            ..description("look", "Look at it in a browser")
        },
        Operation::Alive => Description {
            done: vec![(200, responses::json_of("It does", "Health", &json!({})))],
            ..description("readHealth", "Read whether the process answers")
        },
        Operation::Ready => Description {
            done: vec![(200, responses::json_of("It does", "Readiness", &json!({})))],
            problems: &[Unavailable],
            ..description("readReadiness", "Read whether the store takes writes")
        },
        Operation::Metrics => Description {
            done: vec![(200, responses::figures())],
            ..description("readMetrics", "Read the figures of the server")
        },
        Operation::Problems => Description {
            done: vec![(200, responses::text_or_html("All kinds of problem"))],
            ..description("listProblems", "List the kinds of problem")
        },
        Operation::Problem => Description {
            parameters: &["slug"],
            done: vec![(200, responses::text_or_html("What it is, what to do, and an example"))],
            problems: &[NoSuchRoute],
            ..description("readProblem", "Read about a kind of problem")
        },
        _ => Description {
            done: vec![(200, responses::json_object("OpenAPI 3.1"))],
            ..description("describe", "Read this document")
        },
    }
}

/// What can be done next with the document whose key is at `key`.
fn links(key: &str) -> Value {
    let tagged = json!({"path.key": key, "header.If-Match": "$response.header.ETag"});
    json!({
        "read": {"operationId": "readDocument", "parameters": tagged},
        "update": {"operationId": "putDocument", "parameters": tagged},
        "patch": {"operationId": "patchDocument", "parameters": tagged},
        "delete": {"operationId": "deleteDocument", "parameters": tagged},
        "history": {"operationId": "readHistory", "parameters": {"path.key": key}},
    })
}

fn next_page() -> Value {
    json!({
        "next": {"operationId": "listDocuments", "parameters": {"query.cursor": "$response.body#/next"}},
    })
}
