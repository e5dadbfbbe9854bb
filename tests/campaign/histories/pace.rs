//! How threads take turns, as far as they can be made to.

use std::{hint, thread};

use crate::common::Random;

/// How often they meet, and how long they rest between two steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// So many steps of each between two meetings of all.
    pub(super) steps: usize,
    /// Up to so many turns of a loop that does nothing, each some ten nanoseconds: as long as an operation, or less.
    spins: u64,
    /// One in so many rests gives the core to another. On few cores threads would come one after the other.
    yields: u64,
}

impl Pace {
    pub(super) fn random(random: &mut Random) -> Self {
        Self {
            steps: *random.pick(&[2, 3, 5, 10]),
            spins: *random.pick(&[1, 1, 10, 100]),
            yields: *random.pick(&[2, 5, 50]),
        }
    }

    pub(super) fn pause(self, random: &mut Random) {
        (0..random.below(self.spins)).for_each(|_| hint::spin_loop());
        if random.one_in(self.yields) {
            thread::yield_now();
        }
    }
}
