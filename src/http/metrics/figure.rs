//! A number that is gathered when it is asked for.

use std::time::Duration;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

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
