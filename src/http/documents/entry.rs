//! A document in a store, with its revisions: as a response, and as JSON.

use std::time::SystemTime;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::identity::Identity;
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::document::{Document, UnreadableDocument};
use crate::document_key::DocumentKey;
use crate::http::date;
use crate::http::etag::ETag;
use crate::http::guard::Current;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::versions::{self, Life};

/// A document that was read from the store `identity`.
#[derive(Clone, Debug)]
pub(in crate::http) struct Entry {
    identity: Identity,
    key: DocumentKey,
    stored: Versioned<Bytes>,
    document: Document,
}

impl Entry {
    /// # Errors
    /// 500 if the value is of a later version of the crate, or damaged.
    pub(super) fn of(
        identity: Identity,
        key: &DocumentKey,
        stored: Versioned<Bytes>,
    ) -> Result<Self, Problem> {
        let revision = stored.revision();
        Self::read(identity, key, stored).map_err(|error| {
            // Of a list or a history the client cannot know which it is.
            let detail = format!("{:?} at revision {revision}: {error}", key.as_str());
            Problem::new(ProblemKind::Internal, detail)
                .with_key(key)
                .with_member("revision", &revision)
        })
    }

    /// # Errors
    /// If the value is of a later version of the crate, or damaged.
    pub(super) fn read(
        identity: Identity,
        key: &DocumentKey,
        stored: Versioned<Bytes>,
    ) -> Result<Self, UnreadableDocument> {
        let document = Document::from_stored(&stored)?;
        Ok(Self { identity, key: key.clone(), stored, document })
    }

    pub(super) fn revision(&self) -> Revision {
        self.stored.revision()
    }

    pub(super) fn life(&self) -> Life {
        Life::of(&self.stored)
    }

    pub(super) fn key(&self) -> &DocumentKey {
        &self.key
    }

    pub(super) fn etag(&self) -> ETag {
        match self.document.stamp() {
            Some(stamp) => ETag::from_origin(self.revision(), stamp.origin()),
            None => ETag::new(self.identity, self.revision()),
        }
    }

    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    fn modified(&self) -> Option<SystemTime> {
        self.document.stamp().map(|stamp| stamp.modified())
    }

    /// What conditions are compared with.
    pub(super) fn current(&self) -> Current {
        Current { etag: self.etag(), modified: self.modified() }
    }

    /// The document as a response to a GET.
    pub(super) fn into_representation(self) -> Response {
        let mut response = represent(self.etag(), &self.document, self.modified());
        versions::tell(response.headers_mut(), self.revision(), Some(self.life()));
        response
    }

    /// Writes the members of the entry.
    pub(super) fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.serialize_head(map)?;
        serialize_content(&self.document, map)
    }

    /// Writes the members of the entry without its value.
    pub(super) fn serialize_head<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("revision", &self.revision())?;
        map.serialize_entry("created_revision", &self.stored.created_revision())?;
        map.serialize_entry("write_count", &self.stored.write_count())?;
        map.serialize_entry("etag", &self.etag().to_string())?;
        if let Some(modified) = self.modified() {
            map.serialize_entry("last_modified", &date::text(modified))?;
        }
        map.serialize_entry("content_type", self.document.content_type().as_str())
    }
}

/// `document` as a response to a GET, or to a write that is to answer with it.
pub(super) fn represent(etag: ETag, document: &Document, modified: Option<SystemTime>) -> Response {
    let mut response = Response::new(document.body().clone().into());
    let headers = response.headers_mut();
    // Those of the versions and the length come after it.
    headers.reserve(11);
    headers.insert(header::ETAG, etag.into());
    headers.insert(header::CONTENT_TYPE, document.content_type().into());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Whoever may write could otherwise have a browser run a document, in the name of the server.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    if let Some(modified) = modified {
        headers.insert(header::LAST_MODIFIED, date::header(modified));
    }
    response
}

/// `"value"` if it is JSON, with its text as it is, else `"base64"`.
fn serialize_content<M: SerializeMap>(document: &Document, map: &mut M) -> Result<(), M::Error> {
    let body = document.body();
    if document.is_json()
        && let Ok(value) = serde_json::from_slice::<&RawValue>(body)
    {
        return map.serialize_entry("value", value);
    }
    map.serialize_entry("base64", &BASE64_STANDARD.encode(body))
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.serialize_into(&mut map)?;
        map.end()
    }
}
