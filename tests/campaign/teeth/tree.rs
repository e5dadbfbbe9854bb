//! A copy of the crate, to be broken.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::patch::Patch;

pub(super) struct Tree {
    pub(super) root: PathBuf,
    /// Where all that is built goes.
    pub(super) target: PathBuf,
    broken_for_good: std::cell::Cell<bool>,
}

impl Tree {
    /// A copy of its own name, so that a test run does not meet a campaign.
    pub(super) fn copy(from: &Path, name: &str) -> Self {
        let root = from.join("target").join(name);
        let _may_not_exist = fs::remove_dir_all(&root);
        copy(from, &root);
        Self { root, target: from.join("target/teeth-build"), broken_for_good: false.into() }
    }

    /// Whether a patch fits.
    pub(super) fn check(&self, patch: &Patch) -> Result<(), String> {
        self.git(patch, &["--check"])
    }

    pub(super) fn apply(&self, patch: &Patch) -> Result<(), String> {
        self.git(patch, &[])
    }

    pub(super) fn take_back(&self, patch: &Patch) -> Result<(), String> {
        let taken_back = self.git(patch, &["--reverse"]);
        self.broken_for_good.set(taken_back.is_err());
        taken_back
    }

    /// Fails if a patch could not be taken back, so that whatever is found from then on says nothing.
    pub(super) fn is_sound(&self) -> Result<(), String> {
        if self.broken_for_good.get() { Err("the tree stays broken".to_owned()) } else { Ok(()) }
    }

    fn git(&self, patch: &Patch, flags: &[&str]) -> Result<(), String> {
        let output = Command::new("git")
            .arg("apply")
            .args(flags)
            .arg(&patch.path)
            .current_dir(&self.root)
            // Else it looks for the repository around, and applies nothing that is ignored there.
            .env("GIT_CEILING_DIRECTORIES", self.root.parent().unwrap())
            .output()
            .map_err(|error| format!("git: {error}"))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("{}: {}", patch.name, text(&output)))
        }
    }

    /// The text of all that tests are in.
    pub(super) fn sources(&self) -> String {
        let mut sources = String::new();
        for directory in ["src", "tests"] {
            read(&self.root.join(directory), &mut sources);
        }
        sources
    }
}

pub(super) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn read(directory: &Path, sources: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// What belongs to the crate, without what was built.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name == "target" || name == ".git" || name == ".cargo" || name == "node_modules" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}
