//! Histories as JSON lines: written, read back, and read by another checker.

use std::fs::{self, File};
use std::io::BufReader;
use std::process::Command;

use ifmatch::testing::{History, check};

use crate::common::Random;
use crate::generated;
use crate::register::{Asked, Register, Told};
use crate::simulated::Simulated;

#[test]
fn a_history_is_read_as_it_was_written() {
    for number in 0..100 {
        let mut random = Random::of(1, number);
        let mut made = Simulated::new(&mut random, 60, true);
        made.watch_all(&mut random);
        made.calls.sort_by_key(|call| call.called);
        let history: History<_, _> = made.calls.into_iter().collect();
        let mut bytes = Vec::new();
        history.write_to(&mut bytes).unwrap();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), history.len());
        assert_eq!(History::read_from(bytes.as_slice()).unwrap(), history);
    }
}

#[test]
fn another_checker_says_the_same_of_the_same_files() {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no python3");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for number in 0..300 {
        let history = generated::of_a_register(&mut Random::of(2, number));
        let path = directory.path().join(format!("{number}.jsonl"));
        history.write_to(File::create(&path).unwrap()).unwrap();
        let read: History<Asked, Told> =
            History::read_from(BufReader::new(File::open(&path).unwrap())).unwrap();
        let verdict = if check(&Register, &read).is_ok() { "good" } else { "bad" };
        expected.push((path, verdict));
    }
    let oracle = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testing/oracle.py");
    assert!(fs::exists(oracle).unwrap());
    let paths = expected.iter().map(|(path, _)| path);
    let output = Command::new("python3").arg(oracle).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> =
        expected.iter().map(|(path, verdict)| format!("{} {verdict}", path.display())).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);
    let good = expected.iter().filter(|(_, verdict)| *verdict == "good").count();
    assert!(good > 20 && expected.len() - good > 20, "{good} of {} are good", expected.len());
}

#[test]
fn nothing_is_an_answer_and_not_knowing_is_none() {
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(
        history: &History<String, T>,
    ) -> (String, History<String, T>) {
        let mut lines = Vec::new();
        history.write_to(&mut lines).unwrap();
        let read = History::read_from(lines.as_slice()).unwrap();
        (String::from_utf8(lines).unwrap(), read)
    }
    let mut history = History::new();
    history.push(0, "get".to_owned(), 0..1, Some(None::<u64>));
    history.push(0, "get".to_owned(), 2..3, None);
    let (lines, read) = again(&history);
    assert_eq!(read, history, "{lines}");
    let mut history = History::new();
    history.push(0, "set".to_owned(), 0..1, Some(()));
    let (lines, read) = again(&history);
    assert_eq!(read, history, "{lines}");
}
