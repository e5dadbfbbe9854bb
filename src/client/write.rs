//! Writing one key.

use reqwest::header::{HeaderValue, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};

use super::Client;
use super::entry::Document;
use super::error::ClientError;
use super::send::{Answer, CREATED_REVISION, Call, REVISION, WRITE_COUNT};
use super::tag::{ClientPrecondition, EntityTag};
use super::value::WriteValue;
use crate::document_key::path_of;
use crate::percent::encode_path;
use crate::revision::Revision;

const ANY: HeaderValue = HeaderValue::from_static("*");
const MERGE_PATCH: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";

/// A write that took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientWritten {
    etag: EntityTag,
    creation: bool,
    revision: Option<Revision>,
    created_revision: Option<Revision>,
    write_count: Option<u64>,
}

impl ClientWritten {
    /// The tag of what was written: the precondition of the next write. Of a delete, that of the deletion.
    #[must_use]
    pub fn etag(&self) -> &EntityTag {
        &self.etag
    }

    /// The tag, owned.
    #[must_use]
    pub fn into_etag(self) -> EntityTag {
        self.etag
    }

    /// The revision of the write, where the server gives it.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// The revision that created the key, where the server gives it; of a delete it does not.
    #[must_use]
    pub fn created_revision(&self) -> Option<Revision> {
        self.created_revision
    }

    /// The writes since the creation, which counts, where the server gives it; of a delete it does not.
    #[must_use]
    pub fn write_count(&self) -> Option<u64> {
        self.write_count
    }

    /// Whether nothing was there before.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        self.creation
    }
}

/// The request that demands `precondition`, with `query` beside what that says there.
fn guarded(
    method: Method,
    key: &str,
    precondition: &ClientPrecondition,
    query: Option<String>,
) -> Result<Call, ClientError> {
    let revision = match precondition {
        ClientPrecondition::Revision(revision) => Some(format!("revision={revision}")),
        _ => None,
    };
    let query: Vec<String> = revision.into_iter().chain(query).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let call = Call::new(method, format!("/v1/kv/{}{mark}{}", path_of(key)?, query.join("&")));
    Ok(match precondition {
        ClientPrecondition::Any | ClientPrecondition::Revision(_) => call,
        ClientPrecondition::Absent => call.header(IF_NONE_MATCH, ANY),
        ClientPrecondition::Present => call.header(IF_MATCH, ANY),
        ClientPrecondition::Tag(tag) => call.header(IF_MATCH, tag.to_header()),
    })
}

fn written(answer: Answer) -> Result<ClientWritten, ClientError> {
    match answer.status {
        StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => {
            let creation = answer.status == StatusCode::CREATED;
            let (revision, created_revision) =
                (answer.revision(&REVISION), answer.revision(&CREATED_REVISION));
            let (etag, write_count) = (answer.etag()?, answer.number(&WRITE_COUNT));
            Ok(ClientWritten { etag, creation, revision, created_revision, write_count })
        }
        _ => Err(answer.into_error()),
    }
}

impl Client {
    /// Writes a value only if `key` does not exist.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if it exists.
    pub async fn create<T: WriteValue + ?Sized>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<ClientWritten, ClientError> {
        self.put_if(key, value, ClientPrecondition::Absent).await
    }

