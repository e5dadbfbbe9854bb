//! A watch tells every commit that concerns it: each once, in order, whole; or says that it cannot.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Waker};

use bytes::Bytes;
use futures_core::Stream;

use crate::backend::{Backend, BackendSnapshot, BackendWatch};
use crate::capability::Capability;
use crate::event::{Commit, Event, WatchError};
use crate::revision::Revision;
use crate::txn::Txn;

use super::failure::{Failure, Verdict, ensure, ensure_eq, refused, unexpected};
use super::space::{Entry, Space};

type Told = Commit<Bytes, Bytes>;

/// What a change made of a key.
pub(super) type Change = (Bytes, Option<Entry>);

/// The changes of one commit, by key.
pub(super) type Expected = (Revision, Vec<Change>);

/// The next item; waits for it.
pub(super) async fn next<W: BackendWatch>(watch: &mut W) -> Option<Result<Told, WatchError>> {
    poll_fn(|context| Pin::new(&mut *watch).poll_next(context)).await
}

/// Whether there is a next item already.
fn has_next<W: BackendWatch>(watch: &mut W) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    Pin::new(watch).poll_next(&mut context).is_ready()
}

/// The next commit, which must come.
async fn commit<W: BackendWatch>(watch: &mut W) -> Verdict<Told> {
    match next(watch).await {
        Some(told) => Ok(told?),
        None => Err(Failure::new("the watch ended")),
    }
}

pub(super) fn changes(told: &Told) -> Vec<Change> {
    let change = |event: &Event<Bytes, Bytes>| (event.key().clone(), event.entry().cloned());
    let mut changes: Vec<Change> = told.events().iter().map(change).collect();
    changes.sort_by(|one, other| one.0.cmp(&other.0));
    changes
}

/// The next commits are exactly these.
async fn expect<W: BackendWatch>(watch: &mut W, expected: &[Expected]) -> Verdict {
    for (index, (revision, change)) in expected.iter().enumerate() {
        ensure(watch.position() < *revision, "the position is before what was not yet told")?;
        let told = commit(watch).await?;
        ensure_eq(&format!("the revision of commit {index}"), told.revision(), *revision)?;
        ensure_eq(&format!("the changes at {revision}"), &changes(&told), change)?;
        for event in told.events() {
            ensure_eq("the revision of a change", event.revision(), *revision)?;
        }
        ensure(watch.position() >= *revision, "the position is at what was told")?;
    }
    Ok(())
}

/// A new watch tells exactly these, or that it cannot, and then those that are kept.
async fn expect_since<B: Backend>(
    space: &Space<B>,
    since: Revision,
    expected: &[Expected],
) -> Verdict {
    let mut from = since;
    loop {
        match space.backend().watch(space.under(""), Some(from)).await {
            Ok(mut late) => {
                let after = expected.partition_point(|(revision, _)| *revision <= from);
                return expect(&mut late, &expected[after..]).await;
            }
            // Of what others write it may be even less by the time that it is asked for.
            Err(WatchError::Compacted { oldest }) => {
                ensure(oldest > from, "what is kept begins later")?;
                from = oldest;
            }
            Err(other) => return unexpected("watching since long ago", &other),
        }
    }
}

async fn open<B: Backend>(
    space: &Space<B>,
    name: &str,
    since: Option<Revision>,
) -> Verdict<Option<B::Watch>> {
    if !space.backend().supports(Capability::Watch) {
        return Ok(None);
    }
    Ok(Some(space.backend().watch(space.under(name), since).await?))
}

pub(super) async fn put<B: Backend>(
    space: &Space<B>,
    name: &str,
    value: &str,
) -> Verdict<Expected> {
    let written = space.put(name, value).await?;
    let (revision, created) = (written.revision(), written.created_revision());
    let entry = Entry::new(value.to_owned().into(), revision, created, written.write_count());
    Ok((revision, vec![(space.key(name), Some(entry))]))
}

async fn delete<B: Backend>(space: &Space<B>, name: &str) -> Verdict<Expected> {
    Ok((space.remove(name).await?.revision(), vec![(space.key(name), None)]))
}

