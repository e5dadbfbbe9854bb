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

/// Lets threads work for that long, each with what `prepare` makes for its number, which is told how often it has worked before.
/// One operation in so many as `timed` is timed: looking at the clock takes as long as a short one.
///
/// # Panics
/// If one of the threads does.
pub fn round<W: FnMut(u64) + Send>(
    threads: usize,
    length: Duration,
    timed: u64,
    prepare: impl Fn(usize) -> W,
) -> Sample {
    let works: Vec<W> = (0..threads).map(prepare).collect();
    let (start, is_over) = (Barrier::new(threads + 1), AtomicBool::new(false));
    let done = thread::scope(|scope| {
        let workers: Vec<_> = works
            .into_iter()
            .map(|work| scope.spawn(|| until(&start, &is_over, timed, work)))
            .collect();
        start.wait();
        thread::sleep(length);
        is_over.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().expect("it does not fail")).collect()
    });
    summed(done, thread::available_parallelism().map_or(1, usize::from))
}

/// Both clocks.
#[derive(Clone, Copy, Debug)]
struct Moment {
    wall: Instant,
    cpu: f64,
}

impl Moment {
    fn now() -> Self {
        Self { wall: Instant::now(), cpu: cpu_seconds() }
    }
}

/// What one thread did.
#[derive(Debug)]
struct Done {
    begin: Moment,
    end: Moment,
    count: u64,
    /// Nanoseconds of those that were timed.
    times: Vec<u64>,
}

/// The workers look at the clocks, each when it begins and when it ends: of more threads than processors some have worked for
/// long when whoever waits for them all to begin comes to look, and that would count for nothing.
fn summed(done: Vec<Done>, processors: usize) -> Sample {
    let processors = processors.min(done.len());
    let begin = done.iter().map(|one| one.begin).min_by_key(|moment| moment.wall);
    let end = done.iter().map(|one| one.end).max_by_key(|moment| moment.wall);
    let (begin, end) = begin.zip(end).expect("there are threads");
    let (wall, cpu) = ((end.wall - begin.wall).as_secs_f64(), end.cpu - begin.cpu);
    let count: u64 = done.iter().map(|one| one.count).sum();
    let mut times: Vec<u64> = done.into_iter().flat_map(|one| one.times).collect();
    times.sort_unstable();
    let seconds = |index: usize| times.get(index).map_or(0.0, |time| *time as f64 / 1e9);
    Sample {
        rate: count as f64 / wall,
        cpu: cpu / wall / processors as f64,
        p99: seconds(times.len() * 99 / 100),
        worst: seconds(times.len().saturating_sub(1)),
    }
}

/// Whether the operation of this number is one of those.
#[must_use]
pub const fn is_timed(number: u64, timed: u64) -> bool {
    number.is_multiple_of(timed)
}

fn until(start: &Barrier, is_over: &AtomicBool, timed: u64, mut work: impl FnMut(u64)) -> Done {
    let (mut count, mut times) = (0, Vec::with_capacity(1 << 16));
    start.wait();
    let begin = Moment::now();
    loop {
        if is_timed(count, timed) {
            let begin = Instant::now();
            work(count);
            times.push(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
        } else {
            work(count);
        }
        count += 1;
        if is_over.load(Ordering::Relaxed) {
            return Done { begin, end: Moment::now(), count, times };
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
    /// The middle one; of an even number the mean of the two in the middle.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.get(middle) {
            Some(upper) if sorted.len().is_multiple_of(2) => {
                f64::midpoint(sorted[middle - 1], *upper)
            }
            Some(middle) => *middle,
            None => f64::NAN,
        }
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Done, Moment, Sample, Series, summed};

    /// Four threads on two processors, each of which works for 100 ms: two first, and two when those have ended. Whoever looked at
    /// the clock when the last one began would have seen twice the rate.
    #[test]
    fn a_rate_is_over_the_time_from_the_first_begin_to_the_last_end() {
        let zero = Instant::now();
        let at = |millis: u64| Moment {
            wall: zero + Duration::from_millis(millis),
            cpu: millis as f64 * 2.0 / 1e3,
        };
        let done = |begin, end, time| Done {
            begin: at(begin),
            end: at(end),
            count: 1000,
            times: vec![time],
        };
        let all = vec![done(100, 200, 4), done(0, 100, 3), done(0, 99, 1), done(99, 199, 2)];
        let Sample { rate, cpu, worst, .. } = summed(all, 2);
        assert!((rate - 20_000.0).abs() < 1e-6, "{rate}");
        assert!((cpu - 1.0).abs() < 1e-9, "{cpu}");
        assert!((worst - 4e-9).abs() < 1e-15, "{worst}");
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        for (series, median) in [(vec![3.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 9.0], 3.0)] {
            assert!((Series(series).median() - median).abs() < 1e-9);
        }
        assert!(Series::default().median().is_nan());
    }
}
