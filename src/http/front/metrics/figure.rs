//! A number that is gathered when it is asked for.

use std::time::Duration;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::store::Stats;

/// A number that is gathered when [`Metrics`](super::Metrics) are rendered, with its name and what it means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    name: &'static str,
    help: &'static str,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Level(u64),
    Seconds(Duration),
    Total(u64),
    SecondsTotal(Duration),
}

impl Figure {
    /// What goes up and down.
    #[must_use]
    pub fn level(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, value: Value::Level(value) }
    }

    /// A time that goes up and down, shown in seconds.
    #[must_use]
    pub fn seconds(name: &'static str, help: &'static str, value: Duration) -> Self {
        Self { name, help, value: Value::Seconds(value) }
    }

    /// What only goes up while the server runs; its name gets `_total` at its end.
    #[must_use]
    pub fn total(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, value: Value::Total(value) }
    }

    /// A time that only goes up, shown in seconds; its name gets `_total` at its end.
    #[must_use]
    pub fn seconds_total(name: &'static str, help: &'static str, value: Duration) -> Self {
        Self { name, help, value: Value::SecondsTotal(value) }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { name, help, value } = *self;
        match value {
            Value::Level(value) => registry.register(name, help, ConstGauge::new(value)),
            Value::Seconds(value) => {
                registry.register(name, help, ConstGauge::new(value.as_secs_f64()))
            }
            Value::Total(value) => registry.register(name, help, ConstCounter::new(value)),
            Value::SecondsTotal(value) => {
                registry.register(name, help, ConstCounter::new(value.as_secs_f64()))
            }
        }
    }
}

/// What [`Store::stats`](crate::Store::stats) says, as figures.
impl From<Stats> for Vec<Figure> {
    fn from(stats: Stats) -> Self {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let mut figures = vec![
            Figure::level("ifmatch_revision", "The newest revision", stats.revision().get()),
            Figure::level("ifmatch_keys", "Keys that exist", count(stats.keys())),
            Figure::level("ifmatch_snapshots", "Open snapshots and scans", stats.snapshots()),
            Figure::level(
                "ifmatch_superseded_versions",
                "Older versions that are kept",
                stats.superseded(),
            ),
            Figure::level(
                "ifmatch_window_changes",
                "Changes of recent commits that watches can still see",
                count(stats.window_changes()),
            ),
            Figure::level(
                "ifmatch_window_start_revision",
                "The oldest revision that a watch can resume from",
                stats.window_start().get(),
            ),
        ];
        if let Some(log) = stats.log() {
            figures.extend([
                Figure::level("ifmatch_log_bytes", "Bytes of the log's files", log.bytes),
                Figure::level("ifmatch_log_segments", "Segments of the log", log.segments),
                Figure::level(
                    "ifmatch_log_checkpoint_bytes",
                    "Bytes of the newest checkpoint",
                    log.checkpoint_bytes,
                ),
                Figure::total(
                    "ifmatch_log_compactions",
                    "Compactions of the log that succeeded",
                    log.compactions.succeeded,
                ),
                Figure::total(
                    "ifmatch_log_failed_compactions",
                    "Compactions of the log that failed",
                    log.compactions.failed,
                ),
                Figure::total("ifmatch_log_syncs", "Syncs of the log", log.syncs),
                Figure::seconds_total(
                    "ifmatch_log_sync_seconds",
                    "Seconds that syncs took",
                    log.sync_time,
                ),
                Figure::seconds(
                    "ifmatch_log_longest_sync_seconds",
                    "Seconds that the longest sync took",
                    log.longest_sync,
                ),
                Figure::level(
                    "ifmatch_log_poisoned",
                    "1 if the log failed and nothing can be written",
                    u64::from(log.poisoned),
                ),
            ]);
        }
        figures
    }
}
