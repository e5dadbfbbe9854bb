//! A document and a patch of arbitrary bytes, or operations made from a few choices so that many apply.
//!
//! Nothing panics; the outcome is within the limits, whatever is copied where; a merge patch is idempotent.
#![no_main]

use arbitrary::Arbitrary;
use ifmatch::json::{Json, MAX_DEPTH};
use ifmatch::patch::{JsonPatch, MergePatch};
use libfuzzer_sys::fuzz_target;

const MAX_BYTES: usize = 4_096;

#[derive(Arbitrary, Debug)]
struct Input {
    document: Vec<u8>,
    patch: Patch,
}

#[derive(Arbitrary, Debug)]
enum Patch {
    Text(Vec<u8>),
    Operations(Vec<Operation>),
}

#[derive(Arbitrary, Debug)]
struct Operation {
    kind: Kind,
    from: Vec<Step>,
    path: Vec<Step>,
    value: u8,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Kind {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Index(u8),
    End,
    Name(bool),
    Any(String),
}

fuzz_target!(|input: Input| {
    let Ok(document) = Json::from_slice(&input.document) else { return };
    let patch = match &input.patch {
        Patch::Text(text) => text.clone(),
        Patch::Operations(operations) => {
            let operations: Vec<String> = operations.iter().map(written).collect();
            format!("[{}]", operations.join(",")).into_bytes()
        }
    };
    if let Ok(patch) = JsonPatch::parse(&patch) {
        match patch.apply(document.clone(), MAX_BYTES) {
            Ok(changed) => check(&changed),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if let Ok(patch) = MergePatch::parse(&patch)
        && let Ok(changed) = patch.apply(document, MAX_BYTES)
    {
        check(&changed);
        let again = patch.apply(changed.clone(), MAX_BYTES).expect("it is as large as before");
        assert!(again.is_identical(&changed));
    }
});

fn check(changed: &Json) {
    assert!(changed.encoded_len() <= MAX_BYTES);
    assert!(changed.depth() <= MAX_DEPTH);
    let read = Json::from_slice(&changed.to_vec()).expect("what is stored can be read");
    assert!(read.is_identical(changed));
}

fn written(operation: &Operation) -> String {
    let kind = match operation.kind {
        Kind::Add => "add",
        Kind::Remove => "remove",
        Kind::Replace => "replace",
        Kind::Move => "move",
        Kind::Copy => "copy",
        Kind::Test => "test",
    };
    let value = ["1", "[]", "{}", "{\"a\":[1.50]}", "null", "\"a\"", "[[[]]]", "1e400"];
    let value = value[usize::from(operation.value) % value.len()];
    let (from, path) = (pointer(&operation.from), pointer(&operation.path));
    format!("{{\"op\":\"{kind}\",\"from\":{from},\"path\":{path},\"value\":{value}}}")
}

fn pointer(steps: &[Step]) -> String {
    let mut pointer = String::new();
    for step in steps {
        pointer.push('/');
        match step {
            Step::Index(index) => pointer.push_str(&(index % 8).to_string()),
            Step::End => pointer.push('-'),
            Step::Name(name) => pointer.push(if *name { 'a' } else { 'b' }),
            Step::Any(any) => pointer.push_str(any),
        }
    }
    Json::String(pointer).to_string()
}
