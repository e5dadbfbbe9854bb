//! Runs on all cores. What a run does depends on its number, not on who does it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Where runs end: after so many, or at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    After(u64),
    At(Instant),
}

/// What all runs made, together.
#[derive(Debug)]
pub(crate) struct Total<T> {
    pub(crate) points: u64,
    /// By the number of the run.
    pub(crate) violations: BTreeMap<u64, String>,
    /// What each worker collected.
    pub(crate) collected: Vec<T>,
}

/// How many violations are enough.
const ENOUGH: usize = 3;

/// Calls `run` with 0, 1, ... It adds to what its worker collects, and returns how many points it checked, or what it
/// found wrong.
pub(crate) fn each<T: Default + Send>(
    what: &str,
    workers: usize,
    end: End,
    run: impl Fn(u64, &mut T) -> (u64, Option<String>) + Sync,
) -> Total<T> {
    let (next, points) = (AtomicU64::new(0), AtomicU64::new(0));
    let (done, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let violations = Mutex::new(BTreeMap::new());
    let work = || {
        let mut collected = T::default();
        loop {
            let over = match end {
                End::After(_) => false,
                End::At(time) => Instant::now() >= time,
            };
            let number = next.fetch_add(1, Ordering::Relaxed);
            if over
                || enough.load(Ordering::Relaxed)
                || matches!(end, End::After(count) if number >= count)
            {
                return collected;
            }
            let (checked, violation) = run(number, &mut collected);
            points.fetch_add(checked, Ordering::Relaxed);
            done.fetch_add(1, Ordering::Relaxed);
            if let Some(violation) = violation {
                let mut violations = violations.lock().unwrap();
                violations.insert(number, violation);
                enough.fetch_or(violations.len() >= ENOUGH, Ordering::Relaxed);
            }
        }
    };
    let finished = AtomicBool::new(false);
    let collected = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let report = scope.spawn(|| {
            let started = Instant::now();
            while !finished.load(Ordering::Relaxed) {
                thread::park_timeout(Duration::from_secs(5));
                let seconds = started.elapsed().as_secs();
                if seconds > 0 && !finished.load(Ordering::Relaxed) {
                    let points = points.load(Ordering::Relaxed);
                    let done = done.load(Ordering::Relaxed);
                    eprintln!("{what}: {done} runs, {points} points, {}/s", points / seconds);
                }
            }
        });
        let collected = threads.into_iter().map(|worker| worker.join().unwrap()).collect();
        finished.store(true, Ordering::Relaxed);
        report.thread().unpark();
        collected
    });
    let violations = violations.into_inner().unwrap();
    Total { points: points.into_inner(), violations, collected }
}
