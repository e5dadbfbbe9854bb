//! `ifmatch log dump`: a line for each thing in the log.

use std::ops::ControlFlow;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use clap::Args;
use ifmatch::http::Document;
use ifmatch::maintenance::{self, DumpOptions, Dumped, Encoded, Item, MaintenanceError};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::entry_line::one_line;
use crate::failure::Failure;
use crate::output::{Lines, is_printable};
use crate::server::ServerOptions;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The directory of the log
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// Go on past damage: what comes after it is whole by itself, but not what it was written on top of
    #[arg(long)]
    all: bool,

    /// Only what is written to this key: its text, or 0x and its bytes in hexadecimal
    #[arg(long)]
    key: Option<String>,

    /// Only what is written after this revision
    #[arg(long, value_name = "REVISION", default_value = "0", hide_default_value = true)]
    since: u64,
}

pub(super) fn run(arguments: &Arguments, options: &ServerOptions) -> Result<(), Failure> {
    let mut choice = DumpOptions::default().past_damage(arguments.all).since(arguments.since);
    if let Some(key) = &arguments.key {
        choice = choice.key(key);
    }
    let mut lines = Lines::new();
    let mut failure = None;
    let found = maintenance::dump(&arguments.directory, &choice, &mut |dumped| {
        let printed =
            if options.json { lines.json(&Line::of(dumped)) } else { lines.text(&text(dumped)) };
        match printed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    match (failure, found) {
        (Some(failure), _) => Err(failure),
        (None, Some(found)) if !found.damage.is_empty() => {
            Err(MaintenanceError::Damaged(Box::new(found)).into())
        }
        _ => Ok(()),
    }
}

/// With the document in it, if there is one.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    dumped: &'a Dumped<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Content>,
}

#[derive(Serialize)]
struct Content {
    content_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> Line<'a> {
    fn of(dumped: &'a Dumped<'a>) -> Self {
        let content = value(&dumped.item).and_then(|value| document(&value)).map(|document| {
            let value = document.is_json().then(|| one_line(document.body())).flatten();
            Content {
                content_type: document.content_type().as_str().to_owned(),
                base64: value.is_none().then(|| BASE64_STANDARD.encode(document.body())),
                value: value.map(std::borrow::Cow::into_owned),
            }
        });
        Self { dumped, document: content }
    }
}

fn value<'a>(item: &Item<'a>) -> Option<Encoded<'a>> {
    match item {
        Item::Entry { value, .. } | Item::Put { value, .. } => Some(*value),
        _ => None,
    }
}

/// A document of `ifmatch serve`, if that is what it is.
fn document(value: &Encoded<'_>) -> Option<Document> {
    let stored = Bytes::copy_from_slice(value.content()?);
    Document::from_stored(&stored).ok().filter(|document| document.stamp().is_some())
}

/// The line for people: the revision, what it is, and where.
fn text(dumped: &Dumped<'_>) -> String {
    let shown = |value: &Encoded<'_>| match document(value) {
        Some(document) if is_printable(document.body()) => {
            let body = String::from_utf8_lossy(document.body());
            let line = body.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
            format!("{} {line}", document.content_type().as_str())
        }
        Some(document) => {
            format!("{}, {} bytes", document.content_type().as_str(), document.body().len())
        }
        None => value.to_string(),
    };
    let what = match &dumped.item {
        Item::Entry { revision, created_revision, write_count, key, value } => format!(
            "{revision} entry {key} = {} (created at {created_revision}, written {write_count} times)",
            shown(value)
        ),
        Item::Put { revision, key, value } => format!("{revision} put {key} = {}", shown(value)),
        Item::Delete { revision, key } => format!("{revision} delete {key}"),
        Item::Reserve { up_to } => format!("reserve revisions up to {up_to}"),
        Item::Close => "closed in good order".to_owned(),
        Item::Continued => "continued by the next segment".to_owned(),
        Item::Damage { bytes, what, revision } => {
            let of =
                revision.map_or_else(String::new, |revision| format!(", of revision {revision}"));
            format!("DAMAGE: {what}; {bytes} bytes cannot be read{of}")
        }
        _ => "something that this version does not know".to_owned(),
    };
    let after = if dumped.after_damage { ", after damage" } else { "" };
    format!("{what} [{}:{}{after}]", dumped.file, dumped.offset)
}
