//! Connections that are kept, each of which asks, waits for the answer, and asks again.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::protocol::{Answer, Protocol};
use crate::engine::{Key, VALUE_BYTES, value};
use crate::keys::{Requests, Spread};
use crate::measure::Sample;

/// What each connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Reads keys.
    Get,
    /// Reads keys, and swaps each.
    GetSwap,
}

/// Connections to one server.
pub struct Load {
    runtime: Runtime,
    protocol: Protocol,
    connections: Vec<Connection>,
}

impl Load {
    /// So many connections, and all keys written.
    pub fn new(protocol: Protocol, port: u16, connections: usize, keys: u32) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads can be started");
        let connect = || async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
            stream.set_nodelay(true).expect("it is a socket");
            Connection { stream, buffer: Vec::new() }
        };
        let mut connections = runtime.block_on(join_all((0..connections).map(|_| connect())));
        let each = connections.len() as u64;
        let fill = connections.iter_mut().enumerate().map(|(number, connection)| async move {
            for key in (number as u64..u64::from(keys)).step_by(each as usize) {
                let request = protocol.put(Key::new(key).as_str(), &value(key, VALUE_BYTES));
                connection.ask(protocol, &request).await;
            }
        });
        runtime.block_on(join_all(fill));
        Self { runtime, protocol, connections }
    }

    /// Lets them work for so long.
    pub fn round(&mut self, task: Task, keys: u32, length: Duration, seed: u64) -> Sample {
        let protocol = self.protocol;
        let requests = |number: usize| {
            Requests::of(Spread::Uniform, keys, REQUESTS, seed << 8 | number as u64)
        };
        let requests: Vec<_> = (0..self.connections.len()).map(requests).collect();
        let begin = Instant::now();
        let working: Vec<_> = std::mem::take(&mut self.connections)
            .into_iter()
            .zip(requests)
            .map(|(connection, requests)| {
                self.runtime.spawn(connection.work(protocol, task, requests, begin + length))
            })
            .collect();
        let done = self.runtime.block_on(join_all(working));
        let wall = begin.elapsed().as_secs_f64();
        let mut times = Vec::new();
        for done in done {
            let (connection, took) = done.expect("it does not fail");
            self.connections.push(connection);
            times.extend(took);
        }
        times.sort_unstable();
        let seconds = |index: usize| times.get(index).map_or(0.0, Duration::as_secs_f64);
        Sample {
            rate: times.len() as f64 / wall,
            cpu: 1.0,
            p99: seconds(times.len() * 99 / 100),
            worst: seconds(times.len().saturating_sub(1)),
        }
    }
}

/// How many a connection makes until they begin again.
const REQUESTS: usize = 4096;

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn work(
        mut self,
        protocol: Protocol,
        task: Task,
        mut requests: Requests,
        end: Instant,
    ) -> (Self, Vec<Duration>) {
        let mut times = Vec::new();
        loop {
            let begin = Instant::now();
            if begin >= end {
                return (self, times);
            }
            let key = Key::new(requests.next());
            let read = self.ask(protocol, &protocol.get(key.as_str())).await;
            let Answer::Read(revision) = read else { panic!("every key is there") };
            if task == Task::GetSwap {
                let value = value(times.len() as u64, VALUE_BYTES);
                // Lost races count: they are answers, too.
                self.ask(protocol, &protocol.swap(key.as_str(), &revision, &value)).await;
            }
            times.push(begin.elapsed());
        }
    }

    async fn ask(&mut self, protocol: Protocol, request: &[u8]) -> Answer {
        self.stream.write_all(request).await.expect("the server lives");
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("the server lives");
            assert!(read > 0, "the server keeps connections");
            if let Some((answer, length)) = protocol.answer(&self.buffer) {
                assert_eq!(length, self.buffer.len(), "it answers once");
                return answer;
            }
        }
    }
}
