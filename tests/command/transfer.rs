//! import and export.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::{Output, Server};

const COUNT: usize = 2_000;

/// Documents of all kinds, under keys of all kinds.
fn lines() -> String {
    let key = |n: usize| match n % 5 {
        0 => format!("plain/{n}"),
        1 => format!("a b/{n}?x=1&y=%2F#"),
        2 => format!("ü/日本/{n}"),
        3 => format!("\"quoted\\\"/{n}"),
        _ => format!("+/{n}/{}", "k".repeat(900)),
    };
    let line = |n| {
        let mut line = json!({ "key": key(n) });
        match n % 4 {
            0 => {
                line["value"] = json!({ "n": n, "s": "line\nbreak \u{2028}", "deep": [[n], null] })
            }
            1 => line["value"] = json!(null),
            2 => {
                let bytes: Vec<u8> = (0..=255).cycle().take(n % 700).collect();
                line["base64"] = BASE64_STANDARD.encode(bytes).into();
                line["content_type"] = "image/png".into();
            }
            _ => {
                line["base64"] = BASE64_STANDARD.encode(format!("text {n}\r\n")).into();
                line["content_type"] = "text/plain".into();
            }
        }
        format!("{line}\n")
    };
    (0..COUNT).map(line).collect()
}

/// What of a line is the same on every server, sorted.
fn essence(lines: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let content_type =
                line.get("content_type").cloned().unwrap_or("application/json".into());
            let value = json!([line.get("value"), line.get("base64"), content_type]).to_string();
            (line["key"].as_str().unwrap().to_owned(), value)
        })
        .collect();
    found.sort();
    found
}

fn counts(output: &Output) -> [u64; 3] {
    let counts = &output.json_lines()[0];
    ["written", "identical", "conflicts"].map(|name| counts[name].as_u64().unwrap())
}

#[test]
fn what_is_exported_and_imported_is_the_same() {
    let (first, second) = (Server::start(&[]), Server::start(&[]));
    fs::write(first.path("in"), lines()).unwrap();
    let output = first.run(&["import", "in", "--json"]);
    assert_eq!(counts(&output), [2_000, 0, 0], "{output:?}");
    first.ok(&["export", "", "out"]);
    let out = fs::read_to_string(first.path("out")).unwrap();
    assert_eq!(out.lines().count(), COUNT);
    assert_eq!(essence(&out), essence(&lines()));
    assert!(
        !first.path("out.ifmatch-export").exists() && !first.path("in.ifmatch-import").exists()
    );
    // By pipe into another server, whose export is the same but for revisions.
    second.run_with(&["import", "-"], out.as_bytes()).ok();
    assert_eq!(essence(&second.ok(&["export"])), essence(&out));
    // Again: all is there already.
    let revision =
        |server: &Server| server.run(&["export", "-q"]).json_lines()[0]["revision"].clone();
    let before = revision(&second);
    for policy in ["--create", "--overwrite"] {
        let output = second.run_with(&["import", "-", policy, "--json"], out.as_bytes());
        assert_eq!(counts(&output), [0, 2_000, 0], "{policy} {output:?}");
    }
    assert_eq!(revision(&second), before);
    assert_eq!(second.ok(&["export", "plain/", "-", "-q"]).lines().count(), COUNT / 5);
}

