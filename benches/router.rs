//! What do the trait and the router cost?
//!
//! First, on one thread and the store in memory, 100,000 keys drawn at random: `Backend::get` and `Backend::put_if` beside
//! `Store::get` and `Store::submit_put_if`, which they call. The ratio should be 1.
//!
//! Then whole requests, without a network: the router beside a route that was written by hand over
//! `DashMap<String, (u64, Bytes)>` and does the same job in as few lines as will do: ETag, 304, If-Match, 204, 409 with what
//! is there, and whether the body is JSON. Requests are made before they are measured, bodies read to their end. Shown are
//! CPU microseconds a request, and the ratio to the route by hand.
//!
//!     cargo bench --features http --bench router              # under a minute
//!     cargo bench --features http --bench router -- --quick   # seconds: shows only that it works
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "figures are floats")]

mod measure;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dashmap::DashMap;
use ifmatch::http::{Options, documents, router};
use ifmatch::{Backend, Precondition};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use measure::{Random, Samples, cpu_seconds, header as table, key, row, serious};

type Store = ifmatch::Store<Bytes, Bytes>;

fn value() -> Bytes {
    Bytes::from(format!(r#"{{"text": "{}"}}"#, "x".repeat(180)))
}

/// Calls by the trait, and what they call; the first of each pair is its base.
fn calls(runtime: &Runtime, rounds: usize, count: usize, keys: u32) {
    let store = Store::new();
    let keys: Vec<Bytes> = (0..keys).map(|number| key(number).into()).collect();
    for key in &keys {
        store.put(key.clone(), value()).expect("no limit is set");
    }
    let mut random = Random(1);
    let mut samples = vec![Samples::default(); 4];
    let (any, new) = (Precondition::Any, value());
    for round in 0..rounds {
        let mut draw = || &keys[random.below(keys.len() as u32) as usize];
        let trace: Vec<&Bytes> = (0..count).map(|_| draw()).collect();
        for turn in 0..4 {
            let which = (round + turn) % 4;
            let seconds = cpu_seconds(|| {
                runtime.block_on(async {
                    for key in &trace {
                        match which {
                            0 => drop(black_box(store.get(*key))),
                            1 => drop(black_box(Backend::get(&store, key).await)),
                            2 => {
                                let put = store.submit_put_if((*key).clone(), new.clone(), any);
                                drop(black_box(put.await));
                            }
                            _ => {
                                let put = Backend::put_if(&store, (*key).clone(), new.clone(), any);
                                drop(black_box(put.await));
                            }
                        }
                    }
                });
            });
            samples[which].push(seconds * 1e9 / count as f64);
        }
    }
    table(&["CPU ns a call", "`Store`", "`Backend`", "ratio"]);
    for (name, at) in [("get", 0), ("put_if", 2)] {
        let nanoseconds = |at: usize| format!("{:.0}", samples[at].median());
        row(&[&name, &nanoseconds(at), &nanoseconds(at + 1), &samples[at + 1].over(&samples[at])]);
    }
}

/// What many write who need optimistic locking on a route.
#[derive(Default)]
struct ByHand {
    documents: DashMap<String, (u64, Bytes)>,
    revision: AtomicU64,
}

fn tag(revision: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{revision}\"")).expect("digits and quotes")
}

fn revision(headers: &HeaderMap, name: header::HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim_matches('"').parse().ok()
}

const JSON: (header::HeaderName, HeaderValue) =
    (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));

