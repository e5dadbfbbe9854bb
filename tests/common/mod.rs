//! What the suites share: directories, random numbers, a future's smallest executor, and a watchdog.

#![allow(dead_code)] // Each suite uses its part.

pub(crate) mod format;

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A directory for logs that are opened thousands of times: in memory where the system has that, because what those
/// tests look at is bytes, not disks.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let in_memory = memory.is_dir().then(|| tempfile::tempdir_in(memory).ok()).flatten();
    in_memory.unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// A directory on a disk.
pub(crate) fn disk() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Every file of a directory, but for the lock file, which is empty and may come and stay.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn read_files(directory: &Path) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name != "LOCK" {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

/// Makes the directory hold exactly `files`.
pub(crate) fn write_files(directory: &Path, files: &Files) {
    for entry in fs::read_dir(directory).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).unwrap();
    }
}

/// A number of the environment, so that long runs need no other code than short ones.
pub(crate) fn from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => default,
    }
}

/// SplitMix64: small, and the same on every machine, so that a failing seed fails again.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// That of one of many runs with one seed.
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        Self(Self(seed).next() ^ Self(!number).next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// One of `all`.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let index = self.below(u64::try_from(all.len()).unwrap());
        &all[usize::try_from(index).unwrap()]
    }
}

/// Waits for what another thread is about to do.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not after 5 s");
        thread::sleep(Duration::from_micros(100));
    }
}

/// Runs `body` on a thread of its own, and fails if it takes longer than `seconds`: a deadlock must not hang the
/// suite.
pub(crate) fn within<T: Send + 'static>(
    seconds: u64,
    body: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, finished) = mpsc::channel();
    let worker = thread::spawn(move || {
        let result = body();
        let _nobody_waits = done.send(());
        result
    });
    if finished.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout) {
        panic!("still not done after {seconds} s: a deadlock");
    }
    match worker.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Raises a flag when it is dropped: what other threads wait for comes also if the test fails.
pub(crate) struct Raises<'a>(pub(crate) &'a AtomicBool);

impl Drop for Raises<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Raises a flag if it is dropped by a panic.
pub(crate) struct RaisesOnPanic<'a>(pub(crate) &'a AtomicBool);

impl Drop for RaisesOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

/// Runs `body` on `threads` threads, which start together, and gives what each made.
pub(crate) fn together<T: Send>(threads: u64, body: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(usize::try_from(threads).unwrap());
    let run = |index| {
        start.wait();
        body(index)
    };
    thread::scope(|scope| {
        let run = &run;
        let workers: Vec<_> = (0..threads).map(|index| scope.spawn(move || run(index))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    })
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls until it is ready, sleeping until the waker is called: without the wake-up it hangs, as it should.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Awaits all, each woken by the one waker of this thread.
pub(crate) fn block_on_all<F: Future + Unpin>(futures: Vec<F>) -> Vec<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut waiting: Vec<_> = futures.into_iter().enumerate().collect();
    let mut outputs: BTreeMap<usize, F::Output> = BTreeMap::new();
    loop {
        waiting.retain_mut(|(index, future)| {
            match pin!(future).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => outputs.insert(*index, output).is_some(),
                Poll::Pending => true,
            }
        });
        if waiting.is_empty() {
            return outputs.into_values().collect();
        }
        thread::park();
    }
}
