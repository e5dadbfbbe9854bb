//! Histories that are wrong are left as files: a call a line, for whoever wants to look at them.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use ifmatch::testing::{StoreModel, check as decide};

use super::History;
use super::plan::Verdict;

/// Checks a history; if it is wrong, it becomes a file of this name.
pub(super) fn check(history: &History, name: &str) -> Verdict {
    decide(&StoreModel::new(), history).map(drop).map_err(|error| {
        let path = write(history, name);
        format!(
            "{error}\nthe history: {0}\nagain: cargo campaign histories --only {0}",
            path.display()
        )
    })
}

/// Checks a history that a file holds.
pub(super) fn check_again(path: &str) -> Verdict {
    let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let history = History::read_from(BufReader::new(file));
    let history = history.map_err(|error| format!("{path}: {error}"))?;
    decide(&StoreModel::new(), &history).map(drop).map_err(|error| error.to_string())
}

fn write(history: &History, name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/histories");
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join(format!("{name}.jsonl"));
    history.write_to(BufWriter::new(File::create(&path).unwrap())).unwrap();
    path
}
