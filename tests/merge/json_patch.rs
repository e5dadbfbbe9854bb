//! JSON patch: RFC 6902.

use ifmatch::json::{InvalidJson, InvalidPointer, Json};
use ifmatch::patch::{InvalidPatch, JsonPatch, OperationFault, PatchError, PatchFailure};

use crate::{doc, text};

fn patch(text: &str) -> JsonPatch {
    JsonPatch::parse(text.replace('\'', "\"").as_bytes()).unwrap()
}

fn apply(with: &str, document: &str) -> Result<Json, PatchError> {
    patch(with).apply(doc(document), 10_000)
}

#[test]
fn the_examples_of_the_rfc_hold() {
    // RFC 6902 appendix A, in its order; those that fail are below.
    for (name, document, with, expected) in [
        (
            "A.1",
            "{'foo':'bar'}",
            "[{'op':'add','path':'/baz','value':'qux'}]",
            "{'foo':'bar','baz':'qux'}",
        ),
        (
            "A.2",
            "{'foo':['bar','baz']}",
            "[{'op':'add','path':'/foo/1','value':'qux'}]",
            "{'foo':['bar','qux','baz']}",
        ),
        ("A.3", "{'baz':'qux','foo':'bar'}", "[{'op':'remove','path':'/baz'}]", "{'foo':'bar'}"),
        (
            "A.4",
            "{'foo':['bar','qux','baz']}",
            "[{'op':'remove','path':'/foo/1'}]",
            "{'foo':['bar','baz']}",
        ),
        (
            "A.5",
            "{'baz':'qux','foo':'bar'}",
            "[{'op':'replace','path':'/baz','value':'boo'}]",
            "{'baz':'boo','foo':'bar'}",
        ),
        (
            "A.6",
            "{'foo':{'bar':'baz','waldo':'fred'},'qux':{'corge':'grault'}}",
            "[{'op':'move','from':'/foo/waldo','path':'/qux/thud'}]",
            "{'foo':{'bar':'baz'},'qux':{'corge':'grault','thud':'fred'}}",
        ),
        (
            "A.7",
            "{'foo':['all','grass','cows','eat']}",
            "[{'op':'move','from':'/foo/1','path':'/foo/3'}]",
            "{'foo':['all','cows','eat','grass']}",
        ),
        (
            "A.8",
            "{'baz':'qux','foo':['a',2,'c']}",
            "[{'op':'test','path':'/baz','value':'qux'},{'op':'test','path':'/foo/1','value':2}]",
            "{'baz':'qux','foo':['a',2,'c']}",
        ),
        (
            "A.10",
            "{'foo':'bar'}",
            "[{'op':'add','path':'/child','value':{'grandchild':{}}}]",
            "{'foo':'bar','child':{'grandchild':{}}}",
        ),
        (
            "A.11",
            "{'foo':'bar'}",
            "[{'op':'add','path':'/baz','value':'qux','xyz':123}]",
            "{'foo':'bar','baz':'qux'}",
        ),
        ("A.14", "{'/':9,'~1':10}", "[{'op':'test','path':'/~01','value':10}]", "{'/':9,'~1':10}"),
        (
            "A.16",
            "{'foo':['bar']}",
            "[{'op':'add','path':'/foo/-','value':['abc','def']}]",
            "{'foo':['bar',['abc','def']]}",
        ),
    ] {
        assert_eq!(text(&apply(with, document).unwrap()), expected, "{name}");
    }
    for (name, document, with, failure) in [
        (
            "A.9",
            "{'baz':'qux'}",
            "[{'op':'test','path':'/baz','value':'bar'}]",
            PatchFailure::TestFailed,
        ),
        (
            "A.12",
            "{'foo':'bar'}",
            "[{'op':'add','path':'/baz/bat','value':'qux'}]",
            PatchFailure::NotFound,
        ),
        // Of members with the same name the last counts here, as the RFC allows an implementation to say.
        (
            "A.13",
            "{'foo':'bar'}",
            "[{'op':'add','path':'/baz','value':'qux','op':'remove'}]",
            PatchFailure::NotFound,
        ),
        (
            "A.15",
            "{'/':9,'~1':10}",
            "[{'op':'test','path':'/~01','value':'10'}]",
            PatchFailure::TestFailed,
        ),
    ] {
        assert_eq!(apply(with, document).unwrap_err().failure(), &failure, "{name}");
    }
}

