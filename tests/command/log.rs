//! `ifmatch log`: what it prints, and what it exits with.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

#[cfg(unix)]
use crate::support::signal;
use crate::support::{Output, Server, command, run};

/// A server on a directory of its own, with some documents.
struct Site {
    folder: TempDir,
    server: Server,
}

impl Site {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let server = Server::start(&["--data", data.to_str().unwrap()]);
        for number in 0..20 {
            server.ok(&["put", &format!("users/{}", number % 7), &format!("{{\"n\": {number}}}")]);
        }
        server.ok(&["put", "note", "two\nlines"]);
        server.ok(&["delete", "users/6"]);
        Self { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self, arguments: &[&str]) -> Output {
        log(self.folder.path(), arguments)
    }
}

/// Runs it in `folder`, where the directory of the server is `data`.
fn log(folder: &Path, arguments: &[&str]) -> Output {
    run(command().current_dir(folder).arg("log").args(arguments), b"")
}

fn only_line(output: &Output) -> Value {
    let mut lines = output.json_lines();
    assert_eq!(lines.len(), 1, "{output:?}");
    lines.remove(0)
}

/// Flips a bit in the middle of the log.
fn damage(data: &Path) -> Vec<u8> {
    let path = data.join("00000000000000000001.segment");
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    bytes
}

#[test]
fn beside_a_running_server_it_looks_and_copies() {
    let site = Site::start();
    let text = site.log(&["verify", "data"]).ok();
    assert!(text.contains("22 commits") && text.ends_with("sound\n"), "{text}");
    let found = only_line(&site.log(&["verify", "data", "--json"]));
    assert_eq!((&found["sound"], &found["commits"]), (&json!(true), &json!(22)), "{found}");
    assert_eq!(found["damage"], json!([]));
    assert_eq!(found["clean"], json!(false), "it is in use");

    let stats = only_line(&site.log(&["stats", "data", "--json"]));
    assert_eq!(stats["replayed_commits"], 22, "{stats}");
    assert!(site.log(&["stats", "data"]).ok().contains("22 commits"));

    let copied = only_line(&site.log(&["backup", "data", "copy", "--json"]));
    assert_eq!(copied["revision"], found["newest"], "{copied}");
    assert!(site.log(&["verify", "copy"]).ok().ends_with("sound\n"));
    let text = site.log(&["backup", "data", "another"]).ok();
    assert!(text.starts_with("backed up to revision 23: "), "{text}");

    // What would change it waits until it ends.
    for arguments in [&["compact", "data"][..], &["compact", "data", "--json"]] {
        let output = site.log(arguments);
        assert_eq!(output.code, Some(6), "{output:?}");
        assert!(output.err.contains("in use"), "{output:?}");
    }
}

#[test]
fn a_dump_shows_documents_as_what_they_are() {
    let site = Site::start();
    let text = site.log(&["dump", "data", "--key", "note"]).ok();
    let place = "[00000000000000000001.segment:";
    let shown = format!("22 put \"note\" = text/plain; charset=utf-8 two\\nlines {place}");
    assert!(text.starts_with(&shown) && text.lines().count() == 1, "{text}");

    let lines = site.log(&["dump", "data", "--json", "--since", "20"]).json_lines();
    let of = |kind: &str, key: &str| {
        let is = |line: &&Value| line["kind"] == kind && line["key"] == json!({ "string": key });
        lines.iter().find(is).unwrap().clone()
    };
    assert_eq!(of("put", "note")["document"]["base64"], "dHdvCmxpbmVz");
    assert_eq!(of("put", "note")["revision"], 22);
    let ada = &of("put", "users/5")["document"];
    assert_eq!(*ada, json!({ "content_type": "application/json", "value": { "n": 19 } }));
    assert_eq!(of("delete", "users/6")["revision"], 23);
    assert!(lines.iter().all(|line| line["revision"].as_u64() > Some(20)));
}

