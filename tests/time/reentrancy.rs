//! The store calls its user's code under no lock: a closure, a waker, an iterator's consumer, and everything of a key or
//! value may use the same store, in every way.
//!
//! Each test lets one piece of user code call every public method on the very key that is being used, in a thread with a
//! time limit: with a lock held, that is a deadlock.

mod clones;
mod drops;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomically};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use ifmatch::{Builder, Precondition, Store, Txn, WatchError};

use crate::common::{block_on, disk, scratch, within};
use crate::hooks::{Hundred, Key, Moment, Name, Value, fresh, on};

type Subject = Store<Key, Value>;

/// Every way to read.
fn read_everything(store: &Subject, key: u64) {
    let _entry = store.get(Name(key));
    let _exists = store.contains(Key(key));
    let _counts = (store.len(), store.is_empty(), store.revision(), store.identity());
    let _opened = (store.recovery().is_some(), store.stats(), format!("{store:?}"));
    let _past = store.get_at(Name(key), store.revision());
    let _history = store.history(Key(key)).versions().len();
    let mut scan = store.range(Key(key)..);
    let _both_ends = (scan.next(), scan.next_back(), scan.rest(), scan.revision());
    drop(scan);
    let _all = store.iter().take(3).count() + store.prefix(Hundred(key)).rev().count();
    let snapshot = store.snapshot();
    let _again = (store.try_snapshot().is_ok(), snapshot.clone().revision());
    let _in_it = (snapshot.get(Key(key)), snapshot.contains(Name(key)), snapshot.len());
    let _all_of_it = (snapshot.is_empty(), snapshot.iter().next(), snapshot.range(..).next_back());
    let _under = snapshot.prefix(Hundred(key)).count();
    let _earlier = store.snapshot_at(snapshot.revision()).map(|earlier| earlier.len());
}

/// Every way to write, but for awaiting it.
fn write_everything(store: &Subject, key: u64) {
    store.put(Name(key), Value(0)).unwrap();
    let _conflict = store.create(Key(key), Value(0));
    let _either = store.put_if(Key(key), Value(0), Precondition::Present);
    store.update(Name(key), |_| Value(0)).unwrap();
    let _entry = store.get_or_create(Key(key), || Value(0)).unwrap();
    store.submit_put_if(Key(key), Value(0), Precondition::Any).wait().unwrap();
    drop(store.submit_delete_if(Key(key), Precondition::Any));
    let _either = store.delete_if(Key(key), Precondition::Present);
    let _nothing = store.delete(Name(key)).unwrap();
    let txn = || Txn::new().require(Name(key), Precondition::Any).put(Key(key), Value(0));
    store.commit(txn()).unwrap();
    store.submit(txn()).wait().unwrap();
    let blocked = txn().require_none_under(Hundred(key)).require_none_in(..);
    let _given_back = store.commit(blocked).map_err(|error| error.into_txn().is_some());
    let since = store.revision();
    let unchanged = txn().require_unchanged_under(Hundred(key), since);
    let _either = store.commit(unchanged.require_unchanged_in(Key(key)..=Key(key), since));
    let outcome = store.transact(|transaction| {
        let _read = (transaction.get(Name(key))?.is_some(), transaction.revision());
        let _ranges =
            transaction.range(Key(key)..)?.len() + transaction.prefix(Hundred(key))?.len();
        transaction.put(Name(key), Value(0));
        transaction.delete(Key(key + 1));
        Ok(())
    });
    // Somebody may do the same on the same key at the same time.
    drop(outcome);
    store.put(Key(key), Value(0)).unwrap();
    store.sync().unwrap();
}

/// Every way to watch.
fn watch_everything(store: &Subject, key: u64) {
    let since = store.revision();
    store.put(Key(key), Value(0)).unwrap();
    let builder = store.watch().key(Name(key)).prefix(Hundred(key)).range(Key(key)..);
    let mut watch = builder.since(since).with_previous().open().unwrap();
    let _position = watch.position();
    let _first = watch.recv().unwrap().into_events();
    let _next = watch.try_recv();
    let _later = watch.recv_timeout(Duration::from_micros(10));
    let _iterated = watch.iter_timeout(Duration::from_micros(10)).take(1).count();
    watch.canceller().cancel();
    assert!(matches!(watch.recv(), Err(WatchError::Cancelled)));
    let _unopened = store.watch();
}

