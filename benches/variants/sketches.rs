//! The contenders: sketches of the store, the store itself, and what an application writes today.

use std::borrow::BorrowMut;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard, RwLock};
use triomphe::{Arc, UniqueArc};

use crate::Bench;

pub(crate) type Value = [u8; 100];

pub(crate) trait Contender: Send + Sync {
    type Read;
    fn insert(&self, key: String, value: Value);
    fn get(&self, key: &str) -> Option<Self::Read>;
    /// The revision, and a byte of the value, so that a read pays for reaching it.
    fn look(read: &Self::Read) -> (u64, u8);
    /// Compare and swap, or an unconditional put if no revision is expected. Gives the new
    /// revision, or the current one if there is any.
    fn write(&self, key: &str, expected: Option<u64>, value: Value) -> Result<u64, Option<u64>>;
    fn visible(&self) -> u64;
}

// ---- sequencers ---------------------------------------------------------------------------------

/// Two cache lines, because the hardware fetches lines in pairs.
#[repr(align(128))]
#[derive(Default)]
struct Padded<T>(T);

#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// A mutex inside the shard lock, held for the install only.
    Nested,
    /// A drawn number, and a turn to publish it. The turn is awaited outside the shard lock, its
    /// best case; appending to a log in revision order would need to await another one inside.
    Ticket,
    /// A mutex taken before the shard lock; readers take only the shard lock.
    AroundCommits,
    AroundEverything,
}

#[derive(Default)]
struct State {
    revision: u64,
    /// Stands for "a live snapshot needs the old version".
    keep: bool,
}

struct Sequencer {
    order: Order,
    state: Padded<Mutex<State>>,
    drawn: Padded<AtomicU64>,
    visible: Padded<AtomicU64>,
}

impl Sequencer {
    fn enter_to_read(&self) -> Option<MutexGuard<'_, State>> {
        (self.order == Order::AroundEverything).then(|| self.state.0.lock())
    }

    /// Called before the shard lock.
    fn enter(&self) -> Option<MutexGuard<'_, State>> {
        let first = matches!(self.order, Order::AroundCommits | Order::AroundEverything);
        first.then(|| self.state.0.lock())
    }

    /// Called under the shard lock.
    fn assign<'a, R>(
        &'a self,
        entered: &mut Option<MutexGuard<'a, State>>,
        install: impl FnOnce(u64, bool) -> R,
    ) -> (u64, R) {
        if self.order == Order::Ticket {
            let revision = self.drawn.0.fetch_add(1, Ordering::Relaxed) + 1;
            return (revision, install(revision, black_box(false)));
        }
        let mut nested = None;
        let state = entered.as_mut().unwrap_or_else(|| nested.insert(self.state.0.lock()));
        state.revision += 1;
        let installed = install(state.revision, state.keep);
        self.visible.0.store(state.revision, Ordering::Release);
        (state.revision, installed)
    }

    /// Called after the locks.
    fn publish(&self, revision: u64) {
        if self.order == Order::Ticket {
            let mut spins = 0_u32;
            while self.visible.0.load(Ordering::Acquire) != revision - 1 {
                spins += 1;
                // The thread whose turn it is may have no core.
                if spins.is_multiple_of(32) {
                    std::thread::yield_now();
                } else {
                    std::hint::spin_loop();
                }
            }
            self.visible.0.store(revision, Ordering::Release);
        }
    }
}

// ---- layouts ------------------------------------------------------------------------------------

#[derive(Clone, Copy, Default)]
struct Stamp {
    revision: u64,
    created: u64,
    write_count: u64,
}

/// A shared version. `prepare` is called before all locks, `finish` under the sequencer.
trait Node: Clone + Send + Sync + 'static {
    type Prepared;
    fn prepare(value: Value) -> Self::Prepared;
    fn finish(prepared: Self::Prepared, stamp: Stamp) -> Self;
    fn look(&self) -> (Stamp, &Value);
}

struct Version {
    stamp: Stamp,
    value: Value,
}

/// One block, made before the locks; the revision is filled in while nobody shares it yet.
impl Node for Arc<Version> {
    type Prepared = UniqueArc<Version>;
    fn prepare(value: Value) -> UniqueArc<Version> {
        UniqueArc::new(Version { stamp: Stamp::default(), value })
    }
    fn finish(mut prepared: UniqueArc<Version>, stamp: Stamp) -> Self {
        prepared.stamp = stamp;
        prepared.shareable()
    }
    fn look(&self) -> (Stamp, &Value) {
        (self.stamp, &self.value)
    }
}

/// The standard `Arc`, made under the sequencer, because only there the revision is known.
impl Node for StdArc<Version> {
    type Prepared = Value;
    fn prepare(value: Value) -> Value {
        value
    }
    fn finish(value: Value, stamp: Stamp) -> Self {
        StdArc::new(Version { stamp, value })
    }
    fn look(&self) -> (Stamp, &Value) {
        (self.stamp, &self.value)
    }
}

