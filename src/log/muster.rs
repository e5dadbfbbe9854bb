//! How a leader waits for company.
//!
//! Committers that were told together come back together, but not at the same moment: each has to be woken first. Whoever is
//! first would lead a batch of its own, and sync it while the others come: two half batches would take turns, for ever. So a
//! leader waits, at most for as long as a sync takes, for as many as there were: those who were told last, and
//! those who had come meanwhile. Where they do not come back, it soon stops waiting, and tries again but now and then.

use std::time::Duration;

use crate::sync;

/// How long to wait for others, and for how many.
#[derive(Debug, Default)]
pub(super) struct Muster {
    /// How many commits the next batch may have.
    expected: u64,
    last_sync: Duration,
    /// How often in a row it was not worth it.
    failures: u32,
    /// So many batches are not waited for.
    skip: u32,
}

/// At the most so many batches, less one, are not waited for.
const MAX_SKIP: u32 = 32;

/// Nobody waits for longer: a sync that once took seconds must not make the next batch wait for as long.
const MAX_PATIENCE: Duration = Duration::from_millis(2);

impl Muster {
    /// Waits until as many commits are `pending` as are to be expected, but not for long.
    pub(super) fn wait(&mut self, pending: impl Fn() -> u64) {
        let before = pending();
        if before >= self.expected {
            return;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        sync::yield_until(self.patience(), || pending() >= self.expected);
        let after = pending();
        let is_worth_it = after - before > self.expected.saturating_sub(after);
        self.failures = if is_worth_it { 0 } else { (self.failures + 1).min(MAX_SKIP.ilog2()) };
        self.skip = (1 << self.failures) - 1;
    }

    fn patience(&self) -> Duration {
        self.last_sync.min(MAX_PATIENCE)
    }

    /// So many commits were told, while so many others came.
    pub(super) fn told(&mut self, told: u64, came: u64) {
        self.expected = told + came;
    }

    pub(super) fn synced_in(&mut self, time: Duration) {
        self.last_sync = time;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Whether it waited, with so many pending before and after.
    fn waits(muster: &mut Muster, before: u64, after: u64) -> bool {
        let looks = Cell::new(0);
        muster.wait(|| {
            looks.set(looks.get() + 1);
            if looks.get() == 1 { before } else { after }
        });
        looks.get() > 1
    }

    #[test]
    fn it_waits_for_those_who_were_told_and_those_who_came_meanwhile() {
        let mut muster = Muster::default();
        assert!(!waits(&mut muster, 0, 0), "nobody is known");
        muster.told(4, 3);
        for _ in 0..9 {
            assert!(waits(&mut muster, 3, 7));
            assert!(!waits(&mut muster, 7, 7), "all are there");
        }
        muster.told(1, 0);
        assert!(!waits(&mut muster, 1, 1), "nobody waits for itself");
    }

    #[test]
    fn it_waits_for_as_long_as_a_sync_but_two_milliseconds_at_the_most() {
        let mut muster = Muster::default();
        for (sync, patience) in [(400, 400), (2_000, 2_000), (2_001, 2_000), (10_000_000, 2_000)] {
            muster.synced_in(Duration::from_micros(sync));
            assert_eq!(muster.patience(), Duration::from_micros(patience), "{sync}");
        }
    }

    #[test]
    fn where_they_do_not_come_back_it_hardly_ever_waits() {
        let mut muster = Muster::default();
        muster.told(4, 4);
        let waited = (0..1_000).filter(|_| waits(&mut muster, 4, 5)).count();
        assert!((20..50).contains(&waited), "{waited}");
        while !waits(&mut muster, 4, 8) {}
        assert!(waits(&mut muster, 4, 8), "now they do");
    }
}
