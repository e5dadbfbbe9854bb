//! What is counted.

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use ifmatch::Revision;
use ifmatch::http::{
    DocumentStore, Front, Metrics, Options, Origins, ServeOptions, documents, router,
};

use crate::support::{Client, Server, begin_put};

fn server(store: DocumentStore, metrics: &Metrics) -> Server {
    let more = Router::new()
        .route("/slow/{name}", get(|Path(_): Path<String>| std::future::pending::<&str>()));
    let router = router(store, Options::default().metrics(metrics.clone())).merge(more);
    let front = Front::new(Origins::loopback()).metrics(metrics.clone());
    Server::of(front.around(router), ServeOptions::default().metrics(metrics.clone()))
}

/// The number of a line that begins so.
#[track_caller]
fn number(text: &str, beginning: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(beginning));
    let line = line.unwrap_or_else(|| panic!("{beginning}: {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn requests_are_counted_by_route_and_conflicts_by_kind() {
    let metrics = Metrics::new();
    let server = server(documents().build(), &metrics);
    let client = server.client();
    for n in 0..5 {
        client.put(&format!("/v1/kv/{n}"), &[], "1").expect(201);
    }
    client.put("/v1/kv/0?revision=1", &[], "2").problem(409, "stale-revision");
    client.put("/v1/kv/0", &[("if-none-match", "*")], "2").problem(409, "already-exists");
    client.put("/v1/kv/1", &[("if-none-match", "*")], "2").problem(409, "already-exists");
    client.put("/v1/kv/0?revision=x", &[], "2").problem(400, "invalid-query");
    client.get("/unknown/one", &[]).expect(404);
    client.get("/unknown/two", &[]).expect(404);
    for method in ["BREW", "STEEP"] {
        let first = format!("{method} /v1/kv/a");
        crate::support::raw_request(server.address(), first.as_bytes(), b"").expect(405);
    }
    let answer = client.get("/metrics", &[]).expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = answer.text();
    let count = |route: &str, method: &str, status: u16| {
        let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
        number(text, &format!("ifmatch_requests_total{{{labels}}}"))
    };
    assert_eq!(count("/v1/kv/{*key}", "PUT", 201), 5.0);
    assert_eq!(count("/v1/kv/{*key}", "PUT", 409), 3.0);
    assert_eq!(count("/v1/kv/{*key}", "other", 405), 2.0);
    assert_eq!(count("none", "GET", 404), 2.0);
    assert_eq!(number(text, "ifmatch_conflicts_total{kind=\"stale-revision\"}"), 1.0);
    assert_eq!(number(text, "ifmatch_conflicts_total{kind=\"already-exists\"}"), 2.0);
    assert!(!text.contains("kind=\"invalid-query\""), "it is no conflict");
    let latency = "ifmatch_request_seconds_count{route=\"/v1/kv/{*key}\",method=\"PUT\"}";
    assert_eq!(number(text, latency), 9.0);
    assert_eq!(number(text, "ifmatch_keys"), 5.0);
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn open_connections_and_watches_are_counted_until_they_end() {
    let metrics = Metrics::new();
    let server = server(documents().build(), &metrics);
    let open = |client: &Client| number(client.get("/metrics", &[]).text(), "ifmatch_connections");
    let client = server.client();
    assert_eq!(open(&client), 1.0);
    let held = begin_put(server.address());
    assert_eq!(open(&client), 2.0);
    drop(held);
    while open(&client) > 1.0 {}
    let (one, two) = (metrics.watcher(), metrics.watcher());
    let revision = |number: u64| Revision::try_from(number).unwrap();
    metrics.observe_commit(revision(10), Duration::ZERO);
    one.sent(revision(10));
    one.sent(revision(7));
    two.lagged();
    drop(two);
    one.compacted();
    let text = client.get("/metrics", &[]);
    let text = text.text();
    assert_eq!(number(text, "ifmatch_watchers "), 1.0);
    assert_eq!(number(text, "ifmatch_watch_commits_total"), 2.0);
    assert_eq!(number(text, "ifmatch_watch_lag_revisions_sum"), 3.0);
    assert_eq!(number(text, "ifmatch_watch_lagged_total"), 1.0);
    assert_eq!(number(text, "ifmatch_watch_compacted_total"), 1.0);
}

#[test]
fn a_request_whose_client_went_away_is_counted() {
    let metrics = Metrics::new();
    let server = server(documents().build(), &metrics);
    let client = server.client();
    let is_counted = || {
        let line = "ifmatch_requests_total{route=\"/slow/{name}\",method=\"GET\",status=\"499\"}";
        client.get("/metrics", &[]).text().contains(line)
    };
    // Whoever goes before the request has come to its handler is not counted: patience grows.
    let is_told = (0..12).any(|attempt| {
        let mut gone = std::net::TcpStream::connect(server.address()).unwrap();
        let request = b"GET /slow/a HTTP/1.1\r\nhost: localhost\r\n\r\n";
        std::io::Write::write_all(&mut gone, request).unwrap();
        std::thread::sleep(Duration::from_millis(1 << attempt));
        drop(gone);
        std::thread::sleep(Duration::from_millis(1 << attempt));
        is_counted()
    });
    assert!(is_told);
}

#[test]
fn the_log_says_how_large_it_is_how_its_syncs_go_and_whether_it_failed() {
    let directory = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    let store = documents().open(directory.path()).unwrap();
    let server = server(store.clone(), &metrics);
    let client = server.client();
    client.put("/v1/kv/warm", &[], "1").expect(201);
    let before = client.get("/metrics", &[]);
    let syncs = |text: &str| number(text, "ifmatch_log_syncs_total");
    client.put("/v1/kv/a", &[], "1").expect(201);
    let after = client.get("/metrics", &[]);
    let after = after.text();
    assert_eq!(syncs(after), syncs(before.text()) + 1.0);
    assert!(number(after, "ifmatch_log_sync_seconds_total") > 0.0);
    assert!(number(after, "ifmatch_log_longest_sync_seconds") > 0.0);
    assert_eq!(number(after, "ifmatch_log_poisoned"), 0.0);
    let on_disk = || {
        let files = std::fs::read_dir(directory.path()).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>().to_string()
    };
    assert_eq!(number(after, "ifmatch_log_bytes").to_string(), on_disk());
    assert_eq!(number(after, "ifmatch_log_checkpoint_bytes"), 0.0);
    assert_eq!(number(after, "ifmatch_log_compactions_total"), 0.0);
    store.compact().unwrap();
    let compacted = client.get("/metrics", &[]);
    let compacted = compacted.text();
    assert_eq!(number(compacted, "ifmatch_log_bytes").to_string(), on_disk());
    assert!(number(compacted, "ifmatch_log_checkpoint_bytes") > 0.0);
    assert_eq!(number(compacted, "ifmatch_log_compactions_total"), 1.0);
    assert_eq!(number(compacted, "ifmatch_log_failed_compactions_total"), 0.0);
    assert_eq!(number(compacted, "ifmatch_log_segments"), 1.0);
    let commits = number(after, "ifmatch_commit_seconds_count");
    assert!(commits > 0.0, "the router counts them");
    metrics.observe_commit(Revision::MIN, Duration::from_millis(2));
    let text = client.get("/metrics", &[]);
    assert_eq!(number(text.text(), "ifmatch_commit_seconds_count"), commits + 1.0);
}
