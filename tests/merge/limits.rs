//! The limits of patches, at their edges.

use ifmatch::json::{Json, MAX_DEPTH};
use ifmatch::patch::{InvalidPatch, JsonPatch, MAX_OPERATIONS, PatchFailure};

use crate::{doc, text};

fn patch(text: &str) -> JsonPatch {
    JsonPatch::parse(text.replace('\'', "\"").as_bytes()).unwrap()
}

#[test]
fn a_patch_may_have_1000_operations_and_no_more() {
    assert_eq!(MAX_OPERATIONS, 1_000);
    let operations =
        |count| vec!["{'op':'add','path':'/-','value':1}"; count].join(",").replace('\'', "\"");
    let most = JsonPatch::parse(format!("[{}]", operations(1_000)).as_bytes()).unwrap();
    assert_eq!(most.apply(doc("[]"), 10_000).unwrap().as_array().unwrap().len(), 1_000);
    let error = JsonPatch::parse(format!("[{}]", operations(1_001)).as_bytes()).unwrap_err();
    assert!(
        matches!(error, InvalidPatch::TooManyOperations { operations: 1_001, max: 1_000 }),
        "{error}"
    );
}

#[test]
fn a_document_may_grow_to_the_limit_and_no_further() {
    for (document, operation, expected) in [
        ("{}", "{'op':'add','path':'/a','value':[1,2]}", "{'a':[1,2]}"),
        ("{'b':1}", "{'op':'add','path':'/é\\n','value':'\\\\'}", "{'b':1,'é\\n':'\\\\'}"),
        ("{'a':1}", "{'op':'add','path':'/a','value':22}", "{'a':22}"),
        ("[]", "{'op':'add','path':'/-','value':1}", "[1]"),
        ("[1]", "{'op':'add','path':'/0','value':1}", "[1,1]"),
        ("[1]", "{'op':'replace','path':'/0','value':100}", "[100]"),
        ("[1]", "{'op':'replace','path':'','value':[100]}", "[100]"),
        ("[1]", "{'op':'copy','from':'','path':'/0'}", "[[1],1]"),
        ("{'a':1}", "{'op':'move','from':'/a','path':'/abc'}", "{'abc':1}"),
        (
            "{'a':[1],'b':[]}",
            "{'op':'move','from':'/a/0','path':'/longer'}",
            "{'a':[],'b':[],'longer':1}",
        ),
    ] {
        let with = patch(&format!("[{operation}]"));
        let max_bytes = doc(expected).encoded_len();
        assert_eq!(text(&with.apply(doc(document), max_bytes).unwrap()), text(&doc(expected)));
        let error = with.apply(doc(document), max_bytes - 1).unwrap_err();
        let failure = PatchFailure::TooLarge { max_bytes: max_bytes - 1 };
        assert_eq!((error.index(), error.failure()), (Some(0), &failure), "{operation}");
    }
}

#[test]
fn a_document_may_not_grow_over_the_limit_in_between_and_may_shrink_from_above() {
    let there_and_back =
        patch("[{'op':'add','path':'/a','value':'123456789'},{'op':'remove','path':'/a'}]");
    let error = there_and_back.apply(doc("{}"), 10).unwrap_err();
    assert_eq!(error.index(), Some(0));
    let shrinks = patch("[{'op':'test','path':'/b','value':1},{'op':'remove','path':'/a'}]");
    let large = doc("{'a':'1234567890','b':1}");
    assert_eq!(text(&shrinks.apply(large.clone(), 7).unwrap()), "{'b':1}");
    let error = shrinks.apply(large.clone(), 6).unwrap_err();
    assert_eq!((error.index(), error.failure()), (None, &PatchFailure::TooLarge { max_bytes: 6 }));
    assert!(patch("[]").apply(large, 20).is_err(), "the outcome is what counts");
}

#[test]
fn copies_of_copies_are_refused_before_they_fill_the_memory() {
    // Doubles the document a hundred times: 2^100 bytes, or nested 2^100 deep.
    let wide = vec!["{'op':'copy','from':'','path':'/-'}"; 100].join(",");
    let error = patch(&format!("[{wide}]")).apply(doc("[]"), 1_000_000).unwrap_err();
    assert_eq!(error.failure(), &PatchFailure::TooLarge { max_bytes: 1_000_000 });
    assert!(error.index() < Some(25), "{error}");
    let path: Vec<String> = (0..100).map(|step| "/a".repeat(1 << step.min(7))).collect();
    let deep: Vec<String> =
        path.iter().map(|path| format!("{{'op':'copy','from':'','path':'{path}'}}")).collect();
    let error =
        patch(&format!("[{}]", deep.join(","))).apply(doc("{'a':{}}"), 1_000_000).unwrap_err();
    assert_eq!(error.failure(), &PatchFailure::TooDeep { max: MAX_DEPTH });
    assert!(error.index() < Some(8), "{error}");
}

