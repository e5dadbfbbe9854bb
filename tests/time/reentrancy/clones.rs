//! What runs when a key is cloned, or made of a borrowed name.

use ifmatch::{Precondition, Txn};

use crate::common::block_on;
use crate::hooks::{Hundred, Key, Moment, Name, Value};

use super::{Of, any, check, put};

#[test]
fn cloning_a_key_may_use_the_store() {
    check(
        Moment::CloneOfKey,
        Of::Key,
        &[
            ("create", |store, key, _, arm| {
                let key = Key(key);
                arm();
                store.put(&key, Value(0)).unwrap();
            }),
            ("overwrite", |store, key, _, arm| {
                put(store, key, 0);
                let key = Key(key);
                arm();
                store.update(&key, |_| Value(0)).unwrap();
            }),
            ("conflict", |store, key, _, arm| {
                put(store, key, 0);
                let key = Key(key);
                arm();
                drop(store.create(&key, Value(0)).unwrap_err());
            }),
            ("submit", |store, key, _, arm| {
                let key = Key(key);
                arm();
                block_on(store.submit_put_if(&key, Value(0), Precondition::Any)).unwrap();
            }),
            ("commit of a creation", |store, key, _, arm| {
                let txn = any(key);
                arm();
                store.commit(txn).unwrap();
            }),
            ("conflict of a transaction", |store, key, _, arm| {
                let txn = Txn::new().require(Key(key), Precondition::Present);
                arm();
                drop(store.commit(txn).unwrap_err());
            }),
            ("blockers of a transaction", |store, key, _, arm| {
                put(store, key + 1, 0);
                put(store, key, 0);
                let txn = Txn::new().require_none_in(..);
                arm();
                drop(store.commit(txn).unwrap_err());
                // Blockers are told up to a number: this one may not be among them.
                drop(Key(key).clone());
            }),
            ("change of a range", |store, key, _, arm| {
                let since = store.revision();
                put(store, key, 0);
                let txn = Txn::new().require_unchanged_in(.., since);
                arm();
                drop(store.commit(txn).unwrap_err());
            }),
            ("scan", |store, key, _, arm| {
                put(store, key, 0);
                arm();
                drop(store.prefix(Hundred(key)).next().unwrap());
            }),
            ("scan backwards", |store, key, _, arm| {
                put(store, key, 0);
                arm();
                drop(store.snapshot().range(..Key(key + 1)).next_back().unwrap());
            }),
            ("cursor", |store, key, _, arm| {
                put(store, key, 0);
                let mut scan = store.range(Key(key)..);
                drop(scan.next());
                arm();
                drop(scan.rest());
            }),
            ("event", |store, key, _, arm| {
                let mut watch = store.watch().open().unwrap();
                put(store, key, 0);
                arm();
                drop(watch.recv().unwrap().into_events());
            }),
            ("read of a transaction", |store, key, _, arm| {
                put(store, key, 0);
                arm();
                store.transact(|transaction| Ok(transaction.prefix(Hundred(key))?.len())).unwrap();
            }),
        ],
    );
}

#[test]
fn naming_a_key_may_use_the_store() {
    check(
        Moment::NamingOfKey,
        Of::Key,
        &[
            ("create", |store, key, _, arm| {
                arm();
                store.put(Name(key), Value(0)).unwrap();
            }),
            ("conflict", |store, key, _, arm| {
                put(store, key, 0);
                arm();
                drop(store.create(Name(key), Value(0)).unwrap_err());
            }),
            ("transaction", |store, key, _, arm| {
                arm();
                store.commit(Txn::new().require(Name(key), Precondition::Any)).unwrap();
            }),
            ("range", |store, key, _, arm| {
                arm();
                let _count = store.range(Name(key)..).count();
            }),
            ("read of a transaction", |store, key, _, arm| {
                arm();
                store.transact(|transaction| Ok(transaction.get(Name(key))?.is_some())).unwrap();
            }),
            ("watch", |store, key, _, arm| {
                arm();
                drop(store.watch().key(Name(key)).open().unwrap());
            }),
        ],
    );
}
