//! etcd, as a process of the test's, on ports of loopback that nobody else has.
//!
//! A shell stands between: it ends etcd, and removes its files, when the pipe to it is closed, however the test ends.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::others::etcdctl;

/// How to start etcd, if it is not called so.
const PROGRAM: &str = "IFMATCH_ETCD";

const KEEPER: &str = r#"
directory=$1; shift
"$@" >"$directory/log" 2>&1 </dev/null &
child=$!
echo "$child"
cat >/dev/null
kill -9 "$child" 2>/dev/null
wait "$child" 2>/dev/null
[ -n "$KEEP" ] || rm -rf "$directory"
"#;

/// A member that runs; it is killed when this is dropped.
pub(crate) struct Server {
    keeper: Child,
    pid: i32,
    pub(crate) url: String,
}

/// Where a member is, and what it is told.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) client_port: u16,
    pub(crate) peer_port: u16,
    /// `name=url` of all members.
    pub(crate) cluster: String,
    pub(crate) directory: PathBuf,
    /// Its files stay when it ends, so that it can be started again.
    pub(crate) is_kept: bool,
    /// How clients speak to it.
    pub(crate) scheme: &'static str,
    pub(crate) options: Vec<String>,
}

/// Ports that nobody listens on. They are below those that the system gives to who connects (32768 on Linux), one of whom
/// could take one before etcd does.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    [(); N].map(|()| {
        loop {
            let number = NEXT
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_add(std::process::id().wrapping_mul(131));
            let port = u16::try_from(10_000 + number % 22_000).unwrap();
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    })
}

pub(crate) fn program() -> String {
    let program = std::env::var(PROGRAM).unwrap_or_else(|_| "etcd".to_owned());
    if let Err(error) = Command::new(&program).arg("--version").output() {
        panic!(
            "cannot run {program}: {error}. These tests need etcd: apt-get install etcd-server etcd-client, \
             or its path in {PROGRAM}"
        );
    }
    program
}

impl Place {
    /// Of a cluster of one.
    pub(crate) fn alone(options: &[&str]) -> Self {
        let [client_port, peer_port] = free_ports();
        Self {
            name: "one".to_owned(),
            client_port,
            peer_port,
            cluster: format!("one=http://127.0.0.1:{peer_port}"),
            directory: tempfile::tempdir().unwrap().keep(),
            is_kept: false,
            scheme: "http",
            options: options.iter().map(|&option| option.to_owned()).collect(),
        }
    }

    /// Saves what is there, and starts it again from that, as a cluster with this token.
    pub(crate) fn restored(&self, server: Server, token: &str) -> Server {
        let saved = self.directory.join("saved.db");
        let data = self.directory.join("data");
        let (saved, data_text) = (saved.to_str().unwrap(), data.to_str().unwrap());
        etcdctl(&server.url, &["snapshot", "save", saved]);
        drop(server);
        std::fs::remove_dir_all(&data).unwrap();
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let place = ["--data-dir", data_text, "--name", &self.name];
        let cluster = ["--initial-cluster", &self.cluster, "--initial-advertise-peer-urls", &peer];
        let restore = ["snapshot", "restore", saved, "--initial-cluster-token", token];
        etcdctl("", &[&restore[..], &place, &cluster].concat());
        std::fs::remove_file(saved).unwrap();
        self.start()
    }

    pub(crate) fn start(&self) -> Server {
        let client = format!("{}://127.0.0.1:{}", self.scheme, self.client_port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(&self.directory)
            .arg(program())
            .args(["--name", &self.name, "--data-dir"])
            .arg(self.directory.join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &self.cluster])
            .args(&self.options)
            .env("KEEP", if self.is_kept { "1" } else { "" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = line.trim().parse().expect("the shell says the number of the process");
        Server { keeper, pid, url: client }
    }
}

impl Server {
    /// A cluster of one, with these options.
    pub(crate) fn start(options: &[&str]) -> Self {
        Place::alone(options).start()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_raw(self.pid).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}
