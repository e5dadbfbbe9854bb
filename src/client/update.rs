//! Read, change, write back, and again if somebody came between.
//!
//! # Invariants
//! - Nothing is written on top of what was not seen: every attempt has the tag of the value that it is made from as its
//!   precondition, that of absence included.
//! - Nothing is written while an earlier attempt may yet take place: it would be a second time.
//! - What is there now comes with the conflict. It is freshest then, so that every other retry is made at once; the waits
//!   are before those in between, and grow, from one round trip on.

use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::merge::{MergeRules, Merged};

use super::Client;
use super::conflict::{ClientConflict, merge_into};
use super::entry::{Document, Entry, Head};
use super::error::ClientError;
use super::tag::{ClientPrecondition, EntityTag};

/// Why [`Client::try_update`] did not write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The closure refused.
    #[error("{0}")]
    Refused(E),
    /// A request failed.
    #[error("{0}")]
    Client(#[from] ClientError),
}

/// Why [`Client::update_merging`] did not write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// Both changed the same place, differently: somebody has to decide.
    #[error("{} members were changed by both", .0.merged().clashes().len())]
    Clashes(Box<MergeClashes>),
    /// A request failed; a [`ClientError::Conflict`] says that the key was deleted.
    #[error("{0}")]
    Client(#[from] ClientError),
}

/// A merge that is not clean, and what it is with.
#[derive(Clone, Debug)]
pub struct MergeClashes {
    merged: Merged,
    theirs: Entry<Document>,
}

impl MergeClashes {
    /// What could be merged, and the clashes by JSON pointer, each with base, mine and theirs.
    #[must_use]
    pub fn merged(&self) -> &Merged {
        &self.merged
    }

    /// What is there now: the precondition of the write when all clashes are decided.
    #[must_use]
    pub fn theirs(&self) -> &Entry<Document> {
        &self.theirs
    }

    /// Takes it apart, to decide the clashes with [`Merged::resolve`].
    #[must_use]
    pub fn into_parts(self) -> (Merged, Entry<Document>) {
        (self.merged, self.theirs)
    }
}

/// The write under way: which one it is, from 1, and since when.
struct Attempt {
    number: u32,
    began: Instant,
}

impl Default for Attempt {
    fn default() -> Self {
        Self { number: 0, began: Instant::now() }
    }
}

impl Attempt {
    fn begin(&mut self) {
        *self = Self { number: self.number + 1, began: Instant::now() };
    }
}

fn written<T>(key: &str, etag: EntityTag, document: Document, value: T) -> Entry<T> {
    let head = Head {
        key: key.to_owned(),
        etag,
        revision: None,
        created_revision: None,
        write_count: None,
        last_modified: None,
    };
    Entry::written(head, document, value)
}

fn on_top_of(current: Option<&Entry<Document>>) -> ClientPrecondition {
    current.map_or(ClientPrecondition::Absent, ClientPrecondition::from)
}

