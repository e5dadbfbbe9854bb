//! Malformed requests: 400 and its kin, never a 409, never a 5xx, and the store as it was.

use crate::support::{Client, Server, raw, raw_request};

/// A server with one document, `a`, and its tag.
fn server() -> (Server, Client, String) {
    let server = Server::new();
    let client = server.client();
    let etag = client.put("/v1/kv/a", &[("content-type", "text/plain")], "1").expect(201);
    let etag = etag.etag().to_owned();
    (server, client, etag)
}

#[track_caller]
fn nothing_happened(client: &Client, etag: &str) {
    let got = client.get("/v1/kv/a", &[]).expect(200);
    assert_eq!((got.etag(), got.text()), (etag, "1"));
}

#[test]
fn a_malformed_key_is_400_and_says_why() {
    let (server, client, etag) = server();
    let paths: [&[u8]; 22] = [
        b"/v1/kv/",
        b"/v1/kv//",
        b"/v1/kv//a",
        b"/v1/kv/a/",
        b"/v1/kv/a//b",
        b"/v1/kv/%2F",
        b"/v1/kv/.",
        b"/v1/kv/..",
        b"/v1/kv/a/../b",
        b"/v1/kv/%2e%2E",
        b"/v1/kv/a%2F.%2Fb",
        b"/v1/kv/%",
        b"/v1/kv/%4",
        b"/v1/kv/%zz",
        b"/v1/kv/a%2",
        b"/v1/kv/%%20",
        b"/v1/kv/%FF",
        b"/v1/kv/%C0%AF",
        b"/v1/kv/%ED%A0%80",
        b"/v1/kv/%00",
        b"/v1/kv/a%0A",
        b"/v1/kv/%C2%85",
    ];
    for path in paths {
        for method in ["GET", "PUT", "DELETE"] {
            let first = [method.as_bytes(), b" ", path].concat();
            let answer = raw_request(server.address(), &first, b"content-length: 0\r\n");
            let name = String::from_utf8_lossy(&first).into_owned();
            assert_eq!(answer.status, 400, "{name}: {answer:?}");
            answer.problem(400, "invalid-key");
        }
    }
    // Bytes that are not ASCII may stand in a path for themselves, if they are UTF-8.
    let answer = raw_request(server.address(), b"GET /v1/kv/\xff\xfe", b"");
    assert_eq!(answer.status, 400, "{answer:?}");
    for key in ["", "/", "a/", "a//b", ".", "a/..", "a\\n", "\\u0000"] {
        let body = format!("{{\"key\": \"{key}\", \"value\": 1}}");
        client.post("/v1/kv", &body).problem(400, "invalid-key");
    }
    nothing_happened(&client, &etag);
}

#[test]
fn a_key_has_at_most_1024_bytes_after_decoding() {
    let server = Server::new();
    let client = server.client();
    let longest = "%C3%A9".repeat(512);
    client.put(&format!("/v1/kv/{longest}"), &[], "1").expect(201);
    client.get(&format!("/v1/kv/{longest}"), &[]).expect(200);
    client.put(&format!("/v1/kv/{longest}a"), &[], "1").problem(400, "invalid-key");
    let body = |length| format!("{{\"key\": \"{}\", \"value\": 1}}", "k".repeat(length));
    client.post("/v1/kv", &body(1_024)).expect(201);
    client.post("/v1/kv", &body(1_025)).problem(400, "invalid-key");
}

#[test]
fn a_malformed_precondition_is_400_and_never_a_lost_race() {
    let (server, client, etag) = server();
    let values: [&[u8]; 20] = [
        b"",
        b" ",
        b",",
        b"2",
        b"a",
        b"'a'",
        b"\"",
        b"\"a",
        b"a\"",
        b"w/\"a\"",
        b"W/",
        b"W/a",
        b"W/*",
        b"**",
        b"*, \"a\"",
        b"\"a\" \"b\"",
        b"\"a\"b",
        b"\"a b\"",
        b"\"a\\\"b\"",
        b"\xff",
    ];
    for name in ["if-match", "if-none-match"] {
        for value in values {
            let line = [name.as_bytes(), b": ", value, b"\r\ncontent-length: 0\r\n"].concat();
            for method in ["GET", "HEAD", "PUT", "DELETE"] {
                let first = format!("{method} /v1/kv/a");
                let answer = raw_request(server.address(), first.as_bytes(), &line);
                let shown = format!("{method} {name}: {:?}", String::from_utf8_lossy(value));
                assert_eq!(answer.status, 400, "{shown}");
                if method != "HEAD" {
                    let problem = answer.problem(400, "invalid-header");
                    assert!(problem["detail"].as_str().unwrap().contains(name), "{shown}");
                }
            }
        }
        // Also where there is nothing: the request is wrong, whatever is there.
        client.put("/v1/kv/b", &[(name, "b")], "1").problem(400, "invalid-header");
        client.get("/v1/kv/b", &[(name, "b")]).problem(400, "invalid-header");
        let many = vec!["\"a\""; 101].join(",");
        client.put("/v1/kv/a", &[(name, &many)], "1").problem(400, "invalid-header");
    }
    nothing_happened(&client, &etag);
}

