//! Where threads wait for each other before they begin.

use crate::sync::{AtomicU64, Ordering, thread};

/// Nobody who waits here goes on before all are there, and awake: a plan is over sooner than a thread is woken, so that they
/// spin rather than sleep.
pub(super) struct Gate {
    awake: AtomicU64,
    /// How many come; the largest number while that is not known.
    expected: AtomicU64,
}

/// Counts who is sent to a gate. Dropped, it says that no more come: by a panic, too, as when no thread can be had. Whoever is
/// there then goes on, instead of waiting for ever for one who does not exist.
pub(super) struct Doorman<'a> {
    gate: &'a Gate,
    sent: u64,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { awake: AtomicU64::new(0), expected: AtomicU64::new(u64::MAX) }
    }

    pub(super) fn doorman(&self) -> Doorman<'_> {
        Doorman { gate: self, sent: 0 }
    }

    pub(super) fn wait(&self) {
        self.awake.fetch_add(1, Ordering::SeqCst);
        while self.awake.load(Ordering::SeqCst) < self.expected.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    }
}

impl Doorman<'_> {
    /// One more comes.
    pub(super) fn has_sent_one(&mut self) {
        self.sent += 1;
    }
}

impl Drop for Doorman<'_> {
    fn drop(&mut self) {
        self.gate.expected.store(self.sent, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(ifmatch_model)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Runs it in a thread that is left behind if it waits for ever.
    fn within_ten_seconds(body: impl FnOnce() + Send + 'static) {
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            body();
            done.send(()).expect("somebody waits");
        });
        is_done.recv_timeout(Duration::from_secs(10)).expect("it fails, or waits for ever");
    }

    /// A thread that could not be started left those before it spinning for ever.
    #[test]
    fn who_waits_for_a_thread_that_cannot_be_started_goes_on() {
        within_ten_seconds(|| {
            let gate = Gate::new();
            let failed = catch_unwind(AssertUnwindSafe(|| {
                thread::scope(|scope| {
                    let mut doorman = gate.doorman();
                    scope.spawn(|| gate.wait());
                    doorman.has_sent_one();
                    // As when the system has no second one.
                    resume_unwind(Box::new(()));
                });
            }));
            assert!(failed.is_err(), "the failure is told");
        });
    }

    #[test]
    fn nobody_goes_on_before_all_are_there() {
        within_ten_seconds(|| {
            let (gate, here) = (Gate::new(), AtomicU64::new(0));
            thread::scope(|scope| {
                let mut doorman = gate.doorman();
                for _ in 0..3 {
                    scope.spawn(|| {
                        here.fetch_add(1, Ordering::SeqCst);
                        gate.wait();
                        assert_eq!(here.load(Ordering::SeqCst), 3);
                    });
                    doorman.has_sent_one();
                    // The first ones are there long before the last.
                    thread::sleep(Duration::from_millis(2));
                }
            });
        });
    }
}
