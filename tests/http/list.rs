//! Lists: in order, in pages, all at one revision.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ifmatch::http::{DocumentStore, Options, documents};
use serde_json::{Value, json};

use crate::support::{Client, Server, SetAtEnd};

const JSON: (&str, &str) = ("content-type", "application/json");

fn server_with(keys: &[&str]) -> (Server, Client) {
    let server = Server::new();
    let client = server.client();
    for key in keys {
        client.post("/v1/kv", &json!({"key": key, "value": key}).to_string()).expect(201);
    }
    (server, client)
}

fn keys(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["key"].as_str().unwrap().to_owned()).collect()
}

/// All pages of a list.
fn pages(client: &Client, query: &str) -> Vec<Value> {
    let mut pages: Vec<Value> =
        vec![client.get(&format!("/v1/kv?{query}"), &[]).expect(200).json()];
    while let Some(next) = pages.last().unwrap()["next"].as_str() {
        let page = client.get(&format!("/v1/kv?{query}&cursor={next}"), &[]).expect(200).json();
        pages.push(page);
    }
    pages
}

#[test]
fn a_list_is_in_the_order_of_bytes_and_under_its_prefix_only() {
    let (_server, client) =
        server_with(&["b", "a", "a/2", "a/10", "a b", "é", "a+b", "\u{10ffff}", "A"]);
    let list = |query: &str| keys(&client.get(&format!("/v1/kv{query}"), &[]).expect(200).json());
    assert_eq!(
        list(""),
        ["A", "a", "a b", "a+b", "a/10", "a/2", "b", "é", "\u{10ffff}"].map(str::to_owned)
    );
    assert_eq!(list("?prefix=a/"), ["a/10", "a/2"]);
    assert_eq!(list("?prefix=a%2F1"), ["a/10"]);
    assert_eq!(list("?prefix=a+"), ["a b"]);
    assert_eq!(list("?prefix=a%2B"), ["a+b"]);
    assert_eq!(list("?prefix=%C3%A9"), ["é"]);
    assert_eq!(list("?prefix=x"), [""; 0]);
    for limit in 1..=9 {
        let pages = pages(&client, &format!("limit={limit}"));
        assert_eq!(pages.iter().flat_map(keys).collect::<Vec<_>>(), list(""), "{limit} a page");
        assert_eq!(pages.len(), 9_usize.div_ceil(limit), "no page is empty");
    }
}

#[test]
fn an_entry_has_its_revisions_and_the_text_of_its_value() {
    let server = Server::new();
    let client = server.client();
    let exact =
        "{\"z\": 1.50,\n \"n\": 12345678901234567890123, \"e\": 1e400, \"s\": \"\\u0000\\ud800\"}";
    client.put("/v1/kv/a", &[JSON], "1").expect(201);
    let created = client.get("/v1/kv/a", &[]).revision();
    let written =
        client.put("/v1/kv/a", &[("content-type", "application/geo+json")], exact).expect(204);
    client.put("/v1/kv/b", &[("content-type", "text/plain")], "{}").expect(201);
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    client.put("/v1/kv/deep", &[JSON], &deep).expect(201);
    let list = client.get("/v1/kv?limit=2", &[]).expect(200);
    assert!(list.text().contains(&format!("\"value\":{exact}")), "{}", list.text());
    assert_eq!(list.header("content-type"), Some("application/json"));
    assert_eq!(list.header("cache-control"), Some("no-cache"));
    assert_eq!(list.header("x-content-type-options"), Some("nosniff"));
    // It has half a surrogate, which is JSON and no text: not for this parser.
    let list = list.text().replace("\\ud800", "");
    let list: Value = serde_json::from_str(&list.replace("1e400", "1")).unwrap();
    let entry = &list["items"][0];
    assert_eq!(entry["key"], "a");
    assert_eq!(entry["revision"], written.revision());
    assert_eq!(entry["created_revision"], created);
    assert_eq!(entry["write_count"], 2);
    assert_eq!(entry["content_type"], "application/geo+json");
    assert_eq!(list["items"][1]["base64"], "e30=");
    assert!(list["items"][1].get("value").is_none());
    assert!(client.get("/v1/kv?prefix=deep", &[]).text().contains(&deep));
}

