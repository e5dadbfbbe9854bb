//! What holds when many write at once, each from a thread of its own.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::backend::{Backend, BackendSnapshot, BackendWatch};
use crate::capability::Capability;
use crate::commit_error::CommitError;
use crate::error::WriteError;
use crate::event::WatchError;
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::txn::Txn;

use super::Harness;
use super::failure::{Failure, Verdict, ensure, ensure_eq, unexpected};
use super::space::{Entry, Space, all, contents};
use super::watches::{Expected, changes, next, put};

const WRITERS: usize = 4;
const WRITES: usize = 50;

/// Runs `work` for each number on a thread of its own; what each found.
fn together<H: Harness, T: Send>(
    harness: &H,
    space: &Space<H::Backend>,
    work: impl AsyncFn(Space<H::Backend>, usize) -> Verdict<T> + Sync,
) -> Verdict<Vec<T>> {
    std::thread::scope(|scope| {
        let work = &work;
        let start = |number| {
            let space = space.clone();
            scope.spawn(move || harness.block_on(work(space, number)))
        };
        let threads: Vec<_> = (0..WRITERS).map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Failure::new("it panicked"))))
            .collect()
    })
}

fn number(entry: Option<&Entry>) -> u64 {
    let text = entry.map(|entry| String::from_utf8_lossy(entry.value()).into_owned());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn text(number: u64) -> Bytes {
    number.to_string().into()
}

/// Adds one, from what the conflicts tell alone, until it wins. The first attempt may know nothing.
async fn increment<B: Backend>(space: &Space<B>, mut current: Option<Entry>) -> Verdict<Entry> {
    loop {
        let next = text(number(current.as_ref()) + 1);
        let unchanged = current.as_ref().map_or(Precondition::Absent, Precondition::from);
        match space.backend().put_if(space.key("counter"), next.clone(), unchanged).await {
            Ok(written) => {
                let (revision, created) = (written.revision(), written.created_revision());
                return Ok(Entry::new(next, revision, created, written.write_count()));
            }
            Err(WriteError::Conflict(conflict)) => {
                let found = conflict.current().cloned();
                let same =
                    found.as_ref().map(Entry::revision) == current.as_ref().map(Entry::revision);
                ensure(!same, "what a conflict shows is not what was expected")?;
                current = found;
            }
            Err(other) => return Err(other.into()),
        }
    }
}

pub(super) fn a_race_of_compare_and_swap_loses_no_write<H: Harness>(
    harness: &H,
    space: &Space<H::Backend>,
) -> Verdict {
    let won = together(harness, space, async |space, _| {
        let mut won: Vec<Entry> = Vec::new();
        for _ in 0..WRITES {
            won.push(increment(&space, won.last().cloned()).await?);
        }
        let grows = won.windows(2).all(|pair| pair[0].revision() < pair[1].revision());
        ensure(grows, "the revisions of one writer grow")?;
        Ok(won)
    })?;
    let mut won: Vec<Entry> = won.into_iter().flatten().collect();
    won.sort_by_key(Entry::revision);
    for (index, entry) in (1..).zip(&won) {
        ensure_eq("the count, in the order of revisions", number(Some(entry)), index)?;
        ensure_eq("the writes, in the order of revisions", entry.write_count(), index)?;
    }
    let revisions: BTreeSet<Revision> = won.iter().map(Entry::revision).collect();
    ensure_eq("how many revisions were told", revisions.len(), WRITERS * WRITES)?;
    let last = harness.block_on(space.entry("counter"))?;
    ensure_eq("the last entry", Some(&last), won.last())
}

pub(super) fn one_of_many_creations_wins<H: Harness>(
    harness: &H,
    space: &Space<H::Backend>,
) -> Verdict {
    let won = together(harness, space, async |space, writer| {
        let mut won = Vec::new();
        for round in 0..WRITES {
            let (name, value) = (format!("{round:02}"), writer.to_string());
            match space.put_if(&name, &value, Precondition::Absent).await {
                Ok(written) => won.push((name, written.revision())),
                Err(WriteError::Conflict(conflict)) => {
                    ensure(conflict.current().is_some(), "who lost is told what won")?;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Ok(won)
    })?;
    let mut won: Vec<_> = won.into_iter().flatten().collect();
    won.sort();
    let entries = harness.block_on(space.entries())?;
    let there = |(key, entry): (Bytes, Entry)| (key, entry.revision());
    let expected: Vec<_> = entries.into_iter().map(there).collect();
    let won: Vec<_> = won.into_iter().map(|(name, at)| (space.key(name), at)).collect();
    ensure_eq("who created what", won, expected)?;
    ensure_eq("how many were created", harness.block_on(space.entries())?.len(), WRITES)
}

const ACCOUNTS: usize = 4;
const TOTAL: u64 = 400;

/// Moves one from an account to the next, if both are as they were read.
async fn transfer<B: Backend>(space: &Space<B>, from: usize) -> Verdict {
    loop {
        let names = [format!("{from}"), format!("{}", (from + 1) % ACCOUNTS)];
        let (giver, taker) = (space.entry(&names[0]).await?, space.entry(&names[1]).await?);
        if number(Some(&giver)) == 0 {
            return Ok(());
        }
        let txn = Txn::new()
            .require(space.key(&names[0]), &giver)
            .require(space.key(&names[1]), &taker)
            .put(space.key(&names[0]), text(number(Some(&giver)) - 1))
            .put(space.key(&names[1]), text(number(Some(&taker)) + 1));
        match space.backend().commit(txn).await {
            Ok(_) => return Ok(()),
            Err(CommitError::Conflicts { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
}

pub(super) fn transactions_in_a_race_keep_the_total_in_every_snapshot<H: Harness>(
    harness: &H,
    space: &Space<H::Backend>,
) -> Verdict {
    harness.block_on(async {
        for account in 0..ACCOUNTS {
            let share = TOTAL / 4;
            let _opened = space.put(&account.to_string(), &share.to_string()).await?;
        }
        Verdict::Ok(())
    })?;
    let _done = together(harness, space, async |space, writer| {
        for round in 0..WRITES {
            transfer(&space, (writer + round) % ACCOUNTS).await?;
            let snapshot = space.backend().snapshot().await?;
            let accounts = all(&snapshot, space.under("")).await?;
            let total: u64 = accounts.iter().map(|(_, entry)| number(Some(entry))).sum();
            ensure_eq(&format!("the total at {}", snapshot.revision()), total, TOTAL)?;
        }
        Ok(())
    })?;
    let accounts = contents(&harness.block_on(space.entries())?);
    ensure_eq("how many accounts there are", accounts.len(), ACCOUNTS)
}

pub(super) fn an_empty_range_has_no_phantoms<H: Harness>(
    harness: &H,
    space: &Space<H::Backend>,
) -> Verdict {
    if !space.backend().supports(Capability::EmptyRange) {
        return Ok(());
    }
    let won = together(harness, space, async |space, writer| {
        let mut won = 0;
        for round in 0..WRITES {
            let txn = Txn::new()
                .require_none_in(space.under(&format!("{round:02}/")))
                .put(space.key(format!("{round:02}/{writer}")), text(1));
            match space.backend().commit(txn).await {
                Ok(_) => won += 1,
                Err(CommitError::Conflicts { conflicts, .. }) => {
                    ensure_eq("how many are in the way", conflicts[0].blocker_count(), 1)?;
                }
                Err(other) => return unexpected("a lost race", &other),
            }
        }
        Ok(won)
    })?;
    ensure_eq("how many won", won.iter().sum(), WRITES)?;
    ensure_eq("how many were written", harness.block_on(space.entries())?.len(), WRITES)
}

/// What a watch said.
enum Heard {
    Told(Expected),
    Lagged(Revision),
}

/// All that a watch tells, up to the key of the end.
async fn listen<W: BackendWatch>(mut watch: W, end: Bytes) -> Verdict<Vec<Heard>> {
    let mut heard = Vec::new();
    loop {
        match next(&mut watch).await {
            Some(Ok(told)) => {
                ensure(watch.position() >= told.revision(), "the position is at what was told")?;
                if told.events().iter().any(|event| *event.key() == end) {
                    return Ok(heard);
                }
                heard.push(Heard::Told((told.revision(), changes(&told))));
            }
            Some(Err(WatchError::Lagged { resume })) => heard.push(Heard::Lagged(resume)),
            Some(Err(other)) => return Err(other.into()),
            None => return Err(Failure::new("the watch ended")),
        }
    }
}

async fn write_many<B: Backend>(space: Space<B>, writer: usize) -> Verdict<Vec<Expected>> {
    let mut written = Vec::new();
    for round in 0..WRITES {
        let name = format!("in/{writer}/{}", round % 7);
        written.push(put(&space, &name, &round.to_string()).await?);
    }
    Ok(written)
}

pub(super) fn a_watch_tells_every_write_of_a_race_once_and_in_order<H: Harness>(
    harness: &H,
    space: &Space<H::Backend>,
) -> Verdict {
    if !space.backend().supports(Capability::Watch) {
        return Ok(());
    }
    let since = harness.block_on(space.put("in/before", "1"))?.revision();
    let watch = harness.block_on(space.backend().watch(space.under("in/"), Some(since)))?;
    let end = space.key("in/end");
    let (heard, written) = std::thread::scope(|scope| {
        let listener = scope.spawn(move || harness.block_on(listen(watch, end)));
        let written = together(harness, space, write_many);
        let _end = harness.block_on(space.put("in/end", "1"))?;
        let heard = listener.join().unwrap_or_else(|_| Err(Failure::new("it panicked")))?;
        Verdict::Ok((heard, written?))
    })?;
    let mut written: Vec<Expected> = written.into_iter().flatten().collect();
    written.sort_by_key(|(revision, _)| *revision);
    let mut index = 0;
    for heard in &heard {
        match heard {
            Heard::Told(told) => {
                ensure_eq("the next commit", Some(told), written.get(index))?;
                index += 1;
            }
            Heard::Lagged(resume) => {
                index = index.max(written.partition_point(|(revision, _)| revision <= resume));
            }
        }
    }
    ensure_eq("how many commits were told, or said to be missing", index, written.len())
}
