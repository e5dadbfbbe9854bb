//! Foreign hosts and origins, and pages that may use the server.

use std::net::SocketAddr;

use ifmatch::http::{Front, Options, Origins, ServeOptions, documents, router};

use crate::command::{Process, fails};
use crate::support::{Answer, Server, http2, raw, raw_request};

fn server(origins: Origins) -> Server {
    let tokens = "token-of-an-application".parse().unwrap();
    let router = router(documents().build(), Options::default());
    let front = Front::new(origins).tokens(tokens);
    Server::of(front.around(router), ServeOptions::default())
}

const TOKEN: &str = "authorization: Bearer token-of-an-application\r\n";

fn get(address: SocketAddr, lines: &str) -> Answer {
    let request = format!("GET /v1/kv/a HTTP/1.1\r\nconnection: close\r\n{TOKEN}{lines}\r\n");
    raw(address, request.as_bytes())
}

/// A page at evil.example whose name resolves to 127.0.0.1 is, for the browser, of the server's own origin.
#[test]
fn a_rebound_name_is_403() {
    let server = server(Origins::loopback());
    for host in [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "192.0.2.1",
        "",
        "a@localhost",
    ] {
        get(server.address(), &format!("host: {host}\r\n")).problem(403, "forbidden");
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]:4090", "LOCALHOST"] {
        get(server.address(), &format!("host: {host}\r\n")).problem(404, "not-found");
    }
    let absolute = |target: &str| {
        let first = format!("GET {target}");
        raw_request(server.address(), first.as_bytes(), TOKEN.as_bytes())
    };
    absolute("http://evil.example/v1/kv/a").problem(403, "forbidden");
    absolute("http://localhost/v1/kv/a").problem(404, "not-found");
}

#[test]
fn a_host_is_named_once() {
    let server = server(Origins::loopback());
    get(server.address(), "").problem(400, "invalid-header");
    get(server.address(), "host: localhost\r\nhost: localhost\r\n").problem(400, "invalid-header");
    get(server.address(), "host: \u{e9}\r\n").problem(400, "invalid-header");
    let old = format!("GET /v1/kv/a HTTP/1.0\r\n{TOKEN}\r\n");
    raw(server.address(), old.as_bytes()).problem(404, "not-found");
}

#[test]
fn a_listed_host_is_the_server_too_and_others_still_are_not() {
    let origins = Origins::loopback().allow_host("store.example").unwrap();
    let server = server(origins);
    get(server.address(), "host: Store.Example:8443\r\n").problem(404, "not-found");
    get(server.address(), "host: evil.example\r\n").problem(403, "forbidden");
}

#[test]
fn the_authority_of_http2_counts_like_a_host() {
    let server = server(Origins::loopback());
    let status = |authority: &str| {
        http2(server.address(), &format!("http://{authority}/problems/not-found"))
    };
    assert_eq!(status("localhost:1"), 200);
    assert_eq!(status("evil.example"), 403);
}

#[test]
fn a_foreign_page_is_403_even_with_a_token_and_writes_nothing() {
    let server = server(Origins::loopback().allow_origin("https://app.example").unwrap());
    let foreign = [
        "null",
        "https://evil.example",
        "http://localhost:1",
        "http://localhost.evil.example",
        "https://app.example.evil.example",
        "http://app.example",
        "localhost",
        "",
    ];
    for origin in foreign {
        let lines = format!("{TOKEN}origin: {origin}\r\n");
        let put = raw_request(server.address(), b"PUT /v1/kv/a", lines.as_bytes());
        put.problem(403, "forbidden");
        assert_eq!(put.header("access-control-allow-origin"), None);
    }
    let lines = format!("{TOKEN}origin: https://app.example\r\norigin: https://evil.example\r\n");
    raw_request(server.address(), b"PUT /v1/kv/a", lines.as_bytes()).problem(403, "forbidden");
    get(server.address(), "host: localhost\r\n").problem(404, "not-found");
    // The server's own page.
    let own = "host: localhost:4090\r\norigin: http://localhost:4090\r\n";
    get(server.address(), own).problem(404, "not-found");
}

