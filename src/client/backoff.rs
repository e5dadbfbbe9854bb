//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential back-off with full jitter: before the retry `n`, counted from 0, it waits a random time between nothing
/// and `base * 2^n`, but never more than `max`. The randomness keeps clients that collided once from doing so again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    attempts: u32,
    base: Duration,
    max: Duration,
}

impl Backoff {
    /// `attempts` in all, the first included; at least one is made.
    #[must_use]
    pub const fn new(attempts: u32, base: Duration, max: Duration) -> Self {
        Self { attempts, base, max }
    }

    /// A single attempt.
    #[must_use]
    pub const fn none() -> Self {
        Self::new(1, Duration::ZERO, Duration::ZERO)
    }

    /// How many attempts there are.
    #[must_use]
    pub const fn attempts(self) -> u32 {
        self.attempts
    }

    /// The longest wait before the retry `number`.
    pub(super) fn ceiling(self, number: u32) -> Duration {
        self.base.saturating_mul(2_u32.saturating_pow(number)).min(self.max)
    }

    /// The wait before the retry `number`.
    pub(super) fn delay(self, number: u32) -> Duration {
        self.ceiling(number).mul_f64(fastrand::f64())
    }

    /// With waits of so many round trips where these are longer than the base: of clients that keep a server busy none
    /// wins for as long as they come again before it has answered the others.
    pub(super) fn scaled_to(self, round_trip: Duration) -> Self {
        Self { base: self.base.max(round_trip), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_to_a_bound_and_is_never_the_same_for_all() {
        let backoff = Backoff::new(9, Duration::from_millis(10), Duration::from_secs(1));
        let ceilings: Vec<_> = [0, 1, 6, 7, 1_000].map(|number| backoff.ceiling(number)).to_vec();
        assert_eq!(ceilings, [10, 20, 640, 1_000, 1_000].map(Duration::from_millis));
        let delays: Vec<_> = (0..1_000).map(|_| backoff.delay(7)).collect();
        assert!(delays.iter().all(|delay| *delay <= Duration::from_secs(1)));
        let slow = backoff.scaled_to(Duration::from_millis(100));
        assert_eq!([0, 3, 4].map(|number| slow.ceiling(number).as_millis()), [100, 800, 1_000]);
        assert_eq!(backoff.scaled_to(Duration::ZERO), backoff);
        let early = delays.iter().filter(|delay| **delay < Duration::from_millis(500)).count();
        assert!((300..700).contains(&early), "{early} of 1,000 in the first half");
    }
}
