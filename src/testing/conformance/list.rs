//! The one list of the cases, from which both the suite and the tests of its users are made.

use super::failure::Verdict;
use super::space::Space;
use super::{
    Harness, handles, pages, past, preconditions, races, ranges, revisions, snapshots,
    transactions, watches,
};

/// Calls the macro `$callback` with its arguments, and with kind, module and name of each case.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ([$($callback:tt)+] $arguments:tt) => {
        $($callback)+! {
            $arguments
            (alone revisions revisions_grow_with_every_commit)
            (alone revisions a_revision_is_never_used_again)
            (alone revisions an_entry_knows_its_creation_and_its_writes)
            (alone revisions a_delete_of_nothing_takes_no_revision)
            (alone preconditions a_write_takes_place_exactly_if_its_precondition_holds)
            (alone preconditions a_conflict_carries_what_is_there)
            (alone preconditions a_dead_revision_is_a_conflict_with_nothing_there)
            (alone transactions a_transaction_has_one_revision)
            (alone transactions a_failed_transaction_changes_nothing)
            (alone transactions every_failing_precondition_is_told)
            (alone transactions a_transaction_writes_no_key_twice)
            (alone transactions a_transaction_without_writes_takes_no_revision)
            (alone transactions preconditions_are_about_the_state_before)
            (alone transactions a_transaction_of_too_many_operations_is_refused)
            (alone ranges an_empty_range_is_required_of_all_its_keys)
            (alone ranges an_unchanged_range_notices_creations_changes_and_deletes)
            (alone ranges conditions_on_ranges_keep_to_both_bounds)
            (alone ranges an_unchanged_range_since_the_future_never_passes)
            (alone ranges an_unchanged_range_since_long_ago_never_passes_unseen)
            (alone pages keys_of_all_bytes_are_kept_in_the_order_of_bytes)
            (alone pages pages_go_on_where_they_stopped)
            (alone pages pages_keep_to_both_bounds)
            (alone pages a_value_may_be_empty_or_large)
            (alone snapshots what_was_written_is_read)
            (alone snapshots a_snapshot_does_not_see_later_writes)
            (alone snapshots a_page_goes_on_in_its_snapshot_whatever_is_written)
            (alone past the_past_is_told_as_it_was_or_not_at_all)
            (alone past the_future_is_not_told)
            (alone past a_history_is_in_order_and_whole_since_where_it_says)
            (alone watches a_watch_from_now_tells_what_comes)
            (alone watches a_watch_goes_on_after_a_snapshot_without_a_gap)
            (alone watches a_watch_begins_right_after_since)
            (alone watches a_watch_never_splits_a_transaction)
            (alone watches a_watch_tells_its_range_only)
            (alone watches a_watch_keeps_to_both_bounds)
            (alone watches a_position_passes_what_is_of_no_concern)
            (alone watches a_watch_is_resumed_at_its_position)
            (alone watches a_watch_of_the_future_is_refused)
            (alone watches a_slow_watch_misses_nothing_unsaid)
            (alone handles clones_are_handles_of_one_store)
            (alone handles what_is_not_supported_is_refused)
            (alone handles a_future_that_is_given_up_leaves_the_store_whole)
            (racing races a_race_of_compare_and_swap_loses_no_write)
            (racing races one_of_many_creations_wins)
            (racing races transactions_in_a_race_keep_the_total_in_every_snapshot)
            (racing races an_empty_range_has_no_phantoms)
            (racing races a_watch_tells_every_write_of_a_race_once_and_in_order)
        }
    };
}

/// A test for each case of [`conformance`](crate::testing::conformance), in a module of the name that is given first. The
/// second is a [`Harness`], a closure for example, that is made anew for each.
///
/// ```
/// use ifmatch::Store;
/// use ifmatch::testing::conformance::Space;
///
/// ifmatch::backend_conformance!(store_in_memory, || Space::new(Store::new()));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! backend_conformance {
    ($module:ident, $harness:expr) => {
        $crate::__conformance_cases! { [$crate::__conformance_tests] ($module, $harness) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    (($module:ident, $harness:expr) $(($kind:ident $file:ident $name:ident))+) => {
        mod $module {
            #[allow(unused_imports, reason = "what the harness is made of may be named there")]
            use super::*;

            /// Written once, so that it is one type: the suite is compiled for each.
            fn harness() -> impl $crate::testing::conformance::Harness {
                $harness
            }

            $(
                #[test]
                fn $name() -> Result<(), $crate::testing::conformance::Failure> {
                    $crate::testing::conformance::check(stringify!($name), harness())
                }
            )+
        }
    };
}

/// A case for any harness.
pub(super) type Case<H> = fn(&H, Space<<H as Harness>::Backend>) -> Verdict;

macro_rules! list {
    (() $(($kind:ident $file:ident $name:ident))+) => {
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),+];

        pub(super) fn case<H: Harness>(name: &str) -> Option<Case<H>> {
            let case: Case<H> = match name {
                $(stringify!($name) => list!(@$kind $file $name),)+
                _ => return None,
            };
            Some(case)
        }
    };
    (@alone $file:ident $name:ident) => {
        |harness, space| harness.block_on($file::$name(space))
    };
    (@racing $file:ident $name:ident) => {
        |harness, space| $file::$name(harness, &space)
    };
}

__conformance_cases! { [list] () }
