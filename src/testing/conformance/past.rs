//! The past is told as it was, or not at all.

use bytes::Bytes;

use crate::backend::{Backend, BackendSnapshot};
use crate::capability::Capability;
use crate::error::ReadError;
use crate::history::HistoryError;
use crate::range::KeyRange;
use crate::revision::Revision;

use super::failure::{Verdict, ensure, ensure_eq, refused, unexpected};
use super::space::{Entry, Space, all};

type Lives = Vec<(Revision, Option<Entry>)>;

/// Writes, rewrites, deletes and recreates a key, with others between; what it was from which revision on, and the revisions of
/// the others.
async fn live<B: Backend>(space: &Space<B>) -> Verdict<(Lives, Vec<Revision>)> {
    let (mut lives, mut others) = (Vec::new(), Vec::new());
    for round in 0..10 {
        others.push(space.put("other", "0").await?.revision());
        if round % 4 == 3 {
            lives.push((space.remove("a").await?.revision(), None));
        } else {
            let written = space.put("a", &round.to_string()).await?;
            let value = Bytes::from(round.to_string());
            let (revision, created) = (written.revision(), written.created_revision());
            lives.push((
                revision,
                Some(Entry::new(value, revision, created, written.write_count())),
            ));
        }
    }
    Ok((lives, others))
}

/// What a read of the past said: `None` if the revision is not kept.
fn kept<T>(revision: Revision, result: Result<T, ReadError>) -> Verdict<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(ReadError::Revision(HistoryError::Compacted { oldest })) => {
            ensure(oldest > revision, "the oldest that can be read is later")?;
            Ok(None)
        }
        Err(other) => unexpected(&format!("reading at revision {revision}"), &other),
    }
}

pub(super) async fn the_past_is_told_as_it_was_or_not_at_all<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let (mut states, others) = live(&space).await?;
    if !space.backend().supports(Capability::Past) {
        return Ok(());
    }
    // When another key was written it was what it was before.
    for other in others {
        let after = states.partition_point(|(revision, _)| *revision < other);
        let before = after.checked_sub(1).and_then(|last| states[last].1.clone());
        states.insert(after, (other, before));
    }
    let key = space.key("a");
    for (revision, entry) in &states {
        let found = space.backend().get_at(&key, *revision).await;
        if let Some(found) = kept(*revision, found)? {
            ensure_eq(&format!("the entry at {revision}"), &found, entry)?;
        }
        let snapshot = space.backend().snapshot_at(*revision).await;
        if let Some(snapshot) = kept(*revision, snapshot)? {
            ensure_eq("the revision of a snapshot", snapshot.revision(), *revision)?;
            let found = snapshot.get(&key).await?;
            ensure_eq(&format!("the entry in the snapshot at {revision}"), &found, entry)?;
            let page = all(&snapshot, KeyRange::only(key.clone())).await?;
            let found = page.into_iter().next().map(|(_, entry)| entry);
            ensure_eq(&format!("the entry in a page at {revision}"), &found, entry)?;
        }
    }
    if !space.is_shared() {
        let newest = space.backend().status().await?.revision;
        let now = kept(newest, space.backend().get_at(&key, newest).await)?;
        ensure(now.is_some(), "the newest revision can be read")?;
    }
    Ok(())
}

pub(super) async fn the_future_is_not_told<B: Backend>(space: Space<B>) -> Verdict {
    let newest = space.put("a", "1").await?.revision();
    if !space.backend().supports(Capability::Past) {
        return Ok(());
    }
    let read = space.backend().get_at(&space.key("a"), Revision::MAX).await;
    let snapshot = space.backend().snapshot_at(Revision::MAX).await;
    for error in [refused("reading the future", read)?, refused("a snapshot of it", snapshot)?] {
        match error {
            ReadError::Revision(HistoryError::Future { newest: told }) => {
                ensure(told >= newest, "it tells the newest revision")?;
            }
            other => return unexpected("reading the future", &other),
        }
    }
    Ok(())
}

pub(super) async fn a_history_is_in_order_and_whole_since_where_it_says<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let (lives, _others) = live(&space).await?;
    if !space.backend().supports(Capability::History) {
        return Ok(());
    }
    let history = space.backend().history(&space.key("a")).await?;
    let found: Vec<(Revision, Option<Entry>)> = history
        .versions()
        .iter()
        .map(|version| (version.revision(), version.entry().cloned()))
        .collect();
    ensure(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "the oldest comes first")?;
    for version in &found {
        ensure(lives.contains(version), &format!("there was no version {version:?}"))?;
    }
    let since = |all: &Lives| -> Lives {
        all.iter().filter(|(revision, _)| *revision > history.since()).cloned().collect()
    };
    ensure_eq("the versions since where it is whole", since(&found), since(&lives))?;
    ensure_eq("the newest version", found.last(), lives.last())?;
    let never = space.backend().history(&space.key("never")).await?;
    ensure(never.versions().is_empty(), "what never was has no history")
}
