//! Slowloris: clients that send their requests a byte at a time, to hold all connections.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use ifmatch::http::{Options, ServeOptions, documents, router};

use crate::command::Process;
use crate::support::Server;

/// `IFMATCH_SLOW_CLIENTS=2000` for as many as the guarantee speaks of.
fn slow_clients() -> usize {
    std::env::var("IFMATCH_SLOW_CLIENTS").map_or(300, |number| number.parse().unwrap())
}

#[test]
fn slow_clients_do_not_keep_others_from_being_served() {
    let count = slow_clients();
    // Before we may have more files open than a shell allows: the server has to see to that itself.
    let process = Process::start(&[]);
    let limit = getrlimit(Resource::Nofile);
    let _raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let client = process.client();
    client.put("/v1/kv/a", &[], "1").expect(201);
    let mut slow: Vec<TcpStream> = (0..count)
        .map(|n| {
            let mut stream = TcpStream::connect(process.address).unwrap();
            stream.write_all(format!("GET /v1/kv/{n} HTTP/1.1\r\nhost: ").as_bytes()).unwrap();
            stream
        })
        .collect();
    let started = Instant::now();
    let mut longest = Duration::ZERO;
    let mut served = 0;
    while started.elapsed() < Duration::from_secs(2) {
        for stream in &mut slow {
            // One more byte of the host's name.
            let _cut = stream.write_all(b"l");
        }
        // A connection of its own, which has to be accepted behind all the others.
        let asked = Instant::now();
        process.client().get("/v1/kv/a", &[]).expect(200);
        longest = longest.max(asked.elapsed());
        served += 1;
    }
    println!("{count} slow clients: {served} others served, the longest in {longest:?}");
    assert!(longest < Duration::from_secs(2), "somebody waited {longest:?}");
}

#[test]
fn slow_clients_that_take_all_connections_have_them_for_a_limited_time() {
    let options =
        ServeOptions::default().max_connections(20).header_timeout(Duration::from_millis(300));
    let server = Server::of(router(documents().build(), Options::default()), options);
    let mut slow: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /v1/kv/a HTTP/1.1\r\nhost: ").unwrap();
    }
    let address = server.address();
    let other = std::thread::spawn(move || {
        // Behind two rounds of them in the queue.
        crate::support::raw_request(address, b"GET /v1/kv/a", b"").problem(404, "not-found")
    });
    while !other.is_finished() {
        for stream in &mut slow {
            let _cut = stream.write_all(b"l");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    other.join().unwrap();
}
