//! Runs on all cores. What a run does depends on its number, not on who does it.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
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
/// found wrong. One that panics found that.
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
            let done_or_panicked = catch_unwind(AssertUnwindSafe(|| run(number, &mut collected)));
            let (checked, violation) = done_or_panicked.unwrap_or_else(|panic| {
                (0, Some(format!("{what}: run {number} panicked: {}", text_of(&*panic))))
            });
            points.fetch_add(checked, Ordering::Relaxed);
            done.fetch_add(1, Ordering::Relaxed);
            if let Some(violation) = violation {
                let mut violations = violations.lock().unwrap();
                violations.insert(number, violation);
                enough.fetch_or(violations.len() >= ENOUGH, Ordering::Relaxed);
            }
        }
    };
    // It is dropped also if this panics, or the report would be waited for without end.
    let (finish, finished) = mpsc::channel();
    let collected = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        scope.spawn(|| report(what, &done, &points, finished));
        let collected = threads.into_iter().map(|worker| worker.join().unwrap()).collect();
        drop(finish);
        collected
    });
    let violations = violations.into_inner().unwrap();
    Total { points: points.into_inner(), violations, collected }
}

/// Says now and then how far it is, until the other end is dropped.
fn report(what: &str, done: &AtomicU64, points: &AtomicU64, finished: Receiver<()>) {
    let started = Instant::now();
    while finished.recv_timeout(Duration::from_secs(5)) == Err(RecvTimeoutError::Timeout) {
        let (done, points) = (done.load(Ordering::Relaxed), points.load(Ordering::Relaxed));
        let seconds = started.elapsed().as_secs().max(1);
        eprintln!("{what}: {done} runs, {points} points, {}/s", points / seconds);
    }
}

/// What somebody panicked with.
fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}
