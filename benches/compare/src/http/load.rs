//! Connections that are kept, each of which asks, waits for the answer, and asks again.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

#[cfg(feature = "etcd")]
use super::etcd;
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

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// By bytes that are put together here.
    Bytes(Protocol),
    /// etcd, by its gRPC.
    #[cfg(feature = "etcd")]
    Grpc,
}

/// Connections to one server.
pub struct Load {
    runtime: Runtime,
    connections: Vec<Connection>,
}

impl Load {
    /// So many connections, and all keys written.
    pub fn new(wire: Wire, port: u16, connections: usize, keys: u32) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads can be started");
        let connect = (0..connections).map(|_| Connection::new(wire, port));
        let mut connections = runtime.block_on(join_all(connect));
        let each = connections.len() as u64;
        let fill = connections.iter_mut().enumerate().map(|(number, connection)| async move {
            for key in (number as u64..u64::from(keys)).step_by(each as usize) {
                connection.put(Key::new(key).as_str(), &value(key, VALUE_BYTES)).await;
            }
        });
        runtime.block_on(join_all(fill));
        Self { runtime, connections }
    }

    /// Lets them work for so long. `cpu` says how many seconds of processors the server has had.
    pub fn round(
        &mut self,
        task: Task,
        keys: u32,
        length: Duration,
        seed: u64,
        cpu: impl Fn() -> f64,
    ) -> Sample {
        let requests = |number: usize| {
            Requests::of(Spread::Uniform, keys, REQUESTS, seed << 8 | number as u64)
        };
        let requests: Vec<_> = (0..self.connections.len()).map(requests).collect();
        let (begin, cpu_before) = (Instant::now(), cpu());
        let working: Vec<_> = std::mem::take(&mut self.connections)
            .into_iter()
            .zip(requests)
            .map(|(connection, requests)| {
                self.runtime.spawn(connection.work(task, requests, begin + length))
            })
            .collect();
        let done = self.runtime.block_on(join_all(working));
        let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu() - cpu_before);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
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
            cpu: cpu / wall / processors as f64,
            p99: seconds(times.len() * 99 / 100),
            worst: seconds(times.len().saturating_sub(1)),
        }
    }
}

/// How many a connection makes until they begin again.
const REQUESTS: usize = 4096;

enum Connection {
    Bytes(Bytes),
    #[cfg(feature = "etcd")]
    Grpc(Box<etcd::Connection>),
}

impl Connection {
    async fn new(wire: Wire, port: u16) -> Self {
        match wire {
            Wire::Bytes(protocol) => Self::Bytes(Bytes::new(protocol, port).await),
            #[cfg(feature = "etcd")]
            Wire::Grpc => Self::Grpc(Box::new(etcd::Connection::new(port).await)),
        }
    }

    async fn work(
        mut self,
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
            let Answer::Read(revision) = self.get(key.as_str()).await else {
                panic!("every key is there")
            };
            if task == Task::GetSwap {
                let value = value(times.len() as u64, VALUE_BYTES);
                // Lost races count: they are answers, too.
                self.swap(key.as_str(), &revision, &value).await;
            }
            times.push(begin.elapsed());
        }
    }

    async fn get(&mut self, key: &str) -> Answer {
        match self {
            Self::Bytes(bytes) => bytes.ask(&bytes.protocol.get(key)).await,
            #[cfg(feature = "etcd")]
            Self::Grpc(client) => client.get(key).await,
        }
    }

    async fn put(&mut self, key: &str, value: &[u8]) {
        match self {
            Self::Bytes(bytes) => {
                bytes.ask(&bytes.protocol.put(key, value)).await;
            }
            #[cfg(feature = "etcd")]
            Self::Grpc(client) => client.put(key, value).await,
        }
    }

    async fn swap(&mut self, key: &str, revision: &str, value: &[u8]) -> Answer {
        match self {
            Self::Bytes(bytes) => bytes.ask(&bytes.protocol.swap(key, revision, value)).await,
            #[cfg(feature = "etcd")]
            Self::Grpc(client) => client.swap(key, revision, value).await,
        }
    }
}

struct Bytes {
    protocol: Protocol,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Bytes {
    async fn new(protocol: Protocol, port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        stream.set_nodelay(true).expect("it is a socket");
        Self { protocol, stream, buffer: Vec::new() }
    }

    async fn ask(&mut self, request: &[u8]) -> Answer {
        self.stream.write_all(request).await.expect("the server lives");
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("the server lives");
            assert!(read > 0, "the server keeps connections");
            if let Some((answer, length)) = self.protocol.answer(&self.buffer) {
                assert_eq!(length, self.buffer.len(), "it answers once");
                return answer;
            }
        }
    }
}
