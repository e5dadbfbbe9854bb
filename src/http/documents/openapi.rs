//! `GET /openapi.json`: what the router serves, as an OpenAPI 3.1 document.
//!
//! Paths and methods come from the table that the routes come from, limits from the constants that are enforced, problems
//! from [`ProblemKind`](crate::http::ProblemKind), and statuses from the options of this very router: where a failed
//! precondition is 409, no 412 is declared. The schemas are written here, because the bodies have no types to derive them
//! from: values keep their text, and are never parsed. That they are true is what tests/blackbox finds out.

mod body;
mod headers;
mod operations;
mod parameters;
mod problems;
mod responses;
mod schemas;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::backend::Backend;

use super::list;
use super::operation::{Operation, Resource};
use super::options::Options;
use super::shared::{Mount, Shared};
use crate::http::problem::Problem;
use crate::http::query;

/// `GET`.
pub(super) async fn describe<B: Backend>(
    State(shared): State<Shared<B>>,
    uri: Uri,
    mount: Mount,
) -> Result<Response, Problem> {
    query::allow_only(uri.query(), &[])?;
    Ok(list::json(&document(mount.prefix(), shared.options())))
}

/// The document of a router with `options` that is mounted at `mount`.
fn document(mount: &str, options: &Options) -> Value {
    let server = if mount.is_empty() { "/" } else { mount };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ifmatch",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A versioned key-value store with compare-and-swap by revision",
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": server}],
        // Without tokens a server takes everybody.
        "security": [{}, {"bearer": []}],
        "paths": paths(options),
        "components": {
            "schemas": schemas::all(),
            "parameters": parameters::all(),
            "headers": headers::all(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token with the scope read, write, or both.",
                },
            },
        },
    })
}

const DESCRIPTION: &str = "Optimistic locking: read (`ETag`), change, write back (`If-Match`). Whoever lost the race is \
    answered 409 with what is there now, reads it, merges, and tries again.\n\nEvery 4xx and 5xx is a problem document \
    (RFC 9457) whose `type` leads to a page, but for a head that is no HTTP (400) or has more than 64 KiB or 100 fields \
    (431): to those the answer has no body. A query parameter that is not listed is 400.";

fn paths(options: &Options) -> Map<String, Value> {
    Resource::ALL
        .into_iter()
        .map(|resource| (resource.template().to_owned(), path(resource, options)))
        .collect()
}

fn path(resource: Resource, options: &Options) -> Value {
    let mut item = Map::new();
    for operation in resource.operations() {
        let described = operations::describe(resource, *operation, options);
        let method = operation.method().as_str().to_ascii_lowercase();
        if method == "get" {
            item.insert("head".to_owned(), head_of(*operation, &described));
        }
        item.insert(method, described);
    }
    item.into()
}

/// The same without content.
fn head_of(operation: Operation, get: &Value) -> Value {
    let mut head = get.clone();
    let id = get["operationId"].as_str().unwrap_or_default();
    head["operationId"] = format!("{id}Head").into();
    head["summary"] =
        format!("{}: the head alone", get["summary"].as_str().unwrap_or_default()).into();
    if let Some(responses) = head["responses"].as_object_mut() {
        for response in responses.values_mut().filter_map(Value::as_object_mut) {
            response.remove("content");
            response.remove("links");
        }
    }
    debug_assert_eq!(operation.method(), axum::http::Method::GET);
    head
}
