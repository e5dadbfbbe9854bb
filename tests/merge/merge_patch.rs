//! Merge patch: RFC 7396.

use ifmatch::json::InvalidJson;
use ifmatch::patch::{InvalidPatch, MergePatch, PatchFailure};

use crate::{doc, text};

fn patch(text: &str) -> MergePatch {
    MergePatch::parse(text.replace('\'', "\"").as_bytes()).unwrap()
}

#[test]
fn the_examples_of_the_rfc_hold() {
    // RFC 7396 appendix A.
    for (original, with, expected) in [
        ("{'a':'b'}", "{'a':'c'}", "{'a':'c'}"),
        ("{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}"),
        ("{'a':'b'}", "{'a':null}", "{}"),
        ("{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}"),
        ("{'a':['b']}", "{'a':'c'}", "{'a':'c'}"),
        ("{'a':'c'}", "{'a':['b']}", "{'a':['b']}"),
        ("{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}"),
        ("{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}"),
        ("['a','b']", "['c','d']", "['c','d']"),
        ("{'a':'b'}", "['c']", "['c']"),
        ("{'a':'foo'}", "null", "null"),
        ("{'a':'foo'}", "'bar'", "'bar'"),
        ("{'e':null}", "{'a':1}", "{'e':null,'a':1}"),
        ("[1,2]", "{'a':'b','c':null}", "{'a':'b'}"),
        ("{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}"),
    ] {
        let patched = patch(with).apply(doc(original), 1_000).unwrap();
        assert_eq!(text(&patched), expected, "{original} with {with}");
    }
}

#[test]
fn what_a_patch_does_not_touch_keeps_text_and_order() {
    let patched = patch("{'c':{'y':2.50},'a':null,'new':[null,{'x':null}]}")
        .apply(doc("{'z':1e400,'a':1,'c':{'x':1.0,'y':2,'z':0},'b':-0}"), 1_000)
        .unwrap();
    assert_eq!(
        text(&patched),
        "{'z':1e400,'c':{'x':1.0,'y':2.50,'z':0},'b':-0,'new':[null,{'x':null}]}"
    );
}

#[test]
fn a_patch_that_is_not_json_is_refused() {
    let error = MergePatch::parse(b"{\"a\":}").unwrap_err();
    assert!(matches!(error, InvalidPatch::Json(InvalidJson::Syntax(_))), "{error}");
}

#[test]
fn the_outcome_may_be_as_large_as_the_limit_and_no_larger() {
    let (document, with) = (doc("{'a':1}"), patch("{'b':'é'}"));
    let exact = "{'a':1,'b':'é'}".len();
    assert_eq!(with.apply(document.clone(), exact).unwrap().encoded_len(), exact);
    let error = with.apply(document, exact - 1).unwrap_err();
    assert_eq!(error.failure(), &PatchFailure::TooLarge { max_bytes: exact - 1 });
    assert_eq!(error.index(), None);
}