    /// Writes a value, whatever is there: what somebody else wrote meanwhile is overwritten unseen.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn put<T: WriteValue + ?Sized>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<ClientWritten, ClientError> {
        self.put_if(key, value, ClientPrecondition::Any).await
    }

    /// Writes a value only if `precondition` holds: an [`Entry`](super::Entry) that was read, its tag, or a revision.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if it does not.
    pub async fn put_if<T: WriteValue + ?Sized>(
        &self,
        key: &str,
        value: &T,
        precondition: impl Into<ClientPrecondition>,
    ) -> Result<ClientWritten, ClientError> {
        let call = guarded(Method::PUT, key, &precondition.into(), None)?;
        written(self.0.call(call.document(&value.write()?)?).await?)
    }

    /// Like [`put_if`](Self::put_if); a conflict comes with what is there now, so that merging takes no second request.
    pub(super) async fn put_to_merge(
        &self,
        key: &str,
        document: &Document,
        precondition: ClientPrecondition,
    ) -> Result<ClientWritten, ClientError> {
        let call = guarded(Method::PUT, key, &precondition, None)?.merging();
        written(self.0.call(call.document(document)?).await?)
    }

    /// Changes the members that a JSON merge patch (RFC 7396) names; a member that is `null` there is removed.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if the precondition does not hold; [`ClientError::Problem`] with the slug `not-found` if
    /// there is nothing to be changed.
    pub async fn patch<P: serde::Serialize + ?Sized>(
        &self,
        key: &str,
        patch: &P,
        precondition: impl Into<ClientPrecondition>,
    ) -> Result<ClientWritten, ClientError> {
        self.send_patch(key, MERGE_PATCH, patch, &precondition.into()).await
    }

    /// Applies a JSON patch (RFC 6902): an array of operations, all or none of which take place.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if the precondition does not hold, or a `test` of the patch fails.
    pub async fn patch_json<P: serde::Serialize + ?Sized>(
        &self,
        key: &str,
        patch: &P,
        precondition: impl Into<ClientPrecondition>,
    ) -> Result<ClientWritten, ClientError> {
        self.send_patch(key, JSON_PATCH, patch, &precondition.into()).await
    }

    async fn send_patch<P: serde::Serialize + ?Sized>(
        &self,
        key: &str,
        content_type: &str,
        patch: &P,
        precondition: &ClientPrecondition,
    ) -> Result<ClientWritten, ClientError> {
        let document = Document::new(content_type, patch.write()?.body().clone());
        let call = guarded(Method::PATCH, key, precondition, None)?.document(&document)?;
        written(self.0.call(call).await?)
    }

    /// Deletes `key`, whatever is there; `None` if nothing was. If nothing is there any more when it is repeated, the attempt
    /// before may yet delete what somebody writes next: that is an error whose
    /// [outcome is unknown](ClientError::is_outcome_unknown).
    ///
    /// A store that is full has no room for the record of an `Idempotency-Key`, but may have it for a delete. So a delete that
    /// was refused with 507 is sent once more without a key. If that is not answered, it is not repeated, and its outcome is
    /// unknown.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete(&self, key: &str) -> Result<Option<ClientWritten>, ClientError> {
        self.delete_if(key, ClientPrecondition::Any).await
    }

    /// Deletes `key` only if `precondition` holds. `None` if nothing was there, whatever the precondition: that is a 404
    /// in HTTP, and what was asked for; of a request that was repeated see [`delete`](Self::delete).
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if something is there, and the precondition does not hold.
    pub async fn delete_if(
        &self,
        key: &str,
        precondition: impl Into<ClientPrecondition>,
    ) -> Result<Option<ClientWritten>, ClientError> {
        let precondition = precondition.into();
        let call = guarded(Method::DELETE, key, &precondition, None)?;
        self.send_delete(call, &precondition).await
    }

    /// Deletes `key` only if `precondition` holds and no key begins with `prefix`.
    ///
    /// # Errors
    /// [`ClientError::Conflict`]; if keys are in the way, it is of the kind
    /// [`InUse`](super::ConflictKind::InUse) and names the first.
    pub async fn delete_unless_used(
        &self,
        key: &str,
        precondition: impl Into<ClientPrecondition>,
        prefix: &str,
    ) -> Result<Option<ClientWritten>, ClientError> {
        let precondition = precondition.into();
        let query = format!("unless-prefix={}", encode_path(prefix));
        let call = guarded(Method::DELETE, key, &precondition, Some(query))?;
        self.send_delete(call, &precondition).await
    }

    /// Deletes `key` if it is at `revision`; a conflict comes with what is there now.
    #[cfg(feature = "backend")]
    pub(super) async fn delete_at(
        &self,
        key: &str,
        revision: Revision,
    ) -> Result<Option<ClientWritten>, ClientError> {
        let precondition = ClientPrecondition::Revision(revision);
        let call = guarded(Method::DELETE, key, &precondition, None)?.merging();
        self.send_delete(call, &precondition).await
    }

    async fn send_delete(
        &self,
        call: Call,
        precondition: &ClientPrecondition,
    ) -> Result<Option<ClientWritten>, ClientError> {
        let mut answer = self.0.call(call.clone()).await?;
        // What has no room may be the record of the key only. It was refused, and no attempt is under way that could still
        // take place.
        let is_refused = answer.is_full() && !answer.after_unknown;
        if is_refused && self.0.settings.idempotency_keys {
            answer = self.0.call(call.once_only()).await?;
        }
        // An earlier attempt that takes whatever is there may yet find something.
        let takes_any =
            matches!(precondition, ClientPrecondition::Any | ClientPrecondition::Present);
        let may_yet_delete = answer.after_unknown && takes_any;
        if answer.is_not_found() && !may_yet_delete {
            return Ok(None);
        }
        written(answer).map(Some)
    }
}
