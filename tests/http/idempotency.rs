//! Writes that are sent again because their answer was lost.

use std::sync::Barrier;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use ifmatch::http::{Caller, Options, ServeOptions, documents, router};
use serde_json::json;

use crate::support::{Answer, Client, Server};

const JSON: (&str, &str) = ("content-type", "application/json");
const REPEATS: usize = 16;

fn with(key: &str) -> (&'static str, &str) {
    ("idempotency-key", key)
}

#[track_caller]
fn is_the_same(repeat: &Answer, first: &Answer) {
    assert_eq!(repeat.status, first.status, "{repeat:?}");
    for header in ["etag", "location", "cache-control"] {
        assert_eq!(repeat.header(header), first.header(header), "{header}");
    }
    assert_eq!(repeat.body, first.body);
}

#[test]
fn a_repeat_is_answered_as_the_first_and_does_nothing() {
    let server = Server::new();
    let client = server.client();
    let twice = |send: &dyn Fn() -> Answer, status| {
        let first = send().expect(status);
        is_the_same(&send(), &first);
        first
    };
    let tag = |answer: Answer| answer.etag().to_owned();
    twice(&|| client.put("/v1/kv/a", &[JSON, with("put")], r#"{"list": []}"#), 201);
    let add = r#"[{"op": "add", "path": "/list/-", "value": 1}]"#;
    let patched =
        twice(&|| client.patch("/v1/kv/a", "json-patch+json", &[with("patch")], add), 204);
    assert_eq!(client.get("/v1/kv/a", &[]).json(), json!({"list": [1]}));
    // A condition held once; the repeat of what it guarded is no conflict.
    let guard = ("if-match", patched.etag());
    let guarded = tag(twice(&|| client.put("/v1/kv/a", &[JSON, guard, with("guarded")], "2"), 204));
    let created = r#"{"key": "b", "value": 1}"#;
    twice(&|| client.post_with("/v1/kv", &[JSON, with("post")], created), 201);
    let txn =
        r#"{"require": [{"key": "c", "absent": true}], "operations": [{"put": "c", "value": 1}]}"#;
    twice(&|| client.post_with("/v1/txn", &[JSON, with("txn")], txn), 200);
    twice(&|| client.delete("/v1/kv/b?unless-prefix=b/", &[with("delete")]), 204);
    client.put("/v1/kv/b", &[], "again").expect(201);
    client.delete("/v1/kv/b?unless-prefix=b/", &[with("delete")]).expect(204);
    assert_eq!(
        client.get("/v1/kv/b", &[]).expect(200).text(),
        "again",
        "the repeat deletes nothing"
    );
    // Whatever happened since.
    client.put("/v1/kv/a", &[JSON], "3").expect(204);
    let late = client.put("/v1/kv/a", &[JSON, guard, with("guarded")], "2").expect(204);
    assert_eq!(late.etag(), guarded);
    assert_eq!(client.get("/v1/kv/a", &[]).json(), json!(3));
}

#[test]
fn a_repeat_shows_what_was_written_if_asked_as_long_as_it_is_there() {
    let server = Server::new();
    let client = server.client();
    let prefer = ("prefer", "return=representation");
    let put = || client.put("/v1/kv/a", &[JSON, prefer, with("k")], "1");
    let first = put().expect(201);
    let repeat = put().expect(201);
    is_the_same(&repeat, &first);
    assert_eq!(repeat.text(), "1");
    client.put("/v1/kv/a", &[JSON], "2").expect(204);
    let late = put().expect(201);
    assert_eq!(late.etag(), first.etag());
    assert!(late.body.is_empty(), "it does not show what somebody else wrote");
    assert_eq!(late.header("preference-applied"), None);
}

#[test]
fn the_same_key_with_another_request_is_422_and_changes_nothing() {
    let server = Server::new();
    let client = server.client();
    let first = client.put("/v1/kv/a", &[JSON, with("k")], "1").expect(201);
    for reused in [
        client.put("/v1/kv/a", &[JSON, with("k")], "2"),
        client.put("/v1/kv/b", &[JSON, with("k")], "1"),
        client.put(&format!("/v1/kv/a?revision={}", first.revision()), &[JSON, with("k")], "1"),
        client.put("/v1/kv/a", &[JSON, with("k"), ("if-match", "*")], "1"),
        client.put("/v1/kv/a", &[("content-type", "text/plain"), with("k")], "1"),
        client.delete("/v1/kv/a", &[with("k")]),
        client.patch("/v1/kv/a", "merge-patch+json", &[with("k")], "1"),
        client.post_with("/v1/kv", &[JSON, with("k")], r#"{"key": "a", "value": 1}"#),
        client.post_with("/v1/txn", &[JSON, with("k")], r#"{"operations": [{"delete": "a"}]}"#),
    ] {
        reused.problem(422, "idempotency-key-reused");
    }
    assert_eq!(client.get("/v1/kv/a", &[]).etag(), first.etag());
    client.get("/v1/kv/b", &[]).problem(404, "not-found");
    // What else a request says does not make another of it.
    let again =
        client.put("/v1/kv/a", &[JSON, with("k"), ("user-agent", "another")], "1").expect(201);
    assert_eq!(again.etag(), first.etag());
}

#[test]
fn what_did_not_take_place_is_tried_anew() {
    let server = Server::new();
    let client = server.client();
    let tag = client.put("/v1/kv/a", &[JSON], "1").expect(201).etag().to_owned();
    let post = || client.post_with("/v1/kv", &[JSON, with("k")], r#"{"key": "a", "value": 2}"#);
    post().problem(409, "already-exists");
    client.delete("/v1/kv/a", &[("if-match", &tag)]).expect(204);
    post().expect(201);
    let remove = || client.delete("/v1/kv/x", &[with("d")]);
    remove().problem(404, "not-found");
    client.put("/v1/kv/x", &[], "1").expect(201);
    remove().expect(204);
}

#[test]
fn a_malformed_key_is_400() {
    let server = Server::new();
    let client = server.client();
    let (longest, longer) = ("k".repeat(255), "k".repeat(256));
    client.put("/v1/kv/a", &[with(&longest)], "1").expect(201);
    for bad in [&longer, ""] {
        client.put("/v1/kv/b", &[with(bad)], "1").problem(400, "invalid-header");
        client.delete("/v1/kv/a", &[with(bad)]).problem(400, "invalid-header");
    }
    client.put("/v1/kv/b", &[with("1"), with("2")], "1").problem(400, "invalid-header");
    client.get("/v1/kv/b", &[]).problem(404, "not-found");
}

/// A server that takes whoever the header `x-caller` names.
fn server_with_callers() -> Server {
    let callers = from_fn(|mut request: Request, next: Next| async move {
        let caller = request.headers().get("x-caller").map(|name| Caller::new(name.as_bytes()));
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        next.run(request).await
    });
    let router = router(documents().build(), Options::default()).layer(callers);
    Server::of(router, ServeOptions::default())
}

#[test]
fn the_keys_of_two_callers_have_nothing_to_do_with_each_other() {
    let server = server_with_callers();
    let client = server.client();
    let put =
        |caller: &str, body: &str| client.put("/v1/kv/a", &[with("k"), ("x-caller", caller)], body);
    put("ada", "1").expect(201);
    put("bob", "2").expect(204);
    put("ada", "1").expect(201);
    put("bob", "1").problem(422, "idempotency-key-reused");
    client.put("/v1/kv/a", &[with("k")], "3").expect(204);
    assert_eq!(client.get("/v1/kv/a", &[]).text(), "3");
}

#[test]
fn past_their_number_the_oldest_are_forgotten_and_the_newest_are_not() {
    let store = documents().build();
    let server = Server::over(store.clone(), Options::default().max_idempotency_keys(10));
    let client = server.client();
    let put =
        |number: usize| client.put(&format!("/v1/kv/{number}"), &[with(&number.to_string())], "1");
    for number in 0..40 {
        put(number).expect(201);
    }
    // Ten records with their entries by time, and what a request that is just over may have left.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while store.len() > 40 + 2 * 11 && std::time::Instant::now() < deadline {
        put(39).expect(201);
        std::thread::yield_now();
    }
    assert!(store.len() <= 40 + 2 * 11, "{} keys", store.len());
    put(39).expect(201);
    assert_eq!(client.get("/v1/kv?limit=1000", &[]).json()["items"].as_array().unwrap().len(), 40);
}

/// What `REPEATS` clients are answered that send the same at the same time.
fn race(server: &Server, send: impl Fn(&Client) -> Answer + Sync) -> Vec<Answer> {
    let barrier = Barrier::new(REPEATS);
    std::thread::scope(|scope| {
        let racing: Vec<_> = (0..REPEATS)
            .map(|_| {
                let client = server.client();
                let (barrier, send) = (&barrier, &send);
                scope.spawn(move || {
                    barrier.wait();
                    send(&client)
                })
            })
            .collect();
        racing.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

fn racing_repeats(server: &Server) {
    let client = server.client();
    for round in 0..15 {
        let path = format!("/v1/kv/{round}");
        let key = |what: &str| format!("{what} {round}");
        let all_alike = |answers: Vec<Answer>, status| {
            let first = answers.first().unwrap();
            assert_eq!(first.status, status, "{first:?} {}", String::from_utf8_lossy(&first.body));
            for answer in &answers {
                is_the_same(answer, first);
            }
            answers.into_iter().next().unwrap()
        };
        let name = key("post");
        let body = format!(r#"{{"key": "{round}", "value": {{"list": []}}}}"#);
        let created = all_alike(
            race(server, |client| client.post_with("/v1/kv", &[JSON, with(&name)], &body)),
            201,
        );
        assert_eq!(created.header("location"), Some(path.as_str()));
        let name = key("patch");
        let add = r#"[{"op": "add", "path": "/list/-", "value": 1}]"#;
        let patched = all_alike(
            race(server, |client| client.patch(&path, "json-patch+json", &[with(&name)], add)),
            204,
        );
        assert_eq!(client.get(&path, &[]).json(), json!({"list": [1]}), "once");
        let (name, guard) = (key("put"), ("if-match", patched.etag()));
        let put = all_alike(
            race(server, |client| client.put(&path, &[JSON, guard, with(&name)], "1")),
            204,
        );
        assert_eq!(client.get(&path, &[]).etag(), put.etag());
        let name = key("txn");
        let body = format!(
            r#"{{"require": [{{"key": "{round}", "revision": {}}}],
                 "operations": [{{"put": "{round}", "value": 2}}]}}"#,
            put.revision()
        );
        all_alike(
            race(server, |client| client.post_with("/v1/txn", &[JSON, with(&name)], &body)),
            200,
        );
        let name = key("delete");
        all_alike(race(server, |client| client.delete(&path, &[with(&name)])), 204);
    }
}

#[test]
fn of_many_repeats_at_once_one_takes_place_and_all_are_answered_alike() {
    racing_repeats(&Server::new());
}

#[test]
fn of_many_repeats_at_once_on_a_log_one_takes_place_and_a_restart_remembers_it() {
    let directory = tempfile::tempdir().unwrap();
    let open = || documents().open(directory.path()).unwrap();
    let store = open();
    let server = Server::over(store.clone(), Options::default());
    racing_repeats(&server);
    let first = server.client().put("/v1/kv/a", &[with("k")], "1").expect(201);
    drop(server);
    store.close().unwrap();
    drop(store);
    let server = Server::over(open(), Options::default());
    let repeat = server.client().put("/v1/kv/a", &[with("k")], "1").expect(201);
    is_the_same(&repeat, &first);
}
