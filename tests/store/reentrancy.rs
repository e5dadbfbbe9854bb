//! The store calls its user's code under no lock: everything of a key, a value or a waker may use the same store.
//!
//! Each test lets one piece of user code call back into the store on the key that is being written, in a thread with
//! a time limit: with a lock held that is a deadlock.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering as Atomically};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use ifmatch::{Precondition, Store};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::{block_on, scratch, within};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Moment {
    CloneOfKey,
    DropOfKey,
    EncodingOfKey,
    DropOfValue,
    EncodingOfValue,
}

/// What is to happen the next time that user code numbered so runs. It happens once.
static HOOKS: Mutex<Option<HashMap<(Moment, u64), Hook>>> = Mutex::new(None);

type Hook = Box<dyn FnOnce() + Send>;

fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Atomically::Relaxed)
}

fn on(moment: Moment, id: u64, hook: impl FnOnce() + Send + 'static) {
    HOOKS.lock().unwrap().get_or_insert_default().insert((moment, id), Box::new(hook));
}

fn run(moment: Moment, id: u64) {
    let hook = HOOKS.lock().unwrap().as_mut().and_then(|hooks| hooks.remove(&(moment, id)));
    if let Some(hook) = hook {
        hook();
    }
}

#[derive(Debug, Deserialize)]
struct Key(u64);

#[derive(Debug)]
struct Value(u64);

impl Clone for Key {
    fn clone(&self) -> Self {
        run(Moment::CloneOfKey, self.0);
        Self(self.0)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        run(Moment::DropOfKey, self.0);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        run(Moment::EncodingOfKey, self.0);
        self.0.serialize(serializer)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        run(Moment::DropOfValue, self.0);
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        run(Moment::EncodingOfValue, self.0);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self)
    }
}

type Subject = Store<Key, Value>;

/// A way of writing a key that is given by its number.
type WriteAt = fn(&Subject, u64);

/// A way of writing a key that is borrowed.
type WriteOf = fn(&Subject, &Key);

/// The body of a hook, which uses the store on `key`, and the proof that it ran.
fn reenter(store: &Subject, key: u64) -> (impl FnOnce() + Send + 'static, Arc<AtomicU64>) {
    let (store, ran) = (store.clone(), Arc::new(AtomicU64::new(0)));
    let proof = Arc::clone(&ran);
    let hook = move || {
        let _entry = store.get(Key(key));
        store.put(Key(key), Value(0)).unwrap();
        let _conflict = store.create(Key(key), Value(0)).unwrap_err();
        store.update(Key(key), |_| Value(0)).unwrap();
        let _count = store.len();
        ran.fetch_add(1, Atomically::Release);
    };
    (hook, proof)
}

/// Commits so much that what was replaced before is kept for watches no longer.
fn push_out_of_the_window(store: &Subject, key: u64) {
    for _ in 0..200 {
        store.put(Key(key), Value(0)).unwrap();
    }
}

