//! Does a writer starve on a hot key?
//!
//! One writer reads and swaps one key in a loop, against 1 to 16 readers that do nothing but read
//! the same key, holding a guard only to clone an `Arc` out. Shown are the writes and reads per
//! second (medians of the rounds) and the longest that any one write took, its read included (the
//! maximum of all rounds). The readers stop at the end of a round, which frees a starving writer: a
//! longest write near the length of a round, one second, means that the writer stood still for all
//! of it.
//!
//!     cargo bench --bench hot_key              # about a minute
//!     cargo bench --bench hot_key -- --quick   # under two seconds: shows only that it works
//!
//! To add a contender, implement [`HotKey`] and name it in [`CONTENDERS`].
//!
//! 2026-11-22, 2 shared cores of an AMD EPYC, 5 rounds of 1 s, `DashMap` 6.2.1, `parking_lot` 0.12.5:
//!
//! | readers: writes/s; reads/s; longest write | `ifmatch::Store` | DashMap by hand | parking_lot RwLock | std RwLock |
//! | --- | --- | --- | --- | --- |
//! | 1 | 2720 k; 6166 k; 8.3 ms | 2856 k; 9723 k; 8.3 ms | 4025 k; 3474 k; 8.3 ms | 2446 k; 6125 k; 8.1 ms |
//! | 2 | 2081 k; 9825 k; 13.4 ms | 439 k; 20049 k; 31.8 ms | 2503 k; 8860 k; 12.0 ms | 1546 k; 10328 k; 12.2 ms |
//! | 6 | 1000 k; 13537 k; 24.0 ms | 2.93 k; 21143 k; 343.2 ms | 1490 k; 12207 k; 24.0 ms | 380 k; 16693 k; 44.0 ms |
//! | 16 | 486 k; 15053 k; 52.0 ms | 0.01 k; 19586 k; 1015.1 ms | 699 k; 14394 k; 68.0 ms | 70 k; 15925 k; 85.8 ms |
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "rates are floats")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use dashmap::DashMap;

const KEY: &str = "the one hot key";
const OTHER_KEYS: u32 = 1_000;
const READERS: [usize; 4] = [1, 2, 6, 16];

type Value = Arc<[u8]>;
type Entry = (u64, Value);

/// A store with one key that everybody wants.
trait HotKey: Send + Sync {
    /// Clones the value out, and says at which revision.
    fn read(&self) -> u64;
    /// Replaces the value if its revision is still the expected one.
    fn compare_and_swap(&self, expected: u64) -> bool;
}

