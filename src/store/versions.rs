//! The versions of one key.
//!
//! Nearly always there is one, and it costs no more than a pointer. Older ones stay beside it while somebody can be
//! shown them: until a newer one is durable, for a snapshot, for history. A deleted key keeps a tombstone for as long as
//! there is anything older. For example, a key that was written at 4, deleted at 7, and written again at 8 and 9, when
//! nobody needed 8:
//!
//! ```text
//! Many [ 4..7: value | 7..8: deleted | 9..: value ]     at 6: the value of 4; at 8: not known any more
//! ```
//!
//! Each version says until when it was the newest, so that a hole is seen as one.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::revision::Revision;
use crate::versioned::Versioned;

#[derive(Debug)]
pub(super) enum Versions<V> {
    One(Note, Versioned<V>),
    /// Oldest first; never empty.
    Many(Note, Box<Chain<V>>),
}

/// What whoever keeps the versions notes beside: there is room for it next to the pointer.
type Note = u32;

/// What goes is nearly always near the front, however long history is.
pub(super) type Chain<V> = VecDeque<Node<V>>;

/// What one commit made of the key.
#[derive(Debug)]
pub(super) struct Node<V> {
    revision: Revision,
    /// The revision that superseded it; [`NEVER`] for the newest.
    until: u64,
    /// `None`: it was deleted.
    live: Option<Versioned<V>>,
}

const NEVER: u64 = u64::MAX;

impl<V> Node<V> {
    pub(super) fn live(entry: Versioned<V>) -> Self {
        Self { revision: entry.revision(), until: NEVER, live: Some(entry) }
    }

    pub(super) fn deleted(revision: Revision) -> Self {
        Self { revision, until: NEVER, live: None }
    }
}

/// Versions that were taken out, to be dropped under no lock.
pub(super) type Garbage<V> = SmallVec<[Versioned<V>; 1]>;

/// When a version was the newest of its key: from one revision until, but not at, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) until: u64,
}

/// A superseded version, as whoever decides on its end sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Superseded {
    pub(super) span: Span,
    /// How many versions of the key are newer, and shown.
    pub(super) rank: usize,
    /// The revision that deleted the key, if it is deleted.
    pub(super) deleted_at: Option<u64>,
}

/// What is left after a trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Versions,
    /// Only a tombstone, whose revision this is: once it is shown, the key can go.
    Tombstone(Revision),
}

/// What is known of a key at some revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At<'a, V> {
    Live(&'a Versioned<V>),
    Deleted,
    /// No version that is kept tells.
    NotKept,
}

impl<V> Versions<V> {
    /// A first version.
    pub(super) fn of(entry: Versioned<V>) -> Self {
        Self::One(0, entry)
    }

    pub(super) fn note(&self) -> Note {
        match self {
            Self::One(note, _) | Self::Many(note, _) => *note,
        }
    }

    /// Notes something, which stays.
    pub(super) fn set_note(&mut self, new: Note) {
        match self {
            Self::One(note, _) | Self::Many(note, _) => *note = new,
        }
    }

    /// Puts `entry` in the place of all versions.
    #[cfg_attr(not(feature = "log"), allow(dead_code, reason = "who reads a log does"))]
    pub(super) fn become_one(&mut self, entry: Versioned<V>) {
        *self = Self::One(self.note(), entry);
    }

    /// The newest commit on the key, and the entry unless it deleted the key.
    pub(super) fn newest(&self) -> (Revision, Option<&Versioned<V>>) {
        match self {
            Self::One(_, entry) => (entry.revision(), Some(entry)),
            Self::Many(_, chain) => {
                let newest = chain.back().expect("a chain is never empty");
                (newest.revision, newest.live.as_ref())
            }
        }
    }

    /// What the key was at `revision`, which is shown or pinned, so that what it was is kept.
    pub(super) fn at(&self, revision: u64) -> Option<&Versioned<V>> {
        match self.look(revision) {
            At::Live(entry) => Some(entry),
            At::Deleted | At::NotKept => None,
        }
    }