#[test]
fn operations_do_what_the_rfc_says_where_it_has_no_example() {
    for (document, with, expected) in [
        ("{'a':1}", "[]", "{'a':1}"),
        ("{'a':1,'b':2,'c':3,'d':4}", "[{'op':'remove','path':'/b'}]", "{'a':1,'c':3,'d':4}"),
        ("{'a':1}", "[{'op':'add','path':'','value':[1.0]}]", "[1.0]"),
        ("{'a':1}", "[{'op':'replace','path':'','value':null}]", "null"),
        ("{'a':[1],'b':2}", "[{'op':'move','from':'/a','path':''}]", "[1]"),
        ("{'a':[1],'b':2}", "[{'op':'copy','from':'/a','path':''}]", "[1]"),
        ("{'a':1,'b':2}", "[{'op':'add','path':'/a','value':3}]", "{'a':3,'b':2}"),
        ("{'a':1,'b':2}", "[{'op':'move','from':'/a','path':'/b'}]", "{'b':1}"),
        ("{'a':1,'b':2}", "[{'op':'move','from':'/a','path':'/a'}]", "{'a':1,'b':2}"),
        ("{'a':{'b':{'c':1}}}", "[{'op':'move','from':'/a/b','path':'/a'}]", "{'a':{'c':1}}"),
        ("{'a':1}", "[{'op':'copy','from':'','path':'/b'}]", "{'a':1,'b':{'a':1}}"),
        ("[1,2,3]", "[{'op':'move','from':'/2','path':'/0'}]", "[3,1,2]"),
        ("[1,2,3]", "[{'op':'move','from':'/0','path':'/-'}]", "[2,3,1]"),
        ("[1,2]", "[{'op':'add','path':'/2','value':3}]", "[1,2,3]"),
        ("[]", "[{'op':'add','path':'/0','value':3}]", "[3]"),
        ("{'':{'-':1}}", "[{'op':'replace','path':'//-','value':2}]", "{'':{'-':2}}"),
        (
            "{'a':1.50}",
            "[{'op':'test','path':'/a','value':15e-1},{'op':'copy','from':'/a','path':'/b'}]",
            "{'a':1.50,'b':1.50}",
        ),
        (
            "{'a':{'x':1,'y':[2]}}",
            "[{'op':'test','path':'/a','value':{'y':[2.0],'x':1}}]",
            "{'a':{'x':1,'y':[2]}}",
        ),
        ("7", "[{'op':'test','path':'','value':7}]", "7"),
    ] {
        assert_eq!(text(&apply(with, document).unwrap()), expected, "{document} with {with}");
    }
}

