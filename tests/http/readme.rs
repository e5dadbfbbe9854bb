//! The README's walk-throughs, run as they stand there.

use std::process::Command;

use ifmatch::http::{Options, documents};

use crate::support::Server;

const README: &str = include_str!("../../README.md");

/// A block of commands, and what is to come of it.
struct Transcript {
    commands: String,
    /// Of each `curl -i`, the status that the comment before it names.
    statuses: Vec<String>,
}

/// The blocks of shell commands that ask the server on the port of the first command.
fn transcripts() -> Vec<Transcript> {
    let blocks = README.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .filter(|block| block.contains("http://127.0.0.1:4090"))
        .map(|block| {
            let (mut status, mut statuses) = (String::new(), Vec::new());
            for line in block.lines() {
                if let Some(comment) = line.strip_prefix('#') {
                    let words = comment.split(|letter: char| !letter.is_ascii_digit());
                    status = words.filter(|word| word.len() == 3).collect::<Vec<_>>().join(" ");
                } else if line.starts_with("curl -i") {
                    assert_eq!(status.len(), 3, "the comment before {line:?} names a status");
                    statuses.push(status.clone());
                }
            }
            Transcript { commands: block.to_owned(), statuses }
        })
        .collect()
}

/// Runs the commands against a new server; `None` if there is no curl here.
fn run(transcript: &Transcript) -> Option<String> {
    let found = Command::new("curl").arg("--version").output();
    if found.is_err() && std::env::var_os("CI").is_none() {
        eprintln!("curl is not installed: the README is not checked");
        return None;
    }
    // As in the first command of the README.
    let server = Server::over(documents().history(10).build(), Options::default());
    let commands = transcript.commands.replace("127.0.0.1:4090", &server.address().to_string());
    let output = Command::new("bash").args(["-c", &commands]).output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn each_command_answers_what_the_comment_before_it_says() {
    let transcripts = transcripts();
    assert!(transcripts.len() >= 2, "the walk-throughs are found");
    for transcript in transcripts {
        let Some(output) = run(&transcript) else { return };
        // An answer may end without a line break.
        let answered: Vec<&str> =
            output.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(answered, transcript.statuses, "{}\n{output}", transcript.commands);
    }
}

#[test]
fn the_conflict_that_is_shown_is_the_one_that_is_answered() {
    let shown = README.split("```http\n").nth(1).unwrap().split("```").next().unwrap();
    let Some(output) = run(&transcripts()[0]) else { return };
    let answered = output.rsplit_once("HTTP/1.1 409").unwrap().1;
    assert_eq!(body(shown), body(answered));
}

/// The JSON of an answer, with what is random left out.
fn body(answer: &str) -> serde_json::Value {
    let text = &answer[answer.find('{').unwrap()..];
    let mut body: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    let tag = body["current_etag"].as_str().unwrap();
    body["current_etag"] = tag.split('-').next().unwrap().into();
    body
}
