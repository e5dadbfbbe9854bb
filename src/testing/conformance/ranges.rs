//! Conditions on ranges: that nothing is there, that nothing has changed. What cannot be known never passes.

use bytes::Bytes;

use crate::backend::{Backend, BackendSnapshot};
use crate::capability::Capability;
use crate::commit_error::CommitError;
use crate::conflict::Conflict;
use crate::error::Reason;
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::txn::Txn;

use super::failure::{Verdict, ensure, ensure_eq, refused, unexpected};
use super::space::{Space, Transaction};

/// Whether a backend that lacks `capability` refuses `txn` for that.
pub(super) async fn lacks<B: Backend>(
    space: &Space<B>,
    capability: Capability,
    txn: Transaction,
) -> Verdict<bool> {
    if space.backend().supports(capability) {
        return Ok(false);
    }
    let error = refused("what is not supported", space.backend().commit(txn).await)?;
    match error.reason() {
        Some(Reason::Unsupported(named)) if *named == capability => Ok(true),
        _ => unexpected("what is not supported is refused as such", &error),
    }
}

pub(super) async fn an_empty_range_is_required_of_all_its_keys<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let txn = |range: KeyRange<Bytes>| {
        Txn::new()
            .require(space.key("none"), Precondition::Absent)
            .require_none_in(range)
            .put(space.key("done"), "1".into())
    };
    if lacks(&space, Capability::EmptyRange, txn(space.under("in/"))).await? {
        return ensure(space.entries().await?.is_empty(), "nothing was written");
    }
    let _before = space.put("in.", "1").await?;
    let _after = space.put("in0", "1").await?;
    let _holds = space.backend().commit(txn(space.under("in/"))).await?;
    for number in 0..20 {
        let _there = space.put(&format!("in/{number:02}"), "1").await?;
    }
    let there = space.backend().snapshot().await?.page(space.under("in/"), 100).await?.entries;
    for count in [20, 17, 16, 15, 1] {
        for number in count..20 {
            let _gone = space.delete(&format!("in/{number:02}")).await?;
        }
        let conflicts = space.conflicts(txn(space.under("in/"))).await?;
        ensure_eq("how many preconditions do not hold", conflicts.len(), 1)?;
        let lost = &conflicts[0];
        let named = count.min(16);
        ensure_eq("the index", lost.index(), 1)?;
        ensure_eq("how many are in the way", lost.blocker_count(), count)?;
        ensure_eq("who is in the way first", lost.blockers(), &there[..named])?;
        ensure_eq("the key", lost.key(), &there[0].0)?;
        ensure_eq("what is there", lost.current(), Some(&there[0].1))?;
        ensure_eq("what was expected", lost.expected(), Precondition::Absent)?;
        ensure_eq("the range", lost.range(), Some(&space.under("in/")))?;
    }
    let _last = space.remove("in/00").await?;
    let _holds = space.backend().commit(txn(space.under("in/"))).await?;
    Ok(())
}

pub(super) async fn an_unchanged_range_notices_creations_changes_and_deletes<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let since = space.put("in/there", "1").await?.revision();
    let txn = |since| Txn::new().require_unchanged_in(space.under("in/"), since);
    if lacks(&space, Capability::UnchangedRange, txn(since)).await? {
        return Ok(());
    }
    let _outside = space.put("in0", "1").await?;
    let _holds = space.backend().commit(txn(since).put(space.key("done"), "1".into())).await?;
    for change in ["creation", "change", "delete", "transaction"] {
        let since = space.backend().status().await?.revision;
        let _outside = space.put("in.", change).await?;
        let _holds = space.backend().commit(txn(since).put(space.key("done"), "2".into())).await?;
        match change {
            "creation" => drop(space.put("in/new", "1").await?),
            "change" => drop(space.put("in/there", "2").await?),
            "delete" => drop(space.remove("in/new").await?),
            _ => {
                let txn =
                    Txn::new().put(space.key("x"), "1".into()).put(space.key("in/z"), "1".into());
                let _whole = space.backend().commit(txn).await?;
            }
        }
        let key = space.key(match change {
            "change" => "in/there",
            "transaction" => "in/z",
            _ => "in/new",
        });
        let current = space.backend().get(&key).await?;
        let conflicts = space.conflicts(txn(since).put(space.key("lost"), "1".into())).await?;
        ensure_eq("how many preconditions do not hold", conflicts.len(), 1)?;
        let lost = &conflicts[0];
        ensure_eq(&format!("which key changed by {change}"), lost.key(), &key)?;
        ensure_eq(&format!("what is there after {change}"), lost.current(), current.as_ref())?;
        ensure_eq("since when", lost.expected(), Precondition::Revision(since))?;
        ensure_eq("the range", lost.range(), Some(&space.under("in/")))?;
        ensure(space.get("lost").await?.is_none(), "nothing was written")?;
    }
    Ok(())
}

