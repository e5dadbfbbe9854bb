//! Compression, which never touches what has an ETag.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::http::header;
use axum::routing::{get, put};
use ifmatch::http::{Front, Options, Origins, ServeOptions, documents, router};

use crate::support::{Server, raw_request};

const GZIP: &[u8] = b"accept-encoding: gzip, br\r\n";

fn around(router: Router) -> Server {
    Server::of(Front::new(Origins::loopback()).around(router), ServeOptions::default())
}

#[test]
fn what_has_no_tag_is_compressed_for_who_accepts_it() {
    let text = "{\"items\": []}".repeat(1_000);
    let server = around(Router::new().route("/list", get(async move || text)));
    let answer = raw_request(server.address(), b"GET /list", GZIP).expect(200);
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.header("vary"), Some("accept-encoding"));
    assert!(answer.body.len() < 2_000, "{} bytes", answer.body.len());
    for refusal in ["", "accept-encoding: br\r\n", "accept-encoding: gzip;q=0\r\n"] {
        let answer = raw_request(server.address(), b"GET /list", refusal.as_bytes()).expect(200);
        assert_eq!(answer.header("content-encoding"), None, "{refusal}");
        // A cache must not give the compressed one to this client.
        assert_eq!(answer.header("vary"), Some("accept-encoding"), "{refusal}");
        assert_eq!(answer.body.len(), 13_000);
    }
}

#[test]
fn a_document_with_its_tag_is_sent_as_it_is() {
    let server = around(router(documents().build(), Options::default()));
    let client = server.client();
    let put = client.put("/v1/kv/a", &[], "x".repeat(10_000)).expect(201);
    let answer = raw_request(server.address(), b"GET /v1/kv/a", GZIP).expect(200);
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.header("etag"), Some(put.etag()));
    assert_eq!(answer.body.len(), 10_000);
    // The current tag is also on a conflict.
    let lines = [GZIP, b"if-match: \"1\"\r\ncontent-length: 0\r\n"].concat();
    let conflict = raw_request(server.address(), b"PUT /v1/kv/a", &lines);
    conflict.problem(409, "stale-revision");
    assert_eq!(conflict.header("content-encoding"), None);
}

#[test]
fn events_are_not_held_back_to_be_compressed() {
    let events =
        || async { ([(header::CONTENT_TYPE, "text/event-stream")], "data: 1\n\n".repeat(1_000)) };
    let server = around(Router::new().route("/watch", get(events)));
    let answer = raw_request(server.address(), b"GET /watch", GZIP).expect(200);
    assert_eq!(answer.header("content-encoding"), None);
}

/// The compression layer would have answered 406 after the handler had written.
#[test]
fn a_write_is_not_reported_as_failed_because_no_coding_is_acceptable() {
    let writes = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&writes);
    let write = move || async move { counted.fetch_add(1, Ordering::Relaxed).to_string() };
    let server = around(Router::new().route("/write", put(write)));
    let lines = b"accept-encoding: identity;q=0\r\ncontent-length: 0\r\n";
    raw_request(server.address(), b"PUT /write", lines).expect(200);
    assert_eq!(writes.load(Ordering::Relaxed), 1);
}