/// Writes that are awaited, which a waker must not do.
fn await_everything(store: &Subject, key: u64) {
    block_on(store.submit_put_if(Key(key), Value(0), Precondition::Any)).unwrap();
    let _either = block_on(store.submit_delete_if(Key(key), Precondition::Present));
    block_on(store.submit(Txn::new().put(Key(key), Value(0)))).unwrap();
}

/// Every public method, but those that end the store.
fn use_everything(store: &Subject, key: u64) {
    read_everything(store, key);
    write_everything(store, key);
    watch_everything(store, key);
    await_everything(store, key);
}

/// The body of a hook, which uses the store on `key`, and the proof that it ran to its end.
fn reenter(store: &Subject, key: u64) -> (impl FnOnce() + Send + 'static, Arc<AtomicU64>) {
    let (store, ran) = (store.clone(), Arc::new(AtomicU64::new(0)));
    let proof = Arc::clone(&ran);
    let hook = move || {
        use_everything(&store, key);
        ran.fetch_add(1, Atomically::Release);
    };
    (hook, proof)
}

/// Waits for what may happen on the log's own threads, or when the window and history move on.
fn assert_ran(name: &str, store: &Subject, of: Of, key: u64, proof: &AtomicU64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let other = fresh();
    while proof.load(Atomically::Acquire) == 0 {
        assert!(Instant::now() < deadline, "{name}: the hook never ran, or never ended");
        for _ in 0..70 {
            store.put(Key(other), Value(0)).unwrap();
        }
        if of == Of::Value {
            (0..2).for_each(|_| put(store, key, 0));
        }
        // What a deleted key keeps is given back when others are deleted.
        (0..2).for_each(|more| drop(store.delete(Key(other + more)).unwrap()));
        store.put(Key(other + 1), Value(0)).unwrap();
        store.sync().unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn small(builder: Builder<Key, Value>) -> Builder<Key, Value> {
    builder.shards(1).watch_window(64)
}

/// Runs `test` on stores with one shard and the smallest window: in memory and on a log, with and without history.
fn everywhere(test: impl Fn(&str, &Subject) + Clone + Send + 'static) {
    for with_history in [false, true] {
        for on_a_log in [false, true] {
            let test = test.clone();
            within(60, move || {
                let name = format!("on a log: {on_a_log}, with history: {with_history}");
                let builder = small(Store::builder());
                let builder = match with_history {
                    true => builder.history(2).history_commits(10).max_deleted(1),
                    false => builder,
                };
                let directory = scratch();
                if on_a_log {
                    test(&name, &builder.open(directory.path()).unwrap());
                } else {
                    test(&name, &builder.build());
                }
            });
        }
    }
}

/// Something that makes user code run: with the store, the number of a key, that of a value, and what arms the hook.
type Act = fn(&Subject, u64, u64, &dyn Fn());

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Key,
    Value,
}

/// Each of `cases` makes the user code of `moment` run, of its key or its value, and that uses the store.
fn check(moment: Moment, of: Of, cases: &'static [(&'static str, Act)]) {
    everywhere(move |home, store| {
        for (name, act) in cases {
            let (key, value) = (fresh(), fresh());
            let (hook, proof) = reenter(store, key);
            let hook = std::cell::Cell::new(Some(hook));
            let arm = || {
                let hook = hook.take().expect("a case arms its hook once");
                on(moment, if of == Of::Key { key } else { value }, hook);
            };
            act(store, key, value, &arm);
            assert_ran(&format!("{home}: {moment:?}, {name}"), store, of, key, &proof);
        }
    });
}

fn put(store: &Subject, key: u64, value: u64) {
    store.put(Key(key), Value(value)).unwrap();
}

fn any(key: u64) -> Txn<Key, Value> {
    Txn::new().put(Key(key), Value(0))
}

