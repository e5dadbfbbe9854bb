//! Completions.

use std::process::Command;

use crate::support::{command, run};

#[test]
fn completions_are_scripts_that_name_the_subcommands() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(command().args(["completions", shell]), b"").ok();
        for name in ["export", "--unless-prefix"] {
            assert!(script.contains(name.trim_start_matches('-')), "{shell}: {name}");
        }
        let path = folder.path().join(shell);
        std::fs::write(&path, script).unwrap();
        if shell == "bash" {
            assert!(Command::new("bash").arg("-n").arg(&path).status().unwrap().success());
        }
    }
    run(command().args(["completions", "tcsh"]), b"").fails(2);
}
