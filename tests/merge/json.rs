//! Reading, writing and comparing documents, and pointers into them.

use std::collections::{BTreeMap, HashSet};

use ifmatch::json::{InvalidJson, InvalidPointer, Json, JsonPointer, MAX_DEPTH, Number};
use serde::{Deserialize, Serialize};

use crate::{doc, text};

#[test]
fn a_document_is_written_as_it_was_read() {
    for case in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1.50",
        "1e400",
        "1E+400",
        "-1.0e-999999999999999999999999999999999999999",
        "12345678901234567890123",
        "0.1000000000000000055511151231257827021181583404541015625",
        "\"\"",
        "\"a\\\"b\\\\c\\n\\u0001é\u{1f600}\"",
        "[]",
        "{}",
        "[[],{},[{}]]",
        r#"{"z":1,"a":{"z":[1.0,2],"":null},"m":"]}"}"#,
    ] {
        assert_eq!(Json::from_slice(case.as_bytes()).unwrap().to_string(), case);
        let spaced = format!(" \t\r\n{case}\n ");
        assert_eq!(Json::from_slice(spaced.as_bytes()).unwrap().to_string(), case, "spaced");
    }
}

#[test]
fn escapes_are_text_however_they_were_written() {
    let escaped = Json::from_slice(br#""\u0041\/\ud83d\ude00""#).unwrap();
    assert_eq!(escaped.as_str(), Some("A/\u{1f600}"));
    assert_eq!(doc(r"{ 'a\u0062' : [ 1 , 2 ] }"), doc("{'ab':[1,2]}"));
}

#[test]
fn the_last_of_members_with_the_same_name_counts_at_the_place_of_the_first() {
    assert_eq!(text(&doc("{'a': 1, 'b': 2, '\\u0061': 3}")), "{'a':3,'b':2}");
}

#[test]
fn what_is_not_json_is_refused_with_the_place() {
    for case in [
        "",
        " ",
        "nul",
        "truex",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "0x1",
        "NaN",
        "[1,]",
        "[,]",
        "{\"a\"}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "'a'",
        "\"a",
        "\"\n\"",
        "\"\\x\"",
        "[1 2]",
        "1 2",
        "[",
        "]",
        "[}",
        "\u{feff}1",
    ] {
        let error = Json::from_slice(case.as_bytes()).unwrap_err();
        assert!(matches!(error, InvalidJson::Syntax(_)), "{case}: {error}");
        assert!(
            error.to_string().contains("at line 1 column") || case == "\"\n\"",
            "{case}: {error}"
        );
    }
    let error = Json::from_slice(b"[\"a\xff\"]").unwrap_err();
    assert!(matches!(error, InvalidJson::NotUtf8 { offset: 3 }), "{error}");
    for half in [r#"[1, "\ud83d"]"#, r#"[1, "\ude00"]"#, r#"[1, "\ud83d\u0041"]"#] {
        let error = Json::from_slice(half.as_bytes()).unwrap_err();
        assert!(matches!(error, InvalidJson::NotText { offset: 4, .. }), "{half}: {error}");
    }
}

#[test]
fn a_document_may_be_nested_128_deep_and_no_deeper() {
    assert_eq!(MAX_DEPTH, 128);
    let arrays = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let objects = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    for nested in [arrays, objects] {
        let deepest = nested(MAX_DEPTH);
        let value = Json::from_slice(deepest.as_bytes()).unwrap();
        assert_eq!(value.depth(), MAX_DEPTH);
        assert_eq!(value.to_string(), deepest);
        let error = Json::from_slice(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
        assert!(matches!(error, InvalidJson::TooDeep { max: MAX_DEPTH, .. }), "{error}");
        let error = Json::from_slice(nested(1_000_000).as_bytes()).unwrap_err();
        assert!(matches!(error, InvalidJson::TooDeep { .. }), "{error}");
    }
    // Width is not depth.
    assert_eq!(
        Json::from_slice(format!("[{}1]", "[],".repeat(1_000)).as_bytes()).unwrap().depth(),
        2
    );
}

#[test]
fn numbers_are_equal_by_their_decimal_value() {
    let classes: &[&[&str]] = &[
        &["0", "-0", "0.000", "0e5", "-0.0E-99999999999999999999999999999999999999999999"],
        &["1", "1.0", "1e0", "10e-1", "0.1e1", "0.001E+3", "1000e-3", "1e-0", "1e000"],
        &["-1", "-1.0"],
        &["1.5", "1.50", "15e-1"],
        &["100", "1e2", "1E+2", "10e1"],
        &["1.01"],
        &["101"],
        &["12345678901234567890123"],
        &["12345678901234567890124"],
        &["1e999999999999999999999999999999", "10e999999999999999999999999999998"],
        &["1e9999999999999999999999999999999", "1E+09999999999999999999999999999999"],
        &["1e-9999999999999999999999999999999"],
        &["0.3"],
        &["0.30000000000000004"],
    ];
    let mut all = HashSet::new();
    for (left, class) in classes.iter().enumerate() {
        for (right, other) in classes.iter().enumerate() {
            for (one, other) in
                class.iter().flat_map(|one| other.iter().map(move |other| (one, other)))
            {
                assert_eq!(doc(one) == doc(other), left == right, "{one} and {other}");
            }
        }
        all.extend(class.iter().map(|text| text.parse::<Number>().unwrap()));
    }
    assert_eq!(all.len(), classes.len(), "the hash is that of the value");
}

#[test]
fn objects_are_equal_regardless_of_order_and_arrays_are_not() {
    assert_eq!(doc("{'a':1,'b':{'c':2,'d':3}}"), doc("{'b':{'d':3.0,'c':2},'a':1}"));
    assert_ne!(doc("{'a':1}"), doc("{'a':1,'b':null}"));
    assert_ne!(doc("{'a':null}"), doc("{'b':null}"));
    assert_ne!(doc("[1,2]"), doc("[2,1]"));
    assert_ne!(doc("[1]"), doc("[1,1]"));
    assert_ne!(doc("'1'"), doc("1"));
    assert_ne!(doc("null"), doc("false"));
    assert!(doc("{'a':[1.0]}").is_identical(&doc("{ 'a' : [1.0] }")));
    assert!(!doc("{'a':[1.0]}").is_identical(&doc("{'a':[1]}")));
    assert!(!doc("{'a':1,'b':2}").is_identical(&doc("{'b':2,'a':1}")));
    assert!(!doc("[1]").is_identical(&doc("[1,1]")));
}

#[test]
fn only_json_numbers_are_numbers() {
    for good in ["0", "-0", "1.50", "1e400"] {
        assert_eq!(good.parse::<Number>().unwrap().as_str(), good);
    }
    for bad in ["", " 1", "1 ", "+1", "01", "1.", "NaN", "null", "\"1\"", "[1]", "-", "1e"] {
        assert!(bad.parse::<Number>().is_err(), "{bad}");
    }
    assert_eq!(Number::from(u64::MAX).as_str(), "18446744073709551615");
    assert_eq!(Number::from(i64::MIN).as_str(), "-9223372036854775808");
}

#[test]
fn the_length_of_the_text_is_known_without_the_text() {
    for case in
        ["null", "[1,2,{'a':'\\n\\u0001é'}]", "{}", "[]", "{'a':[],'b':{}}", "-1.50e7", "true"]
    {
        let value = doc(case);
        assert_eq!(value.encoded_len(), value.to_vec().len(), "{case}");
    }
}

#[test]
fn serde_types_become_documents_and_back() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Item {
        name: String,
        rest: Json,
    }
    let item =
        Item { name: "tea".into(), rest: doc("{'price':1.50,'id':12345678901234567890123}") };
    let value = Json::from_value(&item).unwrap();
    assert_eq!(text(&value), "{'name':'tea','rest':{'price':1.50,'id':12345678901234567890123}}");
    let back: Item = value.to_value().unwrap();
    assert!(
        back.rest.is_identical(&item.rest),
        "numbers keep their text in types that hold documents"
    );
    assert_eq!(serde_json::from_slice::<Item>(&value.to_vec()).unwrap(), back);

    assert!(matches!(value.to_value::<u64>(), Err(InvalidJson::Mismatch(_))));
    let keyed_by_lists = BTreeMap::from([(vec![1], 1)]);
    assert!(matches!(Json::from_value(&keyed_by_lists), Err(InvalidJson::Mismatch(_))));
}

#[test]
fn a_pointer_is_written_as_it_was_read_and_finds_its_place() {
    // RFC 6901 section 5.
    let document = Json::from_slice(
        br#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}"#,
    )
    .unwrap();
    for (pointer, expected) in [
        ("/foo", "['bar','baz']"),
        ("/foo/0", "'bar'"),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ("/k\"l", "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
    ] {
        let parsed: JsonPointer = pointer.parse().unwrap();
        assert_eq!(parsed.to_string(), pointer);
        assert_eq!(document.at(&parsed).map(text).as_deref(), Some(expected), "{pointer}");
    }
    let root: JsonPointer = "".parse().unwrap();
    assert!(root.is_root());
    assert_eq!(document.at(&root), Some(&document));
    for nowhere in [
        "/bar",
        "/foo/2",
        "/foo/-",
        "/foo/00",
        "/foo/01",
        "/foo/+1",
        "/foo/",
        "/foo/0/0",
        "//a",
        "/foo/99999999999999999999999",
    ] {
        assert_eq!(document.at(&nowhere.parse().unwrap()), None, "{nowhere}");
    }
    assert_eq!("/~01".parse::<JsonPointer>().unwrap().tokens().collect::<Vec<_>>(), ["~1"]);
    assert_eq!("foo".parse::<JsonPointer>(), Err(InvalidPointer::NoSlash));
    for bad in ["/~", "/a~", "/~2", "/~~0", "/~é"] {
        assert_eq!(bad.parse::<JsonPointer>(), Err(InvalidPointer::BadEscape), "{bad}");
    }
    let (outer, inner): (JsonPointer, JsonPointer) =
        ("/a".parse().unwrap(), "/a/b".parse().unwrap());
    assert!(outer.contains(&inner) && outer.contains(&outer) && root.contains(&outer));
    assert!(!inner.contains(&outer) && !outer.contains(&"/ab".parse().unwrap()));
}
