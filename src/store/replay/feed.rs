//! Two threads read a log: one gets and decodes it, the other puts what was decoded where it belongs.
//!
//! What is decoded waits in batches, a few at most, so that memory stays bounded whatever the records are. A log of less
//! than a batch is read by one thread. So is all of it if another cannot be had.

use std::hash::BuildHasher;
use std::panic::resume_unwind;

use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError};
use crate::key::AsKey;
use crate::log::{Apply, Item};
use crate::store::shards::Shards;
use crate::sync::{Scope, ScopedJoinHandle, ScopedThread, SyncSender, scope, size, sync_channel};

use super::{Replay, Step, decoded};

/// A batch has so many items,
const BATCH_ITEMS: usize = size(1 << 10, usize::MAX);

/// unless their keys and values have so many bytes.
const BATCH_BYTES: usize = size(1 << 20, usize::MAX);

/// So many batches wait.
const AHEAD: usize = 4;

/// Replays all that `read` gives to what it is called with.
pub(in crate::store) fn feed<'a, K, V, S, C, R, E>(
    shards: &'a Shards<K, V, S>,
    replay: Replay<'a, K, V, S>,
    read: impl FnOnce(&mut Apply<'_>) -> Result<R, E>,
) -> Result<(R, Replay<'a, K, V, S>), E>
where
    K: AsKey<K> + DeserializeOwned + Send + Sync,
    V: DeserializeOwned + Send + Sync,
    S: BuildHasher + Sync,
    C: Codec,
{
    scope(|scope| {
        let mut feed =
            Feed { scope, shards, batch: Vec::new(), bytes: 0, here: Some(replay), there: None };
        let read = read(&mut |item| feed.push::<C>(item))?;
        Ok((read, feed.finish()))
    })
}

struct Feed<'scope, 'env, K, V, S> {
    scope: &'scope Scope<'scope, 'env>,
    shards: &'env Shards<K, V, S>,
    batch: Vec<Step<K, V>>,
    /// Of its keys and values.
    bytes: usize,
    /// The store that is being read, unless another thread has it.
    here: Option<Replay<'env, K, V, S>>,
    there: Option<Other<'scope, 'env, K, V, S>>,
}

/// The thread that puts things where they belong.
struct Other<'scope, 'env, K, V, S> {
    batches: SyncSender<Vec<Step<K, V>>>,
    thread: ScopedJoinHandle<'scope, Option<Replay<'env, K, V, S>>>,
}

impl<'scope, 'env, K, V, S> Feed<'scope, 'env, K, V, S>
where
    K: AsKey<K> + Send + Sync + 'scope,
    V: Send + Sync + 'scope,
    S: BuildHasher + Sync + 'scope,
{
    fn push<C: Codec>(&mut self, item: Item<'_>) -> Result<(), CodecError>
    where
        K: DeserializeOwned,
        V: DeserializeOwned,
    {
        self.bytes += item.bytes();
        self.batch.push(decoded::<K, V, C>(item, |key| self.shards.hash(key))?);
        if self.batch.len() >= BATCH_ITEMS || self.bytes >= BATCH_BYTES {
            self.pass_on();
        }
        Ok(())
    }

    fn pass_on(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        self.there = self.there.take().or_else(|| self.start());
        match (&self.there, &mut self.here) {
            (Some(other), _) => {
                // It takes no more only if it panicked, as this thread does then.
                if other.batches.send(batch).is_err() {
                    self.here = self.joined();
                }
            }
            (None, Some(replay)) => batch.into_iter().for_each(|step| replay.apply(step)),
            (None, None) => unreachable!("the store is here, or there"),
        }
    }

    /// Gives the store to another thread, if one can be had.
    fn start(&mut self) -> Option<Other<'scope, 'env, K, V, S>> {
        let (begin, begun) = sync_channel::<Replay<'env, K, V, S>>(1);
        let (batches, taken) = sync_channel::<Vec<Step<K, V>>>(AHEAD);
        let work = move || {
            let mut replay = begun.recv().ok()?;
            taken.into_iter().flatten().for_each(|step| replay.apply(step));
            Some(replay)
        };
        let thread = ScopedThread::new().name("ifmatch-open".to_owned());
        let thread = thread.spawn_scoped(self.scope, work).ok()?;
        begin.send(self.here.take()?).ok()?;
        Some(Other { batches, thread })
    }

    /// The store, after the other thread has done all that was passed on to it.
    fn joined(&mut self) -> Option<Replay<'env, K, V, S>> {
        let Other { batches, thread } = self.there.take()?;
        drop(batches);
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn finish(mut self) -> Replay<'env, K, V, S> {
        let replay = self.joined().or_else(|| self.here.take());
        let mut replay = replay.expect("it is here, or was there");
        self.batch.into_iter().for_each(|step| replay.apply(step));
        replay
    }
}
