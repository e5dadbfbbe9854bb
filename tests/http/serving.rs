//! The accept loop: slow, idle and too many clients, and the end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Response;
use axum::routing::post;
use ifmatch::http::{Options, ServeOptions, documents, router};

use crate::support::{Server, begin_put};

fn server(options: ServeOptions) -> Server {
    Server::of(router(documents().build(), Options::default()), options)
}

/// Waits until the server closes the connection.
fn closed(mut stream: TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest);
    let timed_out = end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!timed_out, "the connection is still open");
}

#[test]
fn a_client_that_does_not_finish_its_head_in_time_is_cut() {
    let server = server(ServeOptions::default().header_timeout(Duration::from_millis(200)));
    let beginnings: [&[u8]; 5] = [
        b"",
        b"P",
        b"PRI * HTTP/2.0\r\n",
        b"GET /v1/kv/a HTT",
        b"GET /v1/kv/a HTTP/1.1\r\nx: y\r\n",
    ];
    for beginning in beginnings {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(beginning).unwrap();
        closed(stream);
    }
    let mut idle = TcpStream::connect(server.address()).unwrap();
    idle.write_all(b"GET /v1/kv/a HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    closed(idle);
}

/// What a handler left of a body was read in its place, also where the handler was still to read it.
#[test]
fn an_answer_that_is_made_of_the_body_has_all_of_it() {
    let echo = |request: axum::extract::Request| async { Response::new(request.into_body()) };
    let router = Router::new().route("/echo", post(echo));
    let server = Server::of(router, ServeOptions::default());
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 30000\r\n\r\n";
    stream.write_all(head).unwrap();
    for _ in 0..3 {
        stream.write_all(&[b'x'; 10_000]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let letters = answer.iter().filter(|byte| **byte == b'x').count();
    assert!(answer.starts_with(b"HTTP/1.1 200") && letters >= 30_000, "{letters}");
}

#[test]
fn a_client_that_does_not_read_its_answer_is_cut() {
    let server = server(ServeOptions::default().write_timeout(Duration::from_millis(300)));
    let large = vec![b'x'; 8 << 20];
    server.client().put("/v1/kv/large", &[], &large).expect(201);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET /v1/kv/large HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_secs(2));
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer);
    assert!(answer.len() < large.len(), "it was served for as long as it liked");
}

#[test]
fn connections_are_bounded_and_the_next_waits_its_turn() {
    let server = server(ServeOptions::default().max_connections(2));
    let held: Vec<TcpStream> =
        (0..2).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    let mut third = TcpStream::connect(server.address()).unwrap();
    third.write_all(b"GET /v1/kv/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut answer = [0; 12];
    assert!(third.read(&mut answer).is_err(), "a third connection is served");
    drop(held);
    third.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    third.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let server = server(ServeOptions::default());
    let client = server.client();
    client.put("/v1/kv/idle", &[], "1").expect(201);
    let mut stream = begin_put(server.address());
    let (address, started) = (server.address(), Instant::now());
    let stopping = std::thread::spawn(move || server.stop());
    // The stop closes the listening socket first, and then waits for us.
    while TcpStream::connect(address).is_ok() {
        assert!(started.elapsed() < Duration::from_secs(5), "it still accepts");
    }
    // As late as a client may be, compared with how fast the server could cut it.
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(b"12").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(stopping.join().unwrap(), 0, "nothing was cut");
    assert!(started.elapsed() < Duration::from_secs(8), "an idle connection does not hold it up");
}

#[test]
fn a_client_that_stalls_cannot_hold_up_the_end() {
    let server = server(ServeOptions::default().drain_timeout(Duration::from_millis(300)));
    let stream = begin_put(server.address());
    let started = Instant::now();
    assert_eq!(server.stop(), 1, "the stalled connection is cut");
    assert!(started.elapsed() < Duration::from_secs(5));
    closed(stream);
}

#[test]
fn a_refused_request_leaves_the_connection_usable_or_says_that_it_ends() {
    let server = server(ServeOptions::default());
    let refused = |length: usize| {
        format!("PUT /v1/kv/a//b HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
    };
    // A body that comes later than the head, as most clients send it; and then another request.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(refused(5).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    stream
        .write_all(b"12345GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["400", "200"], "{answers}");

    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(refused(100_000).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
}
