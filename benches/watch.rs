//! What does it cost to be watched, and how fast is a watch?
//!
//! Every store keeps a window of its newest commits, watched or not. First: CPU nanoseconds a put by the window's size,
//! for values of 8, 100 and 1,000 bytes, on one key and on 100,000 keys at random; and the ratio to the smallest window,
//! which is as near as a store gets to none.
//!
//! Then four writers, with 0, 1 and 3 watches that take every event: puts and events per second, by the clock, how often
//! a watch lagged, and CPU nanoseconds a put. And how long after a put the watch of an otherwise idle store has it.
//!
//!     cargo bench --bench watch              # about two minutes
//!     cargo bench --bench watch -- --quick   # seconds: shows only that it works
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "figures are floats")]

mod measure;

use std::hint::black_box;
use std::time::{Duration, Instant};

use ifmatch::{Store, WatchError};
use measure::{Random, Samples, cpu_seconds, header, key, row, serious};

const KEYS: u32 = 100_000;
/// The second is the default.
const WINDOWS: [usize; 4] = [64, 4_096, 1_024, 65_536];
const WRITERS: u32 = 4;

/// Columns: values of `N` bytes, on one key and on many.
fn windows<const N: usize>(rounds: usize, updates: u32, table: &mut [Vec<String>]) {
    let stores = WINDOWS.map(|window| {
        let store = Store::<String, [u8; N]>::builder().watch_window(window).build();
        (0..KEYS).for_each(|at| assert!(store.put(key(at), [1; N]).is_ok()));
        store
    });
    for span in [1, KEYS] {
        let mut samples = WINDOWS.map(|_| Samples::default());
        for round in 0..rounds {
            let mut random = Random(round as u64);
            let trace: Vec<String> = (0..updates).map(|_| key(random.below(span))).collect();
            for turn in 0..WINDOWS.len() {
                let which = (round + turn) % WINDOWS.len();
                let put = |key: &String| assert!(stores[which].put(key, [2; N]).is_ok());
                let seconds = cpu_seconds(|| trace.iter().for_each(put));
                samples[which].push(seconds * 1e9 / f64::from(updates));
            }
        }
        for (cells, mine) in table.iter_mut().zip(&samples) {
            cells.push(format!("{:.0}; {}", mine.median(), mine.over(&samples[0])));
        }
    }
}

fn window_costs(rounds: usize, updates: u32) {
    let mut table = WINDOWS.map(|_| Vec::new());
    windows::<8>(rounds, updates, &mut table);
    windows::<100>(rounds, updates, &mut table);
    windows::<1_000>(rounds, updates, &mut table);
    header(&[
        "window; CPU ns a put; ratio",
        "8 bytes, 1 key",
        "100 k keys",
        "100 bytes, 1 key",
        "100 k keys",
        "1,000 bytes, 1 key",
        "100 k keys",
    ]);
    for (window, cells) in WINDOWS.iter().zip(&table) {
        println!("| {window} | {} |", cells.join(" | "));
    }
}

/// What a watch took, and how often it had lost some.
struct Taken {
    events: u64,
    lags: u32,
}

fn follow(mut watch: ifmatch::Watch<String, [u8; 100]>, end: ifmatch::Revision) -> Taken {
    let mut taken = Taken { events: 0, lags: 0 };
    while watch.position() < end {
        match watch.recv() {
            Ok(commit) => taken.events += black_box(commit).events().len() as u64,
            Err(WatchError::Lagged { .. }) => taken.lags += 1,
            Err(error) => unreachable!("the store is open: {error}"),
        }
    }
    taken
}

#[derive(Clone, Default)]
struct Delivery {
    puts: Samples,
    events: Samples,
    cpu_ns: Samples,
    lags: u32,
}

fn deliver(watches: usize, each: u32, into: &mut Delivery) {
    let store = Store::<String, [u8; 100]>::builder().watch_window(65_536).build();
    let end = store.revision().get() + u64::from(WRITERS * each);
    let end = ifmatch::Revision::try_from(end).expect("few revisions");
    std::thread::scope(|scope| {
        let watches: Vec<_> = (0..watches)
            .map(|_| {
                let watch = store.watch().open().expect("a watch from now");
                scope.spawn(move || follow(watch, end))
            })
            .collect();
        let begin = Instant::now();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    let mut random = Random(writer.into());
                    let keys: Vec<String> = (0..each).map(|_| key(random.below(KEYS))).collect();
                    let put = |key: &String| assert!(store.put(key, [2; 100]).is_ok());
                    cpu_seconds(|| keys.iter().for_each(put))
                })
            })
            .collect();
        let cpu: f64 = writers.into_iter().map(|writer| writer.join().expect("no panic")).sum();
        let puts = f64::from(WRITERS * each);
        into.puts.push(puts / begin.elapsed().as_secs_f64() / 1e3);
        into.cpu_ns.push(cpu * 1e9 / puts);
        let mut events = 0;
        for watch in watches {
            let taken = watch.join().expect("no watch panics");
            into.lags += taken.lags;
            events += taken.events;
        }
        into.events.push(events as f64 / begin.elapsed().as_secs_f64() / 1e3);
    });
}

fn delivery(rounds: usize, each: u32) {
    let watches = [0, 1, 3];
    let mut columns = watches.map(|_| Delivery::default());
    for _ in 0..rounds {
        for (watches, column) in watches.iter().zip(&mut columns) {
            deliver(*watches, each, column);
        }
    }
    header(&[
        "watches of 4 writers",
        "puts/s",
        "events/s, all watches",
        "CPU ns a put",
        "ratio",
        "lags",
    ]);
    for (watches, column) in watches.iter().zip(&columns) {
        let puts = format!("{:.0} k", column.puts.median());
        let events = format!("{:.0} k", column.events.median());
        let cpu = format!("{:.0}", column.cpu_ns.median());
        let ratio = column.cpu_ns.over(&columns[0].cpu_ns);
        row(&[watches, &puts, &events, &cpu, &ratio, &column.lags]);
    }
}

fn latency(times: u32) {
    let store: Store<u32, Instant> = Store::new();
    let mut watch = store.watch().open().expect("a watch from now");
    let mut samples = Samples::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for at in 0..times {
                std::thread::sleep(Duration::from_micros(200));
                store.put(at, Instant::now()).expect("no limit is set");
            }
        });
        for _ in 0..times {
            let commit = watch.recv().expect("an event for every put");
            let put = commit.events()[0].entry().expect("it is a put");
            samples.push(put.elapsed().as_secs_f64() * 1e6);
        }
    });
    header(&["µs from a put to its event", "median", "99 of 100", "999 of 1,000"]);
    let [middle, most, nearly_all] =
        [0.5, 0.99, 0.999].map(|quantile| format!("{:.1}", samples.quantile(quantile)));
    row(&[&format!("{times} puts, 200 µs apart"), &middle, &most, &nearly_all]);
}

fn main() {
    let (rounds, updates) = if serious() { (9, 200_000) } else { (1, 2_000) };
    println!("{KEYS} keys, {updates} updates a round, {rounds} rounds");
    window_costs(rounds, updates);
    delivery(rounds, updates);
    latency(if serious() { 20_000 } else { 200 });
}
