//! Revisions beside the tag, and what a client that is a backend asks for.

use ifmatch::http::{Options, documents};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Server};

const JSON: (&str, &str) = ("content-type", "application/json");
const REPRESENTATION: (&str, &str) = ("prefer", "return=representation");

fn number(answer: &Answer, name: &str) -> Option<u64> {
    answer.header(name).map(|text| text.parse().unwrap())
}

/// Revision, created revision and write count.
fn versions(answer: &Answer) -> (u64, Option<u64>, Option<u64>) {
    let revision = number(answer, "ifmatch-revision").expect("every document has one");
    assert_eq!(revision, answer.revision(), "it is that of the tag");
    (revision, number(answer, "ifmatch-created-revision"), number(answer, "ifmatch-write-count"))
}

fn server() -> (Server, Client) {
    let server =
        Server::over(documents().history(10).history_commits(100).build(), Options::default());
    let client = server.client();
    (server, client)
}

#[test]
fn reads_and_writes_tell_the_revisions_of_the_document() {
    let (_server, client) = server();
    for keyed in [false, true] {
        let headers = |name: &'static str| {
            let mut headers = vec![JSON];
            headers.extend(keyed.then_some(("idempotency-key", name)));
            headers
        };
        let path = format!("/v1/kv/{keyed}");
        let created = client.put(&path, &headers("1"), "{}").expect(201);
        let (first, ..) = versions(&created);
        assert_eq!(versions(&created), (first, Some(first), Some(1)));
        let changed = client.put(&path, &headers("2"), "{\"a\":1}").expect(204);
        let (second, ..) = versions(&changed);
        assert_eq!(versions(&changed), (second, Some(first), Some(2)));
        let mut shown = headers("3");
        shown.push(REPRESENTATION);
        let shown = client.put(&path, &shown, "{\"a\":2}").expect(200);
        assert_eq!((versions(&shown).1, versions(&shown).2), (Some(first), Some(3)));
        for answer in [client.get(&path, &[]), client.head(&path, &[])] {
            assert_eq!(versions(&answer.expect(200)), versions(&shown));
        }
        let then = client.get(&format!("{path}?at={second}"), &[]).expect(200);
        assert_eq!(versions(&then), versions(&changed));
        if keyed {
            // A repeat says what the first did, whatever there is now.
            let again = client.put(&path, &headers("1"), "{}").expect(201);
            assert_eq!(versions(&again), versions(&created));
            let again = client.put(&path, &headers("2"), "{\"a\":1}").expect(204);
            assert_eq!(versions(&again), versions(&changed));
        }
        let gone = client.delete(&path, &headers("4")[1..]).expect(204);
        assert_eq!((versions(&gone).1, versions(&gone).2), (None, None));
    }
}

fn keys(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap()).collect()
}

#[test]
fn a_list_as_of_a_revision_begins_where_it_is_told() {
    let (_server, client) = server();
    for key in ["a", "b/1", "b/2", "b/3", "c"] {
        client.put(&format!("/v1/kv/{key}"), &[JSON], "1").expect(201);
    }
    let at = client.put("/v1/kv/d", &[JSON], "1").expect(201).revision();
    client.delete("/v1/kv/b/2", &[]).expect(204);
    client.put("/v1/kv/e", &[JSON], "1").expect(201);
    let list = |query: &str| client.get(&format!("/v1/kv?{query}"), &[]).expect(200).json();
    assert_eq!(keys(&list(&format!("cursor=@{at}"))), ["a", "b/1", "b/2", "b/3", "c", "d"]);
    assert_eq!(keys(&list(&format!("cursor=@{at}/b/2"))), ["b/2", "b/3", "c", "d"]);
    assert_eq!(keys(&list(&format!("cursor=@{at}/b/20"))), ["b/3", "c", "d"]);
    assert_eq!(keys(&list(&format!("prefix=b/&cursor=@{at}/a"))), ["b/1", "b/2", "b/3"]);
    assert_eq!(keys(&list(&format!("prefix=b/&cursor=@{at}/x"))), [""; 0]);
    let page = list(&format!("prefix=b/&limit=1&cursor=@{at}/b/2"));
    assert_eq!((keys(&page), &page["revision"]), (vec!["b/2"], &json!(at)));
    let next = page["next"].as_str().unwrap();
    assert_eq!(keys(&list(&format!("cursor={next}"))), ["b/3"]);
    for bad in ["@", "@0", "@x", "@-1", "@7x", "@9007199254740992", "@7/a%00"] {
        client.get(&format!("/v1/kv?cursor={bad}"), &[]).problem(400, "invalid-query");
    }
}