/// Starts it, and kills it as soon as its state file shows that it is in the middle.
fn killed_in_the_middle(server: &Server, arguments: &[&str], state: &Path) {
    let mut child = server.command(arguments).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !state.exists() {
        assert!(started.elapsed() < Duration::from_secs(30), "it does not begin");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(state.exists(), "it was done before it was killed");
}

#[test]
fn an_export_that_was_killed_is_gone_on_with_at_its_revision() {
    let server = Server::start(&[]);
    server.run_with(&["import", "-"], lines().as_bytes()).ok();
    let whole = server.ok(&["export", "-q"]);
    let (out, state) = (server.path("out"), server.path("out.ifmatch-export"));
    killed_in_the_middle(&server, &["export", "", "out", "--page-size", "2"], &state);
    assert!(fs::read_to_string(&out).unwrap().lines().count() < COUNT);
    // A half line, as a kill in a write leaves it, and changes that are not of the revision.
    let mut half = fs::read(&out).unwrap();
    half.extend_from_slice(b"{\"key\": \"zz");
    fs::write(&out, &half).unwrap();
    server.ok(&["put", "plain/0", "\"later\""]);
    server.ok(&["put", "zzz", "\"later\""]);
    assert!(server.run(&["export", "", "out"]).fails(1).contains("--resume"));
    server.run(&["export", "plain/", "out", "--resume"]).fails(2);
    server.ok(&["export", "", "out", "--resume"]);
    assert_eq!(fs::read_to_string(&out).unwrap(), whole);
    assert!(!state.exists());
    server.run(&["export", "", "out", "--resume"]).fails(1);
    server.ok(&["export", "", "out", "--force"]);
    assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), COUNT + 1);
}

/// The story: what was left to be done was nothing, and was taken for all. Every line was there twice.
#[test]
fn an_export_that_was_killed_after_its_last_page_has_every_line_once() {
    let server = Server::start(&[]);
    server.run_with(&["import", "-"], lines().as_bytes()).ok();
    let exported = &server.run(&["export", "", "out", "--json"]).json_lines()[0];
    let (out, state) = (server.path("out"), server.path("out.ifmatch-export"));
    let whole = fs::read_to_string(&out).unwrap();
    let done = json!({
        "server": server.url, "prefix": "", "revision": exported["revision"], "cursor": null,
        "bytes": whole.len(), "entries": COUNT,
    });
    fs::write(&state, done.to_string()).unwrap();
    let resumed = &server.run(&["export", "", "out", "--resume", "--json"]).json_lines()[0];
    assert_eq!(resumed, exported);
    assert_eq!(fs::read_to_string(&out).unwrap(), whole);
    assert!(!state.exists());
}

#[test]
fn an_export_whose_file_was_changed_is_not_gone_on_with() {
    let server = Server::start(&[]);
    server.run_with(&["import", "-"], lines().as_bytes()).ok();
    let state = server.path("out.ifmatch-export");
    killed_in_the_middle(&server, &["export", "", "out", "--page-size", "2"], &state);
    fs::write(server.path("out"), "").unwrap();
    server.run(&["export", "", "out", "--resume"]).fails(1);
}

#[test]
fn an_import_that_was_killed_is_gone_on_with() {
    let server = Server::start(&[]);
    fs::write(server.path("in"), lines()).unwrap();
    let state = server.path("in.ifmatch-import");
    killed_in_the_middle(&server, &["import", "in", "--batch-size", "2"], &state);
    let done = server.ok(&["list", "-k"]).lines().count();
    assert!(done < COUNT, "{done}");
    server.run(&["import", "in", "--overwrite", "--resume"]).fails(2);
    let output = server.run(&["import", "in", "--resume", "--json"]);
    let [written, identical, conflicts] = counts(&output);
    assert_eq!((written + identical, conflicts), (2_000, 0), "{output:?}");
    assert!(identical <= 2, "what the state file says is not sent again: {output:?}");
    assert_eq!(essence(&server.ok(&["export", "-q"])), essence(&lines()));
    assert!(!state.exists());
    let emptied = Server::start(&[]);
    fs::write(emptied.path("in"), lines()).unwrap();
    let other = emptied.path("in.ifmatch-import");
    killed_in_the_middle(&emptied, &["import", "in", "--batch-size", "2"], &other);
    for key in emptied.ok(&["list", "-k"]).lines() {
        emptied.ok(&["delete", key]);
    }
    let line = emptied.run(&["import", "in", "--resume"]).fails(1);
    assert!(line.contains("does not have"), "{line}");
    killed_in_the_middle(&server, &["import", "in", "--batch-size", "2"], &state);
    // In the first line, which is done.
    fs::write(server.path("in"), lines().replacen("\"n\":0", "\"n\":1", 1)).unwrap();
    assert!(server.run(&["import", "in", "--resume"]).fails(1).contains("changed"));
}

