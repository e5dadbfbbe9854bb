//! The command, as a process.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Client, begin_put};

const BINARY: &str = env!("CARGO_BIN_EXE_ifmatch");

const LOOPBACK: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// A server that runs. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) scheme: &'static str,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// With more in its environment.
    pub(crate) fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(BINARY)
            .envs(environment.iter().copied())
            .arg("serve")
            .args(if arguments.contains(&"--listen") { &[][..] } else { &LOOPBACK })
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.strip_prefix("listening on ").and_then(|line| line.strip_suffix('\n'));
        let url = url.unwrap_or_else(|| panic!("{line:?}"));
        let scheme = if url.starts_with("https") { "https" } else { "http" };
        let address = url.split("://").nth(1).unwrap().parse().unwrap();
        Self { child, address, scheme, stdout }
    }

    fn on(directory: &Path) -> Self {
        Self::start(&["--data", directory.to_str().unwrap()])
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(self.address)
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end; returns how it ended, and what else it printed on stdout and stderr.
    pub(crate) fn ended(mut self) -> (ExitStatus, String, String) {
        let status = wait(&mut self.child);
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (status, out, err)
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "it does not end");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs the command, which must fail: nothing on stdout, one line on stderr, which is returned.
#[track_caller]
pub(crate) fn fails(arguments: &[&str]) -> String {
    failed(arguments).1
}

/// The same, with the exit code.
#[track_caller]
fn failed(arguments: &[&str]) -> (i32, String) {
    let mut child = Command::new(BINARY)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = wait(&mut child);
    let output = child.wait_with_output().unwrap();
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!status.success() && status.code().is_some(), "{arguments:?}: {status}");
    assert_eq!(out, "", "{arguments:?}");
    assert_eq!(err.lines().count(), 1, "{arguments:?}: {err}");
    assert!(err.starts_with("ifmatch: "), "{arguments:?}: {err}");
    (status.code().unwrap(), err.trim_end().to_owned())
}

/// Tries to serve the directory, which must fail and change nothing in it; returns the line.
#[track_caller]
fn refuses(directory: &Path, code: i32) -> String {
    let before = content(directory);
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", directory.to_str().unwrap()];
    let (ended, line) = failed(&arguments);
    assert_eq!(content(directory), before, "{line}");
    assert_eq!(ended, code, "{line}");
    line
}

/// The names and bytes of all files in a directory.
fn content(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// The largest file of a log, which is its segment.
fn segment(directory: &Path) -> std::path::PathBuf {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries.max_by_key(|entry| entry.metadata().unwrap().len()).unwrap().path()
}

#[test]
fn sigterm_and_sigint_end_it_in_good_order() {
    for signal in ["TERM", "INT"] {
        let directory = tempfile::tempdir().unwrap();
        let process = Process::on(directory.path());
        let client = process.client();
        client.put("/v1/kv/a", &[], "1").expect(201);
        process.signal(signal);
        let (status, out, err) = process.ended();
        assert_eq!((status.code(), out.as_str(), err.as_str()), (Some(0), "", ""), "{signal}");
        // In good order: the next start has nothing to report.
        let process = Process::on(directory.path());
        process.signal("TERM");
        assert_eq!(process.ended().2, "", "{signal}");
    }
}

#[test]
fn a_client_that_stalls_does_not_keep_it_from_ending() {
    let process = Process::start(&[]);
    let _stream = begin_put(process.address);
    process.signal("TERM");
    let (status, _, err) = process.ended();
    assert_eq!(status.code(), Some(0));
    assert!(err.contains("1 connection"), "{err}");
}

#[test]
fn a_restart_keeps_data_revisions_and_tags() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::on(directory.path());
    let client = process.client();
    let json = [("content-type", "application/json; charset=utf-8")];
    let first = client.put("/v1/kv/a/b", &json, "{\"n\": 1.50}").expect(201);
    let gone = client.put("/v1/kv/gone", &[], "1").expect(201);
    client.delete("/v1/kv/gone", &[]).expect(204);
    process.signal("TERM");
    assert!(process.ended().0.success());

    let process = Process::on(directory.path());
    let client = process.client();
    let read = client.get("/v1/kv/a/b", &[]).expect(200);
    assert_eq!(read.text(), "{\"n\": 1.50}");
    assert_eq!(read.header("content-type"), Some(json[0].1));
    assert_eq!(read.etag(), first.etag());
    client.get("/v1/kv/a/b", &[("if-none-match", first.etag())]).expect(304);
    let second = client.put("/v1/kv/a/b", &[("if-match", first.etag())], "2").expect(204);
    assert!(second.revision() > gone.revision() + 1, "the delete's revision is not used again");
    client.put("/v1/kv/a/b", &[("if-match", first.etag())], "3").problem(409, "stale-revision");
    client.put("/v1/kv/gone", &[("if-match", gone.etag())], "2").problem(409, "stale-revision");
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_the_next_start_says_what_it_found() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::on(directory.path());
    let client = process.client();
    let etags: Vec<String> = (0..20)
        .map(|n| {
            client.put(&format!("/v1/kv/{n}"), &[], n.to_string()).expect(201).etag().to_owned()
        })
        .collect();
    process.kill();
    let process = Process::on(directory.path());
    let client = process.client();
    for (n, etag) in etags.iter().enumerate() {
        let read = client.get(&format!("/v1/kv/{n}"), &[]).expect(200);
        assert_eq!((read.text(), read.etag()), (n.to_string().as_str(), etag.as_str()));
    }
    let newer = client.put("/v1/kv/new", &[], "1").expect(201);
    assert!(newer.revision() > 20 + 1);
    process.signal("TERM");
    let (status, _, err) = process.ended();
    assert!(status.success());
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("had not been closed in good order"), "{err}");
    assert!(err.contains("recovered 20 commits"), "{err}");
}

