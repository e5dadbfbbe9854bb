//! The outcome of a merge: a document with clashes left open in it.

use crate::json::{Json, JsonPointer, Object};

use super::{Choice, Clash};

/// What came of a merge: the document, and the places that somebody has to decide on.
#[derive(Clone, Debug)]
pub struct Merged {
    draft: Draft,
    clashes: Vec<Clash>,
}

/// A document in which places may be open.
#[derive(Clone, Debug)]
pub(super) enum Draft {
    Value(Json),
    /// The clash with that number; each is in the draft once.
    Clash(usize),
    /// At least one of the members is or holds a clash.
    Object(Vec<(String, Draft)>),
    /// At least one of the elements is or holds a clash.
    Array(Vec<Draft>),
}

impl Draft {
    pub(super) fn object(members: Vec<(String, Self)>) -> Self {
        if members.iter().any(|(_, draft)| !matches!(draft, Self::Value(_))) {
            return Self::Object(members);
        }
        let settled = members.into_iter().filter_map(|(name, draft)| match draft {
            Self::Value(value) => Some((name, value)),
            _ => None,
        });
        Self::Value(Json::Object(settled.collect()))
    }

    pub(super) fn array(elements: Vec<Self>) -> Self {
        if elements.iter().any(|draft| !matches!(draft, Self::Value(_))) {
            return Self::Array(elements);
        }
        let settled = elements.into_iter().filter_map(|draft| match draft {
            Self::Value(value) => Some(value),
            _ => None,
        });
        Self::Value(Json::Array(settled.collect()))
    }

    /// Closes every open place. `None` if the choice is nothing.
    fn close(self, choose: &mut impl FnMut(usize) -> Option<Json>) -> Option<Json> {
        Some(match self {
            Self::Value(value) => value,
            Self::Clash(number) => return choose(number),
            Self::Object(members) => {
                let closed = members
                    .into_iter()
                    .filter_map(|(name, draft)| Some((name, draft.close(choose)?)));
                Json::Object(closed.collect::<Object>())
            }
            Self::Array(elements) => {
                Json::Array(elements.into_iter().filter_map(|draft| draft.close(choose)).collect())
            }
        })
    }

    /// Writes into each clash where it is.
    fn locate(&self, at: &mut JsonPointer, clashes: &mut [Clash]) {
        match self {
            Self::Value(_) => {}
            Self::Clash(number) => clashes[*number].pointer = at.clone(),
            Self::Object(members) => {
                for (name, draft) in members {
                    if !matches!(draft, Self::Value(_)) {
                        at.push(name.as_str());
                        draft.locate(at, clashes);
                        at.pop();
                    }
                }
            }
            Self::Array(elements) => {
                let mut index = 0_usize;
                for draft in elements {
                    if !matches!(draft, Self::Value(_)) {
                        at.push(index.to_string());
                        draft.locate(at, clashes);
                        at.pop();
                    }
                    let removed =
                        matches!(draft, Self::Clash(number) if clashes[*number].theirs.is_none());
                    index += usize::from(!removed);
                }
            }
        }
    }
}

impl Merged {
    pub(super) fn new(draft: Draft, mut clashes: Vec<Clash>) -> Self {
        draft.locate(&mut JsonPointer::root(), &mut clashes);
        Self { draft, clashes }
    }

    /// The clashes, in the order of the document. Empty if all is merged.
    #[must_use]
    pub fn clashes(&self) -> &[Clash] {
        &self.clashes
    }

    /// Whether all is merged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.clashes.is_empty()
    }

    /// The document as far as it is merged: in each clash it has what theirs has.
    #[must_use]
    pub fn document(&self) -> Json {
        self.clone().resolve(|_| Choice::Theirs)
    }

    /// The merged document.
    ///
    /// # Errors
    /// The merge itself, if there are clashes.
    pub fn into_result(self) -> Result<Json, Self> {
        if self.is_clean() { Ok(self.resolve(|_| Choice::Theirs)) } else { Err(self) }
    }

    /// The document with every clash decided by `choose`.
    #[must_use]
    pub fn resolve(self, mut choose: impl FnMut(&Clash) -> Choice) -> Json {
        let Self { draft, clashes } = self;
        let closed = draft.close(&mut |number| {
            let clash = &clashes[number];
            match choose(clash) {
                Choice::Mine => clash.mine.clone(),
                Choice::Theirs => clash.theirs.clone(),
                Choice::Value(value) => Some(value),
            }
        });
        closed.expect("mine and theirs are documents, so neither removed the whole")
    }
}