    /// What the key was at any `revision`, as far as that is kept.
    pub(super) fn look(&self, revision: u64) -> At<'_, V> {
        match self {
            Self::One(_, entry) if entry.revision().get() <= revision => At::Live(entry),
            Self::One(..) => At::NotKept,
            Self::Many(_, chain) => {
                match chain.iter().rev().find(|node| node.revision.get() <= revision) {
                    Some(node) if revision < node.until => {
                        node.live.as_ref().map_or(At::Deleted, At::Live)
                    }
                    _ => At::NotKept,
                }
            }
        }
    }

    /// All that is kept, oldest first: revision, until when, entry.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Span, Option<&Versioned<V>>)> {
        let (one, many) = match self {
            Self::One(_, entry) => (Some(entry), None),
            Self::Many(_, chain) => (None, Some(chain)),
        };
        let one =
            one.map(|entry| (Span { from: entry.revision().get(), until: NEVER }, Some(entry)));
        let many = many.into_iter().flat_map(|chain| chain.iter()).map(|node| {
            (Span { from: node.revision.get(), until: node.until }, node.live.as_ref())
        });
        one.into_iter().chain(many)
    }

    /// How many versions there are, tombstones included.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Many(_, chain) => chain.len(),
        }
    }

    /// When the version with `rank` newer ones was the newest.
    pub(super) fn span(&self, rank: usize) -> Option<Span> {
        let Self::Many(_, chain) = self else { return None };
        let node = &chain[chain.len().checked_sub(rank)?.checked_sub(1)?];
        Some(Span { from: node.revision.get(), until: node.until })
    }

    /// Whether [`install`](Self::install) can keep the version before, without allocating.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::One(..) => false,
            Self::Many(_, chain) => chain.len() < chain.capacity(),
        }
    }

    /// Makes sure that [`install`](Self::install) will not allocate, whatever it installs.
    pub(super) fn make_room(&mut self) {
        match self {
            Self::One(note, entry) => {
                let mut chain = Chain::with_capacity(2);
                chain.push_back(Node::live(entry.clone()));
                *self = Self::Many(*note, Box::new(chain));
            }
            Self::Many(_, chain) => chain.reserve(1),
        }
    }

    /// Installs the newest version. If the one before is to be kept, there must be room; else it is returned, if it was
    /// not a tombstone.
    pub(super) fn install(&mut self, node: Node<V>, keep: bool) -> Option<Versioned<V>> {
        debug_assert!(self.newest().0 < node.revision, "versions are installed in order");
        match self {
            Self::One(_, entry) if !keep => match node.live {
                Some(live) => Some(std::mem::replace(entry, live)),
                None => unreachable!("room was made for a tombstone"),
            },
            Self::One(..) => unreachable!("room was made"),
            Self::Many(_, chain) if keep => {
                chain.back_mut().expect("a chain is never empty").until = node.revision.get();
                chain.push_back(node);
                None
            }
            Self::Many(_, chain) => {
                let newest = chain.back_mut().expect("a chain is never empty");
                let replaced = std::mem::replace(newest, node).live;
                self.collapse();
                replaced
            }
        }
    }

    /// A single live version needs no chain.
    pub(super) fn collapse(&mut self) {
        if let Self::Many(note, chain) = self
            && chain.len() == 1
            && let Some(entry) = &chain[0].live
        {
            *self = Self::One(*note, entry.clone());
        }
    }

    /// The revision of the tombstone, if that is all there is.
    pub(super) fn lone_tombstone(&self) -> Option<Revision> {
        match self {
            Self::Many(_, chain) if chain.len() == 1 => {
                let Node { live, revision, .. } = &chain[0];
                live.is_none().then_some(*revision)
            }
            Self::Many(..) => None,
            Self::One(..) => None,
        }
    }

    /// Takes out the superseded versions that `is_needed` denies, into `garbage`: of `which`, the one that was installed
    /// at a revision, or all. `shown` is the newest revision that is shown.
    pub(super) fn trim(
        &mut self,
        which: Option<u64>,
        shown: u64,
        mut is_needed: impl FnMut(Superseded) -> bool,
        garbage: &mut Garbage<V>,
    ) -> Left {
        let Self::Many(_, chain) = self else { return Left::Versions };
        let Node { live, revision, .. } = chain.back().expect("a chain is never empty");
        let deleted_at = live.is_none().then(|| revision.get());
        let newest = chain.len() - 1;
        let unseen = chain.iter().rev().take_while(|node| node.revision.get() > shown).count();
        let places = match which {
            None => 0..newest,
            Some(from) => match chain.binary_search_by_key(&from, |node| node.revision.get()) {
                Ok(place) if place < newest => place..place + 1,
                _ => 0..0,
            },
        };
        for place in places.rev() {
            let node = &chain[place];
            let span = Span { from: node.revision.get(), until: node.until };
            let rank = (newest - place).saturating_sub(unseen);
            if !is_needed(Superseded { span, rank, deleted_at }) {
                let node = chain.remove(place).expect("it is there");
                garbage.extend(node.live);
            }
        }
        self.collapse();
        self.lone_tombstone().map_or(Left::Versions, Left::Tombstone)
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
        let mut versions = Versions::of(entry(4));
        versions.make_room();
        versions.install(Node::deleted(revision(7)), true);
        versions.make_room();
        versions.install(Node::live(entry(8)), true);
        versions.make_room();
        versions.install(Node::live(entry(9)), false);
        versions
    }

    #[test]
    fn each_revision_shows_its_own_version_and_a_hole_is_not_filled() {
        let versions = example();
        let (four, nine) = (entry(4), entry(9));
        let cases = [
            (3, At::NotKept),
            (4, At::Live(&four)),
            (6, At::Live(&four)),
            (7, At::Deleted),
            (8, At::NotKept),
            (9, At::Live(&nine)),
            (99, At::Live(&nine)),
        ];
        for (at, expected) in cases {
            assert_eq!(versions.look(at), expected, "at {at}");
        }
    }

    #[test]
    fn a_trim_takes_what_is_not_needed_and_nothing_else() {
        for needed in 0..4_u64 {
            let mut versions = example();
            let mut garbage = Garbage::new();
            let is_needed = |version: Superseded| needed & (1 << (version.rank - 1)) != 0;
            assert_eq!(versions.trim(None, 9, is_needed, &mut garbage), Left::Versions);
            let (keeps_deleted, keeps_four) = (needed & 1 != 0, needed & 2 != 0);
            assert_eq!(garbage.len(), usize::from(!keeps_four));
            assert_eq!(versions.look(6) != At::NotKept, keeps_four, "{needed}");
            assert_eq!(versions.look(7) == At::Deleted, keeps_deleted, "{needed}");
            assert_eq!(versions.look(8), At::NotKept, "{needed}");
            assert_eq!(versions.newest().0, revision(9));
            assert_eq!(matches!(versions, Versions::One(..)), needed == 0, "{needed}");
        }
    }

    #[test]
    fn a_trim_of_one_version_asks_for_no_other() {
        for (from, taken) in [(4, 1), (5, 0), (7, 0), (9, 0)] {
            let mut versions = example();
            let mut garbage = Garbage::new();
            let mut asked = 0;
            let is_needed = |version: Superseded| {
                asked += 1;
                assert_eq!(version.span.from, from);
                false
            };
            versions.trim(Some(from), 9, is_needed, &mut garbage);
            assert_eq!((garbage.len(), asked), (taken, usize::from(from == 4 || from == 7)));
            assert_eq!(versions.newest().0, revision(9));
        }
    }

    #[test]
    fn what_is_not_shown_does_not_count_as_newer() {
        for (shown, expected) in [(6, [0, 0]), (7, [0, 1]), (8, [0, 1]), (9, [1, 2])] {
            let mut ranks = Vec::new();
            let is_needed = |version: Superseded| {
                ranks.push(version.rank);
                true
            };
            example().trim(None, shown, is_needed, &mut Garbage::new());
            assert_eq!(ranks, expected, "{shown}");
        }
    }

    #[test]
    fn a_version_that_is_not_kept_is_replaced_and_the_others_stay() {
        let mut versions = example();
        let replaced = versions.install(Node::live(entry(11)), false);
        assert_eq!(replaced.map(|entry| *entry), Some(9));
        assert_eq!(versions.look(6), At::Live(&entry(4)));
        assert_eq!(versions.look(10), At::NotKept);
        assert_eq!(versions.look(11), At::Live(&entry(11)));
    }

    #[test]
    fn what_is_left_of_a_deleted_key_is_its_tombstone() {
        let mut versions = Versions::of(entry(4));
        versions.make_room();
        versions.install(Node::deleted(revision(7)), true);
        let mut garbage = Garbage::new();
        let mut asked = Vec::new();
        let keep = |version: Superseded| {
            asked.push(version.deleted_at);
            true
        };
        assert_eq!(versions.trim(None, 9, keep, &mut garbage), Left::Versions);
        assert_eq!(asked, [Some(7)]);
        assert_eq!(versions.trim(None, 9, |_| false, &mut garbage), Left::Tombstone(revision(7)));
        assert_eq!(garbage.len(), 1);
    }
}
