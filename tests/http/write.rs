//! PUT, POST, DELETE: what they do when nothing stands in the way.

use crate::support::Server;

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
