//! What strategies make up, by number.

use ifmatch::testing::{Expect, Planned, Plans, strategies};
use proptest::collection::vec;
use proptest::prop_oneof;
use proptest::sample::select;
use proptest::strategy::{Just, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::common::Random;

/// What is wrong, for people.
pub(super) type Verdict = Result<(), String>;

/// Plans of up to so many clients.
pub(super) fn plans(random: &mut Random, clients: usize, steps: usize) -> Plans<String, u64> {
    one_of(random, strategies::plans(clients, steps))
}

/// Plans of so many clients that are all after one key, or two: whatever there is to do, or mostly compare-and-swap.
pub(super) fn hot_plans(random: &mut Random, clients: usize, steps: usize) -> Plans<String, u64> {
    let hot: &[&str] = if random.one_in(2) { &["a"] } else { &["a", "a/"] };
    let keys = select(hot.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
    let step = if random.one_in(2) {
        strategies::steps(keys.clone(), strategies::ranges(keys), strategies::values()).boxed()
    } else {
        swaps(keys).boxed()
    };
    one_of(random, vec(vec(step, steps), clients).prop_map(Plans::from))
}

/// What one does who compares and swaps. Keys go as often as they come: one that is there is not created.
fn swaps(
    keys: impl Strategy<Value = String> + Clone + 'static,
) -> impl Strategy<Value = Planned<String, u64>> {
    let expect = prop_oneof![4 => Just(Expect::Seen), 1 => Just(Expect::Absent)];
    let put = (keys.clone(), strategies::values(), expect.clone());
    let delete = (keys.clone(), expect);
    prop_oneof![
        2 => keys.prop_map(Planned::Get),
        4 => put.prop_map(|(key, value, expect)| Planned::Put { key, value, expect }),
        2 => delete.prop_map(|(key, expect)| Planned::Delete { key, expect }),
    ]
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
