//! `ifmatch list`: the keys with a prefix, in order, all at one revision.

use clap::Args;
use ifmatch::client::{Document, Entry};
use serde_json::json;

use crate::entry_line::EntryLine;
use crate::failure::Failure;
use crate::output::Lines;
use crate::server::ServerOptions;

/// The most that a server gives at a time.
const PAGE: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What the keys begin with; all keys without it
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,

    /// The keys alone; else each line has key, revision, content type and bytes, with tabs in between
    #[arg(long, short)]
    keys_only: bool,

    /// The most entries
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

pub(crate) async fn run(arguments: &Arguments, server: &ServerOptions) -> Result<(), Failure> {
    let limit = arguments.limit.map_or(usize::MAX, |limit| limit.try_into().unwrap_or(usize::MAX));
    let client = server.client()?;
    let mut list = client.list::<Document>(&arguments.prefix).page_size(limit.min(PAGE));
    let (mut out, mut count) = (Lines::new(), 0);
    while count < limit
        && let Some(entry) = list.next().await
    {
        let entry = entry.map_err(Failure::Read)?;
        match (server.json, arguments.keys_only) {
            (true, true) => out.json(&json!({ "key": entry.key() }))?,
            (true, false) => out.json(&EntryLine::of(&entry))?,
            (false, true) => out.text(entry.key())?,
            (false, false) => out.text(&columns(&entry))?,
        }
        count += 1;
    }
    Ok(())
}

/// A key has no control characters, so that tabs and line ends are ours.
fn columns(entry: &Entry<Document>) -> String {
    let revision = entry.revision().map(|revision| revision.to_string()).unwrap_or_default();
    let document = entry.document();
    let bytes = document.body().len();
    format!("{}\t{revision}\t{}\t{bytes}", entry.key(), document.content_type())
}
