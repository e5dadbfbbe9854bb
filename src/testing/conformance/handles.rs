//! Handles of one store, what a store lacks, and futures that are given up.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use bytes::Bytes;

use crate::backend::Backend;
use crate::capability::Capability;
use crate::error::ReadError;
use crate::event::WatchError;
use crate::precondition::Precondition;
use crate::txn::Txn;

use super::failure::{Verdict, ensure, ensure_eq, refused, unexpected};
use super::ranges::lacks;
use super::space::{Entry, Space, Transaction};

pub(super) async fn clones_are_handles_of_one_store<B: Backend>(space: Space<B>) -> Verdict {
    let other = space.clone();
    ensure_eq("the identity", other.backend().identity(), space.backend().identity())?;
    let written = space.put("a", "1").await?;
    ensure_eq("what the other reads", other.entry("a").await?.revision(), written.revision())?;
    let newer = other.put_if("a", "2", written.revision()).await?;
    drop(other);
    ensure_eq("what the first reads", space.entry("a").await?.revision(), newer.revision())
}

fn reads<T>(capability: Capability, result: Result<T, ReadError>) -> Verdict {
    match refused("what is not supported", result)? {
        ReadError::Unsupported(named) => ensure_eq("what is not supported", named, capability),
        other => unexpected("what is not supported", &other),
    }
}

pub(super) async fn what_is_not_supported_is_refused<B: Backend>(space: Space<B>) -> Verdict {
    let revision = space.put("a", "1").await?.revision();
    let (backend, key) = (space.backend(), space.key("a"));
    if !backend.supports(Capability::Past) {
        reads(Capability::Past, backend.get_at(&key, revision).await)?;
        reads(Capability::Past, backend.snapshot_at(revision).await)?;
    }
    if !backend.supports(Capability::History) {
        reads(Capability::History, backend.history(&key).await)?;
    }
    if !backend.supports(Capability::Watch) {
        match refused("watching", backend.watch(space.under(""), None).await)? {
            WatchError::Unsupported(Capability::Watch) => {}
            other => return unexpected("watching", &other),
        }
    }
    let write = |txn: Transaction| txn.put(space.key("b"), "1".into());
    let empty = write(Txn::new().require_none_in(space.under("in/")));
    let unchanged = write(Txn::new().require_unchanged_in(space.under("in/"), revision));
    let lacks_one = lacks(&space, Capability::EmptyRange, empty).await?;
    let lacks_other = lacks(&space, Capability::UnchangedRange, unchanged).await?;
    if lacks_one || lacks_other {
        ensure(space.get("b").await?.is_none(), "nothing of it was written")?;
    }
    Ok(())
}

/// Polls it so many times, and gives it up.
fn give_up<F: Future>(future: F, polls: usize) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if future.as_mut().poll(&mut context).is_ready() {
            break;
        }
    }
}

/// It may have taken place, whole, or not; and everything goes on.
pub(super) async fn a_future_that_is_given_up_leaves_the_store_whole<B: Backend>(
    space: Space<B>,
) -> Verdict {
    let backend = space.backend();
    let value = |text: &'static str| Bytes::from_static(text.as_bytes());
    for polls in 0..3 {
        let before = space.put("a", "before").await?.revision();
        give_up(backend.put_if(space.key("a"), value("given up"), before.into()), polls);
        let pair = || Txn::new().put(space.key("x"), value("1")).put(space.key("y"), value("1"));
        give_up(backend.commit(pair().require(space.key("x"), Precondition::Absent)), polls);
        give_up(backend.delete_if(space.key("none"), Precondition::Any), polls);
        give_up(backend.get(&space.key("a")), polls);
        give_up(backend.snapshot(), polls);
        if backend.supports(Capability::Watch) {
            give_up(backend.watch(space.under(""), None), polls);
        }
        // What was given up may still be on its way, so that only what it cannot be is refused.
        let entry = space.entry("a").await?;
        let texts = [value("before"), value("given up")];
        ensure(texts.contains(entry.value()), "it took place or not")?;
        let snapshot = space.entries().await?;
        let at = |name: &str| {
            let key = space.key(name);
            snapshot
                .iter()
                .find(|(there, _)| *there == key)
                .map(|(_, entry)| Entry::revision(entry))
        };
        ensure_eq("the keys of a transaction that was given up", at("x"), at("y"))?;
        let _whole = backend.commit(pair()).await?;
        let txn = Txn::new().delete(space.key("x")).delete(space.key("y"));
        let _gone = backend.commit(txn).await?;
    }
    Ok(())
}
