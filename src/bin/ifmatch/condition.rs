//! In which state a key has to be for a write, as options.

use clap::Args;
use ifmatch::Revision;
use ifmatch::client::{ClientPrecondition, EntityTag};

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Condition {
    /// Only if the key still has this tag, as get --include or --json shows it; the quotes may be left out
    #[arg(long, value_name = "ETAG", value_parser = tag)]
    if_match: Option<EntityTag>,

    /// Only if the key is still at this revision
    #[arg(long, value_name = "R")]
    revision: Option<Revision>,

    /// Only if the key exists
    #[arg(long)]
    exists: bool,
}

/// With what only a put can demand.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PutCondition {
    /// Only if the key still has this tag, as get --include or --json shows it; the quotes may be left out
    #[arg(long, value_name = "ETAG", value_parser = tag)]
    if_match: Option<EntityTag>,

    /// Only if the key is still at this revision
    #[arg(long, value_name = "R")]
    revision: Option<Revision>,

    /// Only if the key does not exist
    #[arg(long)]
    create: bool,

    /// Only if the key exists
    #[arg(long)]
    exists: bool,
}

impl Condition {
    pub(crate) fn precondition(&self) -> ClientPrecondition {
        of(self.if_match.as_ref(), self.revision, self.exists)
    }
}

impl PutCondition {
    pub(crate) fn precondition(&self) -> ClientPrecondition {
        if self.create {
            return ClientPrecondition::Absent;
        }
        of(self.if_match.as_ref(), self.revision, self.exists)
    }
}

fn of(tag: Option<&EntityTag>, revision: Option<Revision>, exists: bool) -> ClientPrecondition {
    match (tag, revision, exists) {
        (Some(tag), _, _) => tag.into(),
        (_, Some(revision), _) => revision.into(),
        (_, _, true) => ClientPrecondition::Present,
        (None, None, false) => ClientPrecondition::Any,
    }
}

/// A shell takes quotes away easily.
fn tag(text: &str) -> Result<EntityTag, String> {
    let quoted = if text.contains('"') { text.to_owned() } else { format!("\"{text}\"") };
    EntityTag::new(&quoted).map_err(|error| error.to_string())
}