#[test]
fn limits_are_checked_at_their_edges_and_unknown_parameters_refused() {
    let (_server, client) = server_with(&["a"]);
    for good in ["limit=1", "limit=1000", "prefix=", ""] {
        client.get(&format!("/v1/kv?{good}"), &[]).expect(200);
    }
    let long = "x".repeat(1_024);
    client.get(&format!("/v1/kv?prefix={long}"), &[]).expect(200);
    for bad in [
        "limit=0",
        "limit=1001",
        "limit=",
        "limit=-1",
        "limit=%2B1",
        "limit=1.0",
        "limit=99999999999999999999",
        "limit=1&limit=1",
        "prefix=a&prefix=a",
        "prefix=%00",
        "prefix=%FF",
        "prefix=a%0A",
        &format!("prefix={long}x"),
        "after=a",
        "at=7",
        "cursor=",
        "cursor=nonsense",
        "cursor=AAAA",
    ] {
        client.get(&format!("/v1/kv?{bad}"), &[]).problem(400, "invalid-query");
    }
}

#[test]
fn a_head_of_a_list_has_no_body_and_the_length_of_one() {
    let (_server, client) = server_with(&["a", "b"]);
    let got = client.get("/v1/kv", &[]);
    let head = client.head("/v1/kv", &[]).expect(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), got.header("content-length"));
}

#[test]
fn what_the_server_remembers_is_in_no_list_watch_history_or_condition() {
    let server = Server::new();
    let client = server.client();
    let revision = client.put("/v1/kv/a", &[("idempotency-key", "k")], "1").expect(201).revision();
    assert_eq!(keys(&client.get("/v1/kv", &[]).json()), ["a"]);
    let mut events = client.events(&format!("/v1/watch?since={}", revision - 1), &[]);
    let message = events.message().unwrap().json();
    assert_eq!(message["events"].as_array().unwrap().len(), 1, "{message}");
    client.delete("/v1/kv/a", &[("idempotency-key", "d")]).expect(204);
    let body = r#"{"require": [{"prefix": "", "empty": true}]}"#;
    let now = client.post("/v1/txn", body).expect(200).json()["revision"].to_string();
    client.put("/v1/kv/b", &[("idempotency-key", "e")], "1").expect(201);
    client.delete("/v1/kv/b", &[]).expect(204);
    let body = format!(r#"{{"require": [{{"prefix": "", "unchanged_since": {now}}}]}}"#);
    let lost = client.post("/v1/txn", &body).problem(409, "transaction-conflict");
    assert_eq!(lost["conflicts"][0]["key"], "b");
    for path in ["/v1/kv/%00idempotency", "/v1/history/%00idempotency"] {
        client.get(path, &[]).problem(400, "invalid-key");
    }
}

#[test]
fn all_pages_are_of_the_revision_of_the_first_whatever_is_written_meanwhile() {
    const KEYS: usize = 20;
    let server = Server::new();
    let client = server.client();
    let write_all = |client: &Client, number: usize| {
        let operations: Vec<_> =
            (0..KEYS).map(|key| json!({"put": format!("k/{key:02}"), "value": number})).collect();
        client.post("/v1/txn", &json!({"operations": operations}).to_string()).expect(200);
    };
    write_all(&client, 0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (client, done) = (server.client(), &done);
            scope.spawn(move || {
                let mut number = writer;
                while !done.load(Ordering::Relaxed) {
                    number += 2;
                    write_all(&client, number);
                    // Keys that come and go, before and behind every cursor.
                    client.put("/v1/kv/k/05x", &[], "1");
                    client.delete("/v1/kv/k/05x", &[]);
                }
            });
        }
        let _end = SetAtEnd(&done);
        for _ in 0..25 {
            let pages = pages(&client, "prefix=k/&limit=3");
            let revisions: Vec<_> = pages.iter().map(|page| &page["revision"]).collect();
            assert!(revisions.iter().all(|revision| *revision == revisions[0]), "{revisions:?}");
            let items: Vec<_> =
                pages.iter().flat_map(|page| page["items"].as_array().unwrap()).collect();
            let numbers: Vec<_> = items
                .iter()
                .filter(|item| item["key"] != "k/05x")
                .map(|item| &item["value"])
                .collect();
            assert_eq!(numbers.len(), KEYS);
            assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
        }
    });
}

fn three() -> DocumentStore {
    let store = documents().build();
    let server = Server::over(store.clone(), Options::default());
    for key in ["a/1", "a/2", "b"] {
        server.client().put(&format!("/v1/kv/{key}"), &[], "1").expect(201);
    }
    store
}

