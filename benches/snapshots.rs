//! What does a snapshot cost those who write while it is held?
//!
//! 100,000 keys are updated a million times at random, with a snapshot held since the start of the round and without.
//! Shown are CPU nanoseconds a put, and the ratio; the longest single put, by the clock, and how long one in a thousand
//! took; how long it takes to take the snapshot, and to drop it once a million updates have gone by, with nobody
//! writing and while the writers go on; and how many superseded versions there are before, during and after. What it
//! costs in memory is in `memory.rs`.
//!
//! Then many short ones: a thread takes a snapshot, reads ten keys and drops it, in a loop, while another writes.
//!
//!     cargo bench --bench snapshots              # about two minutes
//!     cargo bench --bench snapshots -- --quick   # seconds: shows only that it works
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "figures are floats")]

mod measure;

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use measure::{CpuTime, Random, Samples, header, key, row, seconds, serious};

type Store = ifmatch::Store<String, [u8; 100]>;

const KEYS: u32 = 100_000;

fn store() -> Store {
    let store = Store::new();
    for number in 0..KEYS {
        store.put(key(number), [1; 100]).expect("no limit is set");
    }
    store
}

/// What one writer saw.
struct Puts {
    cpu_seconds: f64,
    /// Each by the clock.
    waits: Vec<Duration>,
}

fn write(store: &Store, keys: &[String]) -> Puts {
    let mut waits = Vec::with_capacity(keys.len());
    let cpu = CpuTime::start();
    let mut previous = Instant::now();
    for key in keys {
        store.put(key.as_str(), [2; 100]).expect("no limit is set");
        // One look at the clock a put: its end is the beginning of the next.
        let now = Instant::now();
        waits.push(now - previous);
        previous = now;
    }
    Puts { cpu_seconds: cpu.seconds(), waits }
}

/// Keys for each writer, a million updates in all.
fn traces(writers: usize, updates: u32, seed: u64) -> Vec<Vec<String>> {
    let mut random = Random(seed);
    let part = updates as usize / writers;
    (0..writers).map(|_| (0..part).map(|_| key(random.below(KEYS))).collect()).collect()
}

fn write_all(store: &Store, traces: &[Vec<String>]) -> Vec<Puts> {
    let barrier = &Barrier::new(traces.len());
    std::thread::scope(|scope| {
        let start = |keys| {
            scope.spawn(move || {
                barrier.wait();
                write(store, keys)
            })
        };
        let writers: Vec<_> = traces.iter().map(|keys| start(keys.as_slice())).collect();
        writers.into_iter().map(|writer| writer.join().expect("no writer panics")).collect()
    })
}

#[derive(Default)]
struct Column {
    ns_a_put: Samples,
    longest_ms: Samples,
    thousandth_us: Samples,
}

impl Column {
    fn add(&mut self, puts: &[Puts]) {
        let mut waits: Vec<Duration> =
            puts.iter().flat_map(|puts| puts.waits.iter().copied()).collect();
        waits.sort();
        let cpu: f64 = puts.iter().map(|puts| puts.cpu_seconds).sum();
        self.ns_a_put.push(cpu * 1e9 / waits.len() as f64);
        self.longest_ms.push(waits[waits.len() - 1].as_secs_f64() * 1e3);
        self.thousandth_us.push(waits[waits.len() * 999 / 1_000].as_secs_f64() * 1e6);
    }

    fn show(&self, name: &str, base: &Self) {
        let cpu = format!("{:.0}", self.ns_a_put.median());
        let thousandth = format!("{:.1}", self.thousandth_us.median());
        let (median, worst) = (self.longest_ms.median(), self.longest_ms.max());
        let longest = format!("{median:.1}, {worst:.1}");
        row(&[&name, &cpu, &self.ns_a_put.over(&base.ns_a_put), &thousandth, &longest]);
    }
}

fn held(writers: usize, rounds: usize, updates: u32) {
    let store = store();
    let [mut without, mut with, mut after] = [0; 3].map(|_| Column::default());
    let mut dropped_ms = Samples::default();
    let mut counts = Vec::new();
    for round in 0..rounds {
        let traces = traces(writers, updates, round as u64);
        without.add(&write_all(&store, &traces));
        counts = vec![store.stats().superseded()];
        let snapshot = store.snapshot();
        with.add(&write_all(&store, &traces));
        counts.push(store.stats().superseded());
        if round % 2 == 0 {
            // Nobody writes.
            dropped_ms.push(seconds(|| drop(snapshot)) * 1e3);
        } else {
            std::thread::scope(|scope| {
                scope.spawn(|| drop(snapshot));
                after.add(&write_all(&store, &traces));
            });
        }
        counts.push(store.stats().superseded());
    }
    let name = format!("{writers} writers");
    header(&[
        &name,
        "CPU ns a put",
        "ratio",
        "one in 1,000 took, µs",
        "longest, ms: median, worst",
    ]);
    without.show("without a snapshot", &without);
    with.show("with one held since the start", &without);
    if rounds > 1 {
        after.show("while it is dropped", &without);
    }
    println!(
        "dropped in {:.1} ms; superseded before, during, after: {counts:?}",
        dropped_ms.median()
    );
}

fn taking(times: u32) {
    let store = store();
    let (mut taken, mut dropped) = (Samples::default(), Samples::default());
    let mut kept = Vec::new();
    for _ in 0..times {
        let begin = Instant::now();
        let snapshot = store.snapshot();
        taken.push(begin.elapsed().as_secs_f64() * 1e9);
        store.put("one", [3; 100]).expect("no limit is set");
        kept.push(snapshot);
    }
    for snapshot in kept {
        dropped.push(seconds(|| drop(snapshot)) * 1e9);
    }
    header(&[&format!("{times} held at once, ns"), "median", "99 of 100"]);
    for (name, samples) in [("to take one", taken), ("to drop one", dropped)] {
        let [median, most] =
            [0.5, 0.99].map(|quantile| format!("{:.0}", samples.quantile(quantile)));
        row(&[&name, &median, &most]);
    }
}

fn short(rounds: usize, updates: u32) {
    let store = store();
    let (mut alone, mut beside) = (Column::default(), Column::default());
    let mut taken = Samples::default();
    for round in 0..rounds {
        let traces = traces(1, updates, round as u64);
        alone.add(&write_all(&store, &traces));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let (mut random, mut snapshots) = (Random(1), 0_u32);
                let begin = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    let snapshot = store.snapshot();
                    for _ in 0..10 {
                        black_box(snapshot.get(key(random.below(KEYS))));
                    }
                    snapshots += 1;
                }
                f64::from(snapshots) / begin.elapsed().as_secs_f64()
            });
            beside.add(&write_all(&store, &traces));
            stop.store(true, Ordering::Relaxed);
            taken.push(reader.join().expect("no reader panics"));
        });
    }
    header(&[
        "short snapshots",
        "CPU ns a put",
        "ratio",
        "one in 1,000 took, µs",
        "longest, ms: median, worst",
    ]);
    alone.show("a writer alone", &alone);
    beside.show("beside snapshots of ten reads", &alone);
    let left = store.stats().superseded();
    println!("{:.0} k snapshots/s; superseded after: {left}", taken.median() / 1e3);
}

fn main() {
    let (rounds, updates) = if serious() { (10, 1_000_000) } else { (2, 20_000) };
    println!("{KEYS} keys, {updates} updates a round, {rounds} rounds");
    held(1, rounds, updates);
    held(2, rounds, updates);
    taking(if serious() { 100_000 } else { 1_000 });
    short(rounds, updates);
}
