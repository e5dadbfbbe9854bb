//! What does compaction cost those who write, and what does it save?
//!
//! A million keys are updated five million times at random, in turns on a log that is compacted by itself, as by default, and
//! on one that never is. Shown are how many bytes the files of the first have for each byte of live keys and values: at
//! rest, and at most while it is compacted; the rate of writing with and without, and the ratio; the longest single put, by the
//! clock, and how long one in a thousand took; and how long each then takes to open. Then the same under `Durability::Sync`
//! with eight threads, with everything smaller.
//!
//!     cargo bench --bench compaction              # some minutes, and 2 GB of disk
//!     cargo bench --bench compaction -- --quick   # seconds: shows only that it works
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "figures are floats")]

mod measure;

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ifmatch::{Durability, FastHash};
use measure::{Random, Samples, header, key, row, seconds, serious};
use tempfile::TempDir;

type Store = ifmatch::Store<String, String, FastHash>;

const VALUE_BYTES: usize = 100;
const KEY_BYTES: usize = 16;

#[derive(Clone, Copy)]
struct Scale {
    durability: Durability,
    threads: usize,
    keys: u32,
    updates: u32,
    rounds: u32,
    segment_bytes: usize,
    compact_after: u64,
}

impl Scale {
    fn live_bytes(&self) -> f64 {
        f64::from(self.keys) * (KEY_BYTES + VALUE_BYTES) as f64
    }
}

/// A store, and what was measured of it round by round.
struct Contender {
    directory: TempDir,
    store: Store,
    rate: Samples,
    longest_ms: Samples,
    thousandth_us: Samples,
}

fn open(scale: Scale, compacts: bool, directory: &Path) -> Store {
    let after = if compacts { scale.compact_after } else { u64::MAX };
    let builder = Store::builder().durability(scale.durability).segment_bytes(scale.segment_bytes);
    builder.compact_after(after).open(directory).expect("the disk works")
}

impl Contender {
    fn new(scale: Scale, compacts: bool) -> Self {
        let directory = tempfile::tempdir().expect("there is a disk");
        // Filled fast; how it goes on is what counts.
        let buffered = Scale { durability: Durability::Buffered, ..scale };
        let store = open(buffered, compacts, directory.path());
        for number in 0..scale.keys {
            store.put(key(number), value(number)).expect("there is space");
        }
        store.close().expect("the disk works");
        let store = open(scale, compacts, directory.path());
        let [rate, longest_ms, thousandth_us] = [0; 3].map(|_| Samples::default());
        Self { directory, store, rate, longest_ms, thousandth_us }
    }

    fn write(&mut self, scale: Scale, round: u32) {
        let begin = Barrier::new(scale.threads + 1);
        let updates = scale.updates / scale.rounds / scale.threads as u32;
        let (store, begin) = (&self.store, &begin);
        let mut waits = Vec::new();
        let mut elapsed = 0.0;
        thread::scope(|scope| {
            let writer = |thread| {
                let mut random = Random(u64::from(round) << 32 | thread as u64);
                move || {
                    let mut waits = Vec::with_capacity(updates as usize);
                    begin.wait();
                    let mut previous = Instant::now();
                    for number in 0..updates {
                        let key = key(random.below(scale.keys));
                        store.put(key, value(number)).expect("there is space");
                        // One look at the clock a put: its end is the beginning of the next.
                        let now = Instant::now();
                        waits.push(now - previous);
                        previous = now;
                    }
                    waits
                }
            };
            let writers: Vec<_> =
                (0..scale.threads).map(|thread| scope.spawn(writer(thread))).collect();
            begin.wait();
            elapsed = seconds(|| {
                for writer in writers {
                    waits.append(&mut writer.join().expect("no writer panics"));
                }
            });
        });
        waits.sort();
        self.rate.push(waits.len() as f64 / elapsed);
        self.longest_ms.push(waits[waits.len() - 1].as_secs_f64() * 1e3);
        self.thousandth_us.push(waits[waits.len() * 999 / 1_000].as_secs_f64() * 1e6);
    }

    fn show(&self, name: &str, base: &Self) {
        let rate = format!("{:.0}", self.rate.median());
        let thousandth = format!("{:.1}", self.thousandth_us.median());
        let longest = format!("{:.1}, {:.1}", self.longest_ms.median(), self.longest_ms.max());
        row(&[&name, &rate, &self.rate.over(&base.rate), &thousandth, &longest]);
    }

    /// Closes the store and opens it again.
    fn show_opening(self, name: &str, scale: Scale, compacts: bool) {
        self.store.close().expect("the disk works");
        drop(self.store);
        let mut opened = None;
        let elapsed = seconds(|| opened = Some(open(scale, compacts, self.directory.path())));
        let store = opened.expect("it is open");
        assert_eq!(store.len(), scale.keys as usize);
        let recovery = store.recovery().expect("it is on a log");
        let bytes = recovery.bytes as f64;
        let elapsed_ms = format!("{:.0}", elapsed * 1e3);
        let rate = format!("{:.0}", bytes / elapsed / 1e6);
        row(&[&name, &recovery.entries, &recovery.commits, &megabytes(bytes), &elapsed_ms, &rate]);
    }
}

