//! A transaction takes place whole, at one revision, or not at all; then it says all that does not hold.

use bytes::Bytes;

use crate::backend::Backend;
use crate::commit_error::CommitError;
use crate::error::Reason;
use crate::precondition::Precondition;
use crate::txn::Txn;

use super::failure::{Verdict, ensure, ensure_eq, refused, some, unexpected};
use super::space::{Entry, Space, Transaction, contents};

pub(super) async fn a_transaction_has_one_revision<B: Backend>(space: Space<B>) -> Verdict {
    let stale = space.put("b", "0").await?.revision();
    let _doomed = space.put("c", "0").await?;
    let txn = Txn::new()
        .require(space.key("b"), stale)
        .put(space.key("a"), "1".into())
        .put(space.key("b"), "1".into())
        .delete(space.key("c"))
        .delete(space.key("never"));
    let revision = space.backend().commit(txn).await?;
    ensure(revision > stale, "its revision is new")?;
    let (a, b) = (space.entry("a").await?, space.entry("b").await?);
    ensure_eq("the revisions of its keys", (a.revision(), b.revision()), (revision, revision))?;
    ensure_eq("the creations", (a.created_revision(), b.created_revision()), (revision, stale))?;
    ensure_eq("the writes", (a.write_count(), b.write_count()), (1, 2))?;
    ensure(space.get("c").await?.is_none(), "it deletes, too")?;
    ensure_eq("the keys that are there", space.entries().await?.len(), 2)
}

pub(super) async fn a_failed_transaction_changes_nothing<B: Backend>(space: Space<B>) -> Verdict {
    for failing in 0..4 {
        let _a = space.put("a", "1").await?;
        let _b = space.put("b", "2").await?;
        let before = space.entries().await?;
        let status = space.backend().status().await?.revision;
        let mut txn: Transaction = Txn::new()
            .put(space.key("a"), "lost".into())
            .put(space.key("new"), "lost".into())
            .delete(space.key("b"));
        for index in 0..4 {
            let demand =
                if index == failing { Precondition::Absent } else { Precondition::Present };
            txn = txn.require(space.key("a"), demand);
        }
        let error = refused("a transaction that cannot hold", space.backend().commit(txn).await)?;
        let indices: Vec<usize> = error.conflicts().iter().map(|lost| lost.index()).collect();
        ensure_eq("the preconditions that do not hold", indices, vec![failing])?;
        ensure_eq("the entries after it failed", space.entries().await?, before)?;
        if !space.is_shared() {
            let after = space.backend().status().await?.revision;
            ensure_eq("the newest revision after it failed", after, status)?;
        }
        let txn = some("the transaction comes back", error.into_txn())?;
        ensure_eq("what comes back", (txn.requirements().len(), txn.changes().len()), (4, 3))?;
    }
    Ok(())
}

pub(super) async fn every_failing_precondition_is_told<B: Backend>(space: Space<B>) -> Verdict {
    let old = space.put("a", "1").await?.revision();
    let now = space.put("a", "2").await?.revision();
    let a = space.entry("a").await?;
    let table: [(&str, Precondition, Option<Option<&Entry>>); 8] = [
        ("a", Precondition::Present, None),
        ("a", Precondition::Revision(old), Some(Some(&a))),
        ("a", Precondition::Revision(now), None),
        ("a", Precondition::Absent, Some(Some(&a))),
        ("none", Precondition::Absent, None),
        ("none", Precondition::Present, Some(None)),
        ("none", Precondition::Revision(now), Some(None)),
        ("none", Precondition::Any, None),
    ];
    let mut txn: Transaction = Txn::new().put(space.key("b"), "1".into());
    for (name, precondition, _) in table {
        txn = txn.require(space.key(name), precondition);
    }
    let conflicts = space.conflicts(txn).await?;
    let failing: Vec<usize> = (0..table.len()).filter(|index| table[*index].2.is_some()).collect();
    let told: Vec<usize> = conflicts.iter().map(|lost| lost.index()).collect();
    ensure_eq("the preconditions that do not hold", told, failing)?;
    for lost in &conflicts {
        let (name, precondition, current) = table[lost.index()];
        ensure_eq("the key", lost.key(), &space.key(name))?;
        ensure_eq("what was expected", lost.expected(), precondition)?;
        ensure_eq("what is there", lost.current(), current.flatten())?;
        ensure_eq("the store", lost.identity(), space.backend().identity())?;
    }
    ensure(space.get("b").await?.is_none(), "nothing was written")
}

