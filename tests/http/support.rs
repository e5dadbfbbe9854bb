//! Servers and clients.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use ifmatch::http::{DocumentStore, Options, ServeOptions, documents, router, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A server in this process, on a socket of its own. It is stopped, and waited for, when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<usize>>,
}

impl Server {
    /// Over an empty store in memory.
    pub(crate) fn new() -> Self {
        Self::over(documents().build(), Options::default())
    }

    pub(crate) fn over(store: DocumentStore, options: Options) -> Self {
        Self::of(router(store, options), ServeOptions::default())
    }

    pub(crate) fn of(router: Router, options: ServeOptions) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, router, options, async { stopped.await.unwrap() }).await
            })
        });
        Self { address: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(self.address)
    }

    /// Asks it to stop, and returns how many connections it had to cut.
    pub(crate) fn stop(mut self) -> usize {
        self.stop.take().unwrap().send(()).unwrap();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            let _gone = stop.send(());
            let _cut = thread.join();
        }
    }
}

/// A client that takes every status for an answer.
#[derive(Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    address: SocketAddr,
}

pub(crate) type Headers<'a> = &'a [(&'a str, &'a str)];

impl Client {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        Self { agent, address }
    }

    fn send(
        &self,
        method: &str,
        target: &str,
        headers: Headers<'_>,
        body: Option<&[u8]>,
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{target}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            Some(body) => self.agent.run(request.body(body).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let (parts, mut body) = response.unwrap().into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: body.with_config().limit(64 << 20).read_to_vec().unwrap(),
        }
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> Answer {
        self.send(method, target, &[], None)
    }

    pub(crate) fn get(&self, target: &str, headers: Headers<'_>) -> Answer {
        self.send("GET", target, headers, None)
    }

    pub(crate) fn head(&self, target: &str, headers: Headers<'_>) -> Answer {
        self.send("HEAD", target, headers, None)
    }

    pub(crate) fn put(&self, target: &str, headers: Headers<'_>, body: impl AsRef<[u8]>) -> Answer {
        self.send("PUT", target, headers, Some(body.as_ref()))
    }

    /// With `Content-Type: application/` and `kind`: `merge-patch+json` or `json-patch+json`.
    pub(crate) fn patch(
        &self,
        target: &str,
        kind: &str,
        headers: Headers<'_>,
        body: &str,
    ) -> Answer {
        let content_type = format!("application/{kind}");
        let headers = [&[("content-type", content_type.as_str())], headers].concat();
        self.send("PATCH", target, &headers, Some(body.as_bytes()))
    }

    /// The messages of a stream of server-sent events.
    pub(crate) fn events(&self, target: &str, headers: Headers<'_>) -> Events {
        let mut request = ureq::http::Request::get(format!("http://{}{target}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.agent.run(request.body(()).unwrap()).unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events(BufReader::new(response.into_body().into_reader()).lines())
    }

    pub(crate) fn delete(&self, target: &str, headers: Headers<'_>) -> Answer {
        self.send("DELETE", target, headers, None)
    }

    /// With `Content-Type: application/json`.
    pub(crate) fn post(&self, target: &str, body: &str) -> Answer {
        self.send("POST", target, &[("content-type", "application/json")], Some(body.as_bytes()))
    }

    pub(crate) fn post_with(
        &self,
        target: &str,
        headers: Headers<'_>,
        body: impl AsRef<[u8]>,
    ) -> Answer {
        self.send("POST", target, headers, Some(body.as_ref()))
    }
}

/// Server-sent events, as they come. They end when the server ends them, or the connection breaks.
pub(crate) struct Events(Lines<BufReader<ureq::BodyReader<'static>>>);

/// One message, or what is sent without being one: an id or a comment alone.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: Option<u64>,
    pub(crate) event: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) is_comment: bool,
}

impl Message {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.data.as_deref().unwrap()).unwrap()
    }
}

impl Events {
    /// The next that has data.
    pub(crate) fn message(&mut self) -> Option<Message> {
        self.find(|message| message.data.is_some())
    }
}

impl Iterator for Events {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let mut message = Message::default();
        loop {
            let line = self.0.next()?.ok()?;
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() => return Some(message),
                "" => message.is_comment = true,
                "id" => message.id = Some(value.parse().unwrap()),
                "event" => message.event = Some(value.to_owned()),
                "data" => match &mut message.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => message.data = Some(value.to_owned()),
                },
                "retry" => {}
                other => panic!("no field of server-sent events: {other:?}"),
            }
        }
    }
}

/// Sets a flag at the end, also if that is a panic: whoever runs until then must not run for ever.
pub(crate) struct SetAtEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes bytes to a socket as they are, and reads the one answer.
pub(crate) fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    let mut bytes = Vec::new();
    // A server that refuses a body without reading it resets the connection after its answer.
    let _reset = stream.read_to_end(&mut bytes);
    Answer::parse(&bytes)
}

/// A request without a body, on a connection of its own; `lines` end in CRLF, and may hold any byte.
pub(crate) fn raw_request(address: SocketAddr, first: &[u8], lines: &[u8]) -> Answer {
    let mut request = first.to_vec();
    request.extend_from_slice(b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    request.extend_from_slice(lines);
    request.extend_from_slice(b"\r\n");
    raw(address, &request)
}

/// Begins a PUT of two bytes to `/v1/kv/a`, and returns when the server waits for them.
pub(crate) fn begin_put(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        b"PUT /v1/kv/a HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    stream.write_all(head).unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(given, _)| given == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        value
    }

    pub(crate) fn etag(&self) -> &str {
        self.header("etag").unwrap_or_else(|| panic!("no ETag: {self:?}"))
    }

    /// The revision in the ETag, which clients do not look into.
    pub(crate) fn revision(&self) -> u64 {
        self.etag().trim_matches('"').split('-').next().unwrap().parse().unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it is a problem document of this status and kind, not to be cached, and returns it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, slug: &str) -> serde_json::Value {
        assert_eq!(self.status, status, "{self:?} {}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{problem}");
        for text in ["title", "detail"] {
            assert!(!problem[text].as_str().unwrap().is_empty(), "{text} of {problem}");
        }
        problem
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?} {}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// A connection of HTTP/2 without TLS, for clients that know that the server speaks it.
pub(crate) type Http2 = hyper::client::conn::http2::SendRequest<axum::body::Body>;

pub(crate) async fn connect_http2(address: SocketAddr) -> (Http2, tokio::task::JoinHandle<()>) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    (sender, tokio::spawn(async { drop(connection.await) }))
}

/// The status of a GET by HTTP/2.
pub(crate) fn http2(address: SocketAddr, uri: &str) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut sender, _connection) = connect_http2(address).await;
        let request = axum::http::Request::get(uri).body(axum::body::Body::empty()).unwrap();
        sender.send_request(request).await.unwrap().status().as_u16()
    })
}
