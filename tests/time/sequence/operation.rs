//! What a run may do, and how likely it does it.

use std::ops::Bound;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::model::Value;
use crate::span::Span;

/// Keys that share prefixes, and that lie where the end of a prefix is hard to say: after the largest character, and
/// around the hole that UTF-16's surrogates leave.
pub(super) const KEYS: [&str; 12] = [
    "",
    "a",
    "a/",
    "a/x",
    "a/y",
    "a0",
    "b",
    "a\u{d7ff}",
    "a\u{d7ff}z",
    "a\u{e000}",
    "\u{10ffff}",
    "\u{10ffff}\u{10ffff}",
];

const PREFIXES: [&str; 8] =
    ["", "a", "a/", "a/x", "a\u{d7ff}", "\u{10ffff}", "a\u{10ffff}", "nothing"];

pub(super) type Key = &'static str;

/// A put, or without a value a delete.
pub(super) type Write = (Key, Option<Value>);

/// What a write expects of its key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expectation {
    Any,
    Absent,
    Present,
    /// What is true.
    Current,
    /// Some revision up to now.
    Past(Index),
    Future,
}

/// A revision to ask for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    Now,
    Ago(u64),
    Past(Index),
    /// Where a watch can still begin, and one before.
    WindowStart,
    BeforeWindow,
    /// The oldest for `snapshot_at`, and one before.
    Oldest,
    BeforeOldest,
    Future(u64),
}

#[derive(Clone, Debug)]
pub(super) enum Wish {
    Key(Key, Expectation),
    NoneIn(Span),
    UnchangedIn(Span, Moment),
}

/// How a transaction is committed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Commit,
    Wait,
    Await,
}

#[derive(Clone, Debug)]
pub(super) struct Closure {
    pub(super) reads: Vec<Span>,
    pub(super) writes: Vec<Write>,
    /// What somebody else writes while it first runs.
    pub(super) interference: Option<Write>,
    /// Whether it gives up in the end.
    pub(super) aborts: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create(Key, Value),
    PutIf(Key, Value, Expectation),
    DeleteIf(Key, Expectation),
    Update(Key, Value),
    GetOrCreate(Key, Value),
    Commit(Vec<Wish>, Vec<Write>, Way),
    Transact(Closure),
    /// So many writes of few keys, which make the window move.
    Flood(u64),
    Snapshot,
    CloneSnapshot(Index),
    SnapshotAt(Moment),
    ReadSnapshot(Index, Span),
    DropSnapshot(Index),
    /// A scan of the store, or of a snapshot.
    Scan(Option<Index>, Span),
    /// Some steps of a scan: from the back where true.
    Step(Index, Vec<bool>),
    /// Goes on from the cursor of a scan.
    Page(Index),
    DropScan(Index),
    GetAt(Key, Moment),
    History(Key),
    Watch(Vec<Span>, Option<Moment>, bool),
    Receive(Index, usize),
    Cancel(Index),
    DropWatch(Index),
    Sync,
    Reopen,
}

/// How a store is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) history: usize,
    pub(super) commits: u64,
    pub(super) max_deleted: usize,
    pub(super) window: usize,
    pub(super) shards: usize,
}

pub(super) fn settings() -> impl Strategy<Value = Settings> {
    let history = prop_oneof![4 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(1_000)];
    let commits = prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(7), 1 => Just(1_000)];
    let max_deleted =
        prop_oneof![1 => Just(0_usize), 1 => Just(1), 1 => Just(3), 2 => Just(65_536)];
    let window = prop_oneof![2 => Just(0_usize), 1 => Just(100), 1 => Just(4_096)];
    let shards = prop_oneof![1 => Just(1_usize), 1 => Just(4)];
    (history, commits, max_deleted, window, shards).prop_map(
        |(history, commits, max_deleted, window, shards)| Settings {
            history,
            commits,
            max_deleted,
            window,
            shards,
        },
    )
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![3 => 0..6_usize, 1 => 0..KEYS.len()].prop_map(|index| KEYS[index])
}

fn span() -> impl Strategy<Value = Span> {
    let bound = || {
        prop_oneof![
            1 => Just(Bound::Unbounded),
            2 => key().prop_map(|key| Bound::Included(key.to_owned())),
            2 => key().prop_map(|key| Bound::Excluded(key.to_owned())),
        ]
    };
    prop_oneof![
        1 => Just(Span::All),
        1 => key().prop_map(|key| Span::Only(key.to_owned())),
        3 => (0..PREFIXES.len()).prop_map(|index| Span::Prefix(PREFIXES[index].to_owned())),
        2 => (bound(), bound()).prop_map(|(start, end)| Span::Range(start, end)),
    ]
}

