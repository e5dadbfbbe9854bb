//! What runs when a value or a key is dropped: at once, when a snapshot goes, or when the window or history move on.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use ifmatch::{Pending, Precondition, Store, Txn};

use crate::common::{block_on, eventually, scratch, within};
use crate::hooks::{Hundred, Key, Moment, Value, fresh, on};

use super::{Of, Subject, any, await_everything, check, put, small};

#[test]
fn dropping_a_value_may_use_the_store() {
    check(
        Moment::DropOfValue,
        Of::Value,
        &[
            ("overwritten", |store, key, value, arm| {
                put(store, key, value);
                arm();
                put(store, key, 0);
            }),
            ("deleted", |store, key, value, arm| {
                put(store, key, value);
                arm();
                drop(store.delete(Key(key)).unwrap());
            }),
            ("updated", |store, key, value, arm| {
                put(store, key, value);
                arm();
                store.update(Key(key), |_| Value(0)).unwrap();
            }),
            ("submitted over", |store, key, value, arm| {
                put(store, key, value);
                arm();
                block_on(store.submit_put_if(Key(key), Value(0), Precondition::Any)).unwrap();
            }),
            ("overwritten in a transaction", |store, key, value, arm| {
                put(store, key, value);
                arm();
                store.commit(any(key)).unwrap();
            }),
            ("deleted in a transaction", |store, key, value, arm| {
                put(store, key, value);
                arm();
                store.commit(any(key + 500_000).delete(Key(key))).unwrap();
            }),
            ("overwritten in a submitted transaction", |store, key, value, arm| {
                put(store, key, value);
                arm();
                block_on(store.submit(any(key))).unwrap();
            }),
            ("overwritten by a closure", |store, key, value, arm| {
                put(store, key, value);
                arm();
                let outcome = store.transact(|transaction| {
                    let _before = transaction.get(Key(key))?;
                    transaction.put(Key(key), Value(0));
                    Ok(())
                });
                outcome.unwrap();
            }),
            ("overwritten before it was committed", |store, key, value, arm| {
                arm();
                let outcome = store.transact(|transaction| {
                    transaction.put(Key(key), Value(value));
                    transaction.put(Key(key), Value(0));
                    Ok(())
                });
                outcome.unwrap();
            }),
            ("rejected", |store, key, value, arm| {
                put(store, key, 0);
                arm();
                drop(store.create(Key(key), Value(value)));
            }),
            ("rejected with a transaction", |store, key, value, arm| {
                arm();
                let txn = Txn::new().require(Key(key), Precondition::Present);
                drop(store.commit(txn.put(Key(key), Value(value))));
            }),
            ("rejected for a key too much", |store, key, value, arm| {
                arm();
                drop(store.commit(any(key).put(Key(key), Value(value))).unwrap_err());
            }),
            ("given up by a closure", |store, key, value, arm| {
                arm();
                let outcome = store.transact::<()>(|transaction| {
                    transaction.put(Key(key), Value(value));
                    Err(std::fmt::Error.into())
                });
                drop(outcome.unwrap_err());
            }),
            ("kept for a snapshot", |store, key, value, arm| {
                put(store, key, value);
                let snapshot = store.snapshot();
                put(store, key, 0);
                arm();
                drop(snapshot);
            }),
            ("kept for the older of two snapshots", |store, key, value, arm| {
                put(store, key, value);
                let older = store.snapshot();
                put(store, key + 500_000, 0);
                let newer = store.snapshot();
                drop(store.delete(Key(key)).unwrap());
                arm();
                drop(newer);
                drop(older);
            }),
            ("kept for a scan", |store, key, value, arm| {
                put(store, key, value);
                let mut scan = store.range(Key(key)..);
                put(store, key, 0);
                arm();
                drop(scan.next());
                drop(scan);
            }),
            ("kept for the consumer of a watch", |store, key, value, arm| {
                put(store, key, value);
                let mut watch = store.watch().key(Key(key)).with_previous().open().unwrap();
                put(store, key, 0);
                let commit = watch.recv().unwrap();
                (0..200).for_each(|_| put(store, key, 0));
                arm();
                drop(commit);
            }),
        ],
    );
}

/// Blocks whoever wakes it until it is told to go on.
struct Blocks(Mutex<(Sender<()>, Receiver<()>)>);

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        let (reached, go_on) = &*self.0.lock().unwrap();
        reached.send(()).unwrap();
        go_on.recv().unwrap();
    }
}

