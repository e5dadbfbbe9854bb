//! What whoever runs the command sees: health, figures, and an end that does not wait for watches.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::command::Process;
use crate::support::raw_request;

/// Opens a watch of everything, and returns when it has begun.
fn watch(process: &Process, lines: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(process.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!("GET /v1/watch HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    read_until(&mut reader, "id: ");
    reader
}

/// Reads lines until one that begins so; fails at the end of the answer.
fn read_until(reader: &mut BufReader<TcpStream>, beginning: &str) {
    let mut line = String::new();
    while !line.starts_with(beginning) {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "no {beginning}");
    }
}

#[test]
fn health_is_open_and_figures_need_a_token_that_reads() {
    let directory = tempfile::tempdir().unwrap();
    let tokens = directory.path().join("tokens");
    std::fs::write(&tokens, "token-that-writes-- write\ntoken-that-reads-- read\n").unwrap();
    let data = directory.path().join("data");
    let process = Process::start(&[
        "--auth-token-file",
        tokens.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ]);
    let client = process.client();
    let (write, read) = (
        [("authorization", "Bearer token-that-writes--")],
        [("authorization", "Bearer token-that-reads--")],
    );
    client.get("/healthz", &[]).expect(200);
    client.get("/readyz", &[]).expect(200);
    client.get("/metrics", &[]).problem(401, "unauthorized");
    client.get("/metrics", &write).problem(403, "forbidden");
    client.put("/v1/kv/a", &write, "1").expect(201);
    let conflict = client.put("/v1/kv/a?revision=1", &write, "2");
    let conflict = conflict.problem(409, "stale-revision");
    assert!(conflict["current"].is_null(), "who may not read is not shown what is there");
    let _watch = watch(&process, "authorization: Bearer token-that-reads--\r\n");
    let answer = client.get("/metrics", &read).expect(200);
    let lines = [
        "ifmatch_conflicts_total{kind=\"stale-revision\"} 1",
        "ifmatch_commit_seconds_count 1",
        "ifmatch_watchers 1",
        "ifmatch_keys 1",
        "ifmatch_log_poisoned 0",
        "ifmatch_requests_total{route=\"/v1/kv/{*key}\",method=\"PUT\",status=\"201\"} 1",
    ];
    for line in lines {
        assert!(answer.text().lines().any(|given| given == line), "{line}: {}", answer.text());
    }
}

#[cfg(unix)]
#[test]
fn watches_do_not_hold_up_the_end() {
    let process = Process::start(&[]);
    let mut watches: Vec<_> = (0..5).map(|_| watch(&process, "")).collect();
    process.client().put("/v1/kv/a", &[], "1").expect(201);
    for watch in &mut watches {
        read_until(watch, "event: commit");
    }
    let started = Instant::now();
    process.signal("TERM");
    let (status, _, err) = process.ended();
    assert!(status.success() && !err.contains("were cut"), "{err}");
    assert!(started.elapsed() < Duration::from_secs(5), "it waited for the watches");
}

#[test]
fn lists_and_histories_are_compressed_and_documents_are_not() {
    let process = Process::start(&["--history", "10"]);
    let client = process.client();
    for n in 0..10 {
        client.put("/v1/kv/a", &[], format!("{n}").repeat(1_000)).expect(if n == 0 {
            201
        } else {
            204
        });
    }
    let ask = |path: &str| {
        let first = format!("GET {path}");
        raw_request(process.address, first.as_bytes(), b"accept-encoding: gzip\r\n").expect(200)
    };
    for path in ["/v1/kv", "/v1/history/a"] {
        let answer = ask(path);
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path}");
        assert_eq!(answer.header("etag"), None, "{path}");
    }
    let document = ask("/v1/kv/a");
    assert_eq!(document.header("content-encoding"), None);
    assert!(document.header("etag").is_some());
}
