//! The 409 document.

use serde_json::json;

use crate::support::Server;

#[test]
fn a_stale_write_is_told_what_is_there_now() {
    let server = Server::new();
    let client = server.client();
    let first = client.put("/v1/kv/users/a%20b", &[], "1").expect(201);
    let second = client.put("/v1/kv/users/a%20b", &[], "2").expect(204);
    let stale = format!("/v1/kv/users/a%20b?revision={}", first.revision());
    for conflict in [
        client.put(&stale, &[], "3"),
        client.put("/v1/kv/users/a%20b", &[("if-match", first.etag())], "3"),
        client.delete(&stale, &[]),
        client.delete("/v1/kv/users/a%20b", &[("if-match", first.etag())]),
    ] {
        let mut problem = conflict.problem(409, "stale-revision");
        assert_eq!(conflict.etag(), second.etag());
        problem["detail"].take();
        assert_eq!(
            problem,
            json!({
                "type": "/problems/stale-revision",
                "title": "The resource has changed",
                "status": 409,
                "detail": null,
                "key": "users/a b",
                "expected_revision": first.revision(),
                "current_revision": second.revision(),
                "current_etag": second.etag(),
                "deleted": false,
                "links": {"current": "/v1/kv/users/a%20b", "history": "/v1/history/users/a%20b"},
            })
        );
        let link = problem["links"]["current"].as_str().unwrap();
        assert_eq!(client.get(link, &[]).expect(200).text(), "2", "nothing was written");
    }
}

#[test]
fn a_stale_write_to_what_was_deleted_says_so_and_links_to_nothing() {
    let server = Server::new();
    let client = server.client();
    let first = client.put("/v1/kv/a", &[], "1").expect(201);
    client.delete("/v1/kv/a", &[]).expect(204);
    let revision = first.revision();
    for conflict in [
        client.put(&format!("/v1/kv/a?revision={revision}"), &[], "2"),
        client.put("/v1/kv/a", &[("if-match", first.etag())], "2"),
    ] {
        let problem = conflict.problem(409, "stale-revision");
        assert_eq!(problem["expected_revision"], revision);
        assert_eq!(problem["current_revision"], json!(null));
        assert_eq!(problem["current_etag"], json!(null));
        assert_eq!(problem["deleted"], true);
        assert!(problem.get("links").is_none(), "{problem}");
        assert_eq!(conflict.header("etag"), None);
    }
}

#[test]
fn creating_what_exists_is_told_what_is_there() {
    let server = Server::new();
    let client = server.client();
    let first = client.put("/v1/kv/a", &[], "1").expect(201);
    for conflict in [
        client.post("/v1/kv", r#"{"key": "a", "value": 2}"#),
        client.put("/v1/kv/a", &[("if-none-match", "*")], "2"),
        client.put("/v1/kv/a", &[("if-none-match", first.etag())], "2"),
    ] {
        let problem = conflict.problem(409, "already-exists");
        assert_eq!(conflict.etag(), first.etag());
        assert_eq!(problem["key"], "a");
        assert_eq!(problem["expected_revision"], json!(null));
        assert_eq!(problem["current_revision"], first.revision());
        assert_eq!(problem["current_etag"], first.etag());
        assert_eq!(problem["deleted"], false);
        assert_eq!(problem["links"]["current"], "/v1/kv/a");
    }
    assert_eq!(client.get("/v1/kv/a", &[]).text(), "1");
}

#[test]
fn what_a_conflict_says_is_all_that_the_next_attempt_needs() {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/a", &[], "1").expect(201);
    let conflict = client.put("/v1/kv/a?revision=1", &[], "2").problem(409, "stale-revision");
    let current = conflict["current_revision"].as_u64().unwrap();
    let done = client.put(&format!("/v1/kv/a?revision={current}"), &[], "2").expect(204);
    let conflict = client.put("/v1/kv/a", &[("if-match", "\"x\"")], "3");
    let etag = conflict.problem(409, "stale-revision")["current_etag"].as_str().unwrap().to_owned();
    assert_eq!(etag, done.etag());
    client.put("/v1/kv/a", &[("if-match", &etag)], "3").expect(204);
}

#[test]
fn a_tag_that_a_proxy_weakened_is_explained() {
    let server = Server::new();
    let client = server.client();
    let etag = client.put("/v1/kv/a", &[], "1").expect(201).etag().to_owned();
    let weak = format!("W/{etag}");
    let problem =
        client.put("/v1/kv/a", &[("if-match", &weak)], "2").problem(409, "stale-revision");
    assert!(problem["detail"].as_str().unwrap().contains("weak"), "{problem}");
}