pub(super) async fn a_transaction_writes_no_key_twice<B: Backend>(space: Space<B>) -> Verdict {
    let twice = |txn: Transaction| txn.put(space.key("b"), "1".into());
    let table = [
        (
            "put, put",
            twice(Txn::new()).put(space.key("a"), "2".into()).put(space.key("b"), "2".into()),
        ),
        ("put, delete", twice(Txn::new()).put(space.key("a"), "2".into()).delete(space.key("b"))),
        ("delete, put", twice(Txn::new().delete(space.key("b")).put(space.key("a"), "2".into()))),
        (
            "delete, delete",
            Txn::new()
                .delete(space.key("b"))
                .put(space.key("a"), "2".into())
                .delete(space.key("b")),
        ),
    ];
    for (case, txn) in table {
        // Whatever its preconditions are.
        let txn = txn.require(space.key("none"), Precondition::Present);
        let error = refused(case, space.backend().commit(txn).await)?;
        match error.reason() {
            Some(Reason::DuplicateKey { first, second }) => {
                let places = (*first.min(second), *first.max(second));
                ensure_eq(case, places, (0, 2))?;
            }
            _ => return unexpected(&format!("{case} is not refused as a duplicate"), &error),
        }
        ensure(space.entries().await?.is_empty(), "nothing was written")?;
        let txn = some("the transaction comes back", error.into_txn())?;
        ensure_eq("its writes", txn.changes().len(), 3)?;
    }
    Ok(())
}

pub(super) async fn a_transaction_without_writes_takes_no_revision<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let a = space.put("a", "1").await?.revision();
    let before = space.backend().status().await?.revision;
    let at = space.backend().commit(Txn::new()).await?;
    ensure(at >= a, "an empty transaction holds now")?;
    let held = Txn::new().require(space.key("a"), a).require(space.key("b"), Precondition::Absent);
    let at = space.backend().commit(held).await?;
    ensure(at >= a, "preconditions that hold, hold now")?;
    let lost = space.conflicts(Txn::new().require(space.key("a"), Precondition::Absent)).await?;
    ensure_eq("what is there", lost[0].revision(), Some(a))?;
    if !space.is_shared() {
        ensure_eq("the revision at which it holds", at, before)?;
        let after = space.backend().status().await?.revision;
        ensure_eq("the newest revision after them", after, before)?;
    }
    Ok(())
}

pub(super) async fn preconditions_are_about_the_state_before<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let txn = Txn::new()
        .put(space.key("a"), "1".into())
        .require(space.key("a"), Precondition::Absent)
        .put(space.key("b"), "1".into())
        .require(space.key("b"), Precondition::Absent);
    let revision = space.backend().commit(txn).await?;
    let txn = Txn::new().delete(space.key("a")).require(space.key("a"), revision);
    let _gone = space.backend().commit(txn).await?;
    let left = contents(&space.entries().await?);
    ensure_eq("what is left", left, vec![(space.key("b"), Bytes::from_static(b"1"))])
}

pub(super) async fn a_transaction_of_too_many_operations_is_refused<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let mut txn: Transaction = Txn::new();
    for number in 0..=Transaction::MAX_OPERATIONS {
        txn = txn.put(space.key(format!("{number:06}")), "1".into());
    }
    match refused("too many operations", space.backend().commit(txn).await)? {
        CommitError::Refused { reason: Reason::TooManyOperations { operations, max }, .. } => {
            ensure_eq("how many there were", operations, Transaction::MAX_OPERATIONS + 1)?;
            ensure(max < operations, "the limit is below them")?;
        }
        other => return unexpected("too many operations", &other),
    }
    ensure(space.entries().await?.is_empty(), "nothing was written")
}
