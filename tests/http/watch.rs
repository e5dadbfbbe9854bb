//! Commits as server-sent events.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ifmatch::http::{Options, documents};
use serde_json::json;

use crate::support::{Client, Server, raw_request};

const JSON: (&str, &str) = ("content-type", "application/json");

fn server() -> (Server, Client) {
    let server = Server::new();
    let client = server.client();
    (server, client)
}

#[test]
fn a_watch_begins_with_where_it_is_so_that_nothing_is_missed_before_the_first_commit() {
    let (_server, client) = server();
    let before = client.put("/v1/kv/a", &[], "1").expect(201).revision();
    let mut events = client.events("/v1/watch", &[]);
    let first = events.next().unwrap();
    assert_eq!((first.id, first.data), (Some(before), None));
    drop(events);
    let missed = client.put("/v1/kv/a", &[], "2").expect(204).revision();
    let mut events = client.events("/v1/watch", &[("last-event-id", &before.to_string())]);
    assert_eq!(events.next().unwrap().id, Some(before));
    let message = events.message().unwrap();
    assert_eq!(message.id, Some(missed));
    assert_eq!(message.event.as_deref(), Some("commit"));
}

#[test]
fn a_message_is_a_whole_commit_with_its_documents_verbatim() {
    let (_server, client) = server();
    let since = client.put("/v1/kv/gone", &[], "1").expect(201).revision();
    let exact = "{\r\n\"n\": 12345678901234567890123,\n\n\"z\": 1.50,\r\"s\": \"a\\nb\\u2028\"}";
    client.put("/v1/kv/other", &[JSON], exact).expect(201);
    let body = r#"{"operations": [{"put": "a b", "value": 1}, {"delete": "gone"},
                   {"put": "é", "base64": "AA==", "content_type": "image/png"}]}"#;
    let revision = client.post("/v1/txn", body).expect(200).json()["revision"].clone();
    let mut events = client.events(&format!("/v1/watch?since={since}"), &[]);
    let message = events.message().unwrap();
    // What ends a line in a document is white space, and comes as a newline.
    let data = message.data.as_deref().unwrap();
    assert!(data.contains("12345678901234567890123") && data.contains("1.50"), "{data}");
    let put = &message.json()["events"][0];
    assert_eq!(put["value"]["s"], "a\nb\u{2028}");
    let message = events.message().unwrap().json();
    assert_eq!(message["revision"], revision);
    let events = message["events"].as_array().unwrap();
    assert_eq!(events.len(), 3, "the transaction is whole: {message}");
    let of = |key: &str| events.iter().find(|event| event["key"] == key).unwrap();
    assert_eq!(*of("gone"), json!({"type": "delete", "key": "gone", "revision": revision}));
    assert_eq!((&of("a b")["type"], &of("a b")["value"]), (&json!("put"), &json!(1)));
    assert_eq!(of("é")["base64"], "AA==");
    assert_eq!(of("é")["content_type"], "image/png");
    assert_eq!(of("é")["revision"], revision);
}

#[test]
fn a_watch_of_a_prefix_tells_of_nothing_else_but_its_position_goes_on() {
    let server =
        Server::over(documents().build(), Options::default().keep_alive(Duration::from_millis(50)));
    let client = server.client();
    let mut events = client.events("/v1/watch?prefix=a/", &[]);
    events.next().unwrap();
    client.put("/v1/kv/b", &[], "1").expect(201);
    let other = client.put("/v1/kv/a", &[("idempotency-key", "k")], "1").expect(201).revision();
    // The comments that keep it alive say up to where there was nothing.
    let alive = events.by_ref().take(1_000).find(|message| message.id >= Some(other)).unwrap();
    assert!(alive.is_comment && alive.data.is_none());
    let mine = client.put("/v1/kv/a/1", &[], "1").expect(201).revision();
    assert_eq!(events.message().unwrap().id, Some(mine));
}