#[test]
fn in_memory_it_warns_and_starts_above_the_revisions_of_the_past() {
    let process = Process::start(&[]);
    let first = process.client().put("/v1/kv/a", &[], "1").expect(201);
    process.signal("TERM");
    let (_, _, err) = process.ended();
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("in memory"), "{err}");
    thread::sleep(Duration::from_millis(1_100));
    let process = Process::start(&[]);
    let client = process.client();
    let again = client.put("/v1/kv/a", &[], "1").expect(201);
    assert!(again.revision() > first.revision());
    client.put("/v1/kv/a", &[("if-match", first.etag())], "2").problem(409, "stale-revision");
    let target = format!("/v1/kv/a?revision={}", first.revision());
    client.put(&target, &[], "2").problem(409, "stale-revision");
}

#[test]
fn the_durability_and_the_largest_body_are_as_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let process =
        Process::start(&["--data", data, "--durability", "buffered", "--max-body", "20000000"]);
    let client = process.client();
    // More than the 16 MiB that a record may have by default.
    client.put("/v1/kv/a", &[], vec![0; 20_000_000]).expect(201);
    let lines = b"content-length: 20000001\r\n";
    crate::support::raw_request(process.address, b"PUT /v1/kv/b", lines).problem(413, "too-large");
    process.signal("TERM");
    assert!(process.ended().0.success());
    let process = Process::on(directory.path());
    assert_eq!(process.client().get("/v1/kv/a", &[]).expect(200).body.len(), 20_000_000);
}

#[test]
fn what_is_synced_in_time_is_acknowledged_before() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let process = Process::start(&["--data", data, "--durability", "interval=50ms"]);
    let synced = |process: &Process| {
        let answer = process.client().get("/metrics", &[]).expect(200);
        let figure = |line: &&str| line.starts_with("ifmatch_log_syncs_total ");
        let line = answer.text().lines().find(figure);
        line.unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let before = synced(&process);
    process.client().put("/v1/kv/a", &[], "1").expect(201);
    while synced(&process) == before {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_bad_argument_is_one_line() {
    let cases: [(&[&str], &str); 13] = [
        (&["serve", "--nonsense"], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&["serve", "--durability", "some"], "sync, buffered or interval=TIME"),
        (&["serve", "--durability", "interval"], "interval=100ms"),
        (&["serve", "--durability", "interval=0s"], "a number above 0 and ms, s or m"),
        (&["serve", "--durability", "interval=5 days"], "a number above 0 and ms, s or m"),
        (&["serve", "--max-body", "0"], "--max-body"),
        (&["serve", "--max-body", "300000000"], "--max-body"),
        (&["serve", "--max-body", "1k"], "--max-body"),
        (&["serve", "--data"], "--data"),
        (&["serve", "--listen", "nonsense"], "--listen nonsense"),
        (&["serve", "--listen", "127.0.0.1"], "--listen 127.0.0.1"),
        (&["serve", "--listen", "127.0.0.1:99999"], "--listen 127.0.0.1:99999"),
    ];
    for (arguments, part) in cases {
        let line = fails(arguments);
        assert!(line.contains(part), "{arguments:?}: {line}");
    }
}

#[test]
fn modes_of_preconditions_and_history_are_as_asked_for() {
    let process = Process::start(&["--precondition-status", "412", "--history", "2"]);
    let client = process.client();
    let first = client.put("/v1/kv/a", &[], "1").expect(201);
    client.put("/v1/kv/a", &[], "2").expect(204);
    client.put("/v1/kv/a", &[("if-match", first.etag())], "3").problem(412, "stale-revision");
    let at = format!("/v1/kv/a?at={}", first.revision());
    assert_eq!(client.get(&at, &[]).expect(200).text(), "1");
    client.put("/v1/kv/a", &[], "3").expect(204);
    client.get(&at, &[]).problem(410, "compacted");

    let process = Process::start(&["--require-preconditions"]);
    let client = process.client();
    client.put("/v1/kv/a", &[], "1").problem(428, "precondition-required");
    let created = client.put("/v1/kv/a", &[("if-none-match", "*")], "1").expect(201);
    client.put("/v1/kv/a", &[("if-match", "\"1\"")], "2").problem(409, "stale-revision");
    client.put("/v1/kv/a", &[("if-match", created.etag())], "2").expect(204);
}

#[test]
fn contradictory_and_impossible_arguments_are_one_line_and_exit_code_2() {
    let cases: &[(&[&str], &str)] = &[
        #[cfg(not(feature = "etcd"))]
        (&["--backend", "etcd://localhost:2379"], "this build has no etcd backend"),
        (&["--backend", "etcd://localhost:2379", "--data", "x"], "--data"),
        (&["--backend", "redis://localhost"], "etcd://"),
        (&["--precondition-status", "410"], "--precondition-status"),
        (&["--history", "0"], "--history"),
        (&["--max-connections", "0"], "--max-connections"),
        (&["--listen", "0.0.0.0:0"], "--auth-token-file"),
        (&["--listen", "nonsense"], "--listen nonsense"),
        (&["--auth-token-file", "x", "--allow-anonymous"], "--allow-anonymous"),
    ];
    for (flags, part) in cases {
        let line = fails(&[&["serve"], *flags].concat());
        assert!(line.contains(part), "{flags:?}: {line}");
        let status = Command::new(BINARY).arg("serve").args(*flags).stderr(Stdio::null()).status();
        assert_eq!(status.unwrap().code(), Some(2), "{flags:?}");
    }
}

#[test]
fn others_are_let_in_only_when_that_is_meant() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let line = fails(&["serve", "--listen", address]);
        assert!(line.contains("--allow-anonymous"), "{line}");
    }
    let mut child = Command::new(BINARY)
        .args(["serve", "--listen", "0.0.0.0:0", "--allow-anonymous"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("listening on http://0.0.0.0:"), "{line}");
}

#[test]
fn a_used_port_is_one_line_and_creates_no_directory() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let line = fails(&["serve", "--listen", &address, "--data", data.to_str().unwrap()]);
    assert!(line.contains(&address) && line.contains("in use"), "{line}");
    assert!(!data.exists());
}

