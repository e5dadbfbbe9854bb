//! What an operator asks, in numbers (`OpenMetrics` 1.0): counted here, read by whoever scrapes.
//!
//! Labels have few values, whatever clients send: routes are patterns, unknown methods and routes are one.

mod figure;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::MatchedPath;
use axum::http::{HeaderValue, Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use self::figure::Figure;
use crate::http::problem::ProblemKind;
use crate::revision::Revision;

/// From half a millisecond, which a write to a good disk takes, to the 10 s that a server takes to end.
const SECONDS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How many revisions a watch may be behind: a window has some thousands.
const REVISIONS: [f64; 7] = [0.0, 1.0, 4.0, 16.0, 64.0, 512.0, 4096.0];

/// The counters of a server; clones share them.
///
/// ```
/// use ifmatch::http::{Figure, Metrics};
///
/// let metrics = Metrics::new();
/// let watcher = metrics.watcher(); // one more, until it is dropped
/// let text = metrics.render(&[Figure::level("ifmatch_keys", "Keys that exist", 42)]);
/// assert!(text.contains("\nifmatch_watchers 1\n") && text.contains("\nifmatch_keys 42\n"));
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_seconds: Family<Route, Histogram, fn() -> Histogram>,
    conflicts: Family<Kind, Counter>,
    commit_seconds: Histogram,
    connections: Gauge,
    watchers: Gauge,
    watch_events: Counter,
    watch_lag: Histogram,
    watch_lagged: Counter,
    watch_compacted: Counter,
    /// The newest revision that was acknowledged here.
    newest: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: Pattern,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: Pattern,
    method: &'static str,
}

/// The pattern of a route; nothing of it is copied for a request.
#[derive(Clone, Debug)]
struct Pattern(Option<MatchedPath>);

impl Pattern {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("none", MatchedPath::as_str)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Pattern {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.as_str().encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// The media type of [`render`](Self::render).
    pub const CONTENT_TYPE: HeaderValue =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut inner = Inner {
            registry: Registry::with_prefix("ifmatch"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            conflicts: Family::default(),
            commit_seconds: seconds(),
            connections: Gauge::default(),
            watchers: Gauge::default(),
            watch_events: Counter::default(),
            watch_lag: Histogram::new(REVISIONS),
            watch_lagged: Counter::default(),
            watch_compacted: Counter::default(),
            newest: AtomicU64::new(0),
        };
        inner.register();
        Self(Arc::new(inner))
    }

    /// All counters, and `figures` that were gathered just now, as text.
    #[must_use]
    pub fn render(&self, figures: &[Figure]) -> String {
        const FITS: &str = "a string takes all that is written";
        let mut registry = Registry::default();
        for figure in figures {
            figure.register(&mut registry);
        }
        let mut out = String::new();
        text::encode_registry(&mut out, &self.0.registry).expect(FITS);
        text::encode_registry(&mut out, &registry).expect(FITS);
        text::encode_eof(&mut out).expect(FITS);
        out
    }

    /// The commit `revision` was acknowledged, `elapsed` after it was given to the store.
    pub fn observe_commit(&self, revision: Revision, elapsed: Duration) {
        self.0.commit_seconds.observe(elapsed.as_secs_f64());
        self.0.newest.fetch_max(revision.get(), Ordering::Relaxed);
    }

    /// One more watch, until what is returned is dropped.
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        Watcher { metrics: self.clone(), _one_more: OneMore::of(&self.0.watchers) }
    }

    /// One more connection, until what is returned is dropped.
    pub(in crate::http) fn connection(&self) -> OneMore {
        OneMore::of(&self.0.connections)
    }

    /// A request was answered: on its route if there is one, with its problem if there was one.
    pub(super) fn observe_request(
        &self,
        route: Option<MatchedPath>,
        method: &Method,
        status: StatusCode,
        problem: Option<ProblemKind>,
        elapsed: Duration,
    ) {
        let method = method_label(method);
        let request = Request { route: Pattern(route), method, status: status.as_u16() };
        self.0.requests.get_or_create(&request).inc();
        let route = Route { route: request.route, method };
        self.0.request_seconds.get_or_create(&route).observe(elapsed.as_secs_f64());
        let lost = [StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED].contains(&status);
        if let Some(kind) = problem.filter(|_| lost) {
            self.0.conflicts.get_or_create(&Kind { kind: kind.slug() }).inc();
        }
    }
}

impl Inner {
    fn register(&mut self) {
        let Self { registry, .. } = self;
        registry.register("requests", "Requests that were answered", self.requests.clone());
        let help = "Seconds until the head of an answer";
        registry.register("request_seconds", help, self.request_seconds.clone());
        let help = "Requests that lost a race or failed a precondition, by the kind of problem";
        registry.register("conflicts", help, self.conflicts.clone());
        let help = "Seconds until a write was acknowledged";
        registry.register("commit_seconds", help, self.commit_seconds.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register("watchers", "Open watches", self.watchers.clone());
        let help = "Commits that were sent to watches";
        registry.register("watch_commits", help, self.watch_events.clone());
        let help = "Revisions between what was sent to a watch and the newest";
        registry.register("watch_lag_revisions", help, self.watch_lag.clone());
        let help = "Watches that ended because they were too slow";
        registry.register("watch_lagged", help, self.watch_lagged.clone());
        let help = "Watches that were to resume from a revision that is compacted";
        registry.register("watch_compacted", help, self.watch_compacted.clone());
    }
}

/// The methods that there are; clients can make up any number.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Raises a gauge by one for as long as it lives.
pub(in crate::http) struct OneMore(Gauge);

impl OneMore {
    fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// One watch, as [`Metrics`] sees it.
pub struct Watcher {
    metrics: Metrics,
    _one_more: OneMore,
}

impl Watcher {
    /// The commit `revision` was sent to it.
    pub fn sent(&self, revision: Revision) {
        let Inner { watch_events, watch_lag, newest, .. } = &*self.metrics.0;
        watch_events.inc();
        let behind = newest.load(Ordering::Relaxed).saturating_sub(revision.get());
        watch_lag.observe(f64::from(u32::try_from(behind).unwrap_or(u32::MAX)));
    }

    /// It ends, because it was too slow.
    pub fn lagged(&self) {
        self.metrics.0.watch_lagged.inc();
    }

    /// It ends, because what it was to resume from is compacted.
    pub fn compacted(&self) {
        self.metrics.0.watch_compacted.inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("connections", &self.0.connections.get())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}