#[test]
fn an_unknown_doubled_or_malformed_query_parameter_is_400() {
    let (_server, client, etag) = server();
    let queries = [
        "at=x",
        "revision",
        "revision=",
        "revision=0",
        "revision=-1",
        "revision=+1",
        "revision=01",
        "revision=1.0",
        "revision=1e3",
        "revision=9007199254740992",
        "revision=99999999999999999999",
        "revision=%31%",
        "revision=%FF",
        "revision=1&revision=1",
        "revision=1&at=2",
        "Revision=1",
        "=1",
        "revision=2%20",
        "revision=%D9%A1",
    ];
    for query in queries {
        let target = format!("/v1/kv/a?{query}");
        client.put(&target, &[], "2").problem(400, "invalid-query");
        client.delete(&target, &[]).problem(400, "invalid-query");
        client.get(&target, &[]).problem(400, "invalid-query");
    }
    // A read has no such precondition: a client that thinks it has would read the newest, and not know.
    client.get("/v1/kv/a?revision=2", &[]).problem(400, "invalid-query");
    client.post("/v1/kv?revision=2", r#"{"key": "b", "value": 1}"#).problem(400, "invalid-query");
    client.get("/v1/kv/a?", &[]).expect(200);
    client.get("/v1/kv/a?&", &[]).expect(200);
    nothing_happened(&client, &etag);
}

#[test]
fn a_body_that_is_not_the_json_it_says_it_is_is_400_and_not_stored() {
    let (_server, client, etag) = server();
    let bodies: [&[u8]; 8] =
        [b"", b"{", b"{} {}", b"{'a': 1}", b"\"\xff\"", b"\xef\xbb\xbf{}", b"NaN", b"01"];
    for content_type in ["application/json", "application/geo+json", "Application/JSON; x=y"] {
        for body in bodies {
            let headers = [("content-type", content_type)];
            client.put("/v1/kv/a", &headers, body).problem(400, "invalid-body");
            client.put("/v1/kv/b", &headers, body).problem(400, "invalid-body");
        }
    }
    client.get("/v1/kv/b", &[]).problem(404, "not-found");
    nothing_happened(&client, &etag);
}

#[test]
fn an_envelope_that_is_not_exactly_one_is_400() {
    let (_server, client, etag) = server();
    let bodies = [
        "",
        "1",
        "[]",
        r#"["b", 1]"#,
        "{",
        "{}",
        r#"{"key": "b"}"#,
        r#"{"value": 1}"#,
        r#"{"key": 1, "value": 1}"#,
        r#"{"key": null, "value": 1}"#,
        r#"{"key": "b", "value": }"#,
        r#"{"key": "b", "value": 1} x"#,
        r#"{"key": "b", "value": 1, "ttl": 3}"#,
        r#"{"key": "b", "value": 1, "value": 2}"#,
        r#"{"key": "b", "key": "c", "value": 1}"#,
        r#"{"key": "b", "value": 1, "base64": ""}"#,
        r#"{"key": "b", "base64": null}"#,
        r#"{"key": "b", "base64": "a"}"#,
        r#"{"key": "b", "base64": "!!!!"}"#,
        r#"{"key": "b", "base64": "aGVsbG8"}"#,
        r#"{"key": "b", "base64": "ew==", "content_type": "application/json"}"#,
        r#"{"key": "b", "value": 1, "content_type": "text/plain"}"#,
        r#"{"key": "b", "value": 1, "content_type": "json"}"#,
        r#"{"key": "b", "value": 1, "content_type": null}"#,
        r#"{"key": "b", "value": 1, "content_type": "a/b\r\nx: y"}"#,
    ];
    for body in bodies {
        let answer = client.post("/v1/kv", body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        answer.problem(400, "invalid-body");
    }
    let json = [("content-type", "application/json")];
    client
        .post_with("/v1/kv", &json, b"{\"key\": \"b\xc3\", \"value\": 1}")
        .problem(400, "invalid-body");
    nothing_happened(&client, &etag);
}

#[test]
fn a_post_of_another_type_is_415_and_says_what_is_taken() {
    let (server, client, etag) = server();
    let body = r#"{"key": "b", "value": 1}"#;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/geo+json"]
    {
        let answer = client.post_with("/v1/kv", &[("content-type", content_type)], body);
        answer.problem(415, "unsupported-media-type");
        assert_eq!(answer.header("accept"), Some("application/json"));
    }
    let untyped = format!(
        "POST /v1/kv HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(server.address(), untyped.as_bytes()).problem(415, "unsupported-media-type");
    client
        .post_with("/v1/kv", &[("content-type", "Application/Json; charset=utf-8")], body)
        .expect(201);
    nothing_happened(&client, &etag);
}

#[test]
fn a_post_with_a_precondition_that_cannot_fit_is_400() {
    let (_server, client, _) = server();
    let json = ("content-type", "application/json");
    for precondition in [("if-match", "*"), ("if-match", "\"a\""), ("if-none-match", "\"a\"")] {
        client
            .post_with("/v1/kv", &[json, precondition], r#"{"key": "b", "value": 1}"#)
            .problem(400, "invalid-header");
    }
    client
        .post_with("/v1/kv", &[json, ("if-none-match", "*")], r#"{"key": "b", "value": 1}"#)
        .expect(201);
}

#[test]
fn what_would_be_stored_as_something_else_is_refused() {
    let (server, client, etag) = server();
    let put = |lines: &[u8]| {
        raw_request(server.address(), b"PUT /v1/kv/a", &[lines, b"content-length: 0\r\n"].concat())
    };
    put(b"content-encoding: gzip\r\n").problem(415, "unsupported-media-type");
    put(b"content-range: bytes 0-1/2\r\n").problem(400, "invalid-header");
    put(b"content-type: text\r\n").problem(400, "invalid-header");
    put(b"content-type: \r\n").problem(400, "invalid-header");
    put(b"content-type: text/plain; \xff\r\n").problem(400, "invalid-header");
    put(b"content-type: a/b\r\ncontent-type: a/b\r\n").problem(400, "invalid-header");
    nothing_happened(&client, &etag);
}

#[test]
fn a_method_that_a_resource_does_not_have_is_405_with_allow() {
    let (server, client, etag) = server();
    let cases = [
        (
            "/v1/kv/a",
            ["POST", "OPTIONS", "TRACE", "BREW"].as_slice(),
            "GET, HEAD, PUT, PATCH, DELETE",
        ),
        ("/v1/kv", &["PUT", "DELETE", "PATCH"], "GET, HEAD, POST"),
        ("/v1/txn", &["GET", "HEAD", "PUT", "DELETE"], "POST"),
        ("/v1/watch", &["POST", "PUT"], "GET, HEAD"),
        ("/v1/history/a", &["POST", "DELETE"], "GET, HEAD"),
        ("/problems/not-found", &["PUT", "POST"], "GET, HEAD"),
    ];
    for (path, methods, allow) in cases {
        for method in methods {
            let first = format!("{method} {path}");
            let answer = raw_request(server.address(), first.as_bytes(), b"content-length: 0\r\n");
            assert_eq!(answer.header("allow"), Some(allow), "{first}: {answer:?}");
            if *method == "HEAD" {
                answer.expect(405);
            } else {
                answer.problem(405, "method-not-allowed");
            }
        }
    }
    nothing_happened(&client, &etag);
}

#[test]
fn an_unknown_route_is_a_problem_document_too() {
    let (_server, client, _) = server();
    for path in ["/v1", "/v1/", "/v1/kvx", "/v1/KV/a", "/v2/kv/a", "//v1/kv/a", "/%761/kv/a"] {
        client.get(path, &[]).problem(404, "no-such-route");
        client.put(path, &[], "1").problem(404, "no-such-route");
    }
}

#[test]
fn garbage_instead_of_a_request_is_never_5xx() {
    let (server, client, etag) = server();
    let requests: [&[u8]; 12] = [
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v1/kv/a\r\n\r\n",
        b"GET /v1/kv/a HTTP/9.9\r\n\r\n",
        b"GET /v1/kv/ a HTTP/1.1\r\n\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\nno colon\r\n\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\nif-match : \"a\"\r\n\r\n",
    ];
    for request in requests {
        let answer = raw(server.address(), request);
        assert!(
            (400..500).contains(&answer.status),
            "{:?}: {answer:?}",
            String::from_utf8_lossy(request)
        );
    }
    let long = [b"GET /v1/kv/a HTTP/1.1\r\nx: ".as_slice(), &[b'x'; 70_000], b"\r\n\r\n"].concat();
    raw(server.address(), &long).expect(431);
    nothing_happened(&client, &etag);
}
