//! Each bug of the toy is found, and by the case that is about it.

use std::time::Duration;

use ifmatch::testing::conformance::{self, Harness, Space};

use crate::SMALL_WINDOW;
use crate::toy::{Bug, Lacks, Toy};

struct Broken(Bug);

impl Harness for Broken {
    type Backend = Toy;

    async fn space(&self) -> Space<Toy> {
        let toy = match self.0 {
            Bug::UnsupportedConditionIsIgnored => Toy::new().lacking(Lacks::Everything),
            Bug::UnchangedSinceTheForgottenPasses | Bug::WatchLagsInSilence => {
                Toy::new().keeping(SMALL_WINDOW)
            }
            _ => Toy::new(),
        };
        Space::new(toy.with(self.0))
    }

    /// Some wait in vain.
    fn patience(&self) -> Duration {
        Duration::from_secs(2)
    }
}

macro_rules! finds {
    ($($case:ident: $($bug:ident),+;)+) => {
        $(
            #[test]
            fn $case() {
                $(finds(stringify!($case), Bug::$bug);)+
            }
        )+
    };
}

/// It fails the case named.
fn finds(case: &str, bug: Bug) {
    match conformance::check(case, Broken(bug)) {
        Ok(()) => panic!("{case} does not find {bug:?}"),
        Err(failure) => println!("{bug:?}: {failure}"),
    }
}

finds! {
    revisions_grow_with_every_commit: RevisionIsUsedAgainAfterDelete;
    a_revision_is_never_used_again: RevisionIsUsedAgainAfterDelete, DeadRevisionIsAccepted;
    an_entry_knows_its_creation_and_its_writes: CreationIsForgotten, CountSurvivesDelete;
    a_delete_of_nothing_takes_no_revision: DeleteOfNothingTakesARevision;
    a_write_takes_place_exactly_if_its_precondition_holds:
        ConflictThoughWritten, DeadRevisionIsAccepted, ConflictIsWithoutCurrent;
    a_conflict_carries_what_is_there:
        ConflictIsWithoutCurrent, ConflictIsWithoutRejected, ConflictThoughWritten;
    a_dead_revision_is_a_conflict_with_nothing_there: DeadRevisionIsAccepted;
    a_transaction_has_one_revision: TransactionIsVisibleInHalves;
    a_failed_transaction_changes_nothing:
        FailedTransactionIsHalfApplied, PreconditionsAfterTheFirstAreSkipped;
    every_failing_precondition_is_told: FirstConflictOnly, PreconditionsAfterTheFirstAreSkipped;
    a_transaction_writes_no_key_twice: DuplicateIsAccepted;
    a_transaction_without_writes_takes_no_revision: EmptyTransactionTakesARevision;
    preconditions_are_about_the_state_before: PreconditionsSeeTheWrites;
    a_transaction_of_too_many_operations_is_refused: TooManyOperationsAreAccepted;
    an_empty_range_is_required_of_all_its_keys: BlockersAreCountedToSixteen, EmptyRangeIsOneTooShort;
    an_unchanged_range_notices_creations_changes_and_deletes: UnchangedMissesDeletes;
    conditions_on_ranges_keep_to_both_bounds:
        EmptyRangeExcludesItsEnd, EmptyRangeIncludesItsStart, UnchangedExcludesItsEnd,
        UnchangedIncludesItsStart;
    an_unchanged_range_since_the_future_never_passes: UnchangedSinceTheFuturePasses;
    an_unchanged_range_since_long_ago_never_passes_unseen: UnchangedSinceTheForgottenPasses;
    keys_of_all_bytes_are_kept_in_the_order_of_bytes: ShorterKeysComeFirst, PageLosesTheNextKey;
    pages_go_on_where_they_stopped:
        PageIsOneTooLong, PageLosesTheNextKey, PageSaysMoreAtTheEnd, LimitZeroMeansAll;
    pages_keep_to_both_bounds: PageIncludesTheEnd;
    a_value_may_be_empty_or_large: EmptyValueIsADelete;
    what_was_written_is_read: ReadIsStale, SuccessThoughUnknown;
    a_snapshot_does_not_see_later_writes: SnapshotGetSeesLaterWrites, SnapshotPageSeesLaterWrites;
    a_page_goes_on_in_its_snapshot_whatever_is_written: SnapshotPageSeesLaterWrites;
    the_past_is_told_as_it_was_or_not_at_all:
        PastIsThePresent, PastEntryIsOnlyWhereItWasWritten, PastSnapshotIsWhatWasWrittenThen;
    the_future_is_not_told: FutureIsThePresent;
    a_history_is_in_order_and_whole_since_where_it_says: HistoryIsBackwards;
    a_watch_from_now_tells_what_comes:
        WatchLosesTheFirst, WatchTellsSinceAgain, WatchForgetsDeletes, WatchSplitsTransactions;
    a_watch_goes_on_after_a_snapshot_without_a_gap: WatchLosesTheFirst, WatchForgetsDeletes;
    a_watch_begins_right_after_since:
        WatchLosesTheFirst, WatchTellsSinceAgain, PositionIsTheNewestAtFirst;
    a_watch_never_splits_a_transaction: WatchSplitsTransactions;
    a_watch_tells_its_range_only: WatchIgnoresItsRange, PositionRunsAhead;
    a_watch_keeps_to_both_bounds:
        WatchExcludesItsEnd, WatchIncludesItsStart, WatchOfNothingTellsAll, WatchIgnoresItsRange;
    a_position_passes_what_is_of_no_concern: PositionStands, WatchIgnoresItsRange;
    a_watch_is_resumed_at_its_position: PositionRunsAhead, WatchTellsSinceAgain;
    a_watch_of_the_future_is_refused: WatchOfTheFutureIsNow;
    a_slow_watch_misses_nothing_unsaid: WatchLagsInSilence;
    clones_are_handles_of_one_store: IdentityIsOfTheHandle;
    what_is_not_supported_is_refused: UnsupportedConditionIsIgnored;
    a_future_that_is_given_up_leaves_the_store_whole: FutureLeavesHalf;
    a_race_of_compare_and_swap_loses_no_write: PreconditionIsCheckedBefore, SuccessThoughUnknown;
    one_of_many_creations_wins: PreconditionIsCheckedBefore;
    transactions_in_a_race_keep_the_total_in_every_snapshot: TransactionIsVisibleInHalves;
    an_empty_range_has_no_phantoms: EmptyRangeIsOneTooShort;
    a_watch_tells_every_write_of_a_race_once_and_in_order: WatchLosesTheFirst, WatchTellsSinceAgain;
}

/// No case is without a bug that it finds.
#[test]
fn each_case_bites() {
    let source = include_str!("teeth.rs");
    for name in conformance::names() {
        assert!(source.contains(&format!("    {name}:")), "{name} was not seen to fail");
    }
}
