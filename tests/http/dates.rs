//! Last-Modified, If-Modified-Since and If-Unmodified-Since: the weaker validators.

use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use ifmatch::http::{ContentType, Document, DocumentStore, Options, Stamp, documents};

use crate::support::{Client, Server};

fn date(seconds_from_now: i64) -> String {
    let seconds = Duration::from_secs(seconds_from_now.unsigned_abs());
    let now = SystemTime::now();
    httpdate::fmt_http_date(if seconds_from_now < 0 { now - seconds } else { now + seconds })
}

/// A document `a` that was written so long ago.
fn written(seconds_ago: u64) -> (Server, Client, DocumentStore) {
    let store = documents().build();
    put(&store, seconds_ago);
    let server = Server::over(store.clone(), Options::default());
    let client = server.client();
    (server, client, store)
}

fn put(store: &DocumentStore, seconds_ago: u64) {
    put_at(store, SystemTime::now() - Duration::from_secs(seconds_ago));
}

/// As if the document had been written then: a stored one has that in its bytes 2 to 10, in milliseconds.
fn put_at(store: &DocumentStore, then: SystemTime) {
    let document = Document::new(ContentType::JSON, &b"1"[..]).unwrap();
    let mut stored = document.to_stored(Stamp::now()).to_vec();
    let since = then.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    stored[2..10].copy_from_slice(&u64::try_from(since.as_millis()).unwrap().to_be_bytes());
    store.put(Bytes::from_static(b"a"), Bytes::from(stored)).unwrap();
}

#[test]
fn a_document_says_when_it_was_written_and_is_not_sent_again_since() {
    let (_server, client, store) = written(100);
    let got = client.get("/v1/kv/a", &[]).expect(200);
    let modified = got.header("last-modified").unwrap().to_owned();
    assert!(httpdate::parse_http_date(&modified).is_ok());
    for since in [&modified, &date(-50), &date(0)] {
        let cached = client.get("/v1/kv/a", &[("if-modified-since", since)]).expect(304);
        assert_eq!(cached.etag(), got.etag());
        assert_eq!(cached.header("cache-control"), Some("no-cache"));
        client.head("/v1/kv/a", &[("if-modified-since", since)]).expect(304);
    }
    client.get("/v1/kv/a", &[("if-modified-since", &date(-200))]).expect(200);
    put(&store, 40);
    client.get("/v1/kv/a", &[("if-modified-since", &modified)]).expect(200);
}

#[test]
fn tags_come_before_dates() {
    let (_server, client, _) = written(100);
    let tag = client.get("/v1/kv/a", &[]).etag().to_owned();
    let (old, new) = (date(-200), date(-50));
    let get = |headers: &[(&str, &str)]| client.get("/v1/kv/a", headers).status;
    // If-None-Match hides If-Modified-Since, whichever way it goes.
    assert_eq!(get(&[("if-none-match", "\"x\""), ("if-modified-since", &new)]), 200);
    assert_eq!(get(&[("if-none-match", &tag), ("if-modified-since", &old)]), 304);
    // If-Match hides If-Unmodified-Since.
    assert_eq!(get(&[("if-match", &tag), ("if-unmodified-since", &old)]), 200);
    assert_eq!(get(&[("if-match", "\"x\""), ("if-unmodified-since", &new)]), 412);
    assert_eq!(get(&[("if-unmodified-since", &old)]), 412);
    assert_eq!(get(&[("if-unmodified-since", &new)]), 200);
    // What fails comes before what was not modified.
    assert_eq!(get(&[("if-unmodified-since", &old), ("if-none-match", &tag)]), 412);
    let put = |headers: &[(&str, &str)]| client.put("/v1/kv/a", headers, "2").status;
    assert_eq!(put(&[("if-match", "\"x\""), ("if-unmodified-since", &new)]), 409);
    assert_eq!(put(&[("if-unmodified-since", &new), ("if-none-match", "*")]), 409);
    assert_eq!(put(&[("if-match", &tag), ("if-unmodified-since", &old)]), 204);
}

#[test]
fn a_write_that_is_to_find_it_unmodified_since_is_409_if_it_was() {
    let (_server, client, _) = written(100);
    let old = date(-200);
    let since = ("if-unmodified-since", old.as_str());
    let tag = client.get("/v1/kv/a", &[]).etag().to_owned();
    for lost in [
        client.put("/v1/kv/a", &[since], "2"),
        client.patch("/v1/kv/a", "merge-patch+json", &[since], "{}"),
        client.delete("/v1/kv/a", &[since]),
    ] {
        let problem = lost.problem(409, "stale-revision");
        assert_eq!(problem["expected_revision"], serde_json::Value::Null);
        assert_eq!(lost.etag(), tag);
    }
    client.put("/v1/kv/a", &[("if-unmodified-since", &date(-100 + 5))], "2").expect(204);
    client
        .put("/v1/kv/a", &[("if-unmodified-since", &date(-10))], "3")
        .problem(409, "stale-revision");
    client.delete("/v1/kv/a", &[("if-unmodified-since", &date(5))]).expect(204);
    client
        .put("/v1/kv/a", &[("if-unmodified-since", &date(5))], "2")
        .problem(409, "stale-revision");
    client.delete("/v1/kv/a", &[("if-unmodified-since", &date(5))]).problem(404, "not-found");
}

/// Why revisions are better: a date has seconds, and who reads and writes within one does not notice who came between.
#[test]
fn two_writes_in_one_second_are_one_to_a_date_and_two_to_a_tag() {
    let (_server, client, store) = written(100);
    let read = client.get("/v1/kv/a", &[]).expect(200);
    let (tag, modified) =
        (read.etag().to_owned(), read.header("last-modified").unwrap().to_owned());
    // Somebody else writes, within the second of what was read.
    let then = httpdate::parse_http_date(&modified).unwrap() + Duration::from_millis(999);
    put_at(&store, then);

    client.get("/v1/kv/a", &[("if-modified-since", &modified)]).expect(304);
    client.get("/v1/kv/a", &[("if-none-match", &tag)]).expect(200);
    client.put("/v1/kv/a", &[("if-match", &tag)], "3").problem(409, "stale-revision");
    // The trap: the other's write is overwritten.
    client.put("/v1/kv/a", &[("if-unmodified-since", &modified)], "3").expect(204);
}

#[test]
fn a_date_that_is_none_is_400() {
    let (_server, client, _) = written(100);
    for name in ["if-modified-since", "if-unmodified-since"] {
        for text in ["yesterday", "2024-01-01T00:00:00Z", "0", "Mon, 32 Jan 2024 00:00:00 GMT"] {
            client.get("/v1/kv/a", &[(name, text)]).problem(400, "invalid-header");
            client.put("/v1/kv/a", &[(name, text)], "2").problem(400, "invalid-header");
        }
    }
}

#[test]
fn a_write_does_not_heed_if_modified_since() {
    let (_server, client, _) = written(100);
    client.put("/v1/kv/a", &[("if-modified-since", &date(0))], "2").expect(204);
}
