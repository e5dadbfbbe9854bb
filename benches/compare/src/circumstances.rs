//! What a figure depends on beside the program: the commit, the day, the machine, and what else it had to do.

use std::process::Command;
use std::time::SystemTime;

use serde::Serialize;

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
}

impl Circumstances {
    /// Now, before anything is measured.
    #[must_use]
    pub fn new(arguments: &[String]) -> Self {
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processor.lines().find(|line| line.starts_with("model name"));
        let processor = processor.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown");
        Self {
            command: format!("cargo compare {}", arguments.join(" ")).trim().to_owned(),
            commit: commit(),
            date: httpdate::fmt_http_date(SystemTime::now()),
            processor: processor.to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: load(),
            load_after: String::new(),
            rocksdb: cfg!(feature = "rocksdb"),
        }
    }

    /// All has been measured.
    pub fn end(&mut self) {
        self.load_after = load();
    }

    /// As a sentence.
    #[must_use]
    pub fn markdown(&self) -> String {
        let Self { command, commit, date, processor, processors, load_before, load_after, .. } =
            self;
        format!(
            "`{command}`, commit {commit}, {date}, {processors} processors ({processor}), load average {load_before} before \
             and {load_after} after.\n"
        )
    }
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
