//! The servers of this program, each a process of its own: ours as `ifmatch serve` has it, and a bare route of axum over a
//! `DashMap`, what is written where no library is at hand: `ETag`, `If-Match`, 409, and nothing else.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Path as Named, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use dashmap::DashMap;
use ifmatch::Durability;
use ifmatch::http::{Front, Metrics, Options, Origins, ServeOptions, documents, router, serve};

/// What such a process is started with, before its kind and its directory.
pub const SERVE: &str = "--serve-http";

/// Serves until its input ends. The port is the one line of its output.
pub fn run(arguments: &[String]) {
    let [kind, directory] = arguments else { panic!("see Server::own") };
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are ports");
    listener.set_nonblocking(true).expect("it is a socket");
    println!("{}", listener.local_addr().expect("it is bound").port());
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let _within = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    match kind.as_str() {
        "by hand" => {
            runtime.spawn(async { axum::serve(listener, by_hand()).await });
        }
        kind => {
            let (router, options) = ours(kind, Path::new(directory));
            runtime.spawn(serve(listener, router, options, std::future::pending()));
        }
    }
    let _end = std::io::stdin().read(&mut [0]);
}

/// As `ifmatch serve` puts them together (src/bin/ifmatch/serve.rs).
fn ours(kind: &str, directory: &Path) -> (Router, ServeOptions) {
    let store = match kind {
        "memory" => documents().build(),
        "buffered" => {
            documents().durability(Durability::Buffered).open(directory).expect("it is ours")
        }
        "sync" => documents().durability(Durability::Sync).open(directory).expect("it is ours"),
        _ => panic!("see Server::own"),
    };
    let metrics = Metrics::new();
    let options = Options::default().metrics(metrics.clone());
    let front = Front::new(Origins::loopback()).metrics(metrics.clone());
    (front.around(router(store, options)), ServeOptions::default().metrics(metrics))
}

type Documents = Arc<ByHand>;

#[derive(Default)]
struct ByHand {
    documents: DashMap<String, (u64, Bytes)>,
    revision: AtomicU64,
}

fn by_hand() -> Router {
    let document = get(read).put(write);
    Router::new().route("/v1/kv/{*key}", document).with_state(Documents::default())
}

const BYTES: (header::HeaderName, HeaderValue) =
    (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));

fn tag(revision: u64) -> [(header::HeaderName, HeaderValue); 1] {
    [(header::ETAG, HeaderValue::try_from(format!("\"{revision}\"")).expect("digits and quotes"))]
}

async fn read(State(store): State<Documents>, Named(key): Named<String>) -> Response {
    let Some((at, value)) = store.documents.get(&key).map(|entry| entry.clone()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    (tag(at), [BYTES], value).into_response()
}

async fn write(
    State(store): State<Documents>,
    Named(key): Named<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let expected = headers.get(header::IF_MATCH).and_then(|tag| tag.to_str().ok());
    let expected: Option<u64> = expected.and_then(|tag| tag.trim_matches('"').parse().ok());
    let revision = store.revision.fetch_add(1, Ordering::Relaxed) + 1;
    let mut entry = store.documents.entry(key).or_default();
    if expected.is_some_and(|expected| expected != entry.0) {
        return (StatusCode::CONFLICT, tag(entry.0)).into_response();
    }
    *entry = (revision, body);
    drop(entry);
    (StatusCode::NO_CONTENT, tag(revision)).into_response()
}
