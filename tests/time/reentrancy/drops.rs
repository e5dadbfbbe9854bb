//! What runs when a value or a key is dropped: at once, when a snapshot goes, or when the window or history move on.

use ifmatch::{Precondition, Txn};

use crate::common::block_on;
use crate::hooks::{Hundred, Key, Moment, Value};

use super::{Of, any, check, put};

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
