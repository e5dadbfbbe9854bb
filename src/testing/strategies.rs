//! Strategies of [proptest] that make up what clients of a store do: keys that collide, values, ranges, plans.
//!
//! ```
//! use ifmatch::Store;
//! use ifmatch::testing::{StoreModel, check, strategies};
//! use proptest::prelude::*;
//!
//! proptest! {
//!     # #![proptest_config(ProptestConfig::with_cases(16))]
//!     # /*
//!     #[test]
//!     # */
//!     fn what_racing_threads_are_told_is_linearizable(plans in strategies::plans(3, 20)) {
//!         let store: Store<String, u64> = Store::new();
//!         let history = plans.run(&store);
//!         check(&StoreModel::new(), &history)?;
//!     }
//! }
//! # what_racing_threads_are_told_is_linearizable();
//! ```
//!
//! How threads take turns is not repeatable, and so a failure may be gone when the same plan is run again: proptest then
//! shrinks less than it could. The history that was found to be wrong is shrunk by the [checker](super::check()) all the same.

use std::fmt::Debug;
use std::hash::Hash;
use std::ops::Bound;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;
use proptest::strategy::Union;

use super::plan::{Expect, Planned, PlannedRequirement, PlannedTxn, Plans};
use crate::range::{AsPrefix, KeyRange};

/// Few keys, that share prefixes, so that clients meet: the empty one, and some that come right after each other.
pub fn keys() -> impl Strategy<Value = String> + Clone {
    let keys = ["a", "a/", "a/b", "b", "", "a/\u{10FFFF}", "a0"];
    proptest::sample::select(keys.map(str::to_owned).to_vec())
}

/// Few keys of bytes, at the edges of prefixes: the empty one, and some of `0xFF`, after which no prefix comes.
pub fn byte_keys() -> impl Strategy<Value = Vec<u8>> + Clone {
    let keys: [&[u8]; 8] = [b"a", b"", b"\0", b"a\0", b"a\xFF", b"b", b"\xFF", b"\xFF\xFF"];
    proptest::sample::select(keys.map(<[u8]>::to_vec).to_vec())
}

/// Numbers of which none is likely to be there twice, so that it is seen which write a read saw.
pub fn values() -> impl Strategy<Value = u64> + Clone {
    0..1_000_000_u64
}

/// Ranges of these keys: with every kind of bounds, of one key, of all, and some that hold none.
pub fn ranges<K>(
    keys: impl Strategy<Value = K> + Clone,
) -> impl Strategy<Value = KeyRange<K>> + Clone
where
    K: Clone + Debug,
{
    let bound = |keys| {
        prop_oneof![
            Just(Bound::Unbounded),
            Strategy::prop_map(keys, |(key, is_included)| {
                if is_included { Bound::Included(key) } else { Bound::Excluded(key) }
            }),
        ]
    };
    let one = keys.clone().prop_map(KeyRange::only);
    let keys = (keys, proptest::bool::ANY);
    let bounds = (bound(keys.clone()), bound(keys));
    prop_oneof![one, bounds.prop_map(|(start, end)| KeyRange::new(start, end))]
}

/// All keys that start as one of these keys does.
pub fn prefixes<K, Q>(
    prefixes: impl Strategy<Value = Q> + Clone,
) -> impl Strategy<Value = KeyRange<K>> + Clone
where
    Q: AsPrefix<K> + Debug,
    K: Debug,
{
    prefixes.prop_map(AsPrefix::into_range)
}

/// What is expected of a key; mostly what was seen last, as optimistic locking does.
pub fn expectations() -> impl Strategy<Value = Expect> + Clone {
    prop_oneof![
        2 => Just(Expect::Any),
        4 => Just(Expect::Seen),
        1 => Just(Expect::Absent),
        1 => Just(Expect::Present),
        1 => Just(Expect::Stale),
        1 => Just(Expect::Future),
    ]
}