/// The story: after the first lines were written there was nowhere to say how far it was, and it ended.
#[test]
fn an_import_that_cannot_be_gone_on_with_is_whole_all_the_same() {
    let server = Server::start(&[]);
    let import = |path: &str| {
        let arguments = ["import", path, "--batch-size", "100", "--overwrite", "--json"];
        let output = server.run_with(&arguments, lines().as_bytes());
        let [written, identical, conflicts] = counts(&output);
        assert_eq!((output.code, written + identical, conflicts), (Some(0), 2_000, 0));
        output.err
    };
    let said = import("/dev/fd/0");
    assert!(!said.contains("--resume"), "a pipe never can be: {said}");
    server.run(&["import", "/dev/fd/0", "--resume"]).fails(2);
    fs::write(server.path("in"), lines()).unwrap();
    fs::create_dir(server.path("in.ifmatch-import")).unwrap();
    let said = import("in");
    assert_eq!(said.matches("without --resume").count(), 1, "it is said once: {said}");
}

#[test]
fn policies_say_what_becomes_of_keys_that_exist() {
    let server = Server::start(&[]);
    for key in ["a", "b", "c"] {
        server.ok(&["put", key, "1"]);
    }
    let exported = server.ok(&["export", "-q"]);
    let edited = exported.replace("\"value\":1", "\"value\":2");
    server.ok(&["put", "b", "3"]);
    let line = server.run_with(&["import", "-"], edited.as_bytes()).fails(3);
    assert!(
        line.contains("line 1: conflict: a exists") && line.contains("now: revision "),
        "{line}"
    );
    assert_eq!(server.ok(&["get", "a"]), "1");
    let output = server
        .run_with(&["import", "-", "--if-unchanged", "--keep-going", "--json"], edited.as_bytes());
    assert_eq!((output.code, counts(&output)), (Some(3), [2, 0, 1]), "{output:?}");
    let failures: Vec<Value> =
        output.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&failures[0]["line"], &failures[0]["key"]), (&2.into(), &"b".into()));
    assert!(failures[0]["current_revision"].is_u64() && failures[0]["current_etag"].is_string());
    assert_eq!(["a", "b", "c"].map(|key| server.ok(&["get", key])), ["2", "3", "2"]);
    // What comes before a conflict is written, and nothing after it, though they are in one transaction.
    let around =
        format!("{{\"key\": \"x\", \"value\": 1}}\n{edited}{{\"key\": \"y\", \"value\": 1}}\n");
    let line = server.run_with(&["import", "-"], around.as_bytes());
    assert_eq!(line.code, Some(3), "{line:?}");
    assert_eq!(server.ok(&["list", "-k"]), "a\nb\nc\nx\n");
    server.run_with(&["import", "-", "--overwrite"], edited.as_bytes()).ok();
    assert_eq!(server.ok(&["get", "b"]), "2");
}

/// Servers side by side are one service, and one that is started elsewhere goes on: what counts is the store.
#[test]
fn what_was_interrupted_is_gone_on_with_at_any_server_of_the_same_store() {
    let folder = tempfile::tempdir().unwrap();
    let data = ["--data", folder.path().join("data").to_str().unwrap()].map(str::to_owned);
    let data = data.each_ref().map(String::as_str);
    let mut first = Server::start(&data);
    fs::write(first.path("in"), lines()).unwrap();
    let (input, output) = (first.path("in"), first.path("out"));
    let (input, output) = (input.to_str().unwrap(), output.to_str().unwrap());
    let state = first.path("in.ifmatch-import");
    killed_in_the_middle(&first, &["import", input, "--batch-size", "2"], &state);
    first.stop();
    let mut second = Server::start(&data);
    assert_ne!(first.url, second.url);
    let line = Server::start(&[]).run(&["import", input, "--resume"]).fails(2);
    assert!(line.contains("--resume: the import was into the store "), "{line}");
    second.ok(&["import", input, "--resume"]);
    assert_eq!(essence(&second.ok(&["export", "-q"])), essence(&lines()));

    let state = first.path("out.ifmatch-export");
    let export = ["export", "", output, "--page-size", "2"];
    killed_in_the_middle(&second, &export, &state);
    second.stop();
    let third = Server::start(&data);
    let line = Server::start(&[]).run(&["export", "", output, "--resume"]).fails(2);
    assert!(line.contains("--resume: the export was of the store "), "{line}");
    // It is the same store, but a server keeps the revision of an export in memory.
    third.ok(&["put", "plain/0", "\"later\""]);
    let line = third.run(&["export", "", output, "--resume"]).fails(7);
    assert!(line.ends_with("begin anew, with --force"), "{line}");
    third.ok(&["export", "", output, "--force"]);
    assert!(!state.exists());
}

