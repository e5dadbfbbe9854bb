//! Where all threads of a history meet, again and again: before each of its rounds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{hint, thread};

use crate::common::RaisesOnPanic;

pub(super) struct Meeting {
    threads: u64,
    /// All together, in all rounds.
    came: AtomicU64,
    /// Somebody will not come any more.
    is_off: AtomicBool,
}

/// How often who waits looks before it gives its core to another. To look takes nanoseconds, to be woken microseconds, and
/// in those who came last may be through.
const LOOKS: u32 = 500;

impl Meeting {
    pub(super) fn of(threads: usize) -> Self {
        let threads = u64::try_from(threads).unwrap();
        Self { threads, came: AtomicU64::new(0), is_off: AtomicBool::new(false) }
    }

    /// Waits until all are there for this round, the first of which is 0.
    pub(super) fn wait(&self, round: u64) {
        self.came.fetch_add(1, Ordering::SeqCst);
        let mut looks = 0;
        while self.came.load(Ordering::SeqCst) < self.threads * (round + 1)
            && !self.is_off.load(Ordering::SeqCst)
        {
            looks += 1;
            if looks < LOOKS { hint::spin_loop() } else { thread::yield_now() }
        }
    }

    /// If whoever holds this panics, nobody waits for them.
    pub(super) fn unless_panicking(&self) -> RaisesOnPanic<'_> {
        RaisesOnPanic(&self.is_off)
    }
}
