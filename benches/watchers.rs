//! What does a watch over HTTP cost that has nothing to tell?
//!
//! A server, as a process of its own, is followed by thousands of idle clients, each on a connection. Shown is what each
//! takes of the server's memory, and how long it takes until one commit has reached all of them. It needs two file
//! descriptors a watcher (`ulimit -n`), and Linux, for the memory of a process.
//!
//!     cargo bench --features cli --bench watchers
//!     cargo bench --features cli --bench watchers -- 2000     # so many

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the memory of a process is read from /proc, which is not here");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    pub(super) fn main() {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let quick = !arguments.iter().any(|argument| argument == "--bench")
            || arguments.iter().any(|argument| argument == "--quick" || argument == "--test");
        let given = arguments.iter().find_map(|argument| argument.parse().ok());
        let count: usize = given.unwrap_or(if quick { 100 } else { 10_000 });

        let server = Server::start();
        // What a first connection makes the server allocate once is not counted.
        drop(server.watch());
        let before = server.resident_kib();
        let mut watchers: Vec<TcpStream> = (0..count).map(|_| server.watch()).collect();
        let after = server.resident_kib();
        let each = after.saturating_sub(before) * 1_024 / u64::try_from(count).expect("a number");
        println!(
            "{count} idle watchers: {} MiB before, {} MiB after, {each} bytes each",
            before / 1_024,
            after / 1_024
        );

        let start = Instant::now();
        server.put();
        for watcher in &mut watchers {
            let message = read_until(watcher, "event: commit");
            assert!(message.contains("\"key\":\"a\""), "{message}");
        }
        println!("one commit reached all of them in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    }

    struct Server {
        child: Child,
        address: String,
    }

    impl Server {
        fn start() -> Self {
            let mut child = Command::new(env!("CARGO_BIN_EXE_ifmatch"))
                .args(["serve", "--listen", "127.0.0.1:0", "--max-connections", "20000"])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("the command starts");
            let stdout = child.stdout.take().expect("it is piped");
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
            let address = line.trim().rsplit("//").next().expect("an address").to_owned();
            Self { child, address }
        }

        /// A watch that has begun.
        fn watch(&self) -> TcpStream {
            let mut stream = TcpStream::connect(&self.address).expect("it listens");
            stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket has that");
            let request = format!("GET /v1/watch HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
            stream.write_all(request.as_bytes()).expect("it reads");
            read_until(&mut stream, "id: ");
            stream
        }

        fn put(&self) {
            let mut stream = TcpStream::connect(&self.address).expect("it listens");
            let request = format!(
                "PUT /v1/kv/a HTTP/1.1\r\nhost: {}\r\ncontent-length: 1\r\nconnection: close\r\n\r\n1",
                self.address
            );
            stream.write_all(request.as_bytes()).expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers");
            assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        }

        /// What the process has in memory.
        fn resident_kib(&self) -> u64 {
            let path = format!("/proc/{}/status", self.child.id());
            let status = std::fs::read_to_string(path).expect("the process runs");
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.expect("Linux says how much")
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ended = self.child.kill();
            let _status = self.child.wait();
        }
    }

    /// Reads until `text`, and the rest of its message.
    fn read_until(stream: &mut TcpStream, text: &str) -> String {
        let mut read = Vec::new();
        let mut some = [0; 4_096];
        loop {
            let count = stream.read(&mut some).expect("the watch goes on");
            assert!(count > 0, "the watch ended");
            read.extend_from_slice(&some[..count]);
            let so_far = String::from_utf8_lossy(&read);
            if so_far.split_once(text).is_some_and(|(_, rest)| rest.contains("\n\n")) {
                return so_far.into_owned();
            }
        }
    }
}
