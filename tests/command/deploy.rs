//! The files for operators in `examples/deploy/` say what the command understands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Server, command, run};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deploy").join(name)
}

/// The arguments after `serve`, of which those with a place of their own are given one in `folder`.
fn placed(arguments: Vec<String>, folder: &Path) -> Vec<String> {
    let mut after = String::new();
    let place = |argument: String| {
        let flag = std::mem::replace(&mut after, argument.clone());
        match flag.as_str() {
            "--data" => folder.join("store").to_str().unwrap().to_owned(),
            "--auth-token-file" => folder.join("tokens").to_str().unwrap().to_owned(),
            "--listen" => argument.rsplit_once(':').unwrap().0.to_owned() + ":0",
            _ => argument,
        }
    };
    arguments.into_iter().map(place).collect()
}

fn serves(arguments: Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tokens"), "0123456789abcdef\n").unwrap();
    let arguments = placed(arguments, folder.path());
    let [listen, rest] = {
        let at = arguments.iter().position(|argument| argument == "--listen").unwrap();
        let mut rest = arguments.clone();
        let listen = rest.drain(at..at + 2).collect::<Vec<_>>();
        [listen, rest]
    };
    assert!(listen[1].ends_with(":0"));
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let server = Server::start(&rest);
    let token = folder.path().join("tokens");
    let token = token.to_str().unwrap();
    server.ok(&["put", "a", "1", "--token-file", token]);
    assert!(folder.path().join("store").is_dir(), "{arguments:?}");
    server.run(&["get", "a"]).fails(5);
}

#[test]
fn the_unit_starts_a_server() {
    let unit = fs::read_to_string(file("ifmatch.service")).unwrap();
    let command = unit.split("ExecStart=").nth(1).unwrap().replace("\\\n", " ");
    let words = command.lines().next().unwrap().split_whitespace().map(str::to_owned);
    let words: Vec<String> = words.collect();
    assert_eq!(words[..2], ["/usr/local/bin/ifmatch", "serve"]);
    serves(words[2..].to_vec());
}

#[test]
fn the_image_starts_a_server() {
    let dockerfile = fs::read_to_string(file("Dockerfile")).unwrap();
    let line = |name: &str| {
        let found = dockerfile.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        serde_json::from_str::<Vec<String>>(found).unwrap()
    };
    assert_eq!(line("ENTRYPOINT "), ["ifmatch"]);
    let arguments = line("CMD ");
    assert_eq!(arguments[0], "serve");
    serves(arguments[1..].to_vec());
}

/// Where systemd is.
#[test]
fn systemd_understands_the_unit() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("systemd-analyze is not installed: the unit is not checked");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = fs::read_to_string(file("ifmatch.service")).unwrap();
    // The command has to be there.
    let unit = unit.replace("/usr/local/bin/ifmatch", crate::support::BINARY);
    let path = folder.path().join("ifmatch.service");
    fs::write(&path, unit).unwrap();
    let checked = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(path), b"");
    assert_eq!((checked.code, &*checked.err), (Some(0), ""), "{checked:?}");
}

/// Every flag that the page for operators names is one.
#[test]
fn the_page_names_no_flag_that_there_is_not() {
    let page = include_str!("../../src/operations.md");
    let help: String = [&["serve"][..], &["log", "verify"], &["log", "dump"], &["log", "restore"]]
        .iter()
        .chain([&["log", "repair"][..], &["log", "backup"], &["import"]].iter())
        .map(|words| run(command().args(*words).arg("--help"), b"").ok())
        .collect();
    let flags = page.split(|letter: char| letter.is_whitespace() || "`(),.=".contains(letter));
    // Of Cargo, Docker, etcd and etcdctl.
    let mut others = vec!["--bench", "--memory", "--features", "--path", "--open"];
    others.extend(["--quota-backend-bytes", "--max-request-bytes"]);
    others.extend(["--auto-compaction-mode", "--auto-compaction-retention"]);
    others.extend(["--prefix", "--keys-only", "--physical", "--cluster", "--name", "--data-dir"]);
    others.extend([
        "--initial-cluster",
        "--initial-cluster-token",
        "--initial-advertise-peer-urls",
    ]);
    if cfg!(not(feature = "etcd")) {
        others.extend(["--backend-user", "--backend-ca-cert", "--backend-cert", "--backend-key"]);
        others.extend(["--backend-retry-for", "--backend-request-timeout"]);
    }
    let flags: Vec<&str> =
        flags.filter(|word| word.starts_with("--") && !word.ends_with('-')).collect();
    assert!(flags.len() > 5, "{flags:?}");
    for flag in flags {
        assert!(others.contains(&flag) || help.contains(flag), "{flag}");
    }
}