/// A commit of each kind.
async fn each<B: Backend>(space: &Space<B>) -> Verdict<Vec<Expected>> {
    let mut expected = vec![put(space, "a", "1").await?, put(space, "a", "2").await?];
    expected.push(delete(space, "a").await?);
    expected.push(put(space, "a", "").await?);
    let txn = Txn::new()
        .put(space.key("c"), "3".into())
        .delete(space.key("a"))
        .delete(space.key("never"))
        .put(space.key("b"), "3".into());
    let revision = space.backend().commit(txn).await?;
    let entry = || Some(Entry::new("3".into(), revision, revision, 1));
    let changes =
        vec![(space.key("a"), None), (space.key("b"), entry()), (space.key("c"), entry())];
    expected.push((revision, changes));
    expected.push(put(space, "b", "4").await?);
    Ok(expected)
}

pub(super) async fn a_watch_from_now_tells_what_comes<B: Backend>(space: Space<B>) -> Verdict {
    let before = put(&space, "a", "before").await?.0;
    let _gone = space.remove("a").await?;
    let Some(mut watch) = open(&space, "", None).await? else { return Ok(()) };
    ensure(watch.position() >= before, "it begins now")?;
    let expected = each(&space).await?;
    expect(&mut watch, &expected).await
}

pub(super) async fn a_watch_goes_on_after_a_snapshot_without_a_gap<B: Backend>(
    space: Space<B>,
) -> Verdict {
    for start in 0..3 {
        for name in ["a", "b", "c"] {
            let _gone = space.delete(name).await?;
        }
        for number in 0..start {
            let _before = space.put("b", &number.to_string()).await?;
        }
        let _gone = space.delete("b").await?;
        let snapshot = space.backend().snapshot().await?;
        let expected = each(&space).await?;
        let Some(mut watch) = open(&space, "", Some(snapshot.revision())).await? else {
            return Ok(());
        };
        expect(&mut watch, &expected).await?;
        let more = [put(&space, "c", "5").await?, delete(&space, "c").await?];
        expect(&mut watch, &more).await?;
    }
    Ok(())
}

pub(super) async fn a_watch_begins_right_after_since<B: Backend>(space: Space<B>) -> Verdict {
    let expected = each(&space).await?;
    for (index, (since, _)) in expected.iter().enumerate() {
        let Some(mut watch) = open(&space, "", Some(*since)).await? else { return Ok(()) };
        ensure_eq("the position of a new watch", watch.position() >= *since, true)?;
        expect(&mut watch, &expected[index + 1..]).await?;
    }
    // Since the newest there is nothing yet: the next that comes is told first.
    let newest = expected[expected.len() - 1].0;
    let Some(mut watch) = open(&space, "", Some(newest)).await? else { return Ok(()) };
    let next = [put(&space, "z", "1").await?];
    expect(&mut watch, &next).await
}

pub(super) async fn a_watch_never_splits_a_transaction<B: Backend>(space: Space<B>) -> Verdict {
    let Some(mut now) = open(&space, "", None).await? else { return Ok(()) };
    let since = now.position();
    let mut expected = Vec::new();
    for round in 0..5 {
        let mut txn = Txn::new();
        for number in 0..100 {
            txn = txn.put(space.key(format!("{number:03}")), Bytes::from(round.to_string()));
        }
        let revision = space.backend().commit(txn).await?;
        let created = expected.first().map_or(revision, |(first, _)| *first);
        let entry = || Some(Entry::new(round.to_string().into(), revision, created, round + 1));
        let change = |number| (space.key(format!("{number:03}")), entry());
        expected.push((revision, (0..100).map(change).collect()));
        expect(&mut now, &expected[expected.len() - 1..]).await?;
    }
    expect_since(&space, since, &expected).await
}

pub(super) async fn a_watch_tells_its_range_only<B: Backend>(space: Space<B>) -> Verdict {
    let Some(mut now) = open(&space, "in/", None).await? else { return Ok(()) };
    let since = now.position();
    let mut expected = Vec::new();
    for round in 0..3 {
        for outside in ["in", "in.", "in0", "zz"] {
            let _elsewhere = space.put(outside, "1").await?;
        }
        expected.push(put(&space, "in/a", &round.to_string()).await?);
        let txn = Txn::new()
            .put(space.key("in0"), "2".into())
            .put(space.key(format!("in/b{round}")), "2".into())
            .delete(space.key("in."));
        let revision = space.backend().commit(txn).await?;
        let entry = Entry::new("2".into(), revision, revision, 1);
        expected.push((revision, vec![(space.key(format!("in/b{round}")), Some(entry))]));
        let elsewhere = Txn::new().put(space.key("zz"), "3".into()).delete(space.key("in0"));
        let _elsewhere = space.backend().commit(elsewhere).await?;
    }
    expected.push(delete(&space, "in/a").await?);
    expect(&mut now, &expected).await?;
    if let Some(mut later) = open(&space, "in/", Some(since)).await? {
        expect(&mut later, &expected).await?;
    }
    Ok(())
}