/// The same address is not the same store.
#[test]
fn what_was_interrupted_is_not_gone_on_with_in_another_store() {
    let mut server = Server::start(&[]);
    fs::write(server.path("in"), lines()).unwrap();
    let state = server.path("in.ifmatch-import");
    killed_in_the_middle(&server, &["import", "in", "--batch-size", "2"], &state);
    server.kill();
    server.restart(&[]);
    let line = server.run(&["import", "in", "--resume"]).fails(2);
    assert!(line.contains("--resume: the import was into the store "), "{line}");
    // A state of a version that did not know of stores has an address only.
    let mut old: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    old.as_object_mut().unwrap().remove("store");
    old["witness"] = Value::Null;
    fs::write(&state, old.to_string()).unwrap();
    server.ok(&["import", "in", "--resume"]);
}

/// Revisions of two stores may be equal numbers. It was the number alone that was compared.
#[test]
fn a_line_of_another_store_replaces_nothing_that_is_to_be_unchanged() {
    let server = Server::start(&[]);
    server.ok(&["put", "coll/x", r#"{"mine":1}"#]);
    server.ok(&["put", "coll/y", r#"{"mine":1}"#]);
    let exported = server.ok(&["export", "-q"]).replace("\"mine\":1", "\"foreign\":2");
    let foreign: String = exported
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let etag = line["etag"].as_str().unwrap().to_owned();
            line["etag"] = (etag[..etag.len() - 13].to_owned() + "ffffffffffff\"").into();
            format!("{line}\n")
        })
        .collect();
    let import = ["import", "-", "--if-unchanged", "--keep-going", "--json"];
    let output = server.run_with(&import, foreign.as_bytes());
    assert_eq!((output.code, counts(&output)), (Some(3), [0, 0, 2]), "{output:?}");
    assert_eq!(server.ok(&["get", "coll/x"]), r#"{"mine":1}"#);
    let line = server.run_with(&import[..3], foreign.as_bytes()).fails(3);
    assert!(line.contains("line 1: conflict: coll/x has changed"), "{line}");
    let absent = foreign.replace("coll/", "none/");
    let line = server.run_with(&import[..3], absent.as_bytes()).fails(3);
    assert!(line.contains("line 1: conflict: none/x is not there"), "{line}");
    // A line without a tag says nothing that could be compared.
    let line: Value = serde_json::from_str(exported.lines().next().unwrap()).unwrap();
    let line = json!({ "key": line["key"], "revision": line["revision"], "value": 2 }).to_string();
    let line = server.run_with(&import[..3], line.as_bytes()).fails(1);
    assert!(line.contains("\"etag\""), "{line}");
    // Its own lines are written, and when they are there, they are found to be.
    let output = server.run_with(&import, exported.as_bytes());
    assert_eq!((output.code, counts(&output)), (Some(0), [2, 0, 0]), "{output:?}");
    let output = server.run_with(&import, exported.as_bytes());
    assert_eq!((output.code, counts(&output)), (Some(0), [0, 2, 0]), "{output:?}");
}

#[test]
fn a_bad_line_is_named_and_ends_it_or_is_passed_over() {
    let cases: [(&[u8], &str); 9] = [
        (b"nonsense", "byte"),
        (b"{\"key\": \"x\"}", "either"),
        (b"{\"key\": \"x\", \"value\": 1, \"base64\": \"\"}", "either"),
        (b"{\"key\": \"x\", \"base64\": \"?\"}", "base64"),
        (b"{\"value\": 1}", "key"),
        (b"{\"key\": \"x\", \"value\": 1, \"content_type\": \"text/plain\"}", "content type"),
        (b"{\"key\": \"x//y\", \"value\": 1}", "segment 2"),
        (b"{\"key\": \"x\", \"base64\": \"\", \"content_type\": \"no type\"}", "type/subtype"),
        (b"\xff", "UTF-8"),
    ];
    for (bad, part) in cases {
        let server = Server::start(&[]);
        let text =
            [b"{\"key\": \"1\", \"value\": 1}\n\n", bad, b"\n{\"key\": \"3\", \"value\": 3}"]
                .concat();
        let output = server.run_with(&["import", "-"], &text);
        assert_eq!(output.code, Some(1), "what came before is written: {output:?}");
        assert!(output.err.contains("line 3: ") && output.err.contains(part), "{output:?}");
        assert_eq!(
            server.ok(&["list", "-k"]),
            "1\n",
            "what came before is written, and nothing after"
        );
        let output = server.run_with(&["import", "-", "--keep-going", "--json"], &text);
        assert_eq!((output.code, counts(&output)), (Some(1), [1, 1, 0]), "{output:?}");
        assert_eq!(output.json_lines()[0]["refused"], 1);
        assert!(output.err.contains("\"line\":3"), "{output:?}");
        assert_eq!(server.ok(&["list", "-k"]), "1\n3\n");
    }
}

#[test]
fn batches_fit_a_server_that_takes_little_and_a_key_may_come_twice() {
    let server = Server::start(&["--max-body", "400"]);
    let line = |n: usize| format!("{{\"key\": \"{n}\", \"value\": \"{}\"}}\n", "x".repeat(n));
    let mut text: String = (1..=100).map(line).collect();
    text.push_str("{\"key\": \"1\", \"value\": 2}\n");
    let output = server.run_with(&["import", "-", "--overwrite", "--json"], text.as_bytes());
    assert_eq!((output.code, counts(&output)), (Some(0), [101, 0, 0]), "{output:?}");
    assert_eq!(server.ok(&["get", "1"]), "2");
    let large = line(500);
    let said = server.run_with(&["import", "-"], large.as_bytes()).fails(1);
    assert!(said.contains("line 1: 500: ") && said.contains("(413)"), "{said}");
    assert!(said.ends_with("; --keep-going passes over such lines"), "{said}");
    let said = server.run_with(&["import", "-", "--keep-going", "--json"], large.as_bytes());
    let failure: Value = serde_json::from_str(said.err.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&failure["line"], &failure["key"], &failure["status"]),
        (&json!(1), &json!("500"), &json!(413))
    );
    let output = server.run_with(&["import", "-", "--from-line", "101", "--json"], text.as_bytes());
    assert_eq!(counts(&output), [0, 1, 0], "{output:?}");
}

/// The story: what the server was told to take could be written, and not be read.
#[test]
fn what_a_server_takes_can_be_read() {
    let server = Server::start(&["--max-body", "100000000"]);
    let file = fs::File::create(server.path("large")).unwrap();
    file.set_len(70 << 20).unwrap();
    server.ok(&["put", "large", "--file", "large"]);
    server.ok(&["get", "large", "--output", "got"]);
    assert_eq!(fs::metadata(server.path("got")).unwrap().len(), 70 << 20);
    assert_eq!(server.ok(&["list", "--keys-only"]), "large\n");
}

#[test]
fn a_large_document_is_imported_whole() {
    let server = Server::start(&[]);
    let bytes: Vec<u8> = (0..=255).cycle().take(7 << 20).collect();
    server.run_with(&["put", "large", "-"], &bytes).ok();
    server.ok(&["put", "small", "1"]);
    let exported = server.ok(&["export", "-q"]);
    let other = Server::start(&[]);
    other.run_with(&["import", "-"], exported.as_bytes()).ok();
    assert_eq!(other.run(&["get", "large"]).out, bytes);
}
