//! What the handlers share.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri};
use bytes::Bytes;
use tokio::runtime::Handle;

use crate::backend::Backend;
use crate::commit_error::CommitError;
use crate::identity::Identity;
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::entry::Entry;
use super::heavy::Heavy;
use super::idempotency::Idempotency;
use super::options::Options;
use super::pins::Pins;
use super::turns::Turns;
use crate::document_key::DocumentKey;
use crate::http::problem::{Problem, ProblemKind};

pub(super) const COLLECTION: &str = "/v1/kv";

/// A handle of what all requests to a router use.
pub(super) struct Shared<B: Backend>(Arc<Service<B>>);

struct Service<B: Backend> {
    backend: B,
    options: Options,
    pins: Pins<B::Snapshot>,
    idempotency: Idempotency,
    turns: Turns,
    heavy: Heavy,
}

impl<B: Backend> Shared<B> {
    pub(super) fn new(backend: B, options: Options) -> Self {
        let pins = Pins::new(options.max_pins, options.pin_timeout);
        let idempotency = Idempotency::new(options.max_idempotency_keys);
        let (turns, heavy) = (Turns::new(), Heavy::new());
        Self(Arc::new(Service { backend, options, pins, idempotency, turns, heavy }))
    }

    pub(super) fn backend(&self) -> &B {
        &self.0.backend
    }

    pub(super) fn identity(&self) -> Identity {
        self.0.backend.identity()
    }

    pub(super) fn options(&self) -> &Options {
        &self.0.options
    }

    pub(super) fn pins(&self) -> &Pins<B::Snapshot> {
        &self.0.pins
    }

    pub(super) fn idempotency(&self) -> &Idempotency {
        &self.0.idempotency
    }

    pub(super) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    pub(super) fn heavy(&self) -> &Heavy {
        &self.0.heavy
    }

    /// What is stored under `key`, as a document.
    pub(super) fn entry(
        &self,
        key: &DocumentKey,
        stored: Versioned<Bytes>,
    ) -> Result<Entry, Problem> {
        Entry::of(self.identity(), key, stored)
    }
}

impl<B: Backend> Clone for Shared<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A commit that records a write for repeats, while it is under way. Older records may be forgotten then, also if its client
/// goes away, and nobody waits for how it ends.
pub(super) struct Recording<B: Backend>(Option<Shared<B>>);

impl<B: Backend> Recording<B> {
    pub(super) fn new(shared: &Shared<B>) -> Self {
        Self(Some(shared.clone()))
    }

    pub(super) fn done<K, V>(mut self, committed: &Result<Revision, CommitError<K, V>>) {
        if let Err(CommitError::OutcomeUnknown(_)) | Ok(_) = committed {
            return;
        }
        self.0 = None;
    }
}

impl<B: Backend> Drop for Recording<B> {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        shared.idempotency().recorded();
        // There is no runtime any more where one ends, and what it had under way.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move { shared.idempotency().make_room(shared.backend()).await });
    }
}

/// Where the router is mounted, so that what it links to resolves.
#[derive(Clone, Debug)]
pub(super) struct Mount(String);

impl Mount {
    /// What stands before the paths of the routes; empty if nothing does.
    pub(super) fn prefix(&self) -> &str {
        &self.0
    }

    pub(super) fn document(&self, key: &DocumentKey) -> String {
        format!("{}{COLLECTION}/{}", self.0, key.to_path())
    }

    pub(super) fn history(&self, key: &DocumentKey) -> String {
        format!("{}/v1/history/{}", self.0, key.to_path())
    }

    pub(super) fn location(&self, key: &DocumentKey) -> HeaderValue {
        HeaderValue::try_from(self.document(key)).expect("a path is ASCII, the key is encoded")
    }
}

impl<S: Sync> FromRequestParts<S> for Mount {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let original = parts.extensions.get::<OriginalUri>().map_or("", |uri| uri.path());
        Ok(Self(original.strip_suffix(parts.uri.path()).unwrap_or_default().to_owned()))
    }
}

/// The key in the path, after `before`. It is taken from there by hand, because strict decoding is ours.
pub(super) fn key_of(uri: &Uri, before: &str) -> Result<DocumentKey, Problem> {
    let path = uri.path().strip_prefix(before).unwrap_or_default();
    DocumentKey::from_path(path.strip_prefix('/').unwrap_or_default())
        .map_err(|error| Problem::new(ProblemKind::InvalidKey, error.to_string()))
}
