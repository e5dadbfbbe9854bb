//! PATCH: a merge patch (RFC 7396) or a JSON patch (RFC 6902) of what is there.

use std::collections::BTreeSet;

use ifmatch::http::{Options, documents};

use crate::support::{Client, Server};

const MERGE: &str = "merge-patch+json";
const OPERATIONS: &str = "json-patch+json";
const JSON: (&str, &str) = ("content-type", "application/json");

/// A server with a JSON document `a`.
fn server(document: &str) -> (Server, Client) {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/a", &[JSON], document).expect(201);
    (server, client)
}

#[test]
fn a_patch_keeps_what_it_does_not_name_to_the_letter() {
    let long = "12345678901234567890123";
    let (_server, client) =
        server(&format!(r#"{{"z": 1.50, "n": {long}, "e": 1e400, "s": "\u0000", "gone": 1}}"#));
    let before = client.get("/v1/kv/a", &[]);
    let merged = client.patch("/v1/kv/a", MERGE, &[], r#"{"gone": null, "new": 2.0}"#).expect(204);
    assert!(merged.revision() > before.revision());
    assert_eq!(merged.header("cache-control"), Some("no-store"));
    let operations = r#"[{"op": "copy", "from": "/n", "path": "/copy"}]"#;
    let patched = client.patch("/v1/kv/a", OPERATIONS, &[], operations).expect(204);
    let after = client.get("/v1/kv/a", &[]);
    assert_eq!(after.etag(), patched.etag());
    assert_eq!(after.header("content-type"), Some("application/json"));
    assert_eq!(
        after.text().replace([' ', '\n'], ""),
        format!(r#"{{"z":1.50,"n":{long},"e":1e400,"s":"\u0000","new":2.0,"copy":{long}}}"#)
    );
}

#[test]
fn a_patch_keeps_the_content_type_of_the_document() {
    let server = Server::new();
    let client = server.client();
    let content_type = "application/geo+json; charset=utf-8";
    client.put("/v1/kv/a", &[("content-type", content_type)], "{}").expect(201);
    client.patch("/v1/kv/a", MERGE, &[], r#"{"a": 1}"#).expect(204);
    let got = client.get("/v1/kv/a", &[]);
    assert_eq!(got.header("content-type"), Some(content_type));
}

#[test]
fn a_patch_of_nothing_is_404_whatever_it_demands() {
    let server = Server::new();
    let client = server.client();
    let conditions: [&[(&str, &str)]; 4] =
        [&[], &[("if-match", "*")], &[("if-none-match", "*")], &[("if-match", "\"x\"")]];
    for headers in conditions {
        client.patch("/v1/kv/a", MERGE, headers, "{}").problem(404, "not-found");
    }
    client.patch("/v1/kv/a?revision=7", MERGE, &[], "{}").problem(404, "not-found");
}

#[test]
fn a_patch_is_guarded_like_a_put_and_the_guard_comes_before_its_tests() {
    let (_server, client) = server(r#"{"n": 1}"#);
    let first = client.get("/v1/kv/a", &[]);
    let (tag, revision) = (first.etag().to_owned(), first.revision());
    let guarded = client.patch("/v1/kv/a", MERGE, &[("if-match", &tag)], r#"{"n": 2}"#).expect(204);
    let fails = r#"[{"op": "test", "path": "/n", "value": 99}]"#;
    for stale in [
        client.patch("/v1/kv/a", OPERATIONS, &[("if-match", &tag)], fails),
        client.patch(&format!("/v1/kv/a?revision={revision}"), OPERATIONS, &[], fails),
    ] {
        let problem = stale.problem(409, "stale-revision");
        assert_eq!(problem["expected_revision"], revision);
        assert_eq!(problem["current_revision"], guarded.revision());
        assert_eq!(stale.etag(), guarded.etag());
    }
    client.patch("/v1/kv/a", MERGE, &[("if-none-match", "*")], "{}").problem(409, "already-exists");
    let exact = format!("/v1/kv/a?revision={}", guarded.revision());
    client.patch(&exact, MERGE, &[], r#"{"n": 3}"#).expect(204);
}

#[test]
fn a_patch_that_does_not_fit_is_409_and_says_where_and_changes_nothing() {
    let (_server, client) = server(r#"{"n": 1}"#);
    let before = client.get("/v1/kv/a", &[]);
    let patches = [
        (
            r#"[{"op": "add", "path": "/m", "value": 1}, {"op": "test", "path": "/n", "value": 2}]"#,
            1,
            "/n",
        ),
        (r#"[{"op": "remove", "path": "/x"}]"#, 0, "/x"),
        (r#"[{"op": "replace", "path": "/n/x", "value": 1}]"#, 0, "/n/x"),
    ];
    for (patch, index, pointer) in patches {
        let failed = client.patch("/v1/kv/a", OPERATIONS, &[], patch);
        let problem = failed.problem(409, "patch-test-failed");
        assert_eq!(problem["failed_operation"], index, "{problem}");
        assert_eq!(problem["pointer"], pointer, "{problem}");
        assert_eq!(problem["current_revision"], before.revision());
        assert_eq!(problem["links"]["current"], "/v1/kv/a");
        assert_eq!(failed.etag(), before.etag());
    }
    assert_eq!(client.get("/v1/kv/a", &[]).etag(), before.etag());

    client.put("/v1/kv/text", &[("content-type", "text/plain")], "{}").expect(201);
    client.patch("/v1/kv/text", MERGE, &[], "{}").problem(409, "patch-test-failed");
}

#[test]
fn what_is_no_patch_is_400_and_what_is_none_of_ours_415_with_accept_patch() {
    let (_server, client) = server("{}");
    let bad: [(&str, &str); 8] = [
        (MERGE, ""),
        (MERGE, "{"),
        (MERGE, "{} {}"),
        (OPERATIONS, "{}"),
        (OPERATIONS, r#"[{"op": "nonsense", "path": "/a"}]"#),
        (OPERATIONS, r#"[{"op": "add", "path": "a", "value": 1}]"#),
        (OPERATIONS, r#"[{"op": "add", "path": "/a"}]"#),
        (OPERATIONS, r#"[{"op": "remove", "path": ""}]"#),
    ];
    for (kind, body) in bad {
        client.patch("/v1/kv/a", kind, &[], body).problem(400, "invalid-body");
        client.patch("/v1/kv/absent", kind, &[], body).problem(400, "invalid-body");
    }
    for kind in ["json", "merge-patch+xml"] {
        let refused = client.patch("/v1/kv/a", kind, &[], "{}");
        refused.problem(415, "unsupported-media-type");
        let accepted = refused.header("accept-patch").unwrap();
        assert!(accepted.contains(MERGE) && accepted.contains(OPERATIONS), "{accepted}");
    }
    client.patch("/v1/kv/a", "merge-patch+json; charset=utf-8", &[], "{}").expect(204);
    client.patch("/v1/kv/a?at=7", MERGE, &[], "{}").problem(400, "invalid-query");
}

#[test]
fn what_a_patch_makes_is_bounded_like_a_body() {
    let server = Server::over(documents().build(), Options::default().max_body(100));
    let client = server.client();
    let long = "x".repeat(60);
    client.put("/v1/kv/a", &[JSON], format!(r#"{{"a": "{long}"}}"#)).expect(201);
    let before = client.get("/v1/kv/a", &[]);
    client
        .patch("/v1/kv/a", MERGE, &[], &format!(r#"{{"b": "{long}"}}"#))
        .problem(413, "too-large");
    assert_eq!(client.get("/v1/kv/a", &[]).etag(), before.etag());
}

#[test]
fn no_patch_of_racing_clients_is_lost_and_none_has_to_try_again() {
    let (server, client) = server(r#"{"list": []}"#);
    let (clients, each) = (8, 25);
    std::thread::scope(|scope| {
        for number in 0..clients {
            let client = server.client();
            scope.spawn(move || {
                for round in 0..each {
                    let body = format!(
                        r#"[{{"op": "add", "path": "/list/-", "value": "{number}/{round}"}}]"#
                    );
                    client.patch("/v1/kv/a", OPERATIONS, &[], &body).expect(204);
                    let body = format!(r#"{{"of {number}": {round}}}"#);
                    client.patch("/v1/kv/a", MERGE, &[], &body).expect(204);
                }
            });
        }
    });
    let document = client.get("/v1/kv/a", &[]).json();
    let all: BTreeSet<_> =
        document["list"].as_array().unwrap().iter().map(|item| item.as_str()).collect();
    assert_eq!(all.len(), clients * each);
    for number in 0..clients {
        assert_eq!(document[format!("of {number}")], each - 1);
    }
}

#[test]
fn racing_patches_with_a_test_add_up() {
    let (server, client) = server(r#"{"n": 0}"#);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let client = server.client();
            scope.spawn(move || {
                let mut done = 0;
                while done < 20 {
                    let n = client.get("/v1/kv/a", &[]).json()["n"].as_u64().unwrap();
                    let body = format!(
                        r#"[{{"op": "test", "path": "/n", "value": {n}}},
                            {{"op": "replace", "path": "/n", "value": {}}}]"#,
                        n + 1
                    );
                    let answer = client.patch("/v1/kv/a", OPERATIONS, &[], &body);
                    if answer.status == 204 {
                        done += 1;
                    } else {
                        answer.problem(409, "patch-test-failed");
                    }
                }
            });
        }
    });
    assert_eq!(client.get("/v1/kv/a", &[]).json()["n"], 160);
}

/// On a log each write is decided at once and told when it is durable, and so is each lost race. Many who patch one
/// document must not starve each other.
#[test]
fn none_of_many_that_patch_one_document_on_a_log_is_turned_away() {
    let directory = tempfile::tempdir().unwrap();
    let store = documents().open(directory.path()).unwrap();
    let server = Server::over(store, Options::default());
    server.client().put("/v1/kv/a", &[JSON], r#"{"list": []}"#).expect(201);
    let (clients, each) = (48, 4);
    std::thread::scope(|scope| {
        for number in 0..clients {
            let client = server.client();
            scope.spawn(move || {
                for round in 0..each {
                    let add = format!(r#"[{{"op": "add", "path": "/list/-", "value": {round}}}]"#);
                    let key = format!("{number} {round}");
                    let headers = [("idempotency-key", key.as_str())];
                    let headers = if number % 2 == 0 { &headers[..] } else { &[] };
                    client.patch("/v1/kv/a", OPERATIONS, headers, &add).expect(204);
                }
            });
        }
    });
    let document = server.client().get("/v1/kv/a", &[]).json();
    assert_eq!(document["list"].as_array().unwrap().len(), clients * each);
}