#[cfg(unix)]
#[test]
fn what_was_restored_is_served_and_old_revisions_mean_nothing_there() {
    let mut site = Site::start();
    let tag = site.server.ok(&["get", "users/1", "--include"]);
    let tag = tag.lines().next().unwrap().strip_prefix("ETag: ").unwrap().to_owned();
    site.log(&["backup", "data", "copy"]).ok();
    let lost = site.server.ok(&["put", "users/1", "{\"n\": 100}", "--if-match", &tag]);
    site.server.kill();

    let text = site.log(&["restore", "copy", "new", "--bump", "1000000000"]).ok();
    assert!(text.starts_with("a new store, "), "{text}");
    let line = site.log(&["restore", "copy", "new"]).fails(3);
    assert!(line.contains("not empty"), "{line}");
    let new = site.path("new");
    let server = Server::start(&["--data", new.to_str().unwrap()]);
    assert_eq!(server.ok(&["get", "users/1"]), "{\"n\": 15}");
    server.run(&["put", "users/1", "0", "--if-match", lost.trim()]).fails(3);
    // The tag of what is there is still the tag of that.
    let written = server.ok(&["put", "users/1", "1", "--if-match", &tag]);
    let revision = |tag: &str| -> u64 {
        tag.trim().trim_matches('"').split('-').next().unwrap().parse().unwrap()
    };
    assert!(revision(&written) > revision(&lost) + 1_000_000_000 - (2 << 20), "{written}");
}

#[cfg(unix)]
#[test]
fn a_stopped_one_is_compacted() {
    let mut site = Site::start();
    site.server.stop();
    let done = only_line(&site.log(&["compact", "data", "--json"]));
    assert!(done["keys"].as_u64() > Some(7), "with what the server remembers: {done}");
    let text = site.log(&["verify", "data"]).ok();
    assert!(text.contains("checkpoint: at revision 23") && text.ends_with("sound\n"), "{text}");
    let data = site.path("data");
    let server = Server::start(&["--data", data.to_str().unwrap()]);
    assert_eq!(server.ok(&["get", "users/3"]), "{\"n\": 17}");
    assert_eq!(server.ok(&["list"]).lines().count(), 7);
}

