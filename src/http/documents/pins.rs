//! The revisions that cursors are pinned to.
//!
//! A snapshot that is kept costs the memory of what is overwritten meanwhile. So there are so many at most, and each is let
//! go when it has not been used for so long. All cursors at one revision share one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::revision::Revision;

/// Snapshots, kept for as long as cursors may come back to them.
#[derive(Debug)]
pub(super) struct Pins<S>(Arc<Kept<S>>);

#[derive(Debug)]
struct Kept<S> {
    max: usize,
    timeout: Duration,
    pins: Mutex<BTreeMap<Revision, Pin<S>>>,
}

#[derive(Debug)]
struct Pin<S> {
    snapshot: Arc<S>,
    until: Instant,
}

/// There are as many pins as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{max} revisions are pinned by cursors, the limit")]
pub(super) struct TooManyPins {
    pub(super) max: usize,
}

impl<S: Send + Sync + 'static> Pins<S> {
    pub(super) fn new(max: usize, timeout: Duration) -> Self {
        Self(Arc::new(Kept { max, timeout, pins: Mutex::default() }))
    }

    /// The state at `revision`, if it is pinned; it stays so for the whole time again.
    pub(super) fn get(&self, revision: Revision) -> Option<Arc<S>> {
        let mut pins = self.0.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let pin = pins.get_mut(&revision)?;
        pin.until = Instant::now() + self.0.timeout;
        Some(Arc::clone(&pin.snapshot))
    }

    /// Pins `snapshot`, which is the state at `revision`.
    ///
    /// # Errors
    /// [`TooManyPins`].
    pub(super) fn keep(&self, revision: Revision, snapshot: Arc<S>) -> Result<(), TooManyPins> {
        if self.get(revision).is_some() {
            return Ok(());
        }
        let until = Instant::now() + self.0.timeout;
        let mut pins = self.0.pins.lock().unwrap_or_else(PoisonError::into_inner);
        if pins.len() >= self.0.max {
            return Err(TooManyPins { max: self.0.max });
        }
        let replaced = pins.insert(revision, Pin { snapshot, until });
        drop(pins);
        if replaced.is_none() {
            tokio::spawn(Arc::clone(&self.0).let_go(revision, until));
        }
        Ok(())
    }
}

impl<S: Send + Sync + 'static> Kept<S> {
    /// Waits until the pin has not been used for the whole time, and drops it.
    async fn let_go(self: Arc<Self>, revision: Revision, mut until: Instant) {
        loop {
            tokio::time::sleep_until(until).await;
            let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(pin) = pins.get(&revision) else { return };
            if pin.until <= Instant::now() {
                let pin = pins.remove(&revision);
                drop(pins);
                // It takes as long as much was overwritten under it.
                tokio::task::spawn_blocking(move || drop(pin));
                return;
            }
            until = pin.until;
        }
    }
}

#[cfg(test)]
#[cfg(not(ifmatch_model))]
mod tests {
    use super::*;

    fn revision(number: u64) -> Revision {
        Revision::try_from(number).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_pin_stays_for_the_whole_time_after_its_last_use_and_then_goes() {
        let pins = Pins::new(2, Duration::from_secs(60));
        let snapshot = Arc::new(());
        pins.keep(revision(7), Arc::clone(&snapshot)).unwrap();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(59)).await;
            assert!(pins.get(revision(7)).is_some(), "it was used 59 s ago");
        }
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(pins.get(revision(7)).is_none());
        while Arc::strong_count(&snapshot) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_pins_is_bounded_and_one_revision_is_one_pin() {
        let pins = Pins::new(2, Duration::from_secs(60));
        for number in [7, 8, 7, 8] {
            pins.keep(revision(number), Arc::new(())).unwrap();
        }
        assert_eq!(pins.keep(revision(9), Arc::new(())), Err(TooManyPins { max: 2 }));
        tokio::time::sleep(Duration::from_secs(61)).await;
        pins.keep(revision(9), Arc::new(())).unwrap();
    }
}
