//! watch.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Server, answer, command, run, scripted, signal};

#[test]
fn a_watch_has_a_line_a_commit_from_where_it_was_told() {
    let server = Server::start(&[]);
    server.ok(&["put", "before", "1"]);
    let revision = server.run(&["list", "--json"]).json_lines()[0]["revision"].to_string();
    server.ok(&["put", "a", "1"]);
    server.ok(&["put", "b", "1"]);
    server.ok(&["delete", "a"]);
    let lines = server.ok(&["watch", "--since", &revision, "--limit", "3", "--quiet"]);
    let lines: Vec<&str> = lines.lines().map(|line| line.split_once('\t').unwrap().1).collect();
    assert_eq!(lines, ["put a", "put b", "delete a"]);
    let output = server.run(&["watch", "a", "--since", &revision, "--limit", "2", "--json"]);
    let lines = output.json_lines();
    assert_eq!(lines[0]["events"][0]["type"], "put");
    assert_eq!(lines[0]["events"][0]["value"], 1);
    assert_eq!(lines[1]["events"][0]["type"], "delete");
    assert_eq!(lines[1]["revision"], lines[1]["events"][0]["revision"]);
}

#[test]
fn a_transaction_is_one_line_of_a_watch() {
    let server = Server::start(&[]);
    let revision = server.ok(&["put", "x", "1", "--json"]);
    assert!(revision.contains("etag"));
    let revision = server.run(&["list", "--json"]).json_lines()[0]["revision"].to_string();
    let lines = b"{\"key\": \"a\", \"value\": 1}\n{\"key\": \"b\", \"value\": 2}\n";
    server.run_with(&["import", "-"], lines).ok();
    let line = server.ok(&["watch", "--since", &revision, "--limit", "1", "-q"]);
    assert!(line.ends_with("\tput a\tput b\n"), "{line}");
}

#[test]
fn a_commit_that_cannot_be_told_is_named_in_json_too() {
    let data = r#"{"revision": 2, "key": "a", "keys": ["a", "b"], "detail": "damaged"}"#;
    let mut requests = 0;
    let url = scripted(move |_| {
        requests += 1;
        let text = match requests {
            1 => format!("id: 1\n\nevent: unreadable\ndata: {data}\n\n"),
            _ => "id: 3\nevent: commit\ndata: {\"revision\": 3, \"events\": []}\n\n".to_owned(),
        };
        answer("200 OK\r\ncontent-type: text/event-stream", &text)
    });
    let arguments = ["watch", "--limit", "1", "--quiet", "--json", "--server", &url];
    let output = run(command().args(arguments), b"");
    assert_eq!(output.json_lines()[0]["revision"], 3, "{output:?}");
    let told: Value = serde_json::from_str(&output.err).unwrap();
    assert_eq!(told["keys"], json!(["a", "b"]));
    assert!(told["detail"].as_str().unwrap().contains("damaged"), "{told}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_watch_in_good_order() {
    let server = Server::start(&[]);
    let mut child =
        server.command(&["watch"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut note = String::new();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    err.read_line(&mut note).unwrap();
    assert!(note.contains("watching"), "{note}");
    server.ok(&["put", "a", "1"]);
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(line.ends_with("\tput a\n"), "{line}");
    signal("INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    assert_eq!(
        (out.read_line(&mut rest).unwrap(), err.read_line(&mut rest).unwrap()),
        (0, 0),
        "{rest}"
    );
}

/// A log knows what came after what was told, however the server ended. A server that starts again from nothing does not,
/// and that is said.
#[cfg(unix)]
#[test]
fn a_watch_goes_on_after_a_restart_of_the_server_or_says_that_it_cannot() {
    for (in_good_order, on_a_log, code, expected) in [
        (true, true, 0, &["put b", "put c"][..]),
        (false, true, 0, &["put b", "put c"]),
        (false, false, 7, &["put b"]),
    ] {
        let data = tempfile::tempdir().unwrap();
        let arguments = ["--data", data.path().to_str().unwrap()];
        let arguments = if on_a_log { &arguments[..] } else { &[] };
        let mut server = Server::start(arguments);
        server.ok(&["put", "a", "0"]);
        let mut child = server
            .command(&["watch", "--limit", "2"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut note = String::new();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        err.read_line(&mut note).unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut lines = String::new();
        server.ok(&["put", "b", "1"]);
        out.read_line(&mut lines).unwrap();
        if in_good_order {
            server.stop()
        } else {
            server.kill()
        }
        server.restart(arguments);
        server.ok(&["put", "c", "1"]);
        out.read_line(&mut lines).unwrap();
        let lines: Vec<&str> = lines.lines().map(|line| line.split_once('\t').unwrap().1).collect();
        assert_eq!(lines, expected);
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}
