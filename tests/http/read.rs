//! GET and HEAD.

use crate::support::{Server, raw_request};

#[test]
fn what_is_read_is_what_was_written_byte_for_byte_with_its_type() {
    let client = Server::new();
    let (server, client) = (&client, client.client());
    let every_byte: Vec<u8> = (0..=255).collect();
    let cases: [(&str, &str, &[u8]); 5] = [
        ("text", "text/plain; charset=latin1", b"caf\xe9"),
        ("json", "application/json", b"{\"n\": 1.50, \"n\": 12345678901234567890 }\n"),
        ("suffix", "application/geo+json", b"[ ]"),
        ("bytes", "application/octet-stream", &every_byte),
        ("nothing", "text/html", b""),
    ];
    for (key, content_type, body) in cases {
        let path = format!("/v1/kv/{key}");
        let put = client.put(&path, &[("content-type", content_type)], body).expect(201);
        let got = client.get(&path, &[]).expect(200);
        assert_eq!(got.body, body, "{key}");
        assert_eq!(got.header("content-type"), Some(content_type), "{key}");
        assert_eq!(got.etag(), put.etag(), "{key}");
    }
    let untyped = raw_request(server.address(), b"PUT /v1/kv/untyped", b"content-length: 0\r\n");
    untyped.expect(201);
    let got = client.get("/v1/kv/untyped", &[]);
    assert_eq!(got.header("content-type"), Some("application/octet-stream"));
}

#[test]
fn a_stored_value_is_never_run_by_a_browser_nor_kept_by_a_cache() {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/a", &[("content-type", "text/html")], "<script>").expect(201);
    let got = client.get("/v1/kv/a", &[]).expect(200);
    for (name, value) in [
        ("cache-control", "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox"),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/a", &[("content-type", "text/plain")], "12345").expect(201);
    let got = client.get("/v1/kv/a", &[]).expect(200);
    let head = client.head("/v1/kv/a", &[]).expect(200);
    for name in ["etag", "content-type", "content-length", "cache-control"] {
        assert!(head.header(name).is_some(), "{name}");
        assert_eq!(head.header(name), got.header(name), "{name}");
    }
    assert!(head.body.is_empty());
    assert_eq!(client.head("/v1/kv/b", &[]).status, 404);
    assert_eq!(client.head("/v1/kv/a", &[("if-match", "\"x\"")]).status, 412);
}

#[test]
fn a_client_that_has_the_newest_is_told_so_without_the_body() {
    let server = Server::new();
    let client = server.client();
    let etag = client.put("/v1/kv/a", &[], "1").expect(201).etag().to_owned();
    let newer = client.put("/v1/kv/a", &[], "2").expect(204).etag().to_owned();
    let weak = format!("W/{newer}");
    let list = format!("\"x\", {etag},, {newer}");
    let cases = [
        ("the newest", newer.as_str(), 304),
        ("weakened", &weak, 304),
        ("in a list", &list, 304),
        ("star", "*", 304),
        ("older", &etag, 200),
        ("foreign", "\"x\"", 200),
    ];
    for (name, tags, status) in cases {
        for method in [crate::support::Client::get, crate::support::Client::head] {
            let answer = method(&client, "/v1/kv/a", &[("if-none-match", tags)]).expect(status);
            assert_eq!(answer.etag(), newer, "{name}");
            assert_eq!(answer.header("cache-control"), Some("no-cache"), "{name}");
            assert!(status == 200 || answer.body.is_empty(), "{name}");
        }
    }
}

#[test]
fn a_failed_if_match_on_a_read_is_412_and_comes_before_if_none_match() {
    let server = Server::new();
    let client = server.client();
    let etag = client.put("/v1/kv/a", &[], "1").expect(201).etag().to_owned();
    let weak = format!("W/{etag}");
    client.get("/v1/kv/a", &[("if-match", &etag)]).expect(200);
    client.get("/v1/kv/a", &[("if-match", "*")]).expect(200);
    client.get("/v1/kv/a", &[("if-match", &etag), ("if-none-match", &etag)]).expect(304);
    for tags in [weak.as_str(), "\"x\""] {
        let failed = client.get("/v1/kv/a", &[("if-match", tags), ("if-none-match", &etag)]);
        let problem = failed.problem(412, "stale-revision");
        assert_eq!(failed.etag(), etag);
        assert_eq!(problem["current_etag"], etag);
        assert_eq!(problem["key"], "a");
    }
    client.get("/v1/kv/b", &[("if-match", "*")]).problem(404, "not-found");
}

#[test]
fn ranges_are_not_supported_and_the_whole_is_sent() {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/a", &[], "12345").expect(201);
    let got = client.get("/v1/kv/a", &[("range", "bytes=0-1")]).expect(200);
    assert_eq!(got.text(), "12345");
}

#[test]
fn every_type_of_problem_has_a_page() {
    let server = Server::new();
    let client = server.client();
    for kind in ifmatch::http::ProblemKind::ALL {
        let page = client.get(&format!("/problems/{}", kind.slug()), &[]).expect(200);
        assert!(page.text().starts_with(kind.title()));
    }
    client.get("/problems/none", &[]).problem(404, "no-such-route");
}
