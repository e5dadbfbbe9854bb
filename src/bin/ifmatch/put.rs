//! `ifmatch put`: writes a value, perhaps only in a certain state of its key.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use ifmatch::client::Document;
use serde_json::json;

use crate::condition::PutCondition;
use crate::content_type;
use crate::failure::Failure;
use crate::output::Lines;
use crate::server::ServerOptions;

#[derive(Debug, Args)]
#[command(after_help = content_type::RULE)]
pub(crate) struct Arguments {
    /// The key
    key: String,

    /// The value; - reads it from stdin
    #[arg(
        required_unless_present = "file",
        conflicts_with = "file",
        allow_negative_numbers = true
    )]
    value: Option<String>,

    /// The value is the content of this file
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,

    /// What the value is
    #[arg(long, short = 't', value_name = "T")]
    content_type: Option<String>,

    #[command(flatten)]
    condition: PutCondition,
}

pub(crate) async fn run(arguments: &Arguments, server: &ServerOptions) -> Result<(), Failure> {
    let client = server.client()?;
    let body = body(arguments)?;
    let content_type =
        arguments.content_type.clone().unwrap_or_else(|| content_type::guess(&body).to_owned());
    let document = Document::new(content_type, body);
    let key = arguments.key.as_str();
    let written = client.put_if(key, &document, arguments.condition.precondition()).await;
    let written = written.map_err(Failure::Write)?;
    let etag = written.etag().as_str();
    let mut out = Lines::new();
    if server.json {
        return out.json(&json!({ "key": key, "etag": etag, "created": written.is_creation() }));
    }
    // What the next write demands: tag=$(ifmatch put ..).
    out.text(etag)
}

fn body(arguments: &Arguments) -> Result<Vec<u8>, Failure> {
    if let Some(path) = &arguments.file {
        return std::fs::read(path).map_err(Failure::file("--file: cannot read", path));
    }
    match arguments.value.as_deref() {
        None | Some("-") => {
            let mut body = Vec::new();
            std::io::stdin().read_to_end(&mut body).map_err(Failure::io("cannot read stdin"))?;
            Ok(body)
        }
        Some(value) => Ok(value.as_bytes().to_vec()),
    }
}
