//! Three-way merge, case by case.

use ifmatch::json::Json;
use ifmatch::merge::{Choice, Merged, merge};

use crate::{doc, text};

/// The clashes as people see them, `'` for `"`.
pub(crate) fn clashes(merged: &Merged) -> Vec<String> {
    merged.clashes().iter().map(|clash| clash.to_string().replace('"', "'")).collect()
}

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
        name: "changes of different members are both in",
        base: "{'a':1,'b':2,'c':3}",
        mine: "{'a':10,'b':2,'c':3}",
        theirs: "{'a':1,'b':2,'c':30}",
        merged: "{'a':10,'b':2,'c':30}",
        clashes: &[],
    },
    Case {
        name: "changes at different depths are both in",
        base: "{'a':{'b':{'c':1,'d':2},'e':3}}",
        mine: "{'a':{'b':{'c':9,'d':2},'e':3}}",
        theirs: "{'a':{'b':{'c':1},'e':4}}",
        merged: "{'a':{'b':{'c':9},'e':4}}",
        clashes: &[],
    },
    Case {
        name: "the same change on both sides is one change",
        base: "{'a':1,'gone':1}",
        mine: "{'a':2,'new':[1]}",
        theirs: "{'a':2.0,'new':[1]}",
        merged: "{'a':2.0,'new':[1]}",
        clashes: &[],
    },
    Case {
        name: "different changes of one member clash",
        base: "{'a':1}",
        mine: "{'a':2}",
        theirs: "{'a':3}",
        merged: "{'a':3}",
        clashes: &["/a: base 1, mine 2, theirs 3"],
    },
    Case {
        name: "a removal of what the other left alone wins",
        base: "{'a':1,'b':{'c':1},'d':[1]}",
        mine: "{'b':{'c':1},'d':[1]}",
        theirs: "{'a':1.0,'d':[1]}",
        merged: "{'d':[1]}",
        clashes: &[],
    },
    Case {
        name: "my removal against their change clashes",
        base: "{'a':1}",
        mine: "{}",
        theirs: "{'a':2}",
        merged: "{'a':2}",
        clashes: &["/a: base 1, mine removed it, theirs 2"],
    },
    Case {
        name: "their removal against my change inside clashes as a whole",
        base: "{'a':{'b':1,'c':2}}",
        mine: "{'a':{'b':9,'c':2}}",
        theirs: "{}",
        merged: "{}",
        clashes: &["/a: base {'b':1,'c':2}, mine {'b':9,'c':2}, theirs removed it"],
    },
    Case {
        name: "null is a value and not an absence",
        base: "{'a':1,'b':null,'c':null}",
        mine: "{'a':null,'b':null}",
        theirs: "{'b':null,'c':null}",
        merged: "{'b':null}",
        clashes: &["/a: base 1, mine null, theirs removed it"],
    },
    Case {
        name: "both added a member that is no object",
        base: "{}",
        mine: "{'a':1}",
        theirs: "{'a':2}",
        merged: "{'a':2}",
        clashes: &["/a: base has nothing, mine 1, theirs 2"],
    },
    Case {
        name: "both added an object: its members merge",
        base: "{}",
        mine: "{'a':{'b':1,'c':1}}",
        theirs: "{'a':{'c':2,'d':3}}",
        merged: "{'a':{'c':2,'d':3,'b':1}}",
        clashes: &["/a/c: base has nothing, mine 1, theirs 2"],
    },
    Case {
        name: "one made an array of an object, the other changed the object",
        base: "{'a':{'b':1}}",
        mine: "{'a':[1]}",
        theirs: "{'a':{'b':2}}",
        merged: "{'a':{'b':2}}",
        clashes: &["/a: base {'b':1}, mine [1], theirs {'b':2}"],
    },
    Case {
        name: "one made an array of an object, the other did nothing",
        base: "{'a':{'b':1}}",
        mine: "{'a':[1]}",
        theirs: "{'a':{'b':1}}",
        merged: "{'a':[1]}",
        clashes: &[],
    },
    Case {
        name: "both made different objects of an array: one clash, not a mixture",
        base: "{'a':[1]}",
        mine: "{'a':{'b':1}}",
        theirs: "{'a':{'c':1}}",
        merged: "{'a':{'c':1}}",
        clashes: &["/a: base [1], mine {'b':1}, theirs {'c':1}"],
    },
    Case {
        name: "arrays that both changed clash, even where positions would fit",
        base: "{'a':[1,2,3]}",
        mine: "{'a':[0,1,2,3]}",
        theirs: "{'a':[1,2,3,4]}",
        merged: "{'a':[1,2,3,4]}",
        clashes: &["/a: base [1,2,3], mine [0,1,2,3], theirs [1,2,3,4]"],
    },
    Case {
        name: "objects in arrays do not merge by position",
        base: "[{'a':1,'b':1}]",
        mine: "[{'a':2,'b':1}]",
        theirs: "[{'a':1,'b':2}]",
        merged: "[{'a':1,'b':2}]",
        clashes: &[
            "the document: base [{'a':1,'b':1}], mine [{'a':2,'b':1}], theirs [{'a':1,'b':2}]",
        ],
    },
    Case {
        name: "an array that one changed is that one's",
        base: "{'a':[1,2],'b':[1]}",
        mine: "{'a':[2],'b':[1]}",
        theirs: "{'a':[1,2],'b':[]}",
        merged: "{'a':[2],'b':[]}",
        clashes: &[],
    },
    Case {
        name: "members are in their order, then my additions in mine",
        base: "{'a':1,'b':2}",
        mine: "{'x':1,'a':1,'y':1,'b':2}",
        theirs: "{'t':1,'b':2,'a':1}",
        merged: "{'t':1,'b':2,'a':1,'x':1,'y':1}",
        clashes: &[],
    },
    Case {
        name: "names that need escapes have them in the pointer",
        base: "{'a/b':{'m~n':{'':1}}}",
        mine: "{'a/b':{'m~n':{'':2}}}",
        theirs: "{'a/b':{'m~n':{'':3}}}",
        merged: "{'a/b':{'m~n':{'':3}}}",
        clashes: &["/a~1b/m~0n/: base 1, mine 2, theirs 3"],
    },
    Case {
        name: "a number keeps the text that somebody gave it",
        base: "{'a':1.5,'b':1,'c':2}",
        mine: "{'a':1.50,'b':1,'c':2}",
        theirs: "{'a':1.5,'b':1.00,'c':3e0}",
        merged: "{'a':1.50,'b':1.00,'c':3e0}",
        clashes: &[],
    },
    Case {
        name: "several clashes are in the order of the document, the rest is merged",
        base: "{'a':1,'b':1,'c':{'d':1,'e':1}}",
        mine: "{'a':2,'b':2,'c':{'d':2,'e':1}}",
        theirs: "{'c':{'d':3,'e':3},'b':1,'a':3}",
        merged: "{'c':{'d':3,'e':3},'b':2,'a':3}",
        clashes: &["/c/d: base 1, mine 2, theirs 3", "/a: base 1, mine 2, theirs 3"],
    },
];

