//! The example application `users`, on a real socket.

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/users.rs"]
mod example;

use crate::support::Server;

const ADA: &str = r#"{"name": "ada", "email": "ada@example.org"}"#;

fn server() -> Server {
    Server::of(example::app(ifmatch::Store::new()), Default::default())
}

#[test]
fn a_name_is_given_once() {
    let server = server();
    let client = server.client();
    let created = client.post("/users", ADA).expect(201);
    assert_eq!(created.header("location"), Some("/users/ada"));
    let taken = client.post("/users", ADA);
    let problem = taken.problem(409, "already-exists");
    assert_eq!(taken.etag(), created.etag());
    assert_eq!(problem["key"], "ada");
    assert_eq!(problem["current_etag"], created.etag());
    assert_eq!(problem["links"]["current"], "/users/ada");
}

#[test]
fn of_two_who_edit_a_profile_the_second_is_told_the_current_revision_and_merges() {
    let server = server();
    let client = server.client();
    client.post("/users", ADA).expect(201);
    let json = ("content-type", "application/json");
    let (mine, theirs) = (client.get("/users/ada", &[]), client.get("/users/ada", &[]));
    assert_eq!(mine.header("cache-control"), Some("no-cache"));
    let put = |tag: &str, body: &str| client.put("/users/ada", &[json, ("if-match", tag)], body);
    let first = put(theirs.etag(), r#"{"email": "ada@example.com"}"#).expect(204);
    let lost = put(mine.etag(), r#"{"email": "ada@example.org", "about": "poet"}"#);
    let problem = lost.problem(409, "stale-revision");
    assert_eq!(problem["expected_revision"], mine.revision());
    assert_eq!(problem["current_revision"], first.revision());
    assert_eq!(problem["links"]["current"], "/users/ada");
    assert_eq!(lost.etag(), first.etag());

    let current = client.get("/users/ada", &[]);
    let mut merged = current.json();
    merged["about"] = "poet".into();
    put(current.etag(), &merged.to_string()).expect(204);
    assert_eq!(
        client.get("/users/ada", &[]).json(),
        serde_json::json!({"email": "ada@example.com", "about": "poet"})
    );
}

#[test]
fn bad_input_is_400_and_never_409() {
    let server = server();
    let client = server.client();
    client.post("/users", ADA).expect(201);
    for body in [
        "",
        "{",
        "[]",
        r#"{"name": "ada"}"#,
        r#"{"name": "", "email": "a@b"}"#,
        r#"{"name": "A!", "email": "a@b"}"#,
        r#"{"name": "ada", "email": "nonsense"}"#,
    ] {
        client.post("/users", body).problem(400, "invalid-body");
    }
    let json = ("content-type", "application/json");
    client
        .put("/users/ada", &[json, ("if-match", "*")], r#"{"email": "x"}"#)
        .problem(400, "invalid-body");
    client
        .put("/users/ada", &[json, ("if-match", "7")], r#"{"email": "a@b"}"#)
        .problem(400, "invalid-header");
    client.put("/users/bob", &[json], r#"{"email": "a@b"}"#).problem(404, "not-found");
    client.get("/users/bob", &[]).problem(404, "not-found");
}

#[test]
fn an_unchanged_profile_is_304() {
    let server = server();
    let client = server.client();
    let etag = client.post("/users", ADA).expect(201).etag().to_owned();
    client.get("/users/ada", &[("if-none-match", &etag)]).expect(304);
    client.get("/users/ada", &[("if-match", "\"x\"")]).problem(412, "stale-revision");
}
