//! What a figure depends on beside the program: the commit, the day, the machine, and what else it had to do.

use std::process::Command;
use std::time::SystemTime;

use serde::Serialize;

use crate::data::Data;

/// When it began, and when it was over.
#[derive(Clone, Debug, Serialize)]
pub struct Circumstances {
    command: String,
    commit: String,
    date: String,
    processor: String,
    processors: usize,
    load_before: String,
    load_after: String,
    rocksdb: bool,
    etcd: bool,
    file_system: String,
}

impl Circumstances {
    /// Now, before anything is measured.
    #[must_use]
    pub fn new(arguments: &[String], data: &Data) -> Self {
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processor.lines().find(|line| line.starts_with("model name"));
        let processor = processor.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown");
        Self {
            command: command(arguments),
            commit: commit(),
            date: httpdate::fmt_http_date(SystemTime::now()),
            processor: processor.to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: load(),
            load_after: String::new(),
            rocksdb: cfg!(feature = "rocksdb"),
            etcd: cfg!(feature = "etcd"),
            file_system: data.file_system().unwrap_or("unknown".to_owned()),
        }
    }

    /// All has been measured.
    pub fn end(&mut self) {
        self.load_after = load();
    }

    /// As a sentence.
    #[must_use]
    pub fn markdown(&self) -> String {
        let Self { command, commit, date, processor, processors, file_system, .. } = self;
        let Self { load_before, load_after, .. } = self;
        format!(
            "`{command}`, commit {commit}, {date}, {processors} processors ({processor}), files on \
             {file_system}, load average {load_before} before and {load_after} after.\n"
        )
    }
}

/// What this was started by, which the features that it was built with tell: an alias of `.cargo/config.toml`, or what it
/// stands for.
fn command(arguments: &[String]) -> String {
    let begin = match (cfg!(feature = "rocksdb"), cfg!(feature = "etcd")) {
        (false, false) => "cargo compare",
        (true, true) => "cargo compare-all",
        (true, false) => {
            "cargo run --release --manifest-path benches/compare/Cargo.toml --features rocksdb --"
        }
        (false, true) => {
            "cargo run --release --manifest-path benches/compare/Cargo.toml --features etcd --"
        }
    };
    // Where the figures are written to makes no difference to them.
    let json = arguments.iter().position(|argument| argument == "--json");
    let told = |place: &usize| json.is_none_or(|json| ![json, json + 1].contains(place));
    let told = arguments.iter().enumerate().filter(|(place, _)| told(place));
    let told: Vec<_> = told.map(|(_, argument)| argument.as_str()).collect();
    format!("{begin} {}", told.join(" ")).trim().to_owned()
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-C", env!("CARGO_MANIFEST_DIR")])
            .args(arguments)
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    };
    git(&["describe", "--always", "--dirty", "--exclude", "*"]).unwrap_or("unknown".to_owned())
}

/// Over one, five and fifteen minutes.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
