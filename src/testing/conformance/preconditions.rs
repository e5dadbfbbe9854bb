//! A write takes place if its precondition holds of the newest state, and else is a conflict that carries that state.

use bytes::Bytes;

use crate::backend::Backend;
use crate::precondition::Precondition;
use crate::revision::Revision;

use super::failure::{Verdict, ensure, ensure_eq, some};
use super::space::{Entry, Space, conflict};

/// What a key was before, for each case of the table.
#[derive(Clone, Copy, Debug)]
enum Before {
    Never,
    Deleted,
    There,
}

/// The preconditions to try, by name, and what each means.
fn table(old: Revision, other: Revision, now: Option<&Entry>) -> [(&'static str, Precondition); 7] {
    let current = now.map_or(old, Entry::revision);
    [
        ("any", Precondition::Any),
        ("absent", Precondition::Absent),
        ("present", Precondition::Present),
        ("the current revision", Precondition::Revision(current)),
        ("an old revision", Precondition::Revision(old)),
        ("another key's revision", Precondition::Revision(other)),
        ("a revision of the future", Precondition::Revision(Revision::MAX)),
    ]
}

async fn prepare<B: Backend>(space: &Space<B>, name: &str, before: Before) -> Verdict<Revision> {
    let other = space.put("other", "0").await?.revision();
    let old = match before {
        Before::Never => other,
        Before::Deleted | Before::There => space.put(name, "0").await?.revision(),
    };
    match before {
        Before::Never => {}
        Before::Deleted => drop(space.remove(name).await?),
        Before::There => drop(space.put(name, "1").await?),
    }
    Ok(old)
}

pub(super) async fn a_write_takes_place_exactly_if_its_precondition_holds<B: Backend>(
    space: Space<B>,
) -> Verdict {
    for before in [Before::Never, Before::Deleted, Before::There] {
        for number in 0..7 {
            for is_put in [true, false] {
                let name = format!("{before:?}/{number}/{is_put}");
                let old = prepare(&space, &name, before).await?;
                let now = space.get(&name).await?;
                let other = space.entry("other").await?.revision();
                let (what, precondition) = table(old, other, now.as_ref())[number];
                let holds = precondition.holds(now.as_ref().map(Entry::revision));
                let done = if is_put {
                    space.put_if(&name, "new", precondition).await.map(|_| ())
                } else {
                    space.backend().delete_if(space.key(&name), precondition).await.map(|_| ())
                };
                let case = format!("{what} of a key that was {before:?}, put: {is_put}");
                ensure_eq(&format!("whether it took place: {case}"), done.is_ok(), holds)?;
                let after = space.get(&name).await?;
                if holds {
                    let value = after.as_ref().map(|entry| entry.value().clone());
                    let expected = is_put.then(|| Bytes::from_static(b"new"));
                    ensure_eq(&format!("the value after {case}"), value, expected)?;
                } else {
                    ensure_eq(&format!("the entry after {case}"), after.as_ref(), now.as_ref())?;
                    let lost = conflict(done)?;
                    ensure_eq(&format!("current: {case}"), lost.current(), now.as_ref())?;
                    ensure_eq(&format!("expected: {case}"), lost.expected(), precondition)?;
                }
            }
        }
    }
    Ok(())
}

pub(super) async fn a_conflict_carries_what_is_there<B: Backend>(space: Space<B>) -> Verdict {
    let first = space.put("a", "first").await?.revision();
    let _newer = space.put("a", "newer").await?;
    let now = space.entry("a").await?;

    let lost = conflict(space.put_if("a", "mine", first).await)?;
    ensure_eq("the store", lost.identity(), space.backend().identity())?;
    ensure_eq("the key", lost.key(), &space.key("a"))?;
    ensure_eq("what was expected", lost.expected(), Precondition::Revision(first))?;
    ensure_eq("what is there", some("what is there", lost.current())?, &now)?;
    ensure_eq("the index", lost.index(), 0)?;
    ensure_eq("what was not written", lost.rejected(), Some(&Bytes::from_static(b"mine")))?;
    ensure(lost.range().is_none(), "it was about a key")?;

    let lost = conflict(space.put_if("a", "mine", Precondition::Absent).await)?;
    ensure_eq("what is there, for a creation", lost.current(), Some(&now))?;
    let lost = conflict(space.backend().delete_if(space.key("a"), first.into()).await)?;
    ensure_eq("what is there, for a delete", lost.current(), Some(&now))?;
    ensure(lost.rejected().is_none(), "a delete has no value")?;
    ensure_eq("the entry after conflicts", space.entry("a").await?, now)
}

pub(super) async fn a_dead_revision_is_a_conflict_with_nothing_there<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let dead = space.put("a", "1").await?.revision();
    let gone = space.remove("a").await?.revision();
    for revision in [dead, gone] {
        let lost = conflict(space.put_if("a", "2", revision).await)?;
        ensure(lost.current().is_none(), "nothing is there")?;
        let lost = conflict(space.backend().delete_if(space.key("a"), revision.into()).await)?;
        ensure(lost.current().is_none(), "nothing is there, for a delete")?;
        ensure(space.get("a").await?.is_none(), "nothing was written over a dead revision")?;
    }
    let reborn = space.put_if("a", "3", Precondition::Absent).await?;
    let lost = conflict(space.put_if("a", "4", dead).await)?;
    ensure_eq("what is there after the recreation", lost.revision(), Some(reborn.revision()))
}
