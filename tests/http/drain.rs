//! The end: what is under way, what comes late, and what would never end by itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use ifmatch::http::{Options, ServeOptions, Shutdown, documents, router};

use crate::support::{Server, connect_http2};

/// Waits until the server takes no connections any more, which is the first thing it does when it stops.
fn wait_until_it_stops(address: std::net::SocketAddr) {
    let started = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(5), "it still accepts");
    }
}

#[test]
fn a_request_that_comes_too_late_is_503_and_told_when_to_come_back() {
    let options = ServeOptions::default();
    let server = Server::of(router(documents().build(), Options::default()), options);
    server.client().put("/v1/kv/a", &[], "1").expect(201);
    let mut late = TcpStream::connect(server.address()).unwrap();
    late.write_all(b"DELETE /v1/kv/a HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    // The server reads connections in their order: when this one is answered, the late one has been accepted.
    server.client().get("/v1/kv/a", &[]).expect(200);
    let address = server.address();
    let stopping = std::thread::spawn(move || server.stop());
    wait_until_it_stops(address);
    std::thread::sleep(Duration::from_millis(100));
    late.write_all(b"\r\n").unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    for part in ["retry-after: 1\r\n", "connection: close\r\n", "/problems/unavailable"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert_eq!(stopping.join().unwrap(), 0);
}

#[test]
fn an_answer_without_end_is_told_and_ends_at_once() {
    let (begun, all_begun) = std::sync::mpsc::channel();
    let endless = async move |shutdown: Shutdown| {
        assert!(!shutdown.is_requested());
        begun.send(()).unwrap();
        shutdown.requested().await;
        assert!(shutdown.is_requested());
        "it ended"
    };
    let server = Server::of(Router::new().route("/", get(endless)), ServeOptions::default());
    let mut streams: Vec<TcpStream> =
        (0..3).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    for stream in &mut streams {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    }
    for _ in &streams {
        all_begun.recv_timeout(Duration::from_secs(20)).unwrap();
    }
    let started = Instant::now();
    assert_eq!(server.stop(), 0, "none was cut");
    assert!(started.elapsed() < Duration::from_secs(5), "it waited for the time limit");
    for mut stream in streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("it ended"), "{answer}");
    }
}

#[test]
fn under_another_server_nothing_is_told() {
    let shutdown = Shutdown::never();
    assert!(!shutdown.is_requested());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let waited =
        async { tokio::time::timeout(Duration::from_millis(20), shutdown.requested()).await };
    assert!(runtime.block_on(waited).is_err());
}

#[test]
fn an_idle_connection_of_http2_is_closed_and_one_with_a_request_is_not() {
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        "slow"
    };
    let options = ServeOptions::default().header_timeout(Duration::from_millis(300));
    let server = Server::of(Router::new().route("/slow", get(slow)), options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let started = Instant::now();
        let (mut sender, connection) = connect_http2(server.address()).await;
        for _ in 0..2 {
            let request = axum::http::Request::get("http://localhost/slow");
            let request = request.body(axum::body::Body::empty()).unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        }
        assert!(started.elapsed() > Duration::from_secs(1));
        // The client holds it open, and answers pings.
        tokio::time::timeout(Duration::from_secs(20), connection).await.unwrap().unwrap();
        drop(sender);
    });
}

#[cfg(unix)]
mod process {
    use super::*;
    use crate::command::Process;
    use crate::support::begin_put;

    #[test]
    fn a_second_signal_ends_it_at_once_and_in_good_order() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().to_str().unwrap();
        let process = Process::start(&["--data", data]);
        process.client().put("/v1/kv/b", &[], "1").expect(201);
        let _stalled = begin_put(process.address);
        let started = Instant::now();
        process.signal("TERM");
        wait_until_it_stops(process.address);
        process.signal("INT");
        let (status, _, err) = process.ended();
        assert_eq!(status.code(), Some(0), "{err}");
        assert!(err.contains("second signal"), "{err}");
        assert!(started.elapsed() < Duration::from_secs(8), "it waited for the stalled request");
        let process = Process::start(&["--data", data]);
        process.signal("TERM");
        assert_eq!(process.ended().2, "", "the log was closed");
    }
}
