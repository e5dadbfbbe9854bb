//! get, put, delete and list.

use std::fs;
use std::process::Stdio;

use crate::support::Server;

#[test]
fn what_is_put_is_got_to_the_byte() {
    let server = Server::start(&[]);
    let bytes: Vec<u8> = (0..=255).collect();
    let cases: [(&str, &[u8], &str); 6] = [
        ("json", b"{\"n\": 1.50}\n", "application/json"),
        ("text", "grüße".as_bytes(), "text/plain; charset=utf-8"),
        ("bytes", &bytes, "application/octet-stream"),
        ("quoted bytes", b"\"\xff\"", "application/octet-stream"),
        ("a b/%2F?#", b"5", "application/json"),
        ("empty", b"", "text/plain; charset=utf-8"),
    ];
    for (key, body, content_type) in cases {
        let tag = server.run_with(&["put", key, "-"], body).ok();
        assert_eq!(server.run(&["get", key]).out, body, "{key}");
        let head = format!("ETag: {tag}Content-Type: {content_type}\n\n");
        let whole = server.run(&["get", key, "--include"]).out;
        assert_eq!(whole, [head.as_bytes(), body].concat(), "{key}");
        server.ok(&["get", key, "--output", "file"]);
        assert_eq!(fs::read(server.path("file")).unwrap(), body, "{key}");
    }
    fs::write(server.path("in"), &bytes).unwrap();
    server.ok(&["put", "typed", "--file", "in", "--content-type", "image/png"]);
    assert!(server.run(&["get", "-i", "typed"]).out.starts_with(b"ETag: \""));
    let line = &server.run(&["get", "typed", "--json"]).json_lines()[0];
    assert_eq!(line["content_type"], "image/png");
    assert!(line["base64"].is_string());
}

/// The story: a file that only its owner could read was open to everybody after a document was written over it.
#[cfg(unix)]
#[test]
fn a_file_that_is_written_over_stays_as_open_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start(&[]);
    server.ok(&["put", "a", "secret"]);
    let path = server.path("file");
    fs::write(&path, "before").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    server.ok(&["get", "a", "--output", "file"]);
    assert_eq!(fs::read(&path).unwrap(), b"secret");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_printed_tag_guards_the_next_write() {
    let server = Server::start(&["--history", "5"]);
    let first = server.ok(&["put", "a", "1", "--create"]);
    let first = first.trim();
    let second = server.ok(&["put", "a", "2", "--if-match", first]);
    // A shell takes quotes away.
    let line = server.run(&["put", "a", "3", "--if-match", first.trim_matches('"')]).fails(3);
    assert!(line.contains(second.trim()) && line.contains("now: revision "), "{line}");
    let revision = server.run(&["list", "--json"]).json_lines()[0]["revision"].to_string();
    server.ok(&["put", "a", "3", "--revision", &revision]);
    server.run(&["put", "a", "4", "--revision", &revision]).fails(3);
    assert_eq!(server.ok(&["get", "a", "--at", &revision]), "2");
    server.run(&["put", "a", "4", "--create"]).fails(3);
    server.run(&["put", "b", "4", "--exists"]).fails(3);
    server.run(&["delete", "a", "--if-match", first]).fails(3);
    server.ok(&["put", "a/b", "1"]);
    let line = server.run(&["delete", "a", "--unless-prefix", "a/"]).fails(3);
    assert!(line.contains("in the way: a/b"), "{line}");
    assert_eq!(server.ok(&["delete", "a", "--exists"]), "");
    assert_eq!(server.ok(&["list", "--keys-only"]), "a/b\n");
}

#[test]
fn a_list_has_a_line_an_entry_in_order() {
    let server = Server::start(&[]);
    for key in ["b", "a/2", "a/1", "a/3"] {
        server.ok(&["put", key, "12"]);
    }
    assert_eq!(server.ok(&["list", "a/", "-k"]), "a/1\na/2\na/3\n");
    assert_eq!(server.ok(&["list", "-k", "--limit", "2"]), "a/1\na/2\n");
    let lines = server.ok(&["list", "a/1"]);
    let columns: Vec<&str> = lines.trim_end().split('\t').collect();
    assert_eq!((columns[0], columns[2], columns[3]), ("a/1", "application/json", "2"));
    let lines = server.run(&["list", "--json"]).json_lines();
    assert_eq!(lines.len(), 4);
    assert_eq!((&lines[3]["key"], &lines[3]["value"]), (&"b".into(), &12.into()));
    assert_eq!(
        lines[3]["revision"].to_string(),
        server.ok(&["list", "b"]).split('\t').nth(1).unwrap()
    );
}

#[test]
fn json_is_one_line_whatever_its_layout() {
    let server = Server::start(&[]);
    server.run_with(&["put", "a", "-"], b"{\n  \"n\": 1.50,\r\n  \"s\": \"\\n\"\n}\n").ok();
    let output = server.run(&["get", "a", "--json"]);
    assert_eq!(output.text().lines().count(), 1);
    assert!(output.text().contains("1.50"));
    assert_eq!(output.json_lines()[0]["value"]["s"], "\n");
    for arguments in [&["put", "b", "1", "--json"][..], &["delete", "b", "--json"]] {
        assert_eq!(server.run(arguments).json_lines()[0]["key"], "b");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let server = Server::start(&[]);
    let large = "x".repeat(1 << 20);
    server.run_with(&["put", "a", "-"], large.as_bytes()).ok();
    for arguments in [&["get", "a"][..], &["get", "a", "--json"], &["export"]] {
        let mut child = server
            .command(arguments)
            .arg("--quiet")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), output.stderr.as_slice()),
            (Some(0), &b""[..]),
            "{arguments:?}"
        );
    }
}
