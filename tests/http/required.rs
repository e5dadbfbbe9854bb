//! A server that takes no write without a precondition: 428.

use ifmatch::http::{Options, documents};

use crate::support::{Client, Server};

fn server() -> (Server, Client) {
    let options = Options::default().require_preconditions(true);
    let server = Server::over(documents().build(), options);
    let client = server.client();
    (server, client)
}

const MERGE: &str = "merge-patch+json";

#[test]
fn a_write_without_a_precondition_is_428_and_changes_nothing() {
    let (_server, client) = server();
    client.post("/v1/kv", r#"{"key": "a", "value": {}}"#).expect(201);
    let before = client.get("/v1/kv/a", &[]).expect(200);
    let since = ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT");
    for refused in [
        client.put("/v1/kv/a", &[], "1"),
        client.put("/v1/kv/new", &[], "1"),
        client.patch("/v1/kv/a", MERGE, &[], "{}"),
        client.delete("/v1/kv/a", &[]),
        client.delete("/v1/kv/a?unless-prefix=a/", &[]),
        // It is no condition on a write.
        client.put("/v1/kv/a", &[since], "1"),
        client.post("/v1/txn", r#"{"operations": [{"put": "a", "value": 1}]}"#),
        client.post("/v1/txn", r#"{"operations": [{"delete": "a"}]}"#),
        client.post(
            "/v1/txn",
            r#"{"require": [{"key": "b", "absent": true}], "operations": [{"put": "a", "value": 1}]}"#,
        ),
    ] {
        refused.problem(428, "precondition-required");
    }
    assert_eq!(client.get("/v1/kv/a", &[]).etag(), before.etag());
}

#[test]
fn every_precondition_on_what_is_written_is_one() {
    let (_server, client) = server();
    client.put("/v1/kv/a", &[("if-none-match", "*")], "1").expect(201);
    client.put("/v1/kv/a", &[("if-match", "*")], "1").expect(204);
    client.put("/v1/kv/a", &[("if-none-match", "\"x\"")], "1").expect(204);
    let later = "Fri, 31 Dec 9999 23:59:59 GMT";
    let revision =
        client.put("/v1/kv/a", &[("if-unmodified-since", later)], "1").expect(204).revision();
    client.put(&format!("/v1/kv/a?revision={revision}"), &[], "1").expect(204);
    client.delete("/v1/kv/a", &[("if-match", "*")]).expect(204);
    let now = client.post("/v1/txn", r#"{}"#).expect(200).json()["revision"].to_string();
    for require in [
        r#"{"key": "b", "absent": true}"#.to_owned(),
        r#"{"key": "b", "present": true}"#.to_owned(),
        r#"{"prefix": "c", "empty": true}, {"key": "b", "present": true}"#.to_owned(),
        format!(r#"{{"prefix": "x", "unchanged_since": {now}}}, {{"key": "b", "present": true}}"#),
    ] {
        let body =
            format!(r#"{{"require": [{require}], "operations": [{{"put": "b", "value": 1}}]}}"#);
        client.post("/v1/txn", &body).expect(200);
    }
    let body = r#"{"require": [{"prefix": "c/", "empty": true}], "operations": [{"put": "c/1", "value": 1}]}"#;
    client.post("/v1/txn", body).expect(200);
}

#[test]
fn bad_input_is_400_before_it_is_428() {
    let (_server, client) = server();
    client.put("/v1/kv/a/", &[], "1").problem(400, "invalid-key");
    client.put("/v1/kv/a?x=1", &[], "1").problem(400, "invalid-query");
    client.put("/v1/kv/a", &[("if-match", "nonsense")], "1").problem(400, "invalid-header");
}
