//! Transactions: preconditions and operations, all or nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, SetAtEnd};

const JSON: (&str, &str) = ("content-type", "application/json");

fn server() -> (Server, Client) {
    let server = Server::new();
    let client = server.client();
    (server, client)
}

fn commit(client: &Client, body: &Value) -> Answer {
    client.post("/v1/txn", &body.to_string())
}

#[test]
fn a_transaction_takes_place_whole_under_one_revision() {
    let (_server, client) = server();
    let a = client.put("/v1/kv/a", &[JSON], "1").expect(201).revision();
    client.put("/v1/kv/b", &[JSON], "1").expect(201);
    client.put("/v1/kv/c", &[JSON], "1").expect(201);
    let body = format!(
        r#"{{"require": [{{"key": "a", "revision": {a}}}, {{"key": "x", "absent": true}},
              {{"key": "c", "present": true}}, {{"prefix": "teams/1/", "empty": true}},
              {{"prefix": "a", "unchanged_since": {a}}}],
             "operations": [{{"put": "a", "value": {{"n": 1.50, "big": 12345678901234567890123}}}},
              {{"delete": "b"}}, {{"put": "x/y", "base64": "AAE=", "content_type": "image/png"}},
              {{"put": "n", "value": null}}]}}"#
    );
    let answer = client.post("/v1/txn", &body).expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    let revision = answer.json()["revision"].as_u64().unwrap();
    let got = client.get("/v1/kv/a", &[]);
    assert_eq!(got.text(), r#"{"n": 1.50, "big": 12345678901234567890123}"#);
    assert_eq!(got.revision(), revision);
    let got = client.get("/v1/kv/x/y", &[]);
    assert_eq!((got.header("content-type"), &got.body[..]), (Some("image/png"), &[0, 1][..]));
    assert_eq!(got.revision(), revision);
    assert_eq!(client.get("/v1/kv/n", &[]).text(), "null");
    client.get("/v1/kv/b", &[]).problem(404, "not-found");
}

#[test]
fn every_precondition_that_fails_is_named_by_its_index_and_nothing_is_written() {
    let (_server, client) = server();
    let a = client.put("/v1/kv/a", &[JSON], "1").expect(201);
    let b = client.put("/v1/kv/t/b", &[JSON], "1").expect(201);
    let c = client.put("/v1/kv/t/c", &[JSON], "1").expect(201);
    let body = json!({"require": [
            {"key": "a", "present": true},
            {"key": "a", "absent": true},
            {"key": "a", "revision": b.revision()},
            {"key": "gone", "revision": 7},
            {"key": "gone", "present": true},
            {"prefix": "t/", "empty": true},
            {"prefix": "none/", "empty": true},
            {"prefix": "t/", "unchanged_since": a.revision()},
        ], "operations": [{"put": "a", "value": 2}, {"put": "new", "value": 2}, {"delete": "t/b"}]});
    let problem = commit(&client, &body).problem(409, "transaction-conflict");
    let conflicts = problem["conflicts"].as_array().unwrap();
    let what: Vec<_> = conflicts
        .iter()
        .map(|conflict| {
            let slug = conflict["type"].as_str().unwrap().trim_start_matches("/problems/");
            (conflict["index"].as_u64().unwrap(), slug)
        })
        .collect();
    assert_eq!(
        what,
        [
            (1, "already-exists"),
            (2, "stale-revision"),
            (3, "stale-revision"),
            (4, "not-found"),
            (5, "in-use"),
            (7, "stale-revision"),
        ]
    );
    let stale = &conflicts[1];
    assert_eq!(stale["key"], "a");
    assert_eq!(stale["expected_revision"], b.revision());
    assert_eq!(stale["current_revision"], a.revision());
    assert_eq!(stale["current_etag"], a.etag());
    assert_eq!(stale["deleted"], false);
    assert_eq!(stale["links"]["current"], "/v1/kv/a");
    assert_eq!(conflicts[2]["current_revision"], Value::Null);
    assert_eq!(conflicts[2]["deleted"], true);
    assert!(conflicts[2].get("links").is_none());
    assert_eq!(conflicts[4]["blockers"], json!(["t/b", "t/c"]));
    assert_eq!(conflicts[4]["blocker_count"], 2);
    assert_eq!(conflicts[4]["prefix"], "t/");
    assert_eq!(conflicts[5]["expected_revision"], a.revision());
    assert!(conflicts.iter().all(|conflict| conflict.get("current").is_none()));
    assert_eq!(client.get("/v1/kv/a", &[]).etag(), a.etag());
    assert_eq!(client.get("/v1/kv/t/b", &[]).etag(), b.etag());
    assert_eq!(client.get("/v1/kv/t/c", &[]).etag(), c.etag());
    client.get("/v1/kv/new", &[]).problem(404, "not-found");
}

