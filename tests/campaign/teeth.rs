//! Whether the crash campaign bites: each patch in `teeth/` breaks the log, and the campaign has to find out.
//!
//! A copy of the crate in `target/teeth` is patched, built and run, one patch after the other. In a test suite there is no time
//! for that: there it is checked that the patches still fit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use crate::command::{Campaign, Options, Outcome, Size};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "teeth",
    about: "breaks the log in each way that is known, and demands that `crash` finds it (--only PATCH,PATCH for some)",
    unit: "patches",
    in_tests: true,
    run,
};

/// Runs of the campaign for each patch, if it is not said how many.
const RUNS: u64 = 1000;

fn run(options: &Options) -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut patches: Vec<_> = fs::read_dir(root.join("tests/campaign/teeth"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| match &options.only {
            Some(only) => only.split(',').any(|part| name(path).contains(part)),
            None => true,
        })
        .collect();
    patches.sort();
    let tree = root.join("target/teeth");
    let _may_not_exist = fs::remove_dir_all(&tree);
    copy(root, &tree);
    let result = match options.size {
        Size::Test => all_fit(&tree, &patches),
        Size::Count(runs) => all_bite(&tree, &patches, options.only.is_none(), runs),
        Size::Usual | Size::Until(_) => all_bite(&tree, &patches, options.only.is_none(), RUNS),
    };
    let points = u64::try_from(patches.len()).unwrap();
    Outcome { points, violations: result }
}

fn all_fit(tree: &Path, patches: &[PathBuf]) -> Vec<String> {
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("teeth: there is no git to apply patches with");
        return Vec::new();
    }
    patches.iter().filter_map(|patch| apply(tree, patch, &["--check"]).err()).collect()
}

fn all_bite(tree: &Path, patches: &[PathBuf], sound_first: bool, runs: u64) -> Vec<String> {
    let mut violations = Vec::new();
    if sound_first {
        let sound = campaign(tree, runs);
        if !sound.status.success() {
            return vec![format!("without a patch:\n{}", text(&sound))];
        }
    }
    for patch in patches {
        if let Err(what) = apply(tree, patch, &[]) {
            violations.push(what);
            continue;
        }
        let outcome = campaign(tree, runs);
        let told = text(&outcome);
        let found = told.lines().find(|line| line.starts_with("crash: violation"));
        let last = told.lines().rfind(|line| line.starts_with("crash: ")).unwrap_or("did not run");
        match found {
            Some(found) => println!("{}: {last}\n    {found}", name(patch)),
            None => violations.push(format!("{} was not found: {last}\n{told}", name(patch))),
        }
        if let Err(what) = apply(tree, patch, &["--reverse"]) {
            violations.push(what);
            break;
        }
    }
    violations
}

fn name(patch: &Path) -> String {
    patch.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn apply(tree: &Path, patch: &Path, flags: &[&str]) -> Result<(), String> {
    let output = Command::new("git")
        .arg("apply")
        .args(flags)
        .arg(patch)
        .current_dir(tree)
        // Else it looks for the repository around, and applies nothing that is ignored there.
        .env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap())
        .output()
        .map_err(|error| format!("git: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{}: {}", name(patch), text(&output)))
    }
}

/// Builds the crash campaign of the tree, and runs it.
fn campaign(tree: &Path, runs: u64) -> Output {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["test", "--release", "--features", "testing", "--test", "campaign"])
            .args([
                "--config",
                "profile.release.lto=false",
                "--config",
                "profile.release.debug=false",
            ])
            .args(arguments)
            .current_dir(tree)
            .env("IFMATCH_CAMPAIGN", "1")
            .env("CARGO_TARGET_DIR", tree.parent().unwrap().join("teeth-build"))
            .env("CARGO_INCREMENTAL", "1");
        command.output().unwrap()
    };
    let started = Instant::now();
    let built = cargo(&["--no-run", "-q"]);
    if !built.status.success() {
        return built;
    }
    eprintln!("teeth: built in {:.0?}", started.elapsed());
    cargo(&["-q", "--", "crash", "--count", &runs.to_string()])
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
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
