//! JSON without loss, three-way merge, and patches: what they promise, case by case and for documents that proptest makes.

#![cfg(not(ifmatch_model))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod documents;
mod json;
mod json_patch;
mod keyed;
mod laws;
mod limits;
mod merge_patch;
mod three_way;

use ifmatch::json::Json;

/// A document, in JSON or not quite: `'` stands for `"`.
fn doc(text: &str) -> Json {
    text.replace('\'', "\"").parse().unwrap()
}

/// Without spaces outside strings that matter, `'` for `"`.
fn text(value: &Json) -> String {
    value.to_string().replace('"', "'")
}
