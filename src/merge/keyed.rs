//! Arrays whose elements have identifiers: which elements belong together, and in which order the result has them.

use indexmap::IndexMap;

use crate::json::{Json, Number};

use super::walk::Sides;

/// What tells an element from the others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Identifier<'a> {
    Text(&'a str),
    Number(&'a Number),
}

type Elements<'a> = IndexMap<Identifier<'a>, &'a Json>;

/// Three arrays whose elements all have identifiers, and an order for the result.
pub(super) struct Keyed<'a> {
    base: Elements<'a>,
    mine: Elements<'a>,
    theirs: Elements<'a>,
    /// All that is in mine or theirs.
    order: Vec<Identifier<'a>>,
}

impl<'a> Keyed<'a> {
    /// `None` if an identifier is missing or is there twice, or both sides changed the order differently.
    pub(super) fn new(
        member: &str,
        base: &'a [Json],
        mine: &'a [Json],
        theirs: &'a [Json],
    ) -> Option<Self> {
        let base = identify(member, base)?;
        let mine = identify(member, mine)?;
        let theirs = identify(member, theirs)?;
        let order = order(&base, &mine, &theirs)?;
        Some(Self { base, mine, theirs, order })
    }

    /// The elements, in the order of the result.
    pub(super) fn sides(&self) -> impl Iterator<Item = Sides<'a>> {
        self.order.iter().map(|identifier| Sides {
            base: self.base.get(identifier).copied(),
            mine: self.mine.get(identifier).copied(),
            theirs: self.theirs.get(identifier).copied(),
        })
    }
}

fn identify<'a>(member: &str, array: &'a [Json]) -> Option<Elements<'a>> {
    let mut elements = Elements::with_capacity(array.len());
    for element in array {
        let identifier = match element.get(member)? {
            Json::String(text) => Identifier::Text(text),
            Json::Number(number) => Identifier::Number(number),
            _ => return None,
        };
        if elements.insert(identifier, element).is_some() {
            return None;
        }
    }
    Some(elements)
}

fn order<'a>(
    base: &Elements<'a>,
    mine: &Elements<'a>,
    theirs: &Elements<'a>,
) -> Option<Vec<Identifier<'a>>> {
    let of_mine: Vec<_> = mine.keys().filter(|key| theirs.contains_key(*key)).collect();
    let of_theirs: Vec<_> = theirs.keys().filter(|key| mine.contains_key(*key)).collect();
    if of_mine == of_theirs {
        return Some(interleave(base, theirs, mine));
    }
    let in_both = |key: &&Identifier<'a>| mine.contains_key(*key) && theirs.contains_key(*key);
    let of_base: Vec<_> = base.keys().filter(in_both).collect();
    if of_mine == of_base {
        Some(interleave(base, theirs, mine))
    } else if of_theirs == of_base {
        Some(interleave(base, mine, theirs))
    } else {
        None
    }
}

/// `first` in its order; what only `second` has stands after what it follows there, and after what `first` added there.
fn interleave<'a>(
    base: &Elements<'a>,
    first: &Elements<'a>,
    second: &Elements<'a>,
) -> Vec<Identifier<'a>> {
    // Gap n is before element n of `first`, and the last gap is after all. A gap before an addition of `first` is closed:
    // what belongs there goes to the next that is open.
    let mut open: Vec<usize> = (0..=first.len()).collect();
    for (gap, key) in first.keys().enumerate().rev() {
        if !base.contains_key(key) && !second.contains_key(key) {
            open[gap] = open[gap + 1];
        }
    }
    let mut gaps: Vec<Vec<Identifier<'a>>> = vec![Vec::new(); first.len() + 1];
    let mut gap = 0;
    for key in second.keys() {
        match first.get_index_of(key) {
            Some(index) => gap = index + 1,
            None => gaps[open[gap]].push(*key),
        }
    }
    let mut order = Vec::with_capacity(first.len() + second.len());
    let mut elements = first.keys();
    for gap in gaps {
        order.extend(gap);
        order.extend(elements.next());
    }
    order
}
