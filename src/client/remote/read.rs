//! Reading: how the server is, and one key.

use bytes::Bytes;
use reqwest::{Method, StatusCode};

use crate::backend::BackendStatus;
use crate::capability::Capability;
use crate::cause::Cause;
use crate::document_key::DocumentKey;
use crate::error::ReadError;
use crate::identity::Identity;
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::super::Client;
use super::super::entry::{Document, Entry};
use super::super::error::{ClientError, DecodeError};
use super::super::read::target;
use super::super::send::{Answer, CREATED_REVISION, Call, REVISION, WRITE_COUNT};
use super::super::wire::WireReadiness;
use super::Remote;
use super::fault::{of_read, unavailable};

/// How a server is.
pub(super) struct Readiness {
    pub(super) revision: Revision,
    pub(super) is_writable: bool,
    pub(super) identity: Identity,
    pub(super) supports: Vec<String>,
}

impl Readiness {
    pub(super) async fn of(client: &Client) -> Result<Self, ClientError> {
        // One that takes no writes asks to come again, and says all that is to be known here.
        let call = Call::new(Method::GET, "/readyz".to_owned()).impatient();
        let retries = client.0.settings.retries;
        let mut attempt = 1;
        let answer = loop {
            let answer = client.0.call(call.clone()).await?;
            // A server does not wait for long for its store.
            let is_late = answer.status == StatusCode::SERVICE_UNAVAILABLE
                && answer.json::<WireReadiness>().is_err();
            if !is_late || attempt >= retries.attempts() {
                break answer;
            }
            tokio::time::sleep(retries.delay(attempt - 1)).await;
            attempt += 1;
        };
        let is_writable = answer.status == StatusCode::OK;
        if !is_writable && answer.status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(answer.into_error());
        }
        let Ok(WireReadiness { revision, identity, supports }) = answer.json() else {
            if is_writable {
                return Err(answer.unexpected("without the identity of the store"));
            }
            return Err(answer.into_error());
        };
        let Some(identity) = identity_of(&identity) else {
            return Err(answer.unexpected("with an identity that is none"));
        };
        Ok(Self { revision, is_writable, identity, supports })
    }
}

fn identity_of(text: &str) -> Option<Identity> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 32 || !text.bytes().all(is_digit) {
        return None;
    }
    Some(Identity::from_bytes(u128::from_str_radix(text, 16).ok()?.to_be_bytes()))
}

/// The key as the server has it.
pub(super) fn text_of(key: &Bytes) -> Option<DocumentKey> {
    DocumentKey::from_stored(key).ok()
}

/// The versions and the body of an entry.
pub(super) fn versioned(entry: &Entry<Document>) -> Result<Versioned<Bytes>, ClientError> {
    let versions = (entry.revision(), entry.created_revision(), entry.write_count());
    let (Some(revision), Some(created), Some(write_count)) = versions else {
        let what = format!("the entry {:?} of the answer has no revisions", entry.key());
        return Err(DecodeError::answer(what).into());
    };
    Ok(Versioned::new(entry.document().body().clone(), revision, created, write_count))
}

/// The answer to a GET.
fn versioned_answer(answer: &Answer) -> Option<Versioned<Bytes>> {
    let (revision, created) = (answer.revision(&REVISION)?, answer.revision(&CREATED_REVISION)?);
    let write_count = answer.number(&WRITE_COUNT)?;
    Some(Versioned::new(answer.body.clone(), revision, created, write_count))
}

impl Remote {
    /// # Errors
    /// If it cannot be reached, or has another store.
    pub(super) async fn how_it_is(&self) -> Result<BackendStatus, Cause> {
        let readiness = Readiness::of(&self.client).await.map_err(Cause::new)?;
        if readiness.identity != self.known.identity {
            return Err(Cause::new("the server has another store than before: connect again"));
        }
        Ok(BackendStatus::new(readiness.revision, readiness.is_writable))
    }

    /// The entry of `key`, now or at a revision.
    pub(super) async fn read(
        &self,
        key: &Bytes,
        at: Option<Revision>,
    ) -> Result<Option<Versioned<Bytes>>, ReadError> {
        let key = text_of(key).ok_or(ReadError::Unsupported(Capability::AnyKey))?;
        let query = at.map_or_else(String::new, |revision| format!("?at={revision}"));
        let target = target(key.as_str(), &query).map_err(unavailable)?;
        let answer =
            self.client.0.call(Call::new(Method::GET, target)).await.map_err(unavailable)?;
        if answer.is_not_found() {
            return Ok(None);
        }
        if answer.status != StatusCode::OK {
            return Err(of_read(answer, Capability::Past));
        }
        match versioned_answer(&answer) {
            Some(entry) => Ok(Some(entry)),
            None => Err(unavailable(answer.unexpected("without the revisions of the document"))),
        }
    }
}