#[test]
fn cors_is_off_unless_asked() {
    let server = server(Origins::loopback());
    let answer = get(server.address(), "host: localhost\r\norigin: http://localhost\r\n");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let lines = b"origin: https://app.example\r\naccess-control-request-method: PUT\r\n";
    raw_request(server.address(), b"OPTIONS /v1/kv/a", lines).problem(403, "forbidden");
}

#[test]
fn a_listed_origin_may_preflight_without_token_write_and_read_the_tag() {
    let server = server(Origins::loopback().allow_origin("https://app.example").unwrap());
    let lines = b"origin: https://app.example\r\naccess-control-request-method: PUT\r\n\
        access-control-request-headers: authorization, if-match, prefer\r\n";
    let preflight = raw_request(server.address(), b"OPTIONS /v1/kv/a", lines).expect(200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.example"));
    let list = |answer: &Answer, name: &str| {
        let value = answer.header(name).unwrap_or_else(|| panic!("{name}: {answer:?}"));
        value.split(',').map(|item| item.trim().to_ascii_lowercase()).collect::<Vec<_>>()
    };
    let methods = list(&preflight, "access-control-allow-methods");
    for method in ["get", "head", "put", "post", "patch", "delete"] {
        assert!(methods.iter().any(|allowed| allowed == method), "{method}: {methods:?}");
    }
    let headers = list(&preflight, "access-control-allow-headers");
    for header in [
        "authorization",
        "content-type",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "prefer",
        "idempotency-key",
        "last-event-id",
    ] {
        assert!(headers.iter().any(|allowed| allowed == header), "{header}: {headers:?}");
    }
    let lines = format!("{TOKEN}origin: https://app.example\r\n");
    let put = raw_request(server.address(), b"PUT /v1/kv/a", lines.as_bytes()).expect(201);
    assert_eq!(put.header("access-control-allow-origin"), Some("https://app.example"));
    let exposed = list(&put, "access-control-expose-headers");
    for header in ["etag", "location", "last-modified", "retry-after"] {
        assert!(exposed.iter().any(|name| name == header), "{header}: {exposed:?}");
    }
    // Without a token a page can read that it needs one.
    let answer = raw_request(server.address(), b"PUT /v1/kv/a", &lines.as_bytes()[TOKEN.len()..]);
    answer.problem(401, "unauthorized");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
}

#[test]
fn a_target_has_at_most_8_kib() {
    let server = server(Origins::loopback());
    let target = |bytes: usize| format!("GET /problems/{}", "a".repeat(bytes - "/problems/".len()));
    let ask = |bytes| raw_request(server.address(), target(bytes).as_bytes(), TOKEN.as_bytes());
    ask(8 << 10).problem(404, "no-such-route");
    ask((8 << 10) + 1).problem(414, "target-too-long");
}

#[test]
fn the_command_takes_hosts_and_origins() {
    let process =
        Process::start(&["--allow-host", "store.example", "--cors-origin", "https://app.example"]);
    get(process.address, "host: store.example\r\n").problem(404, "not-found");
    get(process.address, "host: evil.example\r\n").problem(403, "forbidden");
    let answer = get(process.address, "host: localhost\r\norigin: https://app.example\r\n");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    let alone = Process::start(&[]);
    get(alone.address, "host: localhost\r\n").problem(404, "not-found");
    get(alone.address, "host: store.example\r\n").problem(403, "forbidden");
    let cases = [
        ["--allow-host", "http://store.example"],
        ["--allow-host", "store.example:80"],
        ["--cors-origin", "*"],
        ["--cors-origin", "null"],
        ["--cors-origin", "app.example"],
        ["--cors-origin", "https://app.example/"],
    ];
    for [flag, value] in cases {
        let line = fails(&["serve", "--listen", "127.0.0.1:0", flag, value]);
        assert!(line.contains(flag) && line.contains(value), "{line}");
    }
}
