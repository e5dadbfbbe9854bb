//! What strategies make up, by number.

use ifmatch::testing::{Plans, strategies};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::common::Random;

/// What is wrong, for people.
pub(super) type Verdict = Result<(), String>;

/// Plans of up to so many clients.
pub(super) fn plans(random: &mut Random, clients: usize, steps: usize) -> Plans<String, u64> {
    one_of(random, strategies::plans(clients, steps))
}

pub(super) fn one_of<S: Strategy>(random: &mut Random, strategy: S) -> S::Value {
    let mut seed = [0; 32];
    for chunk in seed.chunks_mut(8) {
        chunk.copy_from_slice(&random.next().to_le_bytes());
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).unwrap().current()
}
