//! What the compiler does not check: the arrows between modules point down, locks are named in one file, files stay
//! small enough to be about one thing.

#![cfg(not(ifmatch_model))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate, lowest first. A module may use those before it, and itself.
const LAYERS: &[&str] = &[
    "sync",
    "capability",
    "cause",
    "percent",
    "document_key",
    "json",
    "merge",
    "patch",
    "identity",
    "revision",
    "key",
    "range",
    "codec",
    "versioned",
    "precondition",
    "conflict",
    "history",
    "error",
    "txn",
    "commit_error",
    "event",
    "storage",
    "log_stats",
    "log",
    "maintenance",
    "store",
    "backend",
    "typed",
    "etcd",
    "testing",
    "client",
    "http",
];

/// Lines of code, without comments, blank lines and unit tests.
const MAX_LINES: usize = 400;

/// Names that only `src/sync.rs` may use: what the model checker replaces.
const LOCKS: &[&str] = &[
    "parking_lot",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::atomic",
    "std::thread::spawn",
];

struct Source {
    path: PathBuf,
    module: String,
    lines: Vec<(usize, String)>,
}

/// The sources, without comments and unit tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path)
            {
                found.push(read(&root, path));
            }
        }
    }
    assert!(found.len() > 20, "the sources were found");
    found
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    if path.iter().any(|folder| folder == "tests" || folder == "model") {
        return true;
    }
    ["tests.rs", "model.rs"].contains(&name)
}

fn read(root: &Path, path: PathBuf) -> Source {
    let relative = path.strip_prefix(root).unwrap().with_extension("");
    let module = relative.iter().next().unwrap().to_str().unwrap().to_owned();
    let text = fs::read_to_string(&path).unwrap();
    let lines = (1..)
        .zip(text.lines())
        .take_while(|(_, line)| *line != "mod tests {")
        .map(|(number, line)| (number, line.split("//").next().unwrap().trim().to_owned()))
        .filter(|(_, line)| !line.is_empty())
        .collect();
    Source { path, module, lines }
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|name| *name == module)
}

#[test]
fn modules_use_only_what_is_below_them() {
    for source in sources() {
        let Some(own) = layer(&source.module) else {
            assert!(
                ["lib", "bin"].contains(&source.module.as_str()),
                "{} has no layer",
                source.module
            );
            continue;
        };
        for (number, line) in &source.lines {
            // What a macro names is named from outside the crate.
            for path in line.replace("$crate::", "").split("crate::").skip(1) {
                let used: String = path
                    .chars()
                    .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                    .collect();
                let place = format!("{}:{number}", source.path.display());
                let Some(used_layer) = layer(&used) else {
                    assert!(
                        used.is_empty() && path.is_empty(),
                        "{place}: name the module, not crate::{used}"
                    );
                    continue;
                };
                assert!(used_layer <= own, "{place}: {} is below {used}", source.module);
            }
        }
    }
}

#[test]
fn locks_and_atomics_are_named_in_one_file() {
    for source in sources()
        .iter()
        .filter(|source| !["sync", "testing", "http"].contains(&source.module.as_str()))
    {
        for (number, line) in &source.lines {
            for name in LOCKS {
                assert!(!line.contains(name), "{}:{number}: {name}", source.path.display());
            }
        }
    }
}

#[test]
fn files_are_small() {
    for source in sources() {
        assert!(
            source.lines.len() <= MAX_LINES,
            "{}: {} lines",
            source.path.display(),
            source.lines.len()
        );
    }
}

#[test]
fn nothing_is_left_undone() {
    for source in sources() {
        for (number, line) in &source.lines {
            for mark in ["todo!", "unimplemented!", "dbg!"] {
                assert!(!line.contains(mark), "{}:{number}: {mark}", source.path.display());
            }
        }
    }
}

/// The text of all files under `folder`.
fn texts(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// A program that needs `protoc` is not built with the README's others, but as an example.
#[test]
fn the_readme_shows_the_example_on_etcd_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let (readme, example) = (read("README.md"), read("examples/etcd.rs"));
    let (_, program) = example.split_once("\n\n").unwrap();
    let shown = readme.split("```rust,ignore\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(shown, program);
}

/// What a backend does differently is told beside a test of it, which has to be there.
#[test]
fn every_difference_of_a_backend_names_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    texts(&root.join("src/testing/conformance"), &mut tests);
    // They are not part of the package.
    let Ok(_) = fs::metadata(root.join("tests/etcd")) else { return };
    texts(&root.join("tests"), &mut tests);
    for (file, backend) in [("src/etcd.rs", "`Etcd`"), ("src/client/remote.rs", "`Remote`")] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let header = format!("| | `Store` | {backend} | test |");
        let lines = text.lines().skip_while(|line| !line.ends_with(&header)).skip(2);
        let rows: Vec<&str> = lines.take_while(|line| line.ends_with(" |")).collect();
        assert!(rows.len() > 5, "{file} has the table");
        for row in rows {
            let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
            let name = cell.split('`').nth(1).unwrap_or_else(|| panic!("{file}: {row}"));
            let name = name.rsplit("::").next().unwrap();
            let is_there =
                tests.contains(&format!("fn {name}(")) || tests.contains(&format!("fn {name}<"));
            assert!(is_there, "{file}: there is no test {name}");
        }
    }
}

/// The most files and bytes of a corpus.
const MAX_CORPUS: (usize, u64) = (200, 300 << 10);

/// `cargo campaign fuzz` runs what the manifest names; a target without a corpus would begin with nothing each time.
#[test]
fn every_fuzz_target_has_a_small_corpus_and_every_corpus_a_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    // It is not part of the package.
    let Ok(manifest) = fs::read_to_string(fuzz.join("Cargo.toml")) else { return };
    let sections = manifest.split("[[bin]]").skip(1);
    let mut targets: Vec<_> = sections.map(|bin| bin.split('"').nth(1).unwrap()).collect();
    let corpora = fs::read_dir(fuzz.join("corpus")).unwrap();
    let mut corpora: Vec<_> = corpora.map(|entry| entry.unwrap().file_name()).collect();
    targets.sort_unstable();
    corpora.sort();
    assert_eq!(corpora, targets);
    for target in targets {
        let inputs = fs::read_dir(fuzz.join("corpus").join(target)).unwrap();
        let lens: Vec<u64> = inputs.map(|input| input.unwrap().metadata().unwrap().len()).collect();
        let (files, bytes) = (lens.len(), lens.iter().sum::<u64>());
        assert!(files > 0, "{target} has no corpus");
        assert!(files <= MAX_CORPUS.0, "{target}: {files} inputs");
        assert!(bytes <= MAX_CORPUS.1, "{target}: {bytes} bytes");
    }
}
