//! The exit codes of `--help`, each by a way to it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::{Server, answer, command, problem, run, scripted};

#[test]
fn help_has_the_table() {
    let help = run(command().arg("--help"), b"").ok();
    for line in
        ["0  done", "2  wrong", "3  conflict", "4  no such key", "8  outcome unknown", "9  damaged"]
    {
        assert!(help.contains(line), "{line}: {help}");
    }
}

#[test]
fn wrong_arguments_are_2() {
    let server = Server::start(&[]);
    let cases: [&[&str]; 16] = [
        &["get"],
        &["get", "a//b"],
        &["get", "a", "--at", "0"],
        &["get", "a", "--server", "ftp://x"],
        &["get", "a", "--timeout", "0"],
        &["get", "a", "--timeout", "1h"],
        &["put", "a"],
        &["put", "a", "1", "--file", "f"],
        &["put", "a", "1", "--create", "--exists"],
        &["put", "a", "1", "--if-match", "\"a\", \"b\""],
        &["delete", "a", "--create"],
        &["list", "--limit", "0"],
        &["import", "-", "--create", "--overwrite"],
        &["import", "-", "--resume"],
        &["export", "--resume"],
        &["serve", "--json"],
    ];
    for arguments in cases {
        server.run(arguments).fails(2);
        let in_json = [arguments, &["--json"]].concat();
        if arguments[0] != "serve" {
            server.run(&in_json).problem(2);
        }
    }
}

/// Of a server that is not there it would be 6.
#[test]
fn an_edit_that_cannot_be_is_refused_before_the_server_is_asked() {
    let mut server = Server::start(&[]);
    server.kill();
    server.run(&["edit", "a", "--keyed", "items=id"]).fails(2);
    run(server.command(&["edit", "a"]).env("VISUAL", "'x"), b"").fails(2);
    run(server.command(&["edit", "a"]).env("VISUAL", " "), b"").fails(2);
    run(&mut server.command(&["edit", "a"]), b"").fails(6);
}

/// Of a server that is not there it would be 6.
#[test]
fn an_export_that_cannot_be_is_refused_before_the_server_is_asked() {
    let mut server = Server::start(&[]);
    server.kill();
    let state = r#"{"server": "", "prefix": "a/", "revision": 1, "bytes": 0, "entries": 0}"#;
    fs::write(server.path("out"), "").unwrap();
    fs::write(server.path("out.ifmatch-export"), state).unwrap();
    server.run(&["export", "--resume"]).fails(2);
    server.run(&["export", "b/", "out", "--resume"]).fails(2);
    assert!(server.run(&["export", "", "out"]).fails(1).contains("exists"));
}

#[test]
fn conflicts_are_3_in_both_modes_of_the_server() {
    for status in ["409", "412"] {
        let server = Server::start(&["--precondition-status", status]);
        let tag = server.ok(&["put", "a", "1"]);
        server.ok(&["put", "a", "2"]);
        let current = server.run(&["list", "--json"]).json_lines().remove(0);
        let stale = ["put", "a", "3", "--if-match", tag.trim()];
        let line = server.run(&stale).fails(3);
        assert!(line.starts_with("ifmatch: conflict: "), "{line}");
        assert!(line.contains(&format!("now: revision {}", current["revision"])), "{line}");
        let problem = server.run(&[&stale[..], &["--json"]].concat()).problem(3);
        assert_eq!(problem["current_revision"], current["revision"]);
        assert_eq!(problem["current_etag"], current["etag"]);
        assert_eq!(problem["status"].to_string(), status);
    }
}

#[test]
fn absence_is_4() {
    let server = Server::start(&[]);
    for arguments in [&["get", "x"][..], &["delete", "x"], &["edit", "x"]] {
        assert!(server.run(arguments).fails(4).contains('x'));
        assert_eq!(server.run(&[arguments, &["--json"]].concat()).problem(4)["key"], "x");
    }
}

/// A URL that is wrong, and a proxy, say nothing of what is stored.
#[test]
fn a_status_that_is_not_the_servers_own_is_neither_absence_nor_a_conflict() {
    let server = Server::start(&[]);
    let wrong = format!("{}/wrong", server.url);
    for arguments in [&["get", "x"][..], &["delete", "x"], &["list"], &["watch"]] {
        let line = server.run(&[arguments, &["--server", &wrong]].concat()).fails(1);
        assert!(line.contains("(404)"), "{line}");
    }
    for status in ["404 Not Found", "409 Conflict", "410 Gone", "412 Precondition Failed"] {
        let url = scripted(move |_| answer(status, "<h1>A proxy</h1>"));
        for arguments in [&["get", "x"][..], &["put", "x", "1"], &["delete", "x"]] {
            server.run(&[arguments, &["--server", &url]].concat()).fails(1);
        }
    }
}

