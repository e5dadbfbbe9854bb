//! What does a page of 100 keys cost, out of a million, and what does the order cost those who write?
//!
//! Pages begin at random keys of 1,000 prefixes with 1,000 keys each. The rival is `BTreeMap::range` on the same data:
//! it clones keys and the `Arc`s of the values, as the store does. Behind a `RwLock` it keeps writers out for the time
//! of the page, which the store does not; without a lock it is the least that a page can cost. Shown are CPU
//! microseconds a page, and the ratio to the `RwLock<BTreeMap>`.
//!
//! Then a million keys are created in random order, by 1 and 2 threads, beside a `DashMap` by hand, which has no order,
//! a `RwLock<BTreeMap>`, which has nothing else, and both together. Shown are CPU nanoseconds a key.
//!
//! Last, how often keys are compared: an update does not ask for the order.
//!
//!     cargo bench --bench scans              # about two minutes, 2 GB
//!     cargo bench --bench scans -- --quick   # seconds: shows only that it works
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "figures are floats")]

mod measure;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};

use dashmap::DashMap;
use ifmatch::{FastHash, Snapshot, Store};
use measure::{Random, Samples, cpu_seconds, header, row, serious};

const PAGE: usize = 100;

type Value = [u8; 100];
/// What a store by hand has for each key.
type Entry = Arc<(u64, Value)>;

/// Keys of a prefix are numbered from 0.
fn key(number: u32) -> String {
    format!("team/{:04}/user/{:03}", number / 1_000, number % 1_000)
}

/// Where a page begins, and behind the last key of its prefix.
fn page_of(number: u32) -> (String, String) {
    (key(number), format!("team/{:04}0", number / 1_000))
}

fn bounds(page: &(String, String)) -> (Bound<&str>, Bound<&str>) {
    (Bound::Included(page.0.as_str()), Bound::Excluded(page.1.as_str()))
}

/// All that pages are read from, with the same keys.
struct Data {
    store: Store<String, Value>,
    snapshot: Snapshot<String, Value>,
    tree: BTreeMap<String, Entry>,
    locked: RwLock<BTreeMap<String, Entry>>,
}

type Reader = (&'static str, fn(&Data, &(String, String)) -> usize);

/// The second is the base of all ratios.
const READERS: [Reader; 8] = [
    ("`BTreeMap`, no lock", |data, page| {
        let range = data.tree.range::<str, _>(bounds(page)).take(PAGE);
        keep(range.map(|(key, entry)| (key.clone(), Arc::clone(entry))).collect::<Vec<_>>())
    }),
    ("`RwLock<BTreeMap>`", |data, page| {
        let tree = data.locked.read().expect("no writer panics");
        let range = tree.range::<str, _>(bounds(page)).take(PAGE);
        keep(range.map(|(key, entry)| (key.clone(), Arc::clone(entry))).collect::<Vec<_>>())
    }),
    ("`RwLock<BTreeMap>`, backwards", |data, page| {
        let tree = data.locked.read().expect("no writer panics");
        let range = tree.range::<str, _>(bounds(page)).rev().take(PAGE);
        keep(range.map(|(key, entry)| (key.clone(), Arc::clone(entry))).collect::<Vec<_>>())
    }),
    ("`store.range`", |data, page| {
        keep(data.store.range(&page.0..&page.1).take(PAGE).collect::<Vec<_>>())
    }),
    ("`store.range`, backwards", |data, page| {
        keep(data.store.range(&page.0..&page.1).rev().take(PAGE).collect::<Vec<_>>())
    }),
    ("`snapshot.range`", |data, page| {
        keep(data.snapshot.range(&page.0..&page.1).take(PAGE).collect::<Vec<_>>())
    }),
    ("`snapshot.range`, backwards", |data, page| {
        keep(data.snapshot.range(&page.0..&page.1).rev().take(PAGE).collect::<Vec<_>>())
    }),
    ("`store.prefix`, the first page", |data, page| {
        keep(data.store.prefix(&page.0[..10]).take(PAGE).collect::<Vec<_>>())
    }),
];

fn keep<T>(page: Vec<T>) -> usize {
    black_box(&page).len()
}

fn shuffled(keys: u32) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..keys).collect();
    Random(7).shuffle(&mut numbers);
    numbers
}

fn load(keys: u32) -> Data {
    let store = Store::new();
    let mut tree = BTreeMap::new();
    for number in shuffled(keys) {
        store.put(key(number), [7; 100]).expect("no limit is set");
        tree.insert(key(number), Arc::new((1, [7; 100])));
    }
    let locked = RwLock::new(tree.iter().map(|(k, v)| (k.clone(), Arc::clone(v))).collect());
    Data { snapshot: store.snapshot(), store, tree, locked }
}

fn pages(keys: u32, rounds: usize, pages: u32) {
    let data = load(keys);
    let mut samples = vec![Samples::default(); READERS.len()];
    let mut random = Random(1);
    for round in 0..rounds {
        // Every page has all of its keys.
        let mut page = || page_of(random.below(keys / 1_000) * 1_000 + random.below(900));
        let wanted: Vec<_> = (0..pages).map(|_| page()).collect();
        for turn in 0..READERS.len() {
            let reader = (round + turn) % READERS.len();
            let read = READERS[reader].1;
            let mut found = 0;
            let seconds = cpu_seconds(|| found = wanted.iter().map(|page| read(&data, page)).sum());
            assert_eq!(found, wanted.len() * PAGE, "each page is full");
            samples[reader].push(seconds * 1e6 / f64::from(pages));
        }
    }
    header(&["a page of 100", "µs", "ratio"]);
    for ((name, _), mine) in READERS.iter().zip(&samples) {
        row(&[name, &format!("{:.1}", mine.median()), &mine.over(&samples[1])]);
    }
}