type Contender = (&'static str, fn() -> Box<dyn HotKey>);

/// Each is filled with the hot key and some others, and hashes with the standard hasher.
const CONTENDERS: [Contender; 4] = [
    ("ifmatch::Store", || Box::new(Ours::new())),
    ("DashMap by hand", || Box::new(DashMapByHand::new())),
    ("parking_lot RwLock", || Box::new(ParkingLot::new())),
    ("std RwLock", || Box::new(Standard::new())),
];

fn value() -> Value {
    Arc::from([7; 100])
}

fn entries() -> impl Iterator<Item = (String, Entry)> {
    let others = (0..OTHER_KEYS).map(|index| format!("key:{index:012}"));
    others.chain([KEY.to_owned()]).map(|key| (key, (0, value())))
}

/// Swaps the pair, and gives back the old value for the caller to drop after the lock.
fn replace(entry: &mut Entry, expected: u64, value: Value, revision: &AtomicU64) -> Option<Value> {
    if entry.0 != expected {
        return None;
    }
    entry.0 = revision.fetch_add(1, Ordering::Relaxed) + 1;
    Some(std::mem::replace(&mut entry.1, value))
}

/// The crate's store, with the standard hasher like the others.
struct Ours(ifmatch::Store<String, Value, std::hash::RandomState>);

impl Ours {
    fn new() -> Self {
        let builder = ifmatch::Store::builder().hasher(std::hash::RandomState::new());
        let store = builder.build();
        for (key, (_, value)) in entries() {
            store.put(key, value).expect("no limit is set");
        }
        Self(store)
    }
}

impl HotKey for Ours {
    fn read(&self) -> u64 {
        black_box(self.0.get(KEY)).expect("the hot key is never removed").revision().get()
    }

    fn compare_and_swap(&self, expected: u64) -> bool {
        let expected = ifmatch::Revision::try_from(expected).expect("it was read from the store");
        self.0.put_if(KEY, value(), expected).is_ok()
    }
}

struct DashMapByHand {
    map: DashMap<String, Entry>,
    revision: AtomicU64,
}

impl DashMapByHand {
    fn new() -> Self {
        Self { map: entries().collect(), revision: AtomicU64::new(0) }
    }
}

impl HotKey for DashMapByHand {
    fn read(&self) -> u64 {
        let entry = self.map.get(KEY).map(|entry| entry.clone());
        black_box(entry).expect("the hot key is never removed").0
    }

    fn compare_and_swap(&self, expected: u64) -> bool {
        let value = value();
        let mut entry = self.map.get_mut(KEY).expect("the hot key is never removed");
        let replaced = replace(&mut entry, expected, value, &self.revision);
        drop(entry);
        replaced.is_some()
    }
}

struct ParkingLot {
    map: parking_lot::RwLock<HashMap<String, Entry>>,
    revision: AtomicU64,
}

impl ParkingLot {
    fn new() -> Self {
        let map = parking_lot::RwLock::new(entries().collect());
        Self { map, revision: AtomicU64::new(0) }
    }
}

impl HotKey for ParkingLot {
    fn read(&self) -> u64 {
        let entry = self.map.read().get(KEY).cloned();
        black_box(entry).expect("the hot key is never removed").0
    }

    fn compare_and_swap(&self, expected: u64) -> bool {
        let value = value();
        let mut map = self.map.write();
        let entry = map.get_mut(KEY).expect("the hot key is never removed");
        let replaced = replace(entry, expected, value, &self.revision);
        drop(map);
        replaced.is_some()
    }
}

struct Standard {
    map: std::sync::RwLock<HashMap<String, Entry>>,
    revision: AtomicU64,
}

impl Standard {
    fn new() -> Self {
        let map = std::sync::RwLock::new(entries().collect());
        Self { map, revision: AtomicU64::new(0) }
    }
}

impl HotKey for Standard {
    fn read(&self) -> u64 {
        let entry = self.map.read().expect("nobody panics under the lock").get(KEY).cloned();
        black_box(entry).expect("the hot key is never removed").0
    }

    fn compare_and_swap(&self, expected: u64) -> bool {
        let value = value();
        let mut map = self.map.write().expect("nobody panics under the lock");
        let entry = map.get_mut(KEY).expect("the hot key is never removed");
        let replaced = replace(entry, expected, value, &self.revision);
        drop(map);
        replaced.is_some()
    }
}

#[derive(Clone, Copy)]
struct Sample {
    writes_per_second: f64,
    reads_per_second: f64,
    longest_wait: Duration,
}

fn measure(contender: &dyn HotKey, readers: usize, length: Duration) -> Sample {
    let (stop, barrier) = (&AtomicBool::new(false), &Barrier::new(readers + 2));
    std::thread::scope(|scope| {
        let read = move || {
            barrier.wait();
            let (mut reads, mut newest) = (0_u64, 0);
            while !stop.load(Ordering::Relaxed) {
                let revision = contender.read();
                assert!(revision >= newest, "a reader never goes back");
                newest = revision;
                reads += 1;
            }
            reads
        };
        let write = move || {
            barrier.wait();
            let (mut writes, mut longest_wait, mut previous) =
                (0_u64, Duration::ZERO, Instant::now());
            while !stop.load(Ordering::Relaxed) {
                let swapped = contender.compare_and_swap(contender.read());
                assert!(swapped, "the only writer never loses");
                // One look at the clock a write: its end is the beginning of the next.
                let now = Instant::now();
                longest_wait = longest_wait.max(now - previous);
                previous = now;
                writes += 1;
            }
            (writes, longest_wait)
        };
        let readers: Vec<_> = (0..readers).map(|_| scope.spawn(read)).collect();
        let writer = scope.spawn(write);
        barrier.wait();
        let begin = Instant::now();
        std::thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
        let seconds = begin.elapsed().as_secs_f64();
        let reads = readers.into_iter().map(|reader| reader.join().expect("no reader panics"));
        let reads_per_second = reads.sum::<u64>() as f64 / seconds;
        let (writes, longest_wait) = writer.join().expect("the writer does not panic");
        Sample { writes_per_second: writes as f64 / seconds, reads_per_second, longest_wait }
    })
}

fn median(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    let mut figures: Vec<f64> = samples.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn thousands(per_second: f64) -> String {
    format!("{:.*} k", if per_second < 10_000.0 { 2 } else { 0 }, per_second / 1_000.0)
}

fn cell(samples: &[Sample]) -> String {
    let writes = thousands(median(samples, |sample| sample.writes_per_second));
    let reads = thousands(median(samples, |sample| sample.reads_per_second));
    let waits = samples.iter().map(|sample| sample.longest_wait);
    let longest_wait_ms = waits.max().unwrap_or_default().as_secs_f64() * 1_000.0;
    format!("{writes}; {reads}; {longest_wait_ms:.1} ms")
}

fn main() {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    // `cargo bench` says `--bench`; `cargo test --benches` says nothing, and wants to be done soon.
    let serious = has("--bench") && !has("--quick") && !has("--test");
    let (rounds, length) = if serious { (5, 1_000) } else { (1, 20) };

    let mut samples = vec![vec![Vec::new(); CONTENDERS.len()]; READERS.len()];
    for _ in 0..rounds {
        for (row, readers) in READERS.into_iter().enumerate() {
            for (column, (_, build)) in CONTENDERS.iter().enumerate() {
                let contender = build();
                let sample = measure(&*contender, readers, Duration::from_millis(length));
                samples[row][column].push(sample);
            }
        }
    }

    let names = CONTENDERS.map(|contender| contender.0).join(" | ");
    println!("| readers: writes/s; reads/s; longest write | {names} |");
    println!("| --- |{}", " --- |".repeat(CONTENDERS.len()));
    for (readers, row) in READERS.into_iter().zip(&samples) {
        let cells: Vec<String> = row.iter().map(|samples| cell(samples)).collect();
        println!("| {readers} | {} |", cells.join(" | "));
    }
}
