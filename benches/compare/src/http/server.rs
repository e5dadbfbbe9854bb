//! A server at work: one of this program's, Redis, or etcd.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::load::Wire;
use super::protocol::Protocol;
use super::served;

/// Who takes part.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// What the tables call it.
    pub name: &'static str,
    /// Which.
    pub kind: Kind,
}

/// What is started.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// This program.
    Own(&'static str),
    /// `redis-server`, with this `appendfsync`.
    Redis(&'static str),
    /// `etcd`.
    Etcd,
}

/// Ends with it.
pub struct Server {
    child: Child,
    /// On the loopback.
    pub port: u16,
    /// How it is spoken to.
    pub wire: Wire,
}

/// How long one may take until it answers.
const START: Duration = Duration::from_secs(20);

impl Server {
    /// Waits until it listens.
    ///
    /// # Errors
    /// What is missing, and how to come by it.
    pub fn start(contender: Contender, directory: &Path) -> Result<Self, String> {
        match contender.kind {
            Kind::Own(kind) => Ok(Self::own(kind, directory)),
            Kind::Redis(appendfsync) => Self::redis(appendfsync, directory),
            #[cfg(feature = "etcd")]
            Kind::Etcd => Self::etcd(directory),
            #[cfg(not(feature = "etcd"))]
            Kind::Etcd => Err("etcd is left out: it takes part after `apt-get install etcd-server protobuf-compiler libprotobuf-dev \
                               librocksdb-dev libclang-dev`, and `cargo compare-all`"
                .to_owned()),
        }
    }

    fn own(kind: &str, directory: &Path) -> Self {
        let program = std::env::current_exe().expect("this program is a file");
        let mut child = Command::new(program)
            .args([served::SERVE, kind])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started");
        let mut port = String::new();
        let output = child.stdout.take().expect("it is a pipe");
        BufReader::new(output).read_line(&mut port).expect("it answers");
        let port = port.trim().parse().expect("a port");
        Self { child, port, wire: Wire::Bytes(Protocol::Documents) }
    }

    /// No snapshots beside its log: they are no part of what survives.
    fn redis(appendfsync: &str, directory: &Path) -> Result<Self, String> {
        let port = free_port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command
            .args(["--appendonly", "yes", "--appendfsync", appendfsync])
            .arg("--dir")
            .arg(directory);
        let child = started(command, directory, "redis-server", "apt-get install redis-server")?;
        Self { child, port, wire: Wire::Bytes(Protocol::Redis) }.listening("redis-server")
    }

    /// What its threads had of the processors, in seconds. (The clock of a process by its number ticks every 10 ms only.)
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let nanos = threads.into_iter().flatten().filter_map(|thread| {
            let spent = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            spent.split(' ').next()?.parse::<u64>().ok()
        });
        nanos.sum::<u64>() as f64 / 1e9
    }

    /// A cluster of one, which syncs before it answers: it has no weaker mode.
    #[cfg(feature = "etcd")]
    fn etcd(directory: &Path) -> Result<Self, String> {
        let port = free_port();
        let (clients, peers) =
            (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", free_port()));
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(directory.join("etcd")).args(["--log-level", "error"]);
        command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
        command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
        command.args(["--initial-cluster", &format!("default={peers}")]);
        let child = started(command, directory, "etcd", "apt-get install etcd-server")?;
        let server = Self { child, port, wire: Wire::Grpc }.listening("etcd")?;
        // It elects itself before it takes a write.
        std::thread::sleep(Duration::from_secs(2));
        Ok(server)
    }

    fn listening(self, program: &str) -> Result<Self, String> {
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if begin.elapsed() > START {
                return Err(format!("{program} is left out: it does not listen after {START:?}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(self)
    }
}

fn started(
    mut command: Command,
    directory: &Path,
    program: &str,
    remedy: &str,
) -> Result<Child, String> {
    let log = || File::create(directory.join("output")).expect("the directory is ours");
    let child = command.stdin(Stdio::null()).stdout(log()).stderr(log()).spawn();
    child.map_err(|error| format!("{program} is left out: {error}; `{remedy}` installs it"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are ports");
    listener.local_addr().expect("it is bound").port()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}
