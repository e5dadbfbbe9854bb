//! The locks, atomics and threads that the crate is built on: the only file that names them.
//!
//! Normally they are `parking_lot`'s and the standard library's. Under `--cfg ifmatch_model` they are
//! those of the model checker shuttle, behind the same signatures, so that what is checked is the
//! code that ships. Nothing here may know what is stored.
//!
//! The order in which locks are taken, outermost first: shard (ascending), index (its top, then a leaf), sequencer,
//! log tail. The log group comes before the log tail, and is never taken with a shard, the index or the sequencer. A
//! thread that waits for the disk holds none of them. What it may hold are the open segment of the log, which comes before
//! the group, and a compaction's lease, which comes after the open segment.

#[cfg(not(ifmatch_model))]
pub(crate) use self::real::*;

#[cfg(ifmatch_model)]
pub(crate) use self::modelled::*;

#[cfg(ifmatch_model)]
use self::modelled::Timer;
#[cfg(not(ifmatch_model))]
use self::real::Timer;

#[cfg(feature = "log")]
pub(crate) use std::sync::mpsc::{SyncSender, sync_channel};
pub(crate) use std::sync::{Arc, Weak};
// Threads that end before their scope does; none is started under the model checker, where all sizes are too small for that.
#[cfg(feature = "log")]
pub(crate) use std::thread::{Builder as ScopedThread, Scope, ScopedJoinHandle, scope};
use std::time::{Duration, Instant};

/// A size at which something changes course: what is `usual`, but `modelled` under the model checker, where it has to be
/// reached within a few operations.
pub(crate) const fn size(usual: usize, modelled: usize) -> usize {
    if cfg!(ifmatch_model) { modelled } else { usual }
}

/// How often a thread looks for what is to happen within microseconds, before it sleeps.
pub(crate) const LOOKS: usize = SPINS + size(8, 1);

/// So often it keeps its processor.
const SPINS: usize = size(16, 0);

/// Lets a short time pass after so many looks.
pub(crate) fn pause(looks: usize) {
    if looks < SPINS {
        for _ in 0..8 {
            std::hint::spin_loop();
        }
    } else {
        thread::yield_now();
    }
}

/// Lets others go on until `is_enough`, but not for much longer than `limit`.
pub(crate) fn yield_until(limit: Duration, is_enough: impl Fn() -> bool) {
    let mut timer = Timer::new(limit);
    while !is_enough() && timer.runs() {
        thread::yield_now();
    }
}

/// Where one thread waits to be woken. A wake-up that comes first is not lost.
#[derive(Debug)]
pub(crate) struct Parker {
    woken: Mutex<bool>,
    wake: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self { woken: Mutex::new(false), wake: Condvar::new() }
    }

    /// Waits to be woken, at the longest until `deadline`. Returns whether it was.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> bool {
        let mut woken = self.woken.lock();
        while !*woken {
            match deadline {
                None => self.wake.wait(&mut woken),
                Some(deadline) if Instant::now() >= deadline => return false,
                Some(deadline) => {
                    self.wake.wait_until(&mut woken, deadline);
                }
            }
        }
        *woken = false;
        true
    }

    pub(crate) fn unpark(&self) {
        *self.woken.lock() = true;
        self.wake.notify_one();
    }
}

#[cfg(not(ifmatch_model))]
mod real {
    pub(crate) use parking_lot::{
        Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    };
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use std::thread::{self, JoinHandle};
    #[cfg(feature = "log")]
    pub(crate) use std::thread_local;
    use std::time::{Duration, Instant};

    pub(super) struct Timer {
        start: Instant,
        limit: Duration,
    }

    impl Timer {
        pub(super) fn new(limit: Duration) -> Self {
            Self { start: Instant::now(), limit }
        }

        pub(super) fn runs(&mut self) -> bool {
            self.start.elapsed() < self.limit
        }
    }

    /// Starts a named thread.
    pub(crate) fn spawn(
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name(name.to_owned()).spawn(body)
    }
}

#[cfg(ifmatch_model)]
mod modelled {
    use std::ops::{Deref, DerefMut};

    use shuttle::sync as checked;
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use shuttle::thread::{self, JoinHandle};
    #[cfg(feature = "log")]
    pub(crate) use shuttle::thread_local;

    const UNPOISONED: &str = "a panic ends the modelled run, so no lock outlives one";

    /// Time does not pass in a modelled run: this one has run out when it is asked for the second time.
    pub(super) struct Timer(bool);

    impl Timer {
        pub(super) fn new(_: std::time::Duration) -> Self {
            Self(true)
        }

        pub(super) fn runs(&mut self) -> bool {
            std::mem::replace(&mut self.0, false)
        }
    }

    /// Starts a named thread.
    pub(crate) fn spawn(
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name(name.to_owned()).spawn(body)
    }

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(checked::Mutex<T>);

    /// The inner guard is absent only while a [`Condvar`] waits with it.
    pub(crate) struct MutexGuard<'a, T>(Option<checked::MutexGuard<'a, T>>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(checked::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().expect(UNPOISONED)))
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            self.0.as_ref().expect("present outside of a wait")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("present outside of a wait")
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Condvar(checked::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self(checked::Condvar::new())
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let inner = guard.0.take().expect("present outside of a wait");
            guard.0 = Some(self.0.wait(inner).expect(UNPOISONED));
        }

        /// Time does not pass in a modelled run.
        pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: std::time::Instant) {
            self.wait(guard);
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct RwLock<T>(checked::RwLock<T>);

    pub(crate) type RwLockReadGuard<'a, T> = checked::RwLockReadGuard<'a, T>;
    pub(crate) type RwLockWriteGuard<'a, T> = checked::RwLockWriteGuard<'a, T>;

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(checked::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().expect(UNPOISONED)
        }

        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().expect(UNPOISONED)
        }
    }
}
