//! The tools that find bugs, and what they say.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::build::Build;
use super::tree::Tree;

/// As a patch names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tool {
    /// `crash`, `histories`: the campaign of that name.
    Campaign(String),
    /// `model PROTOCOL`: those protocols under the model checker whose names contain that.
    Model(String),
    /// `test SUITE` or `test SUITE::NAME`: those tests of an ordinary suite whose names contain that.
    /// `conformance CASE` is short for `test conformance::CASE`.
    Test(String, String),
}

const CAMPAIGNS: &[&str] = &["crash", "histories"];

/// How much is tried, until nothing is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Random runs of a campaign. Others have what takes about as long.
    pub(super) runs: u64,
}

impl Effort {
    pub(super) const USUAL: Self = Self { runs: 1000 };
    pub(super) const SHORT: Self = Self { runs: 300 };

    /// Small histories take a fraction of the time, and threads of an operating system are slow to race.
    fn count(self, campaign: &str) -> u64 {
        if campaign == "histories" { self.runs * 20 } else { self.runs }
    }

    /// Of each of the two kinds of schedules; the usual number is that of `cargo model`.
    fn schedules(self) -> u64 {
        (self.runs * 4).max(1000)
    }

    /// Of sequences of operations; the usual number is that of `cargo test`.
    fn cases(self) -> u64 {
        (self.runs * 150 / 1000).max(50)
    }
}

/// What a tool says.
pub(super) enum Verdict {
    Passed,
    /// In its first words.
    Found(String),
    /// It had to be ended. That finds a bug only where the patch says so: a busy machine is slow, too.
    Hung,
    /// Or it came to an end of which nothing follows: a signal, no memory, no room on the disk.
    DidNotRun(String),
}

/// How a program ended.
enum End {
    Code(i32),
    Signal,
    Hung,
}

/// What a campaign returns that found something.
const VIOLATIONS: i32 = 1;

/// What a program of tests returns of which one failed.
const FAILED: i32 = 101;

/// What the operating system says when there is no room on its disk: that is no bug of ours.
const NO_ROOM: &str = "No space left on device";

/// A run that takes longer than this hangs. The longest takes a minute.
const PATIENCE: Duration = Duration::from_secs(300);

