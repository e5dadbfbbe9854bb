//! Servers: the real one, and one that does as a test says.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use ifmatch::client::{Backoff, Client, ClientBuilder};
use ifmatch::http::{DocumentStore, Options, ServeOptions, documents, router, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The real server, in this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<usize>,
}

impl Server {
    /// Over an empty store in memory.
    pub(crate) async fn new() -> Self {
        Self::over(documents().build(), Options::default()).await
    }

    pub(crate) async fn over(store: DocumentStore, options: Options) -> Self {
        Self::of(router(store, options), "127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn of(router: Router, address: SocketAddr) -> Self {
        Self::with(router, address, ServeOptions::default()).await
    }

    pub(crate) async fn with(router: Router, address: SocketAddr, options: ServeOptions) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let options = options.drain_timeout(Duration::from_millis(200));
        let task = tokio::spawn(serve(listener, router, options, async {
            let _dropped = stopped.await;
        }));
        Self { address, stop, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        quick(self.url()).build().unwrap()
    }

    /// Ends it, and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// A client that does not wait for long.
pub(crate) fn quick(url: impl Into<String>) -> ClientBuilder {
    let retries = Backoff::new(5, Duration::from_millis(1), Duration::from_millis(20));
    Client::builder(url).retries(retries).request_timeout(Duration::from_secs(20))
}

/// A request, as it came.
pub(crate) struct Request {
    /// From 0, of all connections.
    pub(crate) number: usize,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// What another server answers.
    pub(crate) async fn forward(&self, to: SocketAddr) -> Vec<u8> {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let head = self.head.trim_end();
        stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        stream.write_all(&self.body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }
}

/// A server of one request a connection, that answers with the bytes that a closure gives, and cuts the connection.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    pub(crate) async fn new<A: Future<Output = Vec<u8>> + Send + 'static>(
        answer: impl Fn(Request) -> A + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (count, heads, answer) = (requests.clone(), seen.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (count, heads, answer) = (count.clone(), heads.clone(), answer.clone());
                tokio::spawn(async move {
                    let Some((head, body)) = read_request(&mut stream).await else { return };
                    heads.lock().unwrap().push(head.clone());
                    let number = count.fetch_add(1, Ordering::SeqCst);
                    let bytes = answer(Request { number, head, body }).await;
                    let _reset = stream.write_all(&bytes).await;
                    let _reset = stream.shutdown().await;
                });
            }
        });
        Self { address, requests, seen, task }
    }

    /// It answers the same to all.
    pub(crate) async fn always(answer: String) -> Self {
        Self::new(move |_| std::future::ready(answer.clone().into_bytes())).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        quick(self.url()).build().unwrap()
    }

    /// How many came.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A whole request: the head with its last line, and as many bytes as it says.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head.lines().filter_map(|line| line.split_once(':'));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map(|(_, value)| value.trim().parse::<usize>().unwrap()).sum();
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some((head, body))
}

/// An answer with a body; `head` is the status line and headers, without the last line's end.
pub(crate) fn answer(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// A problem document.
pub(crate) fn problem(status: &str, slug: &str, headers: &str, members: &str) -> String {
    let number = &status[..3];
    let body = format!(
        r#"{{"type": "/problems/{slug}", "title": "T", "status": {number}, "detail": "D"{members}}}"#
    );
    answer(&format!("{status}\r\ncontent-type: application/problem+json{headers}"), &body)
}