#[test]
fn a_condition_that_cannot_be_decided_is_no_silent_pass() {
    let (_server, client) = server();
    client.put("/v1/kv/a", &[JSON], "1").expect(201);
    for since in [1_u64, (1 << 53) - 1] {
        let body = json!({"require": [{"prefix": "", "unchanged_since": since}],
                          "operations": [{"put": "b", "value": 1}]});
        let problem = commit(&client, &body).problem(409, "transaction-conflict");
        assert_eq!(problem["conflicts"][0]["index"], 0, "{problem}");
    }
    client.get("/v1/kv/b", &[]).problem(404, "not-found");
}

#[test]
fn without_operations_it_is_a_question() {
    let (_server, client) = server();
    let a = client.put("/v1/kv/a", &[JSON], "1").expect(201).revision();
    for body in ["{}", r#"{"require": []}"#, r#"{"require": [{"key": "a", "present": true}]}"#] {
        let answer = client.post("/v1/txn", body).expect(200);
        assert_eq!(answer.json()["revision"], a);
    }
    let body = r#"{"require": [{"key": "a", "absent": true}]}"#;
    client.post("/v1/txn", body).problem(409, "transaction-conflict");
}

#[test]
fn deleting_what_is_not_there_is_no_failure_of_a_transaction() {
    let (_server, client) = server();
    client.post("/v1/txn", r#"{"operations": [{"delete": "a"}]}"#).expect(200);
}

#[test]
fn bad_input_is_400_that_names_the_element_and_never_409() {
    let (_server, client) = server();
    client.put("/v1/kv/a", &[JSON], "1").expect(201);
    let cases = [
        ("", ""),
        ("[]", ""),
        ("{} {}", ""),
        ("{\"require\": [", ""),
        (r#"{"unknown": []}"#, "unknown"),
        (r#"{"require": null}"#, ""),
        (r#"{"require": [], "require": []}"#, "require"),
        (r#"{"require": [{"key": "a"}]}"#, "require[0]"),
        (
            r#"{"require": [{"key": "a", "absent": true}, {"key": "a", "absent": false}]}"#,
            "require[1]",
        ),
        (r#"{"require": [{"key": "a", "absent": true, "present": true}]}"#, "require[0]"),
        (r#"{"require": [{"key": "a", "revision": null}]}"#, "require[0]"),
        (r#"{"require": [{"key": "a", "revision": 0}]}"#, "revision"),
        (r#"{"require": [{"key": "a", "revision": 9007199254740992}]}"#, ""),
        (r#"{"require": [{"key": "a", "revision": "7"}]}"#, ""),
        (r#"{"require": [{"key": "a", "revision": 1.5}]}"#, ""),
        (r#"{"require": [{"key": "a", "empty": true}]}"#, "require[0]"),
        (r#"{"require": [{"prefix": "a", "absent": true}]}"#, "require[0]"),
        (r#"{"require": [{"prefix": "a", "key": "a", "empty": true}]}"#, "require[0]"),
        (r#"{"require": [{"prefix": "\u0000", "empty": true}]}"#, "require[0]"),
        (r#"{"require": [{"absent": true}]}"#, "require[0]"),
        (r#"{"require": [{"key": "a", "absent": true, "x": 1}]}"#, "x"),
        (r#"{"operations": [{"put": "a"}]}"#, "operations[0]"),
        (r#"{"operations": [{"put": "a", "value": 1, "base64": ""}]}"#, "operations[0]"),
        (r#"{"operations": [{"put": "a", "base64": "?"}]}"#, "operations[0]"),
        (
            r#"{"operations": [{"put": "a", "value": 1, "content_type": "text/plain"}]}"#,
            "operations[0]",
        ),
        (
            r#"{"operations": [{"put": "a", "base64": "e30", "content_type": "x"}]}"#,
            "operations[0]",
        ),
        (
            r#"{"operations": [{"put": "a", "base64": "ew==", "content_type": "application/json"}]}"#,
            "operations[0]",
        ),
        (r#"{"operations": [{"delete": "a", "value": 1}]}"#, "operations[0]"),
        (r#"{"operations": [{"put": "a", "delete": "a", "value": 1}]}"#, "operations[0]"),
        (r#"{"operations": [{}]}"#, "operations[0]"),
        (r#"{"operations": [{"put": "a", "value": 1}, {"delete": "a"}]}"#, "operations[1]"),
    ];
    for (body, names) in cases {
        let problem = client.post("/v1/txn", body).problem(400, "invalid-body");
        assert!(problem["detail"].as_str().unwrap().contains(names), "{body}: {problem}");
    }
    for key in ["", "/", "a//b", "..", "\\u0000"] {
        for body in [
            format!(r#"{{"require": [{{"key": "{key}", "absent": true}}]}}"#),
            format!(r#"{{"operations": [{{"delete": "{key}"}}]}}"#),
        ] {
            client.post("/v1/txn", &body).problem(400, "invalid-key");
        }
    }
    client.post("/v1/txn?revision=7", "{}").problem(400, "invalid-query");
    client.post_with("/v1/txn", &[JSON, ("if-match", "*")], "{}").problem(400, "invalid-header");
    client
        .post_with("/v1/txn", &[("content-type", "text/plain")], "{}")
        .problem(415, "unsupported-media-type");
    client.get("/v1/txn", &[]).problem(405, "method-not-allowed");
    assert_eq!(client.get("/v1/kv/a", &[]).text(), "1");
}

#[test]
fn at_most_16_prefixes_are_to_be_empty() {
    let (_server, client) = server();
    let body = |count| json!({"require": vec![json!({"prefix": "a/", "empty": true}); count]});
    commit(&client, &body(16)).expect(200);
    let problem = commit(&client, &body(17)).problem(400, "invalid-body");
    assert!(problem["detail"].as_str().unwrap().contains("the limit is 16"), "{problem}");
}

#[test]
fn at_most_256_prefixes_are_to_be_unchanged() {
    let (_server, client) = server();
    let since = client.put("/v1/kv/a", &[], "1").expect(201).revision();
    let body =
        |count| json!({"require": vec![json!({"prefix": "b/", "unchanged_since": since}); count]});
    commit(&client, &body(256)).expect(200);
    let problem = commit(&client, &body(257)).problem(400, "invalid-body");
    assert!(problem["detail"].as_str().unwrap().contains("the limit is 256"), "{problem}");
}

#[test]
fn the_limit_of_operations_is_4_093_also_with_a_record_for_repeats() {
    let (_server, client) = server();
    let body = |count: usize| {
        let operations: Vec<_> =
            (0..count).map(|key| json!({"put": key.to_string(), "value": 1})).collect();
        json!({"operations": operations}).to_string()
    };
    client.post("/v1/txn", &body(4_094)).problem(400, "invalid-body");
    client.post_with("/v1/txn", &[JSON, ("idempotency-key", "k")], body(4_093)).expect(200);
    client.post("/v1/txn", &body(4_093)).expect(200);
}

/// Money is moved between accounts, each move on condition that both are as they were read; the sum is seen to be
/// the same at every moment, and no move is lost.
#[test]
fn racing_transactions_take_place_whole_or_not_at_all() {
    const ACCOUNTS: usize = 4;
    const CLIENTS: usize = 6;
    const MOVES: usize = 20;
    let (server, client) = server();
    for account in 0..ACCOUNTS {
        client.put(&format!("/v1/kv/account/{account}"), &[JSON], "1000").expect(201);
    }
    let sum = |page: &Value| -> i64 {
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), ACCOUNTS);
        items.iter().map(|item| item["value"].as_i64().unwrap()).sum()
    };
    let (done, lost) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let movers: Vec<_> = (0..CLIENTS)
            .map(|mover| {
                let (client, lost) = (server.client(), &lost);
                scope.spawn(move || {
                    let mut moved = 0;
                    while moved < MOVES {
                        let (from, to) = (
                            (mover + moved) % ACCOUNTS,
                            (mover + moved + 1 + moved % 3) % ACCOUNTS,
                        );
                        let read = |account: usize| {
                            let got =
                                client.get(&format!("/v1/kv/account/{account}"), &[]).expect(200);
                            (got.revision(), got.json().as_i64().unwrap())
                        };
                        let (source, target) = (read(from), read(to));
                        let body = json!({
                            "require": [
                                {"key": format!("account/{from}"), "revision": source.0},
                                {"key": format!("account/{to}"), "revision": target.0},
                                {"key": format!("moves/{mover}/{moved}"), "absent": true},
                            ],
                            "operations": [
                                {"put": format!("account/{from}"), "value": source.1 - 1},
                                {"put": format!("account/{to}"), "value": target.1 + 1},
                                {"put": format!("moves/{mover}/{moved}"), "value": true},
                            ],
                        });
                        let answer = commit(&client, &body);
                        if answer.status == 200 {
                            moved += 1;
                        } else {
                            let problem = answer.problem(409, "transaction-conflict");
                            assert!(problem["conflicts"][0]["index"].as_u64().unwrap() < 2);
                            lost.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let (reader, done) = (server.client(), &done);
        let sums = scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let page = reader.get("/v1/kv?prefix=account/", &[]).expect(200).json();
                assert_eq!(sum(&page), 4_000, "{page}");
            }
        });
        let end = SetAtEnd(done);
        for mover in movers {
            mover.join().unwrap();
        }
        drop(end);
        sums.join().unwrap();
    });
    assert!(lost.into_inner() > 0, "they met");
    let moves = client.get("/v1/kv?prefix=moves/&limit=1000", &[]).expect(200).json();
    assert_eq!(moves["items"].as_array().unwrap().len(), CLIENTS * MOVES);
}

/// A team that is deleted while a member joins: one of the two is refused, always.
#[test]
fn nobody_joins_a_team_that_is_deleted_meanwhile() {
    let (server, client) = server();
    for round in 0..40 {
        let team = format!("/v1/kv/teams/{round}");
        client.put(&team, &[JSON], "{}").expect(201);
        let (deleted, joined) = std::thread::scope(|scope| {
            let other = server.client();
            let delete =
                scope.spawn(|| client.delete(&format!("{team}?unless-prefix=teams/{round}/"), &[]));
            let body = json!({"require": [{"key": format!("teams/{round}"), "present": true}],
                              "operations": [{"put": format!("teams/{round}/ada"), "value": 1}]});
            let joined = commit(&other, &body);
            (delete.join().unwrap(), joined)
        });
        match (deleted.status, joined.status) {
            (204, 409) | (409, 200) => {}
            both => panic!("{both:?}"),
        }
        if deleted.status == 409 {
            let problem = deleted.problem(409, "in-use");
            assert_eq!(problem["blockers"], json!([format!("teams/{round}/ada")]));
            assert!(deleted.header("etag").is_some());
        }
    }
}
