//! `ifmatch get`: what is stored under a key, as it is.

use std::path::PathBuf;

use clap::Args;
use ifmatch::Revision;
use ifmatch::client::{Document, Entry};

use crate::entry_line::EntryLine;
use crate::failure::Failure;
use crate::output::{self, Lines};
use crate::replace;
use crate::server::ServerOptions;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The key
    key: String,

    /// As it was at this revision
    #[arg(long, value_name = "R")]
    at: Option<Revision>,

    /// Write it to this file, which is replaced at once when all is there
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The ETag and the content type first, as the headers of HTTP, then an empty line
    #[arg(long, short, conflicts_with = "json")]
    include: bool,

    /// Write to a terminal also what it could take for commands
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(arguments: &Arguments, server: &ServerOptions) -> Result<(), Failure> {
    let client = server.client()?;
    let key = arguments.key.as_str();
    let read = match arguments.at {
        Some(revision) => client.get_at::<Document>(key, revision).await,
        None => client.get::<Document>(key).await,
    };
    let entry = read.map_err(Failure::Read)?.ok_or_else(|| Failure::not_found(key))?;
    if server.json && arguments.output.is_none() {
        return Lines::new().json(&EntryLine::of(&entry));
    }
    let head = if arguments.include { head(&entry) } else { String::new() };
    let body = entry.document().body();
    if let Some(path) = &arguments.output {
        replace::file(path, &[head.as_bytes(), body])?;
        return if server.json { Lines::new().json(&EntryLine::of(&entry)) } else { Ok(()) };
    }
    if !output::is_terminal() {
        return output::bytes(&[head.as_bytes(), body]);
    }
    if !arguments.force && !output::is_printable(body) {
        let what = "it is not plain text, and stdout is a terminal: use --output FILE, or --force";
        return Err(Failure::other(what));
    }
    // So that the prompt is on a line of its own.
    let end: &[u8] = if body.is_empty() || body.ends_with(b"\n") { b"" } else { b"\n" };
    output::bytes(&[head.as_bytes(), body, end])
}

fn head(entry: &Entry<Document>) -> String {
    format!("ETag: {}\nContent-Type: {}\n\n", entry.etag(), entry.document().content_type())
}
