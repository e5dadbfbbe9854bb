//! 412 for preconditions in headers, on request.

use ifmatch::http::{Options, PreconditionStatus, documents};

use crate::support::{Client, Server};

fn server() -> (Server, Client) {
    let options = Options::default().precondition_status(PreconditionStatus::PreconditionFailed);
    let server = Server::over(documents().build(), options);
    let client = server.client();
    (server, client)
}

#[test]
fn a_failed_header_is_412_with_the_body_of_a_409() {
    let (_server, client) = server();
    let first = client.put("/v1/kv/a", &[], "{}").expect(201);
    let second = client.put("/v1/kv/a", &[("content-type", "application/json")], "{}").expect(204);
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    let (tag, now) = (first.etag(), second.etag());
    let conditions: [(&str, &str, &str); 5] = [
        ("if-match", tag, "stale-revision"),
        ("if-match", "\"foreign\"", "stale-revision"),
        ("if-none-match", "*", "already-exists"),
        ("if-none-match", now, "already-exists"),
        ("if-unmodified-since", old, "stale-revision"),
    ];
    for (name, value, slug) in conditions {
        let condition = [(name, value)];
        for lost in [
            client.put("/v1/kv/a", &condition, "2"),
            client.patch("/v1/kv/a", "merge-patch+json", &condition, "{}"),
            client.delete("/v1/kv/a", &condition),
        ] {
            let problem = lost.problem(412, slug);
            assert_eq!(lost.etag(), now);
            assert_eq!(problem["current_revision"], second.revision());
            assert_eq!(problem["links"]["current"], "/v1/kv/a");
        }
    }
    client.put("/v1/kv/absent", &[("if-match", "*")], "1").problem(412, "not-found");
    client.put("/v1/kv/absent", &[("if-match", tag)], "1").problem(412, "stale-revision");
    let body = r#"{"key": "a", "value": 1}"#;
    let json = ("content-type", "application/json");
    client
        .post_with("/v1/kv", &[json, ("if-none-match", "*")], body)
        .problem(412, "already-exists");
}

#[test]
fn what_is_no_failed_header_is_409_still() {
    let (_server, client) = server();
    let first = client.put("/v1/kv/a", &[("content-type", "application/json")], "{}").expect(201);
    let second = client.put("/v1/kv/a", &[("content-type", "application/json")], "{}").expect(204);
    let stale = format!("/v1/kv/a?revision={}", first.revision());
    client.put(&stale, &[], "2").problem(409, "stale-revision");
    client.delete(&stale, &[]).problem(409, "stale-revision");
    client.patch(&stale, "merge-patch+json", &[], "{}").problem(409, "stale-revision");
    // The query comes first.
    client.put(&stale, &[("if-match", "\"x\"")], "2").problem(409, "stale-revision");
    let good = format!("/v1/kv/a?revision={}", second.revision());
    client.put(&good, &[("if-match", first.etag())], "2").problem(412, "stale-revision");
    client.post("/v1/kv", r#"{"key": "a", "value": 1}"#).problem(409, "already-exists");
    client.put("/v1/kv/a/b", &[], "1").expect(201);
    client.delete("/v1/kv/a?unless-prefix=a/", &[("if-match", "*")]).problem(409, "in-use");
    let fails = r#"[{"op": "test", "path": "/n", "value": 1}]"#;
    client
        .patch("/v1/kv/a", "json-patch+json", &[("if-match", second.etag())], fails)
        .problem(409, "patch-test-failed");
    let body = r#"{"require": [{"key": "a", "absent": true}]}"#;
    client.post("/v1/txn", body).problem(409, "transaction-conflict");
    client.delete("/v1/kv/absent", &[("if-match", "*")]).problem(404, "not-found");
}

#[test]
fn a_read_is_412_in_both_modes() {
    for server in [server().0, Server::new()] {
        let client = server.client();
        client.put("/v1/kv/a", &[], "1").expect(201);
        client.get("/v1/kv/a", &[("if-match", "\"x\"")]).problem(412, "stale-revision");
        client.head("/v1/kv/a", &[("if-match", "\"x\"")]).expect(412);
        client.get("/v1/kv/absent", &[("if-match", "*")]).problem(404, "not-found");
    }
}