/// A store that keeps no past keeps what a list has pinned.
#[test]
fn what_a_list_has_pinned_can_be_read() {
    let server = Server::new();
    let client = server.client();
    let before = client.put("/v1/kv/a", &[JSON], "0").expect(201).revision();
    client.delete("/v1/kv/a", &[]).expect(204);
    for key in ["a", "b"] {
        client.put(&format!("/v1/kv/{key}"), &[JSON], "1").expect(201);
    }
    let pinned = client.get("/v1/kv?limit=1", &[]).expect(200).json();
    let at = pinned["revision"].as_u64().unwrap();
    client.put("/v1/kv/a", &[JSON], "2").expect(204);
    client.put("/v1/kv/c", &[JSON], "2").expect(201);
    assert_eq!(client.get(&format!("/v1/kv/a?at={at}"), &[]).expect(200).text(), "1");
    client.get(&format!("/v1/kv/c?at={at}"), &[]).problem(404, "not-found");
    let list = client.get(&format!("/v1/kv?cursor=@{at}"), &[]).expect(200).json();
    assert_eq!(keys(&list), ["a", "b"]);
    // Another revision is not, and it is said what is.
    for target in [format!("/v1/kv/a?at={before}"), format!("/v1/kv?cursor=@{before}")] {
        let problem = client.get(&target, &[]).problem(410, "compacted");
        assert!(problem["oldest_revision"].as_u64().unwrap() > before, "{problem}");
    }
    let problem = client.get("/v1/kv/a?at=9007199254740991", &[]).problem(410, "compacted");
    assert!(problem["newest_revision"].as_u64().unwrap() > at, "{problem}");
}

#[test]
fn it_is_told_which_store_it_is_and_what_it_can_do() {
    let store = documents().build();
    let server = Server::over(store.clone(), Options::default());
    let ready = server.client().get("/readyz", &[]).expect(200).json();
    assert_eq!(ready["identity"], store.identity().to_string());
    assert_eq!(ready["supports"], json!(["history", "past", "watch", "empty", "unchanged_since"]));
    let problem = server.client().get("/v1/history/never", &[]).problem(404, "not-found");
    assert!(problem["since"].as_u64().unwrap() > 0);
}

#[test]
fn who_is_in_the_way_is_shown_if_that_is_preferred() {
    let (_server, client) = server();
    for number in 0..20 {
        client.put(&format!("/v1/kv/t/{number:02}"), &[JSON], number.to_string()).expect(201);
    }
    let body = json!({"require": [{"prefix": "t/", "empty": true}]}).to_string();
    let problem = client.post("/v1/txn", &body).problem(409, "transaction-conflict");
    assert!(problem["conflicts"][0].get("blocking").is_none());
    let headers = [JSON, REPRESENTATION];
    let problem = client.post_with("/v1/txn", &headers, &body).problem(409, "transaction-conflict");
    let lost = &problem["conflicts"][0];
    assert_eq!(lost["blocker_count"], 20);
    let blocking = lost["blocking"].as_array().unwrap();
    assert_eq!(blocking.len(), 16);
    for (entry, key) in blocking.iter().zip(lost["blockers"].as_array().unwrap()) {
        assert_eq!(&entry["key"], key);
        assert!(entry["value"].is_number() && entry["write_count"] == 1);
    }
}