#[test]
fn a_patch_that_does_not_fit_says_which_operation_where_and_why() {
    let range = |length| PatchFailure::IndexOutOfRange { length };
    let no_index = |token: &str| PatchFailure::NotAnIndex { token: token.to_owned() };
    for (document, operation, pointer, failure) in [
        ("{}", "{'op':'remove','path':'/a'}", "/a", PatchFailure::NotFound),
        ("{}", "{'op':'replace','path':'/a','value':1}", "/a", PatchFailure::NotFound),
        ("{}", "{'op':'test','path':'/a','value':null}", "/a", PatchFailure::NotFound),
        ("{}", "{'op':'copy','from':'/a','path':'/b'}", "/a", PatchFailure::NotFound),
        ("{}", "{'op':'move','from':'/a','path':'/b'}", "/a", PatchFailure::NotFound),
        ("{}", "{'op':'move','from':'/a','path':'/a'}", "/a", PatchFailure::NotFound),
        ("{'a':1}", "{'op':'move','from':'/a','path':'/b/c'}", "/b/c", PatchFailure::NotFound),
        ("{'a':1}", "{'op':'copy','from':'/a','path':'/b/c'}", "/b/c", PatchFailure::NotFound),
        ("{'a':1}", "{'op':'add','path':'/a/b','value':1}", "/a/b", PatchFailure::NotAContainer),
        ("{'a':1}", "{'op':'remove','path':'/a/b'}", "/a/b", PatchFailure::NotAContainer),
        ("'text'", "{'op':'test','path':'/0','value':'t'}", "/0", PatchFailure::NotAContainer),
        ("[1]", "{'op':'add','path':'/2','value':1}", "/2", range(1)),
        ("[1]", "{'op':'replace','path':'/1','value':1}", "/1", range(1)),
        ("[1]", "{'op':'remove','path':'/1'}", "/1", range(1)),
        ("[1]", "{'op':'remove','path':'/-'}", "/-", range(1)),
        ("[1]", "{'op':'replace','path':'/-','value':1}", "/-", range(1)),
        ("[1]", "{'op':'test','path':'/-','value':1}", "/-", range(1)),
        ("[1]", "{'op':'copy','from':'/-','path':'/0'}", "/-", range(1)),
        ("[[1]]", "{'op':'add','path':'/-/0','value':1}", "/-/0", range(1)),
        (
            "[1]",
            "{'op':'remove','path':'/99999999999999999999999'}",
            "/99999999999999999999999",
            range(1),
        ),
        (
            "[1]",
            "{'op':'add','path':'/99999999999999999999999','value':1}",
            "/99999999999999999999999",
            range(1),
        ),
        ("[1]", "{'op':'add','path':'/01','value':1}", "/01", no_index("01")),
        ("[1]", "{'op':'add','path':'/','value':1}", "/", no_index("")),
        ("[1]", "{'op':'remove','path':'/-1'}", "/-1", no_index("-1")),
        ("[1]", "{'op':'test','path':'/0x0','value':1}", "/0x0", no_index("0x0")),
        ("[1]", "{'op':'test','path':'/1e0','value':1}", "/1e0", no_index("1e0")),
        ("[{'a':[]}]", "{'op':'add','path':'/0/a/b/c','value':1}", "/0/a/b/c", no_index("b")),
        ("1", "{'op':'test','path':'','value':2}", "", PatchFailure::TestFailed),
    ] {
        let with = format!("[{{'op':'copy','from':'','path':''}},{operation}]");
        let error = apply(&with, document).unwrap_err();
        assert_eq!(error.failure(), &failure, "{operation}");
        assert_eq!(error.index(), Some(1), "{operation}");
        assert_eq!(error.pointer().to_string(), pointer, "{operation}");
        let message = format!("operation 1 of the patch, at \"{pointer}\": {failure}");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn what_is_no_patch_is_refused_with_the_operation_and_the_fault() {
    let missing = |name| OperationFault::MissingMember { name };
    let no_string = |name| OperationFault::NotAString { name };
    let no_pointer = |name, source| OperationFault::NotAPointer { name, source };
    for (operation, fault) in [
        ("1", OperationFault::NotAnObject),
        ("[]", OperationFault::NotAnObject),
        ("{}", missing("op")),
        ("{'op':1,'path':''}", no_string("op")),
        ("{'op':'spam','path':''}", OperationFault::UnknownOperation),
        ("{'op':'Add','path':'','value':1}", OperationFault::UnknownOperation),
        ("{'op':'add','value':1}", missing("path")),
        ("{'op':'add','path':null,'value':1}", no_string("path")),
        ("{'op':'add','path':'a','value':1}", no_pointer("path", InvalidPointer::NoSlash)),
        ("{'op':'add','path':'/~','value':1}", no_pointer("path", InvalidPointer::BadEscape)),
        ("{'op':'add','path':'/a'}", missing("value")),
        ("{'op':'replace','path':'/a'}", missing("value")),
        ("{'op':'test','path':'/a'}", missing("value")),
        ("{'op':'move','path':'/a'}", missing("from")),
        ("{'op':'copy','path':'/a'}", missing("from")),
        ("{'op':'copy','path':'/a','from':'b'}", no_pointer("from", InvalidPointer::NoSlash)),
        ("{'op':'move','from':'/a','path':'/a/b'}", OperationFault::MoveIntoItself),
        ("{'op':'move','from':'','path':'/a'}", OperationFault::MoveIntoItself),
        ("{'op':'remove','path':''}", OperationFault::RemovesDocument),
    ] {
        let text =
            format!("[{{'op':'test','path':'','value':null}},{operation}]").replace('\'', "\"");
        match JsonPatch::parse(text.as_bytes()).unwrap_err() {
            InvalidPatch::Operation { index: 1, fault: found } => {
                assert_eq!(found, fault, "{operation}")
            }
            other => panic!("{operation}: {other}"),
        }
    }
    for (text, message) in
        [("{}", "a JSON patch is an array"), ("null", "a JSON patch is an array")]
    {
        assert_eq!(JsonPatch::parse(text.as_bytes()).unwrap_err().to_string(), message);
    }
    let error = JsonPatch::parse(b"[").unwrap_err();
    assert!(matches!(error, InvalidPatch::Json(InvalidJson::Syntax(_))), "{error}");
    // A null is a value that is there.
    assert!(JsonPatch::parse(br#"[{"op":"add","path":"/a","value":null}]"#).is_ok());
}
