//! Logs that earlier versions wrote, kept as files: every later version opens them and finds what was written.
//!
//! `v<format>/<case>/` is a directory of a store as it was left, `v<format>/<case>.json` what it has to be read as. They are
//! never written again: a version that changes the format adds a directory (`make.rs`), it replaces none.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is tests.

#[path = "../common/mod.rs"]
mod common;

mod expected;
mod make;
#[cfg(feature = "testing")]
mod upgrade;

use std::path::{Path, PathBuf};

use ifmatch::{Codec, Store};
use serde::{Deserialize, Serialize};

use crate::common::{Files, read_files, scratch, write_files};
use crate::expected::{Entry, Expected, entries};

/// A value with what a codec may treat specially.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    owner: String,
    balance: i64,
    limit: Option<f64>,
    tags: Vec<String>,
    status: Status,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Status {
    Open,
    Closed { reason: String },
    Merged(u32, u64),
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The cases of one format, by name.
fn cases(format: &str) -> Vec<(String, Files, Expected)> {
    let folder = root().join(format);
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    let case = |name: String| {
        let json = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let files = read_files(&folder.join(&name));
        (format!("{format}/{name}"), files, serde_json::from_slice(&json).unwrap())
    };
    names.into_iter().map(case).collect()
}

fn check<C: Codec>(case: &str, files: &Files, expected: &Expected) {
    let directory = scratch();
    write_files(directory.path(), files);
    let found = ifmatch::maintenance::verify(directory.path(), &mut |_| {}).unwrap();
    assert!(found.is_sound(), "{case}: {found:?}");
    assert_eq!(case.split('/').next(), Some(&*format!("v{}", found.format)), "{case}");
    assert_eq!(found.next_revision(), expected.next_revision, "{case}");
    let open = || {
        let builder = Store::<String, Account>::builder().codec::<C>();
        builder.open(directory.path()).unwrap_or_else(|error| panic!("{case}: {error}"))
    };

    let store = open();
    let recovery = store.recovery().unwrap().clone();
    assert_eq!(expected::Recovery::of(&recovery), expected.recovery, "{case}");
    assert_eq!(store.identity().to_string(), expected.identity, "{case}");
    assert_eq!(store.revision().get(), expected.revision, "{case}");
    assert_eq!(entries(&store), expected.entries, "{case}");

    // And it goes on: above all that was ever handed out, in a form that it reads again.
    let account = Account {
        owner: "new".to_owned(),
        balance: 1,
        limit: None,
        tags: Vec::new(),
        status: Status::Open,
    };
    let revision = store.put("new", account.clone()).unwrap();
    assert_eq!(revision.get(), expected.next_revision, "{case}");
    store.close().unwrap();
    let store = open();
    let mut with_new = expected.entries.clone();
    let new = Entry::written("new", account, revision, with_new.iter().find(|e| e.key == "new"));
    with_new.retain(|entry| entry.key != "new");
    with_new.push(new);
    with_new.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(entries(&store), with_new, "{case}");
    assert_eq!(store.identity().to_string(), expected.identity, "{case}");
    assert!(store.recovery().unwrap().clean, "{case}");
}

fn check_format(format: &str, names: &[&str]) {
    let cases = cases(format);
    let found: Vec<&str> = cases.iter().filter_map(|case| case.0.split('/').next_back()).collect();
    assert_eq!(found, names, "{format}: the cases");
    for (case, files, expected) in &cases {
        match expected.codec.as_str() {
            "bincode-2" => check::<ifmatch::Bincode>(case, files, expected),
            #[cfg(feature = "postcard")]
            "postcard-1" => check::<ifmatch::Postcard>(case, files, expected),
            #[cfg(not(feature = "postcard"))]
            "postcard-1" => {}
            other => panic!("{case}: the codec {other}"),
        }
    }
}

#[test]
fn logs_of_format_1_are_read_as_they_were_written() {
    let names = ["clean", "empty", "late", "postcard", "segments", "torn", "unclean"];
    check_format("v1", &names);
}

#[test]
fn logs_of_format_2_are_read_as_they_were_written() {
    let names = [
        "checkpoint",
        "checkpoint_continued",
        "checkpoint_torn",
        "clean",
        "empty",
        "late",
        "postcard",
        "postcard_checkpoint",
        "segments",
        "torn",
        "unclean",
    ];
    check_format("v2", &names);
}

/// Two stores never have the same identity, so that the cases were not copied from one another.
#[test]
fn every_golden_log_is_a_store_of_its_own() {
    let mut identities: Vec<String> =
        ["v1", "v2"].into_iter().flat_map(cases).map(|case| case.2.identity).collect();
    let count = identities.len();
    identities.sort();
    identities.dedup();
    assert_eq!(identities.len(), count);
}