#[test]
fn encoding_and_decoding_may_use_the_store() {
    for (moment, of) in [
        (Moment::EncodingOfKey, Of::Key),
        (Moment::DecodingOfKey, Of::Key),
        (Moment::EncodingOfValue, Of::Value),
        (Moment::DecodingOfValue, Of::Value),
    ] {
        within(20, move || {
            let directory = scratch();
            let store = small(Store::builder()).open(directory.path()).unwrap();
            let write: [fn(&Subject, u64, u64); 3] = [
                |store, key, value| put(store, key, value),
                |store, key, value| {
                    store.commit(Txn::new().put(Key(key), Value(value))).unwrap();
                },
                |store, key, value| {
                    let put = store.submit_put_if(Key(key), Value(value), Precondition::Any);
                    block_on(put).unwrap();
                },
            ];
            for write in write {
                let (key, value) = (fresh(), fresh());
                let (hook, proof) = reenter(&store, key);
                on(moment, if of == Of::Key { key } else { value }, hook);
                write(&store, key, value);
                assert_ran(&format!("{moment:?}"), &store, of, key, &proof);
            }
        });
    }
}

#[test]
fn a_closure_may_use_the_store() {
    everywhere(|name, store| {
        let key = fresh();
        let mut runs = 0;
        store
            .update(Key(key), |current| {
                runs += 1;
                if runs == 1 {
                    assert!(current.is_none());
                    use_everything(store, key);
                } else {
                    assert!(current.is_some(), "the second run sees what the first did");
                }
                Value(0)
            })
            .unwrap();
        assert_eq!(runs, 2, "{name}: a closure that wins its own race runs again");

        let other = fresh();
        let entry = store
            .get_or_create(Key(other), || {
                use_everything(store, other);
                put(store, other, 7);
                Value(8)
            })
            .unwrap();
        assert_eq!(entry.0, 7, "{name}: what came first is what is given");

        let third = fresh();
        let mut runs = 0;
        let outcome = store.transact(|transaction| {
            runs += 1;
            let before = transaction.get(Key(third))?.is_some();
            assert_eq!(before, runs > 1, "the second run sees what the first did");
            if runs == 1 {
                use_everything(store, third);
                // A transaction of its own, on the key that this one has read.
                let inner = store.transact(|inner| {
                    inner.put(Key(third), Value(0));
                    Ok(())
                });
                inner.unwrap();
            }
            transaction.put(Key(third), Value(9));
            Ok(())
        });
        outcome.unwrap();
        assert_eq!(runs, 2, "{name}");
        assert_eq!(store.get(Key(third)).unwrap().0, 9, "{name}");
    });
}

#[test]
fn the_consumer_of_a_scan_or_a_watch_may_use_the_store() {
    everywhere(|_, store| {
        let first = fresh();
        for _ in 0..10 {
            put(store, fresh(), 0);
        }
        let snapshot = store.snapshot();
        let mut watch = store.watch().since(snapshot.revision()).open().unwrap();
        let mut steps = 0;
        for (key, _) in snapshot.range(Key(first)..) {
            use_everything(store, key.0);
            steps += 1;
        }
        for (key, _) in store.range(Key(first)..).rev() {
            use_everything(store, key.0);
            steps += 1;
        }
        assert!(steps >= 20);
        for _ in 0..5 {
            match watch.try_recv() {
                Ok(commit) => use_everything(store, commit.events()[0].key().0),
                Err(WatchError::Lagged { .. }) => use_everything(store, first),
                Err(other) => panic!("{other}"),
            }
        }
    });
}