fn value(number: u32) -> String {
    format!("{number:0VALUE_BYTES$}")
}

fn megabytes(bytes: f64) -> String {
    format!("{:.0}", bytes / 1e6)
}

/// How many bytes the files have together, and whether the log is being compacted: a checkpoint is unfinished, or what it
/// replaces is still there.
fn used(directory: &Path) -> (f64, bool) {
    let (mut bytes, mut names) = (0, Vec::new());
    for entry in std::fs::read_dir(directory).expect("it is there").flatten() {
        // It may have been removed just now.
        bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    // Names begin with numbers of the same length.
    names.sort();
    let oldest = names.iter().find(|name| name.contains('.'));
    let newest = names.iter().rfind(|name| name.ends_with(".checkpoint"));
    let is_unfinished = names.iter().any(|name| name.ends_with(".checkpoint.new"));
    (bytes as f64, is_unfinished || newest.is_some_and(|newest| Some(newest) != oldest))
}

/// Runs `work` and looks at the directory meanwhile: the most bytes at rest, and while a checkpoint is written.
fn watched(directory: &Path, work: impl FnOnce()) -> (f64, f64) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut rest, mut peak) = (0_f64, 0_f64);
            while !done.load(Ordering::Acquire) {
                let (bytes, is_compacting) = used(directory);
                if is_compacting {
                    peak = peak.max(bytes);
                } else {
                    rest = rest.max(bytes);
                }
                thread::sleep(Duration::from_millis(5));
            }
            (rest, peak)
        });
        work();
        done.store(true, Ordering::Release);
        watcher.join().expect("it only looks")
    })
}

fn compare(scale: Scale) {
    let Scale { durability, threads, keys, updates, rounds, .. } = scale;
    let (mut with, mut without) = (Contender::new(scale, true), Contender::new(scale, false));
    let live = scale.live_bytes();
    let over =
        |bytes: f64| if bytes > 0.0 { format!("{:.2}", bytes / live) } else { "-".to_owned() };
    let title = format!("{durability:?}, {threads} threads, {keys} keys: updates");
    header(&[&title, "bytes a live byte at rest", "at the peak", "without compaction"]);
    let path = with.directory.path().to_owned();
    let (mut rest, mut peak) = (0_f64, 0_f64);
    for round in 0..rounds {
        let mut turn = || watched(&path, || with.write(scale, round));
        // Who goes first changes.
        let (at_rest, at_peak) = if round % 2 == 0 {
            let seen = turn();
            without.write(scale, round);
            seen
        } else {
            without.write(scale, round);
            turn()
        };
        (rest, peak) = (rest.max(at_rest), peak.max(at_peak));
        let done = u64::from(updates / rounds) * u64::from(round + 1);
        row(&[&done, &over(at_rest), &over(at_peak), &over(used(without.directory.path()).0)]);
    }
    let stats = with.store.stats().log().expect("it is on a log");
    let (checkpoint, twice) = (stats.checkpoint_bytes as f64, 2.0 * scale.segment_bytes as f64);
    let bound = checkpoint + checkpoint.max(scale.compact_after as f64) + twice;
    println!(
        "\n{} compactions; at most {} bytes a live byte at rest (stated: {}), {} at the peak",
        stats.compactions.succeeded,
        over(rest),
        over(bound),
        over(peak),
    );
    header(&["", "puts/s", "ratio", "one in 1,000 took, µs", "longest, ms: median, worst"]);
    with.show("compacted", &without);
    without.show("never compacted", &without);
    header(&["opening", "entries", "commits", "MB", "ms", "MB/s"]);
    with.show_opening("compacted", scale, true);
    without.show_opening("never compacted", scale, false);
}

fn main() {
    let large = Scale {
        durability: Durability::Buffered,
        threads: 2,
        keys: 1_000_000,
        updates: 5_000_000,
        rounds: 10,
        segment_bytes: 64 << 20,
        compact_after: 64 << 20,
    };
    let small = Scale {
        durability: Durability::Sync,
        threads: 8,
        keys: 20_000,
        updates: 100_000,
        rounds: 10,
        segment_bytes: 1 << 20,
        compact_after: 1 << 20,
    };
    if serious() {
        compare(large);
        compare(small);
    } else {
        let updates = 40_000;
        compare(Scale {
            durability: Durability::Buffered,
            threads: 2,
            updates,
            rounds: 2,
            ..small
        });
        compare(Scale {
            keys: 2_000,
            updates: 4_000,
            rounds: 2,
            segment_bytes: 64 << 10,
            compact_after: 64 << 10,
            ..small
        });
    }
}
