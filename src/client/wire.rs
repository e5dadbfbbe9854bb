//! The bodies of the server's answers.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::revision::Revision;

use super::entry::{Document, Entry, Head};
use super::error::DecodeError;
use super::tag::EntityTag;

/// A member that is there, `null` included: `"value": null` is a value.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An entry in a body. The text of its value stays as it is. What is unknown is ignored: a later server may say more.
#[derive(Deserialize)]
pub(super) struct WireEntry {
    /// Of an event of a watch: `put` or `delete`.
    #[serde(default)]
    r#type: Option<String>,
    pub(super) key: String,
    pub(super) revision: Revision,
    #[serde(default)]
    created_revision: Option<Revision>,
    #[serde(default)]
    write_count: Option<u64>,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default)]
    last_modified: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default, deserialize_with = "given")]
    value: Option<Box<RawValue>>,
    #[serde(default)]
    base64: Option<String>,
    #[serde(default)]
    deleted: bool,
}

impl WireEntry {
    /// Whether it says that the key was deleted, in a history or a watch.
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted || self.r#type.as_deref() == Some("delete")
    }

    /// Whether it is an event that a later server may tell, and we do not know.
    pub(super) fn is_unknown_event(&self) -> bool {
        !matches!(self.r#type.as_deref(), Some("put" | "delete"))
    }

    /// `None` if it has no value: only the newest of a long history have.
    pub(super) fn into_entry(
        self,
        etag: Option<&EntityTag>,
    ) -> Result<Option<Entry<Document>>, DecodeError> {
        let own = self.etag.as_deref().map(EntityTag::new).transpose();
        let own = own.map_err(|error| DecodeError::answer(format!("{:?}: {error}", self.key)))?;
        let etag = own.or_else(|| etag.cloned()).ok_or_else(|| {
            DecodeError::answer(format!("the entry {:?} of the answer has no \"etag\"", self.key))
        })?;
        let body = match (self.value, self.base64) {
            (Some(value), None) => Bytes::from(Box::<str>::from(value).into_string()),
            (None, Some(text)) => BASE64_STANDARD
                .decode(text)
                .map_err(|error| DecodeError::value(&self.key, error))?
                .into(),
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let what = format!("the entry {:?} of the answer has two values", self.key);
                return Err(DecodeError::answer(what));
            }
        };
        let head = Head {
            key: self.key,
            etag,
            revision: Some(self.revision),
            created_revision: self.created_revision,
            write_count: self.write_count,
            last_modified: self
                .last_modified
                .and_then(|date| httpdate::parse_http_date(&date).ok()),
        };
        let content_type = self.content_type.unwrap_or_else(|| "application/json".to_owned());
        Ok(Some(Entry::raw(head, Document::new(content_type, body))))
    }

    pub(super) fn into_whole_entry(self) -> Result<Entry<Document>, DecodeError> {
        let key = self.key.clone();
        self.into_entry(None)?.ok_or_else(|| {
            DecodeError::answer(format!("the entry {key:?} of the answer has no value"))
        })
    }
}

/// What a problem document of a conflict says.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireConflict {
    pub(super) r#type: String,
    pub(super) detail: String,
    pub(super) key: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) index: Option<usize>,
    pub(super) expected_revision: Option<Revision>,
    pub(super) current_revision: Option<Revision>,
    pub(super) current_etag: Option<String>,
    pub(super) deleted: Option<bool>,
    pub(super) current: Option<WireEntry>,
    pub(super) blockers: Vec<String>,
    pub(super) blocker_count: Option<usize>,
    pub(super) blocking: Vec<WireEntry>,
    pub(super) oldest_revision: Option<Revision>,
    pub(super) failed_operation: Option<usize>,
    pub(super) pointer: Option<String>,
    pub(super) conflicts: Vec<WireConflict>,
}

#[derive(Deserialize)]
pub(super) struct WirePage {
    pub(super) revision: Revision,
    pub(super) items: Vec<WireEntry>,
    pub(super) next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct WireHistory {
    pub(super) since: Option<Revision>,
    pub(super) versions: Vec<WireEntry>,
}

#[derive(Deserialize)]
pub(super) struct WireRevision {
    pub(super) revision: Revision,
}

/// How the server is, be it ready or not.
#[cfg(feature = "backend")]
#[derive(Deserialize)]
pub(super) struct WireReadiness {
    pub(super) revision: Revision,
    pub(super) identity: String,
    pub(super) supports: Vec<String>,
}

/// More than a transaction may have.
#[cfg(feature = "backend")]
#[derive(Deserialize)]
pub(super) struct WireLimit {
    pub(super) operations: usize,
    pub(super) max_operations: usize,
}

/// As many revisions as a server keeps for cursors, or snapshots as its store has.
#[cfg(feature = "backend")]
#[derive(Deserialize)]
pub(super) struct WireSnapshots {
    #[serde(alias = "max_pins")]
    pub(super) max_snapshots: u64,
}

/// That nothing is kept of a key.
#[cfg(feature = "backend")]
#[derive(Deserialize)]
pub(super) struct WireSince {
    pub(super) since: Revision,
}

#[derive(Deserialize)]
pub(super) struct WireCommit {
    pub(super) revision: Revision,
    pub(super) events: Vec<WireEntry>,
}

/// A commit that the server cannot tell.
#[derive(Deserialize)]
pub(super) struct WireUnreadable {
    pub(super) revision: Revision,
    pub(super) key: String,
    #[serde(default)]
    pub(super) keys: Vec<String>,
    pub(super) detail: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireCompacted {
    pub(super) oldest_revision: Option<Revision>,
    pub(super) newest_revision: Option<Revision>,
}
