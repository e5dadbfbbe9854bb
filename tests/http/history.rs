//! The versions of a document that are kept, and the state as of a revision.

use ifmatch::http::{Options, documents};
use serde_json::json;

use crate::support::{Client, Server};

const JSON: (&str, &str) = ("content-type", "application/json");

fn server(versions: usize) -> (Server, Client) {
    let store = documents().history(versions).build();
    let server = Server::over(store, Options::default());
    let client = server.client();
    (server, client)
}

#[test]
fn a_history_has_every_version_in_order_deletes_too_with_its_text() {
    let (_server, client) = server(10);
    let first = client.put("/v1/kv/a/b", &[JSON], "1.50").expect(201).revision();
    let second =
        client.put("/v1/kv/a/b", &[("content-type", "text/plain")], "x").expect(204).revision();
    let third = client.delete("/v1/kv/a/b", &[]).expect(204).revision();
    let fourth = client.put("/v1/kv/a/b", &[JSON], "2").expect(201).revision();
    client.put("/v1/kv/a/c", &[JSON], "3").expect(201);
    let answer = client.get("/v1/history/a%2Fb", &[]).expect(200);
    assert!(answer.text().contains("\"value\":1.50"), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let history = answer.json();
    assert_eq!(history["key"], "a/b");
    let versions = history["versions"].as_array().unwrap();
    let revisions: Vec<_> = versions.iter().map(|version| version["revision"].as_u64()).collect();
    assert_eq!(revisions, [first, second, third, fourth].map(Some));
    assert_eq!(versions[1]["base64"], "eA==");
    assert_eq!(versions[2], json!({"key": "a/b", "revision": third, "deleted": true}));
    assert_eq!(versions[3]["created_revision"], fourth);
    assert_eq!(versions[3]["write_count"], 1);
    let head = client.head("/v1/history/a/b", &[]).expect(200);
    assert_eq!(head.header("content-length"), answer.header("content-length"));
}

#[test]
fn the_past_is_read_as_it_was_or_is_410() {
    let (_server, client) = server(3);
    let tags: Vec<_> = (0..5)
        .map(|number| {
            let answer = client.put("/v1/kv/a", &[JSON], number.to_string());
            (answer.revision(), answer.etag().to_owned())
        })
        .collect();
    let at = |revision: u64| client.get(&format!("/v1/kv/a?at={revision}"), &[]);
    for (number, (revision, tag)) in tags.iter().enumerate().skip(2) {
        let then = at(*revision).expect(200);
        assert_eq!((then.text(), then.etag()), (number.to_string().as_str(), tag.as_str()));
        client.get(&format!("/v1/kv/a?at={revision}"), &[("if-none-match", tag)]).expect(304);
    }
    at(tags[0].0).problem(410, "compacted");
    at(tags[4].0 + 1).problem(410, "compacted");
    at((1 << 53) - 1).problem(410, "compacted");
    for bad in ["0", "-1", "x", "", "9007199254740992", "1&at=1"] {
        client.get(&format!("/v1/kv/a?at={bad}"), &[]).problem(400, "invalid-query");
    }
    client.put("/v1/kv/later", &[], "1").expect(201);
    client.get(&format!("/v1/kv/later?at={}", tags[4].0), &[]).problem(404, "not-found");
}

#[test]
fn without_a_past_there_is_the_newest_version_only() {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/a", &[JSON], "1").expect(201);
    let now = client.put("/v1/kv/a", &[JSON], "2").expect(204).revision();
    let versions = client.get("/v1/history/a", &[]).expect(200).json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1);
    assert_eq!(versions["versions"][0]["revision"], now);
    client.get("/v1/history/b", &[]).problem(404, "not-found");
    client.get("/v1/history/", &[]).problem(400, "invalid-key");
    client.get("/v1/history/a?at=1", &[]).problem(400, "invalid-query");
    client.put("/v1/history/a", &[], "1").problem(405, "method-not-allowed");
}

#[test]
fn of_large_versions_only_the_newest_are_shown_with_their_value() {
    let (_server, client) = server(10);
    for _ in 0..4 {
        client.put("/v1/kv/a", &[], vec![0; 3 << 20]);
    }
    let history = client.get("/v1/history/a", &[]).expect(200).json();
    let versions = history["versions"].as_array().unwrap();
    let shown: Vec<_> = versions.iter().map(|version| version.get("base64").is_some()).collect();
    assert_eq!(shown, [false, false, true, true]);
    assert!(versions.iter().all(|version| version["write_count"].is_u64()));
}
