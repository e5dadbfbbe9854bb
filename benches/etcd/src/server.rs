//! An etcd for the time of the run.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

pub struct Server {
    child: Child,
    pub url: String,
    _files: tempfile::TempDir,
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port").port()
}

impl Server {
    pub fn start() -> Self {
        let files = tempfile::tempdir().expect("a directory");
        let (url, peer) =
            (format!("http://127.0.0.1:{}", port()), format!("http://127.0.0.1:{}", port()));
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(files.path())
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd is there: apt-get install etcd-server");
        Self { child, url, _files: files }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