/// What keys are created in.
trait Target: Sync {
    fn create(&self, key: String);
}

impl Target for Store<String, Value> {
    fn create(&self, key: String) {
        self.put(key, [7; 100]).expect("no limit is set");
    }
}

struct Unordered(DashMap<String, Entry, FastHash>);

impl Target for Unordered {
    fn create(&self, key: String) {
        self.0.insert(key, Arc::new((1, [7; 100])));
    }
}

struct Ordered(RwLock<BTreeMap<String, Entry>>);

impl Target for Ordered {
    fn create(&self, key: String) {
        let entry = Arc::new((1, [7; 100]));
        self.0.write().expect("no writer panics").insert(key, entry);
    }
}

struct Both(DashMap<Arc<str>, Entry, FastHash>, Mutex<BTreeMap<Arc<str>, ()>>);

impl Target for Both {
    fn create(&self, key: String) {
        let key: Arc<str> = key.into();
        self.0.insert(Arc::clone(&key), Arc::new((1, [7; 100])));
        self.1.lock().expect("no writer panics").insert(key, ());
    }
}

type Creator = (&'static str, fn() -> Box<dyn Target>);

const CREATORS: [Creator; 4] = [
    ("`DashMap` by hand, without order", || Box::new(Unordered(DashMap::default()))),
    ("`RwLock<BTreeMap>`", || Box::new(Ordered(RwLock::default()))),
    ("`DashMap` and `Mutex<BTreeMap>`", || Box::new(Both(DashMap::default(), Mutex::default()))),
    ("**`ifmatch::Store`**", || Box::new(Store::<String, Value>::new())),
];

/// CPU seconds of all threads together.
fn create(target: &dyn Target, numbers: &[u32], threads: usize) -> f64 {
    std::thread::scope(|scope| {
        let threads: Vec<_> = numbers
            .chunks(numbers.len().div_ceil(threads))
            .map(|part| {
                scope.spawn(|| cpu_seconds(|| part.iter().for_each(|at| target.create(key(*at)))))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no writer panics")).sum()
    })
}

fn creation(keys: u32, rounds: usize) {
    let numbers = shuffled(keys);
    header(&[
        "a million keys, in random order",
        "1 thread, ns a key",
        "ratio",
        "2 threads",
        "ratio",
    ]);
    let mut samples = vec![[Samples::default(), Samples::default()]; CREATORS.len()];
    for round in 0..rounds {
        for turn in 0..CREATORS.len() {
            let creator = (round + turn) % CREATORS.len();
            for threads in [1, 2] {
                let seconds = create(&*CREATORS[creator].1(), &numbers, threads);
                samples[creator][threads - 1].push(seconds * 1e9 / f64::from(keys));
            }
        }
    }
    for ((name, _), mine) in CREATORS.iter().zip(&samples) {
        let [one, two] = [0, 1].map(|at| format!("{:.0}", mine[at].median()));
        let [one_ratio, two_ratio] = [0, 1].map(|at| mine[at].over(&samples[0][at]));
        row(&[name, &one, &one_ratio, &two, &two_ratio]);
    }
}

/// A key that counts how often keys are compared for their order. Equality is not counted: the map needs it.
#[derive(Clone, Hash, PartialEq, Eq)]
struct Counted(u32);

static COMPARED: AtomicU64 = AtomicU64::new(0);

impl Ord for Counted {
    fn cmp(&self, other: &Self) -> Ordering {
        COMPARED.fetch_add(1, Relaxed);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A look-up by it compares for equality only, as that of every string does.
struct ByNumber(u32);

impl ifmatch::AsKey<Counted> for ByNumber {
    fn hash_key<H: std::hash::Hasher>(&self, state: &mut H) {
        std::hash::Hash::hash(&Counted(self.0), state);
    }

    fn cmp_key(&self, key: &Counted) -> Ordering {
        self.0.cmp(&key.0)
    }

    fn into_key(self) -> Counted {
        Counted(self.0)
    }
}

fn comparisons(keys: u32) {
    let store: Store<Counted, u64> = Store::new();
    let numbers = shuffled(keys);
    let count = |each: &dyn Fn(u32)| {
        COMPARED.store(0, Relaxed);
        numbers.iter().for_each(|number| each(*number));
        format!("{:.1}", COMPARED.load(Relaxed) as f64 / f64::from(keys))
    };
    let create = count(&|number| {
        store.create(ByNumber(number), 0).expect("it is new");
    });
    let get = count(&|number| assert!(store.contains(ByNumber(number))));
    let put = count(&|number| {
        store.put(ByNumber(number), 1).expect("no limit is set");
    });
    let delete = count(&|number| {
        store.delete(ByNumber(number)).expect("it is there");
    });
    header(&["comparisons of order", "create", "get", "put", "delete"]);
    row(&[&"a key", &create, &get, &put, &delete]);
}

fn main() {
    let (keys, rounds, count) = if serious() { (1_000_000, 7, 5_000) } else { (20_000, 1, 100) };
    println!("{keys} keys, {rounds} rounds");
    pages(keys, rounds, count);
    creation(keys, rounds);
    comparisons(keys);
}