#[test]
fn a_locked_directory_is_one_line_and_its_owner_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::on(directory.path());
    process.client().put("/v1/kv/a", &[], "1").expect(201);
    let line = refuses(directory.path(), 6);
    assert!(line.contains("in use by another process"), "{line}");
    process.client().put("/v1/kv/a", &[], "2").expect(204);
}

#[test]
fn a_foreign_file_is_one_line_and_stays_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("thesis.doc"), "years of work").unwrap();
    let line = refuses(directory.path(), 1);
    assert!(line.contains("thesis.doc"), "{line}");
}

/// A server on a backup would use revisions again that its original has used since.
#[test]
fn a_backup_is_not_served() {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let process = Process::on(directory.path());
    process.client().put("/v1/kv/a", &[], "1").expect(201);
    ifmatch::maintenance::backup(directory.path(), copy.path(), &mut |_| {}).unwrap();
    let line = refuses(copy.path(), 1);
    assert!(line.contains("is a backup") && line.contains("ifmatch log restore"), "{line}");
}

#[test]
fn a_damaged_log_is_one_line_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::on(directory.path());
    for n in 0..50 {
        process.client().put(&format!("/v1/kv/{n}"), &[], vec![b'x'; 100]).expect(201);
    }
    process.signal("TERM");
    assert!(process.ended().0.success());
    let path = segment(directory.path());
    let whole = fs::read(&path).unwrap();
    let text = whole.windows(100).position(|window| window == [b'x'; 100]).unwrap();
    for at in [0, text] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let line = refuses(directory.path(), 9);
        assert!(line.starts_with("ifmatch: cannot open the store in "), "{line}");
        assert!(
            line.contains("is damaged at byte") && line.contains("ifmatch log verify"),
            "{line}"
        );
    }
    fs::write(&path, &whole).unwrap();
    let process = Process::on(directory.path());
    process.client().get("/v1/kv/49", &[]).expect(200);
}

#[test]
fn a_log_of_another_program_version_is_one_line() {
    let directory = tempfile::tempdir().unwrap();
    // A store of the same format, but of other types.
    let store = ifmatch::Store::<u64, Vec<u64>>::builder().open(directory.path()).unwrap();
    store.put(7, vec![1, 2, 3]).unwrap();
    store.close().unwrap();
    let line = refuses(directory.path(), 1);
    assert!(line.contains("does not decode"), "{line}");
}

#[test]
fn a_directory_that_cannot_be_written_is_one_line() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "x").unwrap();
    for data in [file.clone(), file.join("below")] {
        let line = fails(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        assert!(line.contains(data.to_str().unwrap()), "{line}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

/// The file system itself refuses, so that it holds for a test that is run as root, too.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_directory_is_one_line() {
    for data in ["/proc/self/ifmatch", "/sys/ifmatch"] {
        let line = fails(&["serve", "--listen", "127.0.0.1:0", "--data", data]);
        assert!(line.contains(": cannot create"), "{line}");
    }
}

#[test]
fn help_and_version_are_on_stdout() {
    for (arguments, part) in [(["serve", "--help"], "--listen"), (["--version", ""], "ifmatch ")] {
        let arguments = arguments.iter().filter(|argument| !argument.is_empty());
        let output = Command::new(BINARY).args(arguments).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(String::from_utf8(output.stdout).unwrap().contains(part));
    }
}