fn expectation() -> impl Strategy<Value = Expectation> {
    prop_oneof![
        1 => Just(Expectation::Any),
        1 => Just(Expectation::Absent),
        1 => Just(Expectation::Present),
        4 => Just(Expectation::Current),
        1 => any::<Index>().prop_map(Expectation::Past),
        1 => Just(Expectation::Future),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        2 => Just(Moment::Now),
        4 => (1..8_u64).prop_map(Moment::Ago),
        2 => any::<Index>().prop_map(Moment::Past),
        1 => Just(Moment::WindowStart),
        1 => Just(Moment::BeforeWindow),
        1 => Just(Moment::Oldest),
        1 => Just(Moment::BeforeOldest),
        1 => (1..3_u64).prop_map(Moment::Future),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    (key(), prop_oneof![2 => any::<Value>().prop_map(Some), 1 => Just(None)])
}

fn wish() -> impl Strategy<Value = Wish> {
    // A moment at which nothing under the span need have changed, so that it often holds.
    let unchanged = prop_oneof![3 => Just(Moment::Now), 2 => moment()];
    prop_oneof![
        3 => (key(), expectation()).prop_map(|(key, expectation)| Wish::Key(key, expectation)),
        1 => span().prop_map(Wish::NoneIn),
        1 => (span(), unchanged).prop_map(|(span, moment)| Wish::UnchangedIn(span, moment)),
    ]
}

fn closure() -> impl Strategy<Value = Closure> {
    (
        prop::collection::vec(span(), 0..4),
        prop::collection::vec(write(), 0..4),
        prop::option::of(write()),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(reads, writes, interference, aborts)| Closure {
            reads,
            writes,
            interference,
            aborts,
        })
}

fn writing() -> impl Strategy<Value = Operation> {
    let way = prop_oneof![Just(Way::Commit), Just(Way::Wait), Just(Way::Await)];
    let wishes = prop::collection::vec(wish(), 0..4);
    let writes = prop::collection::vec(write(), 0..5);
    prop_oneof![
        2 => (key(), any::<Value>()).prop_map(|(key, value)| Operation::Create(key, value)),
        4 => (key(), any::<Value>(), expectation())
            .prop_map(|(key, value, expectation)| Operation::PutIf(key, value, expectation)),
        3 => (key(), expectation())
            .prop_map(|(key, expectation)| Operation::DeleteIf(key, expectation)),
        1 => (key(), any::<Value>()).prop_map(|(key, value)| Operation::Update(key, value)),
        1 => (key(), any::<Value>()).prop_map(|(key, value)| Operation::GetOrCreate(key, value)),
        8 => (wishes, writes, way)
            .prop_map(|(wishes, writes, way)| Operation::Commit(wishes, writes, way)),
        4 => closure().prop_map(Operation::Transact),
        1 => (1..90_u64).prop_map(Operation::Flood),
    ]
}

fn reading() -> impl Strategy<Value = Operation> {
    let steps = prop::collection::vec(any::<bool>(), 0..6);
    prop_oneof![
        4 => Just(Operation::Snapshot),
        1 => any::<Index>().prop_map(Operation::CloneSnapshot),
        3 => moment().prop_map(Operation::SnapshotAt),
        4 => (any::<Index>(), span())
            .prop_map(|(index, span)| Operation::ReadSnapshot(index, span)),
        3 => any::<Index>().prop_map(Operation::DropSnapshot),
        3 => (prop::option::of(any::<Index>()), span())
            .prop_map(|(index, span)| Operation::Scan(index, span)),
        4 => (any::<Index>(), steps).prop_map(|(index, steps)| Operation::Step(index, steps)),
        2 => any::<Index>().prop_map(Operation::Page),
        2 => any::<Index>().prop_map(Operation::DropScan),
        4 => (key(), moment()).prop_map(|(key, moment)| Operation::GetAt(key, moment)),
        3 => key().prop_map(Operation::History),
    ]
}

fn watching() -> impl Strategy<Value = Operation> {
    let spans = prop::collection::vec(span(), 0..3);
    prop_oneof![
        4 => (spans, prop::option::of(moment()), any::<bool>())
            .prop_map(|(spans, since, previous)| Operation::Watch(spans, since, previous)),
        6 => (any::<Index>(), 1..8_usize)
            .prop_map(|(index, count)| Operation::Receive(index, count)),
        1 => any::<Index>().prop_map(Operation::Cancel),
        1 => any::<Index>().prop_map(Operation::DropWatch),
    ]
}

pub(super) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        48 => writing(),
        30 => reading(),
        20 => watching(),
        1 => Just(Operation::Sync),
        1 => Just(Operation::Reopen),
    ];
    prop::collection::vec(operation, 1..200)
}