#[test]
fn last_event_id_comes_before_since() {
    let (_server, client) = server();
    let first = client.put("/v1/kv/a", &[], "1").expect(201).revision();
    let second = client.put("/v1/kv/a", &[], "2").expect(204).revision();
    let third = client.put("/v1/kv/a", &[], "3").expect(204).revision();
    let target = format!("/v1/watch?since={first}");
    assert_eq!(client.events(&target, &[]).message().unwrap().id, Some(second));
    let mut events = client.events(&target, &[("last-event-id", &second.to_string())]);
    assert_eq!(events.message().unwrap().id, Some(third));
}

#[test]
fn a_resume_that_is_too_old_or_of_the_future_is_told_so_and_ends() {
    let server = Server::over(documents().watch_window(64).build(), Options::default());
    let client = server.client();
    let old = client.put("/v1/kv/a", &[], "1").expect(201).revision();
    for _ in 0..200 {
        client.put("/v1/kv/a", &[], "1");
    }
    let future = ((1_u64 << 53) - 1).to_string();
    let old = old.to_string();
    let asked = [
        client.events(&format!("/v1/watch?since={old}"), &[]),
        client.events("/v1/watch", &[("last-event-id", &old)]),
        client.events("/v1/watch", &[("last-event-id", &future)]),
    ];
    for mut events in asked {
        let message = events.next().unwrap();
        assert_eq!(message.event.as_deref(), Some("compacted"));
        assert_eq!(message.id, None, "whoever did not understand it must not go on with a gap");
        let oldest = message.json()["oldest_revision"].as_u64().unwrap();
        assert_eq!(events.next(), None, "it ends");
        let mut events = client.events(&format!("/v1/watch?since={oldest}"), &[]);
        assert_eq!(events.next().unwrap().id, Some(oldest));
    }
}

#[test]
fn a_malformed_watch_is_400() {
    let (_server, client) = server();
    let revision = client.put("/v1/kv/a", &[], "1").expect(201).revision().to_string();
    for bad in ["since=0", "since=x", "since=1&since=1", "prefix=%00", "key=a", "prefix=%zz"] {
        client.get(&format!("/v1/watch?{bad}"), &[]).problem(400, "invalid-query");
        client
            .get(&format!("/v1/watch?{bad}"), &[("last-event-id", &revision)])
            .problem(400, "invalid-query");
    }
    for bad in ["x", "0", "-1", "7, 8"] {
        client.get("/v1/watch", &[("last-event-id", bad)]).problem(400, "invalid-header");
    }
    let twice = [("last-event-id", revision.as_str()); 2];
    client.get("/v1/watch", &twice).problem(400, "invalid-header");
    client.post("/v1/watch", "").problem(405, "method-not-allowed");
}

#[test]
fn a_head_of_a_watch_ends_at_once() {
    let (server, client) = server();
    client.put("/v1/kv/a", &[], "1").expect(201);
    let head = raw_request(server.address(), b"HEAD /v1/watch", b"");
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert!(head.body.is_empty());
    // The connection is free for the next.
    for _ in 0..3 {
        client.head("/v1/watch", &[]).expect(200);
    }
    assert_eq!(server.stop(), 0, "nothing is left behind");
}

