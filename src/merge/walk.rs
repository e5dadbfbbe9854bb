//! The walk down three documents at once. Each value is looked at once, or once more where both sides are compared.

use crate::json::{Json, JsonPointer, Object};

use super::keyed::Keyed;
use super::merged::Draft;
use super::{Clash, MergeRules, Merged};

/// What is at one place in the three documents.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) base: Option<&'a Json>,
    pub(super) mine: Option<&'a Json>,
    pub(super) theirs: Option<&'a Json>,
}

pub(super) struct Walk<'a> {
    rules: &'a MergeRules,
    /// Where it is: names, and `*` for the elements of keyed arrays.
    path: Vec<&'a str>,
    clashes: Vec<Clash>,
}

impl<'a> Walk<'a> {
    pub(super) fn merge(rules: &'a MergeRules, sides: Sides<'a>) -> Merged {
        let mut walk = Self { rules, path: Vec::new(), clashes: Vec::new() };
        let draft = walk.value(sides).expect("mine and theirs are documents, so one of them is it");
        Merged::new(draft, walk.clashes)
    }

    /// `None` if nothing is to be there.
    fn value(&mut self, sides: Sides<'a>) -> Option<Draft> {
        match (sides.base, sides.mine, sides.theirs) {
            (None, Some(Json::Object(mine)), Some(Json::Object(theirs))) => {
                Some(self.object(None, mine, theirs))
            }
            (Some(Json::Object(base)), Some(Json::Object(mine)), Some(Json::Object(theirs))) => {
                Some(self.object(Some(base), mine, theirs))
            }
            (base, Some(Json::Array(mine)), Some(Json::Array(theirs))) => {
                let base = match base {
                    None => [].as_slice(),
                    Some(Json::Array(base)) => base,
                    Some(_) => return self.whole(sides),
                };
                let keyed = self
                    .rules
                    .identifier(&self.path)
                    .and_then(|member| Keyed::new(member, base, mine, theirs));
                match keyed {
                    Some(keyed) => Some(self.elements(&keyed)),
                    None => self.whole(sides),
                }
            }
            _ => self.whole(sides),
        }
    }

    fn object(&mut self, base: Option<&'a Object>, mine: &'a Object, theirs: &'a Object) -> Draft {
        let names = theirs.iter().map(|(name, _)| name);
        let added = mine.iter().map(|(name, _)| name).filter(|name| theirs.get(name).is_none());
        let mut members = Vec::with_capacity(theirs.len());
        for name in names.chain(added) {
            self.path.push(name);
            let draft = self.value(Sides {
                base: base.and_then(|base| base.get(name)),
                mine: mine.get(name),
                theirs: theirs.get(name),
            });
            self.path.pop();
            members.extend(draft.map(|draft| (name.to_owned(), draft)));
        }
        Draft::object(members)
    }

    fn elements(&mut self, keyed: &Keyed<'a>) -> Draft {
        self.path.push("*");
        let elements = keyed.sides().filter_map(|sides| self.value(sides)).collect();
        self.path.pop();
        Draft::array(elements)
    }

    /// The three as one value each.
    fn whole(&mut self, sides: Sides<'a>) -> Option<Draft> {
        let Sides { base, mine, theirs } = sides;
        let kept = if mine == theirs {
            // All three may mean the same. Then who wrote it differently has changed it.
            if is_identical(theirs, base) { mine } else { theirs }
        } else if mine == base {
            theirs
        } else if theirs == base {
            mine
        } else {
            let clash = Clash {
                pointer: JsonPointer::root(),
                base: base.cloned(),
                mine: mine.cloned(),
                theirs: theirs.cloned(),
            };
            self.clashes.push(clash);
            return Some(Draft::Clash(self.clashes.len() - 1));
        };
        kept.map(|value| Draft::Value(value.clone()))
    }
}

fn is_identical(one: Option<&Json>, other: Option<&Json>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_identical(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
