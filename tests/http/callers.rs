//! What a caller may do who was found out by a layer of the application.

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use ifmatch::http::{Caller, Options, ServeOptions, documents, router};

use crate::support::Server;

/// Who is called `reader` may only read, `writer` only write; all others may do both.
fn server() -> Server {
    let callers = from_fn(|mut request: Request, next: Next| async move {
        let name = request.headers().get("x-caller").map(|name| name.as_bytes().to_vec());
        if let Some(name) = name {
            let caller =
                Caller::new(&name).may_read_if(name != b"writer").may_write_if(name != b"reader");
            request.extensions_mut().insert(caller);
        }
        next.run(request).await
    });
    let router = router(documents().build(), Options::default()).layer(callers);
    Server::of(router, ServeOptions::default())
}

const READER: (&str, &str) = ("x-caller", "reader");
const WRITER: (&str, &str) = ("x-caller", "writer");
const JSON: (&str, &str) = ("content-type", "application/json");
const PREFER: (&str, &str) = ("prefer", "return=representation");

#[test]
fn who_may_not_write_is_403_on_every_write() {
    let server = server();
    let client = server.client();
    let before = client.put("/v1/kv/a", &[JSON], "{}").expect(201);
    for refused in [
        client.put("/v1/kv/a", &[READER], "1"),
        client.patch("/v1/kv/a", "merge-patch+json", &[READER], "{}"),
        client.delete("/v1/kv/a", &[READER]),
        client.post_with("/v1/kv", &[JSON, READER], r#"{"key": "b", "value": 1}"#),
        client.post_with("/v1/txn", &[JSON, READER], r#"{"operations": [{"delete": "a"}]}"#),
    ] {
        refused.problem(403, "forbidden");
    }
    let got = client.get("/v1/kv/a", &[READER]).expect(200);
    assert_eq!(got.etag(), before.etag());
    client.get("/v1/kv/b", &[READER]).problem(404, "not-found");
}

#[test]
fn who_may_not_read_is_403_on_every_read() {
    let server = server();
    let client = server.client();
    client.put("/v1/kv/a", &[JSON, WRITER], "{}").expect(201);
    for path in ["/v1/kv/a", "/v1/kv/none", "/v1/kv", "/v1/history/a", "/v1/watch"] {
        client.get(path, &[WRITER]).problem(403, "forbidden");
        client.head(path, &[WRITER]).expect(403);
    }
}

#[test]
fn who_may_not_read_is_shown_no_value_and_no_other_key() {
    let server = server();
    let client = server.client();
    let first = client.put("/v1/kv/a", &[JSON], r#"{"secret": "hidden", "n": 1}"#).expect(201);
    client.put("/v1/kv/a/hidden", &[JSON], "1").expect(201);
    let since = first.revision() - 1;
    let since = format!(r#"{{"prefix": "a", "unchanged_since": {since}}}"#);
    let txn = |require: &str| {
        let body = format!(r#"{{"require": [{require}]}}"#);
        client.post_with("/v1/txn", &[JSON, WRITER, PREFER], body)
    };
    for answer in [
        client.put("/v1/kv/a", &[WRITER, PREFER, ("if-none-match", "*")], "1"),
        client.put("/v1/kv/a?revision=1", &[WRITER, PREFER], "1"),
        client.delete("/v1/kv/a?unless-prefix=a/", &[WRITER, PREFER]),
        txn(r#"{"key": "a", "absent": true}"#),
        txn(r#"{"prefix": "a/", "empty": true}"#),
        txn(&since),
        client.patch("/v1/kv/a", "merge-patch+json", &[WRITER, PREFER], r#"{"n": 2}"#),
    ] {
        let text = answer.text();
        assert!(!text.contains("hidden"), "{text}");
        assert!(!text.contains("links"), "no link resolves for them: {text}");
        assert_eq!(answer.header("preference-applied"), None, "{text}");
    }
    // Of a prefix not even how much is under it, and when it was written.
    for require in [r#"{"prefix": "a/", "empty": true}"#, &since] {
        let problem = txn(require).problem(409, "transaction-conflict");
        let failed = problem["conflicts"][0].as_object().unwrap();
        assert!(
            !failed.keys().any(|name| name.starts_with("current") || name == "key"),
            "{problem}"
        );
        assert_eq!(failed["detail"], "it does not hold of the prefix");
    }
    // What is in the way they are told.
    let lost = client.put("/v1/kv/a?revision=1", &[WRITER], "1");
    assert!(lost.problem(409, "stale-revision")["current_revision"].is_u64());
    client.patch("/v1/kv/a", "merge-patch+json", &[WRITER], r#"{"n": 2}"#).expect(204);
}