#[test]
fn credentials_come_from_a_file_or_the_environment_and_their_lack_is_5() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "reader-token-0123456789 read\nwriter-token-0123456789 write\n").unwrap();
    let server = Server::start(&["--auth-token-file", tokens.to_str().unwrap()]);
    fs::write(server.path("token"), "writer-token-0123456789\n").unwrap();
    fs::write(server.path("empty"), "\n").unwrap();
    server.run(&["put", "a", "1"]).fails(5);
    let problem = server.run(&["put", "a", "1", "--json"]).problem(5);
    assert_eq!(problem["status"], 401);
    server.ok(&["put", "a", "1", "--token-file", "token"]);
    let reader = |arguments: &[&str]| {
        run(server.command(arguments).env("IFMATCH_TOKEN", "reader-token-0123456789"), b"")
    };
    assert_eq!(reader(&["get", "a"]).ok(), "1");
    assert_eq!(reader(&["put", "a", "2", "--json"]).problem(5)["status"], 403);
    reader(&["put", "a", "2", "--token-file", "token"]).ok();
    server.run(&["get", "a", "--token-file", "empty"]).fails(2);
    server.run(&["get", "a", "--token-file", "none"]).fails(1);
}

#[test]
fn no_connection_is_6_also_for_a_write() {
    let mut server = Server::start(&[]);
    server.kill();
    for arguments in [&["get", "a"][..], &["put", "a", "1"], &["list"], &["watch"]] {
        let line = server.run(arguments).fails(6);
        assert!(line.contains("no connection"), "{line}");
    }
    server.run(&["put", "a", "1", "--json"]).problem(6);
}

#[test]
fn what_is_not_kept_is_7() {
    let server = Server::start(&[]);
    server.ok(&["put", "a", "1"]);
    let revision = server.run(&["list", "--json"]).json_lines()[0]["revision"].to_string();
    server.ok(&["put", "a", "2"]);
    server.run(&["get", "a", "--at", &revision]).fails(7);
    server.run(&["watch", "--since", "1"]).fails(7);
    server.run(&["watch", "--since", "1", "--json"]).problem(7);
}

/// A server that takes every request, and answers none.
#[test]
fn a_write_whose_answer_is_lost_is_8_and_a_read_6() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _read = stream.read(&mut [0; 4096]);
            let _gone = stream.flush();
        }
    });
    for (code, arguments) in
        [(8, &["put", "a", "1"][..]), (8, &["delete", "a"]), (6, &["get", "a"])]
    {
        let line = run(command().args(arguments).args(["--server", &url]), b"").fails(code);
        assert!(code == 6 || line.contains("unknown"), "{line}");
    }
    run(command().args(["put", "a", "1", "--json", "--server", &url]), b"").problem(8);
}

/// The story: the last attempt alone counted, and it was told that nothing was done.
#[test]
fn a_write_of_unknown_outcome_is_8_though_its_repeat_is_refused() {
    let mut requests = 0;
    let url = scripted(move |_| {
        requests += 1;
        let slug = if requests == 1 { "outcome-unknown" } else { "unavailable" };
        problem("503 Service Unavailable", slug, "\r\nretry-after: 0")
    });
    run(command().args(["put", "a", "1", "--server", &url]), b"").fails(8);
}

#[test]
fn other_failures_are_1() {
    let server = Server::start(&["--max-body", "10"]);
    server.run(&["put", "a", "--file", "none"]).fails(1);
    let problem = server.run(&["put", "a", "123456789012", "--json"]).problem(1);
    assert_eq!(problem["status"], 413);
    let output = server.run(&["get", "a", "--ca-cert", "none"]);
    output.fails(1);
}

#[test]
fn a_certificate_is_trusted_if_it_is_named_and_else_there_is_no_connection() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("cert"), made.cert.pem()).unwrap();
    fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
    let server = Server::start(&["--tls-cert", &path("cert"), "--tls-key", &path("key")]);
    assert!(server.url.starts_with("https://"));
    server.ok(&["put", "a", "1", "--ca-cert", &path("cert")]);
    assert_eq!(server.ok(&["get", "a", "--ca-cert", &path("cert")]), "1");
    let line = server.run(&["put", "a", "2"]).fails(6);
    assert!(line.contains("certificate"), "{line}");
    server.run(&["get", "a", "--ca-cert", &path("key")]).fails(2);
}
