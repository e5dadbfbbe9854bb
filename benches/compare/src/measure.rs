//! Rounds, in which contenders take turns, and what comes of them.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What one contender did in one round.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Operations a second.
    pub rate: f64,
    /// Of the processors that its threads could have had: 1 if they never waited.
    pub cpu: f64,
    /// Seconds within which 99 of 100 operations were over, of those that were timed.
    pub p99: f64,
    /// Seconds of the longest of them.
    pub worst: f64,
}

/// Lets threads work for that long, each with what `prepare` makes for its number. One operation in so many as `timed` is
/// timed: looking at the clock takes as long as a short one.
///
/// # Panics
/// If one of the threads does.
pub fn round<W: FnMut() + Send>(
    threads: usize,
    length: Duration,
    timed: u64,
    prepare: impl Fn(usize) -> W,
) -> Sample {
    let works: Vec<W> = (0..threads).map(prepare).collect();
    let (start, is_over) = (Barrier::new(threads + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let workers: Vec<_> = works
            .into_iter()
            .map(|work| scope.spawn(|| until(&start, &is_over, timed, work)))
            .collect();
        start.wait();
        let (begin, cpu) = (Instant::now(), cpu_seconds());
        thread::sleep(length);
        is_over.store(true, Ordering::Relaxed);
        let done: Vec<_> =
            workers.into_iter().map(|worker| worker.join().expect("it does not fail")).collect();
        let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let count: u64 = done.iter().map(|(count, _)| count).sum();
        let mut times: Vec<u64> = done.into_iter().flat_map(|(_, times)| times).collect();
        times.sort_unstable();
        let seconds = |index: usize| times.get(index).map_or(0.0, |time| *time as f64 / 1e9);
        let processors = thread::available_parallelism().map_or(1, usize::from).min(threads);
        Sample {
            rate: count as f64 / wall,
            cpu: cpu / wall / processors as f64,
            p99: seconds(times.len() * 99 / 100),
            worst: seconds(times.len().saturating_sub(1)),
        }
    })
}

/// How often it worked, and the nanoseconds of some of the times.
fn until(
    start: &Barrier,
    is_over: &AtomicBool,
    timed: u64,
    mut work: impl FnMut(),
) -> (u64, Vec<u64>) {
    let (mut count, mut times) = (0, Vec::with_capacity(1 << 16));
    start.wait();
    loop {
        if count % timed == 0 {
            let begin = Instant::now();
            work();
            times.push(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
        } else {
            work();
        }
        count += 1;
        if is_over.load(Ordering::Relaxed) {
            return (count, times);
        }
    }
}

/// Of this process, since it began.
#[must_use]
pub fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// One figure, once a round.
#[derive(Clone, Debug, Default)]
pub struct Series(pub Vec<f64>);

impl Series {
    /// The middle one.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The least.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The most.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Round by round: what disturbed the machine in one disturbed both.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        Self(self.0.iter().zip(&base.0).map(|(mine, base)| mine / base).collect())
    }
}
