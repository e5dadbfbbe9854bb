//! What do order, snapshots and the watch window cost in memory?
//!
//! Every allocation is counted, which would distort times: those are measured by `scans.rs`, `snapshots.rs` and
//! `watch.rs`. Shown are live bytes as they were asked for, without what the allocator adds.
//!
//!     cargo bench --bench memory              # half a minute
//!     cargo bench --bench memory -- --quick   # seconds: shows only that it works
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "figures are floats")]

mod measure;

use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::Arc;

use dashmap::DashMap;
use ifmatch::{FastHash, Store};
use measure::{Random, header, key, row, serious};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Value = [u8; 100];

/// Bytes that were allocated and not yet given back.
fn live_bytes() -> u64 {
    let stats = ALLOCATOR.stats();
    let reallocated = stats.bytes_reallocated;
    let live = stats.bytes_allocated as i64 - stats.bytes_deallocated as i64;
    let _ = reallocated;
    u64::try_from(live).expect("what is freed was allocated")
}

/// What `make` makes, and the live bytes of it for each of `count`.
fn bytes_each<T>(count: u32, make: impl FnOnce() -> T) -> String {
    let before = live_bytes();
    let made = make();
    let bytes = live_bytes() - before;
    drop(made);
    format!("{:.0}", bytes as f64 / f64::from(count))
}

fn shuffled(keys: u32) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..keys).collect();
    Random(7).shuffle(&mut numbers);
    numbers
}

fn entries(keys: u32) {
    let numbers = shuffled(keys);
    let by_hand = |order: bool| {
        let map: DashMap<String, Arc<(u64, Value)>, FastHash> = DashMap::default();
        let mut tree: BTreeMap<String, ()> = BTreeMap::new();
        for number in &numbers {
            map.insert(key(*number), Arc::new((1, [7; 100])));
            if order {
                tree.insert(key(*number), ());
            }
        }
        (map, tree)
    };
    let create = |order: &[u32]| {
        let store: Store<String, Value> = Store::builder().watch_window(0).build();
        for number in order {
            store.put(key(*number), [7; 100]).expect("no limit is set");
        }
        store
    };
    let tree = || -> BTreeMap<String, Arc<(u64, Value)>> {
        numbers.iter().map(|number| (key(*number), Arc::new((1, [7; 100])))).collect()
    };
    let ascending: Vec<u32> = (0..keys).collect();
    header(&["keys of 16 bytes, values of 100", "live bytes an entry"]);
    row(&[&"`BTreeMap<String, Arc<_>>`", &bytes_each(keys, tree)]);
    row(&[&"`DashMap` by hand, without order", &bytes_each(keys, || by_hand(false))]);
    row(&[&"`DashMap` and `BTreeMap`", &bytes_each(keys, || by_hand(true))]);
    row(&[&"`ifmatch::Store`, created at random", &bytes_each(keys, || create(&numbers))]);
    row(&[&"`ifmatch::Store`, created in order", &bytes_each(keys, || create(&ascending))]);
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn snapshot(keys: u32, updates: u32) {
    let store: Store<String, Value> = Store::new();
    for number in shuffled(keys) {
        store.put(key(number), [7; 100]).expect("no limit is set");
    }
    let mut random = Random(1);
    let mut update = || {
        for _ in 0..updates {
            store.put(key(random.below(keys)), [8; 100]).expect("no limit is set");
        }
    };
    update();
    let mut cells = vec![(live_bytes(), store.stats().superseded())];
    let snapshot = store.snapshot();
    cells.push((live_bytes(), store.stats().superseded()));
    update();
    cells.push((live_bytes(), store.stats().superseded()));
    drop(snapshot);
    cells.push((live_bytes(), store.stats().superseded()));
    let title = format!("{keys} keys, {updates} updates");
    header(&[&title, "before", "snapshot taken", "after the updates", "dropped"]);
    let bytes: Vec<String> = cells.iter().map(|cell| megabytes(cell.0)).collect();
    row(&[&"live bytes", &bytes[0], &bytes[1], &bytes[2], &bytes[3]]);
    row(&[&"superseded versions", &cells[0].1, &cells[1].1, &cells[2].1, &cells[3].1]);
}

fn window<const N: usize>() -> [String; 2] {
    [4_096, 65_536].map(|changes: u32| {
        let store = Store::<String, [u8; N]>::builder().watch_window(changes as usize).build();
        store.put("key", [0; N]).expect("no limit is set");
        let before = live_bytes();
        for _ in 0..changes * 2 {
            store.put("key", [0; N]).expect("no limit is set");
        }
        let bytes = live_bytes() - before;
        format!("{}, {:.0} a change", megabytes(bytes), bytes as f64 / f64::from(changes))
    })
}

fn main() {
    let (keys, snapshot_keys) = if serious() { (1_000_000, 100_000) } else { (20_000, 2_000) };
    entries(keys);
    snapshot(snapshot_keys, snapshot_keys * 10);
    header(&["a full watch window", "4,096 changes (the default)", "65,536"]);
    for (name, [small, large]) in [
        ("8 bytes", window::<8>()),
        ("100 bytes", window::<100>()),
        ("1,000 bytes", window::<1_000>()),
    ] {
        row(&[&format!("values of {name}"), &small, &large]);
    }
}
