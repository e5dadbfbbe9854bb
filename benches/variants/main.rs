//! Which sequencer, which entry layout and how many shards should the store's commit path use?
//!
//! Every contender is a sketch of the store: `get` gives a cheap clone with its revision, `write`
//! takes effect only if the revision is still the expected one, revisions are store-global and
//! given in commit order, and up to `visible` a reader of several keys finds everything installed.
//! Each differs in one thing from the reference, which nests the sequencer in the shard lock, keeps
//! slots inline and has 256 shards. The first row is the base of all ratios:
//! `DashMap<String, (u64, Arc<[u8]>)>` by hand.
//!
//! What keeps it fair, but for the rows that say otherwise: the sketches store `[u8; 100]` in the
//! version block, the baseline an `Arc<[u8]>` of 100 bytes, so each allocates one block a write,
//! before any lock, and frees one after all locks. All hash with foldhash. Contenders take turns on
//! the same keys, a ratio is taken within a round, and its median is shown.
//!
//!     cargo bench --bench variants              # about two minutes, 4 GB
//!     cargo bench --bench variants -- --quick   # under two seconds: shows only that it works
//!
//! 2026-11-22, 2 shared cores of an AMD EPYC, 1 million keys, 7 rounds, DashMap 6.2.1; the baseline did 5.46, 11.22,
//! 1.56, 3.02, 4.62 and 5.41 million operations/s. Equal rows may differ by 0.1, and by far more while others use the
//! cores.
//!
//! | ratio | get, 1 | get, 2 | swap, 1 | swap, 2 | swap, zipf, 8 | put, 2 | bytes an entry |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | DashMap by hand | 1.00 | 1.00 | 1.00 | 1.00 | 1.00 | 1.00 | 262 |
//! | DashMap, its own hasher | 0.60 | 0.57 | 1.02 | 0.92 | 0.98 | 0.61 | 262 |
//! | DashMap, 256 shards | 1.04 | 1.07 | 1.08 | 1.18 | 1.38 | 1.23 | 263 |
//! | **the store itself** | 1.01 | 1.01 | 1.06 | 1.10 | 0.99 | 0.56 | 263 |
//! | **reference** | 1.03 | 1.08 | 1.16 | 1.18 | 1.16 | 0.94 | 263 |
//! | shards: 64 | 1.05 | 1.04 | 1.17 | 1.13 | 0.93 | 1.00 | 262 |
//! | shards: 4 per core | 1.05 | 1.00 | 1.19 | 0.98 | 0.80 | 0.92 | 262 |
//! | sequencer: ticket | 1.07 | 1.04 | 1.12 | 1.21 | 0.07 | 1.12 | 263 |
//! | sequencer: mutex around commits | 1.07 | 1.07 | 1.12 | 1.18 | 1.17 | 0.48 | 263 |
//! | sequencer: mutex around everything | 1.02 | 0.41 | 1.16 | 0.45 | 0.55 | 0.49 | 263 |
//! | layout: pointer slot | 0.74 | 0.81 | 0.91 | 0.93 | 0.88 | 0.82 | 242 |
//! | layout: revision in slot | 1.05 | 1.06 | 1.17 | 1.18 | 1.15 | 1.04 | 280 |
//! | layout: std Arc made in lock | 1.04 | 1.07 | 1.17 | 1.19 | 1.13 | 0.95 | 279 |
//!
//! Nested is the choice: around commits, a mutex is as good or better while the key is warm, and
//! halves the rate of puts to cold keys, whose search it covers. The ticket is as good while every
//! thread has a core, and collapses with more threads than cores, presumably because the one whose
//! turn it is waits for a core. The pointer slot loses everywhere. A DashMap with as many shards is
//! ahead under zipf and in puts; `hot_key.rs` shows how its lock treats a writer among readers.
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "a random draw is a float")]

mod sketches;

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use sketches::{Contender, ENTRANTS};

const KEY_LENGTH: usize = 16;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Use {
    Get,
    /// A get and a swap of what it saw, both again until the swap wins.
    Swap,
    /// A write that nobody read for: it meets a cold key under the locks.
    Put,
}

/// Name, threads, whether keys are skewed by a zipf distribution of 0.99, what is done with each.
const WORKLOADS: [(&str, u32, bool, Use); 6] = [
    ("get, 1 thread", 1, false, Use::Get),
    ("get, 2 threads", 2, false, Use::Get),
    ("get + swap, 1 thread", 1, false, Use::Swap),
    ("get + swap, 2 threads", 2, false, Use::Swap),
    ("get + swap, zipf, 8 threads", 8, true, Use::Swap),
    ("put, 2 threads", 2, false, Use::Put),
];

fn key(index: u64) -> String {
    format!("key:{index:012}")
}

/// `SplitMix64`, scaled to 0..1: small, and the same in every run.
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed >> 11) as f64 / 9_007_199_254_740_992.0
}

/// The keys that one thread asks for, back to back, so that reaching the next one misses no cache.
fn trace(state: &mut u64, keys: u32, skewed: bool, operations: u32) -> String {
    // The integral of rank^-0.99 over half a rank to either side is within a tenth of the term, and
    // unlike the sum it has a closed inverse.
    let (low, high) = (0.5_f64.powf(0.01), (f64::from(keys) + 0.5).powf(0.01));
    let mut draw = || match random(state) {
        unit if skewed => (low + (high - low) * unit).powf(100.0) - 0.5,
        unit => f64::from(keys) * unit,
    };
    // The prime spreads hot ranks, which would otherwise be neighbours in memory.
    let draws = (0..operations).map(|_| draw() as u64 * 2_654_435_761 % u64::from(keys));
    draws.map(key).collect()
}