/// Waits for what may happen on the log's own thread.
fn assert_ran(name: &str, proof: &AtomicU64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while proof.load(Atomically::Acquire) == 0 {
        assert!(Instant::now() < deadline, "{name}: the hook never ran");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs `test` on a store in memory with one shard, and on one with a log.
fn everywhere(test: fn(&str, &Subject)) {
    within(20, move || test("in memory", &Store::builder().shards(1).watch_window(64).build()));
    within(20, move || {
        let directory = scratch();
        let store = Store::builder().shards(1).watch_window(64).open(directory.path()).unwrap();
        test("on a log", &store);
    });
}

#[test]
fn dropping_a_value_may_use_the_store() {
    everywhere(|name, store| {
        let key = fresh();
        let cases: [(&str, WriteAt); 4] = [
            ("overwritten", |store, key| assert!(store.put(Key(key), Value(0)).is_ok())),
            ("deleted", |store, key| drop(store.delete(Key(key)).unwrap())),
            ("updated", |store, key| assert!(store.update(Key(key), |_| Value(0)).is_ok())),
            ("submitted over", |store, key| {
                block_on(store.submit_put_if(Key(key), Value(0), Precondition::Any)).unwrap();
            }),
        ];
        for (case, write) in cases {
            let value = fresh();
            store.put(Key(key), Value(value)).unwrap();
            let (hook, proof) = reenter(store, key);
            on(Moment::DropOfValue, value, hook);
            write(store, key);
            push_out_of_the_window(store, key);
            assert_ran(&format!("{name}, {case}"), &proof);
        }
        let rejected = fresh();
        let (hook, proof) = reenter(store, key);
        on(Moment::DropOfValue, rejected, hook);
        drop(store.create(Key(key), Value(rejected)));
        assert_ran(&format!("{name}, rejected"), &proof);
    });
}

#[test]
fn cloning_a_key_may_use_the_store() {
    everywhere(|name, store| {
        let cases: [(&str, WriteOf); 4] = [
            ("create", |store, key| assert!(store.put(key, Value(0)).is_ok())),
            ("overwrite", |store, key| {
                store.put(Key(key.0), Value(0)).unwrap();
                store.update(key, |_| Value(0)).unwrap();
            }),
            ("conflict", |store, key| {
                store.put(Key(key.0), Value(0)).unwrap();
                drop(store.create(key, Value(0)).unwrap_err());
            }),
            ("submit", |store, key| {
                block_on(store.submit_put_if(key, Value(0), Precondition::Any)).unwrap();
            }),
        ];
        for (case, write) in cases {
            let key = fresh();
            let (hook, proof) = reenter(store, key);
            on(Moment::CloneOfKey, key, hook);
            write(store, &Key(key));
            assert_ran(&format!("{name}, {case}"), &proof);
        }
    });
}

#[test]
fn dropping_a_key_may_use_the_store() {
    everywhere(|name, store| {
        let key = fresh();
        let neighbour = fresh();
        store.put(Key(key), Value(0)).unwrap();
        let removed = Key(key);
        let (hook, proof) = reenter(store, neighbour);
        store.put(Key(neighbour), Value(0)).unwrap();
        on(Moment::DropOfKey, key, hook);
        drop(store.delete(&removed).unwrap());
        assert_ran(name, &proof);
    });
}

#[test]
fn encoding_may_use_the_store() {
    within(20, || {
        let directory = scratch();
        let store: Subject =
            Store::builder().shards(1).watch_window(64).open(directory.path()).unwrap();
        let key = fresh();
        for moment in [Moment::EncodingOfKey, Moment::EncodingOfValue] {
            let value = fresh();
            let (hook, proof) = reenter(&store, key);
            on(moment, if moment == Moment::EncodingOfKey { key } else { value }, hook);
            store.put(Key(key), Value(value)).unwrap();
            assert_ran(&format!("{moment:?}"), &proof);
        }
    });
}

#[test]
fn closures_may_use_the_store() {
    everywhere(|name, store| {
        let key = fresh();
        let mut runs = 0;
        store
            .update(Key(key), |current| {
                runs += 1;
                if runs == 1 {
                    assert!(current.is_none());
                    store.put(Key(key), Value(0)).unwrap();
                } else {
                    assert!(current.is_some(), "the second run sees what the first did");
                }
                let _entry = store.get(Key(key));
                Value(0)
            })
            .unwrap();
        assert_eq!(runs, 2, "{name}: a closure that wins its own race runs again");
        assert_eq!(store.get(Key(key)).unwrap().write_count(), 2, "{name}");

        let other = fresh();
        let entry = store
            .get_or_create(Key(other), || {
                store.put(Key(other), Value(7)).unwrap();
                Value(8)
            })
            .unwrap();
        assert_eq!(entry.0, 7, "{name}: what came first is what is given");
    });
}

#[test]
fn a_closure_that_panics_changes_nothing() {
    everywhere(|name, store| {
        let key = fresh();
        let revision = store.put(Key(key), Value(7)).unwrap();
        let update = || store.update(Key(key), |_| panic!("on purpose"));
        assert!(catch_unwind(AssertUnwindSafe(update)).is_err());
        let create = || store.get_or_create(Key(fresh()), || panic!("on purpose"));
        assert!(catch_unwind(AssertUnwindSafe(create)).is_err());
        assert_eq!(store.get(Key(key)).unwrap().revision(), revision, "{name}");
        assert_eq!(store.revision(), revision, "{name}");
        store.put(Key(key), Value(8)).unwrap();
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
        self.store.put(Key(self.key), Value(0)).unwrap();
        let _entry = self.store.get(Key(self.key));
        self.store.submit_put_if(Key(self.key), Value(0), Precondition::Any).wait().unwrap();
        self.woken.fetch_add(1, Atomically::Release);
    }
}

impl Drop for Reenters {
    fn drop(&mut self) {
        self.store.put(Key(self.key), Value(0)).unwrap();
        self.dropped.fetch_add(1, Atomically::Release);
    }
}

#[test]
fn a_waker_may_use_the_store() {
    within(20, || {
        let directory = scratch();
        let store: Subject =
            Store::builder().shards(1).watch_window(64).open(directory.path()).unwrap();
        let (key, woken, dropped) = (fresh(), Arc::default(), Arc::default());
        let mut pending = 0_u64;
        for _ in 0..50 {
            let mut write = store.submit_put_if(Key(key), Value(0), Precondition::Any);
            let waker = Waker::from(Arc::new(Reenters {
                store: store.clone(),
                key,
                woken: Arc::clone(&woken),
                dropped: Arc::clone(&dropped),
            }));
            let first = Pin::new(&mut write).poll(&mut Context::from_waker(&waker));
            pending += u64::from(first.is_pending());
            drop(waker);
            if first.is_pending() {
                block_on(write).unwrap();
            }
        }
        assert!(pending > 0, "no write was ever pending");
        let deadline = Instant::now() + Duration::from_secs(10);
        while dropped.load(Atomically::Acquire) < 50 {
            assert!(Instant::now() < deadline, "a waker was kept");
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// A key whose hash panics when its fuse, counted down by every hash, reaches zero.
#[derive(Clone, Debug)]
struct Fused(u64, Arc<AtomicU64>);

impl Hash for Fused {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let armed = |fuse: u64| fuse.checked_sub(1);
        if self.1.fetch_update(Atomically::Relaxed, Atomically::Relaxed, armed) == Ok(1) {
            panic!("on purpose");
        }
        self.0.hash(state);
    }
}

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Fused {}

impl PartialOrd for Fused {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fused {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[test]
fn a_hash_that_panics_while_the_map_grows_loses_nothing() {
    within(20, || {
        let store = Store::<Fused, u64>::builder().shards(1).build();
        let fuse = Arc::new(AtomicU64::new(0));
        let mut panics = 0;
        for count in 0..500 {
            let key = Fused(count, Arc::clone(&fuse));
            // The first hash is that of the new key; all after it are the map growing.
            fuse.store(2 + count / 2, Atomically::Relaxed);
            let create = || store.create(key.clone(), count);
            let outcome = catch_unwind(AssertUnwindSafe(create));
            fuse.store(0, Atomically::Relaxed);
            if outcome.is_err() {
                panics += 1;
                assert_eq!(
                    u64::try_from(store.len()).unwrap(),
                    count,
                    "the create that panicked has not happened"
                );
                assert!(!store.contains(&key));
                store.create(key, count).unwrap();
            }
            assert_eq!(store.revision().get(), count + 2, "it took no revision");
            for earlier in 0..=count {
                let entry = store.get(Fused(earlier, Arc::clone(&fuse)));
                assert_eq!(entry.map(|entry| *entry), Some(earlier));
            }
        }
        assert!(panics >= 5, "the map grew {panics} times only");
    });
}
