//! Who may do what, by bearer tokens.

use axum::Router;
use axum::routing::get;
use ifmatch::http::{Caller, Front, Options, Origins, ServeOptions, documents, router};

use crate::command::{Process, fails};
use crate::support::{Server, raw_request};

const BOTH: &str = "token-of-an-application";
const READ: &str = "token-of-a-dashboard-=";
const WRITE: &str = "token-of-a-sensor~1+/._";

fn around(router: Router) -> Server {
    let tokens = format!("{BOTH}\n{READ} read\n{WRITE} write\n").parse().unwrap();
    let router = Front::new(Origins::loopback()).tokens(tokens).around(router);
    Server::of(router, ServeOptions::default())
}

fn server() -> Server {
    around(router(documents().build(), Options::default()))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn without_a_token_nothing_is_read_or_written() {
    let server = server();
    let client = server.client();
    for answer in [
        client.get("/v1/kv/a", &[]),
        client.put("/v1/kv/a", &[], "1"),
        client.delete("/v1/kv/a", &[]),
        client.post("/v1/kv", "{}"),
        client.get("/v1/kv", &[]),
        client.get("/metrics", &[]),
        client.get("/unknown", &[]),
        client.get("/v1/kv/a", &[("authorization", "Basic YTpi")]),
        // A token in the query is none.
        client.get(&format!("/v1/kv/a?access_token={BOTH}"), &[]),
    ] {
        answer.problem(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"ifmatch\""));
    }
    assert_eq!(client.head("/v1/kv/a", &[]).status, 401);
    let known = [("authorization", &*bearer(BOTH))];
    client.get("/v1/kv/a", &known).problem(404, "not-found");
}

#[test]
fn a_wrong_token_is_told_from_none() {
    let server = server();
    let client = server.client();
    for wrong in ["token-of-an-applicatioN", "token-of-an-application-", "t", &BOTH[1..]] {
        let answer = client.put("/v1/kv/a", &[("authorization", &bearer(wrong))], "1");
        answer.problem(401, "unauthorized");
        let challenge = "Bearer realm=\"ifmatch\", error=\"invalid_token\"";
        assert_eq!(answer.header("www-authenticate"), Some(challenge), "{wrong}");
    }
}

#[test]
fn a_malformed_authorization_is_400_and_does_nothing() {
    let server = server();
    let lines = [
        b"authorization: Bearer\r\n".to_vec(),
        b"authorization: Bearer \r\n".to_vec(),
        b"authorization: Bearer a b\r\n".to_vec(),
        b"authorization: Bearer \xff\r\n".to_vec(),
        b"authorization: Bearer ====\r\n".to_vec(),
        format!("authorization: Bearer {BOTH},\r\n").into_bytes(),
        format!("authorization: Bearer {BOTH}\r\nauthorization: Bearer {BOTH}\r\n").into_bytes(),
    ];
    for line in lines {
        let answer = raw_request(server.address(), b"DELETE /v1/kv/a", &line);
        answer.problem(400, "invalid-header");
        let challenge = "Bearer realm=\"ifmatch\", error=\"invalid_request\"";
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
    }
    let line = format!("authorization: bEARER   {BOTH}\r\n");
    raw_request(server.address(), b"GET /v1/kv/a", line.as_bytes()).problem(404, "not-found");
}

#[test]
fn a_scope_allows_its_methods_and_no_others() {
    let server = server();
    let client = server.client();
    let (both, read, write) = (bearer(BOTH), bearer(READ), bearer(WRITE));
    let (both, read, write) =
        ([("authorization", &*both)], [("authorization", &*read)], [("authorization", &*write)]);
    client.put("/v1/kv/a", &both, "1").expect(201);
    client.put("/v1/kv/a", &write, "2").expect(204);
    client.delete("/v1/kv/b", &write).problem(404, "not-found");
    assert_eq!(client.get("/v1/kv/a", &read).expect(200).text(), "2");
    client.head("/v1/kv/a", &read).expect(200);
    let refused = [
        (client.get("/v1/kv/a", &write), "read"),
        (client.put("/v1/kv/a", &read, "3"), "write"),
        (client.delete("/v1/kv/a", &read), "write"),
        (client.post_with("/v1/kv", &read, "{}"), "write"),
        (client.post_with("/v1/txn", &read, "{}"), "write"),
    ];
    for (answer, scope) in refused {
        answer.problem(403, "forbidden");
        let challenge =
            format!("Bearer realm=\"ifmatch\", error=\"insufficient_scope\", scope=\"{scope}\"");
        assert_eq!(answer.header("www-authenticate"), Some(&*challenge));
    }
    assert_eq!(client.head("/v1/kv/a", &write).status, 403);
    assert_eq!(client.get("/v1/kv/a", &both).expect(200).text(), "2");
}