/// A waker that uses the store when it is woken and when it is dropped.
struct Reenters {
    store: Subject,
    key: u64,
    woken: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Wake for Reenters {
    fn wake(self: Arc<Self>) {
        self.use_the_store();
        self.woken.fetch_add(1, Atomically::Release);
    }
}

impl Reenters {
    fn use_the_store(&self) {
        read_everything(&self.store, self.key);
        write_everything(&self.store, self.key);
        watch_everything(&self.store, self.key);
    }
}

impl Drop for Reenters {
    fn drop(&mut self) {
        self.use_the_store();
        self.dropped.fetch_add(1, Atomically::Release);
    }
}

fn wait_for(what: &str, count: &AtomicU64, enough: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while count.load(Atomically::Acquire) < enough {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_waker_of_a_pending_write_may_use_the_store() {
    within(60, || {
        let directory = disk();
        let store: Subject = Store::builder().shards(1).open(directory.path()).unwrap();
        let (key, woken, dropped) = (fresh(), Arc::default(), Arc::default());
        // A disk that is quicker than we are leaves nothing pending.
        let (mut pendings, mut wakers) = (0, 0);
        while pendings < 10 && wakers < 5_000 {
            let waker = Waker::from(Arc::new(Reenters {
                store: store.clone(),
                key,
                woken: Arc::clone(&woken),
                dropped: Arc::clone(&dropped),
            }));
            wakers += 1;
            let mut context = Context::from_waker(&waker);
            if wakers % 2 == 0 {
                let mut write = store.submit_put_if(Key(key), Value(0), Precondition::Any);
                if Pin::new(&mut write).poll(&mut context).is_pending() {
                    pendings += 1;
                    wait_for("it was never woken", &woken, pendings);
                    block_on(write).unwrap();
                }
            } else {
                let mut commit = store.submit(any(key));
                if Pin::new(&mut commit).poll(&mut context).is_pending() {
                    pendings += 1;
                    wait_for("it was never woken", &woken, pendings);
                    block_on(commit).unwrap();
                }
            }
        }
        assert!(pendings > 0, "no write was ever pending");
        wait_for("a waker was kept", &dropped, wakers);
    });
}

#[cfg(feature = "stream")]
#[test]
fn the_waker_of_a_stream_may_use_the_store() {
    use futures_core::Stream;

    everywhere(|_, store| {
        let (key, woken, dropped) = (fresh(), Arc::default(), Arc::default());
        for round in 1..=20 {
            let waker = Waker::from(Arc::new(Reenters {
                store: store.clone(),
                key,
                woken: Arc::clone(&woken),
                dropped: Arc::clone(&dropped),
            }));
            let mut watch = store.watch().open().unwrap();
            let mut context = Context::from_waker(&waker);
            assert!(Pin::new(&mut watch).poll_next(&mut context).is_pending());
            // A task that moved: the waker from before is dropped for another one.
            let moved = Waker::from(Arc::new(Reenters {
                store: store.clone(),
                key,
                woken: Arc::clone(&woken),
                dropped: Arc::clone(&dropped),
            }));
            drop(waker);
            let mut fetched = Pin::new(&mut watch).poll_next(&mut Context::from_waker(&moved));
            while fetched.is_ready() {
                // What dropping the first waker has written.
                fetched = Pin::new(&mut watch).poll_next(&mut Context::from_waker(&moved));
            }
            drop(moved);
            put(store, key, 0);
            wait_for("it was never woken", &woken, round);
            assert!(
                Pin::new(&mut watch).poll_next(&mut Context::from_waker(Waker::noop())).is_ready()
            );
        }
        wait_for("a waker was kept", &dropped, 40);
    });
}

#[test]
fn closing_in_user_code_ends_the_store_and_nothing_else() {
    within(30, || {
        for moment in [Moment::DropOfValue, Moment::EncodingOfValue] {
            let directory = scratch();
            let store = small(Store::builder()).open(directory.path()).unwrap();
            let (key, value) = (fresh(), fresh());
            let mut watch = store.watch().open().unwrap();
            let (closing, ran) = (store.clone(), Arc::new(AtomicU64::new(0)));
            let proof = Arc::clone(&ran);
            on(moment, value, move || {
                closing.close().unwrap();
                ran.fetch_add(1, Atomically::Release);
            });
            let _either = store.put(Key(key), Value(value));
            while store.put(Key(key), Value(0)).is_ok() {}
            wait_for("it was never closed", &proof, 1);
            while !matches!(watch.recv(), Err(WatchError::Closed)) {}
            read_everything(&store, key);
            drop((store, watch));
            assert!(small(Store::builder()).open(directory.path()).is_ok());
        }
    });
}