async fn read(
    State(store): State<Arc<ByHand>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some((at, value)) = store.documents.get(&key).map(|entry| entry.clone()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = [(header::ETAG, tag(at))];
    if revision(&headers, header::IF_NONE_MATCH) == Some(at) {
        return (StatusCode::NOT_MODIFIED, etag).into_response();
    }
    (etag, [JSON], value).into_response()
}

async fn write(
    State(store): State<Arc<ByHand>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let Some(mut entry) = store.documents.get_mut(&key) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if revision(&headers, header::IF_MATCH) != Some(entry.0) {
        let (at, value) = entry.clone();
        drop(entry);
        let current = String::from_utf8_lossy(&value);
        let problem = format!(r#"{{"current_revision": {at}, "current": {current}}}"#);
        return (StatusCode::CONFLICT, [(header::ETAG, tag(at))], [JSON], problem).into_response();
    }
    *entry = (store.revision.fetch_add(1, Ordering::Relaxed) + 1, body);
    (StatusCode::NO_CONTENT, [(header::ETAG, tag(entry.0))]).into_response()
}

/// A router with its documents, and the tag that each has, and had.
struct Served {
    router: Router,
    tags: Vec<HeaderValue>,
    old: Vec<HeaderValue>,
}

struct Kind {
    name: &'static str,
    method: &'static str,
    condition: Option<(header::HeaderName, bool)>,
    status: StatusCode,
}

/// With which header, and whether that is what is there.
static KINDS: [Kind; 4] = [
    Kind { name: "GET", method: "GET", condition: None, status: StatusCode::OK },
    Kind {
        name: "GET, 304",
        method: "GET",
        condition: Some((header::IF_NONE_MATCH, true)),
        status: StatusCode::NOT_MODIFIED,
    },
    Kind {
        name: "PUT, If-Match",
        method: "PUT",
        condition: Some((header::IF_MATCH, true)),
        status: StatusCode::NO_CONTENT,
    },
    Kind {
        name: "PUT, 409",
        method: "PUT",
        condition: Some((header::IF_MATCH, false)),
        status: StatusCode::CONFLICT,
    },
];

impl Served {
    async fn ours(count: u32) -> Self {
        let store = documents().build();
        let router = router(store, Options::default());
        for number in 0..count {
            let request = Request::put(path(number)).header(JSON.0, JSON.1);
            let request = request.body(Body::from(value())).expect("it is a request");
            let response = router.clone().oneshot(request).await.expect("it is infallible");
            assert_eq!(response.status(), StatusCode::CREATED);
        }
        Self::with_tags(router, count).await
    }

    async fn by_hand(count: u32) -> Self {
        let store = Arc::new(ByHand::default());
        for number in 0..count {
            let at = store.revision.fetch_add(1, Ordering::Relaxed) + 1;
            store.documents.insert(key(number), (at, value()));
        }
        let document = axum::routing::get(read).put(write);
        Self::with_tags(Router::new().route("/v1/kv/{*key}", document).with_state(store), count)
            .await
    }

    /// Writes each once, so that it has an old tag.
    async fn with_tags(router: Router, count: u32) -> Self {
        let mut served = Self { router, tags: Vec::new(), old: Vec::new() };
        for number in 0..count {
            let request = Request::get(path(number)).body(Body::empty()).expect("it is a request");
            let (status, tag) = served.send(request).await;
            assert_eq!(status, StatusCode::OK);
            served.tags.push(tag.expect("a document has a tag"));
        }
        served.old = served.tags.clone();
        let all: Vec<u32> = (0..count).collect();
        served.all(&KINDS[2], served.requests(&KINDS[2], &all), &all).await;
        served
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Option<HeaderValue>) {
        let response = self.router.clone().oneshot(request).await.expect("it is infallible");
        let (head, body) = response.into_parts();
        black_box(to_bytes(body, usize::MAX).await.expect("it is in memory"));
        (head.status, head.headers.get(header::ETAG).cloned())
    }

    fn requests(&self, kind: &Kind, numbers: &[u32]) -> Vec<Request<Body>> {
        let request = |number: &u32| {
            let mut request = Request::builder().method(kind.method).uri(path(*number));
            if let Some((name, is_current)) = &kind.condition {
                let tags = if *is_current { &self.tags } else { &self.old };
                request = request.header(name, &tags[*number as usize]);
            }
            if kind.method == "GET" {
                return request.body(Body::empty()).expect("it is a request");
            }
            request.header(JSON.0, JSON.1).body(Body::from(value())).expect("it is a request")
        };
        numbers.iter().map(request).collect()
    }

    async fn all(&mut self, kind: &Kind, requests: Vec<Request<Body>>, numbers: &[u32]) {
        for (request, number) in requests.into_iter().zip(numbers) {
            let (status, tag) = self.send(request).await;
            assert_eq!(status, kind.status, "{}", kind.name);
            if status == StatusCode::NO_CONTENT {
                self.tags[*number as usize] = tag.expect("a write has a tag");
            }
        }
    }
}

fn path(number: u32) -> String {
    format!("/v1/kv/{}", key(number))
}

fn requests(runtime: &Runtime, rounds: usize, keys: u32) {
    let mut served =
        [runtime.block_on(Served::by_hand(keys)), runtime.block_on(Served::ours(keys))];
    let mut samples = vec![vec![Samples::default(); 2]; KINDS.len()];
    let mut random = Random(1);
    let mut numbers: Vec<u32> = (0..keys).collect();
    for round in 0..rounds {
        for (kind, samples) in KINDS.iter().zip(&mut samples) {
            random.shuffle(&mut numbers);
            for turn in 0..2 {
                let which = (round + turn) % 2;
                let made = served[which].requests(kind, &numbers);
                let work = served[which].all(kind, made, &numbers);
                let seconds = cpu_seconds(|| runtime.block_on(work));
                samples[which].push(seconds * 1e6 / f64::from(keys));
            }
        }
    }
    table(&["CPU us a request", "by hand", "router", "ratio"]);
    for (kind, of) in KINDS.iter().zip(&samples) {
        let microseconds = |at: usize| format!("{:.2}", of[at].median());
        row(&[&kind.name, &microseconds(0), &microseconds(1), &of[1].over(&of[0])]);
    }
}

fn main() {
    let (rounds, count, keys) = if serious() { (21, 100_000, 10_000) } else { (1, 1_000, 100) };
    // One thread, so that its CPU time is all there is.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread");
    println!("{rounds} rounds of {count} calls, and of {keys} requests");
    calls(&runtime, rounds, count, keys * 10);
    requests(&runtime, rounds, keys);
}
