//! How the tree is built for a tool: incremental, without debug information, each kind in a directory of its own.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::tree::Tree;

/// Kinds of builds, in an order in which little is built twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Build {
    /// The campaigns, optimized.
    Campaigns,
    /// The unit tests under the model checker.
    Model,
    /// A suite of tests as `cargo test` runs it; `lib` are the unit tests.
    Suite(String),
}

impl Build {
    /// The program with the tool.
    pub(super) fn make(&self, tree: &Tree) -> Result<PathBuf, String> {
        let mut command = Command::new(env!("CARGO"));
        command
            .current_dir(&tree.root)
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_TARGET_DIR", tree.target.join(self.directory()))
            .args(["--config", "profile.dev.debug=false"])
            .args(["--config", "profile.release.debug=false"])
            .args(["--config", "profile.release.lto=false"]);
        if *self == Self::Model {
            // What `cargo model` says; but the crate itself takes longer to optimize than to run for as long as it takes
            // to find a bug.
            command
                .env_remove("RUSTFLAGS")
                .args(["--config", "build.rustflags=['--cfg','ifmatch_model']"])
                .args(["--config", "profile.test.opt-level=1"])
                .args(["--config", "profile.test.package.ifmatch.opt-level=0"]);
        }
        command.args(["test", "--no-run", "--message-format", "json-render-diagnostics"]);
        match self {
            Self::Campaigns => {
                command.args(["--release", "--features", "testing", "--test", "campaign"])
            }
            Self::Model => command.args(["--lib", "--features", "stream,testing"]),
            Self::Suite(suite) if suite == "lib" => {
                command.args(["--lib", "--features", "testing"])
            }
            Self::Suite(suite) => {
                let features = if suite == "http" { "full" } else { "testing" };
                command.args(["--features", features, "--test", suite])
            }
        };
        let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("it does not build:\n{}", String::from_utf8_lossy(&output.stderr)));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let program = messages.lines().find_map(executable);
        program.ok_or_else(|| format!("{self}: nothing was built"))
    }

    /// Flags of their own have a directory of their own: cargo builds all anew when they change.
    fn directory(&self) -> &'static str {
        match self {
            Self::Campaigns => "campaigns",
            Self::Model => "model",
            Self::Suite(_) => "suites",
        }
    }
}

/// The program of tests that a message of cargo is about.
fn executable(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_test = message["profile"]["test"].as_bool()?;
    message["executable"].as_str().filter(|_| is_test).map(PathBuf::from)
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Campaigns => f.write_str("campaigns"),
            Self::Model => f.write_str("model"),
            Self::Suite(suite) => write!(f, "test {suite}"),
        }
    }
}
