//! A snapshot is the state at one revision, and stays so.

use bytes::Bytes;

use crate::backend::{Backend, BackendSnapshot};
use crate::txn::Txn;

use super::failure::{Verdict, ensure, ensure_eq};
use super::space::{Space, all};

pub(super) async fn what_was_written_is_read<B: Backend>(space: Space<B>) -> Verdict {
    for round in 0..20 {
        let value = round.to_string();
        let written = space.put("a", &value).await?;
        let entry = space.entry("a").await?;
        ensure_eq("the revision read after a write", entry.revision(), written.revision())?;
        ensure_eq("the value read after a write", entry.value(), &Bytes::from(value))?;
        let snapshot = space.backend().snapshot().await?;
        ensure(snapshot.revision() >= written.revision(), "a snapshot is at the write, or later")?;
        let page = all(&snapshot, space.under("")).await?;
        ensure_eq("what a snapshot shows", page, vec![(space.key("a"), entry)])?;
        let gone = space.remove("a").await?;
        ensure(space.get("a").await?.is_none(), "nothing is read after a delete")?;
        let snapshot = space.backend().snapshot().await?;
        ensure(snapshot.revision() >= gone.revision(), "a snapshot is at the delete, or later")?;
        ensure(snapshot.get(&space.key("a")).await?.is_none(), "a snapshot shows no deleted key")?;
    }
    Ok(())
}

pub(super) async fn a_snapshot_does_not_see_later_writes<B: Backend>(space: Space<B>) -> Verdict {
    let mut taken = Vec::new();
    for round in 0..30 {
        let snapshot = space.backend().snapshot().await?;
        let entries = all(&snapshot, space.under("")).await?;
        for (key, entry) in &entries {
            ensure(entry.revision() <= snapshot.revision(), "nothing is newer than its snapshot")?;
            ensure_eq("a key by itself", snapshot.get(key).await?.as_ref(), Some(entry))?;
        }
        taken.push((snapshot, entries));
        let value = || Bytes::from(round.to_string());
        let _put = space.put("every", &round.to_string()).await?;
        let _put = space.put(&format!("{:02}", round % 10), "1").await?;
        let _gone = space.delete(&format!("{:02}", (round + 3) % 10)).await?;
        let txn = Txn::new()
            .put(space.key("x"), value())
            .put(space.key(format!("y{round}")), value())
            .delete(space.key(format!("y{}", round / 2)));
        if round > 1 {
            let _whole = space.backend().commit(txn).await?;
        }
    }
    let names = ["every", "00", "05", "09", "x", "y7", "y20"];
    for (snapshot, before) in taken {
        let revision = snapshot.revision();
        let now = all(&snapshot, space.under("")).await?;
        ensure_eq(&format!("the state at revision {revision}"), &now, &before)?;
        for name in names {
            let key = space.key(name);
            let then = before.iter().find(|(there, _)| *there == key).map(|(_, entry)| entry);
            let found = snapshot.get(&key).await?;
            ensure_eq(&format!("{name} at revision {revision}"), found.as_ref(), then)?;
        }
    }
    Ok(())
}

pub(super) async fn a_page_goes_on_in_its_snapshot_whatever_is_written<B: Backend>(
    space: Space<B>,
) -> Verdict {
    for name in ["a", "c", "e", "g"] {
        let _there = space.put(name, "1").await?;
    }
    let snapshot = space.backend().snapshot().await?;
    let before = all(&snapshot, space.under("")).await?;
    let mut found = Vec::new();
    let mut rest = Some(space.under(""));
    for name in ["b", "d", "f", "h"] {
        let Some(range) = rest else { break };
        let page = snapshot.page(range, 1).await?;
        found.extend(page.entries);
        rest = page.rest;
        let _between = space.put(name, "2").await?;
        let _changed = space.put("g", name).await?;
        let _gone = space.delete("e").await?;
    }
    ensure(rest.is_none(), "there were four keys")?;
    ensure_eq("the entries of four pages", found, before)
}
