//! A directory that `ifmatch serve` of an earlier version has left is served as it was: the same documents under the same tags.
//!
//! `tests/golden/documents/v<format>/` is the directory, `v<format>.json` what was answered then. They are never written again;
//! the next format's are made by `cargo test --features cli --test command -- --ignored make_golden_documents`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Server;

/// What `get --include` prints of each key: the tag, the content type, the body.
type Answers = BTreeMap<String, String>;

const KEYS: [&str; 5] = ["users/1", "users/2", "grüße", "text", "bytes"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/documents")
}

fn answers(server: &Server) -> Answers {
    let answer = |key: &str| (key.to_owned(), server.ok(&["get", key, "--include"]));
    KEYS.into_iter().map(answer).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "LOCK" {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn documents_of_earlier_versions_are_served_as_they_were() {
    let mut checked = 0;
    for format in 2.. {
        let folder = root().join(format!("v{format}"));
        if !folder.exists() {
            break;
        }
        let json = fs::read(root().join(format!("v{format}.json"))).unwrap();
        let expected: Answers = serde_json::from_slice(&json).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let data = scratch.path().join("data");
        copy(&folder, &data);
        let server = Server::start(&["--data", data.to_str().unwrap()]);
        assert_eq!(answers(&server), expected, "format {format}");
        let gone = server.run(&["get", "users/3"]);
        assert_eq!(gone.code, Some(4), "{gone:?}");
        // The tag that a client kept is still good for a write.
        let tag = expected["users/1"].lines().next().unwrap().strip_prefix("ETag: ").unwrap();
        server.ok(&["put", "users/1", "{}", "--if-match", tag]);
        checked += 1;
    }
    assert!(checked > 0);
}

#[cfg(unix)]
#[test]
#[ignore = "it writes into the source tree, once for each format"]
fn make_golden_documents() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let mut server = Server::start(&["--data", data.to_str().unwrap()]);
    for number in 1..=3 {
        server.ok(&["put", &format!("users/{number}"), &format!("{{\"n\": {number}.50}}")]);
    }
    server.ok(&["put", "users/2", "{\"n\": 1e400, \"ü\": [true, null]}"]);
    server.ok(&["delete", "users/3"]);
    server.ok(&["put", "grüße", "\"Grüße\""]);
    server.ok(&["put", "text", "two\nlines"]);
    server.ok(&["put", "bytes", "%PDF", "--content-type", "application/pdf"]);
    let answers = answers(&server);
    server.stop();
    let found = crate::support::run(
        crate::support::command().args(["log", "verify", "--json"]).arg(&data),
        b"",
    );
    let found: Value = serde_json::from_str(&found.ok()).unwrap();
    let target = root().join(format!("v{}", found["format"]));
    assert!(!target.exists(), "{} is there already: it is not replaced", target.display());
    copy(&data, &target);
    let json = serde_json::to_string_pretty(&answers).unwrap();
    fs::write(target.with_extension("json"), json + "\n").unwrap();
}
