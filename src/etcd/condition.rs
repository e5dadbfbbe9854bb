//! Preconditions as etcd compares them, and what to ask in the same round trip for what to tell if they do not hold.
//!
//! | precondition | compared | asked if it fails |
//! | --- | --- | --- |
//! | absent | the key's `create_revision` = 0 | the key |
//! | present | its `create_revision` > 0 | the key |
//! | at a revision | its `mod_revision` = r | the key |
//! | no key in a range | the range's `create_revision` = 0: of all keys that are there, and passes if there is none | its first 16 keys |
//! | a range unchanged since r | the `mod_revision` of each key that was there at r, and that of the range < r + 1 | the first key that was changed after r, and which keys are still as they were |
//!
//! The last needs a list of the range at r, made before. A comparison of the range alone would miss deletes, because it is
//! one of the keys that are there; that of each key alone would miss new ones.

use bytes::Bytes;
use etcd_client::proto::{PbKeyValue, PbRangeResponse};
use etcd_client::{Compare, CompareOp, GetOptions, SortOrder, SortTarget, TxnOp};

use crate::conflict::Conflict;
use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::txn::Requirement;
use crate::versioned::Versioned;

use super::entry::{Found, entry, number};
use super::fault::Fault;
use super::namespace::{Namespace, Span};

/// So many of the keys that are in the way are told.
const BLOCKERS: i64 = 16;

/// A key and the `mod_revision` that it had.
pub(super) type Listed = (Vec<u8>, i64);

/// A precondition, ready to be judged by etcd.
pub(super) enum Condition<'a> {
    /// Nothing has to be asked: it holds of any state.
    Holds,
    Key {
        key: &'a Bytes,
        outer: Vec<u8>,
        precondition: Precondition,
    },
    NoneIn {
        range: &'a KeyRange<Bytes>,
        span: Span,
    },
    /// `listed` was there at `since`.
    UnchangedIn {
        range: &'a KeyRange<Bytes>,
        span: Span,
        since: Revision,
        listed: Vec<Listed>,
    },
}

impl<'a> Condition<'a> {
    /// Of a requirement; `listed` if it is of a range that must not change.
    pub(super) fn new(
        requirement: &'a Requirement<Bytes>,
        listed: Vec<Listed>,
        namespace: &Namespace,
    ) -> Self {
        match requirement {
            Requirement::Key(key, precondition) => {
                Self::Key { key, outer: namespace.outer(key), precondition: *precondition }
            }
            Requirement::NoneIn(range) => match namespace.span(range) {
                Some(span) => Self::NoneIn { range, span },
                None => Self::Holds,
            },
            Requirement::UnchangedIn(range, since) => match namespace.span(range) {
                Some(span) => Self::UnchangedIn { range, span, since: *since, listed },
                None => Self::Holds,
            },
        }
    }

    /// What etcd is to compare.
    pub(super) fn compares(&self, compares: &mut Vec<Compare>) {
        match self {
            Self::Holds => {}
            Self::Key { outer, precondition, .. } => {
                compares.extend(compare(outer.clone(), *precondition));
            }
            Self::NoneIn { span, .. } => compares.push(
                Compare::create_revision(span.start.clone(), CompareOp::Equal, 0)
                    .with_range(span.end.clone()),
            ),
            Self::UnchangedIn { span, since, listed, .. } => {
                let unchanged =
                    |(key, at): &Listed| Compare::mod_revision(key.clone(), CompareOp::Equal, *at);
                compares.extend(listed.iter().map(unchanged));
                let newer = number(*since).saturating_add(1);
                compares.push(
                    Compare::mod_revision(span.start.clone(), CompareOp::Less, newer)
                        .with_range(span.end.clone()),
                );
            }
        }
    }