/// The revisions beside the key: the check of a swap stays in the table, but slots and reads grow.
impl Node for (Stamp, Arc<Value>) {
    type Prepared = Arc<Value>;
    fn prepare(value: Value) -> Arc<Value> {
        Arc::new(value)
    }
    fn finish(value: Arc<Value>, stamp: Stamp) -> Self {
        (stamp, value)
    }
    fn look(&self) -> (Stamp, &Value) {
        (self.0, &self.1)
    }
}

#[expect(
    clippy::box_collection,
    reason = "a bare Vec would grow every slot for a few that need it"
)]
enum Newest<N> {
    One(N),
    Many(Box<Vec<N>>),
}

struct Entry<N> {
    key: String,
    newest: Newest<N>,
}

impl<N: Node> Entry<N> {
    fn newest(&self) -> &N {
        match &self.newest {
            Newest::One(version) => version,
            Newest::Many(versions) => versions.last().expect("a slot has at least one version"),
        }
    }

    /// Gives back what is needed no more, for the caller to drop under no lock.
    fn replace(&mut self, prepared: N::Prepared, revision: u64, keep: bool) -> Option<N> {
        let old = self.newest().look().0;
        let stamp = Stamp { revision, created: old.created, write_count: old.write_count + 1 };
        let version = N::finish(prepared, stamp);
        match &mut self.newest {
            Newest::One(old) if !keep => return Some(std::mem::replace(old, version)),
            Newest::One(old) => {
                self.newest = Newest::Many(Box::new(vec![old.clone(), version]));
            }
            Newest::Many(versions) => versions.push(version),
        }
        None
    }
}

/// A slot of the table is the entry or a box of it; these traits of the standard library fit both.
trait Slot<N>: BorrowMut<Entry<N>> + From<Entry<N>> + Send + Sync + 'static {}
impl<N, T: BorrowMut<Entry<N>> + From<Entry<N>> + Send + Sync + 'static> Slot<N> for T {}

struct Sketch<N, T> {
    hasher: RandomState,
    sequencer: Sequencer,
    shards: Box<[Padded<RwLock<HashTable<T>>>]>,
    node: PhantomData<fn() -> N>,
}

impl<N: Node, T: Slot<N>> Sketch<N, T> {
    fn boxed(order: Order, shards: usize) -> Box<dyn Bench> {
        assert!(shards.is_power_of_two() && shards > 1);
        let sequencer = Sequencer {
            order,
            state: Padded::default(),
            drawn: Padded::default(),
            visible: Padded::default(),
        };
        let shards = (0..shards).map(|_| Padded(RwLock::new(HashTable::new()))).collect();
        let hasher = RandomState::default();
        Box::new(Self { hasher, sequencer, shards, node: PhantomData })
    }

    /// High bits pick the shard, but not the seven highest: hashbrown tags its slots with those,
    /// and the tags within a shard would be alike.
    fn shard(&self, hash: u64) -> &RwLock<HashTable<T>> {
        let index = (hash << 7) >> (64 - self.shards.len().trailing_zeros());
        &self.shards[usize::try_from(index).expect("an index below the shard count")].0
    }
}

impl<N: Node, T: Slot<N>> Contender for Sketch<N, T> {
    type Read = N;

    fn insert(&self, key: String, value: Value) {
        let hash = self.hasher.hash_one(key.as_str());
        let prepared = N::prepare(value);
        let mut entered = self.sequencer.enter();
        let mut shard = self.shard(hash).write();
        let (revision, ()) = self.sequencer.assign(&mut entered, |revision, _| {
            let stamp = Stamp { revision, created: revision, write_count: 1 };
            let entry = Entry { key, newest: Newest::One(N::finish(prepared, stamp)) };
            let rehash = |slot: &T| self.hasher.hash_one(slot.borrow().key.as_str());
            shard.insert_unique(hash, T::from(entry), rehash);
        });
        drop(shard);
        self.sequencer.publish(revision);
    }

    fn get(&self, key: &str) -> Option<N> {
        let hash = self.hasher.hash_one(key);
        let _entered = self.sequencer.enter_to_read();
        let shard = self.shard(hash).read();
        let slot = shard.find(hash, |slot| slot.borrow().key == key)?;
        Some(slot.borrow().newest().clone())
    }

    fn look(read: &N) -> (u64, u8) {
        let (stamp, value) = read.look();
        (stamp.revision, value[0])
    }

    fn write(&self, key: &str, expected: Option<u64>, value: Value) -> Result<u64, Option<u64>> {
        let hash = self.hasher.hash_one(key);
        let prepared = N::prepare(value);
        let mut entered = self.sequencer.enter();
        let mut shard = self.shard(hash).write();
        let slot = shard.find_mut(hash, |slot| slot.borrow().key == key).ok_or(None)?;
        let entry: &mut Entry<N> = slot.borrow_mut();
        let current = entry.newest().look().0.revision;
        if expected.is_some_and(|expected| expected != current) {
            return Err(Some(current));
        }
        let install = |revision, keep| entry.replace(prepared, revision, keep);
        let (revision, replaced) = self.sequencer.assign(&mut entered, install);
        drop(shard);
        drop(entered);
        self.sequencer.publish(revision);
        drop(replaced);
        Ok(revision)
    }

