//! Moving documents between a store on a log and one in etcd, by `ifmatch export` and `import`.

use std::path::Path;
use std::process::{Command, Output};

use ifmatch::client::Document;

use crate::others::etcdctl;
use crate::serve::{Front, backend, conflict};
use crate::server::Server;

fn ifmatch(front: &Front, directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ifmatch"))
        .current_dir(directory)
        .args(["--server", &front.url])
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn ok(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    format!("{errors}{}", String::from_utf8_lossy(&output.stdout))
}

/// What of an export is the same in every store.
fn essence(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        serde_json::json!([
            line["key"],
            line["content_type"],
            line.get("value"),
            line.get("base64")
        ])
    };
    text.lines().map(line).collect()
}

/// An import into etcd that is killed goes on where it was: nothing is written twice, nothing left out.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_is_gone_on_with() {
    const LINES: usize = 2_000;
    let server = Server::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let there = Front::start(&backend(&server));
    let line = |number| format!("{{\"key\": \"n/{number:04}\", \"value\": {number}}}\n");
    std::fs::write(directory.path().join("in"), (0..LINES).map(line).collect::<String>()).unwrap();
    let mut import = Command::new(env!("CARGO_BIN_EXE_ifmatch"))
        .current_dir(directory.path())
        .args(["--server", &there.url, "import", "in", "--batch-size", "5", "--quiet"])
        .spawn()
        .unwrap();
    let state = directory.path().join("in.ifmatch-import");
    let count = async || there.client().list::<u64>("n/").collect().await.unwrap().len();
    while count().await < 200 {
        assert!(import.try_wait().unwrap().is_none(), "it ends before it is killed");
    }
    import.kill().unwrap();
    import.wait().unwrap();
    let before = count().await;
    assert!(state.exists() && before < LINES, "it was done before it was killed");
    let said = ok(ifmatch(&there, directory.path(), &["import", "in", "--resume", "--json"]));
    println!("{before} were there when it was killed; then: {said}");
    let entries = there.client().list::<u64>("n/").collect().await.unwrap();
    for (number, entry) in (0_u64..).zip(&entries) {
        assert_eq!((entry.value(), entry.write_count()), (&number, Some(1)));
    }
    assert_eq!(entries.len(), LINES);
    assert!(!state.exists());
}

/// Servers over one etcd are one service: what was begun at one is gone on with at another, until etcd forgets its revision.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_gone_on_with_at_the_server_beside() {
    let server = Server::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (Front::start(&backend(&server)), Front::start(&backend(&server)));
    let lines: String = (0..2_000)
        .map(|number| format!("{{\"key\": \"n/{number:04}\", \"value\": 1}}\n"))
        .collect();
    std::fs::write(directory.path().join("in"), lines).unwrap();
    ok(ifmatch(&one, directory.path(), &["import", "in", "--batch-size", "100"]));
    let interrupted = |name: &str| {
        let state = directory.path().join(format!("{name}.ifmatch-export"));
        let mut export = Command::new(env!("CARGO_BIN_EXE_ifmatch"))
            .current_dir(directory.path())
            .args(["--server", &one.url, "export", "", name, "--page-size", "2", "--quiet"])
            .spawn()
            .unwrap();
        while !state.exists() {
            assert!(export.try_wait().unwrap().is_none(), "it ends before it is killed");
        }
        export.kill().unwrap();
        export.wait().unwrap();
        assert!(state.exists(), "it was done before it was killed");
    };
    interrupted("out");
    interrupted("late");
    // Of another revision than the export.
    other.client().put("n/0000", &2).await.unwrap();
    ok(ifmatch(&other, directory.path(), &["export", "", "out", "--resume"]));
    assert_eq!(essence(&directory.path().join("out")).len(), 2_000);
    let text = std::fs::read_to_string(directory.path().join("out")).unwrap();
    assert!(text.lines().next().unwrap().contains("\"value\":1"), "all is of one revision");

    let newest = other.client().put("n/0000", &3).await.unwrap().revision().unwrap();
    etcdctl(&server.url, &["compact", &newest.to_string()]);
    let failed = ifmatch(&other, directory.path(), &["export", "", "late", "--resume"]);
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(7), "{said}");
    assert!(said.trim_end().ends_with("begin anew, with --force"), "{said}");
    ok(ifmatch(&other, directory.path(), &["export", "", "late", "--force"]));
}

/// How many operations a transaction may have is found once in an import, not for each batch of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_a_batch_that_fits_is_found_once() {
    let server = Server::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let there = Front::start(&backend(&server));
    let line = |number| format!("{{\"key\": \"n/{number:04}\", \"value\": {number}}}\n");
    std::fs::write(directory.path().join("in"), (0..3_000).map(line).collect::<String>()).unwrap();
    ok(ifmatch(&there, directory.path(), &["import", "in", "--quiet"]));
    assert_eq!(there.client().list::<u64>("n/").collect().await.unwrap().len(), 3_000);
    let mut figures = ureq::get(format!("{}/metrics", there.url)).call().unwrap();
    let figures = figures.body_mut().read_to_string().unwrap();
    let refused: u64 = figures
        .lines()
        .filter(|line| {
            line.starts_with("ifmatch_requests_total") && line.contains("status=\"400\"")
        })
        .map(|line| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap())
        .sum();
    // Of the first batch, and of its halves.
    assert!((1..=6).contains(&refused), "{refused} requests were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_move_into_etcd_and_back() {
    let server = Server::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let data = path("data");
    let here = Front::serve(&["--data", data.to_str().unwrap()]);
    let there = Front::start(&backend(&server));
    for number in 0..700_u64 {
        here.client().put(&format!("n/{number:03}"), &number).await.unwrap();
    }
    let image = Document::new("image/png", vec![0, 0xff, 1]);
    here.client().put("image", &image).await.unwrap();
    let old = here.client().get::<u64>("n/007").await.unwrap().unwrap();

    ok(ifmatch(&here, directory.path(), &["export", "", "out"]));
    // More lines at once than etcd takes in a transaction.
    let said = ok(ifmatch(&there, directory.path(), &["import", "out", "--batch-size", "500"]));
    assert!(said.contains("701 entries: 701 written"), "{said}");
    // Once more: that all of it is there is how it is verified.
    let said = ok(ifmatch(&there, directory.path(), &["import", "out"]));
    assert!(said.contains("0 written, 701 there already"), "{said}");
    ok(ifmatch(&there, directory.path(), &["export", "", "from-etcd"]));
    assert_eq!(essence(&path("from-etcd")), essence(&path("out")));

    // Revisions are those of the target, and no tag of the source matches there.
    conflict(there.client().put_if("n/007", &0_u64, &old).await);
    // What another program wrote is bytes.
    etcdctl(&server.url, &["put", "ifmatch/plain", "hello"]);
    ok(ifmatch(&there, directory.path(), &["export", "", "back"]));
    let other = Front::serve(&["--data", path("other").to_str().unwrap()]);
    let said = ok(ifmatch(&other, directory.path(), &["import", "back"]));
    assert!(said.contains("702 entries: 702 written"), "{said}");
    let plain = other.client().get::<Document>("plain").await.unwrap().unwrap();
    assert_eq!(plain.document().content_type(), "application/octet-stream");
    assert_eq!(&plain.document().body()[..], b"hello");
}
