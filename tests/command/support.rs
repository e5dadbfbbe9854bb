//! A server, and commands that are run against it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_ifmatch");

/// A server process. It is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// For the files of the test, and what processes make in their temporary folder.
    pub(crate) folder: TempDir,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let (child, url) = serve("127.0.0.1:0", arguments);
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { child, url, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What commands have left in their temporary folder.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command();
        command
            .env("IFMATCH_URL", &self.url)
            .env("IFMATCH", BINARY)
            .env("TMPDIR", self.path("tmp"))
            .current_dir(self.folder.path())
            .args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments), b"")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        run(&mut self.command(arguments), stdin)
    }

    /// Runs what must succeed; its stdout.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).ok()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it end in good order.
    #[cfg(unix)]
    pub(crate) fn stop(&mut self) {
        signal("TERM", &self.child);
        assert!(self.child.wait().unwrap().success());
    }

    /// Starts it again, after its end, at the same address.
    pub(crate) fn restart(&mut self, arguments: &[&str]) {
        let address = self.url.strip_prefix("http://").unwrap().to_owned();
        (self.child, _) = serve(&address, arguments);
    }
}

fn serve(address: &str, arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(BINARY)
        .args(["serve", "--listen", address])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.strip_prefix("listening on ").unwrap().trim().to_owned();
    (child, url)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The URL of a server of one request a connection, whose answers a closure makes of the heads of the requests.
pub(crate) fn scripted(mut answer: impl FnMut(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = read_request(&mut stream);
            // It may have gone.
            let _gone = stream.write_all(answer(&head).as_bytes());
        }
    });
    url
}

/// Reads a request whole; its head.
fn read_request(stream: &mut TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    head
}

/// An answer with a body; `head` is the status line and headers, without the last line's end.
pub(crate) fn answer(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// A problem document.
pub(crate) fn problem(status: &str, slug: &str, headers: &str) -> String {
    let number = &status[..3];
    let body = format!(
        r#"{{"type": "/problems/{slug}", "title": "T", "status": {number}, "detail": "D"}}"#
    );
    answer(&format!("{status}\r\ncontent-type: application/problem+json{headers}"), &body)
}

/// The command without what the environment of the test could add.
pub(crate) fn command() -> Command {
    let mut command = Command::new(BINARY);
    for name in ["IFMATCH_URL", "IFMATCH_TOKEN", "VISUAL", "EDITOR"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without having read all.
    let _rest = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Output {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        String::from_utf8(self.out).unwrap()
    }

    /// Checks the exit code, that there is nothing on stdout, and one line on stderr, which is returned.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.out.is_empty(), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        self.err.trim_end().to_owned()
    }

    /// Like `fails`, with `--json`.
    #[track_caller]
    pub(crate) fn problem(self, code: i32) -> Value {
        let line = self.fails(code);
        let problem: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(problem["exit_code"], code, "{problem}");
        assert!(problem["detail"].is_string(), "{problem}");
        problem
    }

    /// The lines of stdout, each of which is JSON.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let read =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.text().lines().map(read).collect()
    }
}

/// A script that is run in place of an editor; the file is its `$1`.
#[cfg(unix)]
pub(crate) fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\nset -e\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
pub(crate) fn signal(name: &str, child: &Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}
