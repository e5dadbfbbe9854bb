//! Arrays whose elements have identifiers.

use ifmatch::merge::{Choice, MergeRules};

use crate::three_way::clashes;
use crate::{doc, text};

struct Case {
    name: &'static str,
    base: &'static str,
    mine: &'static str,
    theirs: &'static str,
    merged: &'static str,
    clashes: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "changes of different elements are both in",
        base: "[{'id':1,'n':1},{'id':2,'n':1}]",
        mine: "[{'id':1,'n':2},{'id':2,'n':1}]",
        theirs: "[{'id':1,'n':1},{'id':2,'n':3}]",
        merged: "[{'id':1,'n':2},{'id':2,'n':3}]",
        clashes: &[],
    },
    Case {
        name: "changes of different members of one element are both in",
        base: "[{'id':'a','n':1,'m':1}]",
        mine: "[{'id':'a','n':2,'m':1}]",
        theirs: "[{'id':'a','n':1,'m':2}]",
        merged: "[{'id':'a','n':2,'m':2}]",
        clashes: &[],
    },
    Case {
        name: "a clash has the index in the merged array",
        base: "[{'id':1,'n':1},{'id':2,'n':1}]",
        mine: "[{'id':1,'n':1},{'id':2,'n':2}]",
        theirs: "[{'id':0},{'id':1,'n':1},{'id':2,'n':3}]",
        merged: "[{'id':0},{'id':1,'n':1},{'id':2,'n':3}]",
        clashes: &["/2/n: base 1, mine 2, theirs 3"],
    },
    Case {
        name: "additions at the end: theirs, then mine",
        base: "[{'id':1}]",
        mine: "[{'id':1},{'id':2},{'id':3}]",
        theirs: "[{'id':1},{'id':4},{'id':5}]",
        merged: "[{'id':1},{'id':4},{'id':5},{'id':2},{'id':3}]",
        clashes: &[],
    },
    Case {
        name: "an addition stands after what it followed",
        base: "[{'id':1},{'id':2},{'id':3}]",
        mine: "[{'id':'m0'},{'id':1},{'id':'m1'},{'id':2},{'id':3}]",
        theirs: "[{'id':1},{'id':2},{'id':'t2'},{'id':3}]",
        merged: "[{'id':'m0'},{'id':1},{'id':'m1'},{'id':2},{'id':'t2'},{'id':3}]",
        clashes: &[],
    },
    Case {
        name: "a removal on each side",
        base: "[{'id':1},{'id':2},{'id':3}]",
        mine: "[{'id':2},{'id':3}]",
        theirs: "[{'id':1},{'id':2}]",
        merged: "[{'id':2}]",
        clashes: &[],
    },
    Case {
        name: "an addition after what the other removed stays where that was",
        base: "[{'id':1},{'id':2},{'id':3}]",
        mine: "[{'id':1},{'id':2},{'id':'m'},{'id':3}]",
        theirs: "[{'id':1},{'id':3}]",
        merged: "[{'id':1},{'id':'m'},{'id':3}]",
        clashes: &[],
    },
    Case {
        name: "a new order on one side wins, with the changes of the other",
        base: "[{'id':1,'n':1},{'id':2},{'id':3}]",
        mine: "[{'id':3},{'id':1,'n':1},{'id':2}]",
        theirs: "[{'id':1,'n':2},{'id':2},{'id':3},{'id':4}]",
        merged: "[{'id':3},{'id':4},{'id':1,'n':2},{'id':2}]",
        clashes: &[],
    },
    Case {
        name: "different new orders clash as one value",
        base: "[{'id':1},{'id':2},{'id':3}]",
        mine: "[{'id':3},{'id':1},{'id':2}]",
        theirs: "[{'id':2},{'id':1},{'id':3}]",
        merged: "[{'id':2},{'id':1},{'id':3}]",
        clashes: &[
            "the document: base [{'id':1},{'id':2},{'id':3}], mine [{'id':3},{'id':1},{'id':2}], theirs [{'id':2},{'id':1},{'id':3}]",
        ],
    },
    Case {
        name: "both added the same two in different orders: clash as one value",
        base: "[]",
        mine: "[{'id':1},{'id':2}]",
        theirs: "[{'id':2},{'id':1}]",
        merged: "[{'id':2},{'id':1}]",
        clashes: &["the document: base [], mine [{'id':1},{'id':2}], theirs [{'id':2},{'id':1}]"],
    },
    Case {
        name: "both added the same element: its members merge",
        base: "[]",
        mine: "[{'id':1,'a':1}]",
        theirs: "[{'id':1,'b':1}]",
        merged: "[{'id':1,'b':1,'a':1}]",
        clashes: &[],
    },
    Case {
        name: "my change of an element that they removed clashes",
        base: "[{'id':1},{'id':2,'n':1},{'id':3,'n':1}]",
        mine: "[{'id':1},{'id':2,'n':2},{'id':3,'n':2}]",
        theirs: "[{'id':1},{'id':3,'n':3}]",
        merged: "[{'id':1},{'id':3,'n':3}]",
        clashes: &[
            "/1: base {'id':2,'n':1}, mine {'id':2,'n':2}, theirs removed it",
            "/1/n: base 1, mine 2, theirs 3",
        ],
    },
    Case {
        name: "a new identifier is another element",
        base: "[{'id':1,'n':1}]",
        mine: "[{'id':2,'n':1}]",
        theirs: "[{'id':1,'n':1},{'id':3}]",
        merged: "[{'id':2,'n':1},{'id':3}]",
        clashes: &[],
    },
    Case {
        name: "a new identifier against a change clashes, and the new element is in",
        base: "[{'id':1,'n':1}]",
        mine: "[{'id':2,'n':1}]",
        theirs: "[{'id':1,'n':2}]",
        merged: "[{'id':2,'n':1},{'id':1,'n':2}]",
        clashes: &["/1: base {'id':1,'n':1}, mine removed it, theirs {'id':1,'n':2}"],
    },
    Case {
        name: "identifiers are equal by value, and 1 is not '1'",
        base: "[{'id':1,'n':1},{'id':'1','n':1}]",
        mine: "[{'id':1.0,'n':2},{'id':'1','n':1}]",
        theirs: "[{'id':1,'n':1},{'id':'1','n':3}]",
        merged: "[{'id':1.0,'n':2},{'id':'1','n':3}]",
        clashes: &[],
    },
    Case {
        name: "an identifier that is there twice makes the array one value",
        base: "[{'id':1,'n':1},{'id':2,'n':1}]",
        mine: "[{'id':1,'n':2},{'id':1.0,'n':1}]",
        theirs: "[{'id':1,'n':1},{'id':2,'n':1}]",
        merged: "[{'id':1,'n':2},{'id':1.0,'n':1}]",
        clashes: &[],
    },
    Case {
        name: "an element without the identifier makes the array one value",
        base: "[{'id':1,'n':1}]",
        mine: "[{'id':1,'n':2},{'n':1}]",
        theirs: "[{'id':1,'n':1},{'id':2}]",
        merged: "[{'id':1,'n':1},{'id':2}]",
        clashes: &[
            "the document: base [{'id':1,'n':1}], mine [{'id':1,'n':2},{'n':1}], theirs [{'id':1,'n':1},{'id':2}]",
        ],
    },
    Case {
        name: "an identifier that is neither text nor number makes the array one value",
        base: "[]",
        mine: "[{'id':null}]",
        theirs: "[{'id':true}]",
        merged: "[{'id':true}]",
        clashes: &["the document: base [], mine [{'id':null}], theirs [{'id':true}]"],
    },
    Case {
        name: "an array against a base of another type is one value",
        base: "{}",
        mine: "[{'id':1}]",
        theirs: "[{'id':2}]",
        merged: "[{'id':2}]",
        clashes: &["the document: base {}, mine [{'id':1}], theirs [{'id':2}]"],
    },
];

