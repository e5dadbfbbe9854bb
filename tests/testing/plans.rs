//! Plans that strategies make up, played on stores and backends.

use ifmatch::Store;
use ifmatch::testing::{History, StoreModel, StoreOperation, StoreOutcome, check, strategies};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::common::block_on;

fn config() -> ProptestConfig {
    ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_threads_are_told_is_linearizable(plans in strategies::plans(4, 30)) {
        let store: Store<String, u64> = Store::new();
        check(&StoreModel::new(), &plans.run(&store)).unwrap();
    }

    #[test]
    fn what_a_backend_tells_is_linearizable(plans in strategies::plans(3, 20)) {
        let store: Store<String, u64> = Store::new();
        check(&StoreModel::new(), &block_on(plans.run_on(&store))).unwrap();
    }

    #[test]
    fn keys_of_bytes_have_edges(
        plans in strategies::plans_of(
            strategies::byte_keys(),
            prop_oneof![
                strategies::ranges(strategies::byte_keys()),
                strategies::prefixes(strategies::byte_keys()),
            ],
            strategies::values(),
            3,
            20,
        )
    ) {
        let store: Store<Vec<u8>, u64> = Store::new();
        check(&StoreModel::new(), &plans.run(&store)).unwrap();
    }
}

/// How many calls began during another client's, in percent.
fn overlapping(history: &History<StoreOperation<String, u64>, StoreOutcome<String, u64>>) -> usize {
    let mut calls: Vec<_> = history.calls().iter().collect();
    calls.sort_by_key(|call| call.called);
    let (mut latest, mut count) = (0, 0);
    for call in &calls {
        count += usize::from(call.called < latest);
        latest = latest.max(call.returned.unwrap_or(u64::MAX));
    }
    100 * count / calls.len().max(1)
}

#[test]
#[ignore = "it is for a look at how much they race, which is the machine's"]
fn threads_race() {
    let plans = sample(&strategies::plans(4, 30));
    let shares = plans.iter().map(|plans| overlapping(&plans.run(&Store::new())));
    let shares: Vec<_> = shares.collect();
    println!("{} % on average of {shares:?}", shares.iter().sum::<usize>() / shares.len());
}

/// A few of what a strategy makes up.
fn sample<S: Strategy>(strategy: &S) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..100).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}