/// Those that are not of a prefix a backend may also refuse.
pub(super) async fn conditions_on_ranges_keep_to_both_bounds<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let keys = ["a", "b", "d", "e"].map(|name| space.key(name));
    for range in space.ranges(&["b", "c", "d"], &["b", "c", "d"]) {
        let since = space.put("0", "1").await?.revision();
        let put = |txn: Transaction, key: &Bytes| txn.put(key.clone(), "1".into());
        let _changed = space.backend().commit(keys.iter().fold(Txn::new(), put)).await?;
        let inside: Vec<Bytes> = keys.iter().filter(|key| range.contains(key)).cloned().collect();

        let none = Txn::new().require_none_in(range.clone());
        if let Some(conflict) = judged(&space, none, Capability::EmptyRange).await? {
            let blockers = conflict.iter().flat_map(|conflict| conflict.blockers());
            let blockers: Vec<Bytes> = blockers.map(|(key, _)| key.clone()).collect();
            ensure_eq(&format!("what is there in {range:?}"), blockers, inside.clone())?;
        }
        let unchanged = Txn::new().require_unchanged_in(range.clone(), since);
        if let Some(conflict) = judged(&space, unchanged, Capability::UnchangedRange).await? {
            let what = format!("whether {range:?} has changed");
            ensure_eq(&what, conflict.is_some(), !inside.is_empty())?;
            let changed = conflict.is_none_or(|conflict| inside.contains(conflict.key()));
            ensure(changed, "what changed is in the range")?;
        }
    }
    Ok(())
}

/// The conflict of a condition on a range, if it does not hold; unless it is refused for what it is.
async fn judged<B: Backend>(
    space: &Space<B>,
    condition: Transaction,
    capability: Capability,
) -> Verdict<Option<Option<Conflict<Bytes, Bytes>>>> {
    match space.backend().commit(condition.put(space.key("z"), "1".into())).await {
        Ok(_) => Ok(Some(None)),
        Err(CommitError::Conflicts { conflicts, .. }) => Ok(Some(conflicts.into_iter().next())),
        Err(CommitError::Refused { reason: Reason::Unsupported(named), .. })
            if named == capability =>
        {
            Ok(None)
        }
        Err(other) => unexpected("a condition on a range", &other),
    }
}

pub(super) async fn an_unchanged_range_since_the_future_never_passes<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let newest = space.put("a", "1").await?.revision();
    let txn: Transaction = Txn::new()
        .require(space.key("a"), newest)
        .require_unchanged_in(space.under("in/"), Revision::MAX)
        .put(space.key("lost"), "1".into());
    if lacks(&space, Capability::UnchangedRange, txn.clone()).await? {
        return Ok(());
    }
    match refused("unchanged since the future", space.backend().commit(txn).await)? {
        CommitError::Future { index, newest: told, .. } => {
            ensure_eq("the index", index, 1)?;
            ensure(told >= newest, "it tells the newest revision")?;
        }
        other => return unexpected("unchanged since the future", &other),
    }
    ensure(space.get("lost").await?.is_none(), "nothing was written")
}

pub(super) async fn an_unchanged_range_since_long_ago_never_passes_unseen<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let since = space.put("in/a", "1").await?.revision();
    let _gone = space.remove("in/a").await?;
    for number in 0..200 {
        let _elsewhere = space.put("elsewhere", &number.to_string()).await?;
    }
    let txn: Transaction = Txn::new()
        .require_unchanged_in(space.under("in/"), since)
        .put(space.key("lost"), "1".into());
    if lacks(&space, Capability::UnchangedRange, txn.clone()).await? {
        return Ok(());
    }
    match refused("a range that has changed", space.backend().commit(txn).await)? {
        CommitError::Conflicts { conflicts, .. } => {
            ensure_eq("which key changed", conflicts[0].key(), &space.key("in/a"))?;
        }
        CommitError::Compacted { index, oldest, .. } => {
            ensure_eq("the index", index, 0)?;
            ensure(oldest > since, "what it does know begins later")?;
        }
        other => return unexpected("a range that has changed", &other),
    }
    ensure(space.get("lost").await?.is_none(), "nothing was written")
}
