//! `GET /v1/history/{key}`: the versions of a document that are kept.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::backend::Backend;
use crate::revision::Revision;

use super::entry::Entry;
use super::list::json;
use super::shared::{Shared, key_of};
use crate::document_key::DocumentKey;
use crate::http::problem::Problem;
use crate::http::query;

/// So many bytes of documents are shown, those of the newest versions. Of the others only what is known about them.
const SHOWN_BYTES: usize = 8 << 20;

/// So many versions are shown, the newest.
const SHOWN_VERSIONS: usize = 1_000;

struct Body {
    key: DocumentKey,
    since: Revision,
    versions: Vec<Version>,
}

enum Version {
    Written(Entry),
    /// Without its value.
    Described(Entry),
    Deleted(DocumentKey, Revision),
}

/// `GET`.
pub(super) async fn history<B: Backend>(
    State(shared): State<Shared<B>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let key = key_of(&uri, "/v1/history")?;
    query::allow_only(uri.query(), &[])?;
    let history = shared.backend().history(key.as_bytes()).await?;
    if history.versions().is_empty() {
        return Err(Problem::not_found(&key).with_member("since", &history.since()));
    }
    let mut bytes = 0;
    let mut versions = Vec::with_capacity(history.versions().len());
    for version in history.versions().iter().rev().take(SHOWN_VERSIONS) {
        versions.push(match version.entry() {
            None => Version::Deleted(key.clone(), version.revision()),
            Some(stored) => {
                bytes += stored.len();
                let entry = shared.entry(&key, stored.clone())?;
                if bytes <= SHOWN_BYTES || versions.is_empty() {
                    Version::Written(entry)
                } else {
                    Version::Described(entry)
                }
            }
        });
    }
    let oldest = history.versions().iter().nth_back(SHOWN_VERSIONS - 1);
    // What came before the oldest that is shown is not here.
    let since = oldest.map_or(history.since(), |oldest| history.since().max(oldest.revision()));
    versions.reverse();
    Ok(json(&Body { key, since, versions }))
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("since", &self.since)?;
        map.serialize_entry("versions", &self.versions)?;
        map.end()
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Written(entry) => entry.serialize_into(&mut map)?,
            Self::Described(entry) => entry.serialize_head(&mut map)?,
            Self::Deleted(key, revision) => {
                map.serialize_entry("key", key)?;
                map.serialize_entry("revision", revision)?;
                map.serialize_entry("deleted", &true)?;
            }
        }
        map.end()
    }
}
