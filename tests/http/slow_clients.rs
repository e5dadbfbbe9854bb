//! Slowloris: clients that send their requests a byte at a time, to hold all connections.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::command::Process;

/// `IFMATCH_SLOW_CLIENTS=2000` for as many as the guarantee speaks of.
fn slow_clients() -> usize {
    std::env::var("IFMATCH_SLOW_CLIENTS").map_or(300, |number| number.parse().unwrap())
}

#[test]
fn slow_clients_do_not_keep_others_from_being_served() {
    let count = slow_clients();
    let limit = getrlimit(Resource::Nofile);
    let _raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let process = Process::start(&[]);
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
