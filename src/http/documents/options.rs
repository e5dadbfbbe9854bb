//! What an operator can set of the router.

use std::time::Duration;

use crate::http::front::metrics::Metrics;
use crate::http::guard::PreconditionStatus;

/// Limits and modes of the [`router`](super::router()).
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(in crate::http) max_body: usize,
    pub(in crate::http) body_timeout: Duration,
    pub(super) precondition_status: PreconditionStatus,
    pub(super) require_preconditions: bool,
    pub(super) max_pins: usize,
    pub(super) pin_timeout: Duration,
    pub(super) max_idempotency_keys: usize,
    pub(super) keep_alive: Duration,
    pub(super) metrics: Metrics,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_body: 8 << 20,
            body_timeout: Duration::from_secs(60),
            precondition_status: PreconditionStatus::default(),
            require_preconditions: false,
            max_pins: 1_024,
            pin_timeout: Duration::from_secs(60),
            max_idempotency_keys: 100_000,
            keep_alive: Duration::from_secs(15),
            metrics: Metrics::new(),
        }
    }
}

impl Options {
    /// The most bytes that the body of a request, and a document that a patch makes, may have; past it the answer is 413.
    /// Default: 8 MiB.
    ///
    /// A store on a log also has to take records of that size and a little more:
    /// [`Builder::max_record_bytes`](crate::Builder::max_record_bytes).
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How long the body of a request may take to arrive; past it the answer is 408. Default: 60 s.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// With which status a write is answered whose `If-Match`, `If-None-Match` or `If-Unmodified-Since` does not hold.
    /// Default: 409.
    pub fn precondition_status(mut self, status: PreconditionStatus) -> Self {
        self.precondition_status = status;
        self
    }

    /// Whether a write without a precondition is refused, with 428 (RFC 6585 3). Default: no.
    pub fn require_preconditions(mut self, required: bool) -> Self {
        self.require_preconditions = required;
        self
    }

    /// How many revisions may be pinned by cursors at a time; past it a list with more than one page is 429. Default:
    /// 1,024.
    pub fn max_pins(mut self, pins: usize) -> Self {
        self.max_pins = pins;
        self
    }

    /// For how long a cursor that is not used pins its revision; then it is 410. Default: 60 s.
    pub fn pin_timeout(mut self, timeout: Duration) -> Self {
        self.pin_timeout = timeout;
        self
    }

    /// How many writes with an `Idempotency-Key` are remembered. They are for 24 hours; but past this number, which is
    /// that of the newest, the oldest are forgotten sooner. Default: 100,000, which takes about 100 MB.
    pub fn max_idempotency_keys(mut self, keys: usize) -> Self {
        self.max_idempotency_keys = keys;
        self
    }

    /// How long a watch is silent at most before it sends something, so that both ends know that the other is there.
    /// Default: 15 s.
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.keep_alive = interval;
        self
    }

    /// Where commits and watches are counted, and what `/metrics` shows. Requests and connections are counted there, too,
    /// if [`Front`](crate::http::Front) and [`serve`](crate::http::serve()) have the same.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }
}