    /// What etcd is to be asked if something does not hold.
    pub(super) fn questions(&self, questions: &mut Vec<TxnOp>) {
        match self {
            Self::Holds => {}
            Self::Key { outer, .. } => questions.push(TxnOp::get(outer.clone(), None)),
            Self::NoneIn { span, .. } => {
                questions.push(ask(span, GetOptions::new().with_limit(BLOCKERS)));
            }
            Self::UnchangedIn { span, since, .. } => {
                let newer = number(*since).saturating_add(1);
                let changed = GetOptions::new()
                    .with_min_mod_revision(newer)
                    .with_sort(SortTarget::Mod, SortOrder::Ascend)
                    .with_limit(1);
                let kept = GetOptions::new().with_max_mod_revision(number(*since)).with_keys_only();
                questions.extend([ask(span, changed), ask(span, kept)]);
            }
        }
    }

    /// The conflict that the answers tell, if it does not hold by them.
    pub(super) fn conflict(
        &self,
        index: usize,
        answers: &mut impl Iterator<Item = PbRangeResponse>,
        (namespace, identity): (&Namespace, Identity),
    ) -> Result<Option<Conflict<Bytes, Bytes>>, Fault> {
        let mut answer = || answers.next().unwrap_or_default();
        let conflict = match self {
            Self::Holds => None,
            Self::Key { key, precondition, .. } => {
                let current = first(answer().kvs)?.map(|(_, current)| current);
                let holds = precondition.holds(current.as_ref().map(Versioned::revision));
                let key = Bytes::clone(key);
                (!holds).then(|| Conflict::new(identity, key, *precondition, current, None))
            }
            Self::NoneIn { range, .. } => {
                let found = answer();
                let count = usize::try_from(found.count).unwrap_or(usize::MAX);
                let blockers = entries(found.kvs, namespace)?;
                let range = KeyRange::clone(range);
                (!blockers.is_empty()).then(|| Conflict::none_in(identity, range, blockers, count))
            }
            Self::UnchangedIn { range, since, listed, .. } => {
                let (changed, kept) = (answer(), answer());
                let unchanged = |key, current| {
                    Conflict::unchanged_in(identity, KeyRange::clone(range), *since, key, current)
                };
                match first(changed.kvs)? {
                    Some((key, current)) => {
                        namespace.inner(key).map(|key| unchanged(key, Some(current)))
                    }
                    None => gone(listed, &kept.kvs)
                        .and_then(|key| namespace.inner(key.to_vec()))
                        .map(|key| unchanged(key, None)),
                }
            }
        };
        Ok(conflict.map(|conflict| conflict.at_index(index)))
    }
}

/// What etcd is to compare for a precondition of one key.
pub(super) fn compare(key: Vec<u8>, precondition: Precondition) -> Option<Compare> {
    match precondition {
        Precondition::Any => None,
        Precondition::Absent => Some(Compare::create_revision(key, CompareOp::Equal, 0)),
        Precondition::Present => Some(Compare::create_revision(key, CompareOp::Greater, 0)),
        Precondition::Revision(revision) => {
            Some(Compare::mod_revision(key, CompareOp::Equal, number(revision)))
        }
    }
}

fn ask(span: &Span, options: GetOptions) -> TxnOp {
    TxnOp::get(span.start.clone(), Some(options.with_range(span.end.clone())))
}

/// The first of the listed keys that is not among those that were kept. Both are in order.
fn gone<'a>(listed: &'a [Listed], kept: &[PbKeyValue]) -> Option<&'a [u8]> {
    let mut kept = kept.iter().map(|kept| &kept.key).peekable();
    listed.iter().map(|(key, _)| key).find(|key| kept.next_if_eq(key).is_none()).map(Vec::as_slice)
}

fn first(found: Vec<PbKeyValue>) -> Result<Option<Found>, Fault> {
    found.into_iter().next().map(entry).transpose()
}

/// Entries under the names that they have in the store.
pub(super) fn entries(
    found: Vec<PbKeyValue>,
    namespace: &Namespace,
) -> Result<Vec<(Bytes, Versioned<Bytes>)>, Fault> {
    let mut entries = Vec::with_capacity(found.len());
    for found in found {
        let (key, entry) = entry(found)?;
        entries.extend(namespace.inner(key).map(|key| (key, entry)));
    }
    Ok(entries)
}