#[test]
fn a_watch_is_not_cached_held_back_or_sniffed() {
    let server = Server::new();
    let head = server.client().head("/v1/watch", &[]).expect(200);
    let cache = head.header("cache-control").unwrap();
    assert!(cache.contains("no-cache") && cache.contains("no-transform"), "{cache}");
    assert_eq!(head.header("x-accel-buffering"), Some("no"));
    assert_eq!(head.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(head.header("content-length"), None);
}

#[test]
fn a_large_commit_is_one_message() {
    let (_server, client) = server();
    let since = client.put("/v1/kv/a", &[], "1").expect(201).revision();
    let operations: Vec<_> = (0..2_000)
        .map(|key| json!({"put": format!("k/{key}"), "value": "x".repeat(1_000)}))
        .collect();
    client.post("/v1/txn", &json!({"operations": operations}).to_string()).expect(200);
    let message = client.events(&format!("/v1/watch?since={since}"), &[]).message().unwrap().json();
    assert_eq!(message["events"].as_array().unwrap().len(), 2_000);
}

/// A client that is cut off again and again, and resumes where it was, against writers of keys and of transactions.
#[test]
fn a_watch_that_reconnects_under_load_misses_nothing_and_sees_nothing_twice() {
    const WRITERS: usize = 4;
    const EACH: usize = 60;
    let server = Server::over(documents().watch_window(100_000).build(), Options::default());
    let client = server.client();
    let start = client.put("/v1/kv/start", &[], "1").expect(201).revision();
    let running = AtomicUsize::new(WRITERS);
    let (written, told) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (client, running) = (server.client(), &running);
                scope.spawn(move || {
                    let mut written = BTreeMap::new();
                    for number in 0..EACH {
                        if number % 3 == 0 {
                            let body = json!({"operations": [
                                {"put": format!("{writer}/a"), "value": number},
                                {"put": format!("{writer}/b"), "value": number},
                            ]});
                            let answer = client.post("/v1/txn", &body.to_string()).expect(200);
                            written.insert(answer.json()["revision"].as_u64().unwrap(), 2);
                        } else {
                            let path = format!("/v1/kv/{writer}/a");
                            let key = format!("{writer} {number}");
                            let headers = [("idempotency-key", key.as_str())];
                            let answer = client.put(&path, &headers, number.to_string());
                            written.insert(answer.revision(), 1);
                        }
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                    written
                })
            })
            .collect();
        let mut told: Vec<(u64, usize)> = Vec::new();
        let mut last = start;
        let deadline = Instant::now() + Duration::from_secs(50);
        let all: usize = WRITERS * EACH;
        for connection in 0.. {
            assert!(Instant::now() < deadline, "{} of {all}", told.len());
            let mut events =
                client.events("/v1/watch?since=1", &[("last-event-id", &last.to_string())]);
            // Sometimes only the first id arrives, sometimes many messages.
            for _ in 0..connection % 9 {
                if told.len() == all {
                    break;
                }
                let Some(message) = events.next() else { break };
                last = message.id.unwrap_or(last);
                if message.data.is_some() {
                    let events = message.json()["events"].as_array().unwrap().len();
                    told.push((message.id.unwrap(), events));
                }
            }
            if told.len() >= all && running.load(Ordering::SeqCst) == 0 {
                break;
            }
        }
        let mut written = BTreeMap::new();
        for writer in writers {
            written.extend(writer.join().unwrap());
        }
        (written, told)
    });
    assert_eq!(told, written.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_watch_that_is_too_slow_is_told_that_it_has_a_gap_and_cannot_resume_over_it() {
    let server = Server::over(documents().watch_window(64).build(), Options::default());
    let client = server.client();
    let mut last = client.put("/v1/kv/a", &[], "1").expect(201).revision();
    let mut events = client.events("/v1/watch", &[]);
    assert_eq!(events.next().unwrap().id, Some(last));
    // More than any socket buffers, while nobody reads.
    let large = vec![0; 256 << 10];
    for _ in 0..200 {
        client.put("/v1/kv/a", &[], &large).expect(204);
    }
    let end = loop {
        let message = events.message().expect("it is told before the end");
        if message.event.as_deref() != Some("commit") {
            break message;
        }
        assert_eq!(message.id, Some(last + 1), "no gap that is not told");
        last += 1;
    };
    assert_eq!(end.event.as_deref(), Some("compacted"));
    assert_eq!(end.id, None);
    assert_eq!(events.next(), None);
    let mut resumed = client.events("/v1/watch", &[("last-event-id", &last.to_string())]);
    assert_eq!(resumed.message().unwrap().event.as_deref(), Some("compacted"));
}
