//! How far the log is: what is durable, and whether more will be.

use std::time::Duration;

use crate::error::LogFailure;
use crate::log_stats::{Compactions, LogStats};
use crate::sync::{AtomicU64, Mutex, Ordering};

use super::footprint::Footprint;

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
    /// The syncs that others than the leader made; it does not know of them.
    beside: LogStats,
    footprint: Footprint,
    compactions: Compactions,
    ended: Option<Ended>,
}

/// Why nothing more will become durable.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Closed,
    Failed(LogFailure),
}

impl Frontier {
    pub(super) fn new(durable: u64, live: u64, footprint: Footprint) -> Self {
        let rest = Rest {
            live,
            stats: LogStats::default(),
            beside: LogStats::default(),
            footprint,
            compactions: Compactions::default(),
            ended: None,
        };
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
        let Rest { stats, beside, footprint, compactions, ended, .. } = &*self.rest.lock();
        let checkpoint_bytes = footprint.checkpoint_bytes();
        LogStats {
            bytes: stats.bytes + footprint.closed_bytes() + checkpoint_bytes,
            checkpoint_bytes,
            segments: stats.segments + footprint.segments(),
            syncs: stats.syncs + beside.syncs,
            sync_time: stats.sync_time.saturating_add(beside.sync_time),
            longest_sync: stats.longest_sync.max(beside.longest_sync),
            compactions: *compactions,
            poisoned: matches!(ended, Some(Ended::Failed(_))),
        }
    }

    /// A segment is not written any more.
    pub(super) fn close_segment(&self, number: u64, bytes: u64) {
        self.rest.lock().footprint.close(number, bytes);
    }

    /// A checkpoint of so many bytes replaced what is before the segment of this number.
    pub(super) fn compacted(&self, number: u64, checkpoint_bytes: u64) {
        let mut rest = self.rest.lock();
        rest.footprint.replace(number, checkpoint_bytes);
        rest.compactions.succeeded += 1;
    }

    pub(super) fn compaction_failed(&self) {
        self.rest.lock().compactions.failed += 1;
    }

    /// Whether what a checkpoint would replace is at least so many bytes, and at least as many as the last one has.
    pub(super) fn is_worth_compacting(&self, least: u64) -> bool {
        let footprint = &self.rest.lock().footprint;
        let bytes = footprint.closed_bytes();
        bytes > 0 && bytes >= least.max(footprint.checkpoint_bytes())
    }

    /// Tells what the log has done where nothing becomes durable.
    pub(super) fn publish(&self, stats: LogStats) {
        self.rest.lock().stats = stats;
    }

    /// A sync beside the leader's succeeded.
    pub(super) fn synced_beside(&self, took: Duration) {
        self.rest.lock().beside.count_sync(took);
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
