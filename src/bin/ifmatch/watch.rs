//! `ifmatch watch`: a line for each commit, as it comes.

use clap::Args;
use ifmatch::Revision;
use ifmatch::client::{ClientCommit, ClientError, ClientEvent, DecodeError, Document};
use serde::Serialize;
use serde_json::json;

use crate::entry_line::EntryLine;
use crate::failure::{Failure, complain_in_json};
use crate::output::Lines;
use crate::report::complain;
use crate::server::ServerOptions;
use crate::stop::Stop;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What the keys begin with; all keys without it
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,

    /// What came after this revision first, without a gap
    #[arg(long, value_name = "R")]
    since: Option<Revision>,

    /// End after so many commits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

#[derive(Serialize)]
struct CommitLine<'a> {
    revision: Revision,
    events: Vec<EventLine<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum EventLine<'a> {
    Put(EntryLine<'a>),
    Delete { key: &'a str, revision: Revision },
}

/// Until a signal ends it, or as many commits as were asked for.
pub(crate) async fn run(arguments: &Arguments, server: &ServerOptions) -> Result<(), Failure> {
    let mut stop = Stop::install().map_err(Failure::io("cannot wait for signals"))?;
    tokio::select! {
        done = follow(arguments, server) => done,
        () = stop.requested() => Ok(()),
    }
}

async fn follow(arguments: &Arguments, server: &ServerOptions) -> Result<(), Failure> {
    let mut watch = server.client()?.watch::<Document>(&arguments.prefix);
    if let Some(revision) = arguments.since {
        watch = watch.since(revision);
    }
    watch.open().await.map_err(Failure::Read)?;
    server.note(&format!("watching {:?} at {}", arguments.prefix, server.url()));
    let mut left = arguments.limit;
    while left != Some(0)
        && let Some(commit) = watch.next().await
    {
        let commit = match commit {
            Ok(commit) => commit,
            // The watch goes on after it.
            Err(ClientError::Decode(error)) => {
                complain_of(&error, server.json);
                continue;
            }
            Err(error) => return Err(Failure::Read(error)),
        };
        // Not kept across an await: another part of the process may print.
        let mut out = Lines::new();
        if server.json {
            out.json(&line(&commit))?
        } else {
            out.text(&columns(&commit))?
        }
        left = left.map(|left| left - 1);
    }
    Ok(())
}

/// A commit that cannot be told.
fn complain_of(error: &DecodeError, in_json: bool) {
    if in_json {
        return complain_in_json(&json!({ "detail": error.to_string(), "keys": error.keys() }));
    }
    let keys = error.keys().join(", ");
    let keys = if keys.is_empty() { keys } else { format!("; its keys: {keys}") };
    complain(&format!("{error}{keys}"));
}

fn line(commit: &ClientCommit<Document>) -> CommitLine<'_> {
    let events = commit.events().iter().map(|event| match event {
        ClientEvent::Put(entry) => EventLine::Put(EntryLine::of(entry)),
        ClientEvent::Delete { key, revision } => EventLine::Delete { key, revision: *revision },
    });
    CommitLine { revision: commit.revision(), events: events.collect() }
}

/// The revision, then `put KEY` or `delete KEY` for each change, with tabs in between.
fn columns(commit: &ClientCommit<Document>) -> String {
    let mut text = commit.revision().to_string();
    for event in commit.events() {
        let what = if event.entry().is_some() { "put" } else { "delete" };
        text.push_str(&format!("\t{what} {}", event.key()));
    }
    text
}
