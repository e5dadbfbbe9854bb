//! PUT, POST, DELETE: what they do when nothing stands in the way.

use crate::support::{Server, raw, raw_request};

#[test]
fn put_creates_with_201_and_location_and_updates_with_204() {
    let server = Server::new();
    let client = server.client();
    let created = client.put("/v1/kv/users/a%20b", &[], "1").expect(201);
    assert_eq!(created.header("location"), Some("/v1/kv/users/a%20b"));
    let updated = client.put("/v1/kv/users/a%20b", &[], "2").expect(204);
    assert_eq!(updated.header("location"), None);
    assert!(updated.revision() > created.revision());
    for answer in [created, updated] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.body.is_empty());
    }
    assert_eq!(client.get("/v1/kv/users/a%20b", &[]).text(), "2");
}

#[test]
fn delete_answers_with_its_revision_and_then_there_is_nothing() {
    let server = Server::new();
    let client = server.client();
    let created = client.put("/v1/kv/a", &[], "1").expect(201);
    let deleted = client.delete("/v1/kv/a", &[]).expect(204);
    assert!(deleted.revision() > created.revision());
    assert_eq!(deleted.header("cache-control"), Some("no-store"));
    client.get("/v1/kv/a", &[]).problem(404, "not-found");
    client.delete("/v1/kv/a", &[]).problem(404, "not-found");
    let recreated = client.put("/v1/kv/a", &[], "1").expect(201);
    assert!(recreated.revision() > deleted.revision());
}

#[test]
fn a_location_leads_to_the_document_whatever_the_key() {
    let server = Server::new();
    let client = server.client();
    for key in ["a", "a/b/c", "a b", "50%", "%2F", "ключ", "a?b#c", "a+b", "&=;:@"] {
        let body = serde_json::json!({"key": key, "value": key}).to_string();
        let location = client.post("/v1/kv", &body).expect(201);
        let location = location.header("location").unwrap();
        assert_eq!(client.get(location, &[]).expect(200).json(), key);
    }
}

#[test]
fn an_encoded_slash_is_a_slash() {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/a%2Fb", &[], "1").expect(201);
    assert_eq!(client.get("/v1/kv/a/b", &[]).expect(200).text(), "1");
    client.put("/v1/kv/a%2fb", &[], "2").expect(204);
}

