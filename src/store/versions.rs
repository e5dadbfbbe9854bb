//! The versions of one key.
//!
//! Nearly always there is one, and it costs no more than a pointer. While a newer version waits for its sync the
//! one that is shown stays beside it; a deleted key keeps a tombstone until the delete is shown. For example, with
//! revision 6 shown, a key that was written at 4, deleted at 7 and written again at 9:
//!
//! ```text
//! Many [ 4: value | 7: deleted | 9: value ]     shown at 6: the value of 4
//! ```
//!
//! When 8 is shown, 4 is given back; when 9 is, 7 too, and the key is back to `One`.

use smallvec::{SmallVec, smallvec};

use crate::revision::Revision;
use crate::versioned::Versioned;

#[derive(Debug)]
pub(super) enum Versions<V> {
    One(Versioned<V>),
    /// Oldest first; never empty.
    Many(Box<Chain<V>>),
}

/// Three in place: shown, being synced, waiting.
pub(super) type Chain<V> = SmallVec<[Node<V>; 3]>;

/// What one commit made of the key.
#[derive(Debug)]
pub(super) struct Node<V> {
    revision: Revision,
    /// `None`: it was deleted.
    live: Option<Versioned<V>>,
}

impl<V> Node<V> {
    pub(super) fn live(entry: Versioned<V>) -> Self {
        Self { revision: entry.revision(), live: Some(entry) }
    }

    pub(super) fn deleted(revision: Revision) -> Self {
        Self { revision, live: None }
    }
}

/// What is left after a trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Versions,
    /// Only a tombstone that everybody sees: the key can go.
    Nothing,
}

impl<V> Versions<V> {
    /// The newest commit on the key, and the entry unless it deleted the key.
    pub(super) fn newest(&self) -> (Revision, Option<&Versioned<V>>) {
        match self {
            Self::One(entry) => (entry.revision(), Some(entry)),
            Self::Many(chain) => {
                let newest = chain.last().expect("a chain is never empty");
                (newest.revision, newest.live.as_ref())
            }
        }
    }

    /// What the key was at `revision`.
    pub(super) fn at(&self, revision: u64) -> Option<&Versioned<V>> {
        match self {
            Self::One(entry) => (entry.revision().get() <= revision).then_some(entry),
            Self::Many(chain) => {
                let shown = chain.iter().rev().find(|node| node.revision.get() <= revision)?;
                shown.live.as_ref()
            }
        }
    }

    /// Makes sure that [`install`](Self::install) will not allocate, whatever it installs.
    pub(super) fn make_room(&mut self) {
        match self {
            Self::One(entry) => {
                *self = Self::Many(Box::new(smallvec![Node::live(entry.clone())]));
            }
            Self::Many(chain) => chain.reserve(1),
        }
    }

    /// Installs the newest version, after [`make_room`](Self::make_room). If it `hides` the one before, which then
    /// nobody can ever be shown, that one is returned; else it stays.
    pub(super) fn install(&mut self, node: Node<V>, hides: bool) -> Option<Versioned<V>> {
        debug_assert!(self.newest().0 < node.revision, "versions are installed in order");
        match self {
            Self::One(_) if !hides || node.live.is_none() => unreachable!("room was made"),
            Self::One(entry) => node.live.map(|live| std::mem::replace(entry, live)),
            Self::Many(chain) if hides => {
                let newest = chain.last_mut().expect("a chain is never empty");
                let hidden = std::mem::replace(newest, node).live;
                self.collapse();
                hidden
            }
            Self::Many(chain) => {
                chain.push(node);
                None
            }
        }
    }

    /// A single live version needs no chain.
    pub(super) fn collapse(&mut self) {
        if let Self::Many(chain) = self
            && let [Node { live: Some(entry), .. }] = chain.as_slice()
        {
            *self = Self::One(entry.clone());
        }
    }

    /// Whether all that is left is a tombstone that is shown.
    pub(super) fn is_gone(&self, shown: u64) -> bool {
        match self {
            Self::One(_) => false,
            Self::Many(chain) => match chain.as_slice() {
                [node] => node.live.is_none() && node.revision.get() <= shown,
                _ => false,
            },
        }
    }

    /// Takes out what nobody can see any more once `shown` is shown, into `garbage`.
    pub(super) fn trim(&mut self, shown: u64, garbage: &mut Vec<Versioned<V>>) -> Left {
        let Self::Many(chain) = self else { return Left::Versions };
        let unseen = chain.iter().rposition(|node| node.revision.get() <= shown).unwrap_or(0);
        garbage.extend(chain.drain(..unseen).filter_map(|node| node.live));
        self.collapse();
        if self.is_gone(shown) { Left::Nothing } else { Left::Versions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versioned::Draft;

    fn revision(number: u64) -> Revision {
        Revision::try_from(number).unwrap()
    }

    fn entry(number: u64) -> Versioned<u64> {
        Draft::new(number).seal(revision(number), None)
    }

    /// The example of the module's documentation.
    fn example() -> Versions<u64> {
        let mut versions = Versions::One(entry(4));
        versions.make_room();
        versions.install(Node::deleted(revision(7)), false);
        versions.make_room();
        versions.install(Node::live(entry(9)), false);
        versions
    }

    #[test]
    fn each_revision_shows_its_own_version() {
        let versions = example();
        let cases = [
            (3, None),
            (4, Some(4)),
            (6, Some(4)),
            (7, None),
            (8, None),
            (9, Some(9)),
            (99, Some(9)),
        ];
        for (shown, expected) in cases {
            assert_eq!(versions.at(shown).map(|entry| **entry), expected, "at {shown}");
        }
    }

    #[test]
    fn a_trim_keeps_what_is_shown_and_what_will_be() {
        let cases: [(u64, usize, bool); 5] =
            [(3, 0, false), (6, 0, false), (7, 1, false), (8, 1, false), (9, 1, true)];
        for (shown, freed, single) in cases {
            let mut versions = example();
            let before: Vec<_> =
                (shown..12).map(|at| versions.at(at).map(|entry| **entry)).collect();
            let mut garbage = Vec::new();
            assert_eq!(versions.trim(shown, &mut garbage), Left::Versions);
            assert_eq!(garbage.len(), freed, "trimmed at {shown}");
            assert_eq!(matches!(versions, Versions::One(_)), single, "trimmed at {shown}");
            let after: Vec<_> =
                (shown..12).map(|at| versions.at(at).map(|entry| **entry)).collect();
            assert_eq!(before, after, "trimmed at {shown}");
        }
    }

    #[test]
    fn a_hidden_version_is_replaced_and_the_shown_one_stays() {
        let mut versions = example();
        versions.make_room();
        let hidden = versions.install(Node::live(entry(11)), true);
        assert_eq!(hidden.map(|entry| *entry), Some(9));
        let shown: Vec<_> = [6, 10, 11].map(|at| versions.at(at).map(|entry| **entry)).into();
        assert_eq!(shown, [Some(4), None, Some(11)]);
    }

    #[test]
    fn a_tombstone_goes_only_when_it_is_shown() {
        let mut versions = Versions::One(entry(4));
        versions.make_room();
        versions.install(Node::deleted(revision(7)), false);
        let mut garbage = Vec::new();
        assert_eq!(versions.trim(6, &mut garbage), Left::Versions);
        assert_eq!(versions.at(6).map(|entry| **entry), Some(4));
        assert_eq!(versions.trim(7, &mut garbage), Left::Nothing);
        assert_eq!(garbage.len(), 1);
    }
}
