//! Three documents of arbitrary bytes, or made from a few choices so that they have much in common, are merged.
//!
//! Nothing panics or grows beyond the two sides; who changed nothing takes what the other made; what both made alike is
//! no clash; and every clash is one.
#![no_main]

use arbitrary::Arbitrary;
use ifmatch::json::Json;
use ifmatch::merge::{Choice, MergeRules};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    Text(Vec<u8>, Vec<u8>, Vec<u8>),
    Tree(Tree, Tree, Tree),
}

#[derive(Arbitrary, Debug)]
enum Tree {
    Null,
    Small(u8),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(Name, Tree)>),
    /// An array whose elements have identifiers.
    Keyed(Vec<(u8, Tree)>),
}

#[derive(Arbitrary, Debug)]
enum Name {
    A,
    B,
    Id,
    Any(String),
}

fuzz_target!(|input: Input| {
    let (base, mine, theirs) = match &input {
        Input::Text(base, mine, theirs) => (read(base), read(mine), read(theirs)),
        Input::Tree(base, mine, theirs) => (write(base), write(mine), write(theirs)),
    };
    let (Some(mine), Some(theirs)) = (mine, theirs) else { return };
    let rules = MergeRules::new()
        .keyed("", "id")
        .and_then(|rules| rules.keyed("/*", "id"))
        .and_then(|rules| rules.keyed("/*/*", "id"))
        .expect("pointers");

    let merged = rules.merge(base.as_ref(), &mine, &theirs);
    let document = merged.document();
    assert!(document.encoded_len() <= mine.encoded_len() + theirs.encoded_len());
    assert!(document.depth() <= mine.depth().max(theirs.depth()));
    for clash in merged.clashes() {
        assert!(clash.mine() != clash.theirs() && clash.mine() != clash.base());
        assert_ne!(clash.theirs(), clash.base());
        if clash.theirs().is_some() {
            assert_eq!(document.at(clash.pointer()), clash.theirs());
        }
        assert!(!clash.to_string().is_empty());
    }
    drop(merged.resolve(|_| Choice::Mine));

    let Some(base) = base else { return };
    let theirs_only = rules.merge(&base, &base, &theirs).into_result().expect("only theirs changed");
    assert!(theirs_only.is_identical(&theirs));
    assert_eq!(rules.merge(&base, &mine, &base).into_result().expect("only mine changed"), mine);
    let same = rules.merge(&base, &mine, &mine).into_result().expect("both changed it alike");
    assert!(same.is_identical(&mine));
});

/// What is read is written and read again to the letter.
fn read(text: &[u8]) -> Option<Json> {
    let value = Json::from_slice(text).ok()?;
    let written = value.to_vec();
    assert_eq!(written.len(), value.encoded_len());
    let again = Json::from_slice(&written).expect("we wrote it");
    assert!(again.is_identical(&value) && again == value);
    Some(value)
}

fn write(tree: &Tree) -> Option<Json> {
    let mut text = String::new();
    append(tree, &mut text);
    // Too deep is possible.
    read(text.as_bytes())
}

fn append(tree: &Tree, text: &mut String) {
    match tree {
        Tree::Null => text.push_str("null"),
        Tree::Small(number) => text.push_str(&(number % 4).to_string()),
        Tree::Text(string) => text.push_str(&quoted(string)),
        Tree::Array(elements) => {
            list(text, ['[', ']'], elements, |element, text| append(element, text));
        }
        Tree::Object(members) => list(text, ['{', '}'], members, |(name, value), text| {
            text.push_str(&match name {
                Name::A => quoted("a"),
                Name::B => quoted("b"),
                Name::Id => quoted("id"),
                Name::Any(name) => quoted(name),
            });
            text.push(':');
            append(value, text);
        }),
        Tree::Keyed(elements) => list(text, ['[', ']'], elements, |(id, value), text| {
            text.push_str(&format!("{{\"id\":{},\"value\":", id % 8));
            append(value, text);
            text.push('}');
        }),
    }
}

fn list<T>(text: &mut String, [open, close]: [char; 2], items: &[T], each: impl Fn(&T, &mut String)) {
    text.push(open);
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        each(item, text);
    }
    text.push(close);
}

fn quoted(text: &str) -> String {
    Json::String(text.to_owned()).to_string()
}