#[test]
fn post_creates_what_the_envelope_holds_and_keeps_the_text_of_json() {
    let server = Server::new();
    let client = server.client();
    let json = "application/json";
    let cases = [
        (
            "object",
            r#""value": {"b": 1.50, "a":  12345678901234567890}"#,
            json,
            r#"{"b": 1.50, "a":  12345678901234567890}"#,
        ),
        ("string", r#""value":"\u00e9é""#, json, r#""\u00e9é""#),
        ("null", r#""value": null"#, json, "null"),
        (
            "own type",
            r#""value": [], "content_type": "application/geo+json""#,
            "application/geo+json",
            "[]",
        ),
        ("base64", r#""base64": "aGVsbG8=", "content_type": "text/plain""#, "text/plain", "hello"),
        ("untyped", r#""base64": """#, "application/octet-stream", ""),
        ("base64 of json", r#""base64": "e30=", "content_type": "application/json""#, json, "{}"),
    ];
    for (name, members, content_type, body) in cases {
        let created = client.post("/v1/kv", &format!(r#"{{"key": "{name}", {members}}}"#));
        let location = created.header("location").unwrap_or_else(|| panic!("{name}: {created:?}"));
        let got = client.get(location, &[]).expect(200);
        assert_eq!(got.text(), body, "{name}");
        assert_eq!(got.header("content-type"), Some(content_type), "{name}");
        assert_eq!(got.etag(), created.etag(), "{name}");
    }
}

#[test]
fn a_router_that_is_nested_links_to_where_it_is() {
    let store = ifmatch::http::documents().build();
    let inner = ifmatch::http::router(store, ifmatch::http::Options::default());
    let server = Server::of(axum::Router::new().nest("/deep/er", inner), Default::default());
    let client = server.client();
    let created = client.put("/deep/er/v1/kv/a/b", &[], "1").expect(201);
    assert_eq!(created.header("location"), Some("/deep/er/v1/kv/a/b"));
    let problem = client.put("/deep/er/v1/kv/a/b?revision=1", &[], "2").json();
    assert_eq!(problem["links"]["current"], "/deep/er/v1/kv/a/b");
    client.post("/deep/er/v1/kv", r#"{"key": "a/b", "value": 1}"#).problem(409, "already-exists");
}

#[test]
fn http_2_without_tls_is_spoken() {
    let server = Server::new();
    // The client's preface and an empty SETTINGS frame; the server's own SETTINGS must come back.
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    std::io::Write::write_all(&mut stream, preface).unwrap();
    let mut header = [0; 9];
    std::io::Read::read_exact(&mut stream, &mut header).unwrap();
    assert_eq!(header[3], 4, "a SETTINGS frame");
}

#[test]
fn a_delete_with_a_body_is_400_because_the_body_might_be_a_condition() {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/a", &[], "1").expect(201);
    let lines = [
        &b"content-length: 14\r\n\r\n{\"revision\":7}"[..],
        b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
    ];
    for lines in lines {
        raw_request(server.address(), b"DELETE /v1/kv/a", lines).problem(400, "invalid-body");
    }
    client.get("/v1/kv/a", &[]).expect(200);
    raw_request(server.address(), b"DELETE /v1/kv/a", b"content-length: 0\r\n");
    client.get("/v1/kv/a", &[]).problem(404, "not-found");
}

#[test]
fn a_document_that_is_under_the_prefix_itself_is_not_in_its_own_way() {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/teams/1", &[], "1").expect(201);
    client.put("/v1/kv/teams/10/ada", &[], "1").expect(201);
    client.put("/v1/kv/teams/0", &[], "1").expect(201);
    for (prefix, blockers) in [
        ("", &["teams/0", "teams/10/ada"][..]),
        ("teams/", &["teams/0", "teams/10/ada"]),
        ("teams/1", &["teams/10/ada"]),
    ] {
        let target = format!("/v1/kv/teams/1?unless-prefix={prefix}");
        let problem = client.delete(&target, &[]).problem(409, "in-use");
        assert_eq!(problem["blockers"], serde_json::json!(blockers));
        assert_eq!(problem["blocker_count"], blockers.len());
    }
    client.delete("/v1/kv/teams/10/ada", &[]).expect(204);
    client.delete("/v1/kv/teams/1?unless-prefix=teams/1", &[]).expect(204);
    client.delete("/v1/kv/teams/1?unless-prefix=teams/1/", &[]).problem(404, "not-found");
}

#[test]
fn an_answer_without_content_has_no_length_and_keeps_the_connection() {
    let server = Server::new();
    let client = server.client();
    let tag = client.put("/v1/kv/a", &[], "1").expect(201).etag().to_owned();
    let line = format!("if-none-match: {tag}\r\n");
    for method in ["GET", "HEAD"] {
        let first = format!("{method} /v1/kv/a");
        let cached = raw_request(server.address(), first.as_bytes(), line.as_bytes()).expect(304);
        assert_eq!(cached.header("content-length"), None, "the document has another than 0");
        assert_eq!(cached.header("transfer-encoding"), None);
        assert!(cached.body.is_empty());
    }
    // Two on one connection: what follows the first is the second.
    let two = format!(
        "GET /v1/kv/a HTTP/1.1\r\nhost: x\r\n{line}\r\nGET /v1/kv/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    );
    let both = raw(server.address(), two.as_bytes()).expect(304);
    assert!(both.body.starts_with(b"HTTP/1.1 200 OK\r\n"), "{both:?}");
    let deleted = raw_request(server.address(), b"DELETE /v1/kv/a", b"").expect(204);
    assert_eq!(deleted.header("content-length"), None);
}

#[test]
fn a_kind_of_problem_has_a_page_and_an_unknown_one_is_a_problem() {
    let server = Server::new();
    let client = server.client();
    let page = client.get("/problems/stale-revision", &[]).expect(200);
    assert!(page.text().contains("409"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    for unknown in ["/problems/nonsense", "/problems/%ff"] {
        client.get(unknown, &[]).problem(404, "no-such-route");
    }
}
