//! What the benches have in common: flags, made-up keys, CPU time, and samples side by side.
//!
//! The machine is shared and noisy, so that contenders take turns, a ratio is taken within a round, and shown are its
//! median and quartiles. Where it can be, what is measured is the CPU time of the thread.
#![allow(dead_code, reason = "each bench uses some of it")]

use std::fmt;
use std::time::Instant;

/// `cargo bench` says `--bench`; `cargo test --benches` says nothing, and wants to be done soon.
pub(crate) fn serious() -> bool {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    has("--bench") && !has("--quick") && !has("--test")
}

pub(crate) fn key(number: u32) -> String {
    format!("key:{number:012}")
}

/// The same numbers in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`, by `SplitMix64`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from(((mixed >> 32) * u64::from(bound)) >> 32).expect("it is below the bound")
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u32::try_from(last + 1).expect("few items");
            items.swap(last, usize::try_from(self.below(bound)).expect("few items"));
        }
    }
}

/// Seconds of CPU that this thread took, where that is known; else the clock's.
pub(crate) struct CpuTime(#[cfg(unix)] f64, #[cfg(not(unix))] Instant);

#[cfg(unix)]
impl CpuTime {
    pub(crate) fn start() -> Self {
        Self(Self::now())
    }

    pub(crate) fn seconds(&self) -> f64 {
        Self::now() - self.0
    }

    fn now() -> f64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    }
}

#[cfg(not(unix))]
impl CpuTime {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// CPU seconds that `work` took.
pub(crate) fn cpu_seconds(work: impl FnOnce()) -> f64 {
    let time = CpuTime::start();
    work();
    time.seconds()
}

/// Seconds that `work` took by the clock.
pub(crate) fn seconds(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

/// One figure, measured once a round.
#[derive(Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    pub(crate) fn extend(&mut self, samples: impl IntoIterator<Item = f64>) {
        self.0.extend(samples);
    }

    pub(crate) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[((sorted.len() - 1) as f64 * quantile).round() as usize]
    }

    /// Round by round.
    pub(crate) fn over(&self, base: &Self) -> Ratio {
        Ratio(Self(self.0.iter().zip(&base.0).map(|(mine, base)| mine / base).collect()))
    }
}

/// Shown as its median and, in brackets, its quartiles.
pub(crate) struct Ratio(Samples);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|quantile| self.0.quantile(quantile));
        write!(f, "{middle:.2} ({low:.2}-{high:.2})")
    }
}

/// A row of a table.
pub(crate) fn row(cells: &[&dyn fmt::Display]) {
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    println!("| {} |", cells.join(" | "));
}

pub(crate) fn header(cells: &[&str]) {
    println!("\n| {} |\n|{}", cells.join(" | "), " --- |".repeat(cells.len()));
}