#[test]
fn what_is_copied_and_moved_is_at_most_16_times_the_largest_document() {
    // The value is 100 bytes long, so 1,600 bytes are 16 copies of it.
    let document = Json::from_value(&serde_json::json!({"a": "x".repeat(98), "b": 1})).unwrap();
    assert_eq!(document.get("a").unwrap().encoded_len(), 100);
    let max_bytes = 400;
    let moves = |count: usize| {
        let pair =
            ["{'op':'move','from':'/a','path':'/c'}", "{'op':'move','from':'/c','path':'/a'}"];
        pair.into_iter().cycle().take(count).collect::<Vec<_>>().join(",")
    };
    assert!(patch(&format!("[{}]", moves(64))).apply(document.clone(), max_bytes).is_ok());
    let error = patch(&format!("[{}]", moves(65))).apply(document.clone(), max_bytes).unwrap_err();
    let failure = PatchFailure::TooMuchMoved { max_bytes: 6_400 };
    assert_eq!((error.index(), error.failure()), (Some(64), &failure));
    let copies = vec!["{'op':'copy','from':'/a','path':'/b'}"; 65].join(",");
    let error = patch(&format!("[{copies}]")).apply(document, max_bytes).unwrap_err();
    assert_eq!((error.index(), error.failure()), (Some(64), &failure));
}

#[test]
fn a_long_number_is_tested_against_short_ones_only_so_often() {
    // 100 digits, which equal the 4 characters 1e99.
    let document = Json::from_value(&serde_json::json!({"a": 1})).unwrap();
    let long = format!("[{{'op':'replace','path':'/a','value':1{}}}]", "0".repeat(99));
    let document = patch(&long).apply(document, 150).unwrap();
    let tests = |count: usize| {
        let test = "{'op':'test','path':'/a','value':1e99}";
        patch(&format!("[{}]", vec![test; count].join(",")))
    };
    assert!(tests(25).apply(document.clone(), 150).is_ok());
    let error = tests(26).apply(document, 150).unwrap_err();
    let failure = PatchFailure::TooMuchMoved { max_bytes: 2_400 };
    assert_eq!((error.index(), error.failure()), (Some(25), &failure));
}

#[test]
fn a_patch_nests_a_document_128_deep_and_no_deeper() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let document = nested(MAX_DEPTH - 1);
    for (operation, fits) in [
        ("{'op':'add','path':'/-','value':1}", true),
        // One level for the outer array, 127 and 128 for the value.
        ("{'op':'copy','from':'','path':'/-'}", true),
        ("{'op':'copy','from':'','path':'/0/-'}", false),
        ("{'op':'add','path':'/0','value':{'a':1}}", true),
        ("{'op':'add','path':'','value':[[]]}", true),
    ] {
        let outcome = patch(&format!("[{operation}]")).apply(doc(&document), 10_000);
        match outcome {
            Ok(document) => assert!(fits && document.depth() <= MAX_DEPTH, "{operation}"),
            Err(error) => {
                assert_eq!(error.failure(), &PatchFailure::TooDeep { max: MAX_DEPTH });
                assert!(!fits, "{operation}");
            }
        }
    }
    let place = "/0".repeat(MAX_DEPTH - 1);
    let add = |value: &str| patch(&format!("[{{'op':'add','path':'{place}','value':{value}}}]"));
    assert_eq!(add("[]").apply(doc(&document), 10_000).unwrap().depth(), MAX_DEPTH);
    assert!(add("[[]]").apply(doc(&document), 10_000).is_err());
    let replace = |value: &str| {
        let steps = "/0".repeat(MAX_DEPTH - 2);
        patch(&format!("[{{'op':'replace','path':'{steps}','value':{value}}}]"))
    };
    assert_eq!(replace("[[]]").apply(doc(&document), 10_000).unwrap().depth(), MAX_DEPTH);
    assert!(replace("[[[]]]").apply(doc(&document), 10_000).is_err());
    let moved = patch("[{'op':'move','from':'/a','path':'/b/0/0'}]");
    let document = |depth| doc(&format!("{{'a':{},'b':[[]]}}", nested(depth)));
    assert_eq!(moved.apply(document(MAX_DEPTH - 3), 10_000).unwrap().depth(), MAX_DEPTH);
    assert!(moved.apply(document(MAX_DEPTH - 2), 10_000).is_err());
}