impl Client {
    /// Reads the value under `key`, has `change` make a new one from it, and writes that if the key is still as it was
    /// read; else again with what is there now, which comes with the conflict. `change` may be called often, and gets
    /// `None` where nothing is stored.
    ///
    /// ```no_run
    /// # async fn example(client: ifmatch::client::Client) -> Result<(), ifmatch::client::ClientError> {
    /// let visits = client.update("visits", |n: Option<&u64>| n.copied().unwrap_or(0) + 1).await?;
    /// println!("visitor number {}", visits.value());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Contended`] if as many attempts lost as [`update_retries`](super::ClientBuilder::update_retries)
    /// allows; others than a lost race at once, and one that an attempt whose answer was lost may
    /// [yet win](ClientError::is_outcome_unknown).
    pub async fn update<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<&T>) -> T,
    ) -> Result<Entry<T>, ClientError> {
        let change = |current: Option<&T>| Ok::<_, std::convert::Infallible>(change(current));
        self.try_update(key, change).await.map_err(|error| match error {
            UpdateError::Client(error) => error,
            UpdateError::Refused(never) => match never {},
        })
    }

    /// [`update`](Self::update) with a closure that may refuse.
    ///
    /// # Errors
    /// [`UpdateError::Refused`] with the closure's own error, and nothing is written; else as `update`.
    pub async fn try_update<T: Serialize + DeserializeOwned, E>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<&T>) -> Result<T, E>,
    ) -> Result<Entry<T>, UpdateError<E>> {
        let mut current: Option<Entry<Document>> = self.get(key).await?;
        let mut attempt = Attempt::default();
        loop {
            let decoded = current.clone().map(Entry::decode::<T>).transpose();
            let decoded = decoded.map_err(ClientError::from)?;
            let value = change(decoded.as_ref().map(Entry::value)).map_err(UpdateError::Refused)?;
            let text = serde_json::to_vec(&value).map_err(super::DecodeError::unencodable);
            let text = text.map_err(ClientError::from)?;
            let document = match &current {
                Some(current) => Document::new(current.document().content_type(), text),
                None => Document::json(text),
            };
            let precondition = on_top_of(current.as_ref());
            attempt.begin();
            match self.put_to_merge(key, &document, precondition).await {
                Ok(done) => return Ok(written(key, done.into_etag(), document, value)),
                Err(error) => current = self.after(key, error, &attempt).await?.1,
            }
        }
    }

    /// Writes what changed from `base`, as it was read, to `mine`. If somebody else has written meanwhile, the changes of
    /// both are merged, which succeeds without asking anybody as long as they are in different places (see
    /// [`merge`](crate::merge)). What the document has and `T` does not know stays.
    ///
    /// What both changed alike is one change: two who count from 7 to 8 have counted one. Counters belong into
    /// [`update`](Self::update).
    ///
    /// # Errors
    /// [`MergeError::Clashes`] if both changed the same place, differently; else as [`update`](Self::update). If the key was deleted, that is a
    /// [`ClientError::Conflict`].
    pub async fn update_merging<T: Serialize + DeserializeOwned>(
        &self,
        base: &Entry<T>,
        mine: &T,
        rules: &MergeRules,
    ) -> Result<Entry<T>, MergeError> {
        let key = base.key();
        let mut theirs = base.to_raw();
        let mut attempt = Attempt::default();
        loop {
            let merged = merge_into(base, mine, &theirs, rules).map_err(ClientError::from)?;
            let json = match merged.into_result() {
                Ok(json) => json,
                Err(merged) => {
                    return Err(MergeError::Clashes(Box::new(MergeClashes { merged, theirs })));
                }
            };
            let document = Document::new(theirs.document().content_type(), json.to_vec());
            // Before it is written: what is no `T` is an error, and an error is to mean that nothing was.
            let value = serde_json::from_slice(document.body())
                .map_err(|error| super::DecodeError::value(key, error))
                .map_err(ClientError::from)?;
            attempt.begin();
            let error = match self.put_to_merge(key, &document, theirs.etag().into()).await {
                Ok(done) => return Ok(written(key, done.into_etag(), document, value)),
                Err(error) => error,
            };
            theirs = match self.after(key, error, &attempt).await? {
                (_, Some(current)) => current,
                (conflict, None) => return Err(ClientError::Conflict(conflict).into()),
            };
        }
    }

    /// The lost race, and what is there now, when it is time for the next attempt.
    ///
    /// # Errors
    /// `error` itself if it is not a lost race, or may yet be won; [`ClientError::Contended`] if there is to be no other
    /// attempt.
    async fn after(
        &self,
        key: &str,
        error: ClientError,
        attempt: &Attempt,
    ) -> Result<(Box<ClientConflict>, Option<Entry<Document>>), ClientError> {
        let is_open = error.is_outcome_unknown();
        let conflict = match error {
            ClientError::Conflict(conflict) if conflict.is_lost_race() && !is_open => conflict,
            error => return Err(error),
        };
        let backoff = self.0.settings.updates.scaled_to(attempt.began.elapsed());
        let attempts = attempt.number;
        if attempts >= backoff.attempts() {
            return Err(ClientError::Contended { attempts, last: conflict });
        }
        if attempts.is_multiple_of(2) {
            tokio::time::sleep(backoff.delay(attempts / 2 - 1)).await;
        }
        let current = match conflict.current() {
            _ if conflict.is_deleted() => None,
            Some(current) => Some(current.clone()),
            None => self.get(key).await?,
        };
        Ok((conflict, current))
    }
}
