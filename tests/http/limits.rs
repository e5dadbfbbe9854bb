//! Bodies and stores that are full, closed or read-only.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ifmatch::http::{Options, documents};

use crate::support::{Server, raw, raw_request};

fn small(max_body: usize) -> Server {
    Server::over(documents().build(), Options::default().max_body(max_body))
}

#[test]
fn a_body_has_at_most_its_limit_announced_or_chunked() {
    let server = small(1_000);
    let client = server.client();
    client.put("/v1/kv/edge", &[], vec![b'x'; 1_000]).expect(201);
    client.put("/v1/kv/over", &[], vec![b'x'; 1_001]).problem(413, "too-large");
    let chunked = |chunks: &[usize]| {
        let mut request =
            b"PUT /v1/kv/chunked HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec();
        for chunk in chunks {
            request.extend_from_slice(format!("{chunk:x}\r\n").as_bytes());
            request.extend(std::iter::repeat_n(b'x', *chunk));
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        raw(server.address(), &request)
    };
    chunked(&[600, 401]).problem(413, "too-large");
    client.get("/v1/kv/chunked", &[]).problem(404, "not-found");
    chunked(&[600, 400]).expect(201);
    assert_eq!(client.get("/v1/kv/chunked", &[]).body.len(), 1_000);
    client.get("/v1/kv/over", &[]).problem(404, "not-found");
    let value = "x".repeat(1_000);
    client
        .post("/v1/kv", &format!("{{\"key\": \"a\", \"value\": \"{value}\"}}"))
        .problem(413, "too-large");
}

#[test]
fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let server = small(1_000);
    let lines = b"content-length: 1000000000000\r\nexpect: 100-continue\r\n";
    raw_request(server.address(), b"PUT /v1/kv/a", lines).problem(413, "too-large");
}

#[test]
fn a_chunked_body_that_was_asked_for_and_read_leaves_the_connection_as_it_is() {
    let server = small(1_000);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = b"PUT /v1/kv/a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    stream.write_all(b"2\r\nxx\r\n0\r\n\r\n").unwrap();
    stream.write_all(b"GET /v1/kv/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert!(answers.starts_with("HTTP/1.1 201") && answers.ends_with("\r\n\r\nxx"), "{answers}");
}

#[test]
fn the_default_limit_is_8_mib() {
    let server = Server::new();
    let client = server.client();
    client.put("/v1/kv/a", &[], vec![0; 8 << 20]).expect(201);
    assert_eq!(client.get("/v1/kv/a", &[]).body.len(), 8 << 20);
    let lines = format!("content-length: {}\r\n", (8 << 20) + 1);
    raw_request(server.address(), b"PUT /v1/kv/b", lines.as_bytes()).problem(413, "too-large");
}

#[test]
fn a_body_that_breaks_off_is_not_stored() {
    let server = small(1_000);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream
        .write_all(b"PUT /v1/kv/a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345")
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{answer:?}");
    server.client().get("/v1/kv/a", &[]).problem(404, "not-found");
}

#[test]
fn a_body_that_does_not_arrive_in_time_is_408() {
    let options = Options::default().body_timeout(Duration::from_millis(100));
    let server = Server::over(documents().build(), options);
    let request =
        b"PUT /v1/kv/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n12345";
    raw(server.address(), request).problem(408, "request-timeout");
}

/// It was once reset while it sent, and seven of thirteen clients never saw the answer.
#[test]
fn who_sends_far_too_much_at_once_has_its_answer() {
    let server = Server::over(documents().build(), Options::default().max_body(1_000));
    for _ in 0..3 {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let body = vec![b'1'; 32 << 20];
        let head =
            format!("PUT /v1/kv/a HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("/problems/too-large"), "{answer}");
    }
}

/// The record of the key needs the room that the delete itself does not.
#[test]
fn a_delete_with_an_idempotency_key_that_has_no_room_says_what_has() {
    let server = Server::over(documents().max_keys(1).build(), Options::default());
    let client = server.client();
    client.put("/v1/kv/a", &[], "1").expect(201);
    let repeatable = [("idempotency-key", "k")];
    let problem = client.delete("/v1/kv/a", &repeatable).problem(507, "storage-full");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("a delete without one needs none"), "{detail}");
    // For a write there is none without it, either.
    let problem = client.put("/v1/kv/b", &repeatable, "1").problem(507, "storage-full");
    assert!(!problem["detail"].as_str().unwrap().contains("delete"), "{problem}");
    client.get("/v1/kv/a", &[]).expect(200);
    client.delete("/v1/kv/a", &[]).expect(204);
}

#[test]
fn a_full_store_is_507_and_still_takes_updates_and_deletes() {
    let server = Server::over(documents().max_keys(1).build(), Options::default());
    let client = server.client();
    client.put("/v1/kv/a", &[], "1").expect(201);
    let problem = client.put("/v1/kv/b", &[], "1").problem(507, "storage-full");
    assert_eq!(problem["key"], "b");
    client.post("/v1/kv", r#"{"key": "b", "value": 1}"#).problem(507, "storage-full");
    client.put("/v1/kv/a", &[], "2").expect(204);
    client.delete("/v1/kv/a", &[]).expect(204);
    client.put("/v1/kv/b", &[], "1").expect(201);
}

#[test]
fn a_document_that_is_too_large_for_the_log_is_413() {
    let directory = tempfile::tempdir().unwrap();
    let store = documents().max_record_bytes(1_000).open(directory.path()).unwrap();
    let server = Server::over(store, Options::default());
    let client = server.client();
    client.put("/v1/kv/a", &[], vec![0; 900]).expect(201);
    client.put("/v1/kv/a", &[], vec![0; 1_000]).problem(413, "too-large");
    assert_eq!(client.get("/v1/kv/a", &[]).body.len(), 900);
}

#[test]
fn a_closed_store_is_503_with_retry_after_and_still_read() {
    let directory = tempfile::tempdir().unwrap();
    let store = documents().open(directory.path()).unwrap();
    let server = Server::over(store.clone(), Options::default());
    let client = server.client();
    client.put("/v1/kv/a", &[], "1").expect(201);
    store.close().unwrap();
    for answer in [
        client.put("/v1/kv/a", &[], "2"),
        client.delete("/v1/kv/a", &[]),
        client.post("/v1/kv", r#"{"key": "b", "value": 1}"#),
    ] {
        answer.problem(503, "unavailable");
        assert!(answer.header("retry-after").unwrap().parse::<u32>().is_ok());
    }
    assert_eq!(client.get("/v1/kv/a", &[]).expect(200).text(), "1");
}
