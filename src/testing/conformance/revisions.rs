//! Revisions are of the whole store, grow with every commit, and are never used twice.

use crate::backend::Backend;
use crate::revision::Revision;
use crate::txn::Txn;

use super::failure::{Verdict, ensure, ensure_eq};
use super::space::{Space, Transaction, conflict};

pub(super) async fn revisions_grow_with_every_commit<B: Backend>(space: Space<B>) -> Verdict {
    let mut told: Vec<Revision> = vec![space.backend().status().await?.revision];
    for round in 0..4 {
        told.push(space.put("a", "1").await?.revision());
        told.push(space.put(&format!("b{round}"), "1").await?.revision());
        let txn: Transaction = Txn::new()
            .put(space.key("c"), "1".into())
            .put(space.key("d"), "1".into())
            .delete(space.key("a"));
        told.push(space.backend().commit(txn).await?);
        told.push(space.remove("c").await?.revision());
        told.push(space.put("c", "2").await?.revision());
    }
    for pair in told.windows(2) {
        ensure(pair[0] < pair[1], &format!("revision {} comes before {}", pair[0], pair[1]))?;
    }
    let status = space.backend().status().await?;
    ensure(Some(&status.revision) >= told.last(), "the status is at the newest revision")?;
    ensure(status.writable, "a backend that takes writes says so")
}

pub(super) async fn a_revision_is_never_used_again<B: Backend>(space: Space<B>) -> Verdict {
    let mut newest = space.backend().status().await?.revision;
    for round in 0..8 {
        let made = space.put_if("a", "1", crate::precondition::Precondition::Absent).await?;
        ensure(made.revision() > newest, "a recreation has a revision above the delete's")?;
        let gone = space.remove("a").await?;
        ensure(gone.revision() > made.revision(), "a delete has a revision above the put's")?;
        ensure_eq("what a delete removed", gone.previous().revision(), made.revision())?;
        newest = gone.revision();
        let lost = conflict(space.put_if("a", "2", made.revision()).await)?;
        ensure_eq(&format!("what is there in round {round}"), lost.revision(), None)?;
    }
    Ok(())
}

pub(super) async fn an_entry_knows_its_creation_and_its_writes<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let _other = space.put("other", "0").await?;
    for life in 0..2 {
        let created = space.put("a", "1").await?;
        ensure(created.is_creation(), "the first put creates the key")?;
        ensure_eq("the writes of a new key", created.write_count(), 1)?;
        ensure_eq("its creation", created.created_revision(), created.revision())?;
        for count in 2..5 {
            let written = space.put("a", "2").await?;
            ensure_eq("the creation", written.created_revision(), created.revision())?;
            ensure_eq("the writes", written.write_count(), count)?;
            let entry = space.entry("a").await?;
            ensure_eq("the entry's revision", entry.revision(), written.revision())?;
            ensure_eq("the entry's creation", entry.created_revision(), created.revision())?;
            ensure_eq("the entry's writes", entry.write_count(), count)?;
        }
        let txn = Txn::new().put(space.key("a"), "3".into());
        let revision = space.backend().commit(txn).await?;
        let entry = space.entry("a").await?;
        ensure_eq("the revision by a transaction", entry.revision(), revision)?;
        ensure_eq("the creation after it", entry.created_revision(), created.revision())?;
        ensure_eq("the writes with it", entry.write_count(), 5)?;
        let gone = space.remove("a").await?;
        ensure_eq(&format!("what was removed in life {life}"), gone.previous(), &entry)?;
    }
    Ok(())
}

pub(super) async fn a_delete_of_nothing_takes_no_revision<B: Backend>(space: Space<B>) -> Verdict {
    let _other = space.put("other", "0").await?;
    let before = space.backend().status().await?.revision;
    ensure(space.delete("a").await?.is_none(), "there was nothing to delete")?;
    let absent = crate::precondition::Precondition::Absent;
    let gone = space.backend().delete_if(space.key("a"), absent).await?;
    ensure(gone.is_none(), "there was nothing to delete, as demanded")?;
    let txn = Txn::new().delete(space.key("a")).delete(space.key("b"));
    let at = space.backend().commit(txn).await?;
    if !space.is_shared() {
        let after = space.backend().status().await?.revision;
        ensure_eq("the newest revision after deletes of nothing", after, before)?;
        ensure_eq("what a transaction returns that deleted nothing", at, before)?;
    }
    Ok(())
}