#[test]
fn damage_is_9_and_a_repair_says_first_what_is_lost() {
    let mut site = Site::start();
    site.server.kill();
    let data = site.path("data");
    let damaged = damage(&data);
    let files = || fs::read(data.join("00000000000000000001.segment")).unwrap();

    let output = site.log(&["verify", "data"]);
    assert_eq!(output.code, Some(9), "{output:?}");
    assert!(output.text().ends_with("not sound\n"), "{output:?}");
    assert!(output.err.contains("is damaged at byte "), "{output:?}");
    let output = site.log(&["verify", "data", "--json"]);
    assert_eq!(only_line(&output)["sound"], false);
    let problem: Value = serde_json::from_str(&output.err).unwrap();
    assert_eq!(problem["exit_code"], 9, "{problem}");
    for refused in [&["stats", "data"][..], &["backup", "data", "x"], &["compact", "data"]] {
        site.log(refused).fails(9);
    }
    assert_eq!(site.log(&["dump", "data"]).code, Some(9));
    let all = site.log(&["dump", "data", "--all"]);
    assert_eq!(all.code, Some(9));
    assert!(all.text().contains("DAMAGE: ") && all.text().contains(", after damage]"), "{all:?}");

    // Without an answer it is not done.
    let output = site.log(&["repair", "data"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    let said = output.text().to_owned();
    for part in ["damage:", "whole:      everything up to revision ", "beyond:", "would keep"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(files(), damaged, "nothing was done");

    let output = site.log(&["repair", "data", "--yes", "--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let lines = output.json_lines();
    let [plan, done] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(plan["whole_to"], done["revision"], "{lines:?}");
    assert_eq!(plan["beyond"]["last"], 23, "{lines:?}");
    let original = done["original"].as_str().unwrap();
    let kept = fs::read(site.path(original).join("00000000000000000001.segment")).unwrap();
    assert_eq!(kept, damaged);
    assert!(site.log(&["verify", "data"]).ok().ends_with("sound\n"));
    let line = site.log(&["repair", "data", "--yes"]).fails(1);
    assert!(line.contains("nothing to repair"), "{line}");
}

#[test]
fn what_cannot_be_done_says_why() {
    let site = Site::start();
    fs::create_dir(site.path("empty")).unwrap();
    let cases: [(&[&str], i32, &str); 9] = [
        (&["verify", "empty"], 1, "there is no log in empty"),
        (&["verify", "nowhere"], 1, "cannot read nowhere"),
        (&["verify"], 2, "required"),
        (&["verify", "data", "--server", "http://x"], 2, "--server is not for log"),
        (&["backup", "data", "data/copy"], 2, "within the log's directory"),
        (&["backup", "data", "data"], 2, "within the log's directory"),
        (&["restore", "data", "data"], 2, "within the log's directory"),
        (&["restore", "data", "."], 3, "not empty"),
        (&["restore", "data", "x", "--bump", "9007199254740991"], 2, "2^53"),
    ];
    for (arguments, code, what) in cases {
        let line = site.log(arguments).fails(code);
        assert!(line.contains(what), "{arguments:?}: {line}");
        let in_json = site.log(&[arguments, &["--json"]].concat()).problem(code);
        assert!(in_json["detail"].as_str().unwrap().contains(what), "{in_json}");
    }
    let help = site.log(&["verify", "--help"]).ok();
    assert!(help.contains("--json") && !help.contains("--token-file"), "{help}");
}

/// A pipe that closes ends a dump as it ends everything else: quietly.
#[cfg(unix)]
#[test]
fn nobody_has_to_read_a_dump_to_its_end() {
    let site = Site::start();
    let script = format!("{} log dump data | head -n 1", crate::support::BINARY);
    let mut shell = std::process::Command::new("sh");
    let output = run(shell.current_dir(site.folder.path()).args(["-c", &script]), b"");
    assert_eq!(output.text().lines().count(), 1, "{output:?}");
    assert_eq!(output.err, "");
}

/// Whenever it is killed: a backup or a restore is there as a whole or not at all, and works when it is begun anew.
#[test]
fn what_is_killed_half_way_leaves_nothing_under_its_name() {
    let mut site = Site::start();
    for number in 0..50 {
        site.server.ok(&["put", &format!("large/{number}"), &"x".repeat(20_000)]);
    }
    site.server.kill();
    site.log(&["backup", "data", "copy"]).ok();
    let mut cut = 0;
    for round in 0..60_u64 {
        let name = format!("new-{round}");
        let from = if round % 2 == 0 { ["backup", "data"] } else { ["restore", "copy"] };
        let mut child = command()
            .current_dir(site.folder.path())
            .arg("log")
            .args(from)
            .arg(&name)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round));
        child.kill().unwrap();
        child.wait().unwrap();
        if !site.path(&name).exists() {
            cut += 1;
            site.log(&[&from[..], &[&name]].concat()).ok();
        }
        let found = only_line(&site.log(&["verify", &name, "--json"]));
        assert_eq!(found["sound"], true, "{from:?}, round {round}: {found}");
        assert!(!site.path(&format!("{name}.partial")).exists(), "round {round}");
        fs::remove_dir_all(site.path(&name)).unwrap();
    }
    assert!(cut > 0, "none was cut");
}

/// What `serve` says of a directory when it starts.
#[cfg(unix)]
fn said_of(data: &Path) -> String {
    let mut child = command()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    signal("TERM", &child);
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

/// The log of a program whose types happen to decode opens, and was served without a word.
#[cfg(unix)]
#[test]
fn a_server_on_the_log_of_another_program_says_so() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct User {
        name: String,
    }
    let folder = tempfile::tempdir().unwrap();
    let (theirs, bytes) = (folder.path().join("theirs"), folder.path().join("bytes"));
    let store = ifmatch::Store::<String, User>::builder().open(&theirs).unwrap();
    store.put("ada", User { name: "Ada".to_owned() }).unwrap();
    store.close().unwrap();
    let said = said_of(&theirs);
    assert!(said.contains("has what no server wrote, \"ada\" for one"), "{said}");
    // Values as documents are not, under keys as documents have them, and the other way round.
    let documents = ifmatch::http::documents().open(&bytes).unwrap();
    documents.put(bytes::Bytes::from_static(b"\0idempotency/1"), bytes::Bytes::new()).unwrap();
    let document = ifmatch::http::Document::new(ifmatch::http::ContentType::JSON, "1").unwrap();
    documents
        .put(bytes::Bytes::from_static(b"a//b"), document.to_stored(ifmatch::http::Stamp::now()))
        .unwrap();
    documents.close().unwrap();
    let said = said_of(&bytes);
    assert!(said.contains("has what no server wrote, \"a//b\" for one"), "{said}");

    let ours = folder.path().join("ours");
    assert_eq!(said_of(&ours), "");
    let server = Server::start(&["--data", ours.to_str().unwrap()]);
    server.ok(&["put", "a", "1"]);
    drop(server);
    let said = said_of(&ours);
    assert!(!said.contains("no server wrote"), "{said}");
}