impl Tool {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        match kind {
            "model" if !rest.is_empty() => Some(Self::Model(rest.to_owned())),
            "conformance" => Some(Self::Test("conformance".to_owned(), rest.to_owned())),
            "test" if !rest.is_empty() => {
                let (suite, name) = rest.split_once("::").unwrap_or((rest, ""));
                Some(Self::Test(suite.to_owned(), name.to_owned()))
            }
            _ => CAMPAIGNS.contains(&text).then(|| Self::Campaign(text.to_owned())),
        }
    }

    pub(super) fn build(&self) -> Build {
        match self {
            Self::Campaign(_) => Build::Campaigns,
            Self::Model(_) => Build::Model,
            Self::Test(suite, _) => Build::Suite(suite.clone()),
        }
    }

    /// The test or module that it names, if none is called so.
    pub(super) fn names_in_vain<'a>(&'a self, sources: &str) -> Option<&'a str> {
        let name = match self {
            Self::Campaign(_) => return None,
            Self::Model(name) | Self::Test(_, name) => name.rsplit("::").next()?,
        };
        let is_there = |kind: &str| sources.contains(&format!("{kind} {name}"));
        (!is_there("fn") && !is_there("mod")).then_some(name)
    }

    /// Runs it, and tells how long that took.
    pub(super) fn run(&self, program: &Path, tree: &Tree, effort: Effort) -> (Verdict, Duration) {
        let mut command = Command::new(program);
        command.current_dir(&tree.root).stdin(Stdio::null());
        match self {
            Self::Campaign(name) => {
                command.args([name, "--count", &effort.count(name).to_string()]);
                command.env("IFMATCH_CAMPAIGN", "1");
            }
            Self::Model(name) => {
                command.arg(name).env("IFMATCH_SCHEDULES", effort.schedules().to_string());
            }
            Self::Test(_, name) => {
                command.args((!name.is_empty()).then_some(name));
                command.env("IFMATCH_CASES", effort.cases().to_string());
            }
        }
        let told = tree.target.join("told");
        let started = Instant::now();
        let ended = run_for(&mut command, PATIENCE, &told);
        let took = started.elapsed();
        let told = fs::read(&told).unwrap_or_default();
        let told = String::from_utf8_lossy(&told);
        let verdict = match ended {
            Err(error) => Verdict::DidNotRun(error.to_string()),
            Ok(End::Hung) => Verdict::Hung,
            Ok(End::Code(0)) if self.has_passed(&told) => Verdict::Passed,
            Ok(End::Code(0)) => Verdict::DidNotRun("there is no such test".to_owned()),
            Ok(End::Code(code)) if code == self.failure() => match self.finding(&told) {
                Some(said) => Verdict::Found(said),
                None => Verdict::DidNotRun(told.into_owned()),
            },
            Ok(End::Code(code)) => Verdict::DidNotRun(format!("code {code}: {told}")),
            Ok(End::Signal) => Verdict::DidNotRun(format!("a signal ended it: {told}")),
        };
        (verdict, took)
    }

    /// The code with which it says that it found something.
    fn failure(&self) -> i32 {
        match self {
            Self::Campaign(_) => VIOLATIONS,
            Self::Model(_) | Self::Test(..) => FAILED,
        }
    }

    fn has_passed(&self, told: &str) -> bool {
        match self {
            Self::Campaign(_) => true,
            Self::Model(name) | Self::Test(_, name) => a_test(told, name, "ok").is_some(),
        }
    }

    /// What it found, in a line: the violation, or the test that failed, and what that said.
    fn finding(&self, told: &str) -> Option<String> {
        let line = match self {
            Self::Campaign(name) => {
                let violation = format!("{name}: violation");
                told.lines().find(|line| line.starts_with(&violation))?.to_owned()
            }
            Self::Model(name) | Self::Test(_, name) => {
                let failed = a_test(told, name, "FAILED")?;
                if told.contains(NO_ROOM) {
                    return None;
                }
                format!("{failed}: {}", words(told, failed).unwrap_or_default())
            }
        };
        Some(line.chars().take(250).collect())
    }
}

/// The first test of which a program of tests says that it had this end, among those whose names contain `name`.
fn a_test<'a>(told: &'a str, name: &str, end: &str) -> Option<&'a str> {
    let test = |line: &'a str| {
        let (test, said) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let test = test.split(' ').next()?;
        (said == end && test.contains(name)).then_some(test)
    };
    told.lines().find_map(test)
}

/// What a test said that failed. It may have said nothing.
fn words(told: &str, test: &str) -> Option<String> {
    let (_, told) = told.split_once(&format!("---- {test} stdout ----"))?;
    // The words of a panic come after its place, and what was expected after them.
    let mut lines = told.lines().skip_while(|line| !line.contains(" panicked at "));
    if let Some(words) = lines.nth(1) {
        let more = lines.take_while(|line| line.starts_with(' ')).map(str::trim);
        return Some(std::iter::once(words).chain(more).collect::<Vec<_>>().join(", "));
    }
    // It returned an error.
    told.lines().find(|line| line.starts_with("Error: ")).map(str::to_owned)
}

/// Runs a program, whose words go to a file, for so long at the most.
fn run_for(command: &mut Command, limit: Duration, told: &Path) -> std::io::Result<End> {
    let file = File::create(told)?;
    let mut child = command.stdout(file.try_clone()?).stderr(file).spawn()?;
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code().map_or(End::Signal, End::Code));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(End::Hung);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Campaign(name) => f.write_str(name),
            Self::Model(name) => write!(f, "model {name}"),
            Self::Test(suite, name) if name.is_empty() => write!(f, "test {suite}"),
            Self::Test(suite, name) if suite == "conformance" => write!(f, "conformance {name}"),
            Self::Test(suite, name) => write!(f, "test {suite}::{name}"),
        }
    }
}