    fn visible(&self) -> u64 {
        self.sequencer.visible.0.load(Ordering::Acquire)
    }
}

/// What an application writes today. Its counter is not a `visible`: what was drawn may not yet be
/// in the map, and readers of several keys have nothing to go by.
struct ByHand<H> {
    map: DashMap<String, (u64, StdArc<[u8]>), H>,
    revision: Padded<AtomicU64>,
}

impl<H: BuildHasher + Clone + Default + Send + Sync + 'static> ByHand<H> {
    fn boxed(shards: Option<usize>) -> Box<dyn Bench> {
        let map = match shards {
            Some(shards) => DashMap::with_hasher_and_shard_amount(H::default(), shards),
            None => DashMap::default(),
        };
        Box::new(Self { map, revision: Padded::default() })
    }
}

impl<H: BuildHasher + Clone + Send + Sync> Contender for ByHand<H> {
    type Read = (u64, StdArc<[u8]>);

    fn insert(&self, key: String, value: Value) {
        let revision = self.revision.0.fetch_add(1, Ordering::Relaxed) + 1;
        self.map.insert(key, (revision, StdArc::from(value.as_slice())));
    }

    fn get(&self, key: &str) -> Option<Self::Read> {
        self.map.get(key).map(|entry| entry.clone())
    }

    fn look(read: &Self::Read) -> (u64, u8) {
        (read.0, read.1[0])
    }

    fn write(&self, key: &str, expected: Option<u64>, value: Value) -> Result<u64, Option<u64>> {
        let value = StdArc::from(value.as_slice());
        let mut entry = self.map.get_mut(key).ok_or(None)?;
        if expected.is_some_and(|expected| expected != entry.0) {
            return Err(Some(entry.0));
        }
        let revision = self.revision.0.fetch_add(1, Ordering::Relaxed) + 1;
        let replaced = std::mem::replace(&mut *entry, (revision, value));
        drop(entry);
        drop(replaced);
        Ok(revision)
    }

    fn visible(&self) -> u64 {
        self.revision.0.load(Ordering::Relaxed)
    }
}

/// The store itself.
struct Real(ifmatch::Store<String, Value>);

impl Real {
    fn boxed() -> Box<dyn Bench> {
        Box::new(Self(ifmatch::Store::new()))
    }
}

impl Contender for Real {
    type Read = ifmatch::Versioned<Value>;

    fn insert(&self, key: String, value: Value) {
        self.0.put(key, value).expect("no limit is set");
    }

    fn get(&self, key: &str) -> Option<Self::Read> {
        self.0.get(key)
    }

    fn look(read: &Self::Read) -> (u64, u8) {
        (read.revision().get(), read[0])
    }

    fn write(&self, key: &str, expected: Option<u64>, value: Value) -> Result<u64, Option<u64>> {
        let precondition = match expected {
            None => ifmatch::Precondition::Any,
            Some(expected) => {
                ifmatch::Revision::try_from(expected).expect("it was read from the store").into()
            }
        };
        match self.0.put_if(key, value, precondition) {
            Ok(revision) => Ok(revision.get()),
            Err(error) => {
                let conflict = error.into_conflict().expect("no limit is set");
                Err(conflict.revision().map(ifmatch::Revision::get))
            }
        }
    }

    fn visible(&self) -> u64 {
        self.0.revision().get()
    }
}

type Block = Arc<Version>;
type Inline<N = Block> = Sketch<N, Entry<N>>;
type Pointer = Sketch<Block, Box<Entry<Block>>>;

fn four_per_core() -> usize {
    4 * std::thread::available_parallelism().map_or(2, usize::from).next_power_of_two()
}

pub(crate) type Entrant = (&'static str, fn() -> Box<dyn Bench>);

/// The first is the baseline of all ratios.
pub(crate) const ENTRANTS: [Entrant; 13] = [
    ("DashMap by hand", || ByHand::<RandomState>::boxed(None)),
    ("DashMap, its own hasher", || ByHand::<std::hash::RandomState>::boxed(None)),
    ("DashMap, 256 shards", || ByHand::<RandomState>::boxed(Some(256))),
    ("**ifmatch::Store**", Real::boxed),
    ("**reference**", || <Inline>::boxed(Order::Nested, 256)),
    ("shards: 64", || <Inline>::boxed(Order::Nested, 64)),
    ("shards: 4 per core", || <Inline>::boxed(Order::Nested, four_per_core())),
    ("sequencer: ticket", || <Inline>::boxed(Order::Ticket, 256)),
    ("sequencer: mutex around commits", || <Inline>::boxed(Order::AroundCommits, 256)),
    ("sequencer: mutex around everything", || <Inline>::boxed(Order::AroundEverything, 256)),
    ("layout: pointer slot", || Pointer::boxed(Order::Nested, 256)),
    ("layout: revision in slot", || Inline::<(Stamp, Arc<Value>)>::boxed(Order::Nested, 256)),
    ("layout: std Arc made in lock", || Inline::<StdArc<Version>>::boxed(Order::Nested, 256)),
];
