//! `ifmatch delete`: removes a key, perhaps only in a certain state, or while nothing needs it.

use clap::Args;
use serde_json::json;

use crate::condition::Condition;
use crate::failure::Failure;
use crate::output::Lines;
use crate::server::ServerOptions;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The key
    key: String,

    #[command(flatten)]
    condition: Condition,

    /// Only if no key begins with this
    #[arg(long, value_name = "PREFIX")]
    unless_prefix: Option<String>,
}

pub(crate) async fn run(arguments: &Arguments, server: &ServerOptions) -> Result<(), Failure> {
    let client = server.client()?;
    let (key, precondition) = (arguments.key.as_str(), arguments.condition.precondition());
    let deleted = match &arguments.unless_prefix {
        Some(prefix) => client.delete_unless_used(key, precondition, prefix).await,
        None => client.delete_if(key, precondition).await,
    };
    let deleted = deleted.map_err(Failure::Write)?.ok_or_else(|| Failure::not_found(key))?;
    if server.json {
        let etag = deleted.etag().as_str();
        return Lines::new().json(&json!({ "key": key, "etag": etag, "deleted": true }));
    }
    Ok(())
}
