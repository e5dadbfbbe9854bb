//! What can be wrong with a backend, each of it seen somewhere or easily made.

use std::ops::Bound::{Excluded, Included};

use bytes::Bytes;
use ifmatch::KeyRange;

/// One thing that the toy does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    RevisionIsUsedAgainAfterDelete,
    DeleteOfNothingTakesARevision,
    EmptyTransactionTakesARevision,
    CreationIsForgotten,
    CountSurvivesDelete,
    ConflictIsWithoutCurrent,
    ConflictIsWithoutRejected,
    ConflictThoughWritten,
    DeadRevisionIsAccepted,
    FailedTransactionIsHalfApplied,
    PreconditionsAfterTheFirstAreSkipped,
    FirstConflictOnly,
    PreconditionsSeeTheWrites,
    DuplicateIsAccepted,
    TooManyOperationsAreAccepted,
    BlockersAreCountedToSixteen,
    EmptyRangeIsOneTooShort,
    EmptyRangeExcludesItsEnd,
    EmptyRangeIncludesItsStart,
    UnchangedMissesDeletes,
    UnchangedExcludesItsEnd,
    UnchangedIncludesItsStart,
    UnchangedSinceTheFuturePasses,
    UnchangedSinceTheForgottenPasses,
    UnsupportedConditionIsIgnored,
    PageIsOneTooLong,
    PageLosesTheNextKey,
    PageSaysMoreAtTheEnd,
    PageIncludesTheEnd,
    LimitZeroMeansAll,
    ShorterKeysComeFirst,
    EmptyValueIsADelete,
    SnapshotGetSeesLaterWrites,
    SnapshotPageSeesLaterWrites,
    ReadIsStale,
    PastIsThePresent,
    PastEntryIsOnlyWhereItWasWritten,
    PastSnapshotIsWhatWasWrittenThen,
    FutureIsThePresent,
    HistoryIsBackwards,
    WatchLosesTheFirst,
    WatchTellsSinceAgain,
    WatchSplitsTransactions,
    WatchIgnoresItsRange,
    WatchExcludesItsEnd,
    WatchIncludesItsStart,
    WatchOfNothingTellsAll,
    WatchForgetsDeletes,
    WatchOfTheFutureIsNow,
    WatchLagsInSilence,
    PositionRunsAhead,
    PositionIsTheNewestAtFirst,
    PositionStands,
    SuccessThoughUnknown,
    PreconditionIsCheckedBefore,
    TransactionIsVisibleInHalves,
    FutureLeavesHalf,
    IdentityIsOfTheHandle,
}

/// A range, as who reads a bound wrongly takes it.
pub(super) fn misread(
    range: &KeyRange<Bytes>,
    excludes_end: bool,
    includes_start: bool,
) -> KeyRange<Bytes> {
    let start = match range.start().cloned() {
        Excluded(start) if includes_start => Included(start),
        start => start,
    };
    let end = match range.end().cloned() {
        Included(end) if excludes_end => Excluded(end),
        end => end,
    };
    KeyRange::new(start, end)
}
