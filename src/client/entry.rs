//! What is stored under a key, as it was read.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::revision::Revision;

use super::error::DecodeError;
use super::tag::EntityTag;

/// The content type of what serde writes.
const JSON: &str = "application/json";

/// A body, verbatim, and its content type.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    content_type: String,
    body: Bytes,
}

impl Document {
    /// A document of `body`. The content type is checked by the server.
    pub fn new(content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { content_type: content_type.into(), body: body.into() }
    }

    /// A document of JSON text.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self::new(JSON, text)
    }

    /// What the body is.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Whether the content type says that the body is JSON (RFC 6839).
    #[must_use]
    pub fn is_json(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim_ascii();
        let essence = essence.to_ascii_lowercase();
        essence == JSON || essence.ends_with("+json")
    }

    /// The body, as it came.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Without the body, which may be large, or private.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// What is known of an entry without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryHead {
    pub(super) etag: EntityTag,
    pub(super) content_type: String,
    pub(super) bytes: Option<u64>,
    pub(super) last_modified: Option<SystemTime>,
}

impl EntryHead {
    /// The tag of this version.
    #[must_use]
    pub fn etag(&self) -> &EntityTag {
        &self.etag
    }

    /// What the value is.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The size of the value in bytes, where the server gives it.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// When this version was written, to the second, where the server gives it.
    #[must_use]
    pub fn last_modified(&self) -> Option<SystemTime> {
        self.last_modified
    }
}

/// The versions of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: String,
    pub(super) etag: EntityTag,
    pub(super) revision: Option<Revision>,
    pub(super) created_revision: Option<Revision>,
    pub(super) write_count: Option<u64>,
    pub(super) last_modified: Option<SystemTime>,
}

/// A value with its key and its versions. It is the precondition of the write that changes it:
/// [`put_if(key, value, &entry)`](super::Client::put_if).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    head: Head,
    document: Document,
    value: T,
}

impl Entry<Document> {
    pub(super) fn raw(head: Head, document: Document) -> Self {
        Self { head, value: document.clone(), document }
    }

    /// The entry with its JSON read as a `T`.
    ///
    /// # Errors
    /// [`DecodeError`] if the document is not JSON, or not that of a `T`.
    pub fn decode<T: DeserializeOwned>(self) -> Result<Entry<T>, DecodeError> {
        let value = serde_json::from_slice(self.document.body())
            .map_err(|error| DecodeError::value(&self.head.key, error))?;
        Ok(Entry { head: self.head, document: self.document, value })
    }
}

impl<T> Entry<T> {
    pub(super) fn written(head: Head, document: Document, value: T) -> Self {
        Self { head, document, value }
    }

    pub(super) fn to_raw(&self) -> Entry<Document> {
        Entry::raw(self.head.clone(), self.document.clone())
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.head.key
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The value, owned.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }

    /// The document that the value was read from: all that the server has, also what `T` does not know.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The tag of this version.
    #[must_use]
    pub fn etag(&self) -> &EntityTag {
        &self.head.etag
    }

    /// The revision of this version; `None` where the server gives the tag only, as another that keeps the contract may in
    /// the answer to a GET.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.head.revision
    }

    /// The revision that created the key, where the server gives it.
    #[must_use]
    pub fn created_revision(&self) -> Option<Revision> {
        self.head.created_revision
    }

    /// The writes since the creation, which counts, where the server gives it.
    #[must_use]
    pub fn write_count(&self) -> Option<u64> {
        self.head.write_count
    }

    /// When this version was written, to the second, where the server gives it.
    #[must_use]
    pub fn last_modified(&self) -> Option<SystemTime> {
        self.head.last_modified
    }
}

impl<T> std::ops::Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
