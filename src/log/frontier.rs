//! How far the log is: what is durable, and whether more will be.

use crate::error::LogFailure;
use crate::log_stats::LogStats;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// Its lock is innermost: it may be taken with any other held, and nothing is taken within.
pub(crate) struct Frontier {
    /// The newest revision that may be shown: durable in the sense of the store's durability.
    durable: AtomicU64,
    rest: Mutex<Rest>,
}

struct Rest {
    /// How many keys are live at `durable`.
    live: u64,
    stats: LogStats,
    ended: Option<Ended>,
}

/// Why nothing more will become durable.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Closed,
    Failed(LogFailure),
}

impl Frontier {
    pub(super) fn new(durable: u64, live: u64) -> Self {
        let rest = Rest { live, stats: LogStats::default(), ended: None };
        Self { durable: AtomicU64::new(durable), rest: Mutex::new(rest) }
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// It takes the lock under which they change, so that the two are never seen out of step.
    pub(crate) fn durable_live(&self) -> (u64, u64) {
        let rest = self.rest.lock();
        (self.durable(), rest.live)
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        self.rest.lock().ended.clone()
    }

    pub(crate) fn stats(&self) -> LogStats {
        let rest = self.rest.lock();
        LogStats { poisoned: matches!(rest.ended, Some(Ended::Failed(_))), ..rest.stats }
    }

    /// Tells what the log has done where nothing becomes durable.
    pub(super) fn publish(&self, stats: LogStats) {
        self.rest.lock().stats = stats;
    }

    pub(super) fn advance(&self, durable: u64, live: u64, stats: LogStats) {
        let mut rest = self.rest.lock();
        rest.live = live;
        rest.stats = stats;
        self.durable.store(durable, Ordering::Release);
    }

    pub(super) fn end(&self, ended: Ended) {
        self.rest.lock().ended = Some(ended);
    }
}