#[test]
fn elements_with_identifiers_merge_and_no_array_is_mixed_up() {
    let rules = MergeRules::new().keyed("", "id").unwrap();
    for Case { name, base, mine, theirs, merged, clashes: expected } in CASES {
        let outcome = rules.merge(&doc(base), &doc(mine), &doc(theirs));
        assert_eq!(text(&outcome.document()), *merged, "{name}");
        assert_eq!(clashes(&outcome), *expected, "{name}");
    }
}

#[test]
fn a_rule_is_for_the_arrays_that_its_pattern_matches_and_no_others() {
    let base = "[{'id':1,'n':1},{'id':2,'n':1}]";
    let mine = "[{'id':1,'n':2},{'id':2,'n':1}]";
    let theirs = "[{'id':1,'n':1},{'id':2,'n':2}]";
    for (pattern, merges) in [
        ("/a/b", true),
        ("/*/b", true),
        ("/a/*", true),
        ("/*/*", true),
        ("/a", false),
        ("/a/b/*", false),
        ("/b/b", false),
        ("/*", false),
        ("", false),
    ] {
        let rules = MergeRules::new().keyed(pattern, "id").unwrap();
        let at = |array: &str| doc(&format!("{{'a':{{'b':{array}}}}}"));
        let outcome = rules.merge(&at(base), &at(mine), &at(theirs));
        assert_eq!(outcome.is_clean(), merges, "{pattern}");
    }
    assert!(MergeRules::new().keyed("items", "id").is_err());
}

#[test]
fn keyed_arrays_nest_and_a_star_stands_for_their_elements() {
    let rules =
        MergeRules::new().keyed("/orders", "id").unwrap().keyed("/orders/*/lines", "sku").unwrap();
    let base = doc("{'orders':[{'id':7,'lines':[{'sku':'a','n':1},{'sku':'b','n':1}]}]}");
    let mine = doc("{'orders':[{'id':7,'lines':[{'sku':'a','n':2},{'sku':'b','n':5}]}]}");
    let theirs =
        doc("{'orders':[{'id':6},{'id':7,'lines':[{'sku':'b','n':2},{'sku':'c','n':1}]}]}");
    let outcome = rules.merge(&base, &mine, &theirs);
    assert_eq!(
        text(&outcome.document()),
        "{'orders':[{'id':6},{'id':7,'lines':[{'sku':'b','n':2},{'sku':'c','n':1}]}]}"
    );
    assert_eq!(
        clashes(&outcome),
        [
            "/orders/1/lines/0: base {'sku':'a','n':1}, mine {'sku':'a','n':2}, theirs removed it",
            "/orders/1/lines/0/n: base 1, mine 5, theirs 2",
        ]
    );
    assert_eq!(
        text(&outcome.resolve(|_| Choice::Mine)),
        "{'orders':[{'id':6},{'id':7,'lines':[{'sku':'a','n':2},{'sku':'b','n':5},{'sku':'c','n':1}]}]}"
    );
}

#[test]
fn of_several_rules_the_first_counts() {
    let rules = MergeRules::new().keyed("/a", "name").unwrap().keyed("/*", "id").unwrap();
    let outcome =
        rules.merge(&doc("{'a':[]}"), &doc("{'a':[{'name':1}]}"), &doc("{'a':[{'name':2}]}"));
    assert!(outcome.is_clean());
}
