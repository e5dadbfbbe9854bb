//! The example application `users`, on a real socket.

#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/users.rs"]
mod example;

use crate::support::{Answer, Client, Headers, Server};

const ADA: &str = r#"{"name": "ada", "email": "ada@example.org"}"#;
const TOKEN: (&str, &str) = ("authorization", "Bearer let-me-in-1234567");
const JSON: (&str, &str) = ("content-type", "application/json");

fn server() -> Server {
    Server::of(example::app(example::Club::default()), Default::default())
}

/// A client with the token, whose bodies are JSON.
struct Member(Client);

impl Member {
    fn of(server: &Server) -> Self {
        Self(server.client())
    }

    fn get(&self, target: &str, headers: Headers<'_>) -> Answer {
        self.0.get(target, &[&[TOKEN], headers].concat())
    }

    fn put(&self, target: &str, headers: Headers<'_>, body: &str) -> Answer {
        self.0.put(target, &[&[TOKEN, JSON], headers].concat(), body)
    }

    fn post(&self, target: &str, body: &str) -> Answer {
        self.0.post_with(target, &[TOKEN, JSON], body)
    }

    fn delete(&self, target: &str) -> Answer {
        self.0.delete(target, &[TOKEN])
    }
}

#[test]
fn a_name_is_given_once() {
    let server = server();
    let client = Member::of(&server);
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
    let client = Member::of(&server);
    client.post("/users", ADA).expect(201);
    let (mine, theirs) = (client.get("/users/ada", &[]), client.get("/users/ada", &[]));
    assert_eq!(mine.header("cache-control"), Some("no-cache"));
    let put = |tag: &str, body: &str| client.put("/users/ada", &[("if-match", tag)], body);
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
    let client = Member::of(&server);
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
    client
        .put("/users/ada", &[("if-match", "*")], r#"{"email": "x"}"#)
        .problem(400, "invalid-body");
    client
        .put("/users/ada", &[("if-match", "7")], r#"{"email": "a@b"}"#)
        .problem(400, "invalid-header");
    client.put("/users/bob", &[], r#"{"email": "a@b"}"#).problem(404, "not-found");
    client.get("/users/bob", &[]).problem(404, "not-found");
}

#[test]
fn an_unchanged_profile_is_304() {
    let server = server();
    let client = Member::of(&server);
    let etag = client.post("/users", ADA).expect(201).etag().to_owned();
    client.get("/users/ada", &[("if-none-match", &etag)]).expect(304);
    client.get("/users/ada", &[("if-match", "\"x\"")]).problem(412, "stale-revision");
}

#[test]
fn a_team_is_not_deleted_while_it_has_members_and_has_eight_at_most() {
    let server = server();
    let client = Member::of(&server);
    client.post("/users", ADA).expect(201);
    client.delete("/teams/red").problem(404, "not-found");
    client.put("/teams/red/ada", &[], "\"captain\"").problem(404, "not-found");
    client.put("/teams/red", &[], "\"The Reds\"").expect(201);
    client.put("/teams/red/bob", &[], "\"goalkeeper\"").problem(404, "not-found");
    client.put("/teams/red/ada", &[], "\"captain\"").expect(204);

    let problem = client.delete("/teams/red").problem(409, "in-use");
    assert_eq!(problem["blockers"], serde_json::json!(["red/ada"]));
    assert_eq!(problem["blocker_count"], 1);

    for name in ["b", "c", "d", "e", "f", "g", "h", "i"] {
        client.post("/users", &format!(r#"{{"name": "{name}", "email": "{name}@b"}}"#)).expect(201);
        let joined = client.put(&format!("/teams/red/{name}"), &[], "\"player\"");
        if name == "i" {
            joined.problem(409, "rule");
        } else {
            joined.expect(204);
        }
    }
    client.put("/teams/blue", &[], "\"The Blues\"").expect(201);
    client.delete("/teams/blue").expect(204);
}

#[test]
fn without_the_token_nothing_is_told() {
    let server = server();
    let client = server.client();
    let refused = client.get("/users/ada", &[]);
    refused.problem(401, "unauthorized");
    assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
    client
        .get("/users/ada", &[("authorization", "Bearer let-me-in-7654321")])
        .problem(401, "unauthorized");
}
