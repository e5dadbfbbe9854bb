//! Reading one key.

use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};

use crate::revision::Revision;

use super::Client;
use super::entry::{Document, Entry, EntryHead, Head};
use super::error::ClientError;
use super::send::{Answer, CREATED_REVISION, Call, REVISION, WRITE_COUNT};
use super::tag::EntityTag;
use super::value::ReadValue;
use crate::document_key::path_of;

/// What became of an entry since it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfChanged<T> {
    /// It is as it was.
    NotModified,
    /// It is another.
    Changed(Entry<T>),
    /// It is gone.
    Absent,
}

pub(super) fn target(key: &str, query: &str) -> Result<String, ClientError> {
    Ok(format!("/v1/kv/{}{query}", path_of(key)?))
}

fn entry_of(key: &str, answer: &Answer) -> Result<Entry<Document>, ClientError> {
    let head = Head {
        key: key.to_owned(),
        etag: answer.etag()?,
        revision: answer.revision(&REVISION),
        created_revision: answer.revision(&CREATED_REVISION),
        write_count: answer.number(&WRITE_COUNT),
        last_modified: answer.last_modified(),
    };
    Ok(Entry::raw(head, answer.document()))
}

impl Client {
    /// What is stored under `key`; `None` if nothing is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get<T: ReadValue>(&self, key: &str) -> Result<Option<Entry<T>>, ClientError> {
        self.read(key, Call::new(Method::GET, target(key, "")?)).await
    }

    /// What was stored under `key` at `revision`; `None` if nothing was.
    ///
    /// # Errors
    /// [`ClientError::Compacted`] if the server does not keep that any more.
    pub async fn get_at<T: ReadValue>(
        &self,
        key: &str,
        revision: Revision,
    ) -> Result<Option<Entry<T>>, ClientError> {
        let target = target(key, &format!("?at={revision}"))?;
        self.read(key, Call::new(Method::GET, target)).await
    }

    /// What is stored under `key`, as soon as it has changed after `revision`, or after `wait` as it is then. The server
    /// takes a wait of up to 5 minutes.
    ///
    /// # Errors
    /// [`ClientError::Compacted`] if it is not known whether it has changed.
    pub async fn get_after<T: ReadValue>(
        &self,
        key: &str,
        revision: Revision,
        wait: Duration,
    ) -> Result<Option<Entry<T>>, ClientError> {
        let target = target(key, &format!("?wait={}ms&after={revision}", wait.as_millis()))?;
        self.read(key, Call::new(Method::GET, target).waits(wait)).await
    }

    async fn read<T: ReadValue>(
        &self,
        key: &str,
        call: Call,
    ) -> Result<Option<Entry<T>>, ClientError> {
        let answer = self.0.call(call).await?;
        if answer.is_not_found() {
            return Ok(None);
        }
        if answer.status != StatusCode::OK {
            return Err(answer.into_error());
        }
        Ok(Some(T::read(entry_of(key, &answer)?)?))
    }

    /// What is stored under `key` unless it is still that with the tag `etag`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_if_changed<T: ReadValue>(
        &self,
        key: &str,
        etag: &EntityTag,
    ) -> Result<IfChanged<T>, ClientError> {
        let call = Call::new(Method::GET, target(key, "")?);
        let answer = self.0.call(call.header(IF_NONE_MATCH, etag.to_header())).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(IfChanged::NotModified);
        }
        if answer.is_not_found() {
            return Ok(IfChanged::Absent);
        }
        if answer.status != StatusCode::OK {
            return Err(answer.into_error());
        }
        Ok(IfChanged::Changed(T::read(entry_of(key, &answer)?)?))
    }

    /// What is known of `key` without its value; `None` if nothing is stored.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn head(&self, key: &str) -> Result<Option<EntryHead>, ClientError> {
        let target = target(key, "")?;
        let mut answer = self.0.call(Call::new(Method::HEAD, target.clone())).await?;
        if answer.status != StatusCode::OK {
            // The answer to a HEAD has no body that would say whether the key is missing or the route.
            answer = self.0.call(Call::new(Method::GET, target)).await?;
        }
        if answer.is_not_found() {
            return Ok(None);
        }
        if answer.status != StatusCode::OK {
            return Err(answer.into_error());
        }
        let text = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Some(EntryHead {
            etag: answer.etag()?,
            content_type: text(CONTENT_TYPE).unwrap_or_default().to_owned(),
            bytes: text(CONTENT_LENGTH).and_then(|text| text.parse().ok()),
            last_modified: answer.last_modified(),
        }))
    }
}