/// A contender whose type is erased outside the loops only.
pub(crate) trait Bench {
    fn load(&self, keys: u32);
    /// Operations per second of all threads together.
    fn measure(&self, usage: Use, traces: &[String]) -> f64;
}

impl<C: Contender> Bench for C {
    fn load(&self, keys: u32) {
        (0..keys).for_each(|index| self.insert(key(index.into()), [1; 100]));
    }

    fn measure(&self, usage: Use, traces: &[String]) -> f64 {
        let (before, barrier) = (self.visible(), &Barrier::new(traces.len()));
        let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
            let start = |trace| scope.spawn(move || drive(self, usage, trace, barrier));
            let threads: Vec<_> = traces.iter().map(String::as_str).map(start).collect();
            threads.into_iter().map(|thread| thread.join().expect("no worker panics")).collect()
        });
        let begin = spans.iter().map(|span| span.0).min().expect("at least one thread");
        let end = spans.iter().map(|span| span.1).max().expect("at least one thread");
        let operations: usize = traces.iter().map(|trace| trace.len() / KEY_LENGTH).sum();
        let operations = u32::try_from(operations).expect("few operations");
        let commits = if usage == Use::Get { 0 } else { u64::from(operations) };
        assert_eq!(
            self.visible() - before,
            commits,
            "each commit takes one revision, all are shown"
        );
        f64::from(operations) / (end - begin).as_secs_f64()
    }
}

fn drive<C: Contender>(
    contender: &C,
    usage: Use,
    trace: &str,
    barrier: &Barrier,
) -> (Instant, Instant) {
    barrier.wait();
    let begin = Instant::now();
    for position in (0..trace.len()).step_by(KEY_LENGTH) {
        let key = &trace[position..position + KEY_LENGTH];
        if usage == Use::Put {
            contender.write(key, None, [1; 100]).expect("no condition, no conflict");
            continue;
        }
        loop {
            let read = contender.get(key).expect("every key was loaded");
            let (revision, first) = black_box(C::look(&read));
            if usage == Use::Get || contender.write(key, Some(revision), [first; 100]).is_ok() {
                break;
            }
        }
    }
    (begin, Instant::now())
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Asks a child process, because memory that another entrant freed would hide what this one takes.
fn bytes_per_entry(name: &str) -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let output = std::process::Command::new(program).args(["--bytes", name]).output().ok()?;
    String::from_utf8(output.stdout).ok().filter(|text| !text.is_empty())
}

fn print_bytes_per_entry(name: &str, keys: u32) {
    let entrant = ENTRANTS.iter().find(|entrant| entrant.0 == name).expect("a name of the table");
    let (before, bench) = (resident_bytes(), entrant.1());
    bench.load(keys);
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        print!("{}", (after - before) / u64::from(keys));
    }
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<f64> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, name] = &arguments[..]
        && flag == "--bytes"
    {
        return print_bytes_per_entry(name, 1_000_000);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // `cargo bench` says `--bench`; `cargo test --benches` says nothing, and wants to be done soon.
    let (keys, rounds, operations) = match (has("--quick"), has("--bench") && !has("--test")) {
        (true, _) => (100_000, 1, 4_000),
        (_, false) => (2_000, 1, 400),
        _ => (1_000_000, 7, 200_000),
    };
    let benches: Vec<Box<dyn Bench>> = ENTRANTS.iter().map(|entrant| entrant.1()).collect();
    benches.iter().for_each(|bench| bench.load(keys));

    let mut state = 1;
    let mut rates = vec![vec![Vec::new(); WORKLOADS.len()]; ENTRANTS.len()];
    for round in 0..rounds {
        for (column, (_, threads, skewed, usage)) in WORKLOADS.into_iter().enumerate() {
            let operations = operations / threads.div_ceil(2);
            let traces: Vec<String> =
                (0..threads).map(|_| trace(&mut state, keys, skewed, operations)).collect();
            // Another first one each round, so that none is always the one a disturbance hits.
            for turn in 0..ENTRANTS.len() {
                let row = (turn + round * 5) % ENTRANTS.len();
                rates[row][column].push(benches[row].measure(usage, &traces));
            }
        }
    }

    let names = WORKLOADS.map(|workload| workload.0).join(" | ");
    println!("| ratio (million operations/s) | {names} | bytes an entry |");
    println!("| --- |{} --- |", " --- |".repeat(WORKLOADS.len()));
    for (row, (name, _)) in ENTRANTS.iter().enumerate() {
        print!("| {name} |");
        for (mine, base) in rates[row].iter().zip(&rates[0]) {
            let ratio = median(mine.iter().zip(base).map(|(mine, base)| mine / base));
            print!(" {ratio:.2} ({:.2}) |", median(mine.iter().copied()) / 1e6);
        }
        let bytes = if rounds > 1 { bytes_per_entry(name) } else { None };
        println!(" {} |", bytes.as_deref().unwrap_or("-"));
    }
}
