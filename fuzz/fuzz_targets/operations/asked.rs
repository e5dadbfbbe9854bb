//! What the fuzzer asks for.

use arbitrary::{Arbitrary, Unstructured};
use ifmatch::{KeyRange, Precondition, Revision};

/// How many keys there are: few, so that operations meet.
pub(crate) const KEYS: u8 = 6;

#[derive(Arbitrary, Debug)]
pub(crate) struct Input {
    pub(crate) kept: Kept,
    pub(crate) versions: u8,
    pub(crate) commits: u8,
    pub(crate) compacts: bool,
    pub(crate) seed: u8,
    pub(crate) operations: Vec<Asked>,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    InMemory,
    Buffered,
    Synced,
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Asked {
    Get(Key),
    Put(Key, u8, Demand),
    Delete(Key, Demand),
    Update(Key, u8),
    Commit(Vec<Required>, Vec<(Key, Option<u8>)>),
    Transact(Vec<Span>, Vec<(Key, Option<u8>)>),
    Scan(Span),
    Snapshot,
    Release(u8),
    /// Since so many revisions ago.
    Watch(u8),
    ReadAt(u8),
    History(Key),
    Compact,
    Sync,
    Reopen(Ended),
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Ended {
    Closed,
    Killed,
    PowerCut,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(pub(crate) u8);

impl<'a> Arbitrary<'a> for Key {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self(u8::arbitrary(bytes)? % KEYS))
    }
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Demand {
    Nothing,
    Absent,
    Present,
    /// The revision that it has.
    Current,
    /// One beside it.
    Stale,
}

impl Demand {
    /// Of a key that has this revision.
    pub(crate) fn of(&self, current: Option<Revision>) -> Precondition {
        let revision = current.unwrap_or(Revision::MIN);
        match self {
            Self::Nothing => Precondition::Any,
            Self::Absent => Precondition::Absent,
            Self::Present => Precondition::Present,
            Self::Current => Precondition::Revision(revision),
            Self::Stale => {
                let other = Revision::try_from(revision.get() - 1).ok().or(revision.next());
                Precondition::Revision(other.unwrap_or(revision))
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Required {
    Key(Key, Demand),
    NoneIn(Span),
    /// Since so many revisions ago.
    UnchangedIn(Span, u8),
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Span {
    All,
    Only(Key),
    From(Key),
    Between(Key, Key),
}

impl Span {
    pub(crate) fn range(&self) -> KeyRange<u8> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        match self {
            Self::All => KeyRange::all(),
            Self::Only(key) => KeyRange::only(key.0),
            Self::From(key) => KeyRange::new(Included(key.0), Unbounded),
            Self::Between(start, end) => KeyRange::new(Excluded(start.0), Included(end.0)),
        }
    }
}