/// Holds up the thread that serves the futures of `store`, and leaves it a value to drop when it goes on, by what is returned.
fn held_up(store: &Subject) -> (u64, Sender<()>) {
    let (key, other, value) = (fresh(), fresh(), fresh());
    put(store, key, value);
    let (reached, is_reached) = channel();
    let (go_on, may_go_on) = channel();
    let blocks = Waker::from(Arc::new(Blocks(Mutex::new((reached, may_go_on)))));
    let submit = || store.submit_put_if(Key(other), Value(0), Precondition::Any);
    // One that is durable before it is polled wakes nobody.
    let is_pending = |mut pending: Pending<_, _, _>| {
        Pin::new(&mut pending).poll(&mut Context::from_waker(&blocks)).is_pending()
    };
    while !is_pending(submit()) {}
    is_reached.recv().unwrap();
    // While that thread is held up the value is overwritten and, once that is durable, leaves the window with what is
    // written after it: the last who holds it is that thread.
    drop(store.submit_put_if(Key(key), Value(0), Precondition::Any));
    for _ in 0..2 {
        let before = store.stats().window_start().get();
        drop((0..200).map(|_| submit()).collect::<Vec<_>>());
        eventually("the window moved on", || {
            drop(submit());
            store.stats().window_start().get() > before + 100
        });
    }
    (value, go_on)
}

/// Lets the thread that serves the futures of each of `stores` drop a value that awaits the store after it, in a ring.
fn await_each_other(stores: &[Subject]) {
    let held: Vec<_> = stores.iter().map(held_up).collect();
    let (has_awaited, proof) = channel();
    for (at, (value, _)) in held.iter().enumerate() {
        let (next, has_awaited) = (stores[(at + 1) % stores.len()].clone(), has_awaited.clone());
        let key = fresh();
        on(Moment::DropOfValue, *value, move || {
            (0..500).for_each(|_| await_everything(&next, key));
            has_awaited.send(()).unwrap();
        });
    }
    held.iter().for_each(|(_, go_on)| go_on.send(()).unwrap());
    stores.iter().for_each(|_| proof.recv().unwrap());
}

#[test]
fn dropping_a_value_may_await_the_store_on_the_thread_that_serves_futures() {
    for stores in [1, 2] {
        within(20, move || {
            let directories: Vec<_> = (0..stores).map(|_| scratch()).collect();
            let opened = directories.iter().map(|at| small(Store::builder()).open(at.path()));
            await_each_other(&opened.map(Result::unwrap).collect::<Vec<_>>());
        });
    }
}

#[test]
fn dropping_a_key_may_use_the_store() {
    check(
        Moment::DropOfKey,
        Of::Key,
        &[
            ("deleted", |store, key, _, arm| {
                put(store, key, 0);
                let named = Key(key);
                arm();
                drop(store.delete(&named).unwrap());
                (0..70).for_each(|_| put(store, key + 500_000, 0));
                std::mem::forget(named);
            }),
            ("deleted in a transaction", |store, key, _, arm| {
                put(store, key, 0);
                let txn = Txn::new().delete(Key(key));
                arm();
                store.commit(txn).unwrap();
            }),
            ("named by a conflict", |store, key, _, arm| {
                put(store, key, 0);
                let conflict = store.create(Key(key), Value(0)).unwrap_err();
                arm();
                drop(conflict);
            }),
            ("named by a blocked transaction", |store, key, _, arm| {
                put(store, key, 0);
                let txn = Txn::new().require_none_under(Hundred(key));
                arm();
                drop(store.commit(txn).unwrap_err());
            }),
            ("yielded by a scan", |store, key, _, arm| {
                put(store, key, 0);
                let mut scan = store.prefix(Hundred(key));
                arm();
                drop(scan.next());
            }),
            ("told by a watch", |store, key, _, arm| {
                let mut watch = store.watch().prefix(Hundred(key)).open().unwrap();
                put(store, key, 0);
                arm();
                drop(watch.recv().unwrap());
            }),
            ("read by a closure", |store, key, _, arm| {
                put(store, key, 0);
                arm();
                let outcome = store.transact(|transaction| {
                    drop(transaction.prefix(Hundred(key))?);
                    transaction.put(Key(key), Value(0));
                    Ok(())
                });
                outcome.unwrap();
            }),
        ],
    );
}