fn first_cursor(client: &Client) -> String {
    client.get("/v1/kv?limit=1&prefix=a/", &[]).expect(200).json()["next"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_cursor_is_410_when_its_time_is_over_and_not_before() {
    let server = Server::over(three(), Options::default().pin_timeout(Duration::from_millis(300)));
    let client = server.client();
    let cursor = first_cursor(&client);
    let began = Instant::now();
    // What is overwritten is not kept for its own sake.
    let overwritten = client.put("/v1/kv/a/2", &[], "2").expect(204).revision();
    let next = || client.get(&format!("/v1/kv?cursor={cursor}"), &[]);
    assert_eq!(keys(&next().expect(200).json()), ["a/2"], "the prefix is the cursor's");
    // It is let go some time after its last use; how long that takes is nobody's promise but that it ends.
    loop {
        std::thread::sleep(Duration::from_millis(400));
        let answer = next();
        if answer.status == 410 {
            let problem = answer.problem(410, "compacted");
            assert_eq!(problem["oldest_revision"].as_u64().unwrap(), overwritten, "{problem}");
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{answer:?}");
    }
}

#[test]
fn a_cursor_of_another_store_or_of_before_a_restart_is_410() {
    let store = three();
    let server = Server::over(store.clone(), Options::default());
    let cursor = first_cursor(&server.client());
    drop(server);
    let other = Server::over(three(), Options::default());
    let problem = other.client().get(&format!("/v1/kv?cursor={cursor}"), &[]);
    let problem = problem.problem(410, "compacted");
    assert!(problem["oldest_revision"].is_null(), "revisions of another store are no help");
    // The same store, but nothing is pinned any more, and something was overwritten.
    let restarted = Server::over(store, Options::default());
    let client = restarted.client();
    client.get(&format!("/v1/kv?cursor={cursor}"), &[]).expect(200);
    let oldest = client.put("/v1/kv/a/2", &[], "2").expect(204).revision();
    let problem = client.get(&format!("/v1/kv?cursor={cursor}"), &[]).problem(410, "compacted");
    assert_eq!(problem["oldest_revision"].as_u64().unwrap(), oldest, "{problem}");
}

#[test]
fn a_cursor_that_was_tampered_with_shows_nothing_that_it_should_not() {
    let server = Server::over(three(), Options::default());
    let client = server.client();
    client.put("/v1/kv/r", &[("idempotency-key", "k")], "1").expect(201);
    let cursor = first_cursor(&client);
    client.get(&format!("/v1/kv?cursor={cursor}&prefix=b"), &[]).problem(400, "invalid-query");
    client.get(&format!("/v1/kv?cursor={cursor}&prefix=a/"), &[]).expect(200);
    for at in 0..cursor.len() {
        for letter in ["A", "_", "7"] {
            let mut tampered = cursor.clone();
            tampered.replace_range(at..=at, letter);
            let answer = client.get(&format!("/v1/kv?cursor={tampered}"), &[]);
            match answer.status {
                200 => {
                    let page = answer.json();
                    assert!(
                        keys(&page)
                            .iter()
                            .all(|key| ["a/1", "a/2", "b", "r"].contains(&key.as_str()))
                    );
                }
                400 => drop(answer.problem(400, "invalid-query")),
                _ => drop(answer.problem(410, "compacted")),
            }
        }
        let cut = client.get(&format!("/v1/kv?cursor={}", &cursor[..at]), &[]);
        assert!([200, 400, 410].contains(&cut.status), "{cut:?}");
    }
}

#[test]
fn past_the_limit_of_pins_a_list_with_more_pages_is_429_and_a_whole_one_is_not() {
    let server = Server::over(three(), Options::default().max_pins(2));
    let client = server.client();
    for _ in 0..2 {
        first_cursor(&client);
        first_cursor(&client);
        client.put("/v1/kv/c", &[], "1");
    }
    let refused = client.get("/v1/kv?limit=1", &[]);
    assert_eq!(refused.problem(429, "too-many-requests")["max_pins"], 2);
    assert!(refused.header("retry-after").unwrap().parse::<u32>().is_ok());
    client.get("/v1/kv", &[]).expect(200);
}

#[test]
fn past_the_limit_of_the_stores_snapshots_a_list_is_429() {
    let server = Server::over(documents().max_snapshots(1).build(), Options::default());
    let client = server.client();
    for key in ["a", "b"] {
        client.put(&format!("/v1/kv/{key}"), &[], "1").expect(201);
    }
    client.get("/v1/kv?limit=1", &[]).expect(200);
    let refused = client.get("/v1/kv", &[]);
    assert_eq!(refused.problem(429, "too-many-requests")["max_snapshots"], 1);
    assert!(refused.header("retry-after").unwrap().parse::<u32>().is_ok());
}

#[test]
fn a_page_has_so_many_bytes_and_the_next_goes_on_there() {
    let server = Server::new();
    let client = server.client();
    for number in 0..5 {
        client.put(&format!("/v1/kv/{number}"), &[], vec![0; 3 << 20]).expect(201);
    }
    let pages = pages(&client, "");
    assert_eq!(pages.iter().map(|page| keys(page).len()).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(pages.iter().flat_map(keys).collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
}
