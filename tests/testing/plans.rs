//! Plans that strategies make up, played on stores and backends.

use ifmatch::Store;
use ifmatch::testing::{StoreModel, check, strategies};
use proptest::prelude::*;

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