#[test]
fn what_is_the_same_on_every_server_is_open() {
    let server = server();
    let client = server.client();
    client.get("/problems/not-found", &[]).expect(200);
    for path in ["/", "/healthz", "/readyz", "/openapi.json", "/problems/unknown"] {
        assert_ne!(client.get(path, &[]).status, 401, "{path}");
        assert_ne!(client.head(path, &[]).status, 401, "{path}");
        client.put(path, &[], "1").problem(401, "unauthorized");
    }
    for path in ["/problems", "/healthz/", "//healthz", "/v1/kv/problems/", "/PROBLEMS/not-found"] {
        client.get(path, &[]).problem(401, "unauthorized");
    }
}

#[test]
fn handlers_learn_who_calls() {
    async fn who(caller: Caller) -> String {
        format!("{:?} {} {}", caller.id(), caller.may_read(), caller.may_write())
    }
    let routes = || Router::new().route("/who", get(who));
    let server = around(routes());
    let ask = |token: &str| {
        server
            .client()
            .get("/who", &[("authorization", &bearer(token))])
            .expect(200)
            .text()
            .to_owned()
    };
    let (both, read) = (ask(BOTH), ask(READ));
    assert!(both.ends_with("true true") && read.ends_with("true false"));
    assert_ne!(both.split(' ').next(), read.split(' ').next());
    assert_eq!(both, format!("{:?} true true", Caller::new(BOTH).id()));
    let open = Server::of(routes(), ServeOptions::default());
    let anonymous = format!("{:?} true true", Caller::anonymous().id());
    assert_eq!(open.client().get("/who", &[]).expect(200).text(), anonymous);
}

#[test]
fn the_command_takes_tokens_from_a_file_and_never_shows_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let file = path.to_str().unwrap();
    std::fs::write(&path, format!("# two\n{BOTH}\n\n{READ}\tread \n")).unwrap();
    let process = Process::start(&["--auth-token-file", file]);
    let client = process.client();
    client.get("/v1/kv/a", &[]).problem(401, "unauthorized");
    client.put("/v1/kv/a", &[("authorization", &bearer(READ))], "1").problem(403, "forbidden");
    client.put("/v1/kv/a", &[("authorization", &bearer(BOTH))], "1").expect(201);

    let cases = [
        (String::new(), "no token"),
        (format!("{BOTH}\n{READ} admin\n"), "line 2"),
        ("too-short".to_owned(), "line 1"),
        (format!("\n\n{BOTH}\n{BOTH}\n"), "line 4"),
    ];
    for (content, part) in cases {
        std::fs::write(&path, content).unwrap();
        let line = fails(&["serve", "--listen", "127.0.0.1:0", "--auth-token-file", file]);
        assert!(line.contains(part) && line.contains(file), "{line}");
        assert!(!line.contains("token-of") && !line.contains("too-short"), "{line}");
    }
    let missing = directory.path().join("none");
    let missing = missing.to_str().unwrap();
    let line = fails(&["serve", "--listen", "127.0.0.1:0", "--auth-token-file", missing]);
    assert!(line.contains(missing), "{line}");
}

#[test]
fn tokens_let_other_machines_in_and_contradict_allow_anonymous() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let file = path.to_str().unwrap();
    std::fs::write(&path, BOTH).unwrap();
    let line = fails(&["serve", "--auth-token-file", file, "--allow-anonymous"]);
    assert!(line.contains("--allow-anonymous") && line.contains("--auth-token-file"), "{line}");
    let process = Process::start(&["--listen", "0.0.0.0:0", "--auth-token-file", file]);
    let address = ([127, 0, 0, 1], process.address.port()).into();
    let client = crate::support::Client::of(address);
    // Whatever it calls the server.
    let known = [("authorization", &*bearer(BOTH)), ("host", "store.example")];
    client.put("/v1/kv/a", &known, "1").expect(201);
    client.put("/v1/kv/a", &known[1..], "1").problem(401, "unauthorized");
}
