//! Revisions of which some are not known yet: of writes whose outcome nobody was told.
//!
//! Such a write took effect in the order at some place, and lies between the revisions around it. Whoever reads it tells which
//! it has.

use crate::revision::Revision;

/// The revision of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum At {
    Known(Revision),
    /// By its number among those that nobody was told.
    Unknown(usize),
}

/// What is known of those that nobody was told, in the order of their changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Revisions(Vec<Bounds>);

/// The lowest and the highest that it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Bounds {
    lowest: u64,
    highest: u64,
}

impl Revisions {
    /// A revision after `newest`.
    pub(super) fn reveal(&mut self, newest: At) -> At {
        let lowest = self.lowest(newest) + 1;
        self.0.push(Bounds { lowest, highest: Revision::MAX.get() });
        At::Unknown(self.0.len() - 1)
    }

    /// Learns that it is `told`. Says whether it can be.
    pub(super) fn is(&mut self, at: At, told: Revision) -> bool {
        self.is_within(at, told.get(), told.get())
    }

    /// Learns that it is after `since`. Says whether it can be.
    pub(super) fn is_after(&mut self, at: At, since: Revision) -> bool {
        self.is_within(at, since.get() + 1, u64::MAX)
    }

    /// Learns that it is not before `since`. Says whether it can be.
    pub(super) fn is_since(&mut self, at: At, since: Revision) -> bool {
        self.is_within(at, since.get(), u64::MAX)
    }

    /// Learns that it is not after `until`. Says whether it can be.
    pub(super) fn is_until(&mut self, at: At, until: Revision) -> bool {
        self.is_within(at, 0, until.get())
    }

    fn is_within(&mut self, at: At, lowest: u64, highest: u64) -> bool {
        let number = match at {
            At::Known(revision) => return (lowest..=highest).contains(&revision.get()),
            At::Unknown(number) => number,
        };
        let bounds = &mut self.0[number];
        bounds.lowest = bounds.lowest.max(lowest);
        bounds.highest = bounds.highest.min(highest);
        // Each is above the one before it.
        for later in number + 1..self.0.len() {
            self.0[later].lowest = self.0[later].lowest.max(self.0[later - 1].lowest + 1);
        }
        for earlier in (0..number).rev() {
            self.0[earlier].highest =
                self.0[earlier].highest.min(self.0[earlier + 1].highest.saturating_sub(1));
        }
        self.0.iter().all(|bounds| bounds.lowest <= bounds.highest)
    }

    /// What is known to be the lowest that it can be.
    pub(super) fn lowest(&self, at: At) -> u64 {
        match at {
            At::Known(revision) => revision.get(),
            At::Unknown(number) => self.0[number].lowest,
        }
    }

    /// As far as it is known.
    pub(super) fn show(&self, at: At) -> String {
        match at {
            At::Known(revision) => revision.to_string(),
            At::Unknown(number) => match self.0[number] {
                Bounds { lowest, highest } if lowest == highest => lowest.to_string(),
                Bounds { lowest, highest } if highest == Revision::MAX.get() => {
                    format!("{lowest} or more")
                }
                Bounds { lowest, highest } => format!("{lowest} to {highest}"),
            },
        }
    }
}