pub(super) async fn a_watch_keeps_to_both_bounds<B: Backend>(space: Space<B>) -> Verdict {
    let since = put(&space, "0", "1").await?.0;
    let mut written = Vec::new();
    // Twice: what is outside of a range comes before something that is in it, if anything is.
    for name in ["a", "b", "d", "e"].repeat(2) {
        written.push(put(&space, name, "1").await?);
    }
    let Some(mut whole) = open(&space, "", Some(since)).await? else { return Ok(()) };
    expect(&mut whole, &written).await?;
    for range in space.ranges(&["b", "c", "d"], &["b", "c", "d"]) {
        let is_in = |(_, changes): &&Expected| range.contains(&changes[0].0);
        let expected: Vec<Expected> = written.iter().filter(is_in).cloned().collect();
        let mut watch = space.backend().watch(range.clone(), Some(since)).await?;
        expect(&mut watch, &expected).await?;
        ensure(!has_next(&mut watch), &format!("nothing more is told of {range:?}"))?;
    }
    Ok(())
}

/// Without others only: elsewhere it may take as long as it likes.
pub(super) async fn a_position_passes_what_is_of_no_concern<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let Some(mut watch) = open(&space, "in/", None).await? else { return Ok(()) };
    let first = put(&space, "in/a", "1").await?;
    expect(&mut watch, std::slice::from_ref(&first)).await?;
    let mut newest = first.0;
    for number in 0..10 {
        newest = space.put("elsewhere", &number.to_string()).await?.revision();
    }
    if !space.is_shared() {
        let passed = poll_fn(|context| {
            let told = Pin::new(&mut watch).poll_next(context);
            match (told.is_ready(), watch.position() >= newest) {
                (true, _) => std::task::Poll::Ready(false),
                (false, true) => std::task::Poll::Ready(true),
                (false, false) => std::task::Poll::Pending,
            }
        });
        ensure(passed.await, "commits of no concern are passed and not told")?;
    }
    let since = watch.position();
    drop(watch);
    let next = [put(&space, "in/a", "2").await?];
    let Some(mut watch) = open(&space, "in/", Some(since)).await? else { return Ok(()) };
    expect(&mut watch, &next).await
}

pub(super) async fn a_watch_is_resumed_at_its_position<B: Backend>(space: Space<B>) -> Verdict {
    let Some(watch) = open(&space, "", None).await? else { return Ok(()) };
    let mut position = watch.position();
    drop(watch);
    let expected = each(&space).await?;
    for next in &expected {
        let Some(mut watch) = open(&space, "", Some(position)).await? else { return Ok(()) };
        expect(&mut watch, std::slice::from_ref(next)).await?;
        position = watch.position();
    }
    Ok(())
}

pub(super) async fn a_watch_of_the_future_is_refused<B: Backend>(space: Space<B>) -> Verdict {
    let newest = space.put("a", "1").await?.revision();
    if !space.backend().supports(Capability::Watch) {
        return Ok(());
    }
    let opened = space.backend().watch(space.under(""), Some(Revision::MAX)).await;
    match refused("watching since the future", opened)? {
        WatchError::Future { newest: told } => ensure(told >= newest, "it tells the newest"),
        other => unexpected("watching since the future", &other),
    }
}

/// However long it was not asked: it tells all, or that something is missing, and from where on it goes.
pub(super) async fn a_slow_watch_misses_nothing_unsaid<B: Backend>(space: Space<B>) -> Verdict {
    let Some(mut slow) = open(&space, "", None).await? else { return Ok(()) };
    let since = slow.position();
    let mut expected = Vec::new();
    for number in 0..300 {
        expected.push(put(&space, &format!("{:02}", number % 50), &number.to_string()).await?);
    }
    let mut next_index = 0;
    while next_index < expected.len() {
        match next(&mut slow).await {
            Some(Err(WatchError::Lagged { resume })) => {
                let after = expected.partition_point(|(revision, _)| *revision <= resume);
                ensure(after > next_index, "something is missing when it says so")?;
                next_index = after;
            }
            Some(told) => {
                let told = told?;
                let found = (told.revision(), changes(&told));
                ensure_eq("the next commit", &found, &expected[next_index])?;
                next_index += 1;
            }
            None => return Err(Failure::new("the watch ended")),
        }
    }
    expect_since(&space, since, &expected).await
}
