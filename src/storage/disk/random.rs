//! Chance that repeats: all that happens by chance on a disk comes from here, by its seed.

/// `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Chance for another.
    pub(super) fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// A number less than `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.next() % bound).expect("it is less than a usize")
    }

    pub(super) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// How likely it is that one of several things happens; that none of them does, or all, is likely enough itself.
    pub(super) fn likelihood(&mut self) -> Likelihood {
        Likelihood(self.below(5))
    }

    pub(super) fn happens(&mut self, likelihood: &Likelihood) -> bool {
        self.below(4) < likelihood.0
    }
}

/// In quarters.
#[derive(Debug)]
pub(super) struct Likelihood(usize);