#[test]
fn a_merge_takes_every_change_and_reports_every_clash() {
    for Case { name, base, mine, theirs, merged, clashes: expected } in CASES {
        let outcome = merge(&doc(base), &doc(mine), &doc(theirs));
        assert_eq!(text(&outcome.document()), *merged, "{name}");
        assert_eq!(clashes(&outcome), *expected, "{name}");
        assert_eq!(outcome.is_clean(), expected.is_empty(), "{name}");
        for clash in outcome.clashes() {
            assert_eq!(outcome.document().at(clash.pointer()), clash.theirs(), "{name}");
        }
        match outcome.into_result() {
            Ok(document) => assert_eq!(text(&document), *merged, "{name}"),
            Err(outcome) => assert_eq!(outcome.clashes().len(), expected.len(), "{name}"),
        }
    }
}

#[test]
fn documents_that_both_created_merge_as_if_from_an_empty_one() {
    let outcome = merge(None, &doc("{'a':1,'b':1}"), &doc("{'b':2,'c':1}"));
    assert_eq!(text(&outcome.document()), "{'b':2,'c':1,'a':1}");
    assert_eq!(clashes(&outcome), ["/b: base has nothing, mine 1, theirs 2"]);
    let outcome = merge(None, &doc("[1]"), &doc("[1.0]"));
    assert_eq!(text(&outcome.into_result().unwrap()), "[1.0]");
    let outcome = merge(None, &doc("[1]"), &doc("{}"));
    assert_eq!(clashes(&outcome), ["the document: base has nothing, mine [1], theirs {}"]);
    assert_eq!(outcome.resolve(|_| Choice::Mine), doc("[1]"));
}

#[test]
fn a_clash_resolves_to_either_side_or_to_something_else() {
    let base = doc("{'a':1,'b':1,'c':1,'d':1,'e':1}");
    let mine = doc("{'a':2,'b':2,'c':2,'e':2}");
    let theirs = doc("{'a':3,'b':3,'d':3,'e':3}");
    let outcome = merge(&base, &mine, &theirs);
    assert_eq!(outcome.clashes().len(), 5);
    let mut asked = Vec::new();
    let resolved = outcome.clone().resolve(|clash| {
        asked.push(clash.pointer().to_string());
        match asked.last().unwrap().as_str() {
            "/a" | "/c" | "/d" => Choice::Mine,
            "/b" => Choice::Theirs,
            _ => Choice::Value(Json::String("both".into())),
        }
    });
    assert_eq!(text(&resolved), "{'a':2,'b':3,'e':'both','c':2}");
    assert_eq!(asked, ["/a", "/b", "/d", "/e", "/c"], "each is asked for once, in order");
    assert_eq!(outcome.clone().resolve(|_| Choice::Mine), mine);
    assert_eq!(outcome.resolve(|_| Choice::Theirs), theirs);
}

#[test]
fn a_long_value_is_cut_in_the_message_and_nowhere_else() {
    let long = Json::String("é".repeat(1_000));
    let outcome = merge(&Json::Null, &long, &Json::Bool(true));
    let message = outcome.clashes()[0].to_string();
    assert!(message.chars().count() < 150, "{message}");
    assert!(message.contains("é...,"), "{message}");
    assert_eq!(outcome.clashes()[0].mine(), Some(&long));
}