/// A step of a client over these keys, ranges and values.
pub fn steps<K, V>(
    keys: impl Strategy<Value = K> + Clone + 'static,
    ranges: impl Strategy<Value = KeyRange<K>> + Clone + 'static,
    values: impl Strategy<Value = V> + Clone + 'static,
) -> impl Strategy<Value = Planned<K, V>> + Clone
where
    K: Clone + Debug + Ord + 'static,
    V: Clone + Debug + 'static,
{
    let put = (keys.clone(), values.clone(), expectations());
    let put = put.prop_map(|(key, value, expect)| Planned::Put { key, value, expect });
    let delete = (keys.clone(), expectations());
    let delete = delete.prop_map(|(key, expect)| Planned::Delete { key, expect });
    let update = (keys.clone(), values.clone());
    let update = update.prop_map(|(key, value)| Planned::Update { key, value });
    let transact = (vec(ranges.clone(), 0..3), changes(keys.clone(), values.clone()));
    let transact = transact.prop_map(|(reads, changes)| Planned::Transact { reads, changes });
    let submit_put = (keys.clone(), values.clone(), expectations());
    let submit_put =
        submit_put.prop_map(|(key, value, expect)| Planned::SubmitPut { key, value, expect });
    let submit_delete = (keys.clone(), expectations());
    let submit_delete =
        submit_delete.prop_map(|(key, expect)| Planned::SubmitDelete { key, expect });
    let txn = txns(keys.clone(), ranges.clone(), values);
    prop_oneof![
        6 => keys.clone().prop_map(Planned::Get),
        1 => keys.prop_map(Planned::Contains),
        10 => put,
        4 => delete,
        2 => update,
        6 => txn.clone().prop_map(Planned::Commit),
        2 => txn.prop_map(Planned::Submit),
        1 => submit_put,
        1 => submit_delete,
        4 => transact,
        3 => ranges.clone().prop_map(Planned::Scan),
        2 => ranges.prop_map(Planned::Snapshot),
        1 => Just(Planned::Len),
        2 => Just(Planned::Revision),
    ]
}

/// Transactions.
pub fn txns<K, V>(
    keys: impl Strategy<Value = K> + Clone + 'static,
    ranges: impl Strategy<Value = KeyRange<K>> + Clone + 'static,
    values: impl Strategy<Value = V> + Clone + 'static,
) -> impl Strategy<Value = PlannedTxn<K, V>> + Clone
where
    K: Clone + Debug + Ord + 'static,
    V: Clone + Debug + 'static,
{
    let of_key = (keys.clone(), expectations());
    let requirement = prop_oneof![
        3 => of_key.prop_map(|(key, expect)| PlannedRequirement::Key(key, expect)),
        1 => ranges.clone().prop_map(PlannedRequirement::NoneIn),
        1 => ranges.prop_map(PlannedRequirement::UnchangedIn),
    ];
    (vec(requirement, 0..3), changes(keys, values))
        .prop_map(|(requirements, changes)| PlannedTxn { requirements, changes })
}

/// Puts and deletes of up to three keys.
fn changes<K, V>(
    keys: impl Strategy<Value = K> + Clone + 'static,
    values: impl Strategy<Value = V> + Clone + 'static,
) -> impl Strategy<Value = Vec<(K, Option<V>)>> + Clone
where
    K: Clone + Debug + Ord,
    V: Clone + Debug,
{
    btree_map(keys, option::weighted(0.75, values), 0..4)
        .prop_map(|changes| changes.into_iter().collect())
}

/// Plans of up to `clients` clients, of up to `steps` steps each, over strings and numbers.
///
/// They shrink to fewer clients, fewer steps and plainer ones.
///
/// # Panics
/// If `clients` is 0.
pub fn plans(clients: usize, steps: usize) -> impl Strategy<Value = Plans<String, u64>> + Clone {
    let ranges = Union::new([ranges(keys()).boxed(), prefixes(keys()).boxed()]);
    plans_of(keys(), ranges, values(), clients, steps)
}

/// Plans over keys, ranges and values of your own; as [`plans`].
///
/// # Panics
/// If `clients` is 0.
pub fn plans_of<K, V>(
    keys: impl Strategy<Value = K> + Clone + 'static,
    ranges: impl Strategy<Value = KeyRange<K>> + Clone + 'static,
    values: impl Strategy<Value = V> + Clone + 'static,
    clients: usize,
    steps: usize,
) -> impl Strategy<Value = Plans<K, V>> + Clone
where
    K: Clone + Debug + Ord + Hash + 'static,
    V: Clone + Debug + 'static,
{
    assert!(clients > 0, "somebody has to do something");
    let step = self::steps(keys, ranges, values);
    vec(vec(step, 0..=steps), 1..=clients).prop_map(Plans::from)
}
